"""The site of the documentation, opened from its folder without network."""

from __future__ import annotations

import re
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


def test_the_quick_reference_is_one_printed_page(page: Page, site: Path) -> None:
    page.goto((site / "quick-reference.html").as_uri())
    margin = {"top": "10mm", "bottom": "10mm", "left": "10mm", "right": "10mm"}
    printed = page.pdf(format="A4", margin=margin)  # type: ignore[arg-type]
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    page.goto((site / "reference" / "settings.html").as_uri())
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) > 1, "pages are counted"
