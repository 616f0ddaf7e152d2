"""The API says as of an instant what it said then, and of a range of days whether all of them can be trusted."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from telemetry_quality.core.guardrails.catalogue import judge_day, policy_of
from telemetry_quality.core.known_days import DAY_COLUMNS
from telemetry_quality.core.marks import Mark
from telemetry_quality.dashboard import day_exports
from telemetry_quality.dashboard.models import Summary
from telemetry_quality.storage.staff.tokens import Scope, fingerprint, new_token
from telemetry_quality_tests.builders import NOW as JUDGED_AT
from telemetry_quality_tests.builders import SCHEMA, make_evidence, make_figures, make_snapshot
from telemetry_quality_tests.dashboard.desk import YESTERDAY, keep, open_desk
from telemetry_quality_tests.storage.examples import make_mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from telemetry_quality_tests.dashboard.desk import Desk

LOG, SUMMARY = "/api/health/snapshots/", "/api/health/summary/"
DAY = f"{LOG}web/{YESTERDAY}/"
CSV, PARQUET = "/health/snapshots.csv", "/health/snapshots.parquet"
DAYS = "/health/days.csv"
HOUR = timedelta(hours=1)
THEN = JUDGED_AT.isoformat().replace("+00:00", "Z")
BEFORE = (JUDGED_AT - HOUR).isoformat().replace("+00:00", "Z")
BAD: dict[str, Any] = {"error_events": 90, "error_rate_percent": 9.0}


def judge(desk: Desk, day: date, at: datetime, **figures: Any) -> None:
    verdicts = judge_day(make_evidence(make_figures(**figures), day), policy_of(), SCHEMA)
    desk.store.append_snapshot(replace(make_snapshot(day, **figures), computed_at=at), verdicts)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Five healthy days, of which the last turns out to be bad an hour later, and the first is marked as bad then."""
    desk = open_desk(tmp_path_factory.mktemp("desk"), "web", "app")
    for back in range(5):
        keep(desk.store, YESTERDAY - timedelta(days=back))
    judge(desk, YESTERDAY, JUDGED_AT + HOUR, **BAD)
    first = YESTERDAY - timedelta(days=4)
    desk.store.append_marked_days(make_mark(day=first, until=first, mark=Mark.BAD, marked_at=JUDGED_AT + HOUR))
    yield desk
    desk.close()


def test_the_log_and_the_exports_show_the_revisions_of_that_instant(desk: Desk) -> None:
    now, then = (desk.json(LOG, source="web", **more)["snapshots"][0] for more in ({}, {"as_of": THEN}))
    assert (now["day"], now["revision"], now["status"], now["error_events"]) == (str(YESTERDAY), 2, "unhealthy", 90)
    assert (then["day"], then["revision"], then["status"], then["error_events"]) == (str(YESTERDAY), 1, "healthy", 0)
    assert desk.json(LOG, as_of=THEN, status="unhealthy")["total"] == 0
    assert desk.json(LOG, as_of=BEFORE)["total"] == 0
    rows = list(csv.DictReader(io.StringIO(desk.ask(CSV, params={"as_of": THEN}).text)))
    assert [row["revision"] for row in rows] == ["1"] * 5
    assert len(desk.ask(CSV, params={"as_of": BEFORE}).text.splitlines()) == 1


def test_a_day_is_shown_as_it_was_known_with_its_incidents_and_marks(desk: Desk) -> None:
    now, then, before = (desk.json(DAY, **more) for more in ({}, {"as_of": THEN}, {"as_of": BEFORE}))
    assert (now["status"], len(now["revisions"]), len(now["incidents"])) == ("unhealthy", 2, 1)
    assert (then["status"], len(then["revisions"]), then["incidents"]) == ("healthy", 1, [])
    assert (then["is_trustworthy"], "can be trusted" in then["sentence"]) == (True, True)
    assert (before["status"], before["revisions"], before["is_trustworthy"]) == ("unknown", [], False)
    first = f"{LOG}web/{YESTERDAY - timedelta(days=4)}/"
    assert [desk.json(first, **more)["is_trustworthy"] for more in ({}, {"as_of": THEN})] == [False, True]


def test_exports_of_days_say_which_can_be_trusted_now_and_could_be_then(
    desk: Desk, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day_exports, "CHUNK_DAYS", 2)
    now, then, before = (
        list(csv.DictReader(io.StringIO(desk.ask(DAYS, params=more).text)))
        for more in ({}, {"as_of": THEN}, {"as_of": BEFORE})
    )
    assert [row["is_trusted"] for row in now] == ["false", "true", "true", "true", "false"]
    assert [(row["why_not"], row["mark"]) for row in (now[0], now[-1])] == [
        ("mark:BAD", "bad"),
        ("error_rate:ERROR_RATE_HIGH", ""),
    ]
    assert [row["is_trusted"] for row in then] == ["true"] * 5
    assert before == []
    trusted = desk.ask("/health/days.parquet", params={"trusted": "true", "first": "0001-01-01", "last": "9999-12-31"})
    file = tmp_path_factory.mktemp("got") / "days.parquet"
    file.write_bytes(trusted.content)
    table = duckdb.read_parquet(str(file))
    assert table.columns == list(now[0]) == [column.name for column in DAY_COLUMNS]
    assert [str(day) for (day,) in table.select("day").fetchall()] == [row["day"] for row in now[1:-1]]
    assert duckdb_rows(desk, tmp_path_factory, "status=degraded") == 0
    assert len(desk.ask(f"{DAYS}?status=unhealthy&source=web").text.splitlines()) == 2
    assert desk.ask(f"{DAYS}?source=shop").status_code == 404


def duckdb_rows(desk: Desk, folders: pytest.TempPathFactory, query: str) -> int:
    """The rows of a Parquet file of days, which has its columns even without rows."""
    file = folders.mktemp("got") / "days.parquet"
    file.write_bytes(desk.ask(f"/health/days.parquet?{query}").content)
    return len(duckdb.read_parquet(str(file)).fetchall())


def test_a_later_revision_does_not_change_a_response_about_the_past(desk: Desk, tmp_path_factory: Any) -> None:
    own = desk.copy_to(tmp_path_factory.mktemp("own"))
    paths = (f"{LOG}?as_of={THEN}", f"{DAY}?as_of={THEN}", f"{CSV}?as_of={THEN}")
    before = [own.ask(path).content for path in paths]
    judge(own, YESTERDAY, JUDGED_AT + 2 * HOUR, error_events=500, error_rate_percent=50.0)
    own.store.append_marked_days(make_mark(marked_at=JUDGED_AT + 2 * HOUR))
    assert [own.ask(path).content for path in paths] == before
    own.close()


@pytest.mark.parametrize(
    "wrong", ["2026-06-01T12:00", "2026-06-01", "now", "2026-02-30T00:00Z", "0001-01-01T00:00+01:00"]
)
@pytest.mark.parametrize("path", [LOG, DAY, CSV, PARQUET])
def test_an_instant_without_a_zone_or_that_does_not_exist_is_refused(desk: Desk, path: str, wrong: str) -> None:
    response = desk.ask(path, params={"as_of": wrong})
    assert response.status_code == 422
    assert "2026-03-12T06:00:00Z" in response.text


def test_a_range_can_be_trusted_if_all_its_days_can(desk: Desk) -> None:
    first, last = YESTERDAY - timedelta(days=3), YESTERDAY - timedelta(days=1)
    good = desk.json(SUMMARY, source="web", first=first, last=last)
    assert (good["is_trustworthy"], good["status"]) == (True, "healthy")
    assert good["sentence"] == f"3 of 3 days of web from {first} to {last} can be trusted."
    assert good["sources"][0]["range"]["not_trusted"] == {}
    assert good["sources"][0]["range"]["window"]["total_events"] == 3000
    Summary.model_validate(good)


def test_a_range_names_the_days_that_cannot_be_trusted_and_why(desk: Desk) -> None:
    first, last = YESTERDAY - timedelta(days=5), YESTERDAY + timedelta(days=1)
    found = desk.json(SUMMARY, source="web", first=first, last=last)
    (source,) = found["sources"]
    assert (found["is_trustworthy"], found["status"], source["range"]["trusted_days"]) == (False, "unknown", 3)
    assert source["range"]["not_trusted"] == {
        str(first): "unknown",
        str(YESTERDAY - timedelta(days=4)): "marked bad",
        str(YESTERDAY): "unhealthy",
        str(last): "unknown",
    }
    assert found["sentence"].endswith(
        f"but not {first} (unknown), {YESTERDAY - timedelta(days=4)} (marked bad), {YESTERDAY} (unhealthy) and 1 more."
    )
    assert desk.json(SUMMARY, first=YESTERDAY, last=YESTERDAY)["is_trustworthy"] is False
    assert desk.json(SUMMARY, source="web")["sources"][0]["range"] is None


@pytest.mark.parametrize(
    "days", [{"first": "2026-03-01"}, {"last": "2026-03-01"}, {"first": "2016-01-01", "last": "2026-03-01"}]
)
def test_a_range_needs_both_ends_and_an_end_in_sight(desk: Desk, days: dict[str, str]) -> None:
    response = desk.ask(SUMMARY, params=days)
    assert response.status_code == 422
    longest = {"first": "2016-01-17", "last": "2026-03-04"}
    assert desk.ask(SUMMARY, params=longest).status_code == 200


def test_a_token_for_exports_opens_the_exports_of_any_instant_and_nothing_else(desk: Desk) -> None:
    token = new_token()
    staff = desk.dashboard.access.staff
    account = staff.require_account("ada")
    staff.add_token(account.id, "bi", fingerprint(token), desk.now, 30, scopes=(Scope.EXPORTS,))
    by_token = {"Authorization": f"Bearer {token}"}
    for path in (CSV, PARQUET, DAYS, "/health/days.parquet"):
        assert desk.ask(f"{path}?as_of={THEN}", headers=by_token).status_code == 200
    assert desk.ask(LOG, headers=by_token).status_code == 403
