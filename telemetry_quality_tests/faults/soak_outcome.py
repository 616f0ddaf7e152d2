"""What became of the days and alerts of a soaked store."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry_quality.core.alerts import Settlement
from telemetry_quality_tests.faults.kills import LINE
from telemetry_quality_tests.storage.examples import run

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date
    from pathlib import Path

    from telemetry_quality.storage.store import SqlQualityStore

SCANS = "SELECT day, count(*) FROM day_scan GROUP BY day"
SENT = "SELECT day, guardrail, revision FROM alert WHERE settlement = :settlement"


@dataclass(frozen=True)
class Written:
    """The days whose events were written, and which of them have many errors or were damaged at first."""

    days: Sequence[date]
    bad: Collection[date]
    damaged: Collection[date]


def what_went_wrong(
    store: SqlQualityStore, url: str, written: Written, logs: Sequence[Path]
) -> tuple[list[str], list[str]]:
    """The lines about days and alerts, and every broken promise."""
    days, damaged = written.days, written.damaged
    judged = {snapshot.day: snapshot for snapshot in store.snapshots("web", days[0], days[-1])}
    scans = {str(day): number for day, number in run(url, SCANS)}
    sent = Counter("/".join(map(str, row)) for row in run(url, SENT, settlement=Settlement.DISPATCHED.value))
    text = "".join(log.read_text(errors="replace") for log in logs)
    found = LINE.findall(text)
    logged = Counter("/".join(match[1:4]) for match in found)
    repeated = Counter("/".join(match[1:4]) for match in found if match[4])
    broken = {
        "days missing": set(days) - judged.keys(),
        "days that stayed unreadable": {day for day, it in judged.items() if it.unreadable_reason_code},
        "days scanned too often": {day for day in days if scans.get(str(day), 0) > 1 + (day in damaged)},
        "bad days without an alert": {
            day for day in written.bad if not any(f"{day}/error_rate/" in key for key in sent)
        },
        "alerts pending": store.undispatched_verdicts("web", "log"),
        "alerts lost": sent.keys() - logged.keys(),
        "alerts logged that the store does not know": logged.keys() - sent.keys(),
        "alerts logged twice": set(logged - repeated - Counter(dict.fromkeys(logged, 1))),
        "errors of commands": [line for line in text.splitlines() if line.startswith("Error:")],
        "findings of verify": store.verify().findings,
    }
    line = (
        f"{len(judged)} of {len(days)} days judged, {len(damaged)} of them damaged at first; {len(sent)} alerts sent, "
        f"{repeated.total()} of them again as a further attempt"
    )
    return [line], [f"{len(them)} {name}: {_some(them)}" for name, them in broken.items() if them]


def _some(things: Collection[object]) -> str:
    return ", ".join(sorted(map(str, things))[:5])
