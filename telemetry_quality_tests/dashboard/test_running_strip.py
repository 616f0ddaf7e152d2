"""The strip of the running day: what a person sees of each hour, and reads without seeing it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.hours import ExpectedHour
from telemetry_quality.core.running.model import HourCounts
from telemetry_quality.dashboard.markup.running import HEIGHT, running_part
from telemetry_quality.dashboard.running import running_day
from telemetry_quality_tests.dashboard.markup import read
from telemetry_quality_tests.dashboard.states import (
    HOURS_MISSING,
    MORNING,
    TODAY,
    make_running_hours,
    make_settings,
    make_state,
)

if TYPE_CHECKING:
    from telemetry_quality.core.running.model import RunningHour
    from telemetry_quality_tests.dashboard.markup import Element

EVIL = "<img src=x onerror=alert(1)>\u202e"
UNREADABLE: dict[str, Any] = {"counts": None, "unreadable_reason_code": "GONE", "unreadable_reason": EVIL}


def strip_of(*hours: RunningHour, now: datetime = MORNING, day: date = TODAY, zone: str = "UTC") -> Element:
    """The part about a running day of which ``hours`` were looked at."""
    settings = make_settings(intraday=True, time_zone=zone)
    found = running_day(make_state(running={"web": hours}), settings, now, "web")
    assert found is not None
    assert found.day == day
    return read(running_part(found, settings.sources["web"].calendar(), is_over=False, is_linked=True))


def kinds(page: Element) -> list[str]:
    return [hour.classes[1].removeprefix("is-") for hour in page.all(class_="hour")]


def rows(page: Element) -> list[list[str]]:
    return page.one("table").rows()[1:]


def test_the_strip_fills_hour_by_hour_and_shows_what_is_to_come() -> None:
    page = strip_of(*make_running_hours(8))
    assert kinds(page) == ["fine"] * 8 + ["later"] * 16
    assert len(page.all("rect", class_="found")) == 8
    assert len(page.all("rect", class_="band")) == 24
    assert page.one("h2").text == "Today so far, provisional"
    assert "nothing failed; last news" in page.text
    assert rows(page)[7] == ["07:00", "100", "nothing failed", "1", "100", "80", "120"]
    assert rows(page)[8] == ["08:00", "–", "to come", "–", "100", "80", "120"]


def test_bars_and_bands_are_drawn_to_one_scale() -> None:
    page = strip_of(*make_running_hours(2, counts=HourCounts(240, 1, 0, 0), expected=ExpectedHour(100, 60, 180)))
    heights = [float(bar.attributes["height"]) for bar in page.all("rect", class_="found")]
    assert heights == [20, HEIGHT]
    band = page.all("rect", class_="band")[1].attributes
    assert (float(band["y"]), float(band["height"])) == (12, 24)


def test_a_failed_hour_and_one_that_could_not_be_read_differ_in_sign_and_words_not_only_in_colour() -> None:
    fine, last = make_running_hours(2)
    page = strip_of(
        replace(fine, verdicts=(HOURS_MISSING,)),
        replace(last, **UNREADABLE),
        replace(last, hour=2, counts=HourCounts(0, 0, 0, 0)),
    )
    assert kinds(page)[:4] == ["failed", "unreadable", "quiet", "not_looked_at"]
    assert [hour.one(class_="sign").text for hour in page.all(class_="hour")[:4]] == ["✗", "?", "0", "–"]
    assert [row[2] for row in rows(page)[:3]] == [
        "✗ failed: missing_hours",
        "? could not be read (GONE): <img src=x onerror=alert(1)>�",
        "nothing failed",
    ]
    assert [row[1] for row in rows(page)[:3]] == ["100", "–", "0"]
    label = page.one(class_="hours").attributes["aria-label"]
    assert label.startswith("3 of 24 hours looked at, 100 events, 1 failed, 1 could not be read")
    assert HOURS_MISSING.sentence in page.one("ul", class_="failures").text


def test_hostile_names_and_reasons_are_inert() -> None:
    verdict = replace(HOURS_MISSING, guardrail=EVIL, sentence=EVIL)
    page = strip_of(
        *make_running_hours(2, verdicts=(verdict,)), replace(make_running_hours(1)[0], hour=2, **UNREADABLE)
    )
    assert page.all("img") == []
    assert page.text.count("<img src=x onerror=alert(1)>�") == 5


def test_hours_that_nobody_looked_at_in_time_are_not_to_come() -> None:
    page = strip_of(*make_running_hours(4), now=MORNING + timedelta(hours=1, minutes=30))
    assert kinds(page) == ["fine"] * 4 + ["not_looked_at"] * 5 + ["later"] * 15
    assert "none after 04:00 was" in page.one(class_="banner").text
    first, last = make_running_hours(1)[0], make_running_hours(4)[-1]
    assert kinds(strip_of(first, last))[:4] == ["fine", "not_looked_at", "not_looked_at", "fine"]


def test_without_any_look_there_is_a_sentence_and_no_strip() -> None:
    page = strip_of()
    assert "No hour of 2026-03-11 has been looked at yet." in page.text
    assert page.all(class_="hour") == page.all("table") == []


@pytest.mark.parametrize(
    ("day", "count", "third"), [(date(2026, 3, 29), 23, "03:00 CEST"), (date(2026, 10, 25), 25, "02:00 CEST")]
)
def test_a_day_on_which_clocks_change_has_its_own_number_of_hours(day: date, count: int, third: str) -> None:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    page = strip_of(*make_running_hours(11, day), now=noon, day=day, zone="Europe/Berlin")
    assert len(page.all(class_="hour")) == len(rows(page)) == count
    assert rows(page)[2][0] == third


def test_a_day_without_an_expectation_has_bars_without_a_band() -> None:
    page = strip_of(*(replace(hour, expected=None, later=()) for hour in make_running_hours(8)))
    assert kinds(page) == ["fine"] * 8 + ["later"] * 16
    assert page.all("rect", class_="band") == []
    assert rows(page)[0] == ["00:00", "100", "nothing failed", "1", "–", "–", "–"]
