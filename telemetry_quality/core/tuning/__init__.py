"""Tuning: how other thresholds would have judged the stored days, and the same days with a known fault.

Tuning only proposes: a guardrail that moves by itself is not a guardrail. Nothing here reads events.
"""
