"""The detectors: the statistics behind the guardrails, one file each.

A detector takes numbers and plain settings and returns numbers. What they mean for a day, the outcome and the words
belong to the guardrails, which detectors know nothing about.
"""
