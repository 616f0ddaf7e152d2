"""A backup is the whole store at one moment, and is restored into an empty place only, after it was verified."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from telemetry_quality import cli
from telemetry_quality.errors import StoreError
from telemetry_quality.storage.backup import back_up, restore
from telemetry_quality.storage.staff.store import StaffStore
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import NOW, make_store, migrated_store
from telemetry_quality_tests.storage.examples import make_action, make_full_scan, make_mark, make_sign_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def fill(url: str) -> None:
    store, staff = SqlQualityStore(url), StaffStore(url)
    store.append_scan("web", make_full_scan(), (), NOW)
    store.append_incident_action(make_action(note="a\x00b␀0"))
    ada = staff.add_account("ada", "hash", NOW)
    staff.add_token(ada.id, "grafana", "fingerprint", NOW, 365)
    staff.secret(NOW)
    staff.record(make_sign_in())
    staff.close()


class Writer(Thread):
    """Somebody who marks days all the while."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._store = SqlQualityStore(url)
        self.is_over = Event()
        self.has_begun = Event()

    def run(self) -> None:
        while not self.is_over.is_set():
            self._store.append_marked_days(make_mark())
            self._store.append_scan("app", make_full_scan(), (), NOW)
            self.has_begun.set()


@pytest.mark.slow
def test_a_backup_made_while_others_write_is_one_moment_and_goes_on_where_it_was_restored(
    tmp_path: Path, store_url: str, new_postgresql_store: Callable[[], str]
) -> None:
    fill(store_url)
    writer = Writer(store_url)
    writer.start()
    assert writer.has_begun.wait(30)
    anchor = back_up(store_url, tmp_path / "backup.db")
    writer.is_over.set()
    writer.join()
    assert (tmp_path / "backup.db").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir() if "backup" in file.name] == ["backup.db"]
    assert SqlQualityStore(store_url).verify([anchor]).findings == ()
    for url in (f"sqlite:///{tmp_path / 'new' / 'restored.db'}", new_postgresql_store()):
        assert restore(tmp_path / "backup.db", url) == anchor
        store, staff = SqlQualityStore(url), StaffStore(url)
        assert [action.note for action in store.incident_actions("web")] == ["a\x00b␀0"]
        assert staff.secret(NOW) == StaffStore(store_url).secret(NOW)
        bob = staff.add_account("bob", "hash", NOW)
        staff.add_token(bob.id, "cron", "other", NOW, 365)
        staff.record(make_sign_in())
        store.append_scan("new", make_full_scan(), (), NOW)
        store.append_marked_days(make_mark())
        verification = store.verify([anchor])
        assert verification.findings == ()
        assert verification.rows > 20
        staff.close()


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    make_store(tmp_path)
    fill(f"sqlite:///{tmp_path / 'quality.db'}")
    back_up(f"sqlite:///{tmp_path / 'quality.db'}", tmp_path / "backup.db")
    return tmp_path / "backup.db"


def test_a_store_with_rows_is_not_restored_over_and_an_empty_one_is(backup: Path, tmp_path: Path) -> None:
    before = (tmp_path / "quality.db").read_bytes()
    with pytest.raises(StoreError, match=r"must be empty or missing, but \w+ has rows"):
        restore(backup, f"sqlite:///{tmp_path / 'quality.db'}")
    assert (tmp_path / "quality.db").read_bytes() == before
    restore(backup, migrated_store(tmp_path / "empty.db"))


def test_a_backup_is_never_written_over(backup: Path, tmp_path: Path) -> None:
    before = backup.read_bytes()
    with pytest.raises(StoreError, match="must be a new file, but exists"):
        back_up(f"sqlite:///{tmp_path / 'quality.db'}", backup)
    assert backup.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE staff_account SET password_hash = 'mine'", "accounts, sessions, tokens or the key"),
        ("DROP TRIGGER sign_in_no_update; UPDATE sign_in SET outcome = 'signed_in'", "2 things were changed"),
        ("DROP TABLE backup_seal", "it is no backup, or its writing was interrupted"),
        ("UPDATE alembic_version SET version_num = '9999'", "install the telemetry-quality version that made it"),
        ("UPDATE alembic_version SET version_num = '0001'", "must have schema"),
    ],
)
def test_a_backup_that_was_changed_or_is_of_another_version_is_refused(
    backup: Path, tmp_path: Path, change: str, found: str
) -> None:
    with closing(sqlite3.connect(backup)) as connection:
        connection.executescript(change)
    with pytest.raises(StoreError, match=found):
        restore(backup, f"sqlite:///{tmp_path / 'new.db'}")
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize("damage", ["cut", "zeros", "text"])
def test_a_damaged_file_is_refused_in_a_sentence(backup: Path, tmp_path: Path, damage: str) -> None:
    whole = backup.read_bytes()
    middle = len(whole) // 2
    backup.write_bytes(
        {"cut": whole[:middle], "zeros": whole[:middle] + bytes(len(whole) - middle), "text": b"none"}[damage]
    )
    with pytest.raises(StoreError):
        restore(backup, f"sqlite:///{tmp_path / 'new.db'}")
    assert not (tmp_path / "new.db").exists()


def test_a_backup_of_any_name_is_made_and_restored_again(backup: Path, tmp_path: Path) -> None:
    for number, name in enumerate(("100%.db", "what?.db", "a b#c.db")):
        made = back_up(f"sqlite:///{tmp_path / 'quality.db'}", tmp_path / name)
        assert restore(tmp_path / name, f"sqlite:///{tmp_path / str(number)}") == made


@pytest.mark.parametrize("name", ["nowhere/backup.db", f"{'x' * 300}.db", "quality.db/backup.db"])
def test_a_file_that_cannot_be_written_or_read_is_named_in_a_sentence(backup: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="must be readable and writable, but:"):
        back_up(f"sqlite:///{tmp_path / 'quality.db'}", tmp_path / name)
    with pytest.raises(StoreError, match=r"must be readable and writable, but:|must exist, but does not"):
        restore(tmp_path / name, f"sqlite:///{tmp_path / 'new.db'}")


def test_the_commands_back_up_and_restore_and_every_command_refuses_a_newer_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(migrated_store(tmp_path / "made.db").removeprefix("sqlite:///"), "telemetry_quality.db")
    fill(f"sqlite:///{tmp_path / 'telemetry_quality.db'}")
    assert typed("init") == 0
    assert typed("backup", "backup.db") == 0
    assert typed("restore", "backup.db") == 2
    (tmp_path / "telemetry_quality.db").unlink()
    assert typed("restore", "backup.db") == 0
    assert typed("verify") == 0
    with closing(sqlite3.connect("telemetry_quality.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for command in (
        ("backfill", "2026-01-01", "2026-01-02"),
        ("backup", "other.db"),
        ("dashboard",),
        ("days", "list"),
        ("health",),
        ("incidents",),
        ("migrate",),
        ("restore", "backup.db"),
        ("snapshot", "2026-01-01"),
        ("staff", "list"),
        ("tune",),
        ("verify",),
    ):
        capsys.readouterr()
        assert typed(*command) == 2, command
        told = capsys.readouterr().err
        assert "Traceback" not in told
        assert command[0] == "restore" or "install the telemetry-quality version that made it" in told, told


def typed(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    return int(stop.value.code or 0)
