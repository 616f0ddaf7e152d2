"""The command line's output for people: sentences, lists and progress bars that fit the terminal, and lose nothing.

What is not read on a terminal but by a file, a mail or another program is never broken into lines.
"""

from telemetry_quality.console.bars import progress
from telemetry_quality.console.days import ListedDay, print_days, print_snapshot
from telemetry_quality.console.lines import Part, Styled, next_step, screen_width, write, write_boxed
from telemetry_quality.console.listing import Column, Kind, print_listing

__all__ = [
    "Column",
    "Kind",
    "ListedDay",
    "Part",
    "Styled",
    "next_step",
    "print_days",
    "print_listing",
    "print_snapshot",
    "progress",
    "screen_width",
    "write",
    "write_boxed",
]
