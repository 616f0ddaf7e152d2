"""The detectors: the statistics behind the guardrails, one file each.

A detector takes numbers and plain settings and returns numbers. What they mean for a day, the outcome and the words,
belongs to the guardrails, which no detector knows of.
"""
