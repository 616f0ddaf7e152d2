"""Runs tests that stand on pages of the docs."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def run_block(folder: Path, text: str, *, is_passing: bool) -> None:
    """Run a module of tests in a process of its own and assert how it ends."""
    file = folder / "test_page.py"
    file.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert (done.returncode == 0) is is_passing, done.stdout + done.stderr
