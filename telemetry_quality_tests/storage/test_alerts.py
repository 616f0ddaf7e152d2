"""Alerts in the store: what is pending on a channel, and that whoever claims it is alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from telemetry_quality.core.alerts import Alert, Settlement
from telemetry_quality.core.dispatch import LEASE
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import DAY, NOW, dispatch_alerts, make_snapshot
from telemetry_quality_tests.storage.examples import VERDICTS, make_alert, run

MICROSECOND = timedelta(microseconds=1)
NEXT_DAY = DAY + timedelta(days=1)
FAILED = VERDICTS[0]


@pytest.fixture
def store(store_url: str) -> SqlQualityStore:
    """A store with a day on which a guardrail failed."""
    store = SqlQualityStore(store_url)
    store.append_snapshot(make_snapshot(), VERDICTS)
    return store


def claims(store: SqlQualityStore, alert: Alert, channel: str = "log", after: timedelta = timedelta(0)) -> int:
    return store.claim_alert(alert, channel, NOW + after, LEASE)


def settle(store: SqlQualityStore, alert: Alert, channel: str = "log", **parts: Any) -> None:
    store.settle_alerts([replace(alert, **parts)], channel, Settlement.DISPATCHED, NOW)


def test_only_failed_verdicts_of_current_snapshots_are_undispatched_the_oldest_day_first(
    store: SqlQualityStore,
) -> None:
    store.append_snapshot(make_snapshot(NEXT_DAY, total_events=1), VERDICTS)
    store.append_snapshot(make_snapshot(NEXT_DAY, total_events=2), VERDICTS)
    store.append_snapshot(make_snapshot(DAY - timedelta(days=1)), VERDICTS[1:])
    store.append_snapshot(make_snapshot(source="app"), VERDICTS)

    assert store.undispatched_verdicts("web", "log") == [(DAY, 1, FAILED), (NEXT_DAY, 2, FAILED)]


@pytest.mark.parametrize(
    ("changed", "is_left"),
    [
        ({}, False),
        ({"sentence": "in other words"}, False),
        ({"source": "app"}, True),
        ({"day": NEXT_DAY}, True),
        ({"guardrail": "silence"}, True),
        ({"revision": 2}, True),
    ],
)
def test_an_alert_is_settled_by_its_source_day_guardrail_and_revision(
    store: SqlQualityStore, changed: dict[str, Any], is_left: bool
) -> None:
    settle(store, make_alert(), **changed)

    assert bool(store.undispatched_verdicts("web", "log")) is is_left


def test_an_alert_is_settled_on_one_channel_only(store: SqlQualityStore) -> None:
    settle(store, make_alert())

    assert store.undispatched_verdicts("web", "webhook") == [(DAY, 1, FAILED)]
    assert claims(store, make_alert(), "webhook")
    assert store.settled_levels(make_alert(), "log") == {1: make_alert().level}
    assert store.settled_levels(make_alert(), "webhook") == {}


def test_an_alert_is_settled_once(store_url: str, store: SqlQualityStore) -> None:
    settle(store, make_alert())
    store.settle_alerts([make_alert()] * 2, "log", Settlement.MUTED, NOW)

    assert run(store_url, "SELECT settlement FROM alert") == [("dispatched",)]


def test_a_claim_holds_until_its_lease_is_over(store: SqlQualityStore) -> None:
    assert claims(store, make_alert()) == 1
    assert not claims(store, make_alert())
    assert not claims(store, make_alert(), after=LEASE - MICROSECOND)
    assert claims(store, make_alert(), after=LEASE) == 2
    assert not claims(store, make_alert(), after=2 * LEASE - MICROSECOND), "a second claim holds as long as the first"


def test_a_claim_holds_for_clocks_that_are_behind_by_less_than_a_lease(store: SqlQualityStore) -> None:
    assert claims(store, make_alert())
    assert not claims(store, make_alert(), after=MICROSECOND - LEASE)
    assert claims(store, make_alert(), after=-LEASE)


def test_what_is_settled_or_replaced_by_a_newer_revision_cannot_be_claimed(store: SqlQualityStore) -> None:
    assert not claims(store, make_alert(revision=2)), "which does not exist"
    store.append_snapshot(make_snapshot(total_events=1), VERDICTS)
    assert not claims(store, make_alert())
    settle(store, make_alert(revision=2))
    assert not claims(store, make_alert(revision=2), after=LEASE)


def test_of_many_that_claim_at_once_one_gets_each_alert(store_url: str, store: SqlQualityStore) -> None:
    for number in range(1, 6):
        store.append_snapshot(make_snapshot(DAY + timedelta(days=number)), VERDICTS)
    alerts = [make_alert(day=DAY + timedelta(days=number)) for number in range(6)]

    def claim_all(_: int) -> list[int]:
        mine = SqlQualityStore(store_url)
        try:
            return [claims(mine, alert) for alert in alerts]
        finally:
            mine.close()

    with ThreadPoolExecutor(6) as pool:
        claimed = list(pool.map(claim_all, range(6)))

    assert [sum(each) for each in zip(*claimed, strict=True)] == [1] * len(alerts)


def test_claims_and_settlements_are_part_of_the_chains(store: SqlQualityStore) -> None:
    (snapshot,) = store.snapshots("web", DAY, DAY)
    before = store.verify()
    dispatch_alerts(store, snapshot, VERDICTS)
    dispatch_alerts(store, snapshot, VERDICTS, "webhook")

    after = store.verify()
    assert after.findings == before.findings
    assert after.rows == before.rows + 4
