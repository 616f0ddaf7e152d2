from __future__ import annotations

import re
import sys
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from telemetry_quality.assembly import message_channels
from telemetry_quality.core.days import Calendar
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.incidents import Action
from telemetry_quality.core.marks import Gate, Mark, MarkedDays
from telemetry_quality.errors import RequestError
from telemetry_quality.reports import writing
from telemetry_quality.reports.drawing import Plot, chart, sparkline, strip
from telemetry_quality.reports.gathering import Subject, gather
from telemetry_quality.reports.model import Report, ReportedDay
from telemetry_quality.reports.writing import write
from telemetry_quality.settings import load_settings
from telemetry_quality_tests.commands.test_incidents import SETTINGS
from telemetry_quality_tests.core.messages.post import UTC_ZONE, PostOffice, failed

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 11, 6, tzinfo=UTC)
LATEST = date(2026, 3, 10)
FIRST = date(2026, 3, 1)


def subject(name: str, first: date = FIRST) -> Subject:
    return Subject(name, f"The {name}", ("team:web",), Calendar(UTC_ZONE, first), policy_of(), Gate.HEALTHY)


def day_ago(days: int) -> date:
    return LATEST - timedelta(days=days)


def report_of(office: PostOffice, *names: str, last: int = 5, dashboard: str | None = None) -> Report:
    return gather(office.store, [subject(name) for name in names], last, NOW, dashboard)


@pytest.fixture
def office(tmp_path: Path) -> PostOffice:
    """Five days of a source that failed on the last two of them, and of one that is well."""
    office = PostOffice(tmp_path)
    for ago in range(5):
        office.judge(day_ago(ago), *([failed()] if ago < 2 else []), source="web", error_rate_percent=20.0 * (ago < 2))
        office.judge(day_ago(ago), source="app")
    return office


def test_the_worst_source_comes_first_with_what_is_wrong_since_when_and_who_has_it(office: PostOffice) -> None:
    office.decide(Action.ASSIGN, LATEST, assignee="grace")
    report = report_of(office, "app", "web")
    assert [(source.name, source.status, source.is_trusted) for source in report.sources] == [
        ("web", "unhealthy", False),
        ("app", "healthy", True),
    ]
    text = re.sub(r"<[^>]+>", " ", write(report))
    assert "The latest day of 1 of 2 sources cannot be trusted." in text
    assert re.search(r"error rate 20.00 % \(limit 5 %\)\s+since 2026-03-09; grace has it", text)
    assert re.search(r"Overview.*The web.*The app.*critical\s+The web", text, re.DOTALL)
    assert "Days: 2026-03-06 to 2026-03-10. Made at 2026-03-11 06:00 UTC." in text


def test_a_day_that_was_never_judged_is_neither_healthy_nor_a_zero(tmp_path: Path) -> None:
    office = PostOffice(tmp_path)
    for ago in (0, 1, 3, 4):
        office.judge(day_ago(ago))
    (source,) = report_of(office, "web").sources
    assert [day.status for day in source.days] == ["healthy", "healthy", "missing", "healthy", "healthy"]
    assert [day.day for day in source.troubled_days] == [day_ago(2)]
    drawn = chart(writing.plots_of(source)[0], source.days)
    assert drawn.count('class="line"') == 2, "a gap between two lines"


def test_a_source_without_a_day_that_is_over_says_so(tmp_path: Path) -> None:
    report = gather(PostOffice(tmp_path).store, [subject("new", LATEST + timedelta(days=1))], 5, NOW)
    assert (report.sources[0].days, report.span) == ((), "no day is over yet")
    assert "No day is over yet." in write(report)


def test_an_accepted_day_can_be_trusted_and_an_incident_before_the_days_is_left_out(office: PostOffice) -> None:
    accepted = MarkedDays("web", LATEST, LATEST, Mark.ACCEPTED, "ada", "intended", NOW)
    office.store.append_marked_days(accepted)
    report = report_of(office, "web", last=2)
    assert [day.is_trusted for day in report.sources[0].days] == [False, True]
    assert report.untrusted == []
    assert not report_of(office, "app", last=2).incidents


def test_open_incidents_come_before_closed_ones_and_only_as_many_as_can_be_read(
    office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.judge(day_ago(4), failed("missing_version", Level.WARNING), source="app")
    report = report_of(office, "app", "web")
    assert [(incident.source, incident.is_open) for incident in report.incidents] == [("web", True), ("app", False)]
    monkeypatch.setattr(writing, "MOST_INCIDENTS", 1)
    monkeypatch.setattr(writing, "MOST_DETAILED", 1)
    text = write(report)
    assert "And 1 more." in text
    assert "The overview has 1 more sources." in text


def test_a_report_needs_no_network_and_links_only_where_its_readers_can_go(office: PostOffice) -> None:
    text = write(report_of(office, "web"))
    assert not re.search(r"https?:|<script|<link|\bsrc=|url\(|@import", text)
    linked = write(report_of(office, "web", dashboard="https://quality.example.org"))
    addresses = set(re.findall(r'href="(h[^"]*)"', linked))
    assert addresses == {
        "https://quality.example.org/health/incidents/web/2026-03-09/",
        "https://quality.example.org/health/snapshots/web/2026-03-09/",
        "https://quality.example.org/health/snapshots/web/2026-03-10/",
    }


def test_the_digest_of_a_week_has_the_report_or_else_goes_without(
    office: PostOffice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = '[alerts.lead]\nurl = "json://127.0.0.1:9"\ndigest = "weekly"\n'
    (tmp_path / "telemetry.toml").write_text(f"{SETTINGS.format(name='web')}{channel}", encoding="utf-8")
    (found,) = message_channels(load_settings(tmp_path / "telemetry.toml"))
    assert "error rate 20.00 % (limit 5 %)" in str(found.report(NOW))
    monkeypatch.setitem(sys.modules, "jinja2", None)
    writing._template.cache_clear()
    assert found.report(NOW) is None
    with pytest.raises(RequestError, match="requires the package jinja2"):
        write(report_of(office, "web"))


def test_what_events_are_called_is_shown_and_never_markup(tmp_path: Path) -> None:
    office = PostOffice(tmp_path)
    hostile = '<img src=x onerror="alert(1)">\x1b[2J' + "x" * 5000
    office.judge(LATEST)
    office.store.append_marked_days(MarkedDays("web", LATEST, LATEST, Mark.BAD, hostile, hostile[:200], NOW))
    text = write(report_of(office, "web"))
    assert "<img" not in text
    assert "\x1b" not in text
    assert "marked bad by &lt;img src=x onerror=" in text
    assert "x" * 400 not in text


def test_the_strip_says_in_words_what_it_shows_in_colours() -> None:
    drawn = strip([ReportedDay(LATEST, None, None)] * 2)
    assert 'aria-label="2 missing"' in drawn
    assert drawn.count(">·<") == 2


NUMBERS = st.one_of(st.none(), st.floats(0, 1e12))


@given(st.lists(NUMBERS, min_size=1, max_size=40), st.one_of(st.none(), st.floats(0, 1e6)))
@example([5e-324], None)
def test_every_number_lies_within_the_picture(values: list[float | None], limit: float | None) -> None:
    plot = Plot("Events", values, [value and value / 2 for value in values], values, limit)
    days = [ReportedDay(FIRST + timedelta(days=number), None, None) for number in range(len(values))]
    for drawn, width, height in ((chart(plot, days), 720, 170), (sparkline(plot), 120, 24)):
        for path in re.findall(r' d="([^"]*)"', drawn):
            for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path):
                assert -0.1 <= float(x) <= width
                assert -0.1 <= float(y) <= height
