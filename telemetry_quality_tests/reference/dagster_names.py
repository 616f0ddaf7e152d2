"""What is seen in Dagster: assets, checks, jobs, schedules and sensors of a source, and the keys of their metadata."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from telemetry_quality_tests.reference.markdown import page, table
from telemetry_quality_tests.reference.surface import in_dagster

if TYPE_CHECKING:
    from collections.abc import Iterable

OPENING = """\
These are the names in Dagster of a source called `web`, with the keys of the metadata that a judged day leaves.
Numbers have the name that they have in the store, and their unit is in the name. `name_prefix` and `key_prefix` of
[`build_definitions`](../how-to/existing-dagster.md) go before them. A check of a guardrail that needs roles which the
source does not have is missing; `trustworthy` is [the gate](../how-to/existing-dagster.md#days-that-can-be-trusted).
A key whose value is unknown is left out."""


def written() -> str:
    """The page."""
    with TemporaryDirectory() as folder:
        lines = [line.removeprefix("dagster ") for line in in_dagster(Path(folder))]
    sections = []
    for kind in ("asset", "check"):
        rows = [(f"`{name}`", _keys(name, lines)) for name in _named(kind, lines)]
        sections.append((f"{kind.capitalize()}s", table([kind, "keys of its metadata"], rows)))
    rows = [(kind, ", ".join(f"`{name}`" for name in _named(kind, lines))) for kind in ("job", "schedule", "sensor")]
    return page("In Dagster", OPENING, [*sections, ("Jobs, schedules and sensors", table(["kind", "names"], rows))])


def _named(kind: str, lines: Iterable[str]) -> list[str]:
    return [line.removeprefix(f"{kind} ") for line in lines if line.startswith(f"{kind} ")]


def _keys(name: str, lines: Iterable[str]) -> str:
    return ", ".join(f"`{line.split()[2]}`" for line in lines if line.startswith(f"metadata {name} "))
