"""Which predicates are allowed for ``is_error``, what they mean, and that none of their text is pasted into SQL."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from sqlalchemy import column, create_engine, select, table

from telemetry_quality.errors import SourceError
from telemetry_quality.sources.duckdb import DuckDBDialect
from telemetry_quality.sources.predicates import columns_named, is_column, parse_predicate

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Select

    Answer = Callable[[Select[Any]], list[int]]

ROWS = [
    # number, severity, status, message, "is bad", ratio
    (1, 9, "ok", "started", False, 0.5),
    (2, 17, "failed", "it's over", True, -1.5),
    (3, 21, "lost", "100% lost", False, -3.0),
    (4, None, None, None, None, None),
    (5, -1, "FAILED", "", True, 0.0),
]
TABLE = (
    'CREATE TABLE events (number INTEGER, severity INTEGER, status TEXT, message TEXT, "is bad" BOOLEAN, ratio REAL)'
)


def on_duckdb(query: Select[Any]) -> list[int]:
    with duckdb.connect() as connection:
        connection.execute(TABLE)
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", ROWS)
        compiled = query.compile(dialect=DuckDBDialect())
        values = [compiled.params[name] for name in compiled.positiontup or ()]
        return [number for (number,) in connection.execute(str(compiled), values).fetchall()]


def on_sqlite(query: Select[Any]) -> list[int]:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.exec_driver_sql(TABLE)
        connection.exec_driver_sql("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", ROWS)
        numbers = list(connection.scalars(query))
    engine.dispose()
    return numbers


ALLOWED = {
    "message NOT LIKE '%t%'": [5],
    "severity = 17": [2],
    "severity == 17": [2],
    "severity != 17": [1, 3, 5],
    "severity <> 17": [1, 3, 5],
    "severity > 17": [3],
    "severity >= 17": [2, 3],
    "severity < 17": [1, 5],
    "severity <= 17": [1, 2, 5],
    "severity >= 17 AND status = 'lost'": [3],
    "severity >= 21 OR status = 'ok'": [1, 3],
    "severity >= 21 or status = 'ok' and severity > 100": [3],
    "(severity >= 21 OR status = 'ok') AND severity > 100": [],
    "NOT severity >= 17": [1, 5],
    "NOT (severity >= 17 OR status = 'ok')": [5],
    "status IN ('failed', 'lost')": [2, 3],
    "severity IN (9, -1)": [1, 5],
    "status NOT IN ('failed', 'lost')": [1, 5],
    "severity BETWEEN 9 AND 17": [1, 2],
    "severity NOT BETWEEN 9 AND 17": [3, 5],
    "severity BETWEEN -5 AND -1": [5],
    "message LIKE '%lost'": [3],
    "message LIKE '100% %'": [3],
    "message LIKE 's_arted'": [1],
    "NOT message LIKE '%t%'": [5],
    "severity IS NULL": [4],
    "severity IS NOT NULL": [1, 2, 3, 5],
    "NOT severity IS NULL": [1, 2, 3, 5],
    "severity = -1": [5],
    "ratio < -1.5": [3],
    "ratio <= -1.5": [2, 3],
    "ratio = .5": [1],
    "ratio = 5e-1": [1],
    "message = 'it''s over'": [2],
    "message = ''": [5],
    '"is bad"': [2, 5],
    'NOT "is bad"': [1, 3],
    '"is bad" = TRUE': [2, 5],
    '"is bad" = false AND severity = 9': [1],
    '"severity" >= 17': [2, 3],
    "severity > ratio": [1, 2, 3],
    "17 <= severity": [2, 3],
}


@pytest.mark.parametrize("answer", [on_duckdb, on_sqlite], ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("predicate", ALLOWED)
def test_a_predicate_selects_the_events_a_reader_of_sql_expects(answer: Answer, predicate: str) -> None:
    events = table("events", column("number"), *map(column, columns_named(predicate)))
    assert (
        answer(select(events.c.number).where(parse_predicate(predicate)).order_by(events.c.number))
        == (ALLOWED[predicate])
    )


REFUSED = [
    "severity BETWEEN SYMMETRIC 5 AND 1",
    "",
    " ",
    "severity >=",
    "severity ~ 'x'",
    "severity + 1 > 17",
    "severity || 'x' = 'y'",
    "severity % 2 = 1",
    "upper(status) = 'FAILED'",
    "load_extension('x')",
    "read_csv('/etc/passwd')",
    "count(*) > 1",
    "CAST(severity AS INT) = 1",
    "severity::int = 1",
    "severity = DATE '2026-01-01'",
    "CASE WHEN severity = 1 THEN TRUE END",
    "EXISTS (SELECT 1)",
    "severity IN (SELECT 17)",
    "severity = (SELECT 17)",
    "severity > ALL (SELECT 1)",
    "severity IN ()",
    "SELECT severity",
    "severity = 1 UNION SELECT 1",
    "severity = 1 LIMIT 1",
    "severity = 1; DROP TABLE events",
    "severity = 1; severity = 2",
    "DROP TABLE events",
    "DELETE FROM events",
    "UPDATE events SET severity = 1",
    "CREATE TABLE x (a INT)",
    "ATTACH 'x' AS y",
    "PRAGMA query_only = OFF",
    "SET threads = 1",
    "severity = ?",
    "severity = :value",
    "severity = @value",
    "severity = NULL",
    "severity IS TRUE",
    "severity IS DISTINCT FROM 17",
    "status ILIKE 'x'",
    "status GLOB 'x'",
    "status REGEXP 'x'",
    "status LIKE 'x' ESCAPE '!'",
    "status COLLATE nocase = 'x'",
    "events.severity = 17",
    "other.events.severity = 17",
    "payload['severity'] = 17",
    "payload -> 'severity' = 17",
    "(severity, status) = (1, 'ok')",
    "severity AS name",
    "severity, status",
    "*",
    "CURRENT_USER = 'root'",
    "CURRENT_TIMESTAMP > severity",
    "INTERVAL '1' DAY > severity",
]


@pytest.mark.parametrize("text", REFUSED)
def test_whatever_is_not_a_plain_predicate_is_refused_with_a_sentence_that_repeats_it(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_predicate(text)
    assert caught.value.reason_code == "PREDICATE_INVALID"
    assert repr(text) in str(caught.value)
    assert "is_error requires a column or a predicate" in str(caught.value)


@pytest.mark.parametrize(
    "comment", ["-- OR TRUE", "/* OR TRUE */", "--\n", "/*", "#", "*/ OR TRUE /*"], ids=["line", "block", *"1234"]
)
def test_a_comment_never_reaches_the_database(comment: str) -> None:
    with suppress(SourceError):
        predicate = parse_predicate(f"severity >= 17 {comment}")
        assert str(predicate.compile(dialect=DuckDBDialect())) == "severity >= ?"


def test_every_value_is_bound_and_every_odd_name_is_quoted() -> None:
    text = """"Is ""Bad"" ; --" = 'x''; DROP TABLE events; --' AND severity IN (17, -2.5) OR note LIKE '%''%'"""
    compiled = parse_predicate(text).compile(dialect=DuckDBDialect(), compile_kwargs={"render_postcompile": True})
    assert str(compiled) == '"Is ""Bad"" ; --" = ? AND severity IN (?, ?) OR note LIKE ?'
    values = [compiled.params[name] for name in compiled.positiontup or ()]
    assert values == ["x'; DROP TABLE events; --", 17, -2.5, "%'%"]


@pytest.mark.parametrize("text", ["is_error", "isError", "attributes.is_error", "is$error", "_x1", "é"])
def test_a_bare_name_is_a_column_and_not_a_predicate(text: str) -> None:
    assert is_column(text)
    assert columns_named(text) == [text]


@pytest.mark.parametrize("text", ["is error", "a = 1", "(a)", "", "a;b", "a--", '"a"'])
def test_anything_else_is_not_a_column(text: str) -> None:
    assert not is_column(text)


def test_a_predicate_names_each_of_its_columns_once() -> None:
    assert sorted(columns_named("b > 1 AND (a = 2 OR b < 0) AND \"c d\" LIKE 'x'")) == ["a", "b", "c d"]


def test_naming_the_columns_of_something_unparsable_is_refused() -> None:
    with pytest.raises(SourceError) as caught:
        columns_named("a = = 1")
    assert caught.value.reason_code == "PREDICATE_INVALID"
