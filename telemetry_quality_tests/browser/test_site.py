"""The site of the documentation, opened from its folder without network."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from telemetry_quality_tests.docs.test_site import DOCS, ROOT, build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    assert build(folder).returncode == 0
    return folder / "site"


@pytest.fixture
def page(browser: Browser, site: Path) -> Iterator[Page]:
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    yield page
    context.close()


@pytest.mark.parametrize("words", ["weekend", "Slack", "ClickHouse", "false alarm"])
def test_search_finds_what_people_look_for_without_network(page: Page, words: str) -> None:
    page.keyboard.press("/")
    box = page.locator("input:focus")
    box.fill(words)
    results = page.locator("mark", has_text=words.rsplit(maxsplit=1)[-1]).first
    results.wait_for(timeout=20_000)
