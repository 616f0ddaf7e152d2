"""Dispatch: each alert is logged once, and muted alerts never."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.alerts import Alert, Settlement
from telemetry_quality.core.dispatch import (
    LEASE,
    WAIT_SECONDS,
    Channel,
    dispatch_all,
    dispatch_pending,
    pending_alerts,
)
from telemetry_quality.core.events import UnreadableDay
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import Level, Outcome, Verdict
from telemetry_quality.core.incidents import Action, incidents_of
from telemetry_quality_tests.builders import (
    DAY,
    NOW,
    FakeSource,
    make_row,
    make_scan,
    make_work,
)
from telemetry_quality_tests.storage.examples import make_running_hour

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path

    from telemetry_quality.core.events import AggregateRow

TODAY = NOW.date()


class Town:
    """Days of one stream in a store, and the alerts that were dispatched."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "quality.db"
        self.source = FakeSource()
        self.work = make_work(folder, self.source)
        self.heard: list[Alert] = []
        self.channel = Channel("log", self.heard.append)

    def judge(self, row: AggregateRow | None = None, day: date = DAY) -> None:
        """Judge ``day``, and before that read it as ``row`` if there is one."""
        if row is not None:
            self.source.days[day] = make_scan(day, row)
            list(self.work.read([day], NOW))
        list(self.work.judge([day], NOW))

    def look(self, *verdicts: Verdict, hour: int = 10, day: date = DAY) -> None:
        """Store an hour of a running day, at whose end this failed."""
        self.work.store.append_running_hours([make_running_hour(day=day, hour=hour, verdicts=verdicts)])

    def dispatch(self, now: datetime = NOW, channel: Channel | None = None, at_most: int | None = None) -> list[str]:
        """The guardrails whose alerts are dispatched."""
        before = len(self.heard)
        sent = dispatch_pending(self.work.store, [self.work.name], channel or self.channel, lambda: now, at_most)
        assert sent == len(self.heard) - before
        return [alert.guardrail for alert in self.heard[before:]]

    def settled(self) -> list[tuple[str, int, str, str]]:
        """Guardrail, revision, sentence and settlement of every stored alert."""
        with closing(sqlite3.connect(self.file)) as connection:
            query = "SELECT guardrail, revision, sentence, settlement FROM alert ORDER BY sequence"
            return connection.execute(query).fetchall()

    def settlements(self) -> list[tuple[str, int, str]]:
        return [(guardrail, revision, settlement) for guardrail, revision, _, settlement in self.settled()]

    def mute(self, day: date, until: date) -> None:
        (incident,) = incidents_of(self.work.store, "web", day, day)
        self.work.store.append_incident_action(incident.decide(Action.MUTE, "ada", NOW, muted_until=until))


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


BAD = make_row(errors=6)
WORSE = make_row(errors=8)
NO_TAGS = make_row(missing_version=9)
TWO_FAILURES = make_row(errors=6, missing_version=9)


def test_each_alert_is_dispatched_once_and_stored(town: Town) -> None:
    town.judge(TWO_FAILURES)

    assert town.dispatch() == ["error_rate", "missing_version"]
    assert town.dispatch() == []
    town.judge()
    assert town.dispatch() == [], "judged again, the day says the same"
    assert town.settlements() == [("error_rate", 1, "dispatched"), ("missing_version", 1, "dispatched")]


def test_without_failures_nothing_is_dispatched(town: Town) -> None:
    town.judge(make_row())
    assert town.dispatch() == []
    assert town.settled() == []


def test_a_day_that_could_not_be_read_is_dispatched_once_and_not_by_every_guardrail(town: Town) -> None:
    town.source.days[DAY] = UnreadableDay(DAY, "FILE_BROKEN", "The file is broken.")
    list(town.work.read([DAY], NOW))
    town.judge()

    assert town.dispatch() == ["activity"]
    assert town.dispatch() == []


def test_alerts_of_a_process_that_died_before_it_could_dispatch_them_are_dispatched_by_the_next(town: Town) -> None:
    town.judge(BAD)
    town.judge(NO_TAGS, DAY - timedelta(days=60))

    assert town.dispatch() == ["missing_version", "error_rate"], "however old the day is, the oldest first"


def test_each_channel_dispatches_every_alert_once(town: Town) -> None:
    other = Channel("webhook", town.heard.append)
    town.judge(BAD)

    assert town.dispatch() == ["error_rate"]
    assert town.dispatch(channel=other) == ["error_rate"]
    assert town.dispatch() == town.dispatch(channel=other) == []
    assert len({alert.key for alert in town.heard}) == 1, "and a receiver recognizes it"


def test_alerts_beyond_the_limit_are_left_for_the_next_call(town: Town) -> None:
    for number in range(3):
        town.judge(BAD, DAY + timedelta(days=number))

    assert [len(town.dispatch(at_most=2)) for _ in range(3)] == [2, 1, 0]
    assert [alert.day for alert in town.heard] == [DAY + timedelta(days=number) for number in range(3)]


def test_a_failure_that_a_newer_revision_took_back_is_not_dispatched(town: Town) -> None:
    town.judge(BAD)
    town.judge(make_row())

    assert town.dispatch() == []


def test_an_alert_whose_sending_failed_stays_with_its_claim_and_is_sent_again_when_that_expires(town: Town) -> None:
    def die(alert: Alert) -> None:
        raise ConnectionError(alert.key)

    town.judge(TWO_FAILURES)
    with pytest.raises(ConnectionError, match="web/2026-03-10/error_rate/1"):
        dispatch_pending(town.work.store, ["web"], Channel("log", die), lambda: NOW)

    assert town.settled() == []
    assert town.dispatch() == ["missing_version"], "which nobody claimed"
    assert town.dispatch(NOW + LEASE - timedelta(microseconds=1)) == []
    assert town.dispatch(NOW + LEASE) == ["error_rate"]
    assert town.heard[-1].line().endswith("(revision 1, attempt 2: a process died while it sent this)")


def test_a_claim_of_a_clock_that_is_far_ahead_holds_nobody_up(town: Town) -> None:
    town.judge(BAD)
    ahead = NOW + timedelta(days=400)
    assert town.work.store.claim_alert(pending_alerts(town.work.store, "web", town.channel)[0], "log", ahead, LEASE)

    assert town.dispatch(ahead) == []
    assert town.dispatch(NOW) == ["error_rate"]


def test_what_a_dead_process_had_claimed_is_waited_for_and_dispatched(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    town.judge(TWO_FAILURES)
    claimed, _ = pending_alerts(town.work.store, "web", town.channel)
    assert town.work.store.claim_alert(claimed, "log", NOW, LEASE)
    waited: list[float] = []

    def clock() -> datetime:
        return NOW + timedelta(seconds=sum(waited))

    assert dispatch_all(town.work.store, ["web"], town.channel, clock, waited.append) == 2

    assert [alert.guardrail for alert in town.heard] == ["missing_version", "error_rate"]
    assert sum(waited) == LEASE.total_seconds()
    assert caplog.messages == [
        "Pending alerts that another process has claimed: 1; waiting for it, or up to 30 s if it has died"
    ]


def test_what_another_process_is_sending_is_waited_for_and_left_to_it(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    town.judge(BAD)
    (claimed,) = pending_alerts(town.work.store, "web", town.channel)
    assert town.work.store.claim_alert(claimed, "log", NOW, LEASE)

    def wait(_: float) -> None:
        town.work.store.settle_alerts([claimed], "log", Settlement.DISPATCHED, NOW)

    assert dispatch_all(town.work.store, ["web"], town.channel, lambda: NOW, wait) == 0
    assert town.heard == []
    assert caplog.messages == []


def test_nobody_waits_for_ever_for_a_process_that_claims_again_and_again(town: Town) -> None:
    town.judge(BAD)
    (claimed,) = pending_alerts(town.work.store, "web", town.channel)
    waited: list[float] = []

    def clock() -> datetime:
        return NOW + timedelta(seconds=sum(waited))

    def wait(seconds: float) -> None:
        waited.append(seconds)
        town.work.store.claim_alert(claimed, "log", clock(), LEASE)

    assert town.work.store.claim_alert(claimed, "log", NOW, LEASE)
    assert dispatch_all(town.work.store, ["web"], town.channel, clock, wait) == 0
    assert sum(waited) == LEASE.total_seconds() + WAIT_SECONDS


def test_ctrl_c_while_an_alert_is_sent_waits_until_it_is_settled(town: Town) -> None:
    def send(alert: Alert) -> None:
        town.heard.append(alert)
        signal.raise_signal(signal.SIGINT)

    town.judge(BAD)
    with pytest.raises(KeyboardInterrupt):
        dispatch_pending(town.work.store, ["web"], Channel("log", send), lambda: NOW)

    assert town.settlements() == [("error_rate", 1, "dispatched")]


def test_the_alert_of_a_new_revision_says_what_changed(town: Town) -> None:
    town.judge(BAD)
    town.dispatch()
    town.judge(WORSE)

    assert town.dispatch() == ["error_rate"]

    line = town.heard[-1].line()
    assert "8.00 % of 100 events are errors" in line
    assert line.endswith("Since revision 1: 8.00 % errors instead of 6.00. (revision 2)")
    assert town.settled()[-1] == ("error_rate", 2, town.heard[-1].sentence, "dispatched")
    assert "Since revision" not in town.heard[0].line()


def test_a_day_scanned_again_is_dispatched_again_even_if_it_fails_as_before(town: Town) -> None:
    town.judge(BAD)
    town.dispatch()

    town.judge(BAD._replace(hour=3))
    assert town.dispatch() == ["error_rate"]
    assert "Since revision 1: none of the main figures changed." in town.heard[-1].line()


def test_other_thresholds_that_change_nothing_are_stored_but_not_dispatched(town: Town) -> None:
    town.judge(BAD)
    town.dispatch()

    town.work = replace(town.work, policy=policy_of(error_rate_percent=4.0))
    town.judge()
    assert town.dispatch() == []
    town.work = replace(town.work, policy=policy_of(error_rate_percent=3.0))
    town.judge()
    assert town.dispatch() == [], "not even after a revision that was not logged itself"

    assert town.settlements() == [
        ("error_rate", 1, "dispatched"),
        ("error_rate", 2, "repeated"),
        ("error_rate", 3, "repeated"),
    ]


def test_a_revision_between_that_nobody_settled_does_not_make_its_repetition_new(town: Town) -> None:
    town.judge(BAD)
    town.dispatch()
    for percent in (4.0, 3.0):
        town.work = replace(town.work, policy=policy_of(error_rate_percent=percent))
        town.judge()

    assert town.dispatch() == []
    assert town.settlements() == [("error_rate", 1, "dispatched"), ("error_rate", 3, "repeated")]


def test_a_failure_that_passed_in_between_is_dispatched_again(town: Town) -> None:
    town.judge(BAD)
    town.dispatch()
    for percent in (7.0, 5.0):
        town.work = replace(town.work, policy=policy_of(error_rate_percent=percent))
        town.judge()

    assert town.dispatch() == ["error_rate"]


def test_other_thresholds_that_make_another_guardrail_fail_dispatch_only_that_guardrail(town: Town) -> None:
    town.judge(make_row(errors=6, missing_version=1))
    town.dispatch()

    town.work = replace(town.work, policy=policy_of(missing_version_percent=0.5))

    town.judge()
    assert town.dispatch() == ["missing_version"]
    assert town.heard[-1].line().endswith("Since revision 1: other thresholds. (revision 2)")


def test_another_history_that_changes_only_the_level_is_dispatched(town: Town) -> None:
    """Without an interval a deviation is INFO; once it is known to be unusual, it is a WARNING."""
    earlier = [DAY - timedelta(days=n) for n in range(40, 0, -1)]
    town.source.days = {day: make_scan(day, make_row(events=100)) for day in earlier}
    list(town.work.read(earlier[-15:], NOW))
    town.judge(make_row(events=20))
    town.dispatch()
    assert [(alert.guardrail, alert.level) for alert in town.heard] == [("volume", Level.INFO)]

    list(town.work.read(earlier, NOW))

    town.judge()
    assert "volume" in town.dispatch()
    assert next(alert.level for alert in reversed(town.heard) if alert.guardrail == "volume") is Level.WARNING


def test_a_failure_never_dispatched_is_dispatched_whatever_the_revision(town: Town) -> None:
    town.judge(BAD)
    town.work = replace(town.work, policy=policy_of(error_rate_percent=4.0))

    town.judge()
    assert town.dispatch() == ["error_rate"]


def test_a_muted_incident_is_stored_but_not_dispatched_until_its_date_has_passed(town: Town) -> None:
    town.judge(BAD)
    town.dispatch()
    town.mute(DAY, until=TODAY + timedelta(days=2))

    town.judge(WORSE)
    assert town.dispatch(NOW + timedelta(days=2)) == [], "muted on its last day too"
    assert [revision for _, revision, _ in town.settlements()] == [1, 2]

    town.judge(BAD)
    assert town.dispatch(NOW + timedelta(days=3)) == ["error_rate"]
    assert [revision for _, revision, _ in town.settlements()] == [1, 2, 3]


def test_the_next_day_of_a_muted_incident_is_not_dispatched_either(town: Town) -> None:
    town.judge(BAD)
    town.dispatch()
    town.mute(DAY, until=TODAY)

    town.judge(BAD, DAY + timedelta(days=1))
    assert town.dispatch() == []


def test_another_incident_is_dispatched_next_to_a_muted_one(town: Town) -> None:
    town.judge(BAD)
    town.dispatch()
    town.mute(DAY, until=TODAY)
    town.judge(make_row(), DAY + timedelta(days=1))

    town.judge(WORSE)
    town.judge(NO_TAGS, DAY + timedelta(days=2))

    assert town.dispatch() == ["missing_version"]
    assert town.settlements() == [
        ("error_rate", 1, "dispatched"),
        ("error_rate", 2, "muted"),
        ("missing_version", 1, "dispatched"),
    ]


def test_a_mute_of_one_source_silences_no_other(town: Town) -> None:
    town.judge(BAD)
    town.dispatch()
    town.mute(DAY, until=TODAY)
    town.work = replace(town.work, name="app")

    town.judge(BAD)
    assert town.dispatch() == ["error_rate"]


# Running days


def failing(guardrail: str = "error_rate", level: Level = Level.CRITICAL) -> Verdict:
    return Verdict(guardrail, level, Outcome.FAILED, "ERROR_RATE_HIGH", 20.0, 5.0, "20 % are errors.")


def test_what_fails_while_a_day_runs_is_dispatched_once_however_long_it_goes_on(town: Town) -> None:
    town.look(failing())
    assert town.dispatch() == ["error_rate"]
    assert town.heard[0].line() == "CRITICAL web 2026-03-10 error_rate [ERROR_RATE_HIGH] 20 % are errors. (running day)"
    town.look(replace(failing(), value=30.0), hour=11)
    town.look(failing(), hour=12)
    assert town.dispatch() == []
    town.look(failing(), failing("missing_version"), hour=13)
    assert town.dispatch() == ["missing_version"]


def test_the_snapshot_confirms_without_another_alert(town: Town) -> None:
    town.look(failing())
    town.dispatch()
    town.judge(BAD)
    assert town.dispatch() == []
    assert ("error_rate", 1, "repeated") in town.settlements()


def test_the_snapshot_is_dispatched_where_it_is_worse_and_says_what_it_was(town: Town) -> None:
    town.look(failing(level=Level.WARNING))
    town.dispatch()
    town.judge(BAD)
    assert town.dispatch() == ["error_rate"]
    assert town.heard[-1].sentence.endswith("While the day was running, this was WARNING.")
    assert town.dispatch() == []


def test_a_withdrawal_says_so_once(town: Town) -> None:
    town.look(failing())
    town.dispatch()
    town.judge(make_row())
    assert town.dispatch() == ["error_rate"]
    withdrawal = town.heard[-1]
    assert (withdrawal.level, withdrawal.reason_code, withdrawal.revision) == (Level.INFO, "WITHDRAWN", 1)
    assert withdrawal.sentence.startswith("Withdrawn: what was found while the day was running, the whole day does not")
    assert town.dispatch() == []
    town.judge(make_row(events=11))
    assert town.dispatch() == []


def test_what_nobody_heard_of_is_not_withdrawn(town: Town) -> None:
    town.look(failing())
    town.judge(make_row())
    assert town.dispatch() == []


def test_a_muted_incident_of_a_running_day_stays_muted_and_is_not_withdrawn(town: Town) -> None:
    town.look(failing())
    town.mute(DAY, TODAY)
    assert town.dispatch() == []
    assert town.settlements() == [("error_rate", 0, "muted")]
    town.judge(make_row())
    assert town.dispatch() == []


def test_what_late_events_took_back_before_anybody_heard_is_not_dispatched(town: Town) -> None:
    town.look(failing())
    (pending,) = pending_alerts(town.work.store, "web", town.channel)
    town.look()
    assert town.work.store.claim_alert(pending, "log", NOW, LEASE) == 0
    assert town.dispatch() == []
