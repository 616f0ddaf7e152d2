"""What all tests share: no settings leak in from the machine, and Dagster contacts nobody."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from telemetry_quality_tests.servers import (
    running_clickhouse,
    running_mariadb,
    running_object_server,
    running_postgresql,
    running_spark,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dagster import DagsterInstance

    from telemetry_quality_tests.servers import ClickHouse, MariaDB, ObjectServer, PostgreSQL, Spark

os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"
# A shell may ignore Ctrl-C for tests in the background, but the processes they start must receive it.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Looking for garbage among all that the tests import took a twentieth of their time.
gc.set_threshold(20_000, 20, 20)
# How long an example takes on a busy machine says nothing about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


HERE = Path(__file__).parent

SERVERS = frozenset({"browser", "clickhouse", "mariadb", "postgresql", "running_objects", "spark"})
"""The fixtures that start a server or a browser."""

SLOW_FIXTURES = SERVERS | {"instance"}
"""A test that asks for one of these is slow, and needs no mark to say so; a run of Dagster's takes a second."""

LONGEST_FIRST = (
    "sources/test_contract.py",
    "faults/test_daemon.py",
    "test_demo.py",
    "faults/test_kills.py",
    "sources/test_objects.py",
    "sources/test_spark.py",
    "orchestration/test_asset_checks.py",
)
"""The files that take longest, so that no process is still at one of them when the others have nothing left to do."""


def _is_left_out(item: pytest.Item) -> bool:
    """Whether a test runs only if everything is asked for, as ``make test-contract`` does."""
    has = {name: item.get_closest_marker(name) is not None for name in ("again", "costly", "essential", "rare", "twin")}
    is_beside_cases = has["again"] or not {"write", "write_many"}.isdisjoint(getattr(item, "fixturenames", ()))
    return has["rare"] or (is_beside_cases and (has["twin"] or (has["costly"] and not has["essential"])))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "WHOLE_CONTRACT" not in os.environ:
        left_out = list(filter(_is_left_out, items))
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not _is_left_out(item)]
    for item in items:
        if not SLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    order = {HERE / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


def _require_slow(request: pytest.FixtureRequest) -> None:
    """Fail where slow tests are left out: a test that gets a server by the fixture's name has to carry the mark."""
    if request.config.getoption("markexpr") == "not slow":
        pytest.fail(f"A test without the mark `slow` asked for {request.fixturename}.")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    for name in list(os.environ):
        if name.startswith("TELEMETRY_QUALITY_") or name == "DAGSTER_HOME":
            monkeypatch.delenv(name)


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    """A Dagster instance on SQLite, like a user's, in a temporary folder."""
    import dagster as dg  # noqa: PLC0415 - takes a second, which tests of the core need not pay

    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def quick_instance() -> Iterator[DagsterInstance]:
    """A Dagster instance in memory, which costs a tenth of one on disk."""
    import dagster as dg  # noqa: PLC0415 - as above

    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="session")
def postgresql(request: pytest.FixtureRequest) -> Iterator[PostgreSQL]:
    """A PostgreSQL server of this test process."""
    _require_slow(request)
    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def clickhouse(request: pytest.FixtureRequest) -> Iterator[ClickHouse]:
    """A ClickHouse server of this test process."""
    _require_slow(request)
    with running_clickhouse() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb(request: pytest.FixtureRequest) -> Iterator[MariaDB]:
    """A MariaDB server of this test process."""
    _require_slow(request)
    with running_mariadb() as server:
        yield server


@pytest.fixture(scope="session")
def running_objects(request: pytest.FixtureRequest) -> Iterator[ObjectServer]:
    """An object store of this test process."""
    _require_slow(request)
    with running_object_server() as server:
        yield server


@pytest.fixture
def objects(running_objects: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectServer]:
    """The object store, reset, with its credentials in the environment."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running_objects.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    running_objects.requests.clear()
    yield running_objects
    running_objects.fault = None


@pytest.fixture(scope="session")
def spark(request: pytest.FixtureRequest) -> Iterator[Spark]:
    """Spark for this test process: a cluster for the whole contract, and otherwise a server without workers.

    Its tests are in one file, so that only one process starts it.
    """
    _require_slow(request)
    with running_spark(workers=2 if "WHOLE_CONTRACT" in os.environ else 0) as cluster:
        yield cluster
