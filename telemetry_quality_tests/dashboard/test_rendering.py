"""How values are formatted, and what no page may do: render stored markup, or use inline styles and scripts."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup
from starlette.requests import Request

from telemetry_quality.core.guardrails.verdicts import Level, Outcome
from telemetry_quality.dashboard import pages, rendering
from telemetry_quality.dashboard.access.identity import User
from telemetry_quality.dashboard.models import CalendarStatus
from telemetry_quality.storage.staff.lookup import Role
from telemetry_quality_tests.dashboard.markup import read

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality_tests.dashboard.markup import Element

EVIL = "<img src=x onerror=alert(1)>"
NEW_YORK = ZoneInfo("America/New_York")
APP = SimpleNamespace(state=SimpleNamespace(navigation=pages.NAVIGATION))


def make_request(user: User | None = None) -> Request:
    return Request({"type": "http", "headers": [], "state": {"user": user}, "app": APP})


def read_page(user: User | None, title: str = "x", main: str = "", **parts: str) -> Element:
    made = rendering.page(make_request(user), title=title, main=Markup(main), **parts)  # type: ignore[arg-type]
    return read(bytes(made.body).decode())


def make_user(name: str = "ada", *, is_token: bool = False, role: Role = Role.VIEWER) -> User:
    return User(name, "the-token", "hash", is_token, role)


def test_what_is_not_known_is_a_dash_and_never_zero() -> None:
    written = [
        rendering.number(None),
        rendering.found(None),
        rendering.percent(None),
        rendering.percent(None, threshold=5.0),
        rendering.signed(None),
        rendering.day(None),
        rendering.instant(None, NEW_YORK),
    ]
    assert written == [rendering.NOT_KNOWN] * 7
    assert read(rendering.NOT_KNOWN).one("abbr", title="not known").text == "–"


@pytest.mark.parametrize(
    ("value", "digits", "text"), [(0, 0, "0"), (1234567, 0, "1,234,567"), (-1.5, 2, "−1.50"), (0.005, 1, "0.0")]
)
def test_numbers_have_separators_and_a_true_minus(value: float, digits: int, text: str) -> None:
    assert rendering.number(value, digits) == text


@pytest.mark.parametrize(("value", "text"), [(930.0, "930"), (100.0, "100"), (99.0, "99.00"), (100.5, "100.50")])
def test_a_large_whole_number_that_a_guardrail_found_is_a_count(value: float, text: str) -> None:
    assert rendering.found(value) == text


@pytest.mark.parametrize(("value", "text"), [(4.9999, "4.9999"), (5.0, "5.00"), (5.0001, "5.0001"), (7.0, "7.00")])
def test_a_rate_is_distinguished_from_its_threshold(value: float, text: str) -> None:
    assert rendering.percent(value, 2, 5.0) == f"{text}\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(("value", "text"), [(12.34, "+12.3"), (-12.34, "−12.3"), (-0.04, "0.0"), (0.0, "0.0")])
def test_a_deviation_has_a_sign_unless_it_is_zero(value: float, text: str) -> None:
    assert rendering.signed(value) == f"{text}\N{NO-BREAK SPACE}%"


def test_a_day_can_show_its_weekday() -> None:
    assert rendering.day(date(2013, 2, 8)) == '<time datetime="2013-02-08">2013-02-08</time>'
    assert read(rendering.day(date(2013, 2, 8), with_weekday=True)).text == "Fri 2013-02-08"


@pytest.mark.parametrize(("month", "text"), [(1, "2026-01-11 07:30 EST"), (7, "2026-07-11 08:30 EDT")])
def test_an_instant_is_shown_in_its_zone_and_in_utc_on_hover(month: int, text: str) -> None:
    time = read(rendering.instant(datetime(2026, month, 11, 12, 30, 5, tzinfo=UTC), NEW_YORK)).one("time")
    assert time.text == text
    assert time.attributes["title"] == f"2026-{month:02}-11 12:30:05 UTC"
    assert time.attributes["datetime"] == f"2026-{month:02}-11T12:30:05+00:00"


@pytest.mark.parametrize("value", [*CalendarStatus, *Level, *Outcome])
def test_no_status_is_shown_by_colour_alone(value: str) -> None:
    if value == CalendarStatus.OUTSIDE:
        return
    written = read(rendering.status(value)).one("span", class_="status")
    sign = written.one("span", aria_hidden="true").text
    assert sign
    assert len(written.text.removeprefix(sign).strip()) > 2
    assert written.classes[1] == f"is-{value.lower()}"


def test_signs_of_one_kind_differ() -> None:
    statuses = [mark.value for mark in CalendarStatus if mark is not CalendarStatus.OUTSIDE]
    for kind in (statuses, list(Level), list(Outcome)):
        assert len({rendering.SIGNS[status][0] for status in kind}) == len(kind)


def test_an_unknown_status_of_a_later_version_is_inert_and_not_coloured_as_a_known_one() -> None:
    assert read(rendering.status(EVIL)).one("span", class_="is-unknown").text == f"? {EVIL}"


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (None, "(null)"),
        ("", "(empty)"),
        (" \t", "(empty)"),
        (EVIL, EVIL),
        ("\u202egpj.exe\x00", "�gpj.exe�"),
        ("a" * 120, "a" * 120),
        ("a" * 121, "a" * 120 + "…"),
        ("💥" * 5000, "💥" * 120 + "…"),
        (0, "0"),
    ],
)
def test_stored_names_are_shown_inert_visible_and_short(stored: object, text: str) -> None:
    written = read(f"<p>{rendering.name(stored)}</p>")
    assert written.text == text
    assert not written.all("img")


def test_an_undefined_name_in_a_template_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="is undefined"):
        rendering.render("incidents.html")


def test_templates_escape_what_they_are_given() -> None:
    page = read_page(make_user(EVIL), EVIL, "<h1>ours</h1>")
    assert not page.all("img")
    assert EVIL in page.one("title").text
    assert EVIL in [link.text for link in page.all("a")]
    assert page.one("main").one("h1").text == "ours"


def test_a_page_for_strangers_needs_nothing_that_is_guarded() -> None:
    page = read_page(None, "Sign in", "<h1>x</h1>", version="v")
    assert [link.attributes["href"] for link in page.all("link")] == ["/health/sign-in/style.css"]
    assert not page.all("script")
    assert not page.all("nav")
    assert not page.all("form")


def test_a_request_that_bypassed_the_guard_gets_a_page_for_strangers() -> None:
    page = rendering.page(Request({"type": "http", "headers": []}), title="x", main=Markup(""), status_code=404)
    assert page.status_code == 404
    assert b"<nav" not in page.body


def test_a_user_can_sign_out_by_a_form_with_its_token() -> None:
    page = read_page(make_user())
    form = page.one("form", action="/health/sign-out/")
    assert form.attributes["method"] == "post"
    assert form.one("input", name="csrf_token").attributes["value"] == "the-token"
    assert page.one("a", href="/health/account/").text == "ada"


def test_a_machine_is_offered_no_account() -> None:
    page = read_page(make_user(is_token=True))
    assert not page.all("form")
    assert not page.all("a", href="/health/account/")


def test_only_a_page_with_a_version_listens_for_updates() -> None:
    versioned, other = (read_page(make_user(), version=version) for version in ("abc", ""))
    assert versioned.one("html").attributes["data-version"] == "abc"
    assert versioned.one("p", id="live", role="status")
    assert versioned.one("script", src="/health/static/live.js").attributes["type"] == "module"
    assert not other.all("script", src="/health/static/live.js")
    assert not other.all(id="live")


def test_the_current_section_is_marked() -> None:
    page = read_page(make_user(), section="incidents")
    assert page.one("nav").one("a", aria_current="page").text == "Incidents"


def test_the_keyboard_reaches_the_content_first() -> None:
    page = read_page(make_user())
    assert page.all("a")[0].attributes["href"] == "#main"
    assert page.one("main").attributes["id"] == "main"


@pytest.mark.parametrize("file", sorted(rendering.TEMPLATES.glob("*.html")), ids=lambda path: path.name)
def test_no_template_styles_or_scripts_inline(file: Path) -> None:
    text = file.read_text()
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:|\|\s*safe\b", text)
    assert all("src=" in script for script in re.findall(r"<script[^>]*>", text))
