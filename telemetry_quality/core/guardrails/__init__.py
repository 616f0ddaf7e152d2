"""The guardrails: one self-describing file each; the catalogue lists them.

A guardrail looks only at a day's evidence and at a policy, never at a later day or the clock.
"""
