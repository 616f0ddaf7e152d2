"""Which kinds of column can play which role, and what is reported if a column cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.event_schema import Rate
from telemetry_quality.errors import SourceError
from telemetry_quality.sources.columns import Column, ColumnKind, column_roles
from telemetry_quality_tests.builders import SCHEMA
from telemetry_quality_tests.sources.event_tables import table_of

if TYPE_CHECKING:
    from telemetry_quality.core.event_schema import EventSchema

KINDS = {
    "event_id": ColumnKind.TEXT,
    "occurred_at": ColumnKind.INSTANT,
    "event_name": ColumnKind.TEXT,
    "service_version": ColumnKind.TEXT,
    "is_error": ColumnKind.BOOLEAN,
}

FULL_SCHEMA = replace(
    SCHEMA,
    is_error="severity >= 17 OR status = 'lost'",
    observed_at="arrived_at",
    critical_fields=("user_id", "country"),
    dimensions=("platform",),
    rates=(Rate("diverted", "landed_at <> 'plan'", of="is_closed OR phase = 'end'"), Rate("flagged", "flag")),
)


def columns(**kinds: ColumnKind | None) -> dict[str, Column]:
    """The columns of SCHEMA, with others added, replaced or (None) removed."""
    wanted = {**KINDS, **kinds}
    return {name: Column(name, f"{kind.upper()} TYPE", kind) for name, kind in wanted.items() if kind is not None}


def rejection(schema: EventSchema, found: dict[str, Column]) -> SourceError:
    with pytest.raises(SourceError) as caught:
        table_of("events", found, schema)
    return caught.value


def test_every_column_named_by_the_schema_plays_a_role_including_those_in_predicates() -> None:
    assert list(column_roles(FULL_SCHEMA, {})) == [
        ("event_id", "event_id"),
        ("occurred_at", "occurred_at"),
        ("event_name", "event_name"),
        ("service_version", "service_version"),
        ("observed_at", "arrived_at"),
        ("is_error", "severity"),
        ("is_error", "status"),
        ("critical_fields", "user_id"),
        ("critical_fields", "country"),
        ("dimensions", "platform"),
        ("rates.diverted.where", "landed_at"),
        ("rates.diverted.of", "is_closed"),
        ("rates.diverted.of", "phase"),
        ("rates.flagged.where", "flag"),
    ]


def test_where_events_have_no_id_no_column_plays_its_role() -> None:
    schema = replace(SCHEMA, event_id=None)
    assert "event_id" not in dict(column_roles(schema, {}))
    table_of("events", columns(event_id=None), schema)


def test_columns_that_fit_their_roles_are_accepted() -> None:
    table_of("events", columns(), SCHEMA)


@pytest.mark.parametrize(("role", "name"), list(column_roles(FULL_SCHEMA, {})))
def test_a_missing_column_is_reported_with_its_role_and_the_columns_found(role: str, name: str) -> None:
    names = ("severity", "status", "user_id", "country", "platform", "landed_at", "phase", "is_closed")
    extra = dict.fromkeys(names, ColumnKind.TEXT)
    everything = columns(arrived_at=ColumnKind.INSTANT, flag=ColumnKind.BOOLEAN, **extra)
    table_of("events", everything, FULL_SCHEMA)
    error = rejection(FULL_SCHEMA, {key: value for key, value in everything.items() if key != name})
    assert error.reason_code == "COLUMN_MISSING"
    assert str(error).startswith(f"{role} requires the column {name!r}, but the events have only: ")


def test_a_table_without_columns_is_reported_as_such() -> None:
    assert str(rejection(SCHEMA, {})).endswith("have only: none.")


@pytest.mark.parametrize("role", ["occurred_at", "observed_at"])
@pytest.mark.parametrize("kind", [ColumnKind.INSTANT, ColumnKind.TEXT])
def test_an_instant_may_be_a_timestamp_or_text(role: str, kind: ColumnKind) -> None:
    found = columns(**{"observed_at": ColumnKind.INSTANT, role: kind})
    table_of("events", found, replace(SCHEMA, observed_at="observed_at"))


@pytest.mark.parametrize("role", ["occurred_at", "observed_at"])
def test_an_instant_may_be_an_integer_only_where_its_unit_is_known(role: str) -> None:
    schema = replace(SCHEMA, observed_at="observed_at")
    found = columns(**{"observed_at": ColumnKind.INSTANT, role: ColumnKind.INTEGER})
    error = rejection(schema, found)
    assert error.reason_code == "COLUMN_TYPE"
    assert str(error) == (
        f"{role} requires an instant, but {role!r} is INTEGER TYPE; "
        "set time_unit to s, ms, us or ns if it counts from 1970."
    )
    table_of("events", found, replace(schema, time_unit="ms"))


@pytest.mark.parametrize("role", ["occurred_at", "observed_at"])
@pytest.mark.parametrize("kind", [ColumnKind.BOOLEAN, ColumnKind.OTHER])
def test_nothing_else_can_be_an_instant(role: str, kind: ColumnKind) -> None:
    schema = replace(SCHEMA, observed_at="observed_at", time_unit="s")
    error = rejection(schema, columns(**{"observed_at": ColumnKind.INSTANT, role: kind}))
    assert error.reason_code == "COLUMN_TYPE"
    assert str(error).startswith(f"{role} requires a timestamp, text or a number, but {role!r} is ")


@pytest.mark.parametrize("kind", [ColumnKind.BOOLEAN, ColumnKind.INTEGER])
def test_is_error_may_be_a_boolean_or_an_integer_column(kind: ColumnKind) -> None:
    table_of("events", columns(is_error=kind), SCHEMA)


@pytest.mark.parametrize("kind", [ColumnKind.TEXT, ColumnKind.INSTANT, ColumnKind.OTHER])
def test_is_error_may_be_a_predicate_over_any_other_column(kind: ColumnKind) -> None:
    error = rejection(SCHEMA, columns(is_error=kind))
    assert error.reason_code == "COLUMN_TYPE"
    assert "write a predicate instead, such as is_error = 'ERROR'" in str(error)
    table_of("events", columns(is_error=kind), replace(SCHEMA, is_error="is_error = 'ERROR'"))


@pytest.mark.parametrize("kind", [ColumnKind.BOOLEAN, ColumnKind.INTEGER])
@pytest.mark.parametrize(
    ("rate", "role"),
    [(Rate("flagged", "flag"), "where"), (Rate("flagged", "is_error", of="flag"), "of")],
    ids=["where", "of"],
)
def test_a_rate_may_be_a_boolean_or_integer_column_or_a_predicate(kind: ColumnKind, rate: Rate, role: str) -> None:
    schema = replace(SCHEMA, rates=(rate,))
    table_of("events", columns(flag=kind), schema)
    error = rejection(schema, columns(flag=ColumnKind.TEXT))
    assert error.reason_code == "COLUMN_TYPE"
    assert str(error).startswith(f"rates.flagged.{role} requires a boolean or an integer column, but 'flag' is TEXT")


def test_a_predicate_that_cannot_be_parsed_is_refused_under_the_name_of_its_rate() -> None:
    error = rejection(replace(SCHEMA, rates=(Rate("flagged", "is_error", of="flag = = 1"),)), columns())
    assert error.reason_code == "EXPRESSION_INVALID"
    assert str(error).startswith("rates.flagged.of requires a column or an expression of columns")
