"""How well baselines distinguish a bad day from a normal one.

Measured on real daily counts; see docs/explanation/detection.md.
"""
