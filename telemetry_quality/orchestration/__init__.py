"""The Dagster layer: thin adapters that load data, call the core and translate. Nothing is decided here."""
