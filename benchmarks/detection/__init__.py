"""How well baselines tell a bad day from a normal one, measured on real daily counts; see docs/detection.md."""
