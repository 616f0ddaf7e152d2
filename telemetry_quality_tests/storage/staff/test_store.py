"""What is stored about staff lets nobody else in, is quick to query, and is never out of date."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import traceback
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.errors import StoreError
from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.staff.sign_ins import SignInOutcome
from telemetry_quality.storage.staff.store import SECRET_BYTES, StaffStore
from telemetry_quality.storage.staff.tokens import fingerprint, new_token
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import NOW, make_scan
from telemetry_quality_tests.storage.examples import make_action, make_sign_in
from telemetry_quality_tests.storage.staff.questions import LATER, rows, statements_of, url_of
from telemetry_quality_tests.storage.test_concurrency import Appender

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telemetry_quality.storage.staff.lookup import Account


def test_a_session_a_token_and_the_failures_take_one_query_each(store: StaffStore, ada: Account) -> None:
    store.open_session(ada.id, "s1", "password", NOW, LATER)
    store.add_token(ada.id, "cron", "t1", NOW, 365)
    for question in (
        lambda: store.session("s1", NOW),
        lambda: store.valid_token("t1", NOW),
        lambda: store.failures_since(ada.name, "192.0.2.7", NOW),
    ):
        with statements_of(store) as asked:
            assert question() is not None
        assert len(asked) == 1


def test_none_of_these_queries_scans_a_whole_table(tmp_path: Path, store: StaffStore, ada: Account) -> None:
    with statements_of(store) as asked:
        store.session("s1", NOW)
        store.valid_token("t1", NOW)
        store.failures_since(ada.name, "192.0.2.7", NOW)
    for statement in asked:
        plan = rows(tmp_path, f"EXPLAIN QUERY PLAN {statement.replace('?', '1')}")
        steps = [step for *_, step in plan if step.startswith(("SCAN", "SEARCH"))]
        assert [step for step in steps if step.startswith("SCAN") and step != "SCAN CONSTANT ROW"] == []


def test_the_key_is_made_once_and_is_the_same_for_all_workers(tmp_path: Path, store: StaffStore) -> None:
    other = StaffStore(url_of(tmp_path))
    key = store.secret(NOW)
    assert len(key) == SECRET_BYTES
    assert other.secret(LATER) == store.secret(LATER) == key
    assert len(rows(tmp_path, "SELECT * FROM staff_secret")) == 1
    other.close()


def test_another_store_has_another_key(tmp_path: Path, store: StaffStore) -> None:
    migrate(url_of(tmp_path / "other"))
    other = StaffStore(url_of(tmp_path / "other"))
    assert other.secret(NOW) != store.secret(NOW)
    other.close()


MAKE_KEY = """
import sys
from datetime import UTC, datetime
from telemetry_quality.storage.staff.store import StaffStore
store = StaffStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(store.secret(datetime.now(UTC)).hex(), flush=True)
store.close()
"""


@pytest.mark.slow
def test_processes_that_ask_for_the_key_at_once_get_the_same_key(tmp_path: Path, store: StaffStore) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE_KEY, url_of(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    # They wait for this writer and continue at the same moment.
    writer = sqlite3.connect(tmp_path / "quality.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        processes[0].wait(1)
    writer.execute("COMMIT")
    writer.close()
    shown = [process.communicate(timeout=60) for process in processes]
    assert shown == [(f"{store.secret(NOW).hex()}\n", "")] * 2


def test_the_version_stays_until_somebody_commits(tmp_path: Path, store: StaffStore, ada: Account) -> None:
    before = store.version()
    store.open_session(ada.id, "s1", "password", NOW, LATER)
    after = store.version()
    assert after != before
    store.session("s1", NOW)
    store.sign_ins()
    assert store.version() == after
    other = StaffStore(url_of(tmp_path))
    other.disable(ada.name, NOW)
    other.close()
    assert store.version() not in {before, after}


def test_every_change_of_access_changes_the_version(store: StaffStore, ada: Account) -> None:
    store.open_session(ada.id, "s1", "password", NOW, LATER)
    store.add_token(ada.id, "cron", "t1", NOW, 365)
    changes: list[Callable[[], Any]] = [
        lambda: store.end_session("s1", NOW),
        lambda: store.revoke_token(1, None, NOW),
        lambda: store.set_password(ada.name, "new", NOW),
        lambda: store.disable(ada.name, NOW),
        lambda: store.enable(ada.name, NOW),
    ]
    seen = [store.version()]
    for change in changes:
        change()
        seen.append(store.version())
    assert len(set(seen)) == len(seen) == 6


def test_a_version_from_before_closing_never_comes_back(store: StaffStore) -> None:
    before = store.version()
    store.close()
    assert store.version() != before


def test_a_replaced_store_has_another_version(tmp_path: Path, store: StaffStore) -> None:
    before = store.version()
    migrate(url_of(tmp_path / "other"))
    (tmp_path / "other" / "quality.db").replace(tmp_path / "quality.db")
    assert store.version() != before


def test_a_store_that_is_gone_has_no_version(tmp_path: Path, store: StaffStore) -> None:
    store.version()
    (tmp_path / "quality.db").unlink()
    with pytest.raises(StoreError, match=r"quality\.db must exist, but does not; run telemetry-quality migrate"):
        store.version()
    assert not (tmp_path / "quality.db").exists()


def test_the_store_of_snapshots_and_that_of_staff_do_not_touch_each_other(
    tmp_path: Path, store: StaffStore, ada: Account
) -> None:
    quality = SqlQualityStore(url_of(tmp_path))
    quality.append_scan("web", make_scan(), (), NOW)
    quality.append_incident_action(make_action())
    store.record(make_sign_in())
    store.disable(ada.name, NOW)
    assert quality.verify().findings == ()
    assert len(quality.incident_actions("web")) == 1


@pytest.mark.slow
def test_staff_come_and_go_while_a_backfill_writes(tmp_path: Path, store: StaffStore, ada: Account) -> None:
    backfill = Appender(url_of(tmp_path), 0, 100_000)
    assert backfill.line() == "ready"
    backfill.go()
    assert backfill.line() == "0"
    longest = 0.0
    for number in range(20):
        started = monotonic()
        store.open_session(ada.id, f"s{number}", "password", NOW, LATER)
        store.record(make_sign_in(outcome=SignInOutcome.SIGNED_IN))
        assert store.session(f"s{number}", NOW) is not None
        store.end_session(f"s{number}", NOW)
        assert store.session(f"s{number}", NOW) is None
        longest = max(longest, monotonic() - started)
    assert backfill.process.poll() is None, "it went on all the while"
    backfill.process.kill()
    backfill.finish()
    assert longest < 10
    assert len(store.sign_ins()) == 20
    findings = SqlQualityStore(url_of(tmp_path)).verify().findings
    assert {finding.sentence.partition(" behind ")[0] for finding in findings} <= {"The scan"}, "its hashes are made up"


def test_only_fingerprints_of_tokens_and_sessions_are_in_the_file(
    tmp_path: Path, store: StaffStore, ada: Account
) -> None:
    token, session = new_token(), new_token()
    store.add_token(ada.id, "cron", fingerprint(token), NOW, 365)
    store.open_session(ada.id, fingerprint(session), "password", NOW, LATER)
    store.record(make_sign_in())
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for text in (token, session):
        assert fingerprint(text).encode() in kept
        assert text.encode() not in kept
        assert text.removeprefix("tq_").encode() not in kept


def test_printed_accounts_and_sessions_contain_no_hash(store: StaffStore) -> None:
    account = store.add_account("ada", "the-password-hash", NOW)
    store.open_session(account.id, "the-session-hash", "password", NOW, LATER)
    shown = f"{account!r} {store.session('the-session-hash', NOW)!r} {store.sessions(account.id, NOW)}"
    assert "ada" in shown
    assert "-hash" not in shown


def test_a_log_of_everything_contains_no_hash_and_no_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "sqlalchemy")
    migrate(url_of(tmp_path))
    store = StaffStore(url_of(tmp_path))
    account = store.add_account("ada", "the-password-hash", NOW)
    store.open_session(account.id, "the-session-hash", "password", NOW, LATER)
    store.add_token(account.id, "cron", "the-token-hash", NOW, 365)
    store.set_password("ada", "the-other-hash", NOW)
    key = store.secret(NOW)
    assert store.secret(NOW) == key
    assert store.account("ada") is not None
    assert store.valid_token("the-token-hash", NOW) is not None
    store.close()
    assert "-hash" not in caplog.text
    assert repr(key) not in caplog.text
    assert key.hex() not in caplog.text


def test_an_error_of_the_database_names_no_value(store: StaffStore, ada: Account) -> None:
    id_hash = fingerprint("session")
    store.open_session(ada.id, id_hash, "password", NOW, LATER)
    with pytest.raises(StoreError, match="UNIQUE constraint failed") as failed:
        store.open_session(ada.id, id_hash, "password", NOW, LATER)
    shown = "".join(traceback.format_exception(failed.value))
    assert "INSERT INTO staff_session" in shown
    assert id_hash not in shown


def test_a_store_that_is_not_there_or_too_old_says_what_to_run(tmp_path: Path) -> None:
    store = StaffStore(url_of(tmp_path))
    questions: list[Callable[[], Any]] = [
        store.accounts,
        store.version,
        lambda: store.add_account("ada", None, NOW),
        lambda: store.secret(NOW),
    ]
    for question in questions:
        with pytest.raises(StoreError, match=r"must exist, but does not; run telemetry-quality migrate"):
            question()
    assert list(tmp_path.iterdir()) == []
    sqlite3.connect(tmp_path / "quality.db").close()
    (tmp_path / "quality.db").touch()
    for question in questions:
        with pytest.raises(StoreError, match=r"must have schema \d{4}, but has none; run telemetry-quality migrate"):
            question()
    migrate(url_of(tmp_path))
    assert store.accounts() == []
    store.close()


def test_a_store_in_memory_is_refused() -> None:
    with pytest.raises(StoreError, match="sqlite:///FILE"):
        StaffStore("sqlite:///:memory:")
