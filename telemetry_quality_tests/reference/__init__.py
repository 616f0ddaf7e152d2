"""Writes the pages of the reference that follow from the code; ``make reference``."""
