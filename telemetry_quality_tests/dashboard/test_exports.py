"""Exports hold what the log shows, in columns that other programs read correctly, however much there is."""

from __future__ import annotations

import csv
import io
import sqlite3
import tempfile
import tracemalloc
from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import duckdb
import pytest
from sqlalchemy import event

from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot
from telemetry_quality.dashboard import exports
from telemetry_quality.dashboard.exports import csv_of, parquet_of
from telemetry_quality.errors import StoreError
from telemetry_quality.frames.snapshots import COLUMNS
from telemetry_quality.storage.tables import integrity_snapshot
from telemetry_quality_tests.builders import make_snapshot
from telemetry_quality_tests.dashboard.desk import YESTERDAY, keep, open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Message

    from telemetry_quality_tests.dashboard.desk import Desk

CSV, PARQUET = "/health/snapshots.csv", "/health/snapshots.parquet"
LOG = "/api/health/snapshots/"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Two sources with twelve days, among them a bad, an unreadable and a revised day; three rows per chunk."""
    desk = open_desk(tmp_path_factory.mktemp("desk"), "web", "app")
    for source in ("web", "app"):
        for back in range(12):
            keep(desk.store, YESTERDAY - timedelta(days=back), source, total_events=1000 + back)
    keep(desk.store, YESTERDAY, "web", error_events=90, error_rate_percent=9.0)
    unreadable = dict.fromkeys(("total_events", "error_events", "error_rate_percent", "expected_events"))
    keep(desk.store, YESTERDAY, "app", **unreadable, unreadable_reason_code="FILE", unreadable_reason='=1+1, "ü"\nno')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exports, "CHUNK_ROWS", 3)
        yield desk
    desk.close()


def rows_of(answer_bytes: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer_bytes.decode(), newline=""), strict=True))


def table_of(content: bytes, folder: Path) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The type of each column, and the rows."""
    file = folder / "got.parquet"
    file.write_bytes(content)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relation = connection.read_parquet(str(file))
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        return types, [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def test_an_export_has_every_column_of_a_snapshot_and_the_key_comes_first() -> None:
    assert COLUMNS[:3] == ("source", "day", "revision")
    assert set(COLUMNS) == {field.name for field in fields(TelemetryIntegritySnapshot)}
    assert set(COLUMNS) == set(integrity_snapshot.columns.keys()) - {"sequence"}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "source=web",
        "source=web&source=app",
        "status=unhealthy",
        "status=unhealthy&status=unknown",
        "first=2026-03-05",
        "last=2026-03-05",
        "first=2026-03-05&last=2026-03-05",
        "first=2026-03-03&last=2026-03-08&source=app&status=healthy",
        "first=2026-05-01",
    ],
)
def test_both_exports_hold_exactly_what_the_log_shows_for_the_same_filters(
    desk: Desk, tmp_path: Path, query: str
) -> None:
    logged = desk.ask(f"{LOG}?{query}&page_size=500&sort=day&descending=false".replace("?&", "?")).json()["snapshots"]
    listed = rows_of(desk.ask(f"{CSV}?{query}").content)
    _, stored = table_of(desk.ask(f"{PARQUET}?{query}").content, tmp_path)

    expected = sorted((line["day"], line["source"], line["revision"], line["total_events"]) for line in logged)
    assert [(row["day"], row["source"], row["revision"]) for row in listed] == [
        (d, s, str(r)) for d, s, r, _ in expected
    ]
    shown = [(row["day"].isoformat(), row["source"], row["revision"], row["total_events"]) for row in stored]
    assert shown == expected


def test_a_csv_cell_reads_back_as_the_value_that_is_stored(desk: Desk) -> None:
    kept = desk.dashboard.reader.snapshots(sources=["web"], first=YESTERDAY, last=YESTERDAY)[0]
    (found,) = rows_of(desk.ask(f"{CSV}?source=web&first={YESTERDAY}").content)

    assert float(found["error_rate_percent"]) == kept.error_rate_percent == 9.0
    assert int(found["total_events"]) == kept.total_events
    assert datetime.fromisoformat(found["computed_at"]) == kept.computed_at
    assert found["status"] == "unhealthy"
    assert found["has_error_spike"] == "true"
    assert found["is_provisional"] == "false"
    assert found["policy"] == kept.policy
    assert found["content_hash"] == kept.content_hash


def test_csv_follows_the_standard_and_what_is_not_known_is_an_empty_cell(desk: Desk) -> None:
    response = desk.ask(f"{CSV}?source=app&first={YESTERDAY}")
    (found,) = rows_of(response.content)

    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="snapshots.csv"'
    assert response.content.startswith(b"source,day,revision,")
    assert response.content.count(b"\r\n") == 2
    assert found["total_events"] == ""
    assert found["status"] == "unknown"
    assert b'"\'=1+1, ""\xc3\xbc""\nno"' in response.content


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_a_text_that_a_spreadsheet_would_evaluate_is_defused_and_a_number_is_not(start: str) -> None:
    text = f"{start}HYPERLINK(1)"
    snapshot = make_snapshot(unreadable_reason=text, volume_deviation_percent=-33.5)
    (found,) = rows_of(b"".join(csv_of(iter([[snapshot]]))))

    assert found["unreadable_reason"] == f"'{text}"
    assert found["volume_deviation_percent"] == "-33.5"


def test_a_text_that_cannot_be_utf_8_does_not_end_an_export() -> None:
    snapshot = make_snapshot(unreadable_reason="a\udc80b\x00")

    assert rows_of(b"".join(csv_of(iter([[snapshot]]))))[0]["unreadable_reason"] == "a?b\x00"


def test_parquet_has_dates_instants_in_utc_and_doubles(desk: Desk, tmp_path: Path) -> None:
    response = desk.ask(f"{PARQUET}?source=app&first=2026-03-10")
    types, (healthy, unreadable) = table_of(response.content, tmp_path)

    assert response.headers["content-type"] == "application/vnd.apache.parquet"
    assert response.headers["content-disposition"] == 'attachment; filename="snapshots.parquet"'
    assert tuple(types) == COLUMNS
    assert types["day"] == "DATE"
    assert types["computed_at"] == "TIMESTAMP WITH TIME ZONE"
    assert types["error_rate_percent"] == types["expected_events"] == types["completeness_percent"] == "DOUBLE"
    assert types["total_events"] == "BIGINT"
    assert types["revision"] == "INTEGER"
    assert types["is_provisional"] == "BOOLEAN"
    assert types["unreadable_reason"] == types["run_id"] == "VARCHAR"
    kept = desk.dashboard.reader.snapshots(sources=["app"], first=date(2026, 3, 10))
    for found, snapshot in zip((healthy, unreadable), kept, strict=True):
        assert found == {name: getattr(snapshot, name) for name in COLUMNS} | {"extra_numbers": "{}"}
    assert unreadable["computed_at"].tzinfo is not None


def test_parquet_keeps_its_types_if_a_column_is_never_known_or_there_are_no_rows(desk: Desk, tmp_path: Path) -> None:
    types, rows = table_of(desk.ask(f"{PARQUET}?first=2026-05-01").content, tmp_path)
    filled, _ = table_of(desk.ask(PARQUET).content, tmp_path)

    assert rows == []
    assert types == filled


def test_large_counts_and_fine_doubles_survive_parquet(tmp_path: Path) -> None:
    snapshot = make_snapshot(total_events=2**60 + 1, error_rate_percent=0.1 + 0.2)
    file, length = parquet_of(iter([[snapshot], [replace(snapshot, day=YESTERDAY)]]))
    content = file.read()
    file.close()
    _, rows = table_of(content, tmp_path)

    assert len(content) == length
    assert [row["total_events"] for row in rows] == [2**60 + 1] * 2
    assert rows[0]["error_rate_percent"] == 0.1 + 0.2


def test_an_export_leaves_nothing_on_the_disk(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert desk.ask(PARQUET).status_code == 200
    assert list(tmp_path.iterdir()) == []

    def fail() -> Iterator[Any]:
        yield [make_snapshot()]
        raise StoreError("gone")

    with pytest.raises(StoreError):
        parquet_of(fail())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [CSV, PARQUET])
def test_each_chunk_is_one_query_regardless_of_the_number_of_rows(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    asked: list[str] = []
    desk.ask(path)
    event.listen(desk.dashboard.reader._engine, "before_cursor_execute", lambda *call: asked.append(call[2]))

    def queries(chunk_rows: int) -> int:
        asked.clear()
        monkeypatch.setattr(exports, "CHUNK_ROWS", chunk_rows)
        assert desk.ask(path).status_code == 200
        return sum("current_snapshot" in statement for statement in asked)

    assert [queries(rows) for rows in (25, 24, 12, 8, 7)] == [1, 2, 3, 4, 4]


@pytest.mark.parametrize("path", [CSV, PARQUET])
def test_head_shows_the_headers_without_reading_everything(desk: Desk, path: str) -> None:
    response = desk.ask(path, "HEAD")

    assert response.status_code == 200
    assert response.content == b""
    assert response.headers["content-disposition"].startswith("attachment")
    assert response.headers["content-type"] == desk.ask(path).headers["content-type"]


def test_a_store_that_breaks_during_an_export_leaves_it_visibly_incomplete(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    for back in range(4):
        keep(desk.store, YESTERDAY - timedelta(days=back))
    sent: list[Message] = []

    async def nothing() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) == 3:
            with sqlite3.connect(tmp_path / "quality.db") as connection:
                connection.execute("DROP VIEW current_snapshot")
            connection.close()

    async def ask() -> None:
        server = ("127.0.0.1", 3001)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": CSV,
            "raw_path": CSV.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1:3001"), (b"cookie", desk.cookie.encode())],
            "client": server,
            "server": server,
        }
        await desk.app(scope, nothing, send)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exports, "CHUNK_ROWS", 2)
        with pytest.raises((StoreError, RuntimeError)):
            anyio.run(ask)
    desk.close()

    assert sent[0]["status"] == 200
    assert all(message.get("more_body", True) for message in sent)


def test_a_token_for_json_does_not_open_an_export_and_a_stranger_is_sent_to_sign_in(desk: Desk) -> None:
    assert desk.ask(CSV, headers=desk.by_token).status_code == 403
    assert desk.ask(CSV, headers={}).status_code == 401
    stranger = desk.ask(CSV, headers={"Accept": "text/html"})
    assert stranger.status_code == 303
    assert stranger.headers["location"].startswith("/health/sign-in/?next=/health/snapshots.csv")


def test_exports_refuse_the_sorting_and_paging_of_the_log(desk: Desk) -> None:
    """Sorting and paging belong to the log: an export refuses them instead of ignoring them."""
    assert desk.ask(f"{CSV}?sort=status").status_code == 422
    assert desk.ask(f"{CSV}?page=2").status_code == 422


@pytest.mark.slow
def test_memory_stays_flat_while_a_long_log_is_exported() -> None:
    chunk = [replace(make_snapshot(), day=date(2020, 1, 1) + timedelta(days=n)) for n in range(500)]

    def peak(chunks: int) -> int:
        tracemalloc.start()
        for _ in csv_of(chunk for _ in range(chunks)):
            pass
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    assert peak(20) < 1.5 * peak(2)
