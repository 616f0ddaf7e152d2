"""Running hours in the store: append-only revisions, and what failed on days without a snapshot."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.alerts import Settlement, alert_of
from telemetry_quality.core.dispatch import LEASE
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.incidents import incidents_of
from telemetry_quality.core.running.model import RUNNING
from telemetry_quality.storage.reader import StoreReader
from telemetry_quality.storage.running_hours import UNJUDGED
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import DAY, NOW, make_snapshot, make_store
from telemetry_quality_tests.storage.examples import VERDICTS, make_running_hour

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOUR = timedelta(hours=1)


def test_an_hour_is_returned_as_it_was_stored(tmp_path: Path) -> None:
    store, hour = make_store(tmp_path), make_running_hour()
    unreadable = replace(
        hour, hour=11, counts=None, expected=None, verdicts=(), unreadable_reason_code="GONE", unreadable_reason="Gone."
    )
    assert store.append_running_hours([hour, unreadable]) == [hour, unreadable]
    assert store.running_hours("web", DAY, DAY) == {DAY: [hour, unreadable]}
    assert store.running_hours("app", DAY, DAY) == {}
    assert store.running_hours("web", DAY + HOUR * 24, DAY + HOUR * 48) == {}


def test_an_hour_gets_a_revision_only_if_it_was_counted_or_judged_otherwise(tmp_path: Path) -> None:
    store, hour = make_store(tmp_path), make_running_hour()
    store.append_running_hours([hour])
    assert hour.counts is not None
    (verdict,) = hour.verdicts
    same = replace(hour, looked_at=NOW + HOUR, expected=None, verdicts=(replace(verdict, sentence="Other words."),))
    assert store.append_running_hours([same]) == []
    late = replace(hour, looked_at=NOW + HOUR, counts=replace(hour.counts, events=1001))
    worse = replace(late, verdicts=(replace(verdict, value=-50.0),))
    gone = replace(late, counts=None, unreadable_reason_code="GONE", unreadable_reason="Gone.")
    assert [store.append_running_hours([each])[0].revision for each in (late, worse, gone, hour)] == [2, 3, 4, 5]
    assert store.running_hours("web", DAY, DAY) == {DAY: [replace(hour, revision=5)]}


def test_what_failed_is_known_until_the_day_has_a_snapshot(tmp_path: Path) -> None:
    store, hour = make_store(tmp_path), make_running_hour(looked_at=NOW - HOUR)
    next_day = DAY + timedelta(days=1)
    store.append_running_hours([hour, replace(hour, hour=11, verdicts=()), replace(hour, day=next_day, verdicts=())])
    assert store.running_verdicts("web") == {DAY: hour.verdicts}
    assert store.running_verdicts("app") == {}
    reader = StoreReader(f"sqlite:///{tmp_path / 'quality.db'}")
    assert [incident.days for incident in reader.incidents("web")] == [(DAY,)]
    snapshot, _ = store.append_snapshot(make_snapshot(), [])
    assert store.running_verdicts("web") == {}
    assert incidents_of(store, "web") == []
    assert reader.incidents("web") == reader.incidents("web", snapshot.computed_at) == []
    before = snapshot.computed_at - timedelta(microseconds=1)
    assert [incident.days for incident in reader.incidents("web", before)] == [(DAY,)]
    assert reader.incidents("web", NOW - HOUR - timedelta(microseconds=1)) == []
    reader.close()


def test_a_day_that_is_never_judged_is_forgotten_after_a_week(tmp_path: Path) -> None:
    store, hour = make_store(tmp_path), make_running_hour()
    store.append_running_hours([hour, replace(hour, day=DAY + UNJUDGED)])
    assert store.running_verdicts("web").keys() == {DAY, DAY + UNJUDGED}
    store.append_running_hours([replace(hour, day=DAY + UNJUDGED + timedelta(days=1), verdicts=())])
    assert store.running_verdicts("web").keys() == {DAY + UNJUDGED}


def test_a_late_event_may_take_back_what_failed(tmp_path: Path) -> None:
    store, hour = make_store(tmp_path), make_running_hour(verdicts=VERDICTS[:1])
    store.append_running_hours([hour])
    store.append_running_hours([replace(hour, verdicts=())])
    assert store.running_verdicts("web") == {}


@pytest.mark.slow
def test_postgresql_answers_the_same(tmp_path: Path, new_postgresql_store: Callable[[], str]) -> None:
    stores = [make_store(tmp_path), SqlQualityStore(new_postgresql_store())]
    hour, next_day = make_running_hour(looked_at=NOW - HOUR), DAY + timedelta(days=1)
    alert = alert_of("web", DAY, RUNNING, hour.verdicts[0])
    for store in stores:
        store.append_running_hours([hour, replace(hour, day=next_day), replace(hour, hour=11, verdicts=())])
        assert store.claim_alert(alert, "log", NOW, LEASE) == 1
        assert store.claim_alert(alert, "log", NOW, LEASE) == 0
        store.settle_alerts([alert], "log", Settlement.DISPATCHED, NOW)
        passed = replace(hour.verdicts[0], outcome=Outcome.PASSED)
        store.append_snapshot(make_snapshot(), [passed])
        store.close()
    questions: list[Callable[[SqlQualityStore], object]] = [
        lambda store: store.running_hours("web", DAY, next_day),
        lambda store: store.running_verdicts("web"),
        lambda store: store.undispatched_verdicts("web", "log"),
        lambda store: [(day, revision) for day, revision, _ in store.withdrawn_verdicts("web", "log")],
        lambda store: sorted(store.judgements("web", DAY, next_day)),
        lambda store: store.days_judged_since("web", NOW - 2 * HOUR),
    ]
    for ask in questions:
        on_sqlite, on_postgresql = map(ask, stores)
        assert on_sqlite
        assert on_sqlite == on_postgresql
    for store in stores:
        store.close()
