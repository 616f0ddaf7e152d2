"""The site of the documentation is whole: it builds strictly, loads nothing from elsewhere and lists every page."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.documentation import SITE

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SETTINGS = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = SETTINGS["repo_url"]
READ_ON_THE_FORGE = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the pages of ``folder`` strictly."""
    zensical = Path(sys.executable).parent / "zensical"
    return subprocess.run(
        [zensical, "build", "--strict", "--clean"], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The pages and settings of the site, elsewhere."""
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(copy: Path) -> None:
    built = build(copy)
    assert built.returncode == 0, built.stdout + built.stderr
    pages = list((copy / "site").rglob("*.html"))
    assert len(pages) > len(list(DOCS.rglob("*.md")))
    loaded = re.compile(
        r"<(?:script|img|iframe|source)[^>]* src=\"(?:https?:)?//|<link[^>]*(?:stylesheet|preload|icon)[^>]*//"
    )
    assert [page.name for page in pages if loaded.search(page.read_text(encoding="utf-8"))] == []


@pytest.mark.slow
@pytest.mark.parametrize("link", ["[a](no-page.md)", "[a](how-to/alerts.md#no-heading)"])
def test_a_broken_link_fails_the_build(copy: Path, link: str) -> None:
    with (copy / "docs" / "index.md").open("a", encoding="utf-8") as page:
        page.write(f"\n{link}\n")
    assert build(copy).returncode != 0


def _listed(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        else:
            (value,) = entry.values()
            yield from [value] if isinstance(value, str) else _listed(value)


def test_every_page_is_listed_once_and_the_decisions_by_their_list() -> None:
    listed = list(_listed(SETTINGS["nav"]))
    pages = {str(file.relative_to(DOCS)) for file in DOCS.rglob("*.md")}
    decisions = {page for page in pages if page.startswith("adr/")} - {"adr/README.md"}
    assert sorted(listed) == sorted(pages - decisions)


def test_every_page_that_a_message_refers_to_exists_on_the_site_that_is_built() -> None:
    """Addresses end in .html because the site is built to be opened from a folder too."""
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "telemetry_quality").rglob("*.py"))
    named = re.findall(r"\bpage\([\"']([a-z/-]+)[\"']\)", code)
    assert len(named) >= 4
    assert [name for name in named if not (DOCS / f"{name}.md").is_file()] == []
    assert SETTINGS["site_url"] == SITE
    assert "offline" in SETTINGS["plugins"]


def test_every_address_of_our_own_repository_is_a_file_of_it() -> None:
    pages = [*DOCS.rglob("*.md"), *(ROOT / name for name in READ_ON_THE_FORGE)]
    for page in pages:
        for kind, path in re.findall(
            rf"{REPOSITORY}/(blob|tree|raw)/main/([^)#\s\"]+)", page.read_text(encoding="utf-8")
        ):
            found = ROOT / path
            assert found.is_dir() if kind == "tree" else found.is_file(), f"{page.name} links to {path}"
