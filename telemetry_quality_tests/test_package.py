"""The package as others get it: what it says of itself, what it needs, and that it is built the same everywhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

import telemetry_quality
from telemetry_quality.documentation import SITE
from telemetry_quality_tests import smoke

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")

GIVEN = ("dagster", "dagster-webserver", "pandas", "sqlalchemy")
"""What whoever uses Dagster with tables has anyway."""

MOST_MORE = 15


def _installed_with(names: Iterable[str]) -> set[str]:
    """The packages that these need, as they are installed here."""
    found: set[str] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        requirement = waiting.pop()
        extras = requirement.extras or {""}
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            continue
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        if name in found and not requirement.extras:
            continue
        found.add(name)
        for text in requires:
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                needed.marker = None
                waiting.append(needed)
    return found


def test_the_base_install_needs_few_packages_beyond_dagster_and_pandas() -> None:
    more = _installed_with(PROJECT["dependencies"]) - _installed_with(GIVEN)
    assert {"duckdb", "sqlglot", "holidays"} <= more, "the walk sees packages"
    assert len(more) <= MOST_MORE
    assert more.isdisjoint({"scipy", "numpy", "fastapi", "starlette", "pyarrow", "pyspark"})


def test_the_package_says_where_it_is_documented_and_for_whom() -> None:
    urls = PROJECT["urls"]
    assert urls["Documentation"] == SITE
    assert urls["Changelog"] == f"{urls['Source']}/blob/main/CHANGELOG.md"
    assert not any(text.startswith("Framework :: Pytest") for text in PROJECT["classifiers"])
    pythons = [text for text in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", text)]
    assert pythons[0].endswith(PROJECT["requires-python"].removeprefix(">="))


def test_the_changelog_has_the_version_that_the_package_has() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(telemetry_quality.__version__)}\]", changelog, flags=re.MULTILINE)


def test_links_and_pictures_of_the_readme_work_wherever_it_is_shown() -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", README)
    assert len(targets) > 20
    assert [target for target in targets if not target.startswith(("https://", "http://", "#"))] == []
    assert all("/raw/main/" in picture for picture in re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", README))


BUILT = ("telemetry_quality", "docs", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md")


@pytest.mark.slow
def test_the_package_is_the_same_bytes_wherever_and_whenever_it_is_built(tmp_path: Path) -> None:
    digests = []
    for name, year in (("here", 2001), ("elsewhere/deeper", 2020)):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for part in BUILT:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder)
        for file in folder.rglob("*"):
            os.utime(file, (time := datetime(year, 1, 1, tzinfo=UTC).timestamp(), time))
        built = subprocess.run(
            [sys.executable, "-m", "hatchling", "build"], cwd=folder, capture_output=True, text=True, check=False
        )
        assert built.returncode == 0, built.stderr
        digests.append({file.name: sha256(file.read_bytes()).hexdigest() for file in (folder / "dist").iterdir()})
    assert len(digests[0]) == 2
    assert digests[0] == digests[1]


def test_a_python_with_which_a_step_fails_fails_the_smoke_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["smoke", str(tmp_path / "no.whl"), "false", "no-such-python"])
    assert smoke.main() == 1
    assert "0 of 2 passed" in capsys.readouterr().out


USER = """
from datetime import date

import pandas as pd

from telemetry_quality import (
    Settings,
    TelemetryHealthService,
    health_service,
    load_settings,
    load_snapshots,
    load_trusted_days,
)

settings: Settings = load_settings("telemetry.toml")
service: TelemetryHealthService = health_service(settings)
integrity = service.calculate_daily_integrity(date(2026, 1, 31))
healthy: bool = integrity.is_healthy()
days: pd.DataFrame = load_trusted_days(date(2026, 1, 1), date(2026, 1, 31), settings)
snapshots: pd.DataFrame = load_snapshots(date(2026, 1, 1), date(2026, 1, 31), settings)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "is_right"),
    [(USER, True), (USER + 'service.calculate_daily_integrity("2026-01-31")\n', False)],
    ids=["a right program", "a text instead of a day"],
)
def test_a_user_s_program_is_checked_strictly_against_our_types(tmp_path: Path, program: str, is_right: bool) -> None:
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "program.py"]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (checked.returncode == 0) is is_right, checked.stdout
    if not is_right:
        assert '"str"; expected "date"' in checked.stdout
