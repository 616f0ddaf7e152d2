"""The Atom feed and the badge: valid for any feed reader, and honest about what is not known."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from telemetry_quality.core.guardrails.verdicts import Segment
from telemetry_quality.core.incidents import Action, group_incidents
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard import feeds
from telemetry_quality.dashboard.feeds import badge_of, feed_of
from telemetry_quality.dashboard.summary import summarize
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY, keep, open_desk
from telemetry_quality_tests.dashboard.states import because, make_failure, make_incidents, make_journal_row, make_state
from telemetry_quality_tests.dashboard.test_error_shape import break_store, error_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry_quality_tests.dashboard.desk import Desk

FEED, BADGE = "/health/incidents.atom", "/health/badge.svg"
BAD: dict[str, Any] = {"error_events": 90, "error_rate_percent": 9.0}
ATOM = {"a": "http://www.w3.org/2005/Atom"}
SVG = {"s": "http://www.w3.org/2000/svg"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """``web`` has a closed and an open incident; ``app`` is healthy."""
    desk = open_desk(tmp_path_factory.mktemp("desk"), "web", "app")
    for back in range(5):
        keep(desk.store, YESTERDAY - timedelta(days=back), **(BAD if back in {0, 3} else {}))
    keep(desk.store, YESTERDAY, "app")
    yield desk
    desk.close()


@pytest.fixture
def own_desk(desk: Desk, tmp_path: Path) -> Iterator[Desk]:
    copy = desk.copy_to(tmp_path)
    yield copy
    copy.close()


def feed(desk: Desk, query: str = "") -> ET.Element:
    response = desk.ask(f"{FEED}{query}", headers=desk.by_token)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/atom+xml"
    return ET.fromstring(response.content)


def texts(parent: ET.Element, path: str) -> list[str]:
    return [element.text or "" for element in parent.findall(path, ATOM)]


def require_atom(root: ET.Element) -> None:
    """Require what RFC 4287 demands of a feed and its entries (4.1.1 and 4.1.2)."""
    assert root.tag == "{http://www.w3.org/2005/Atom}feed"
    for element in [root, *root.findall("a:entry", ATOM)]:
        for required in ("id", "title", "updated"):
            assert len(element.findall(f"a:{required}", ATOM)) == 1
        assert re.fullmatch(r"tag:[a-z0-9.-]+,2026:[A-Za-z0-9/._-]+", texts(element, "a:id")[0])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", texts(element, "a:updated")[0])
        links = element.findall("a:link", ATOM)
        assert len([link for link in links if link.get("rel") == "alternate"]) == 1
        assert all((link.get("href") or "").startswith("http") for link in links)
    assert len([link for link in root.findall("a:link", ATOM) if link.get("rel") == "self"]) == 1
    assert texts(root, "a:author/a:name") == ["telemetry-quality"]
    identifiers = texts(root, "a:entry/a:id")
    assert len(set(identifiers)) == len(identifiers)


def test_the_feed_is_atom_and_lists_the_most_recently_updated_incident_first(desk: Desk) -> None:
    root = feed(desk)

    require_atom(root)
    assert texts(root, "a:entry/a:id") == [
        "tag:127.0.0.1,2026:incident/web/2026-03-11",
        "tag:127.0.0.1,2026:incident/web/2026-03-08",
    ]
    assert texts(root, "a:entry/a:title") == [
        "web: CRITICAL, open, since 2026-03-11",
        "web: CRITICAL, closed, since 2026-03-08",
    ]
    assert "error rate 9.00 %" in texts(root, "a:entry/a:summary")[0]
    assert texts(root, "a:entry/a:summary")[1].endswith("State: closed.")


def test_links_are_absolute_and_lead_to_the_incidents_page(tmp_path: Path) -> None:
    desk = open_desk(tmp_path, url="https://telemetry.example.org")
    keep(desk.store, YESTERDAY, **BAD)
    root = ET.fromstring(feed_of(desk.dashboard.keeper.state(), desk.settings.dashboard.url, YESTERDAY))
    desk.close()

    assert [link.get("href") for link in root.findall("a:entry/a:link", ATOM)] == [
        "https://telemetry.example.org/health/incidents/web/2026-03-11/"
    ]
    assert [link.get("href") for link in root.findall("a:link", ATOM)] == [
        "https://telemetry.example.org/health/incidents.atom",
        "https://telemetry.example.org/health/incidents/",
    ]
    assert texts(root, "a:id") == ["tag:telemetry.example.org,2026:incidents"]


def test_the_address_of_an_entry_exists(desk: Desk) -> None:
    for link in feed(desk).findall("a:entry/a:link", ATOM):
        assert desk.ask((link.get("href") or "").removeprefix("http://127.0.0.1:3001")).status_code == 200


def test_an_incident_keeps_its_identifier_while_it_continues_is_decided_on_and_closes(own_desk: Desk) -> None:
    first = feed(own_desk)
    incident = own_desk.dashboard.keeper.state().incidents["web"][-1]
    acted_at = datetime(2026, 7, 1, 9, tzinfo=UTC)
    own_desk.dashboard.action_store.append_incident_action(incident.decide(Action.ACKNOWLEDGE, "ada", acted_at))
    own_desk.now += timedelta(days=1)
    keep(own_desk.store, YESTERDAY + timedelta(days=1), **BAD)
    later = feed(own_desk)
    own_desk.now += timedelta(days=1)
    keep(own_desk.store, YESTERDAY + timedelta(days=2))
    closed = feed(own_desk)

    assert texts(first, "a:entry/a:id") == texts(later, "a:entry/a:id") == texts(closed, "a:entry/a:id")
    assert texts(first, "a:entry/a:updated") == ["2026-06-01T12:00:00Z"] * 2
    assert texts(later, "a:entry/a:updated") == ["2026-07-01T09:00:00Z", "2026-06-01T12:00:00Z"]
    assert texts(later, "a:updated") == ["2026-07-01T09:00:00Z"]
    assert "acknowledged by ada" in texts(later, "a:entry/a:summary")[0]
    assert texts(closed, "a:entry/a:title")[0] == "web: CRITICAL, closed, since 2026-03-11"


def test_a_closed_incident_was_last_updated_when_the_day_that_closed_it_was_judged() -> None:
    day = date(2026, 3, 1)
    judged = datetime(2026, 3, 2, 2, tzinfo=UTC)
    rows = [
        make_journal_row(day, 1, status="unhealthy", computed_at=judged),
        make_journal_row(day + timedelta(days=1), 2, status="unknown", computed_at=judged + timedelta(days=1)),
        make_journal_row(day + timedelta(days=2), 3, status="healthy", computed_at=judged + timedelta(days=2)),
        make_journal_row(day + timedelta(days=3), 4, status="healthy", computed_at=judged + timedelta(days=3)),
    ]
    closed = group_incidents("web", [make_failure(day)], {row.day for row in rows if row.status != "unknown"})
    state = make_state(*rows, incidents=closed)
    root = ET.fromstring(feed_of(state, "http://localhost:3001", day))

    assert texts(root, "a:entry/a:updated") == ["2026-03-04T02:00:00Z"]


def test_the_feed_holds_only_the_latest_incidents(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MOST_ENTRIES", 1)
    root = ET.fromstring(feed_of(desk.dashboard.keeper.state(), "http://127.0.0.1:3001", YESTERDAY))

    assert texts(root, "a:entry/a:id") == ["tag:127.0.0.1,2026:incident/web/2026-03-11"]


def test_the_feed_of_one_source_is_another_feed(desk: Desk) -> None:
    web, app = feed(desk, "?source=web"), feed(desk, "?source=app")

    require_atom(web)
    require_atom(app)
    assert (len(web.findall("a:entry", ATOM)), len(app.findall("a:entry", ATOM))) == (2, 0)
    assert len({texts(root, "a:id")[0] for root in (web, app, feed(desk))}) == 3
    assert web.findall("a:link[@rel='self']", ATOM)[0].get("href") == f"http://127.0.0.1:3001{FEED}?source=web"


def test_a_reader_that_has_the_feed_is_not_sent_it_again_until_it_changes(own_desk: Desk) -> None:
    tag = own_desk.ask(FEED).headers["etag"]
    known = own_desk.by_token | {"If-None-Match": tag}
    own_desk.now += timedelta(hours=1)

    assert own_desk.ask(FEED, headers=known).status_code == 304
    keep(own_desk.store, YESTERDAY - timedelta(days=2), **BAD)
    assert own_desk.ask(FEED, headers=known).status_code == 200


def test_a_feed_reader_sends_the_token_as_a_password(desk: Desk) -> None:
    basic = {"Authorization": f"Basic {b64encode(f'reader:{desk.token}'.encode()).decode()}"}

    for path in (FEED, BADGE):
        assert desk.ask(path, headers=basic).status_code == 200
        assert desk.ask(path, headers={}).status_code == 401


def test_an_empty_feed_is_sent_without_incidents_but_not_for_a_store_that_was_never_read(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    root = feed(desk)
    require_atom(root)
    assert texts(root, "a:updated") == ["1970-01-01T00:00:00Z"]
    desk.close()

    (tmp_path / "broken").mkdir()
    other = open_desk(tmp_path / "broken")
    break_store(other)
    error_of(other.ask(FEED), 503, "STORE_UNREADABLE")
    other.close()


def test_the_feed_remains_while_the_store_cannot_be_read(own_desk: Desk) -> None:
    before = texts(feed(own_desk), "a:entry/a:id")
    break_store(own_desk)

    assert texts(feed(own_desk), "a:entry/a:id") == before


HOSTILE = "<script>alert(1)</script> & \x00\x1b\ufffe\udc80 ]]> “ü”"


def test_stored_text_stays_text_in_the_feed_even_if_xml_cannot_hold_it() -> None:
    day = date(2026, 3, 1)
    hostile = make_incidents(make_failure(day, sentence=HOSTILE, contributors=because(Segment((("name", HOSTILE),)))))
    state = make_state(make_journal_row(day, status="unhealthy"), incidents=hostile)
    written = feed_of(state, "http://localhost:3001", date(2026, 3, 2))
    root = ET.fromstring(written)

    assert b"<script" not in written
    assert "<script>alert(1)</script> & \ufffd\ufffd\ufffd\ufffd ]]> “ü”" in texts(root, "a:entry/a:summary")[0]


def badge(desk: Desk, query: str = "") -> ET.Element:
    response = desk.ask(f"{BADGE}{query}", headers=desk.by_token)
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/svg+xml"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    return ET.fromstring(response.content)


def words(root: ET.Element) -> tuple[str, str]:
    label, status = (element.text or "" for element in root.findall(".//s:text", SVG))
    assert root.get("aria-label") == f"{label}: {status}"
    return label, status


def test_the_badge_says_status_and_day_in_words(desk: Desk) -> None:
    assert words(badge(desk, "?source=web")) == ("web", "✗ unhealthy 2026-03-11")
    assert words(badge(desk, "?source=app")) == ("app", "✓ healthy 2026-03-11")
    assert words(badge(desk)) == ("telemetry", "✗ unhealthy 2026-03-11")
    assert "error rate 9.00 %" in (badge(desk).findtext("s:title", "", SVG))


def test_a_badge_whose_day_is_missing_says_stale_and_how_old_the_last_one_is(own_desk: Desk) -> None:
    own_desk.now += timedelta(days=2)

    assert words(badge(own_desk, "?source=app")) == ("app", "? stale, last 2026-03-11")
    assert words(badge(own_desk)) == ("telemetry", "? stale, last 2026-03-11")


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(-1, "✓ healthy 2026-03-11"), (0, "✓ healthy 2026-03-11"), (1, "? stale, last 2026-03-11")],
)
def test_a_badge_is_stale_from_the_minute_in_which_the_grace_ends(own_desk: Desk, minutes: int, expected: str) -> None:
    own_desk.now = datetime(2026, 3, 13, 3, 0, tzinfo=UTC) + timedelta(minutes=minutes)

    assert words(badge(own_desk, "?source=app"))[1] == expected


def test_a_badge_of_a_store_that_cannot_be_read_says_unknown(own_desk: Desk) -> None:
    badge(own_desk)
    break_store(own_desk)

    assert words(badge(own_desk, "?source=app")) == ("app", "? unknown")
    assert words(badge(own_desk)) == ("telemetry", "? unknown")


def test_a_badge_without_any_snapshot_says_that_there_never_was_one(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)

    assert words(badge(desk)) == ("web", "? no snapshot yet")
    desk.close()


def test_the_badge_needs_no_other_resources_and_nothing_that_the_policy_forbids(desk: Desk) -> None:
    root = badge(desk)

    for element in root.iter():
        assert element.tag.removeprefix("{http://www.w3.org/2000/svg}") in {"svg", "title", "rect", "g", "text"}
        assert not {"style", "href", "src", "class"} & set(element.attrib)
        assert not any("url(" in value for value in element.attrib.values())


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("status", DayStatus)
def test_white_letters_are_readable_on_every_colour_of_the_badge(status: DayStatus) -> None:
    assert 1.05 / (luminance(feeds._COLOURS[status]) + 0.05) >= 4.5


def test_stored_text_stays_text_in_the_badge(desk: Desk) -> None:
    summary = summarize(desk.dashboard.keeper.state(), desk.settings, NOW)
    hostile = summary.sources[0].model_copy(update={"sentence": HOSTILE})
    drawn = badge_of(summary.model_copy(update={"sources": (hostile,)}), "<" * 50)
    root = ET.fromstring(drawn)

    assert b"<script" not in drawn
    assert words(root)[0] == "<" * 39 + "…"
