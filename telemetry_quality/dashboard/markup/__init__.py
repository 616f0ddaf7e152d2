"""How pages draw days: numbers next to their thresholds, strips, calendars and bars, as markup without styling.

Long tables are written here and not in templates: one macro call per cell costs more than the cell itself.
"""
