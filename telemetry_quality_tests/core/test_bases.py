"""A basis that vanishes is not health: the guardrail that judges by it fails, on any source that had it before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.event_schema import Rate
from telemetry_quality.core.events import (
    Arrivals,
    DayAggregates,
    DayScan,
    Duplicates,
    Slice,
    SliceCounts,
    UnreadableDay,
)
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import ACCEPTED, Level, Outcome
from telemetry_quality.core.incidents import Action, incidents_of
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality_tests.builders import NOW, SCHEMA, FakeSource, make_row, make_scan, make_work

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from telemetry_quality.core.daily import DailyWork, Judgement
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.guardrails.verdicts import Verdict

FIRST = date(2026, 1, 1)
EVENTS = 1000
CHECKOUTS = Rate("failed", "status = 'failed'", of="event_name = 'checkout'", above_percent=50.0)
ROLES = replace(SCHEMA, observed_at="seen_at", dimensions=("platform",), rates=(CHECKOUTS,))


def scan(
    day: date, *, error_state: int, arrived: int | None, ids: int, platforms: int, checkouts: int, versions: int
) -> DayScan:
    """A day of EVENTS events: how many say what they are, when they arrived, and so on."""
    row = make_row(events=EVENTS, error_unknown_events=EVENTS - error_state, rate_counts=(0, checkouts))
    slices = {
        Slice("platform", "web"): platforms,
        Slice("platform", None): EVENTS - platforms,
        Slice("event_name", "page.view"): EVENTS,
        Slice("service_version", "1.0"): EVENTS,
    }
    return make_scan(
        day,
        slices={part: SliceCounts(count, 0, 0, (0, 0)) for part, count in slices.items() if count},
        aggregates=DayAggregates((row,), (), ROLES.rate_counts),
        arrivals=None if arrived is None else Arrivals((arrived,), EVENTS if arrived else 0, 0, 0, 0),
        duplicates=Duplicates(ids, 0),
        absent_roles=frozenset() if versions else frozenset({"service_version"}),
    )


COMPLETE = {
    "error_state": EVENTS,
    "arrived": EVENTS,
    "ids": EVENTS,
    "platforms": EVENTS,
    "checkouts": 50,
    "versions": EVENTS,
}


def work_of(
    folder: Path,
    today: Mapping[str, int | None],
    earlier: Mapping[str, int | None] = COMPLETE,
    days: int = 15,
    **more: Any,
) -> tuple[DailyWork, date]:
    """The work on ``days`` days like ``earlier``, then one like ``today``."""
    last = FIRST + timedelta(days=days)
    scans: dict[date, DayScan | UnreadableDay] = {
        FIRST + timedelta(days=n): scan(FIRST + timedelta(days=n), **(earlier if n < days else today))  # type: ignore[arg-type]
        for n in range(days + 1)
    }
    work = make_work(folder, FakeSource(scans, schema=more.pop("schema", ROLES)), policy=policy_of(ROLES.rates))
    list(work.read(list(scans), NOW))
    return work, last


def judged(work: DailyWork, day: date) -> tuple[Judgement, dict[str, Verdict]]:
    (judgement,) = work.judge([day], NOW)
    return judgement, {verdict.guardrail: verdict for verdict in judgement.verdicts}


LOST = pytest.mark.parametrize(
    ("missing", "guardrail", "code"),
    [
        ({"error_state": 0}, "error_rate", "ERROR_STATE_LOST"),
        ({"error_state": EVENTS // 2}, "error_rate", "ERROR_STATE_LOST"),
        ({"arrived": 0}, "arrival_lag", "ARRIVAL_TIMES_LOST"),
        ({"arrived": None}, "arrival_lag", "ARRIVAL_TIMES_LOST"),
        ({"arrived": EVENTS // 2}, "arrival_lag", "ARRIVAL_TIMES_LOST"),
        ({"ids": 0}, "duplicates", "EVENT_IDS_LOST"),
        ({"platforms": 0}, "dimensions", "DIMENSION_LOST"),
        ({"platforms": EVENTS // 2}, "dimensions", "DIMENSION_LOST"),
        ({"checkouts": 0}, "rate_failed", "RATE_BASE_LOST"),
        ({"versions": 0}, "missing_version", "VERSIONS_ABSENT"),
    ],
)


@LOST
def test_a_day_that_lost_what_a_guardrail_judges_by_is_degraded_and_says_what(
    tmp_path: Path, missing: dict[str, int | None], guardrail: str, code: str
) -> None:
    work, day = work_of(tmp_path, COMPLETE | missing)

    judgement, verdicts = judged(work, day)

    verdict = verdicts[guardrail]
    assert (verdict.outcome, verdict.reason_code, verdict.level) == (Outcome.FAILED, code, Level.WARNING)
    assert judgement.snapshot.status is DayStatus.DEGRADED
    assert f"of {EVENTS:,} events" in verdict.sentence
    assert judged(work, day - timedelta(days=1))[0].snapshot.status is DayStatus.HEALTHY


@LOST
def test_a_source_that_never_had_it_stays_healthy(
    tmp_path: Path, missing: dict[str, int | None], guardrail: str, code: str
) -> None:
    work, day = work_of(tmp_path, COMPLETE | missing, COMPLETE | missing)

    judgement, verdicts = judged(work, day)

    assert verdicts[guardrail].reason_code != code
    assert judgement.snapshot.status is DayStatus.HEALTHY


@LOST
def test_a_first_day_cannot_know(tmp_path: Path, missing: dict[str, int | None], guardrail: str, code: str) -> None:
    work, day = work_of(tmp_path, COMPLETE | missing, days=0)

    assert judged(work, day)[1][guardrail].reason_code != code


@LOST
def test_an_accepted_loss_is_the_new_normal_from_the_next_day_on_and_a_larger_one_is_not(
    tmp_path: Path, missing: dict[str, int | None], guardrail: str, code: str
) -> None:
    work, day = work_of(tmp_path, COMPLETE | missing)
    judged(work, day)
    for incident in incidents_of(work.store, "web", day, day):
        said_at = datetime(2026, 3, 8, 9, tzinfo=UTC)
        work.store.append_incident_action(incident.decide(Action.ACCEPT, "ada", said_at, note="retired"))
    after = day + timedelta(days=1)
    all_lost = {name: None if value is None else 0 for name, value in missing.items()}
    for counts, is_passed in ((missing, True), (all_lost, all_lost == missing)):
        work.source.days[after] = scan(after, **(COMPLETE | counts))  # type: ignore[attr-defined, arg-type]
        list(work.read([after], NOW))

        judgement, verdicts = judged(work, after)

        assert (verdicts[guardrail].reason_code == ACCEPTED) is is_passed
        assert (judgement.snapshot.status is DayStatus.HEALTHY) is is_passed


def test_whether_errors_spiked_is_not_known_where_no_event_says_whether_it_is_one(tmp_path: Path) -> None:
    work, day = work_of(tmp_path, COMPLETE | {"error_state": 0})

    snapshot = judged(work, day)[0].snapshot

    assert (snapshot.has_error_spike, snapshot.error_rate_percent) == (None, None)


def test_too_many_errors_among_the_events_that_say_so_are_worse_than_the_loss(tmp_path: Path) -> None:
    work, day = work_of(tmp_path, COMPLETE)
    row = make_row(events=EVENTS, errors=300, error_unknown_events=600, rate_counts=(0, 50))
    work.source.days[day] = make_scan(day, aggregates=DayAggregates((row,), (), ROLES.rate_counts))  # type: ignore[attr-defined]
    list(work.read([day], NOW))

    assert judged(work, day)[1]["error_rate"].reason_code == "ERROR_RATE_HIGH"


@pytest.mark.parametrize(
    ("before", "guardrail"),
    [
        (replace(ROLES, is_error="failed = 1"), "error_rate"),
        (replace(ROLES, observed_at="arrived"), "arrival_lag"),
        (replace(ROLES, event_id="other_id"), "duplicates"),
        (replace(ROLES, rates=(replace(CHECKOUTS, of="event_name = 'pay'"),)), "rate_failed"),
    ],
)
def test_days_on_which_the_settings_meant_something_else_are_not_missed(
    tmp_path: Path, before: EventSchema, guardrail: str
) -> None:
    work, day = work_of(tmp_path, COMPLETE, schema=before)
    today = day + timedelta(days=1)
    gone = scan(today, error_state=0, arrived=0, ids=0, platforms=EVENTS, checkouts=0, versions=EVENTS)
    now = make_work(tmp_path, FakeSource({today: gone}, schema=ROLES), store=work.store, policy=work.policy)
    list(now.read([today], NOW))

    verdict = judged(now, today)[1][guardrail]

    assert not verdict.reason_code.endswith("_LOST"), verdict


def test_the_sentence_says_how_many_events_say_it_how_many_usually_do_and_since_when(tmp_path: Path) -> None:
    work, day = work_of(tmp_path, COMPLETE | {"error_state": 0, "platforms": 250})
    after = day + timedelta(days=1)
    work.source.days[after] = scan(after, **(COMPLETE | {"error_state": 0, "platforms": 250}))  # type: ignore[attr-defined]
    list(work.read([after], NOW))

    first, second = judged(work, day)[1], judged(work, after)[1]

    assert first["error_rate"].sentence == "None of 1,000 events say whether they are an error, 100.0 % is usual."
    assert first["dimensions"].sentence == "Only 25.0 % of 1,000 events carry a platform, 100.0 % is usual."
    assert second["error_rate"].sentence == (
        "None of 1,000 events say whether they are an error since 2026-01-16, 100.0 % is usual."
    )


@pytest.mark.parametrize("blank", [None, "", " "])
def test_blank_values_of_a_dimension_are_none(tmp_path: Path, blank: str | None) -> None:
    work, day = work_of(tmp_path, COMPLETE)
    gone = scan(day, **COMPLETE)
    slices = {Slice("platform", blank): SliceCounts(EVENTS, 0, 0, (0, 0))}
    work.source.days[day] = replace(gone, slices=slices)  # type: ignore[attr-defined]
    list(work.read([day], NOW))

    assert judged(work, day)[1]["dimensions"].reason_code == "DIMENSION_LOST"
