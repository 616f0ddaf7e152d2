"""What was measured before and cannot have changed: the slow formulas of others need not run for each change of ours.

Figures are recorded beside the report, under a fingerprint of the data, the code and the libraries they depend on.
The methods of ``ours.py`` are never recorded: what they call lives outside this folder.
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
    """Changes with any count, label, library or line of code the figures depend on."""
    digest = sha256(repr(library_versions()).encode())
    for name in CODE:
        digest.update((Path(__file__).parent / name).read_bytes())
    for series in folder:
        digest.update(repr((series.name, series.days.dates, series.labels)).encode())
        digest.update(series.days.counts.tobytes() + series.days.holidays.tobytes())
    return digest.hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of what the benchmark computes with, as far as it is installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def recall(out: Path, folder: Sequence[Series]) -> dict[str, Figures]:
    """Figures by method that still hold; none of them where anything has changed."""
    file = out / FILE
    if not file.exists():
        return {}
    kept = json.loads(file.read_text(encoding="utf-8"))
    if kept["fingerprint"] != fingerprint(folder):
        return {}
    return {figures["name"]: Figures(**figures) for figures in kept["figures"]}


def record(out: Path, folder: Sequence[Series], figures: Iterable[Figures]) -> None:
    """Keep ``figures`` beside those recorded already; ours only lives as long as the run."""
    known = recall(out, folder) | {one.name: one for one in figures if not one.name.startswith("ours_")}
    out.mkdir(parents=True, exist_ok=True)
    kept = {"fingerprint": fingerprint(folder), "figures": [asdict(one) for one in known.values()]}
    (out / FILE).write_text(json.dumps(kept), encoding="utf-8")
