"""The dashboard that is soaked: the real command in its own process, with people who read and listen."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import httpx2

from telemetry_quality.dashboard.access.passwords import hash_password
from telemetry_quality.storage.staff.store import StaffStore
from telemetry_quality_tests.faults.dagster_dev import ROOT, wait_until
from telemetry_quality_tests.faults.soak_clients import Report
from telemetry_quality_tests.servers import free_port

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

NAME = "ada"


class SoakedDashboard:
    """``telemetry-quality dashboard`` on the settings in a folder; it can be killed and started again."""

    def __init__(self, folder: Path, store: str) -> None:
        self._folder = folder
        self._reports = folder / "clients.jsonl"
        self.port = free_port()
        self._server: subprocess.Popen[bytes] | None = None
        self._clients: subprocess.Popen[bytes] | None = None
        self._password = secrets.token_urlsafe(16)
        staff = StaffStore(store)
        staff.add_account(NAME, hash_password(self._password), datetime.now(UTC))
        staff.close()

    def start(self) -> None:
        """Start the server, and wait until it responds."""
        self._server = self._start("telemetry_quality", "dashboard", "--port", str(self.port), log="dashboard.log")
        wait_until(self._is_up)

    def invite(self, readers: int, sockets: int) -> None:
        """Sign in, and let so many people read and listen."""
        arguments = (str(self.port), self._signed_in(), str(readers), str(sockets))
        with self._reports.open("wb") as reports:
            self._clients = self._start(
                "telemetry_quality_tests.faults.soak_clients", *arguments, log="clients.log", out=reports
            )

    def kill(self) -> None:
        """Kill the server."""
        assert self._server is not None
        self._server.kill()
        self._server.wait()

    def processes(self) -> dict[int, str]:
        """The server's command line by its process id."""
        server = self._server
        return {} if server is None or server.poll() is not None else {server.pid: "telemetry_quality dashboard"}

    def dismiss(self) -> list[Report]:
        """Let the clients go; returns what they reported."""
        if self._clients is None:
            return []
        self._clients.communicate()
        assert self._clients.returncode == 0, (self._folder / "clients.log").read_text()
        return [Report(**json.loads(line)) for line in self._reports.read_text().splitlines()]

    def stop(self) -> None:
        """End whatever still runs."""
        for process in (self._clients, self._server):
            if process is not None and process.poll() is None:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=20)
                process.kill()

    def _start(self, module: str, *arguments: str, log: str, out: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
        with (self._folder / log).open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=self._folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=out or errors,
                stderr=errors,
            )

    def _is_up(self) -> bool:
        assert self._server is not None
        assert self._server.poll() is None, (self._folder / "dashboard.log").read_text()[-3000:]
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _signed_in(self) -> str:
        """The cookies of a browser in which somebody has signed in."""
        origin = f"http://127.0.0.1:{self.port}"
        with httpx2.Client(base_url=origin, timeout=60) as browser:
            (token,) = set(re.findall(r'name="csrf_token" value="([^"]+)"', browser.get("/health/sign-in/").text))
            form = {"name": NAME, "password": self._password, "csrf_token": token, "next": "/health/"}
            response = browser.post("/health/sign-in/", data=form, headers={"Origin": origin})
            assert response.status_code == 303, response.text[:300]
            return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
