from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from telemetry_quality.orchestration.processes import UPTIME_TOLERANCE_SECONDS, is_gone, this_moment


def _ended() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    return child.pid


def test_a_process_that_runs_is_not_gone() -> None:
    assert not is_gone(os.getpid(), this_moment(), this_moment())


def test_a_process_of_somebody_else_is_not_gone() -> None:
    assert not is_gone(1, this_moment(), this_moment())


def test_a_process_that_ended_is_gone() -> None:
    pid = _ended()
    assert is_gone(pid, this_moment(), this_moment())


def test_a_process_that_ended_is_gone_even_if_its_parent_has_not_noticed() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.read() == b""
        # Its output is closed as it exits; waiting without collecting it leaves the zombie.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert is_gone(child.pid, this_moment(), this_moment())


def test_nothing_is_known_of_a_process_on_another_machine() -> None:
    now = this_moment()
    assert not is_gone(_ended(), replace(now, host="another"), now)


def test_no_process_survives_a_restart_of_its_machine() -> None:
    now = this_moment()
    assert is_gone(os.getpid(), replace(now, boot="an earlier one"), now)


@pytest.mark.parametrize(("seconds_before", "is_other"), [(-1, False), (0, False), (5, True)])
def test_a_process_that_started_after_the_run_was_seen_only_has_its_id(seconds_before: float, is_other: bool) -> None:
    """The limit is the start of this process, known to a hundredth of a second."""
    fields = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    seen = replace(this_moment(), uptime_seconds=started - seconds_before * UPTIME_TOLERANCE_SECONDS)
    assert is_gone(os.getpid(), seen, this_moment()) is is_other


def test_a_clock_that_is_set_ahead_makes_no_process_look_younger(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = this_moment()
    monkeypatch.setattr("time.time", lambda: 4e9)
    assert not is_gone(os.getpid(), seen, this_moment())
