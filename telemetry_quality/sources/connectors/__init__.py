"""The connectors that come with the project: one file declares one, and is cheap to import."""
