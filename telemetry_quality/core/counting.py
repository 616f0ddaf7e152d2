"""Counting rules: the settings that decide what a day's counts mean, and the stored days that were counted by others.

They are stored with each scan, so that a change of settings is noticed: a day in another time zone is another day.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from telemetry_quality.core.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from zoneinfo import ZoneInfo

    from telemetry_quality.core.event_schema import EventSchema, Rate

RATE = "rates."
"""The beginning of the name of a rule that defines a source's own rate."""

EVERYTHING = frozenset(
    {"where", "time_zone", "occurred_at", "time_unit", "time_format"}
    | {"event_name", "service_version", "missing_versions", "is_error"}
)
"""Rules by which every count of a day is made: days with others have nothing in common with it."""

ARRIVALS = frozenset({"observed_at", "allowed_lateness_minutes", "future_tolerance_minutes", "stale_after_days"})
"""Rules by which only late events and invalid timestamps are counted."""

LONGEST_VALUE_SHOWN = 60


class CountedDays(NamedTuple):
    """How many days a store holds that were counted by the same rules, from the first to the last of them."""

    rules: str
    first: date
    last: date
    days: int


@dataclass(frozen=True, slots=True)
class OtherRules:
    """Stored days of a source that were counted by other rules than its settings say now.

    Attributes:
        days: How many there are from ``first`` to ``last``.
        changed: The rules that differ, by their names in the settings.
        was: The sentence's words for what they were and are.
    """

    source: str
    days: int
    first: date
    last: date
    changed: tuple[str, ...]
    was: str

    @property
    def command(self) -> str:
        """The command that scans these days again."""
        return f"telemetry-quality backfill {self.first} {self.last} --source {self.source}"

    @property
    def sentence(self) -> str:
        """What was found, what follows from it, and the remedy."""
        which = f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"
        were, they, them = ("day was", "It is", "it") if self.days == 1 else ("days were", "They are", "them")
        what = "other days" if EVERYTHING & set(self.changed) else "other days in what these settings count"
        return (
            f"{self.days:,} stored {were} counted by other settings ({self.source}, {which}): {self.was}. "
            f"{they} not compared with {what}; scan {them} again with {self.command}."
        )

    def as_json(self) -> dict[str, Any]:
        """Every field under its own name; JSON types only."""
        return {
            "source": self.source,
            "days": self.days,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "changed": list(self.changed),
            "sentence": self.sentence,
            "command": self.command,
        }


def counting_rules(schema: EventSchema, zone: ZoneInfo) -> str:
    """The rules as canonical JSON: two texts are equal exactly when the same counts would be made.

    Thresholds and limits are not among them, since they change no count, nor are dimensions and critical fields, whose
    counts are stored under their own names; what a name stands for is.
    """
    rules = {
        "time_zone": zone.key,
        "occurred_at": schema.occurred_at,
        "time_unit": schema.time_unit,
        "time_format": schema.time_format,
        "event_name": schema.event_name,
        "service_version": schema.service_version,
        "missing_versions": sorted({text.casefold() for text in schema.missing_versions}),
        "is_error": schema.is_error,
        "event_id": schema.event_id,
        "observed_at": schema.observed_at,
        "where": schema.where,
        **{f"{RATE}{rate.name}": _definition(rate) for rate in schema.rates},
        **{f"roles.{name}": text for name, text in schema.named.items()},
    }
    if schema.observed_at is not None:
        # Without arrival times nothing is late, whatever is allowed.
        rules |= {name: getattr(schema, name) for name in ARRIVALS}
    return json.dumps(rules, sort_keys=True, separators=(",", ":"))


def _definition(rate: Rate) -> list[str | None]:
    return [rate.where, rate.of]


@lru_cache(maxsize=256)
def changed_rules(then: str | None, now: str | None) -> frozenset[str]:
    """The names of the rules in force ``now`` that were others ``then``; none if either is not known."""
    if then is None or now is None or then == now:
        return frozenset()
    before, after = json.loads(then), json.loads(now)
    return frozenset(name for name, value in after.items() if before.get(name) != value)


def counts_rate(rules: str | None, rate: Rate) -> bool:
    """Whether a scan by these rules counted what the rate means now; True if its rules are not known."""
    return rules is None or _rates(rules).get(f"{RATE}{rate.name}") == _definition(rate)


@lru_cache(maxsize=64)
def _rates(rules: str) -> dict[str, Any]:
    return {name: value for name, value in json.loads(rules).items() if name.startswith(RATE)}


def other_rules(source: str, counted: Iterable[CountedDays], now: str) -> OtherRules | None:
    """The stored days that were counted by other rules than those in force now; None if there are none."""
    other = [(days, changed_rules(days.rules, now)) for days in counted]
    other = [(days, changed) for days, changed in other if changed]
    if not other:
        return None
    changed = tuple(sorted(frozenset[str]().union(*(names for _, names in other))))
    latest = max(other, key=lambda found: found[0].last)[0]
    return OtherRules(
        source,
        sum(days.days for days, _ in other),
        min(days.first for days, _ in other),
        max(days.last for days, _ in other),
        changed,
        _was(latest.rules, now, changed),
    )


def _was(then: str, now: str, changed: Iterable[str]) -> str:
    before, after = json.loads(then), json.loads(now)
    return ", ".join(
        _difference(name, before[name], after[name]) if name in before else f"{name} is new" for name in changed
    )


def _difference(name: str, before: Any, after: Any) -> str:
    """Words for what a rule was and is; of a list, which is long, only for what it gained and lost."""
    if name != "missing_versions":
        return f"{name} was {_shown(before)} and is {_shown(after)}"
    gained, lost = (
        [text for text in these if text not in those] for these, those in ((after, before), (before, after))
    )
    changes = [f"{verb} {_shown(texts)}" for verb, texts in (("gained", gained), ("lost", lost)) if texts]
    return f"{name} {' and '.join(changes)}"


def _shown(value: Any) -> str:
    text = visible(str(value) if isinstance(value, (str, int)) else json.dumps(value))
    return text if len(text) <= LONGEST_VALUE_SHOWN else f"{text[: LONGEST_VALUE_SHOWN - 1]}…"
