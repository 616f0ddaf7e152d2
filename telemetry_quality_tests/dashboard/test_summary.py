from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.guardrails.verdicts import Level, Segment
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard.summary import summarize
from telemetry_quality.errors import RequestError
from telemetry_quality_tests.dashboard.states import (
    BEFORE,
    DUE_AT,
    MORNING,
    YESTERDAY,
    because,
    make_failure,
    make_incidents,
    make_journal_row,
    make_settings,
    make_state,
    make_unknown_row,
    make_unreadable,
)

if TYPE_CHECKING:
    from telemetry_quality.dashboard.models import SourceSummary
    from telemetry_quality.storage.reader import JournalRow

MOMENT = timedelta(microseconds=1)
AT_EV: dict[str, Any] = {
    "root_cause": "carrier=EV",
    "foremost": "carrier=EV",
    "is_confined": True,
    "contributors": because(Segment((("carrier", "EV"),)), 81.4),
}


def summary_of(*rows: JournalRow, now: datetime = MORNING, **source: Any) -> SourceSummary:
    """The summary of ``web`` for a store with these rows."""
    return summarize(make_state(*rows), make_settings(**source), now).sources[0]


def test_a_healthy_yesterday_can_be_trusted() -> None:
    summary = summarize(make_state(make_journal_row()), make_settings(), MORNING)
    assert (summary.status, summary.is_trustworthy, summary.trouble) == ("healthy", True, None)
    assert summary.sentence == "2026-03-10 can be trusted: 1,000 events, as many as expected."
    source_summary = summary.sources[0]
    assert (
        source_summary.day,
        source_summary.is_stale,
        source_summary.stale_sentence,
        source_summary.since,
        source_summary.awaited_day,
    ) == (
        YESTERDAY,
        False,
        None,
        None,
        None,
    )
    assert source_summary.snapshot is not None
    assert source_summary.snapshot.total_events == 1000


@pytest.mark.parametrize("status", [untrusted for untrusted in DayStatus if untrusted is not DayStatus.HEALTHY])
def test_no_other_status_can_be_trusted(status: DayStatus) -> None:
    summary = summarize(make_state(make_journal_row(status=status.value)), make_settings(), MORNING)
    assert (summary.status, summary.is_trustworthy) == (status, False)
    assert (summary.sources[0].status, summary.sources[0].is_trustworthy) == (status, False)


def test_a_broken_yesterday_says_what_since_when_and_where_and_lists_its_incident() -> None:
    incidents = make_incidents(make_failure(BEFORE, **AT_EV), make_failure(**AT_EV))
    state = make_state(make_journal_row(status="unhealthy"), incidents=incidents)
    source_summary = summarize(state, make_settings(), MORNING).sources[0]
    assert source_summary.sentence == (
        "2026-03-10 cannot be trusted: error rate 50.75 % (limit 5 %), since 2026-03-09, 81 % of it at carrier=EV."
    )
    assert source_summary.since == BEFORE
    assert [line.key for line in source_summary.open_incidents] == ["web/2026-03-09"]


def test_a_day_that_could_not_be_read_is_unknown_and_not_stale() -> None:
    state = make_state(make_unknown_row(), incidents=make_incidents(make_unreadable()))
    source_summary = summarize(state, make_settings(), MORNING).sources[0]
    assert (source_summary.status, source_summary.is_stale) == (DayStatus.UNKNOWN, False)
    assert source_summary.sentence.startswith(
        "Whether 2026-03-10 can be trusted is not known: the day could not be read (FILE"
    )


@pytest.mark.parametrize("now", [DUE_AT - MOMENT, DUE_AT])
def test_during_the_grace_period_the_previous_day_is_shown_and_named(now: datetime) -> None:
    source_summary = summary_of(make_journal_row(BEFORE), now=now)
    assert (source_summary.day, source_summary.status, source_summary.is_stale, source_summary.stale_sentence) == (
        BEFORE,
        "healthy",
        False,
        None,
    )
    assert (source_summary.awaited_day, source_summary.awaited_until) == (YESTERDAY, DUE_AT)
    assert source_summary.sentence == (
        "2026-03-09 can be trusted: 1,000 events, as many as expected. "
        "2026-03-10 is not judged yet; it should be by 2026-03-11 03:00 UTC."
    )


def test_after_the_grace_period_a_missing_snapshot_is_shown_instead_of_the_previous_day() -> None:
    source_summary = summary_of(make_journal_row(BEFORE), now=DUE_AT + MOMENT)
    assert (source_summary.day, source_summary.status, source_summary.is_trustworthy, source_summary.is_stale) == (
        YESTERDAY,
        "unknown",
        False,
        True,
    )
    assert source_summary.snapshot is None
    assert source_summary.last_snapshot_day == BEFORE
    assert (
        source_summary.stale_sentence
        == source_summary.sentence
        == (
            "There is no snapshot of 2026-03-10; the last one is of 2026-03-09, 1 day older. "
            "Whether yesterday can be trusted is not known."
        )
    )


def test_the_grace_and_the_lateness_are_those_of_the_settings() -> None:
    state = make_state(make_journal_row(BEFORE))
    settings = make_settings(dashboard={"grace_minutes": 0}, allowed_lateness_minutes=0)
    midnight = datetime(2026, 3, 11, tzinfo=UTC)
    assert not summarize(state, settings, midnight).sources[0].is_stale
    assert summarize(state, settings, midnight + MOMENT).sources[0].is_stale


def test_the_grace_is_counted_from_the_end_of_the_day_in_the_source_s_own_zone() -> None:
    settings = {"time_zone": "America/New_York", "now": datetime(2026, 3, 12, 7, tzinfo=UTC)}
    source_summary = summary_of(make_journal_row(YESTERDAY), **settings)  # type: ignore[arg-type]
    assert (source_summary.is_stale, source_summary.awaited_day) == (False, date(2026, 3, 11))
    assert source_summary.sentence.endswith("2026-03-11 is not judged yet; it should be by 2026-03-12 03:00 EDT.")
    settings["now"] = datetime(2026, 3, 12, 7, 0, 1, tzinfo=UTC)
    assert summary_of(make_journal_row(YESTERDAY), **settings).is_stale  # type: ignore[arg-type]


def test_a_snapshot_that_exists_before_it_is_due_is_shown_immediately() -> None:
    source_summary = summary_of(
        make_journal_row(BEFORE), make_journal_row(YESTERDAY, 2), now=DUE_AT - timedelta(hours=2)
    )
    assert (source_summary.day, source_summary.awaited_day) == (YESTERDAY, None)


def test_the_day_before_an_awaited_day_may_be_overdue_itself() -> None:
    source_summary = summary_of(make_journal_row(BEFORE - timedelta(days=2)), now=DUE_AT)
    assert (source_summary.day, source_summary.status, source_summary.is_stale, source_summary.awaited_day) == (
        BEFORE,
        "unknown",
        True,
        YESTERDAY,
    )
    assert source_summary.sentence == (
        "There is no snapshot of 2026-03-09; the last one is of 2026-03-07, 2 days older. "
        "Whether 2026-03-09 can be trusted is not known. "
        "2026-03-10 is not judged yet; it should be by 2026-03-11 03:00 UTC."
    )


def test_with_a_grace_period_of_days_several_days_may_be_awaited() -> None:
    settings = make_settings(dashboard={"grace_minutes": 3 * 24 * 60})
    rows = make_journal_row(BEFORE - timedelta(days=1))
    source_summary = summarize(make_state(rows), settings, MORNING).sources[0]
    assert (source_summary.day, source_summary.awaited_day, source_summary.is_stale) == (rows.day, YESTERDAY, False)


def test_a_store_without_any_snapshot_says_so() -> None:
    source_summary = summary_of()
    assert (source_summary.status, source_summary.is_stale, source_summary.last_snapshot_day) == ("unknown", True, None)
    assert source_summary.sentence == (
        "There is no snapshot of 2026-03-10, nor of any other day. Whether yesterday can be trusted is not known."
    )


def test_a_snapshot_of_a_later_day_than_the_one_shown_is_not_called_the_last_one_before_it() -> None:
    source_summary = summary_of(make_journal_row(date(2026, 3, 15)))
    assert (
        source_summary.sentence == "There is no snapshot of 2026-03-10. Whether yesterday can be trusted is not known."
    )


def test_a_source_whose_first_day_is_not_over_has_nothing_to_show_and_is_not_stale() -> None:
    source_summary = summary_of(first_day=date(2026, 3, 11))
    assert (
        source_summary.day,
        source_summary.status,
        source_summary.is_trustworthy,
        source_summary.is_stale,
        source_summary.windows,
    ) == (None, "unknown", False, False, {})
    assert source_summary.sentence == "Nothing is known yet: the first day of web is 2026-03-11, which is not over."


def test_an_awaited_first_day_is_not_stale() -> None:
    source_summary = summary_of(first_day=YESTERDAY, now=DUE_AT)
    assert (source_summary.day, source_summary.status, source_summary.is_stale, source_summary.awaited_day) == (
        None,
        "unknown",
        False,
        YESTERDAY,
    )
    assert source_summary.sentence == "2026-03-10 is not judged yet; it should be by 2026-03-11 03:00 UTC."


def test_the_last_day_of_a_finished_data_set_is_shown_for_ever() -> None:
    source_summary = summary_of(make_journal_row(BEFORE), now=MORNING + timedelta(days=900), last_day=BEFORE)
    assert (source_summary.day, source_summary.status, source_summary.is_stale) == (BEFORE, "healthy", False)


def test_an_unreadable_store_is_reported_before_its_last_known_content_and_nothing_is_trusted() -> None:
    state = make_state(make_journal_row(), trouble="The store is gone.")
    summary = summarize(state, make_settings(), MORNING + timedelta(hours=1))
    assert (summary.status, summary.is_trustworthy, summary.trouble) == ("unknown", False, "The store is gone.")
    assert summary.read_at == MORNING
    assert summary.sentence == (
        "The store cannot be read now. At 2026-03-11 09:00 UTC it said: "
        "2026-03-10 can be trusted: 1,000 events, as many as expected."
    )


@pytest.mark.parametrize("now", [DUE_AT, MORNING])
def test_a_store_that_was_never_read_leaves_all_unknown_and_nothing_missing(now: datetime) -> None:
    state = make_state(trouble="The store is gone.", has_been_read=False)
    summary = summarize(state, make_settings(), now)
    source_summary = summary.sources[0]
    assert (
        summary.sentence
        == source_summary.sentence
        == ("Whether 2026-03-10 can be trusted is not known: the store cannot be read.")
    )
    assert (summary.status, source_summary.status, source_summary.is_stale, source_summary.is_trustworthy) == (
        "unknown",
        "unknown",
        False,
        False,
    )
    window = source_summary.windows["7"]
    assert (window.unknown_days, window.missing_days, window.total_events) == (7, 0, None)


def test_a_snapshot_that_may_have_come_while_the_store_was_unreadable_is_not_called_missing() -> None:
    state = make_state(make_journal_row(BEFORE), trouble="The store is gone.")
    source_summary = summarize(state, make_settings(), MORNING + timedelta(hours=1)).sources[0]
    assert (source_summary.status, source_summary.is_stale) == ("unknown", True)
    assert source_summary.sentence == (
        "Whether 2026-03-10 can be trusted is not known: "
        "the store cannot be read, and had no snapshot of it at 2026-03-11 09:00 UTC."
    )


def of_many(*statuses: str) -> str:
    """The sentence about sources with these statuses, named a, b, c ..."""
    names = [chr(ord("a") + number) for number in range(len(statuses))]
    rows = [
        make_journal_row(YESTERDAY, number + 1, source=name, status=status)
        for number, (name, status) in enumerate(zip(names, statuses, strict=True))
        if status != "missing"
    ]
    return summarize(make_state(*rows), make_settings(*names), MORNING).sentence


@pytest.mark.parametrize(
    ("statuses", "sentence"),
    [
        (["healthy"] * 3, "All 3 sources can be trusted on 2026-03-10."),
        (
            ["healthy", "unhealthy", "healthy", "no_activity"],
            "2 of 4 sources cannot be trusted on 2026-03-10: b, d. The other 2 can be trusted.",
        ),
        (
            ["unknown", "degraded", "unhealthy", "missing"],
            (
                "1 of 4 sources cannot be trusted on 2026-03-10: c. "
                "Whether 2 of 4 sources can be trusted on 2026-03-10 is not known: a, d. "
                "1 of 4 sources can be trusted only in part on 2026-03-10: b."
            ),
        ),
        (["unhealthy"] * 8, "8 of 8 sources cannot be trusted on 2026-03-10: a, b, c, d, e and 3 more."),
    ],
)
def test_several_sources_are_counted_and_the_untrusted_ones_named(statuses: list[str], sentence: str) -> None:
    assert of_many(*statuses) == sentence


def test_sources_with_different_days_are_not_summed_up_under_one_date() -> None:
    rows = [make_journal_row(BEFORE, 1, source="a"), make_journal_row(YESTERDAY, 2, source="b")]
    assert summarize(make_state(*rows), make_settings("a", "b"), DUE_AT).sentence == "All 2 sources can be trusted."


def test_the_worst_source_decides() -> None:
    rows = [
        make_journal_row(YESTERDAY, number, source=source, status=status)
        for number, (source, status) in enumerate({"a": "healthy", "b": "unhealthy", "c": "degraded"}.items(), 1)
    ]
    summary = summarize(make_state(*rows), make_settings("a", "b", "c"), MORNING)
    assert (summary.status, summary.is_trustworthy) == ("unhealthy", False)
    assert [source_summary.source for source_summary in summary.sources] == ["a", "b", "c"]


def test_a_single_source_can_be_requested() -> None:
    rows = [make_journal_row(source="a"), make_journal_row(sequence=2, source="b", status="unhealthy")]
    summary = summarize(make_state(*rows), make_settings("a", "b"), MORNING, "a")
    assert (summary.status, [source_summary.source for source_summary in summary.sources]) == ("healthy", ["a"])
    with pytest.raises(RequestError, match="'nobody' was found"):
        summarize(make_state(*rows), make_settings("a", "b"), MORNING, "nobody")


def test_only_open_incidents_are_listed_the_worst_first() -> None:
    warning = make_failure(guardrail="duplicates", level=Level.WARNING, value=20.0, threshold=10.0, **AT_EV)
    older = make_failure(BEFORE - timedelta(days=3))
    incidents = (*make_incidents(older, warning), *make_incidents(make_failure()))
    assert [incident.is_open for incident in incidents] == [False, True, True]
    state = make_state(make_journal_row(status="unhealthy"), incidents=incidents)
    lines = summarize(state, make_settings(), MORNING).sources[0].open_incidents
    assert [line.level for line in lines] == [Level.CRITICAL, Level.WARNING]


def test_every_source_is_summed_up_over_a_week_and_a_month() -> None:
    rows = [make_journal_row(YESTERDAY - timedelta(days=n), n + 1) for n in range(10)]
    source_summary = summary_of(*rows)
    assert {
        name: (window.days, window.known_days, window.missing_days) for name, window in source_summary.windows.items()
    } == {
        "7": (7, 7, 0),
        "30": (30, 10, 20),
    }
