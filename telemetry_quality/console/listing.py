"""Lists: a table where it fits the terminal, and otherwise a block of lines for each row; nothing is ever cut."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.console.lines import GLUE, UNBROKEN, Part, put, screen, screen_width, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import RenderableType
    from rich.table import Table

TABLES_FROM = 110
"""Columns of the narrowest terminal in whose tables words may be broken into lines."""

LEAST_WORDS = 24
"""Columns of the narrowest column in which words are broken into lines."""


class Kind(Enum):
    """What a column holds: how it is aligned, whether it may be broken, and where it stands in a block."""

    NAME = auto()
    """Names the row: the first line of its block."""
    FACT = auto()
    NUMBER = auto()
    WORDS = auto()
    """Sentences and lists of names, which may be broken between words."""


class Column(NamedTuple):
    """A column of a list."""

    heading: str
    kind: Kind = Kind.NAME


def print_listing(columns: Sequence[Column], rows: Iterable[Sequence[Part]]) -> None:
    """Print rows as a table if it fits the terminal, and otherwise as blocks."""
    listed = [tuple(row) for row in rows]
    width = screen_width()
    table = _table(columns, listed)
    if width is None or _fits(columns, table, width):
        put(table)
        return
    for block in _blocks(columns, listed):
        put(block)


def _table(columns: Sequence[Column], rows: Sequence[Sequence[Part]]) -> Table:
    from rich.table import Table  # noqa: PLC0415 - late: JSON readers do not need it

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.heading,
            justify="right" if column.kind is Kind.NUMBER else "left",
            no_wrap=column.kind is not Kind.WORDS,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(text_of([cell]) for cell in row))
    return table


def _fits(columns: Sequence[Column], table: Table, width: int) -> bool:
    """Whether the terminal shows the table without breaking more than words."""
    from rich.measure import Measurement  # noqa: PLC0415 - late: JSON readers do not need it

    out = screen()
    limitless = out.options.update(width=UNBROKEN)
    wide = [Measurement.get(out, limitless, cells).maximum for cells in _by_column(table)]
    spaces = 2 * (len(columns) - 1)
    if sum(wide) + spaces <= width:
        return True
    least = (
        min(size, LEAST_WORDS) if column.kind is Kind.WORDS else size
        for column, size in zip(columns, wide, strict=True)
    )
    return width >= TABLES_FROM and sum(least) + spaces <= width


def _by_column(table: Table) -> Iterator[RenderableType]:
    from rich.console import Group  # noqa: PLC0415 - late: JSON readers do not need it

    for column in table.columns:
        yield Group(column.header, *column.cells)


def _blocks(columns: Sequence[Column], rows: Iterable[Sequence[Part]]) -> Iterator[RenderableType]:
    from rich.console import Group  # noqa: PLC0415 - late: JSON readers do not need it
    from rich.padding import Padding  # noqa: PLC0415

    for row in rows:
        cells = [(column, text_of([cell])) for column, cell in zip(columns, row, strict=True)]
        cells = [(column, cell) for column, cell in cells if cell.plain]
        head, facts = text_of([]), text_of([])
        for column, cell in cells:
            if column.kind is Kind.NAME:
                head = (head + "  " if head.plain else head) + cell
            elif column.kind is not Kind.WORDS:
                named = f"{column.heading} {cell.plain}".strip().replace(" ", GLUE)
                facts = (facts + " · " if facts.plain else facts) + named
        head.stylize("bold")
        words = [
            text_of([f"{column.heading}: "] if column.heading else []) + cell
            for column, cell in cells
            if column.kind is Kind.WORDS
        ]
        yield Group(head, *(Padding(line, (0, 0, 0, 2)) for line in (facts, *words) if line.plain))
