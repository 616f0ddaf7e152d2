"""``dagster dev`` as the README starts it, with the settings that are shipped; it can be killed and started again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.error import URLError
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 240


def wait_until(holds: Callable[[], object]) -> None:
    """Wait until ``holds`` returns something true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"still waiting after {PATIENCE_SECONDS} s"
        time.sleep(1)


class DagsterDev:
    """A web server, a daemon and a code server on the events and settings in ``folder``."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._environment = {"PYTHONPATH": str(ROOT), **(environment or {})}
        self._home = folder / ".dagster"
        self._home.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / "dagster.yaml", self._home / "dagster.yaml")
        shutil.copyfile(ROOT / "workspace.yaml", folder / "workspace.yaml")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start all processes, and wait until the web server responds."""
        environment = {**os.environ, "DAGSTER_HOME": str(self._home), **self._environment}
        command = [sys.executable, "-m", "dagster", "dev", "--port", str(self._port)]
        with (self._folder / "dev.log").open("ab") as log:
            self._server = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self._is_up)
        return self

    @property
    def address(self) -> str:
        """Where its UI is."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def has_ended(self) -> bool:
        """Whether it ended by itself."""
        return self._server is not None and self._server.poll() is not None

    def processes(self) -> dict[int, str]:
        """The command lines of all its processes, by id."""
        assert self._server is not None
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.getpgid(int(folder.name)) == self._server.pid:
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def workers(self) -> list[int]:
        """The processes that work on runs."""
        return [process for process, command in self.processes().items() if "spawn_main" in command]

    def kill(self) -> None:
        """Kill every process at once, runs included."""
        assert self._server is not None
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.wait()

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        if self._server is None or self.has_ended:
            return
        os.killpg(self._server.pid, signal.SIGINT)
        try:
            self._server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()

    def ask(self, query: str, variables: dict[str, Any] | None = None) -> Any:
        """The answer to a query of its GraphQL API."""
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        request = Request(f"{self.address}/graphql", body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=60) as answer:
            document = json.load(answer)
        assert "errors" not in document, document
        return document["data"]

    def _is_up(self) -> bool:
        try:
            return bool(self.ask("{ version }"))
        except (URLError, ConnectionError, TimeoutError):
            return False


@contextmanager
def running_dagster_dev(folder: Path) -> Iterator[DagsterDev]:
    """``dagster dev``, which is stopped at the end."""
    dev = DagsterDev(folder)
    try:
        yield dev.start()
    finally:
        dev.stop()
