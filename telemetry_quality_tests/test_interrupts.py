"""Ctrl-C never interrupts what must finish, and is never lost."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from telemetry_quality import interrupts
from telemetry_quality.interrupts import postponed_interrupts, pressed_interrupts
from telemetry_quality.storage.engine import open_engine, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def pythons_own_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_waits_for_the_end_of_the_block() -> None:
    done = []

    def work() -> None:
        with postponed_interrupts():
            press_ctrl_c()
            done.append("the rest of the block")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_an_interrupt_nothing_happens() -> None:
    with postponed_interrupts():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_blocks_within_blocks_end_together() -> None:
    done = []

    def work() -> None:
        with postponed_interrupts():
            with postponed_interrupts():
                press_ctrl_c()
            done.append("the outer block")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done


@pytest.mark.parametrize("blocks", [1, 2])
def test_an_interrupt_does_not_wait_for_what_may_never_end(monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    monkeypatch.setattr(interrupts, "PATIENCE_SECONDS", 0.05)

    def work() -> None:
        with ExitStack() as stack:
            for _ in range(blocks):
                stack.enter_context(postponed_interrupts())
            press_ctrl_c()
            time.sleep(30)

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        work()
    assert time.monotonic() - begun < 5
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_waits_for_a_server_after_an_interrupt_is_hung_up_and_the_interrupt_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(interrupts, "PATIENCE_SECONDS", 0.05)
    is_hung_up = threading.Event()

    def work() -> None:
        with pressed_interrupts(is_hung_up.set):
            try:
                press_ctrl_c()
                time.sleep(30)
            except KeyboardInterrupt:
                assert is_hung_up.wait(30)
                raise ConnectionError("the server said nothing") from None

    with pytest.raises(KeyboardInterrupt):
        work()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_nothing_is_hung_up_without_an_interrupt_and_other_errors_stay_as_they_are() -> None:
    is_hung_up = threading.Event()
    with pytest.raises(ConnectionError), pressed_interrupts(is_hung_up.set):
        raise ConnectionError
    assert not is_hung_up.is_set()


def test_a_handler_of_interrupts_is_called_afterwards() -> None:
    shown: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: shown.append(number))
    with postponed_interrupts():
        press_ctrl_c()
        assert not shown
    assert shown == [signal.SIGINT]


def test_an_interrupt_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with postponed_interrupts():
        press_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_in_another_thread_there_is_nothing_to_postpone() -> None:
    done: list[bool] = []

    def work() -> None:
        with postponed_interrupts():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done


def test_an_interrupted_transaction_is_committed_and_closed_quietly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "store.db"
    engine = open_engine(f"sqlite:///{file}")

    def work() -> None:
        with transaction(engine, writes=True) as connection:
            connection.exec_driver_sql("CREATE TABLE kept (number INTEGER)")
            press_ctrl_c()
            connection.exec_driver_sql("INSERT INTO kept VALUES (1)")

    with caplog.at_level(logging.DEBUG), pytest.raises(KeyboardInterrupt):
        work()
    assert "Exception" not in caplog.text
    with sqlite3.connect(file) as found:
        assert found.execute("SELECT number FROM kept").fetchall() == [(1,)]
