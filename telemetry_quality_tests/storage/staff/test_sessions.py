"""Sessions end when they expire, when somebody ends them, and with their account."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.storage.staff.questions import HOUR, INSTANT, LATER, rows

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from telemetry_quality.storage.staff.lookup import Account
    from telemetry_quality.storage.staff.store import StaffStore


def test_a_session_says_whose_it_is_and_how_it_was_opened(store: StaffStore, ada: Account) -> None:
    store.open_session(ada.id, "s1", "password", NOW, LATER)
    found = store.session("s1", NOW)
    assert found is not None
    assert (found.account, found.id_hash, found.method) == (ada, "s1", "password")
    assert (found.created_at, found.expires_at) == (NOW, LATER)
    assert store.session("s2", NOW) is None


@pytest.mark.parametrize(("moment", "is_open"), [(LATER - INSTANT, True), (LATER, False), (LATER + INSTANT, False)])
def test_a_session_ends_at_the_very_moment_it_expires(
    store: StaffStore, ada: Account, moment: datetime, is_open: bool
) -> None:
    store.open_session(ada.id, "s1", "password", NOW, LATER)
    berlin = moment.astimezone(ZoneInfo("Europe/Berlin"))
    assert (store.session("s1", berlin) is not None) is is_open
    assert bool(store.sessions(ada.id, berlin)) is is_open


def test_sessions_are_listed_newest_first_and_ended_one_by_one_or_all_but_one(
    store: StaffStore, ada: Account, ben: Account
) -> None:
    for number in range(4):
        store.open_session(ada.id, f"s{number}", "password", NOW + number * INSTANT, LATER)
    store.open_session(ben.id, "of ben", "oidc", NOW, LATER)

    def listed() -> list[str]:
        return [session.id_hash for session in store.sessions(ada.id, NOW)]

    assert listed() == ["s3", "s2", "s1", "s0"]
    store.end_session("s2", NOW)
    assert listed() == ["s3", "s1", "s0"]
    assert store.session("s2", NOW) is None
    store.end_sessions(ada.id, NOW, except_hash="s1")
    assert listed() == ["s1"]
    store.end_sessions(ada.id, NOW)
    assert listed() == []
    assert store.session("of ben", NOW) is not None


def test_expired_sessions_are_deleted_when_a_session_is_opened(tmp_path: Path, store: StaffStore, ada: Account) -> None:
    store.open_session(ada.id, "old", "password", NOW, LATER)
    store.open_session(ada.id, "long", "password", NOW, LATER + INSTANT)
    assert len(rows(tmp_path, "SELECT * FROM staff_session")) == 2
    store.open_session(ada.id, "new", "password", LATER, LATER + HOUR)
    assert rows(tmp_path, "SELECT id_hash FROM staff_session ORDER BY id_hash") == [("long",), ("new",)]


def test_a_session_says_when_it_was_last_used(store: StaffStore, ada: Account) -> None:
    store.open_session(ada.id, "s1", "password", NOW, LATER)
    store.open_session(ada.id, "s2", "password", NOW, LATER)

    def last_uses() -> dict[str, datetime]:
        return {session.id_hash: session.last_used_at for session in store.sessions(ada.id, NOW)}

    assert last_uses() == {"s1": NOW, "s2": NOW}
    store.use_session("s1", NOW + INSTANT)
    assert last_uses() == {"s1": NOW + INSTANT, "s2": NOW}
    store.use_session("s1", NOW)
    assert last_uses()["s1"] == NOW + INSTANT, "a slower process does not turn it back"
