"""As of an instant, the store says exactly what it said then; the tests run on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.guardrails.verdicts import ACCEPTED, Level, Outcome, Verdict
from telemetry_quality.core.marks import Mark
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import DAY, NOW, make_snapshot, make_verdicts
from telemetry_quality_tests.storage.examples import make_mark

if TYPE_CHECKING:
    from telemetry_quality.core.known_days import KnownDay

HOUR, MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)
BAD: dict[str, Any] = {"error_events": 90, "error_rate_percent": 9.0}
NEXT_DAY = DAY + timedelta(days=1)


@pytest.fixture
def store(store_url: str) -> SqlQualityStore:
    return SqlQualityStore(store_url)


def judge(store: SqlQualityStore, at: datetime, **figures: Any) -> None:
    store.append_snapshot(replace(make_snapshot(**figures), computed_at=at), make_verdicts(**figures))


def say(store: SqlQualityStore, at: datetime, mark: Mark | None) -> None:
    store.append_marked_days(make_mark(day=DAY, until=DAY, mark=mark, marked_at=at))


def known(store: SqlQualityStore, as_of: datetime | None) -> KnownDay:
    (found,) = store.known_days("web", DAY, DAY, as_of)
    return found


def test_before_a_revision_the_old_numbers_are_known_and_at_its_instant_the_new_ones(store: SqlQualityStore) -> None:
    judge(store, NOW)
    (first,) = store.known_days("web")
    judge(store, NOW + HOUR, **BAD)

    assert [known(store, NOW + after) for after in (timedelta(0), HOUR - MICROSECOND)] == [first, first]
    assert store.snapshots("web", DAY, DAY, NOW) == [first.snapshot]
    assert (first.snapshot.error_events, first.is_trusted, first.why_not) == (0, True, None)
    second = known(store, NOW + HOUR)
    assert (second.snapshot.revision, second.snapshot.error_events, second.is_trusted) == (2, 90, False)
    assert second.why_not == "error_rate:ERROR_RATE_HIGH"
    assert known(store, None) == second


def test_before_its_first_revision_a_day_is_not_known(store: SqlQualityStore) -> None:
    judge(store, NOW)
    say(store, NOW - HOUR, Mark.ACCEPTED)
    assert store.known_days("web", DAY, DAY, NOW - MICROSECOND) == []
    assert store.known_days("web", NEXT_DAY, None) == []
    assert store.known_days("web", None, DAY - timedelta(days=1)) == []


def test_marks_count_from_their_instant_until_that_of_their_withdrawal(store: SqlQualityStore) -> None:
    judge(store, NOW, **BAD)
    say(store, NOW + HOUR, Mark.ACCEPTED)
    say(store, NOW + 2 * HOUR, None)
    say(store, NOW + 3 * HOUR, Mark.BAD)
    instants = [NOW + step * HOUR - early for step in (1, 2, 3) for early in (MICROSECOND, timedelta(0))]

    days = [known(store, instant) for instant in instants]

    assert [(day.is_trusted, day.is_accepted) for day in days] == [
        (False, False),
        (True, True),
        (True, True),
        (False, False),
        (False, False),
        (False, False),
    ]
    assert known(store, None).why_not == "mark:BAD, error_rate:ERROR_RATE_HIGH"


def test_a_failure_that_was_accepted_is_accepted_and_an_unreadable_day_says_why(store: SqlQualityStore) -> None:
    passed = Verdict("volume", Level.INFO, Outcome.PASSED, ACCEPTED, -40.0, 30.0, "Accepted by ada.")
    store.append_snapshot(make_snapshot(), (*make_verdicts(), passed))
    nothing: dict[str, Any] = {
        "total_events": None,
        "unreadable_reason_code": "FILE_CORRUPT",
        "unreadable_reason": "Broken.",
    }
    store.append_snapshot(make_snapshot(NEXT_DAY, **nothing), make_verdicts(**nothing))

    accepted, unread = store.known_days("web")

    assert (accepted.accepted, accepted.is_accepted, accepted.why_not) == (("volume",), True, None)
    assert (unread.why_not, unread.is_trusted, unread.is_accepted) == ("FILE_CORRUPT", False, False)
