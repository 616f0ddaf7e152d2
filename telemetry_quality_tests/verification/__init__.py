"""Measures every criterion of the mission on real data; ``make verification`` writes docs/verification-report.md."""
