"""The views are a contract with tools that speak SQL: columns and rows, in both databases, as the docs say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from telemetry_quality.core.marks import Mark
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.storage.engine import open_engine, transaction
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality.storage.tables import integrity_snapshot
from telemetry_quality.storage.views import ALERT_STATE, CURRENT_SNAPSHOT, TRUSTED_DAY, VIEWS
from telemetry_quality_tests.builders import DAY, NOW, dispatch_alerts, make_snapshot, make_verdicts
from telemetry_quality_tests.storage.examples import make_mark, run
from telemetry_quality_tests.test_day_columns import documented

if TYPE_CHECKING:
    from collections.abc import Callable

ERRORS: dict[str, Any] = {"error_events": 90, "error_rate_percent": 9.0}


def columns_of(url: str, view: str) -> list[str]:
    engine = open_engine(url)
    with transaction(engine, writes=False) as connection:
        found = list(connection.exec_driver_sql(f"SELECT * FROM {view}").keys())
    engine.dispose()
    return found


def test_every_view_has_the_columns_that_the_docs_list_and_no_other(store_url: str) -> None:
    assert list(VIEWS) == [CURRENT_SNAPSHOT, TRUSTED_DAY, ALERT_STATE]
    for view in (TRUSTED_DAY, ALERT_STATE):
        assert columns_of(store_url, view) == [
            name for name, *_ in documented("how-to/trusted-days.md", f"columns of {view}")
        ]
    assert columns_of(store_url, CURRENT_SNAPSHOT) == list(integrity_snapshot.columns.keys())


def test_a_day_is_in_the_view_exactly_if_it_can_be_trusted(store_url: str) -> None:
    store = SqlQualityStore(store_url)
    marks, provisional = (None, *Mark), (False, True, None)
    cases = [(status, mark, is_early) for status in DayStatus for mark in marks for is_early in provisional]
    for number, (status, mark, is_early) in enumerate(cases):
        day = DAY + timedelta(days=number)
        store.append_snapshot(replace(make_snapshot(day), status=status, is_provisional=is_early), ())
        if mark is not None:
            store.append_marked_days(make_mark(day=day, until=day, mark=mark))
    trusted = [known.snapshot.day for known in store.known_days("web") if known.is_trusted]

    found = [str(day) for (day,) in run(store_url, "SELECT day FROM trusted_day ORDER BY day")]

    assert found == [str(day) for day in trusted]
    assert len(found) == 3 * 4 + 2 * 2, "all that are accepted and known, and those that are healthy and complete"


def test_the_newest_revision_and_the_last_word_count(store_url: str) -> None:
    store = SqlQualityStore(store_url)
    rows = "SELECT revision, status, mark FROM trusted_day"
    store.append_snapshot(make_snapshot(), make_verdicts())
    assert run(store_url, rows) == [(1, "healthy", None)]
    store.append_snapshot(make_snapshot(**ERRORS), make_verdicts(**ERRORS))
    assert run(store_url, rows) == []
    store.append_marked_days(make_mark(day=DAY - timedelta(days=3), until=DAY, mark=Mark.ACCEPTED))
    assert run(store_url, rows) == [(2, "unhealthy", "accepted")]
    store.append_marked_days(make_mark(day=DAY, until=DAY, mark=None))
    assert run(store_url, rows) == []


def test_an_alert_is_pending_until_it_is_settled_and_gone_once_a_newer_revision_is_healthy(store_url: str) -> None:
    store = SqlQualityStore(store_url)
    rows = "SELECT guardrail, revision, channel, state, settled_at IS NULL FROM alert_state"
    snapshot, _ = store.append_snapshot(make_snapshot(**ERRORS), make_verdicts(**ERRORS))
    assert run(store_url, rows) == [("error_rate", 1, None, "pending", True)]
    dispatch_alerts(store, snapshot, make_verdicts(**ERRORS))
    assert run(store_url, rows) == [("error_rate", 1, "log", "dispatched", False)]
    store.append_snapshot(make_snapshot(), make_verdicts())
    assert run(store_url, rows) == []
    store.append_snapshot(make_snapshot(**ERRORS), make_verdicts(**ERRORS))
    assert run(store_url, rows) == [("error_rate", 3, None, "pending", True)]


def test_a_day_that_could_not_be_read_is_one_alert(store_url: str) -> None:
    nothing: dict[str, Any] = {"total_events": None, "unreadable_reason_code": "FILE", "unreadable_reason": "Broken."}
    SqlQualityStore(store_url).append_snapshot(make_snapshot(**nothing), make_verdicts(**nothing))
    assert run(store_url, "SELECT guardrail, reason_code, state FROM alert_state") == [
        ("activity", "DAY_UNREADABLE", "pending")
    ]
    assert run(store_url, "SELECT * FROM trusted_day") == []


def test_a_role_for_bi_tools_reads_the_views_and_nothing_else(new_postgresql_store: Callable[[], str]) -> None:
    url = new_postgresql_store()
    SqlQualityStore(url).append_snapshot(make_snapshot(), make_verdicts())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE quality_bi")
        connection.execute("GRANT SELECT ON trusted_day, alert_state TO quality_bi")
        connection.execute("SET ROLE quality_bi")
        assert connection.execute("SELECT day, computed_at FROM trusted_day").fetchall() == [(DAY, NOW)]
        assert connection.execute("SELECT * FROM alert_state").fetchall() == []
        for table in ("integrity_snapshot", "event_sample", "staff_account"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT * FROM {table}")
