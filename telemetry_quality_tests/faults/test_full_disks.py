"""What the commands do while the disk of the store is full."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality_tests.faults.small_disks import fill, small_disk
from telemetry_quality_tests.orchestration.station import FIRST_DAY, make_station

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

DAYS = 6
LAST_DAY = FIRST_DAY + timedelta(days=DAYS - 1)


def run(folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "telemetry_quality", *arguments],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def test_a_full_disk_below_the_store_stops_a_backfill_in_one_sentence_and_loses_nothing(tmp_path: Path) -> None:
    make_station(tmp_path, days=DAYS)
    with small_disk(tmp_path / "disk", 4) as disk:
        store = {"TELEMETRY_QUALITY_STORE": f"sqlite:///{disk / 'quality.db'}"}
        assert run(tmp_path, "migrate", **store)[0] == 0
        whole = ("backfill", str(FIRST_DAY), str(LAST_DAY))
        assert run(tmp_path, "backfill", str(FIRST_DAY), str(FIRST_DAY), **store)[0] in {0, 1}
        ballast = fill(disk)

        code, _, error = run(tmp_path, *whole, **store)

        assert code == 2
        # SQLite reports a full disk in either way, depending on the file that could not grow.
        assert "disk I/O error" in error or "database or disk is full" in error, error
        assert error.count("\n") == 1, error
        ballast.unlink()
        assert run(tmp_path, *whole, **store)[0] in {0, 1}
        assert run(tmp_path, "verify", **store)[0] == 0
        with closing(sqlite3.connect(disk / "quality.db")) as connection:
            (found,) = connection.execute("SELECT count(*), count(DISTINCT day) FROM integrity_snapshot")
    assert found == (DAYS, DAYS)
