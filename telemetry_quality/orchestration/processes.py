"""Which process works on a run, recorded so that neither a reused process id nor a changed clock misleads.

A process is identified by its id, its machine and the machine's uptime, which only grows, unlike the clock.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

PROC = Path("/proc")
START_FIELD = 19
"""The place of the start time among the fields that follow the name in ``/proc/PID/stat`` (proc(5), field 22)."""

UPTIME_TOLERANCE_SECONDS = 1.0
"""How exact the start of a process is known: ticks of a hundredth of a second, and what rounding adds."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment on a machine.

    Attributes:
        host: The machine's name; a container has its own.
        boot: Identifies the time since the machine was started; empty where the system does not say.
        uptime_seconds: How long the machine had been running.
    """

    host: str
    boot: str
    uptime_seconds: float

    def as_json(self) -> dict[str, str | float]:
        """The moment as a JSON object."""
        return asdict(self)


def this_moment() -> Moment:
    """The current moment on this machine."""
    return Moment(socket.gethostname(), _boot_id(), _uptime_seconds())


def is_gone(pid: int, seen: Moment, now: Moment) -> bool:
    """Whether the process that had this id on this machine when it was ``seen`` no longer exists.

    False where that is not known: a process on another machine may be running.
    """
    if seen.host != now.host:
        return False
    if seen.boot != now.boot or not _exists(pid):
        return True
    started = _started_at_uptime(pid)
    return started is not None and started > seen.uptime_seconds + UPTIME_TOLERANCE_SECONDS


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether the process has ended, but its parent has not yet asked how."""
    fields = _stat_fields(pid)
    return bool(fields) and fields[0] == "Z"


def _started_at_uptime(pid: int) -> float | None:
    fields = _stat_fields(pid)
    return int(fields[START_FIELD]) / os.sysconf("SC_CLK_TCK") if fields else None


def _stat_fields(pid: int) -> list[str]:
    """The fields of ``/proc/PID/stat`` after the name, which may itself contain spaces and parentheses."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _boot_id() -> str:
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _uptime_seconds() -> float:
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)
