"""Everything Dagster: thin adapters that load, ask the core and translate. Nothing is decided here."""
