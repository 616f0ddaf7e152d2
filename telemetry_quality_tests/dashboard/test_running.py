"""The running day as the API says it: provisional, never healthy, and never an earlier day's hours as today's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.running.report import RunningState
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard.running import running_day, running_response
from telemetry_quality.dashboard.running_models import RunningResponse
from telemetry_quality.dashboard.state import TROUBLE
from telemetry_quality_tests.dashboard.desk import NOW, keep, open_desk
from telemetry_quality_tests.dashboard.desk import YESTERDAY as YESTERDAY_AT_THE_DESK
from telemetry_quality_tests.dashboard.states import (
    HOURS_MISSING,
    MORNING,
    TODAY,
    YESTERDAY,
    make_journal_row,
    make_running_hours,
    make_state,
)
from telemetry_quality_tests.dashboard.states import make_settings as make_source
from telemetry_quality_tests.dashboard.test_error_shape import break_store, error_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry_quality.dashboard.running_models import RunningDayResponse
    from telemetry_quality_tests.dashboard.desk import Desk

LIVE = "/api/health/live/"
SETTINGS = make_source(intraday=True)
UNREADABLE: dict[str, Any] = {"counts": None, "unreadable_reason_code": "GONE", "unreadable_reason": "Gone."}


def shown(hours: int = 0, now: datetime = MORNING, **last: Any) -> RunningDayResponse:
    """The running day at ``now``, after looks at the first hours of TODAY."""
    state = make_state(running={"web": tuple(make_running_hours(hours, **last))} if hours else {})
    day = running_day(state, SETTINGS, now, "web")
    assert day is not None
    return day


def test_the_state_is_what_the_hours_say_and_never_a_status_of_a_day() -> None:
    assert shown().state is RunningState.NOT_LOOKED_AT
    assert shown(8).state is RunningState.NOTHING_FAILED
    assert shown(8, **UNREADABLE).state is RunningState.UNKNOWN
    assert shown(8, verdicts=(HOURS_MISSING,)).state is RunningState.FAILING
    assert not {state.value for state in RunningState} & {DayStatus.HEALTHY.value, "passed"}
    for day in (shown(), shown(8), shown(8, **UNREADABLE), shown(8, verdicts=(HOURS_MISSING,))):
        assert "healthy" not in day.model_dump_json()
        assert day.is_provisional


def test_the_sentence_says_until_when_and_what() -> None:
    assert shown().sentence == "No hour of 2026-03-11 has been looked at yet."
    provisional = "that is provisional until the day is judged."
    assert shown(8).sentence == f"Until 08:00, nothing failed on 2026-03-11; {provisional}"
    assert shown(8, verdicts=(HOURS_MISSING,)).sentence == (
        f"Until 08:00, missing_hours failed on 2026-03-11; {provisional}"
    )
    assert "but the last hour could not be read" in shown(8, **UNREADABLE).sentence
    assert shown(8, verdicts=(HOURS_MISSING,)).failures[0].sentence == HOURS_MISSING.sentence


def test_what_could_not_be_read_is_not_zero() -> None:
    assert (shown(8).events, shown(1, **UNREADABLE).events, shown().events) == (800, None, None)
    hour = shown(1, **UNREADABLE).hours[0]
    assert (hour.events, hour.errors, hour.unreadable_reason_code) == (None, None, "GONE")


@pytest.mark.parametrize(("minutes", "is_stale"), [(89, False), (90, True), (91, True)])
def test_an_hour_is_missed_once_its_lateness_and_two_looks_have_passed(minutes: int, is_stale: bool) -> None:
    # The ninth hour ends at 09:00; its events arrive within 60 minutes, and there is a look every 15 minutes.
    day = shown(8, datetime(2026, 3, 11, 9, tzinfo=UTC) + timedelta(minutes=minutes))
    assert (day.is_stale, day.due_hours) == (is_stale, 9 if is_stale else 8)
    if is_stale:
        assert day.stale_sentence is not None
        assert "up to 09:00" in day.stale_sentence
        assert "none after 08:00" in day.stale_sentence


def test_the_hours_of_yesterday_are_never_shown_as_those_of_today() -> None:
    state = make_state(running={"web": tuple(make_running_hours(24, YESTERDAY))})
    day = running_day(state, SETTINGS, MORNING, "web")
    assert day is not None
    assert (day.day, day.state, day.hours, day.is_stale) == (TODAY, RunningState.NOT_LOOKED_AT, (), True)
    early = running_day(state, SETTINGS, datetime(2026, 3, 11, 0, 59, tzinfo=UTC), "web")
    assert early is not None
    assert (early.day, len(early.hours)) == (YESTERDAY, 24), "late events of its last hour may still arrive"


def test_a_day_that_has_its_snapshot_runs_no_more() -> None:
    state = make_state(make_journal_row(TODAY), running={"web": tuple(make_running_hours(8))})
    day = running_day(state, SETTINGS, MORNING, "web")
    assert day is not None
    assert day.hours == ()


def test_a_source_has_a_running_day_only_if_it_is_looked_at_and_its_calendar_has_the_day() -> None:
    for settings in (
        make_source(),
        make_source(intraday=True, last_day=YESTERDAY),
        make_source(intraday=True, first_day=date(2026, 3, 12)),
    ):
        assert running_day(make_state(), settings, MORNING, "web") is None
    for settings in (make_source(intraday=True, last_day=TODAY), make_source(intraday=True, first_day=TODAY)):
        assert running_day(make_state(), settings, MORNING, "web") is not None


def test_while_the_store_cannot_be_read_nothing_new_is_known() -> None:
    hours = tuple(make_running_hours(8))
    lost = make_state(running={"web": hours}, trouble=TROUBLE)
    day = running_day(lost, SETTINGS, MORNING + timedelta(hours=1), "web")
    assert day is not None
    assert day.state is RunningState.UNKNOWN
    assert day.sentence.startswith("The store cannot be read now. At 2026-03-11 09:00 UTC it said: Until 08:00")
    failing = replace(hours[-1], verdicts=(HOURS_MISSING,))
    worse = make_state(running={"web": (*hours[:-1], failing)}, trouble=TROUBLE)
    assert running_response(worse, SETTINGS, MORNING).sources[0].state is RunningState.FAILING
    never = running_response(make_state(trouble=TROUBLE, has_been_read=False), SETTINGS, MORNING)
    assert never.trouble == TROUBLE
    assert (never.sources[0].state, never.sources[0].is_stale) == (RunningState.UNKNOWN, False)


@pytest.mark.parametrize(("day", "count"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_on_a_day_on_which_clocks_change_all_hours_are_counted(day: date, count: int) -> None:
    settings = make_source(intraday=True, time_zone="Europe/Berlin")
    state = make_state(running={"web": tuple(make_running_hours(count, day))})
    end = settings.sources["web"].calendar().window(day).end
    found = running_day(state, settings, end + timedelta(minutes=59), "web")
    assert found is not None
    assert (found.due_hours, found.is_stale, len(found.hours)) == (count - 1, False, count)
    assert "Until 24:00" in found.sentence
    assert str(found.hours[-1].begins_at.timetz())[:5] == "23:00"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk at noon: web was looked at until 10:00, app never, and batch is judged when it is over."""
    folder = tmp_path_factory.mktemp("desk")
    desk = open_desk(folder, "web", "app", "batch")
    for name in ("web", "app"):
        desk.settings.sources[name] = desk.settings.sources[name].model_copy(update={"intraday": True})
    keep(desk.store, YESTERDAY_AT_THE_DESK)
    desk.store.append_running_hours(make_running_hours(10, NOW.date(), verdicts=(HOURS_MISSING,)))
    yield desk
    desk.close()


def test_the_api_says_what_is_known_of_each_source_that_is_looked_at(desk: Desk) -> None:
    found = RunningResponse.model_validate_json(desk.ask(LIVE).content)
    assert [(day.source, day.state, len(day.hours)) for day in found.sources] == [
        ("web", RunningState.FAILING, 10),
        ("app", RunningState.NOT_LOOKED_AT, 0),
    ]
    assert found.model_dump_json().encode() == desk.ask(LIVE).content
    assert desk.json(LIVE, source="batch")["sources"] == []
    assert [day["source"] for day in desk.json(LIVE, source="app")["sources"]] == ["app"]
    error_of(desk.ask(LIVE, params={"source": "nowhere"}), 404, "UNKNOWN_SOURCE")
    error_of(desk.ask(LIVE, params={"day": "2026-03-12"}), 422, "UNKNOWN_PARAMETER")


def test_a_json_token_reads_it_and_an_unchanged_response_is_not_sent_again(desk: Desk) -> None:
    response = desk.ask(LIVE, headers=desk.by_token)
    assert response.status_code == 200
    again = desk.ask(LIVE, headers=desk.by_token | {"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert desk.ask(LIVE, headers={}).status_code == 401


def test_a_look_is_news_and_a_store_that_cannot_be_read_says_so(desk: Desk, tmp_path: Path) -> None:
    copy = desk.copy_to(tmp_path)
    before = copy.json(LIVE, source="web")
    copy.store.append_running_hours(make_running_hours(11, NOW.date()))
    after = copy.json(LIVE, source="web")
    assert [len(found["sources"][0]["hours"]) for found in (before, after)] == [10, 11]
    assert before["version"] != after["version"]
    break_store(copy)
    broken = copy.json(LIVE, source="web")
    assert broken["trouble"] == TROUBLE
    assert broken["sources"][0]["sentence"].startswith("The store cannot be read now.")
    copy.close()
