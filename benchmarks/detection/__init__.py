"""How well baselines distinguish a bad day from a normal one, measured on real daily counts; see docs/detection.md."""
