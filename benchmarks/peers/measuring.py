"""Run the tools: each in fresh processes, then all side by side in processes that keep running."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copy
from statistics import median
from typing import TYPE_CHECKING, Any

from synthetic import DAY

from peers.ours import new_store, verdicts_of, write_settings
from peers.tools import OURS, python_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from peers.tools import Tool

BENCHMARKS = Path(__file__).parents[1]
LAUNCH = BENCHMARKS / "launch.py"
IN_ORDER = {"rows": True, "error_rate": True, "missing_version": True, "missing_name": True}
VIOLATED = IN_ORDER | {"error_rate": False, "missing_version": False}


@dataclass
class Measured:
    """What one tool took, round by round; seconds and MiB."""

    title: str
    is_sampling: bool
    process: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    check: list[float] = field(default_factory=list)

    @property
    def warm(self) -> float:
        """Reading and checking in a process that has done so before."""
        return median(load + check for load, check in zip(self.load, self.check, strict=True))


class Bench:
    """Runs tools on days; ``folder`` is for what they write."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # No tool may spend time on sending usage statistics.
        self._environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(BENCHMARKS), str(BENCHMARKS.parent)]),
            "SODA_CORE_TELEMETRY_ENABLED": "false",
            "GX_ANALYTICS_ENABLED": "false",
        }

    def prepare_store(self, file: Path) -> None:
        """Make the migrated store that each of our snapshots starts from."""
        settings = write_settings(self._folder, file)
        command = [sys.executable, "-m", "telemetry_quality", "migrate", "--config", str(settings)]
        subprocess.run(command, check=True, env=self._environment, stdout=subprocess.DEVNULL)  # noqa: S603
        copy(self._folder / "quality.db", self._folder / "migrated.db")

    def ask_fresh(self, tool: Tool, file: Path) -> tuple[dict[str, Any], dict[str, float]]:
        """The verdicts of a fresh process, and what the process took."""
        report = self._folder / "report.json"
        command = self._command(tool, file)
        if tool.name == OURS:
            new_store(self._folder)
            settings = write_settings(self._folder, file)
            command = [sys.executable, "-m", "telemetry_quality", "snapshot", str(DAY), "--json"]
            command += ["--config", str(settings)]
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-S", "-E", str(LAUNCH), str(report), *command],
            input="\n",
            capture_output=True,
            text=True,
            env=self._environment,
            cwd=self._folder,
            check=False,
        )
        try:
            if tool.name == OURS:
                (day,) = json.loads(done.stdout)["days"]
                verdicts = verdicts_of(day, day["guardrails"])
            else:
                verdicts = _first_answer(done.stdout.splitlines())["verdicts"]
        except (ValueError, StopIteration):
            raise SystemExit(
                f"A verdict of {tool.name} is required, but it ended with {done.returncode}:\n{done.stderr}"
            ) from None
        return verdicts, json.loads(report.read_text(encoding="utf-8"))

    @contextmanager
    def warm(self, tool: Tool, file: Path) -> Iterator[subprocess.Popen[str]]:
        """A process that replies to each line it is sent."""
        with subprocess.Popen(  # noqa: S603
            self._command(tool, file),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=self._environment,
            cwd=self._folder,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def _command(self, tool: Tool, file: Path) -> list[str]:
        python = python_of(tool.environment)
        return [python, "-P", "-m", f"peers.{tool.module}", str(file), str(self._folder), tool.option]


def judge_the_tools(bench: Bench, tools: Sequence[Tool], good: Path, bad: Path) -> dict[str, bool]:
    """Whether each tool draws a sample; a tool whose verdict on a known day is wrong ends the benchmark."""
    is_sampling = {}
    for tool in tools:
        for file, expected in ((good, IN_ORDER), (bad, VIOLATED)):
            verdicts, _ = bench.ask_fresh(tool, file)
            is_sampling[tool.name] = verdicts.pop("sample", None) is not None
            if verdicts != expected:
                raise SystemExit(f"{tool.name} must say {expected} of {file}, but it says {verdicts}.")
    return is_sampling


def measure(
    bench: Bench, tools: Sequence[Tool], is_sampling: dict[str, bool], file: Path, rounds: int
) -> dict[str, Measured]:
    """Interleaved rounds: fresh processes first, then warm processes that all keep running."""
    found = {tool.name: Measured(tool.title, is_sampling[tool.name]) for tool in tools}
    for number in range(rounds):
        for tool in tools:
            _, took = bench.ask_fresh(tool, file)
            measured = found[tool.name]
            measured.process.append(took["seconds"])
            measured.cpu.append(took["cpu_seconds"])
            measured.peak.append(took["peak_mib"])
            print(
                f"  {number + 1}/{rounds} {tool.name:16}{took['seconds']:8.2f} s {took['peak_mib']:7.0f} MiB",
                flush=True,
            )
    with ExitStack() as running:
        processes = {tool.name: running.enter_context(bench.warm(tool, file)) for tool in tools}
        for number in range(rounds + 1):
            for name, process in processes.items():
                load, check = _ask(process, name)
                if number > 0:
                    found[name].load.append(load)
                    found[name].check.append(check)
    return found


def _ask(process: subprocess.Popen[str], name: str) -> tuple[float, float]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    try:
        seconds = _first_answer(process.stdout)["seconds"]
    except StopIteration:
        raise SystemExit(f"{name} must answer, but its process ended; run it alone with --tools {name}.") from None
    return seconds["load"], seconds["check"]


def _first_answer(lines: Iterable[str]) -> dict[str, Any]:
    """The first line that is a reply, since some tools also print what they do."""
    answer: dict[str, Any] = json.loads(next(line for line in lines if line.startswith('{"verdicts"')))
    return answer
