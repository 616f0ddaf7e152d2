"""Recorded figures that cannot have changed, so that slow methods of other projects need not run for every change.

Figures are recorded next to the report, under a fingerprint of the data, the code and the libraries they depend on.
The methods of ``ours.py`` are never recorded, because the code they call is outside this folder.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from detection.protocol import Figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from detection.protocol import Series

FILE = "figures.json"
CODE = ("protocol.py", "plain.py", "peers.py", "methods.py")
LIBRARIES = ("numpy", "scipy", "holidays", "statsmodels", "prophet")


def fingerprint(folder: Sequence[Series]) -> str:
    """A hash that changes with any count, label, library or line of code that the figures depend on."""
    digest = sha256(repr(library_versions()).encode())
    for name in CODE:
        digest.update((Path(__file__).parent / name).read_bytes())
    for series in folder:
        digest.update(repr((series.name, series.days.dates, series.labels)).encode())
        digest.update(series.days.counts.tobytes() + series.days.holidays.tobytes())
    return digest.hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of the libraries that the benchmark computes with, as far as they are installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def recall(out: Path, folder: Sequence[Series], name: str = FILE) -> dict[str, Figures]:
    """Figures by method recorded in the file ``name``; empty if anything has changed."""
    file = out / name
    if not file.exists():
        return {}
    recorded = json.loads(file.read_text(encoding="utf-8"))
    if recorded["fingerprint"] != fingerprint(folder):
        return {}
    return {figures["name"]: Figures(**figures) for figures in recorded["figures"]}


def record(out: Path, folder: Sequence[Series], figures: Iterable[Figures], name: str = FILE) -> None:
    """Add ``figures`` to those already recorded, except for this project's own methods."""
    known = recall(out, folder, name) | {row.name: row for row in figures if not row.name.startswith("ours_")}
    out.mkdir(parents=True, exist_ok=True)
    recorded = {
        "fingerprint": fingerprint(folder),
        "figures": [asdict(row) for row in known.values()],
    }
    (out / name).write_text(json.dumps(recorded), encoding="utf-8")
