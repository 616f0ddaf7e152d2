"""Guardrails, the numbers that they look at, and the page to print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telemetry_quality.core.guardrails.catalogue import BUILT_IN
from telemetry_quality.core.metrics import METRICS
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality_tests.reference.command_line import commands
from telemetry_quality_tests.reference.markdown import NOTE, page, table

if TYPE_CHECKING:
    from telemetry_quality.core.guardrails.guardrail import Guardrail
    from telemetry_quality.core.policies import Setting

OPENING = """\
Each guardrail judges every day and is an asset check in Dagster. A threshold is exclusive: a day exactly at it passes.
The settings go into [`[sources.NAME.guardrails]`](settings.md#sourcesnameguardrails), and
[tune](../how-to/noisy-guardrails.md) proposes values that fit a stream."""

NUMBERS_OPENING = """\
These are the numbers of a snapshot. They have the same name in the store, in the API, in Dagster, in exports and in
DataFrames. A number without an answer is null, never zero."""

HOW = """\
Type commands as `telemetry-quality COMMAND`; they end with **0** if all days are healthy, **1** if one is not, **2** if
one is unknown or the command failed. The dashboard is at `/health/`, its API at `/api/health/`, and Dagster's UI at
port 3000."""

STATUSES = {
    DayStatus.HEALTHY: ("no guardrail failed", "use the day"),
    DayStatus.DEGRADED: ("a WARNING or INFO guardrail failed", "read what failed, and decide"),
    DayStatus.UNHEALTHY: ("a CRITICAL guardrail failed", "do not use it; see the incident"),
    DayStatus.NO_ACTIVITY: ("no events, on a day that usually has some", "look whether the pipeline ran"),
    DayStatus.UNKNOWN: ("could not be read, or was never judged", "the sentence says which file or table, and why"),
}
TYPED = {
    "check": "do settings and events fit?",
    "backfill": "scan and judge a range, or `--missing` days",
    "health": "which days can be trusted, and what to type next",
    "incidents": "what is wrong, the worst first",
    "incidents show": "one incident: its days, sentences and actions",
    "incidents accept": "it was intended: the new level is normal",
    "days mark": "a day was bad, special, or is accepted",
    "tune": "propose thresholds that fit; applies nothing",
    "alerts test": "does a channel work?",
    "verify": "was anything changed behind the program's back?",
}
HELP = (
    ("a guardrail fails too often", "[from noisy to quiet](how-to/noisy-guardrails.md)"),
    ("a day is `unknown`", "mend what the sentence names, then `backfill DAY DAY`"),
    ("late events arrived", "nothing: the late-day schedule adds a revision; or `backfill`"),
    ("no message came", "`alerts log`, then `alerts test CHANNEL`"),
    ("nobody judges any more", "`health --max-age 26h`, and Dagster's page *Automation*"),
)


def written() -> str:
    """The page of guardrails."""
    return page("Guardrails", OPENING, [(f"`{rule.name}`", _section(rule)) for rule in BUILT_IN])


def _section(rule: Guardrail) -> str:
    remedy = f" {rule.remedy[0].upper()}{rule.remedy[1:].rstrip('.')}." if rule.remedy else ""
    parts = [f"**{rule.level.value}.** {rule.description}{remedy}"]
    rows = [(f"`{found.name}`", f"`{found.default}`", _bounds(found), found.description) for found in settings_of(rule)]
    if rows:
        parts.append(table(["setting", "default", "allowed", "meaning"], rows))
    return "\n\n".join(parts)


def settings_of(rule: Guardrail) -> list[Setting[Any]]:
    """The thresholds of a guardrail, and its further settings."""
    return [*rule.thresholds, *rule.settings]


def _bounds(found: Setting[Any]) -> str:
    low = "" if found.minimum is None else f"from {found.minimum:g}"
    high = "" if found.maximum is None else f"{'below' if found.is_below_maximum else 'to'} {found.maximum:g}"
    return " ".join(part for part in (low, high) if part)


def numbers() -> str:
    """The page of numbers."""
    rows = [(f"`{metric.name}`", metric.label, metric.unit, metric.description, metric.how.text) for metric in METRICS]
    head = ["number", "label", "unit", "what it says", "how it is computed"]
    return f"{NOTE}\n\n# Numbers of a day\n\n{NUMBERS_OPENING}\n\n{table(head, rows)}\n"


def _at(rule: Guardrail) -> str:
    return f"{rule.thresholds[0].default:g} %" if rule.thresholds else ""


def quick_reference() -> str:
    """The page to print."""
    known = commands()
    statuses = [(f"`{status.value}`", *words) for status, words in STATUSES.items()]
    typed = [(f"`{name}`", words) for name, words in TYPED.items() if name in known]
    assert len(typed) == len(TYPED)
    assert STATUSES.keys() == set(DayStatus)
    rules = [(f"`{rule.name}`", rule.level.value, _at(rule), rule.description) for rule in BUILT_IN]
    parts = [
        NOTE, "# Quick reference",
        HOW,
        table(["status", "because", "so"], statuses),
        "Exactly at a threshold, a day passes:",
        table(["guardrail", "level", "at", "holds on a day that passes"], rules),
        "The commands of a morning:",
        table(["command", "answers"], typed),
        "And when:",
        table(["what you see", "what to do"], HELP),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"
