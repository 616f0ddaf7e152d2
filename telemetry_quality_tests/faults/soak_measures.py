"""What is measured while everything is soaked, and whether it stayed flat."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from telemetry_quality_tests.faults.soak_clients import Report

MIB = 1024 * 1024
FEWEST_SAMPLES = 9
"""With fewer samples after its warm-up, nothing is said about the growth of a process."""

ROLES = {
    "web server": "dagster_webserver",
    "daemon": "dagster._daemon",
    "code server": "api grpc",
    "code server's parent": "code-server start",
    "dashboard": "telemetry_quality dashboard",
}
"""What the command line of each long-lived process contains."""


@dataclass(frozen=True)
class Limits:
    """What is still flat.

    Attributes:
        growth_percent: By how much memory and handles of a process may grow between the first and the last third of
            its life after its warm-up.
        spare_mib: Growth that is allowed on top, so that small processes do not fail by a page or two.
        spare_handles: The same for handles.
    """

    warm_up_seconds: float
    growth_percent: float
    p99_milliseconds: float
    spare_mib: float = 8.0
    spare_handles: float = 8.0


@dataclass(frozen=True)
class Sample:
    """Memory and open handles of a process at a moment."""

    at: float
    mib: float
    handles: int


@dataclass
class Growth:
    """Medians of the first and the last third of what was measured."""

    name: str
    first: float
    last: float

    @property
    def percent(self) -> float:
        return 100 * (self.last - self.first) / self.first if self.first else 0.0


def growth(name: str, values: Sequence[float]) -> Growth:
    """Compare the first and the last third of some values."""
    third = max(len(values) // 3, 1)
    return Growth(name, median(values[:third]), median(values[-third:]))


def role_of(command: str) -> str | None:
    """The role of a long-lived process; None for others, such as runs."""
    return next((role for role, part in ROLES.items() if part in command), None)


@dataclass
class Measures:
    """Samples of all processes and files, taken by a thread every few seconds.

    Args:
        processes: Returns the command lines of what runs now, by process id.
        sizes: The size in bytes of each thing that grows, by name.
    """

    processes: Callable[[], Mapping[int, str]]
    sizes: Callable[[], Mapping[str, float]]
    every_seconds: float
    samples: dict[tuple[str, int], list[Sample]] = field(default_factory=lambda: defaultdict(list))
    sizes_seen: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _is_over: threading.Event = field(default_factory=threading.Event)

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._take_samples, daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        self._is_over.set()

    def _take_samples(self) -> None:
        while not self._is_over.wait(self.every_seconds):
            for process, command in self.processes().items():
                if (role := role_of(command)) is not None:
                    with suppress(OSError):
                        self.samples[role, process].append(sample_of(process))
            for name, value in self.sizes().items():
                self.sizes_seen[name].append(value)

    def longest_lived(self, limits: Limits) -> Iterator[tuple[str, list[Sample]]]:
        """The samples of the process of each role that lived longest, after its warm-up."""
        for role in ROLES:
            lives = [samples for (its, _), samples in self.samples.items() if its == role]
            longest = max(lives, key=len, default=[])
            yield role, [each for each in longest if each.at >= longest[0].at + limits.warm_up_seconds]

    def report(self, limits: Limits) -> tuple[list[str], list[str]]:
        """The lines of the table, and what grew too much."""
        lines, complaints = [], []
        for role, samples in self.longest_lived(limits):
            if len(samples) < FEWEST_SAMPLES:
                lines.append(f"{role:32}{'lived too briefly to tell':>30}")
                continue
            memory = growth(f"{role}, MiB", [each.mib for each in samples])
            handles = growth(f"{role}, handles", [float(each.handles) for each in samples])
            for each, spare in ((memory, limits.spare_mib), (handles, limits.spare_handles)):
                lines.append(line_of(each))
                if each.last > each.first * (1 + limits.growth_percent / 100) + spare:
                    complaints.append(f"{each.name} grew from {each.first:.1f} to {each.last:.1f}")
        lines += [line_of(growth(name, values)) for name, values in self.sizes_seen.items() if values]
        return lines, complaints


def line_of(it: Growth) -> str:
    """A line of the table."""
    return f"{it.name:32}{it.first:12.1f}{it.last:12.1f}{it.percent:+9.1f} %"


def sample_of(process: int) -> Sample:
    """Memory and handles of a process now."""
    folder = Path(f"/proc/{process}")
    pages = int((folder / "statm").read_text().split()[1])
    return Sample(time.monotonic(), pages * os.sysconf("SC_PAGE_SIZE") / MIB, len(list((folder / "fd").iterdir())))


def size_of(folder: Path) -> float:
    """The size of all files below a folder, in MiB."""
    total = 0
    for file in folder.rglob("*"):
        with suppress(OSError):
            total += file.stat().st_size if file.is_file() else 0
    return total / MIB


def report_of_responses(reports: Sequence[Report], limits: Limits) -> tuple[list[str], list[str]]:
    """The lines about the dashboard's clients, and what went wrong there."""
    third = max(len(reports) // 3, 1)
    parts = [sorted(s for report in part for s in report.seconds) for part in (reports[:third], reports[-third:])]
    whole = sorted(s for report in reports for s in report.seconds)
    refused = [each for report in reports for each in report.refused]
    if not all((*parts, whole)):
        return [], ["the dashboard's readers got no responses in the first or the last third"]
    lines = [
        line_of(Growth(f"responses, p{share} ms", *(at_share(part, share) for part in parts))) for share in (50, 99)
    ]
    lines.append(
        f"{len(whole):,} responses, p99 {at_share(whole, 99):.0f} ms, longest {1000 * whole[-1]:.0f} ms; "
        f"{len(refused)} refused; {sum(report.lost for report in reports):,} connections lost; at most "
        f"{max(report.listening for report in reports)} pages listening, "
        f"{sum(report.updates for report in reports):,} update events"
    )
    complaints = [f"{len(refused)} responses were not 200, such as {refused[0]}"] if refused else []
    if at_share(whole, 99) > limits.p99_milliseconds:
        complaints.append(f"p99 was {at_share(whole, 99):.0f} ms, more than {limits.p99_milliseconds:.0f}")
    return lines, complaints


def at_share(ordered: Sequence[float], percent: int) -> float:
    """A percentile of sorted seconds, in milliseconds."""
    return 1000 * ordered[max(len(ordered) * percent // 100 - 1, 0)]
