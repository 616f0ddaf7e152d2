"""Reads events where they live: one aggregate query and one sample query, run by small connectors.

A source gets a path or a URL and an EventSchema, never the settings; no connection leaks out of it. ``connectors``
declares which settings open which source.
Everything here only reads.
"""
