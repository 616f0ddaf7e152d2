"""The public surface: one line for each name that a version promises, in the order of their kinds."""

from __future__ import annotations

import inspect
import types
from importlib import import_module
from typing import TYPE_CHECKING, Any, get_args

import dagster as dg
from pydantic import BaseModel

from telemetry_quality.connectors import BUILT_IN as CONNECTORS
from telemetry_quality.connectors import connector
from telemetry_quality.core.gauges import GAUGES
from telemetry_quality.core.known_days import DAY_COLUMNS
from telemetry_quality.core.training import TRAINING_COLUMNS
from telemetry_quality.notifiers import BUILT_IN as NOTIFIERS
from telemetry_quality.notifiers import notifier
from telemetry_quality.settings import AlertSettings, Settings, SourceSettings
from telemetry_quality.settings.guardrails import guardrail_settings
from telemetry_quality.settings.rates import RateSettings
from telemetry_quality.storage.tables import metadata
from telemetry_quality_tests.orchestration.station import FIRST_DAY, make_station
from telemetry_quality_tests.reference import api, command_line, reason_codes, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic.fields import FieldInfo

PUBLIC = ("telemetry_quality", "telemetry_quality.dagster")


def surface(folder: Path) -> list[str]:
    """Every line; ``folder`` is empty and used for a store and a day."""
    lines = [
        *settings(),
        *commands(),
        *python(),
        *responses(),
        *store(folder),
        *codes(),
        *metrics(),
        *columns(),
        *in_dagster(folder),
    ]
    assert len(lines) == len(set(lines))
    return lines


def settings() -> Iterator[str]:
    """Keys of the settings with their defaults."""
    yield from _fields("", Settings)
    yield from _of("sources.*.", SourceSettings.common_fields())
    yield from _of("sources.*.rates.*.", RateSettings.model_fields)
    yield from _of("alerts.*.", AlertSettings.common_fields())
    for name in CONNECTORS:
        yield from _fields(f"sources.*({name}).", connector(name).settings)
    for name in NOTIFIERS:
        yield from _fields(f"alerts.*({name}).", notifier(name).settings)
    yield from _fields("sources.*.guardrails.", guardrail_settings())


def _fields(prefix: str, model: type[BaseModel]) -> Iterator[str]:
    return _of(prefix, model.model_fields)


def _of(prefix: str, fields: Mapping[str, FieldInfo]) -> Iterator[str]:
    for name, field in fields.items():
        nested = _models(field.annotation)
        default = field.get_default(call_default_factory=False) if not field.is_required() else "required"
        plain = default if isinstance(default, (str, int, float, bool, type(None))) else "…"
        yield f"setting {prefix}{name} = {plain}"
        for found in nested:
            # The tables of sources and channels have keys of their own kind, which come above.
            if not prefix and name in {"sources", "alerts"}:
                continue
            if found.__module__.startswith("telemetry_quality"):
                yield from _fields(f"{prefix}{name}.", found)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, types.GenericAlias):
        return []
    return [found for argument in get_args(annotation) for found in _models(argument)]


def commands() -> Iterator[str]:
    """Commands with their arguments and options."""
    for name, command in command_line.commands().items():
        yield f"command {name}"
        for parameter in command.params:
            for option in parameter.opts:
                yield f"command {name} {option}"


def python() -> Iterator[str]:
    """Exported names with their parameters."""
    for module in PUBLIC:
        names = import_module(module)
        for name in names.__all__:
            found = getattr(names, name)
            yield f"python {module}.{name}"
            if callable(found) and not isinstance(found, type):
                for parameter in inspect.signature(found).parameters.values():
                    yield f"python {module}.{name}({parameter.name})"
            elif isinstance(found, type):
                for method in vars(found):
                    if (
                        not method.startswith("_")
                        and callable(getattr(found, method))
                        and not issubclass(found, BaseModel)
                    ):
                        yield f"python {module}.{name}.{method}"


def responses() -> Iterator[str]:
    """Addresses with their parameters, and fields of responses."""
    schema = api.schema()
    for path, operations in schema["paths"].items():
        yield f"address {path}"
        for parameter in operations.get("get", {}).get("parameters", []):
            yield f"address {path} {parameter['name']}"
    for name, model in schema["components"]["schemas"].items():
        for field in model.get("properties", {}):
            yield f"response {name}.{field}"
        for value in model.get("enum", []):
            yield f"response {name} = {value}"


def store(folder: Path) -> Iterator[str]:
    """Columns of tables and views."""
    for table in metadata.sorted_tables:
        for column in table.columns:
            yield f"table {table.name}.{column.name}"
    for view, names in tables.views_of(f"sqlite:///{folder}/views.db").items():
        for name in names:
            yield f"view {view}.{name}"


def metrics() -> Iterator[str]:
    """Metrics with their labels."""
    for gauge in GAUGES:
        yield f"metric {gauge.name}"
        yield from (f"metric {gauge.name} {label}" for label in gauge.labels)


def codes() -> Iterator[str]:
    """Reason codes."""
    yield from (
        f"reason code {code}" for code in sorted({code for found in reason_codes.codes().values() for code in found})
    )


def columns() -> Iterator[str]:
    """Columns of days and of training days."""
    yield from (f"column of days {column.name}" for column in DAY_COLUMNS)
    yield from (f"column of training days {column.name}" for column in TRAINING_COLUMNS)


def in_dagster(folder: Path) -> Iterator[str]:
    """Assets, checks, jobs, schedules and sensors of a source, and the keys of their metadata on a judged day."""
    (folder / "station").mkdir()
    station = make_station(folder / "station", days=1)
    definitions = station.definitions
    for kind, found in (
        ("job", definitions.jobs), ("schedule", definitions.schedules), ("sensor", definitions.sensors)
    ):  # fmt: skip
        yield from sorted(f"dagster {kind} {one.name}" for one in found or ())
    with dg.DagsterInstance.ephemeral() as instance:
        result = station.run(instance, FIRST_DAY)
        assert result.success
        for node in result.get_asset_materialization_events():
            made = node.materialization
            yield f"dagster asset {made.asset_key.to_user_string()}"
            for key in sorted(made.metadata):
                yield f"dagster metadata {made.asset_key.to_user_string()} {key}"
        for evaluation in result.get_asset_check_evaluations():
            yield f"dagster check {evaluation.check_name}"
            for key in sorted(evaluation.metadata):
                yield f"dagster metadata {evaluation.check_name} {key}"
