from __future__ import annotations

from datetime import timedelta
from typing import Any

from telemetry_quality.core.judged_days import LONGEST_WORDS, MOST_NAMED, JudgedDays
from telemetry_quality_tests.builders import make_snapshot, make_verdicts

DAY = make_snapshot().day
BAD: dict[str, Any] = {"error_rate_percent": 18.507462, "missing_version_percent": 1.1}


def line(*days: dict[str, Any]) -> str:
    """The line about consecutive days with these figures."""
    judged = JudgedDays()
    for number, figures in enumerate(days):
        verdicts = make_verdicts(**figures)
        judged.add(make_snapshot(DAY + timedelta(days=number), **figures), verdicts)
    return judged.sentence("judged")


def test_healthy_days_are_only_counted() -> None:
    assert line({}, {}) == "2 days judged: 2 healthy."


def test_a_day_that_is_not_healthy_is_named_with_its_worst_failure() -> None:
    assert line({}, BAD) == "2 days judged: 1 healthy, 1 not: 2026-03-11 error rate 18.51 % (limit 5 %)."
    assert line(BAD) == "1 day judged: 0 healthy, 1 not: 2026-03-10 error rate 18.51 % (limit 5 %)."


def test_a_day_that_could_not_be_read_is_unknown_and_not_healthy() -> None:
    sentence = line({"unreadable_reason_code": "GONE", "unreadable_reason": "no such folder"})
    assert sentence == (
        "1 day judged: 0 healthy, 1 not: 2026-03-10 unknown, the day could not be read (GONE): no such folder."
    )


def test_long_words_are_cut_and_of_many_days_only_the_first_are_named() -> None:
    long = {"unreadable_reason_code": "GONE", "unreadable_reason": "x" * 5000}
    assert len(line(long)) < LONGEST_WORDS + 60
    assert "; and 1 more." not in line(*[BAD] * MOST_NAMED)
    assert line(*[BAD] * (MOST_NAMED + 1)).endswith("; and 1 more.")
