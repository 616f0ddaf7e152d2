"""Benchmark results, stored as JSON in ``artifacts/bench/``; ``report.py`` makes one page and one picture of all."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ARTIFACTS = Path(__file__).parents[1] / "artifacts"
KEPT = ARTIFACTS / "bench"

Cell = str | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a benchmark.

    Attributes:
        name: The name of the file; a benchmark that runs again replaces it.
        title: What was measured, on what, in a sentence.
        columns: The first column names the subject of a row; column names include units.
        rows: Each cell is a number, a text, or None if there is nothing to measure.
        drawn: The numeric columns that the picture shows.
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    drawn: Sequence[str] = ()

    def column(self, name: str) -> list[Cell]:
        """The cells of one column."""
        place = list(self.columns).index(name)
        return [row[place] for row in self.rows]

    def markdown(self) -> str:
        """The title and the table."""
        lines = [self.columns, ["---"] + ["---:"] * (len(self.columns) - 1), *(map(_text, row) for row in self.rows)]
        return "\n".join([f"**{self.title}**", "", *(f"| {' | '.join(cells)} |" for cells in lines), ""])


def _text(cell: Cell) -> str:
    """Three significant digits, which is all that a noisy machine can measure."""
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return cell
    digits = 0 if abs(cell) >= 100 else 1 if abs(cell) >= 10 else 2
    return f"{cell:,.{digits}f}"


def keep(table: Table, folder: Path = KEPT) -> None:
    """Store a table where the report finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(table), ensure_ascii=False, indent=1)
    (folder / f"{table.name}.json").write_text(text, encoding="utf-8")


def kept(folder: Path = KEPT) -> list[Table]:
    """All stored tables, by name."""
    return [Table(**json.loads(file.read_text(encoding="utf-8"))) for file in sorted(folder.glob("*.json"))]
