"""What a version promises is what the last one promised: docs/reference/compatibility.md.

After an addition, ``UPDATE_SURFACE=1 pytest telemetry_quality_tests/reference/test_surface.py`` records it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from telemetry_quality_tests.reference import surface as enumerated

if TYPE_CHECKING:
    from collections.abc import Iterable

RECORD = Path(__file__).with_name("surface.txt")


def complaint(recorded: Iterable[str], found: Iterable[str]) -> str:
    """What is wrong with a surface, as a sentence; empty if nothing is."""
    before, now = set(recorded), set(found)
    if gone := sorted(before - now):
        return f"Only a major version may remove or change what was promised, but these are gone: {', '.join(gone)}."
    if new := sorted(now - before):
        return f"These are new, which takes a minor version; record them with UPDATE_SURFACE=1: {', '.join(new)}."
    return ""


@pytest.mark.slow
def test_nothing_that_was_promised_is_gone_and_what_is_new_is_recorded(tmp_path: Path) -> None:
    found = enumerated.surface(tmp_path)
    if os.environ.get("UPDATE_SURFACE"):
        RECORD.write_text("\n".join(found) + "\n", encoding="utf-8")
    assert complaint(RECORD.read_text(encoding="utf-8").splitlines(), found) == ""


@pytest.mark.parametrize(
    "kind",
    [
        "setting", "command", "python", "address", "response", "table", "view", "reason code", "metric",
        "column of days", "column of training days", "dagster metadata", "dagster check", "dagster asset",
    ],
)  # fmt: skip
def test_one_promise_of_each_kind_that_is_broken_is_noticed(kind: str) -> None:
    recorded = RECORD.read_text(encoding="utf-8").splitlines()
    broken = next(line for line in recorded if line.startswith(f"{kind} "))
    assert f"gone: {broken}." in complaint(recorded, [line for line in recorded if line != broken])


def test_another_default_is_a_broken_promise_and_an_addition_is_not() -> None:
    assert "gone: setting x = 1." in complaint(["setting x = 1"], ["setting x = 2"])
    assert complaint(["setting x = 1"], ["setting x = 1", "setting y = 2"]).startswith("These are new")
    assert complaint(["setting x = 1"], ["setting x = 1"]) == ""
