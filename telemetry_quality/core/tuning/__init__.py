"""Tuning: what other thresholds would have said of the stored days, and of the same days with a known fault.

A proposal is all that comes of it: a guardrail that moves by itself is no guardrail. Nothing here reads events.
"""
