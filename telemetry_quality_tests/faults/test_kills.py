"""No day and no alert is lost, and none comes twice, whenever a process is killed."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING, NamedTuple

import pytest

from telemetry_quality_tests.faults.kill_hooks import DIE_AT, LEASE_SECONDS
from telemetry_quality_tests.faults.kills import CLI, ENTRANCES, SQLITE, Receiver, Yard, try_kills, write_days
from telemetry_quality_tests.faults.nursery import Nursery, running_nursery
from telemetry_quality_tests.orchestration.station import make_station
from telemetry_quality_tests.storage.conftest import new_postgresql_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DAYS, PROCESSES = 3, 6
pytestmark = pytest.mark.slow

__all__ = ["new_postgresql_store"]

KILLS = int(os.environ.get("KILLS", "1"))
STORES = ("sqlite", "postgresql")
EACH = [(entrance, store) for entrance in ENTRANCES for store in STORES]
WITHOUT_BEING_ASKED = [("backfill", "postgresql")]
"""Which of them are tried if ``KILLS`` says nothing: each step is tried below, where importing costs little."""


@pytest.mark.parametrize(("entrance", "store"), EACH if "KILLS" in os.environ else WITHOUT_BEING_ASKED)
def test_processes_killed_at_random_moments_lose_and_double_nothing(
    entrance: str, store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = SQLITE if store == "sqlite" else request.getfixturevalue("new_postgresql_store")()

    tally = try_kills(entrance, url, KILLS, tmp_path, seed=KILLS)

    assert tally.is_right, tally
    assert tally.kills == KILLS
    assert tally.alerts > 0


class Step(NamedTuple):
    """Where a process dies, and what is sent again because nothing says that it was sent."""

    place: str
    again: frozenset[str] = frozenset()


STORE = "telemetry_quality.storage.store:SqlQualityStore"
APPENDED = "telemetry_quality.storage.store:append after"
"""A row is appended, and its transaction not committed: the fourth and later ones are snapshots."""
APPENDED_ALERT = "telemetry_quality.storage.alerts:append after"
"""Likewise: claim, settlement, claim, settlement, on the log and then on the webhook."""
LOG, POST = "telemetry_quality.commands.alert_log:_log", "telemetry_quality_tests.faults.kill_hooks:post"
IN_LOG, TO_WEBHOOK = frozenset({"log"}), frozenset({"webhook"})

STEPS = [
    Step("telemetry_quality.sources.sql_source:SqlSource.scan_days before 1"),
    Step("telemetry_quality.core.daily:verify_sample before 2"),
    Step(f"{STORE}.append_scan before 2"),
    Step(f"{APPENDED} 2"),
    Step(f"{STORE}.append_scan after 3"),
    Step("telemetry_quality.core.daily:DailyWork._judge_day before 2"),
    Step(f"{APPENDED} 5"),
    Step(f"{STORE}.append_snapshot after 2"),
    Step(f"{STORE}.append_snapshot after 3"),
    Step(f"{STORE}.claim_alert before 1"),
    Step(f"{APPENDED_ALERT} 1"),
    Step(f"{STORE}.claim_alert after 1"),
    Step(f"{LOG} before 1"),
    Step(f"{LOG} after 1", again=IN_LOG),
    Step(f"{APPENDED_ALERT} 2", again=IN_LOG),
    Step(f"{STORE}.settle_alerts after 1"),
    Step(f"{POST} before 2"),
    Step(f"{POST} after 2", again=TO_WEBHOOK),
    Step(f"{APPENDED_ALERT} 8", again=TO_WEBHOOK),
    Step(f"{STORE}.settle_alerts after 4"),
]
ON_POSTGRESQL = [step for step in STEPS if "append" in step.place]
"""Where the databases differ: in what a transaction leaves behind that was not committed."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with running_nursery() as nursery:
        yield nursery


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().serving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The events of three days, of which two are bad."""
    station = make_station(tmp_path_factory.mktemp("station"), days=0)
    write_days(station, 0, DAYS)
    return station.folder / "events"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.rare)])
def make_yard(
    request: pytest.FixtureRequest, tmp_path: Path, events: Path, receiver: Receiver, nursery: Nursery
) -> Callable[[int], Yard]:
    """Makes yards with these events, whose numbers differ; nothing is judged yet."""
    is_local = request.param == "sqlite"
    new_store: Callable[[], str] = (lambda: SQLITE) if is_local else request.getfixturevalue("new_postgresql_store")

    def make(number: int) -> Yard:
        folder = tmp_path / str(number)
        shutil.copytree(events, folder / "events")
        yard = Yard(folder, new_store(), receiver, nursery, path=str(number))
        yard.number = DAYS
        return yard

    return make


def test_a_process_that_dies_at_any_step_leaves_the_rest_to_the_next(make_yard: Callable[[int], Yard]) -> None:
    is_local = make_yard(0).store_url.startswith("sqlite")
    for number, step in enumerate(STEPS if is_local else ON_POSTGRESQL, start=1):
        yard = make_yard(number)
        command = (*CLI, "backfill", str(yard.days[0]), str(yard.days[-1]))

        yard.nursery.start(yard.folder, command, {**yard.environment, LEASE_SECONDS: "0.5", DIE_AT: step.place})
        assert yard.nursery.exit_codes() == [-signal.SIGKILL], (step, yard.said())
        yard.finish(command, KILL_LEASE_SECONDS="0.5")

        tally = yard.tally("backfill")
        assert tally.is_right, (step, tally)
        repeated = {"log": tally.repeated_in_log, "webhook": tally.repeated_to_webhook}
        assert repeated == {channel: int(channel in step.again) for channel in repeated}, (step, tally)


def test_six_processes_at_once_dispatch_each_alert_once_on_each_channel(make_yard: Callable[[int], Yard]) -> None:
    yard = make_yard(0)
    yard.judge(yard.days)

    yard.finish((*CLI, "alerts", "dispatch"), PROCESSES, KILL_LEASE_SECONDS="30")

    tally = yard.tally("dispatch")
    assert tally.is_right, tally
    assert (tally.alerts, tally.repeated_in_log, tally.repeated_to_webhook) == (2, 0, 0)
