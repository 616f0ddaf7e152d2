"""One page and one picture of all stored benchmark results: ``artifacts/bench.md`` and ``artifacts/bench.svg``."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from results import ARTIFACTS, kept

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from results import Table

INK, FIRST, OTHERS = "#7d858f", "#d9730d", "#3b82d6"
"""Colours that are readable on both white and black."""


def main() -> None:
    tables = kept()
    if not tables:
        raise SystemExit("A kept table is required, but artifacts/bench has none; run make bench.")
    write(tables, ARTIFACTS)
    print(f"Written to {ARTIFACTS}: bench.md, bench.svg.")


def write(tables: Sequence[Table], out: Path) -> None:
    """Write bench.md and bench.svg into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "bench.md").write_text("\n".join(table.markdown() for table in tables), encoding="utf-8")
    if find_spec("matplotlib") is None:
        print("The picture is left out: it requires matplotlib, not installed; pip install '.[bench]' has it.")
        return
    draw(tables, out / "bench.svg")


def draw(tables: Sequence[Table], file: Path) -> None:
    """A row of panels for each table, a panel of bars for each drawn column; the first row of a table stands out."""
    shown = [table for table in tables if table.drawn]
    import_module("matplotlib").use("svg")
    plot = import_module("matplotlib.pyplot")
    heights = [len(table.rows) + 2.5 for table in shown]
    figure = plot.figure(figsize=(12, 0.28 * sum(heights)), layout="constrained")
    parts = figure.subfigures(len(shown), 1, height_ratios=heights, squeeze=False)[:, 0] if shown else []
    for part, table in zip(parts, shown, strict=True):
        part.suptitle(table.title, color=INK, fontsize=10)
        for axes, column in zip(
            part.subplots(1, len(table.drawn), sharey=True, squeeze=False)[0], table.drawn, strict=True
        ):
            _bars(axes, table, column)
    figure.savefig(file, transparent=True, metadata={"Date": None})
    plot.close(figure)


def _bars(axes: Any, table: Table, column: str) -> None:
    values = [cell if isinstance(cell, (int, float)) else 0 for cell in table.column(column)]
    places = range(len(values))
    bars = axes.barh(places, values, color=[FIRST] + [OTHERS] * (len(values) - 1))
    axes.bar_label(
        bars, [f"{value:.3g}" if value < 1000 else f"{value:,.0f}" for value in values], color=INK, padding=3
    )
    axes.set_yticks(places, [str(row[0]) for row in table.rows])
    axes.margins(x=0.18)
    axes.set_xlabel(column, color=INK)
    axes.set_xticks([])
    axes.tick_params(colors=INK, length=0)
    if not axes.yaxis_inverted():
        axes.invert_yaxis()
    for spine in axes.spines.values():
        spine.set_visible(False)


if __name__ == "__main__":
    main()
