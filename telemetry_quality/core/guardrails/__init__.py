"""The guardrails: one self-describing file each; the catalogue lists them.

A guardrail looks at a day's evidence and a policy, nothing else: neither a later day nor the clock.
"""
