"""Reads events where they are stored: one aggregate query and one sample query, run by small connectors.

A source gets a path or a URL and an EventSchema, never the settings, and keeps its connections to itself.
``connectors`` declares which settings open which source. Everything in this package only reads.
"""
