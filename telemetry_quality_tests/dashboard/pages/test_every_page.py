"""Pages show the store in words and numbers, without a script, and stored text is inert."""

from __future__ import annotations

import re
from datetime import timedelta
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, event

from telemetry_quality.dashboard import pages
from telemetry_quality.dashboard.rendering import TEMPLATES
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY, keep
from telemetry_quality_tests.dashboard.markup import read
from telemetry_quality_tests.dashboard.pages.twelve_days import (
    BAD_DAY,
    EMPTY_DAY,
    MISSING_DAY,
    UNREADABLE_DAY,
    page_of,
    web_day,
)

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality_tests.dashboard.desk import Desk

ADDRESSES = (
    "/health/",
    "/health/sources/app/",
    "/health/snapshots/",
    "/health/snapshots/?status=unhealthy&sort=source",
    *(web_day(day) for day in (YESTERDAY, BAD_DAY, UNREADABLE_DAY, MISSING_DAY, EMPTY_DAY)),
    "/health/sources/web/hours/",
    "/health/sources/web/versions/",
    "/health/incidents/",
    f"/health/incidents/web/{YESTERDAY}/",
    "/health/forecast/",
    "/health/messages/",
    "/nowhere/",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_stored_markup_is_inert_and_no_page_styles_or_scripts_inline(desk: Desk, address: str) -> None:
    response = desk.ask(address, headers=desk.by_session | {"Accept": "text/html"})
    page = read(response.text)
    for element in page.all():
        assert not [name for name in element.attributes if name == "style" or name.startswith("on")]
        assert element.tag not in {"img", "style", "iframe", "object"}
    assert all("src" in script.attributes and not script.text for script in page.all("script"))
    assert "💥" * 1000 not in response.text


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_page_has_one_main_heading_and_labels_its_tables(desk: Desk, address: str) -> None:
    page = page_of(desk, address) if address != "/nowhere/" else None
    if page is None:
        return
    assert len(page.all("h1")) == 1
    for table in page.all("table"):
        assert [heading for heading in table.all("th") if heading.attributes.get("scope")]
    ids = [element.attributes["id"] for element in page.all() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    named = [element.attributes["aria-labelledby"] for element in page.all() if "aria-labelledby" in element.attributes]
    assert set(named) <= set(ids)


def test_a_page_is_rendered_once_until_the_store_changes(desk: Desk, tmp_path: Path) -> None:
    copy = desk.copy_to(tmp_path)
    asked: list[str] = []

    def watch(*seen: object) -> None:
        asked.append(str(seen[2]))

    event.listen(Engine, "before_cursor_execute", watch)
    try:
        first = page_of(copy, web_day(BAD_DAY))
        assert [statement for statement in asked if "guardrail_verdict" in statement]
        asked.clear()
        again = page_of(copy, web_day(BAD_DAY))
        assert not [statement for statement in asked if "guardrail_verdict" in statement]
        assert first.one("main").text == again.one("main").text
        keep(copy.store, BAD_DAY, "web", total_events=4321)
        copy.now = NOW + timedelta(seconds=30)
        assert "4,321" in page_of(copy, web_day(BAD_DAY)).one("main").text
    finally:
        event.remove(Engine, "before_cursor_execute", watch)
        copy.close()


def test_every_file_that_a_page_names_exists(desk: Desk) -> None:
    for address in ("/health/", "/health/snapshots/"):
        html = desk.ask(address).text
        for path in re.findall(r'(?:href|src)="(/health/static/[^"]+)"', html):
            assert desk.ask(path).status_code == 200, path


def test_nobody_sees_a_page_or_a_file_without_signing_in(desk: Desk) -> None:
    for address in (*ADDRESSES[:4], "/health/static/dashboard.css"):
        response = desk.ask(address, headers={"Accept": "text/html"})
        assert response.status_code == 303
        assert response.headers["location"].startswith("/health/sign-in/")


def test_every_module_that_declares_a_page_is_listed() -> None:
    modules = [import_module(f"{pages.__name__}.{found.name}") for found in iter_modules(pages.__path__)]
    declared = [module.PAGE for module in modules if hasattr(module, "PAGE")]
    assert sorted(page.path for page in declared) == sorted(page.path for page in pages.PAGES)


def test_every_page_has_its_own_template() -> None:
    templates = [page.template for page in pages.PAGES]
    assert len(set(templates)) == len(templates)
    assert all((TEMPLATES / name).is_file() for name in templates)


def test_the_navigation_leads_to_the_pages_with_an_entry_and_marks_their_section(desk: Desk) -> None:
    entries = [(page.path, page.navigation) for page in pages.PAGES if page.navigation]
    for path, words in entries:
        navigation = page_of(desk, path).one("nav", aria_label="Main")
        assert [(link.attributes["href"], link.text) for link in navigation.all("a")] == entries
        assert navigation.one("a", aria_current="page").text == words
    day = page_of(desk, web_day(YESTERDAY)).one("nav", aria_label="Main")
    assert day.one("a", aria_current="page").text == "Snapshots"
