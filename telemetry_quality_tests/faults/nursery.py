"""A process that has imported most of what commands need, and forks each command that is to be killed.

Importing takes most of a command's time, and nothing is written meanwhile. The children are processes of their own, and
run command lines as a shell starts them. The parent is one too: pytest has threads, which do not survive a fork.
"""

from __future__ import annotations

import json
import os
import runpy
import select
import signal
import subprocess
import sys
import traceback
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telemetry_quality_tests.faults.kill_hooks import install

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[2]
NEEDED = (
    "telemetry_quality.console",
    "telemetry_quality.assembly",
    "telemetry_quality.cli",
    "telemetry_quality.sources.connectors.parquet",
    "telemetry_quality.sources.parquet",
    "telemetry_quality.storage.store",
)
"""Nothing that binds a function of ``core.dispatch``, because the children replace these."""


class Nursery:
    """The process, as seen from the one that kills."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, folder: Path, command: Sequence[str], environment: Mapping[str, str], number: int = 1) -> list[int]:
        """Start ``python COMMAND``, so many times at once; returns the ids of the processes."""
        assert self._process.stdin is not None
        asked = {"folder": str(folder), "command": command, "environment": dict(environment), "number": number}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        pids: list[int] = self._answer()
        return pids

    def has_ended(self, wait_seconds: float) -> bool:
        """Whether all that were started have ended."""
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout.fileno()], [], [], wait_seconds)[0])

    def exit_codes(self) -> list[int]:
        """Their exit codes, once they have ended; a negative one is a signal."""
        codes: list[int] = self._answer()
        return codes

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@contextmanager
def running_nursery(*, with_dagster: bool = False) -> Iterator[Nursery]:
    """A nursery, which ends with its input."""
    command = [sys.executable, "-m", "telemetry_quality_tests.faults.nursery", *(["dagster"] if with_dagster else [])]
    with subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        yield Nursery(process)
        assert process.stdin is not None
        process.stdin.close()


def _run(asked: Mapping[str, Any]) -> None:
    """Run a command line in this process and end it."""
    code = 99
    try:
        os.chdir(asked["folder"])
        with Path("all.log").open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        os.environ.update(asked["environment"])
        install()
        option, what, *arguments = asked["command"]
        sys.argv = [what, *arguments]
        if option == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(what, {"__name__": "__main__"})
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0
    except BaseException:  # noqa: BLE001 - a child must not go on as its parent
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)


def _fork(asked: Mapping[str, Any]) -> list[int]:
    ready, start = os.pipe()
    children = []
    for _ in range(asked["number"]):
        child = os.fork()
        if not child:
            os.close(start)
            os.read(ready, 1)
            _run(asked)
        children.append(child)
    os.close(ready)
    os.close(start)
    return children


def main() -> None:
    """Fork for each line of standard input."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for needed in (*NEEDED, *sys.argv[1:]):
        import_module(needed)
    for line in sys.stdin:
        children = _fork(json.loads(line))
        sys.stdout.write(json.dumps(children) + "\n")
        sys.stdout.flush()
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        sys.stdout.write(json.dumps(codes) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
