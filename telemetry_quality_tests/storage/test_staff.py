"""Who is let in, for how long, and what is remembered of it: nothing that would let anybody else in."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from telemetry_quality.errors import RequestError, StoreError
from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.staff import (
    NAME_LENGTH,
    SECRET_BYTES,
    Account,
    SignInOutcome,
    StaffStore,
    fingerprint,
    new_token,
)
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import NOW, make_reading
from telemetry_quality_tests.storage.examples import make_act, make_sign_in
from telemetry_quality_tests.storage.test_concurrency import Appender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

INSTANT = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
LATER = NOW + HOUR


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'quality.db'}"


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated store, made once, for copying."""
    folder = tmp_path_factory.mktemp("empty")
    migrate(url_of(folder))
    return folder / "quality.db"


@pytest.fixture
def store(tmp_path: Path, empty_store: Path) -> Iterator[StaffStore]:
    shutil.copyfile(empty_store, tmp_path / "quality.db")
    staff = StaffStore(url_of(tmp_path))
    yield staff
    staff.close()


@pytest.fixture
def ada(store: StaffStore) -> Account:
    return store.add_account("ada@example.org", "hash", NOW)


@pytest.fixture
def ben(store: StaffStore) -> Account:
    return store.add_account("ben", None, NOW)


def rows(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(folder / "quality.db")
    found = connection.execute(statement).fetchall()
    connection.close()
    return found


@contextmanager
def statements_of(store: StaffStore) -> Iterator[list[str]]:
    """What the store asks the database in the meantime."""
    asked: list[str] = []

    @event.listens_for(store._engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            asked.append(statement)

    yield asked
    event.remove(store._engine, "before_cursor_execute", note)


# Accounts


def test_a_new_account_is_there_in_whatever_case_its_name_is_typed(store: StaffStore) -> None:
    added = store.add_account(" Ada@Example.ORG ", "hash", NOW)
    assert (added.name, added.password_hash, added.is_active) == ("ada@example.org", "hash", True)
    assert (added.created_at, added.disabled_at, added.oidc_subject, added.oidc_issuer) == (NOW, None, None, None)
    assert store.account("ADA@example.org") == store.require_account("ada@Example.org") == added
    assert store.account("ada") is None


def test_accounts_are_listed_by_name_with_those_that_are_disabled(store: StaffStore, ben: Account) -> None:
    store.add_account("Ada", "hash", NOW)
    store.disable("ben", LATER)
    assert [(one.name, one.is_active, one.disabled_at) for one in store.accounts()] == [
        ("ada", True, None),
        ("ben", False, LATER),
    ]


@pytest.mark.parametrize("name", ["ada@example.org", "ADA@EXAMPLE.ORG", "ａda@example.org"])
def test_a_name_that_is_taken_is_refused_however_it_is_written(store: StaffStore, ada: Account, name: str) -> None:
    with pytest.raises(RequestError, match=r"but 'ada@example\.org' exists; .* staff reset"):
        store.add_account(name, "other", NOW)
    assert store.accounts() == [ada]


@pytest.mark.parametrize("name", ["", " ", "a b", "a\tb", "a\x00b", "a\x1b[2Jb", "a\u202eb", "x" * (NAME_LENGTH + 1)])
def test_a_name_that_could_be_mistaken_is_refused(store: StaffStore, name: str) -> None:
    with pytest.raises(RequestError, match="name of 1 to 200 printable characters without spaces is required") as no:
        store.add_account(name, None, NOW)
    assert len(str(no.value)) < 400
    assert store.accounts() == []


@pytest.mark.parametrize("length", [1, NAME_LENGTH - 1, NAME_LENGTH])
def test_a_name_may_be_as_long_as_it_is_kept(store: StaffStore, length: int) -> None:
    assert store.add_account("x" * length, None, NOW).name == "x" * length


def test_a_name_that_nobody_has_is_refused_wherever_an_account_is_changed(store: StaffStore, ada: Account) -> None:
    changes: list[Callable[[], Any]] = [
        lambda: store.require_account("eve"),
        lambda: store.set_password("eve", "hash", NOW),
        lambda: store.reset_oidc("eve", NOW),
        lambda: store.disable("eve", NOW),
        lambda: store.enable("eve"),
    ]
    for change in changes:
        with pytest.raises(RequestError, match="'eve' is none; telemetry-quality staff list shows them"):
            change()
    assert store.accounts() == [ada]


def test_a_new_password_takes_the_place_of_the_old_one_and_ends_the_sessions_it_opened(
    store: StaffStore, ada: Account, ben: Account
) -> None:
    store.open_session(ada.id, "s1", "password", NOW, LATER)
    store.open_session(ben.id, "s2", "oidc", NOW, LATER)
    store.set_password("ADA@example.org", "new hash", NOW)
    assert store.require_account(ada.name).password_hash == "new hash"
    assert store.session("s1", NOW) is None
    assert store.session("s2", NOW) is not None
    assert store.require_account("ben").password_hash is None


def test_a_password_hashed_anew_ends_no_session_and_never_brings_back_an_old_password(
    store: StaffStore, ada: Account
) -> None:
    store.open_session(ada.id, "s1", "password", NOW, LATER)
    store.rehash(ada.id, "hash", "dearer hash")
    assert store.require_account(ada.name).password_hash == "dearer hash"
    assert store.session("s1", NOW) is not None
    store.set_password(ada.name, "hash of another password", NOW)
    store.rehash(ada.id, "dearer hash", "still dearer hash")
    assert store.require_account(ada.name).password_hash == "hash of another password"


def test_disabling_ends_sessions_and_tokens_at_once_and_for_good(store: StaffStore, ada: Account, ben: Account) -> None:
    for account in (ada, ben):
        store.open_session(account.id, f"session of {account.name}", "password", NOW, LATER)
        store.add_token(account.id, "cron", f"token of {account.name}", NOW, None)
    store.disable(ada.name, NOW)
    for _ in range(2):
        assert store.session("session of ada@example.org", NOW) is None
        assert store.sessions(ada.id, NOW) == []
        assert store.token_account("token of ada@example.org", NOW) is None
        assert store.tokens(ada.id)[0].revoked_at == NOW
        store.enable(ada.name)
        assert store.require_account(ada.name) == ada
    assert store.session("session of ben", NOW) is not None
    assert store.token_account("token of ben", NOW) == ben


def test_a_disabled_account_is_shut_out_even_where_a_session_or_a_token_were_left(
    tmp_path: Path, store: StaffStore, ada: Account
) -> None:
    store.open_session(ada.id, "s1", "password", NOW, LATER)
    store.add_token(ada.id, "cron", "t1", NOW, None)
    connection = sqlite3.connect(tmp_path / "quality.db")
    connection.execute("UPDATE staff_account SET disabled_at = '2026-06-01 12:00:00.000000'")
    connection.commit()
    connection.close()
    assert (store.session("s1", NOW), store.sessions(ada.id, NOW), store.token_account("t1", NOW)) == (None, [], None)


def test_disabling_twice_keeps_the_first_time(store: StaffStore, ada: Account) -> None:
    store.disable(ada.name, NOW)
    store.disable(ada.name, LATER)
    assert store.require_account(ada.name).disabled_at == NOW


def test_a_disabled_account_gets_neither_session_nor_token(store: StaffStore, ada: Account) -> None:
    store.disable(ada.name, NOW)
    with pytest.raises(RequestError, match=r"'ada@example\.org' is disabled or gone"):
        store.open_session(ada.id, "s1", "password", NOW, LATER)
    with pytest.raises(RequestError, match="number 77 is disabled or gone"):
        store.add_token(77, "cron", "t1", NOW, None)
    store.enable(ada.name)
    assert store.sessions(ada.id, NOW) == []
    assert store.tokens() == []


# The OpenID Connect provider


def test_an_account_is_bound_to_one_subject_at_the_provider_and_to_no_other(store: StaffStore, ben: Account) -> None:
    store.bind_oidc(ben.id, "https://id.example.org", "1234")
    store.bind_oidc(ben.id, "https://id.example.org", "1234")
    for issuer, subject in (("https://id.example.org", "5678"), ("https://other.example.org", "1234")):
        with pytest.raises(RequestError, match="bound to nobody else at the OpenID Connect provider"):
            store.bind_oidc(ben.id, issuer, subject)
    bound = store.require_account("ben")
    assert (bound.oidc_issuer, bound.oidc_subject) == ("https://id.example.org", "1234")


def test_one_subject_at_the_provider_has_one_account(store: StaffStore, ada: Account, ben: Account) -> None:
    store.bind_oidc(ada.id, "https://id.example.org", "1234")
    with pytest.raises(RequestError, match="bound to nobody else"):
        store.bind_oidc(ben.id, "https://id.example.org", "1234")
    with pytest.raises(RequestError, match="bound to nobody else"):
        store.bind_oidc(77, "https://id.example.org", "9999")
    assert store.require_account("ben").oidc_subject is None
    store.bind_oidc(ben.id, "https://other.example.org", "1234")


def test_resetting_it_lets_an_account_be_bound_anew_and_takes_password_and_sessions(
    store: StaffStore, ada: Account
) -> None:
    store.bind_oidc(ada.id, "https://id.example.org", "1234")
    store.open_session(ada.id, "s1", "oidc", NOW, LATER)
    store.reset_oidc(ada.name, NOW)
    assert store.session("s1", NOW) is None
    assert store.require_account(ada.name).password_hash is None
    store.bind_oidc(ada.id, "https://new.example.org", "1234")
    assert store.require_account(ada.name).oidc_issuer == "https://new.example.org"


# Sessions


def test_a_session_says_whose_it_is_and_how_it_was_opened(store: StaffStore, ada: Account) -> None:
    store.open_session(ada.id, "s1", "password", NOW, LATER)
    found = store.session("s1", NOW)
    assert found is not None
    assert (found.account, found.id_hash, found.method) == (ada, "s1", "password")
    assert (found.created_at, found.expires_at) == (NOW, LATER)
    assert store.session("s2", NOW) is None


@pytest.mark.parametrize(("moment", "is_open"), [(LATER - INSTANT, True), (LATER, False), (LATER + INSTANT, False)])
def test_a_session_is_over_at_the_very_moment_it_expires(
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
        return [one.id_hash for one in store.sessions(ada.id, NOW)]

    assert listed() == ["s3", "s2", "s1", "s0"]
    store.end_session("s2", NOW)
    assert listed() == ["s3", "s1", "s0"]
    assert store.session("s2", NOW) is None
    store.end_sessions(ada.id, NOW, except_hash="s1")
    assert listed() == ["s1"]
    store.end_sessions(ada.id, NOW)
    assert listed() == []
    assert store.session("of ben", NOW) is not None


def test_sessions_whose_time_is_over_are_forgotten_when_one_is_opened(
    tmp_path: Path, store: StaffStore, ada: Account
) -> None:
    store.open_session(ada.id, "old", "password", NOW, LATER)
    store.open_session(ada.id, "long", "password", NOW, LATER + INSTANT)
    assert len(rows(tmp_path, "SELECT * FROM staff_session")) == 2
    store.open_session(ada.id, "new", "password", LATER, LATER + HOUR)
    assert rows(tmp_path, "SELECT id_hash FROM staff_session ORDER BY id_hash") == [("long",), ("new",)]


# Tokens


def test_a_token_speaks_for_its_account_until_it_is_revoked(store: StaffStore, ada: Account, ben: Account) -> None:
    token = store.add_token(ada.id, " cron of the wall screen ", "t1", NOW, LATER)
    assert (token.account_name, token.label, token.created_at) == (ada.name, "cron of the wall screen", NOW)
    assert (token.expires_at, token.revoked_at) == (LATER, None)
    assert store.token_account("t1", NOW) == ada
    assert store.token_account("t2", NOW) is None
    assert not store.revoke_token(token.id, ben.id, NOW)
    assert not store.revoke_token(token.id + 1, None, NOW)
    assert store.token_account("t1", NOW) == ada
    assert store.revoke_token(token.id, ada.id, NOW)
    assert store.token_account("t1", NOW) is None
    assert not store.revoke_token(token.id, None, LATER)
    assert store.tokens()[0].revoked_at == NOW


@pytest.mark.parametrize(("moment", "is_good"), [(LATER - INSTANT, True), (LATER, False), (LATER + INSTANT, False)])
def test_a_token_is_over_at_the_very_moment_it_expires(
    store: StaffStore, ada: Account, moment: datetime, is_good: bool
) -> None:
    store.add_token(ada.id, "cron", "t1", NOW, LATER)
    assert (store.token_account("t1", moment) is not None) is is_good


def test_a_token_without_an_end_goes_on(store: StaffStore, ada: Account) -> None:
    store.add_token(ada.id, "cron", "t1", NOW, None)
    assert store.token_account("t1", datetime(2126, 1, 1, tzinfo=UTC)) == ada


def test_tokens_are_listed_oldest_first_for_one_account_or_all(store: StaffStore, ada: Account, ben: Account) -> None:
    for number, account in enumerate((ada, ben, ada)):
        store.add_token(account.id, f"label {number}", f"t{number}", NOW, None)
    store.revoke_token(1, None, NOW)
    assert [(one.id, one.account_name, one.revoked_at) for one in store.tokens()] == [
        (1, ada.name, NOW),
        (2, "ben", None),
        (3, ada.name, None),
    ]
    assert [one.label for one in store.tokens(ben.id)] == ["label 1"]


@pytest.mark.parametrize("label", ["", "  ", "a\x1b[2J"])
def test_a_label_must_say_something(store: StaffStore, ada: Account, label: str) -> None:
    with pytest.raises(RequestError, match="A label that says what the token is for is required"):
        store.add_token(ada.id, label, "t1", NOW, None)
    assert store.tokens() == []


def test_a_long_label_is_cut(store: StaffStore, ada: Account) -> None:
    assert store.add_token(ada.id, "x" * 10_000, "t1", NOW, None).label == "x" * NAME_LENGTH


def test_tokens_are_random_and_long_enough_never_to_be_guessed() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 46 and token.startswith("tq_") for token in tokens)
    assert fingerprint("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len(fingerprint("a lone \udcff surrogate")) == 64


# What is asked for every request


def test_a_session_a_token_and_the_failures_are_one_question_each(store: StaffStore, ada: Account) -> None:
    store.open_session(ada.id, "s1", "password", NOW, LATER)
    store.add_token(ada.id, "cron", "t1", NOW, None)
    for question in (
        lambda: store.session("s1", NOW),
        lambda: store.token_account("t1", NOW),
        lambda: store.failures_since(ada.name, "192.0.2.7", NOW),
    ):
        with statements_of(store) as asked:
            assert question() is not None
        assert len(asked) == 1


def test_none_of_these_questions_reads_a_whole_table(tmp_path: Path, store: StaffStore, ada: Account) -> None:
    with statements_of(store) as asked:
        store.session("s1", NOW)
        store.token_account("t1", NOW)
        store.failures_since(ada.name, "192.0.2.7", NOW)
    for statement in asked:
        plan = rows(tmp_path, f"EXPLAIN QUERY PLAN {statement.replace('?', '1')}")
        steps = [step for *_, step in plan if step.startswith(("SCAN", "SEARCH"))]
        assert [step for step in steps if step.startswith("SCAN") and step != "SCAN CONSTANT ROW"] == []


# Sign-ins


def test_attempts_are_kept_for_ever_and_shown_newest_first(store: StaffStore, ada: Account) -> None:
    attempts = [make_sign_in(at=NOW + number * HOUR, outcome=one) for number, one in enumerate(SignInOutcome)]
    for attempt in attempts:
        store.record(attempt)
    assert store.sign_ins() == attempts[::-1]
    assert store.sign_ins(2) == attempts[:-3:-1]
    store.record(make_sign_in(account_name="ben"))
    assert [one.account_name for one in store.sign_ins(limit=50, account_name="BEN")] == ["ben"]
    assert store.last_signed_in() == {ada.name: attempts[0].at}


@pytest.mark.parametrize(
    ("outcome", "count"),
    [
        (SignInOutcome.WRONG_PASSWORD, 1),
        (SignInOutcome.UNKNOWN_ACCOUNT, 1),
        (SignInOutcome.DISABLED, 1),
        (SignInOutcome.SIGNED_IN, 0),
        (SignInOutcome.SIGNED_OUT, 0),
        (SignInOutcome.THROTTLED, 0),
        (SignInOutcome.REFUSED, 0),
    ],
)
def test_attempts_that_guessed_a_password_are_failures(store: StaffStore, outcome: SignInOutcome, count: int) -> None:
    attempt = make_sign_in(outcome=outcome)
    store.record(attempt)
    assert store.failures_since(attempt.account_name, attempt.address, NOW - HOUR) == (count, count)


def test_failures_are_counted_for_the_account_and_for_the_address_apart(store: StaffStore) -> None:
    for name, address in (("ada", "::1"), ("ADA", "::1"), ("ada", "::2"), ("ben", "::1"), ("eve", "::3")):
        store.record(make_sign_in(account_name=name, address=address))
    assert store.failures_since("Ada", "::1", NOW - HOUR) == (3, 3)
    assert store.failures_since("ada", "::2", NOW - HOUR) == (3, 1)
    assert store.failures_since("nobody", "::4", NOW - HOUR) == (0, 0)


@pytest.mark.parametrize(("since", "count"), [(NOW - INSTANT, 1), (NOW, 0), (NOW + INSTANT, 0)])
def test_a_failure_counts_until_the_window_has_moved_past_it(store: StaffStore, since: datetime, count: int) -> None:
    attempt = make_sign_in()
    store.record(attempt)
    assert store.failures_since(attempt.account_name, attempt.address, since) == (count, count)


def test_what_strangers_send_is_cut_before_it_is_kept_and_counted_all_the_same(store: StaffStore) -> None:
    name, address = "X" * 100_000, "y" * 100_000
    store.record(make_sign_in(account_name=name, address=address, method="z" * 300))
    store.record(make_sign_in(account_name="ﷺ" * NAME_LENGTH))
    expanded, kept = store.sign_ins()
    assert (kept.account_name, kept.address) == ("x" * NAME_LENGTH, "y" * NAME_LENGTH)
    assert (len(kept.method), len(expanded.account_name)) == (NAME_LENGTH, NAME_LENGTH)
    assert store.failures_since(name, address, NOW - HOUR) == (1, 1)


@pytest.mark.parametrize("name", ["", "a\x00b", "a lone \udcff surrogate", "'; DROP TABLE sign_in; --", "<b>\x1b[2J"])
def test_whatever_a_stranger_types_is_kept_and_the_chain_stays_whole(
    tmp_path: Path, store: StaffStore, name: str
) -> None:
    attempt = make_sign_in(account_name=name, address=name)
    store.record(attempt)
    store.record(attempt)
    assert store.failures_since(name, name, NOW - HOUR) == (2, 2)
    verification = SqlQualityStore(url_of(tmp_path)).verify()
    assert (verification.findings, verification.rows) == ((), 2)


def test_attempts_from_many_threads_at_once_make_one_chain(tmp_path: Path, store: StaffStore) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: store.record(make_sign_in(address=f"::{number}")), range(40)))
    assert {one.address for one in store.sign_ins(100)} == {f"::{number}" for number in range(40)}
    verification = SqlQualityStore(url_of(tmp_path)).verify()
    assert (verification.findings, verification.rows) == ((), 40)


# The key of the cookies


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
from telemetry_quality.storage.staff import StaffStore
store = StaffStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(store.secret(datetime.now(UTC)).hex(), flush=True)
store.close()
"""


@pytest.mark.slow
def test_processes_that_ask_for_the_key_at_once_are_told_the_same_one(tmp_path: Path, store: StaffStore) -> None:
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
    # They wait for this writer, and go on in the same moment.
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
    told = [process.communicate(timeout=60) for process in processes]
    assert told == [(f"{store.secret(NOW).hex()}\n", "")] * 2


# What may be kept in memory


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


def test_every_change_of_who_may_come_in_changes_the_version(store: StaffStore, ada: Account) -> None:
    store.open_session(ada.id, "s1", "password", NOW, LATER)
    store.add_token(ada.id, "cron", "t1", NOW, None)
    changes: list[Callable[[], Any]] = [
        lambda: store.end_session("s1", NOW),
        lambda: store.revoke_token(1, None, NOW),
        lambda: store.set_password(ada.name, "new", NOW),
        lambda: store.disable(ada.name, NOW),
        lambda: store.enable(ada.name),
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


def test_another_file_in_the_place_of_the_store_is_another_version(tmp_path: Path, store: StaffStore) -> None:
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


# Beside the day's work


def test_the_store_of_snapshots_and_that_of_staff_do_not_touch_each_other(
    tmp_path: Path, store: StaffStore, ada: Account
) -> None:
    quality = SqlQualityStore(url_of(tmp_path))
    quality.append_reading("web", make_reading(), (), NOW)
    quality.append_act(make_act())
    store.record(make_sign_in())
    store.disable(ada.name, NOW)
    assert quality.verify().findings == ()
    assert len(quality.acts("web")) == 1


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
    assert {one.sentence.partition(" behind ")[0] for one in findings} <= {"The reading"}, "its hashes are made up"


# What nobody learns


def test_only_fingerprints_of_tokens_and_sessions_are_in_the_file(
    tmp_path: Path, store: StaffStore, ada: Account
) -> None:
    token, session = new_token(), new_token()
    store.add_token(ada.id, "cron", fingerprint(token), NOW, None)
    store.open_session(ada.id, fingerprint(session), "password", NOW, LATER)
    store.record(make_sign_in())
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for text in (token, session):
        assert fingerprint(text).encode() in kept
        assert text.encode() not in kept
        assert text.removeprefix("tq_").encode() not in kept


def test_what_is_printed_of_an_account_or_a_session_holds_no_hash(store: StaffStore) -> None:
    account = store.add_account("ada", "the-password-hash", NOW)
    store.open_session(account.id, "the-session-hash", "password", NOW, LATER)
    shown = f"{account!r} {store.session('the-session-hash', NOW)!r} {store.sessions(account.id, NOW)}"
    assert "ada" in shown
    assert "-hash" not in shown


def test_a_log_of_everything_holds_no_hash_and_no_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "sqlalchemy")
    migrate(url_of(tmp_path))
    store = StaffStore(url_of(tmp_path))
    account = store.add_account("ada", "the-password-hash", NOW)
    store.open_session(account.id, "the-session-hash", "password", NOW, LATER)
    store.add_token(account.id, "cron", "the-token-hash", NOW, None)
    store.set_password("ada", "the-other-hash", NOW)
    key = store.secret(NOW)
    assert store.secret(NOW) == key
    assert store.account("ada") is not None
    assert store.token_account("the-token-hash", NOW) is not None
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


# A store that cannot be used


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
