"""Dagster homes that several processes make at the same moment."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

OPENED_AT_ONCE = """
import os, sys
from telemetry_quality import demo

read, write = os.pipe()
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        os.close(write)
        os.read(read, 1)
        with demo.dagster_instance() as instance:
            instance.get_run_records(limit=1)
        os._exit(0)
    children.append(child)
os.close(write)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


@pytest.mark.slow
def test_a_home_that_three_processes_make_at_once_works_for_all_of_them(tmp_path: Path) -> None:
    for name in ("first", "second"):
        home = tmp_path / name
        home.mkdir()
        environment = {**os.environ, "DAGSTER_HOME": str(home)}
        run = subprocess.run([sys.executable, "-c", OPENED_AT_ONCE], env=environment, capture_output=True, check=False)
        assert run.returncode == 0, run.stderr.decode()
