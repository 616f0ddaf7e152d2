"""The command ``days`` without a subcommand: lists days as known now or then, in formats for people and programs."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from telemetry_quality.core.known_days import DAY_COLUMNS
from telemetry_quality.core.marks import Mark
from telemetry_quality.core.training import TRAINING_COLUMNS
from telemetry_quality_tests.builders import DAY, NOW, make_snapshot, make_store, make_verdicts
from telemetry_quality_tests.commands.test_incidents import SETTINGS
from telemetry_quality_tests.commands.test_marks import MarkTerminal
from telemetry_quality_tests.storage.examples import make_mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEXT_DAY = DAY + timedelta(days=1)
ERRORS: dict[str, Any] = {"error_events": 90, "error_rate_percent": 9.0}
NAMES = [column.name for column in DAY_COLUMNS]


@pytest.fixture
def terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[MarkTerminal]:
    """A healthy day that turns out to be unhealthy an hour later, and an unhealthy day that is accepted then."""
    (tmp_path / "telemetry.toml").write_text(SETTINGS.format(name="web"))
    monkeypatch.chdir(tmp_path)
    store = make_store(tmp_path)
    store.append_snapshot(make_snapshot(), make_verdicts())
    store.append_snapshot(make_snapshot(NEXT_DAY, **ERRORS), make_verdicts(**ERRORS))
    later = NOW + timedelta(hours=1)
    store.append_snapshot(replace(make_snapshot(**ERRORS), computed_at=later), make_verdicts(**ERRORS))
    store.append_marked_days(make_mark(day=NEXT_DAY, until=NEXT_DAY, mark=Mark.ACCEPTED, marked_at=later))
    yield MarkTerminal(tmp_path, store, capsys)
    store.close()


def listed(terminal: MarkTerminal, *arguments: str) -> list[tuple[str, int, str, bool]]:
    code, out, _ = terminal.type(*arguments, "--json")
    assert code == 0
    return [(day["day"], day["revision"], day["status"], day["is_trusted"]) for day in json.loads(out)["days"]]


def test_days_are_listed_as_they_are_known_now_and_as_they_were_known_then(terminal: MarkTerminal) -> None:
    assert listed(terminal) == [(str(DAY), 2, "unhealthy", False), (str(NEXT_DAY), 1, "unhealthy", True)]
    before = listed(terminal, "--as-of", NOW.isoformat())
    assert before == [(str(DAY), 1, "healthy", True), (str(NEXT_DAY), 1, "unhealthy", False)]
    assert listed(terminal, "--as-of", "2026-06-01T13:59:59+02:00") == []


def test_days_are_chosen_by_range_status_and_trust(terminal: MarkTerminal) -> None:
    then = ("--as-of", NOW.isoformat())
    assert [day for day, *_ in listed(terminal, "--trusted")] == [str(NEXT_DAY)]
    assert [day for day, *_ in listed(terminal, "--status", "healthy", *then)] == [str(DAY)]
    assert len(listed(terminal, "--status", "healthy", "--status", "unhealthy", *then)) == 2
    assert [day for day, *_ in listed(terminal, "--last", str(DAY))] == [str(DAY)]
    assert [day for day, *_ in listed(terminal, "--first", str(NEXT_DAY))] == [str(NEXT_DAY)]


def test_all_formats_hold_the_same_days_in_the_same_columns(terminal: MarkTerminal) -> None:
    _, out, _ = terminal.type("--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    code, nothing, _ = terminal.type("--format", "parquet", "--output", "days.parquet")
    table = duckdb.read_parquet(str(terminal.folder / "days.parquet"))
    terminal.type("--format", "json", "--output", "days.json")
    document = json.loads((terminal.folder / "days.json").read_text())["days"]

    assert (code, nothing) == (0, "")
    assert list(rows[0]) == table.columns == list(document[0]) == NAMES
    assert (
        dict(zip(table.columns, map(str, table.types), strict=True)).items()
        >= {
            "day": "DATE",
            "computed_at": "TIMESTAMP WITH TIME ZONE",
            "is_trusted": "BOOLEAN",
            "total_events": "BIGINT",
            "error_rate_percent": "DOUBLE",
            "why_not": "VARCHAR",
        }.items()
    )
    assert (
        [row["why_not"] for row in rows] == [row["why_not"] for row in document] == ["error_rate:ERROR_RATE_HIGH"] * 2
    )
    assert table.select("is_trusted").fetchall() == [(False,), (True,)]
    assert [path.name for path in terminal.folder.glob(".telemetry*")] == []


def test_people_read_a_table(terminal: MarkTerminal) -> None:
    code, out, _ = terminal.type()
    assert code == 0
    assert [line.split()[:6] for line in out.splitlines()[1:]] == [
        ["web", str(DAY), "2", "unhealthy", "no", "no"],
        ["web", str(NEXT_DAY), "1", "unhealthy", "yes", "yes"],
    ]
    assert terminal.type("--status", "degraded")[1] == "No judged day matches.\n"


def test_training_days_are_written_with_features_and_labels_as_known_then(terminal: MarkTerminal) -> None:
    arguments = ("--as-of", NOW.isoformat(), "--format", "parquet", "--output", "training.parquet")
    code, out, _ = terminal.type(*arguments, command="training-days")
    table = duckdb.read_parquet(str(terminal.folder / "training.parquet"))
    assert (code, out) == (0, "")
    assert table.columns == [column.name for column in TRAINING_COLUMNS]
    assert table.select("day", "revision", "is_healthy", "weight").fetchall() == [
        (DAY, 1, True, 1.0),
        (NEXT_DAY, 1, False, 0.0),
    ]
    _, out, _ = terminal.type("--json", command="training-days")
    assert [(day["is_healthy"], day["weight"]) for day in json.loads(out)["days"]] == [(False, 0.0), (False, 1.0)]
    assert str(NEXT_DAY) in terminal.type(command="training-days")[1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--as-of", "2026-06-01T12:00"), "an instant with a time zone such as 2026-03-12T06:00Z is required"),
        (("--as-of", "yesterday"), "an instant with a time zone such as 2026-03-12T06:00Z is required"),
        (("--format", "parquet"), "Parquet requires a file, but --output is missing"),
        (("--format", "parquet", "--output", "no/where.parquet"), "must exist and be writable"),
        (("--format", "csv", "--output", "no/where.csv"), "no/where.csv must be writable"),
        (("--first", "2026-03-11", "--last", "2026-03-10"), "The first day must not be after the last"),
        (("--source", "shop"), "but --source shop was given"),
    ],
)
def test_a_wrong_request_is_one_sentence(terminal: MarkTerminal, arguments: tuple[str, ...], sentence: str) -> None:
    code, out, err = terminal.type(*arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert "Traceback" not in err
