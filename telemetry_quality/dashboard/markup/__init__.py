"""What pages draw of days: numbers beside their thresholds, strips, calendars and bars, as markup without any style.

Long tables are written here and not by templates: a template's call per cell costs more than the cell.
"""
