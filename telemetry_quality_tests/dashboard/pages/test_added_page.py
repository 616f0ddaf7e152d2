"""The page that ``docs/how-to/add-a-page.md`` adds, in a copy of the project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from shutil import copyfile, copytree, ignore_patterns
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "how-to" / "add-a-page.md").read_text(encoding="utf-8")
COPIED = ("telemetry_quality", "telemetry_quality_tests", "docs")
CHECKS = (
    "telemetry_quality_tests/dashboard/pages/test_sources.py",
    "telemetry_quality_tests/dashboard/pages/test_every_page.py",
    "telemetry_quality_tests/dashboard/access/test_guard.py",
    "-k=not test_guard or every_route or every_module",
    "telemetry_quality_tests/test_docs.py::test_the_dashboard_s_docs_name_every_address_and_no_other",
    "telemetry_quality_tests/test_docs.py::test_the_docs_of_the_dashboard_say_who_may_use_which_address",
)


def _steps() -> Iterator[tuple[str, str, str]]:
    """Each block of the guide with its language, and the file that the text before it names first."""
    before = 0
    for block in re.finditer(r"^```(\w+)\n(.*?)^```$", GUIDE, flags=re.DOTALL | re.MULTILINE):
        (path, *_) = re.findall(r"^`([\w./-]+\.(?:py|html|md))`", GUIDE[before : block.start()], flags=re.MULTILINE)
        yield path, block[1], block[2]
        before = block.end()


def _changed(text: str, diff: str) -> str:
    """``text`` with the lines that ``diff`` takes away replaced by those that it adds."""
    for hunk in diff.split("@@\n"):
        old, new = (
            "".join(f"{line[1:]}\n" for line in hunk.splitlines() if line[0] in signs) for signs in (" -", " +")
        )
        assert text.count(old) == 1, f"the guide is out of date: {old}"
        text = text.replace(old, new)
    return text


@pytest.mark.slow
def test_the_guide_adds_a_page_that_passes_the_tests_of_every_page(tmp_path: Path) -> None:
    for folder in COPIED:
        copytree(ROOT / folder, tmp_path / folder, ignore=ignore_patterns("__pycache__"))
    for name in ("README.md", "SECURITY.md", "pyproject.toml", "telemetry.toml"):
        copyfile(ROOT / name, tmp_path / name)
    for path, language, block in _steps():
        file = tmp_path / path
        assert file.exists() == (language == "diff"), path
        file.write_text(_changed(file.read_text(encoding="utf-8"), block) if language == "diff" else block, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *CHECKS],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
