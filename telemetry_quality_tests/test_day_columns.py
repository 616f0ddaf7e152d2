"""The columns in which other programs get days are a contract: the docs list each of them, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from telemetry_quality.core.known_days import DAY_COLUMNS, Column
from telemetry_quality.core.training import TRAINING_COLUMNS

DOCS = Path(__file__).parents[1] / "docs"
TYPES = {
    "str": "text",
    "DayStatus": "text",
    "int": "integer",
    "float": "number",
    "bool": "yes or no",
    "date": "date",
    "datetime": "instant",
    "dict": "JSON",
    "list": "JSON",
}


def documented(page: str, table: str) -> list[tuple[str, ...]]:
    """The rows of a table of the docs, whose first cell is a name in backticks."""
    text = (DOCS / page).read_text()
    (section,) = re.findall(rf"<!-- begin: {table} -->\n(.*?)<!-- end -->", text, flags=re.DOTALL)
    return [tuple(row) for row in re.findall(r"^\| `(\w+)` \| ([^|]+) \| (.+) \|$", section, flags=re.MULTILINE)]


@pytest.mark.parametrize(
    ("page", "table", "columns"),
    [
        ("how-to/trusted-days.md", "columns of days", DAY_COLUMNS),
        ("how-to/training-days.md", "columns of training days", TRAINING_COLUMNS),
    ],
)
def test_the_docs_list_every_column_in_its_order_with_type_and_meaning(
    page: str, table: str, columns: tuple[Column, ...]
) -> None:
    expected = [(column.name, TYPES[column.kind.__name__], column.description) for column in columns]
    assert documented(page, table) == expected
