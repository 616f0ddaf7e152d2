"""The log of deliveries in the store: in order, per channel, and for whoever has seen all of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from telemetry_quality.core.messages.model import DeliveryOutcome
from telemetry_quality.storage.deliveries import ATTEMPTS_KEPT_IN_MIND
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import DAY, NOW, make_snapshot
from telemetry_quality_tests.storage.examples import VERDICTS, make_delivery

MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def store(store_url: str) -> SqlQualityStore:
    return SqlQualityStore(store_url)


def test_a_row_is_read_as_it_was_appended_and_verified(store: SqlQualityStore) -> None:
    row = make_delivery()
    sequence = store.append_delivery(row)
    (found,) = store.deliveries("team", NOW)

    assert sequence == found.sequence > 0
    assert found == make_delivery(sequence=sequence)
    assert store.verify().findings == ()


def test_a_channel_has_its_own_rows_oldest_first(store: SqlQualityStore) -> None:
    for title in ("a", "b"):
        store.append_delivery(make_delivery(title=title))
        store.append_delivery(make_delivery(channel="other", title=title))

    assert [row.title for row in store.deliveries("team", NOW)] == ["a", "b"]
    assert [row.title for row in store.latest_deliveries("team", 1)] == ["b"]
    assert [(row.channel, row.title) for row in store.latest_deliveries()][:2] == [("other", "b"), ("team", "b")]


@pytest.mark.parametrize(
    ("outcome", "age", "is_kept"),
    [
        (DeliveryOutcome.FAILED, ATTEMPTS_KEPT_IN_MIND, True),
        (DeliveryOutcome.FAILED, ATTEMPTS_KEPT_IN_MIND + MICROSECOND, False),
        (DeliveryOutcome.CLAIMED, ATTEMPTS_KEPT_IN_MIND + MICROSECOND, False),
        (DeliveryOutcome.SENT, timedelta(days=900), True),
        (DeliveryOutcome.FOLLOWED, timedelta(days=900), True),
        (DeliveryOutcome.WITHHELD, timedelta(days=900), True),
    ],
)
def test_only_attempts_of_long_ago_are_forgotten(
    store: SqlQualityStore, outcome: DeliveryOutcome, age: timedelta, is_kept: bool
) -> None:
    store.append_delivery(make_delivery(outcome=outcome, at=NOW - age))
    assert bool(store.deliveries("team", NOW)) is is_kept


def test_of_many_who_have_seen_the_same_one_alone_may_append(store: SqlQualityStore, store_url: str) -> None:
    seen = store.append_delivery(make_delivery())
    store.append_delivery(make_delivery(channel="other"))

    def claim(number: int) -> int:
        rival = SqlQualityStore(store_url)
        try:
            return rival.append_delivery(make_delivery(title=str(number)), seen)
        finally:
            rival.close()

    with ThreadPoolExecutor(4) as pool:
        positions = [position for position in pool.map(claim, range(8)) if position]
    assert positions == [store.deliveries("team", NOW)[-1].sequence]
    assert len(store.deliveries("team", NOW)) == 2


def test_the_current_judgement_of_each_day_is_known(store: SqlQualityStore) -> None:
    store.append_snapshot(make_snapshot(), VERDICTS)
    store.append_snapshot(make_snapshot(is_provisional=True), VERDICTS)

    assert store.judgements("web", DAY, DAY) == [(DAY, NOW, True)]
    assert store.days_judged_since("web", NOW) == (DAY, DAY)
    assert store.days_judged_since("web", NOW + MICROSECOND) is None
