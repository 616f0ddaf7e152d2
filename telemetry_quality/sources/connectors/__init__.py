"""The built-in connectors: each file declares one connector and is cheap to import."""
