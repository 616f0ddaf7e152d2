"""The code on the pages is typed strictly, and the settings on them are read."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.errors import SettingsError
from telemetry_quality.settings import load_settings
from telemetry_quality_tests.docs.walk import DOCS, Block, blocks_of

if TYPE_CHECKING:
    from pathlib import Path

ROOT = DOCS.parent
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md"]
FUTURE = "from __future__ import annotations\n"


def _blocks(page: Path, language: str) -> list[Block]:
    found = blocks_of(page.read_text(encoding="utf-8"))
    return [block for block in found if block.language == language and not block.note.startswith("not run")]


def _write_modules(folder: Path) -> list[Path]:
    """A module of all untitled blocks of each page, which go on from each other, and one of each file with a title.

    A title with a folder is a module of a package, which the other blocks import by its name.
    """
    modules: dict[Path, str] = {}
    for page in PAGES:
        name = page.stem.lower().replace("-", "_")
        for block in _blocks(page, "python"):
            title = block.title or "page.py"
            file = folder / title if "/" in title else folder / name / title
            modules[file] = modules.get(file, FUTURE) + block.body.replace(FUTURE, "")
    for file, text in modules.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return list(modules)


@pytest.mark.slow
def test_the_code_on_the_pages_is_typed_strictly(tmp_path: Path) -> None:
    modules = _write_modules(tmp_path)
    assert len(modules) >= 10
    options = ["--strict", "--explicit-package-bases", "--config-file", str(ROOT / "pyproject.toml")]
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--no-warn-unreachable", *map(str, modules)],
        cwd=ROOT, env={**os.environ, "MYPYPATH": f"{tmp_path}:{ROOT}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_settings_on_a_page_are_toml_and_whole_ones_load(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for block in _blocks(page, "toml"):
        found = tomllib.loads(block.body)
        if "store" in found and "sources" in found:
            if "oidc" in found.get("dashboard", {}):
                # The page keeps the secret out of the file.
                monkeypatch.setenv("TELEMETRY_QUALITY_DASHBOARD__OIDC__CLIENT_SECRET", "secret")
            file = tmp_path / "telemetry.toml"
            file.write_text(block.body, encoding="utf-8")
            try:
                load_settings(file)
            except SettingsError as error:
                pytest.fail(f"{page.name}:{block.line}: {error}")
