"""Dispatch: each alert is logged once, and muted alerts never."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.alerts import Alert, alerts_of
from telemetry_quality.core.dispatch import dispatch
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.incidents import Action, incidents_of
from telemetry_quality_tests.builders import (
    DAY,
    NOW,
    FakeSource,
    make_row,
    make_scan,
    make_work,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
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

    def judge(self, row: AggregateRow | None = None, day: date = DAY) -> list[Alert]:
        """The alerts of ``day`` after it was judged, and before that read as ``row`` if there is one."""
        if row is not None:
            self.source.days[day] = make_scan(day, row)
            list(self.work.read([day], NOW))
        (judgement,) = self.work.judge([day], NOW)
        return list(alerts_of(judgement.snapshot, judgement.verdicts))

    def dispatch(self, alerts: Sequence[Alert], now: datetime = NOW) -> list[str]:
        """The guardrails whose ``alerts`` are dispatched."""
        before = len(self.heard)
        assert dispatch(self.work.store, alerts, self.heard.append, now) == len(self.heard) - before
        return [alert.guardrail for alert in self.heard[before:]]

    def kept(self) -> list[tuple[str, int, str]]:
        """Guardrail, revision and sentence of every stored alert."""
        with closing(sqlite3.connect(self.file)) as connection:
            query = "SELECT guardrail, revision, sentence FROM alert ORDER BY sequence"
            return connection.execute(query).fetchall()

    def mute(self, day: date, until: date) -> None:
        (incident,) = incidents_of(self.work.store, "web", day, day)
        self.work.store.append_incident_action(incident.decide(Action.MUTE, "ada", NOW, muted_until=until))


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


BAD = make_row(errors=6)
WORSE = make_row(errors=8)
NO_TAGS = make_row(missing_version=9)


def test_each_alert_is_dispatched_once_and_stored(town: Town) -> None:
    alerts = town.judge(make_row(errors=6, missing_version=9))

    assert town.dispatch(alerts) == ["error_rate", "missing_version"]
    assert town.dispatch(alerts) == []
    assert town.dispatch(town.judge()) == [], "judged again, the day says the same"
    assert [(guardrail, revision) for guardrail, revision, _ in town.kept()] == [
        ("error_rate", 1),
        ("missing_version", 1),
    ]


def test_without_alerts_nothing_is_dispatched(town: Town) -> None:
    assert town.dispatch(town.judge(make_row())) == []
    assert town.kept() == []


def test_a_crash_between_logging_and_storing_repeats_every_alert_rather_than_losing_any(town: Town) -> None:
    alerts = town.judge(make_row(errors=6, missing_version=9))

    def log_one_and_die(alert: Alert) -> None:
        town.heard.append(alert)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dispatch(town.work.store, alerts, log_one_and_die, NOW)

    assert [alert.guardrail for alert in town.heard] == ["error_rate"]
    assert town.kept() == []
    assert town.dispatch(alerts) == ["error_rate", "missing_version"]


def test_the_alert_of_a_new_revision_says_what_changed(town: Town) -> None:
    town.dispatch(town.judge(BAD))

    assert town.dispatch(town.judge(WORSE)) == ["error_rate"]

    line = town.heard[-1].line()
    assert "8.00 % of 100 events are errors" in line
    assert line.endswith("Since revision 1: 8.00 % errors instead of 6.00. (revision 2)")
    assert town.kept()[-1] == ("error_rate", 2, town.heard[-1].sentence)
    assert "Since revision" not in town.heard[0].line()


def test_a_day_scanned_again_is_dispatched_again_even_if_it_fails_as_before(town: Town) -> None:
    town.dispatch(town.judge(BAD))

    assert town.dispatch(town.judge(BAD._replace(hour=3))) == ["error_rate"]
    assert "Since revision 1: none of the main figures changed." in town.heard[-1].line()


def test_other_thresholds_that_change_nothing_are_stored_but_not_dispatched(town: Town) -> None:
    town.dispatch(town.judge(BAD))

    town.work = replace(town.work, policy=policy_of(error_rate_percent=4.0))
    assert town.dispatch(town.judge()) == []
    town.work = replace(town.work, policy=policy_of(error_rate_percent=3.0))
    assert town.dispatch(town.judge()) == [], "not even after a revision that was not logged itself"

    assert [(guardrail, revision) for guardrail, revision, _ in town.kept()] == [
        ("error_rate", 1),
        ("error_rate", 2),
        ("error_rate", 3),
    ]


def test_other_thresholds_that_make_another_guardrail_fail_dispatch_only_that_guardrail(town: Town) -> None:
    town.dispatch(town.judge(make_row(errors=6, missing_version=1)))

    town.work = replace(town.work, policy=policy_of(missing_version_percent=0.5))

    assert town.dispatch(town.judge()) == ["missing_version"]
    assert town.heard[-1].line().endswith("Since revision 1: other thresholds. (revision 2)")


def test_another_history_that_changes_only_the_level_is_dispatched(town: Town) -> None:
    """Without an interval a deviation is INFO; once it is known to be unusual, it is a WARNING."""
    earlier = [DAY - timedelta(days=n) for n in range(40, 0, -1)]
    town.source.days = {day: make_scan(day, make_row(events=100)) for day in earlier}
    list(town.work.read(earlier[-15:], NOW))
    town.dispatch(town.judge(make_row(events=20)))
    assert [(alert.guardrail, alert.level) for alert in town.heard] == [("volume", Level.INFO)]

    list(town.work.read(earlier, NOW))

    assert "volume" in town.dispatch(town.judge())
    assert next(alert.level for alert in reversed(town.heard) if alert.guardrail == "volume") is Level.WARNING


def test_a_failure_never_dispatched_is_dispatched_whatever_the_revision(town: Town) -> None:
    town.judge(BAD)
    town.work = replace(town.work, policy=policy_of(error_rate_percent=4.0))

    assert town.dispatch(town.judge()) == ["error_rate"]


def test_a_muted_incident_is_stored_but_not_dispatched_until_its_date_has_passed(town: Town) -> None:
    town.dispatch(town.judge(BAD))
    town.mute(DAY, until=TODAY + timedelta(days=2))

    assert town.dispatch(town.judge(WORSE), now=NOW + timedelta(days=2)) == [], "muted on its last day too"
    assert [revision for _, revision, _ in town.kept()] == [1, 2]

    assert town.dispatch(town.judge(BAD), now=NOW + timedelta(days=3)) == ["error_rate"]
    assert [revision for _, revision, _ in town.kept()] == [1, 2, 3]


def test_the_next_day_of_a_muted_incident_is_not_dispatched_either(town: Town) -> None:
    town.dispatch(town.judge(BAD))
    town.mute(DAY, until=TODAY)

    assert town.dispatch(town.judge(BAD, DAY + timedelta(days=1))) == []


def test_another_incident_is_dispatched_next_to_a_muted_one(town: Town) -> None:
    town.dispatch(town.judge(BAD))
    town.mute(DAY, until=TODAY)
    town.judge(make_row(), DAY + timedelta(days=1))

    alerts = town.judge(WORSE) + town.judge(NO_TAGS, DAY + timedelta(days=2))

    assert town.dispatch(alerts) == ["missing_version"]
    assert len(town.kept()) == 3


def test_a_mute_of_one_source_silences_no_other(town: Town) -> None:
    town.dispatch(town.judge(BAD))
    town.mute(DAY, until=TODAY)
    town.work = replace(town.work, name="app")

    assert town.dispatch(town.judge(BAD)) == ["error_rate"]


# What a revision changed
