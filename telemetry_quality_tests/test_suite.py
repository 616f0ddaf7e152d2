"""The fast tests stay fast, and what the suite says of its own files is true."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from telemetry_quality_tests.conftest import HERE, LONGEST_FIRST, SERVERS

BROWSER = Path(__file__).parent / "browser"


def test_no_fast_test_asks_for_a_server_or_a_browser(request: pytest.FixtureRequest) -> None:
    fast = [item for item in request.session.items if item.get_closest_marker("slow") is None]
    assert [item.nodeid for item in fast if not SERVERS.isdisjoint(getattr(item, "fixturenames", ()))] == []
    assert [item.nodeid for item in fast if BROWSER in item.path.parents] == []


@pytest.mark.slow
@pytest.mark.parametrize("fixture", ["postgresql", "running_objects", "spark"])
def test_a_server_that_is_asked_for_by_its_name_fails_a_fast_run(tmp_path: Path, fixture: str) -> None:
    (tmp_path / "conftest.py").write_text("from telemetry_quality_tests.conftest import *")
    (tmp_path / "test_one.py").write_text(f"def test_one(request): request.getfixturevalue({fixture!r})")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", str(tmp_path)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert f"A test without the mark `slow` asked for {fixture}." in run.stdout


def test_the_longest_files_are_there() -> None:
    assert [name for name in LONGEST_FIRST if not (HERE / name).is_file()] == []
