"""Draws the packages and their allowed imports, from the import contracts, into docs/explanation/architecture.md.

``make architecture`` replaces the picture between the two markers.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "architecture.md"
BEGIN, END = "<!-- begin: written by make architecture -->\n", "<!-- end -->"

WIDTH = 60
"""Characters between the left and the right border of the picture."""

LINE_WIDTH = 100
"""Characters of a line below the picture."""


def read_contracts(pyproject: str) -> Mapping[str, Any]:
    """The configuration of import-linter."""
    contracts: Mapping[str, Any] = tomllib.loads(pyproject)["tool"]["importlinter"]
    return contracts


def draw(contracts: Mapping[str, Any]) -> str:
    """The block between the markers: boxes of layers, and below them further contracts."""
    root = contracts["root_package"]
    (layers,) = (contract["layers"] for contract in contracts["contracts"] if contract["type"] == "layers")
    rows = [[room.strip() for room in layer.split("|")] for layer in layers]
    heights = {f"{root}.{room}": -row for row, rooms in enumerate(rows) for room in rooms}
    lines = [*draw_layers(rows), ""]
    for contract in contracts["contracts"]:
        if contract["type"] == "forbidden" and not _is_implied(contract, heights):
            lines += describe(contract, root)
    return "\n".join(["```text", *lines, "```", ""])


def _is_implied(contract: Mapping[str, Any], heights: Mapping[str, int]) -> bool:
    """Whether a contract only forbids rooms that stand above the rooms it is about."""
    lowest, highest = min(heights.values()) - 1, max(heights.values()) + 1
    importing = max(heights.get(module, highest) for module in contract["source_modules"])
    return all(heights.get(module, lowest) > importing for module in contract["forbidden_modules"])


def draw_layers(rows: Sequence[Sequence[str]]) -> list[str]:
    """A row of boxes per layer, with a border above each row and below the last."""
    walls = [[WIDTH * room // len(row) for room in range(1, len(row))] for row in rows]
    borders = [_border(above, below) for above, below in zip([[], *walls], [*walls, []], strict=True)]
    lines = [f"┌{borders[0]}┐"]
    for row, own_walls, border in zip(rows, walls, borders[1:], strict=True):
        lines += [f"│{_boxes(row, own_walls)}│", f"├{border}┤"]
    return [*lines[:-1], f"└{borders[-1]}┘"]


def _border(above: Sequence[int], below: Sequence[int]) -> str:
    """The line between two rows, joined to the walls between their boxes."""
    joints = {(True, True): "┼", (True, False): "┴", (False, True): "┬", (False, False): "─"}
    return "".join(joints[column in above, column in below] for column in range(WIDTH))


def _boxes(rooms: Sequence[str], walls: Sequence[int]) -> str:
    starts, ends = [0, *(wall + 1 for wall in walls)], [*walls, WIDTH]
    return "│".join(room.center(end - start) for room, start, end in zip(rooms, starts, ends, strict=True))


def describe(contract: Mapping[str, Any], root: str) -> list[str]:
    """What a contract forbids: its name, then the rooms it is about and what these never import."""
    rooms, forbidden, exceptions = (
        ", ".join(module.replace(f"{root}.", "") for module in contract.get(key, ()))
        for key in ("source_modules", "forbidden_modules", "ignore_imports")
    )
    text = f"{rooms}: never {forbidden}" + (f" (except {exceptions})" if exceptions else "")
    return [f"{contract['name']}:", *wrap(text, LINE_WIDTH, initial_indent="  ", subsequent_indent="    ")]


def redrawn(page: str, pyproject: str) -> str:
    """The page with the picture that the contracts in ``pyproject`` ask for."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{draw(read_contracts(pyproject))}\n{END}{after}"


def main() -> None:
    """Redraw the picture in the page."""
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    PAGE.write_text(redrawn(PAGE.read_text(encoding="utf-8"), pyproject), encoding="utf-8")


if __name__ == "__main__":
    main()
