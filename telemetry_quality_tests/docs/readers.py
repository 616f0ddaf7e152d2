"""Who walks a page: what its reader has before the first step, and what the tests put in place of the reader's own."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from telemetry_quality_tests.docs.warehouses import write_warehouse
from telemetry_quality_tests.servers import free_port, running_clickhouse, running_postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

T = TypeVar("T")


@dataclass(frozen=True)
class Reader:
    """Somebody with an empty folder and the package.

    Attributes:
        folder: Where they type.
        environment: The variables of their shell.
        stack: What ends with the page, such as a server.
        replace: What stands on the page for places that only a reader has, and what the tests have there.
    """

    folder: Path
    environment: dict[str, str]
    stack: ExitStack
    replace: dict[str, str] = field(default_factory=dict)

    def enter(self, server: AbstractContextManager[T]) -> T:
        """Start a server that stops when the page ends."""
        return self.stack.enter_context(server)


@contextmanager
def new_reader(folder: Path) -> Iterator[Reader]:
    """A reader with the programs of this environment, a home of their own and nothing else."""
    reader, home = folder / "reader", folder / "home"
    reader.mkdir()
    home.mkdir()
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "COLUMNS": "250",
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }
    # Where the package is tested without being installed.
    if path := os.environ.get("PYTHONPATH"):
        environment["PYTHONPATH"] = path
    with ExitStack() as stack:
        yield Reader(reader, environment, stack)


def nothing_more(reader: Reader) -> None:
    """For pages that need no server, and no file that they do not make."""


def postgresql(reader: Reader) -> None:
    """A new server where the reader may do everything, as ``psql`` finds it without options."""
    server = reader.enter(running_postgresql())
    found = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": "postgres", "PGPASSWORD": server.password}
    reader.environment.update(found)


def postgresql_and_dagster(reader: Reader) -> None:
    """A server as above, and a port for Dagster's UI that no other test uses."""
    postgresql(reader)
    serve = "dagster dev -m telemetry_quality.definitions"
    reader.replace[serve] = f"{serve} --port {free_port()}"


def clickhouse(reader: Reader) -> None:
    """A new server with somebody who may do everything, and a user who may only read."""
    server = reader.enter(running_clickhouse())
    shown = {"admin": "reader", "telemetry_quality": "viewer"}
    for name, user in shown.items():
        own = server.url("", user).removesuffix("/")
        reader.replace[f"http://{name}:PASSWORD@localhost:8123"] = own


def ports_for_the_demo(reader: Reader) -> None:
    """Ports that no other test uses."""
    ports = {"3000": free_port(), "3001": free_port()}
    command = "$ telemetry-quality demo\n"
    reader.replace[command] = f"{command.strip()} --port {ports['3000']} --dashboard-port {ports['3001']}\n"
    reader.replace.update({f"//127.0.0.1:{shown}": f"//127.0.0.1:{port}" for shown, port in ports.items()})


def warehouse(layout: str, table: str) -> Callable[[Reader], None]:
    """A DuckDB file with a vendor's table."""

    def write(reader: Reader) -> None:
        write_warehouse(reader.folder, layout, table, reader.folder.parent)

    return write
