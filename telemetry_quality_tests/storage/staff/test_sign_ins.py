"""The sign-in log keeps every attempt, whatever a stranger sends, and counts those that failed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.storage.staff.lookup import NAME_LENGTH, Account
from telemetry_quality.storage.staff.sign_ins import KNOWN_BROWSER, Failures, SignInOutcome
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.storage.examples import make_sign_in
from telemetry_quality_tests.storage.staff.questions import HOUR, INSTANT, url_of

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from telemetry_quality.storage.staff.store import StaffStore


def test_attempts_are_kept_for_ever_and_shown_newest_first(store: StaffStore, ada: Account) -> None:
    attempts = [make_sign_in(at=NOW + number * HOUR, outcome=outcome) for number, outcome in enumerate(SignInOutcome)]
    for attempt in attempts:
        store.record(attempt)
    assert store.sign_ins() == attempts[::-1]
    assert store.sign_ins(2) == attempts[:-3:-1]
    store.record(make_sign_in(account_name="ben"))
    assert [attempt.account_name for attempt in store.sign_ins(limit=50, account_name="BEN")] == ["ben"]
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
    assert store.failures_since(attempt.account_name, attempt.address, NOW - HOUR) == Failures(0, count, count, count)


def test_failures_are_counted_for_the_account_for_the_address_and_for_both(store: StaffStore) -> None:
    for name, address in (("ada", "::1"), ("ADA", "::1"), ("ada", "::2"), ("ben", "::1"), ("eve", "::3")):
        store.record(make_sign_in(account_name=name, address=address))
    assert store.failures_since("Ada", "::1", NOW - HOUR) == Failures(0, here=2, of_address=3, of_account=3)
    assert store.failures_since("ada", "::2", NOW - HOUR) == Failures(0, here=1, of_address=1, of_account=3)
    assert store.failures_since("nobody", "::4", NOW - HOUR) == Failures(0, 0, 0, 0)


def test_failures_in_known_browsers_are_counted_for_the_account_and_nowhere_else(store: StaffStore) -> None:
    store.record(make_sign_in(account_name="ada", address="::1", method=KNOWN_BROWSER))
    assert store.failures_since("ada", "::1", NOW - HOUR) == Failures(1, 0, 0, 0)
    assert store.failures_since("ben", "::1", NOW - HOUR) == Failures(0, 0, 0, 0)


@pytest.mark.parametrize(("changed_at", "count"), [(NOW - INSTANT, 1), (NOW, 1), (NOW + INSTANT, 0)])
def test_guesses_at_an_earlier_password_do_not_count(
    store: StaffStore, ada: Account, changed_at: datetime, count: int
) -> None:
    store.record(make_sign_in(account_name=ada.name, address="::1"))
    store.record(make_sign_in(account_name="ben", address="::1"))
    store.set_password(ada.name, "another hash", changed_at)
    found = store.failures_since(ada.name, "::1", NOW - HOUR)
    assert found == Failures(0, here=count, of_address=1 + count, of_account=count)


@pytest.mark.parametrize(("since", "count"), [(NOW - INSTANT, 1), (NOW, 0), (NOW + INSTANT, 0)])
def test_a_failure_counts_until_the_window_has_moved_past_it(store: StaffStore, since: datetime, count: int) -> None:
    attempt = make_sign_in()
    store.record(attempt)
    assert store.failures_since(attempt.account_name, attempt.address, since) == Failures(0, count, count, count)


def test_what_strangers_send_is_cut_before_it_is_stored_and_still_counted(store: StaffStore) -> None:
    name, address = "X" * 100_000, "y" * 100_000
    store.record(make_sign_in(account_name=name, address=address, method="z" * 300))
    store.record(make_sign_in(account_name="ﷺ" * NAME_LENGTH))
    expanded, kept = store.sign_ins()
    assert (kept.account_name, kept.address) == ("x" * NAME_LENGTH, "y" * NAME_LENGTH)
    assert (len(kept.method), len(expanded.account_name)) == (NAME_LENGTH, NAME_LENGTH)
    assert store.failures_since(name, address, NOW - HOUR) == Failures(0, 1, 1, 1)


@pytest.mark.parametrize("name", ["", "a\x00b", "a lone \udcff surrogate", "'; DROP TABLE sign_in; --", "<b>\x1b[2J"])
def test_whatever_a_stranger_types_is_kept_and_the_chain_stays_whole(
    tmp_path: Path, store: StaffStore, name: str
) -> None:
    attempt = make_sign_in(account_name=name, address=name)
    store.record(attempt)
    store.record(attempt)
    assert store.failures_since(name, name, NOW - HOUR) == Failures(0, 2, 2, 2)
    verification = SqlQualityStore(url_of(tmp_path)).verify()
    assert (verification.findings, verification.rows) == ((), 2)


def test_attempts_from_many_threads_at_once_make_one_chain(tmp_path: Path, store: StaffStore) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: store.record(make_sign_in(address=f"::{number}")), range(40)))
    assert {attempt.address for attempt in store.sign_ins(100)} == {f"::{number}" for number in range(40)}
    verification = SqlQualityStore(url_of(tmp_path)).verify()
    assert (verification.findings, verification.rows) == ((), 40)
