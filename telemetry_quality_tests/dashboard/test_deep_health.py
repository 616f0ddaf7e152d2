"""``/healthz?deep=1``: red when days are no longer judged, and only for those who have a token."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality_tests.dashboard.desk import YESTERDAY, Desk, keep, open_desk
from telemetry_quality_tests.dashboard.test_error_shape import break_store, error_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEEP = "/healthz?deep=1"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Two sources whose last three days are judged."""
    desk = open_desk(tmp_path, "web", "app")
    for source in ("web", "app"):
        for back in range(3):
            keep(desk.store, YESTERDAY - timedelta(days=back), source)
    yield desk
    desk.close()


def test_a_token_or_a_session_sees_the_newest_day_of_each_source(desk: Desk) -> None:
    expected = {
        "sources": [{"source": name, "newest_day": "2026-03-11", "missing_days": 36} for name in ("web", "app")]
    }
    for headers in (desk.by_token, desk.by_session):
        response = desk.ask(DEEP, headers=headers)
        assert (response.status_code, response.json()) == (200, expected)


def test_a_stranger_learns_nothing_and_still_sees_that_the_process_responds(desk: Desk) -> None:
    for headers in ({}, {"Authorization": "Bearer tq_" + "0" * 43}):
        error_of(desk.ask(DEEP, headers=headers), 401, "SIGN_IN_REQUIRED")
    assert desk.ask("/healthz", headers={}).text == "ok\n"
    assert desk.ask("/healthz?anything=1", headers={}).text == "ok\n"


@pytest.mark.parametrize(("minutes", "status"), [(-1, 200), (0, 503), (1, 503)])
def test_yesterday_is_overdue_once_its_lateness_and_the_grace_period_have_passed(
    desk: Desk, minutes: int, status: int
) -> None:
    keep(desk.store, YESTERDAY + timedelta(days=1), "web")
    desk.now = datetime(2026, 3, 13, 3, tzinfo=UTC) + timedelta(minutes=minutes)
    response = desk.ask(DEEP, headers=desk.by_token)
    assert response.status_code == status
    if status == 503:
        sentence = error_of(response, 503, "NOT_WATCHING")
        assert "app: 37 days have no snapshot" in sentence
        assert "web" not in sentence


def test_days_that_are_not_over_make_it_red(desk: Desk) -> None:
    keep(desk.store, YESTERDAY + timedelta(days=400))
    sentence = error_of(desk.ask(DEEP, headers=desk.by_token), 503, "NOT_WATCHING")
    assert sentence.startswith("web: ")
    assert "holds 1 later days, up to 2027-04-15" in sentence


def test_a_source_that_was_never_judged_makes_it_red(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    error_of(desk.ask(DEEP, headers=desk.by_token), 503, "NOT_WATCHING")
    desk.close()


def test_a_store_that_cannot_be_read_makes_it_red_and_leaves_the_plain_address_green(desk: Desk) -> None:
    break_store(desk)
    error_of(desk.ask(DEEP, headers=desk.by_token), 503, "STORE_UNREADABLE")
    assert desk.ask("/healthz", headers={}).text == "ok\n"


def test_a_store_of_another_schema_makes_it_red(desk: Desk) -> None:
    assert desk.ask(DEEP, headers=desk.by_token).status_code == 200
    with closing(sqlite3.connect(desk.folder / "quality.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    error_of(desk.ask(DEEP, headers=desk.by_token), 503, "STORE_UNREADABLE")
