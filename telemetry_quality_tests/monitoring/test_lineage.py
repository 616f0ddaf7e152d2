"""Run events of OpenLineage, received from its official client and compared with its published schemas."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from telemetry_quality.assembly import lineage
from telemetry_quality.core.daily import Judgement
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.monitoring.run_events import ROLES
from telemetry_quality.settings import OpenLineageSettings
from telemetry_quality_tests.builders import NOW, make_snapshot, make_stored_scan, make_verdicts
from telemetry_quality_tests.monitoring.receiver import SECRET, closed_port, receiving, silence
from telemetry_quality_tests.orchestration.station import FIRST_DAY, Station, make_station
from telemetry_quality_tests.test_cli import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry_quality_tests.monitoring.receiver import Receiver

SCHEMAS = [
    json.loads(file.read_text()) for file in sorted((Path(__file__).parent / "openlineage_schemas").glob("*.json"))
]
FACETS = {
    "nominalTime": "NominalTimeRunFacet",
    "errorMessage": "ErrorMessageRunFacet",
    "tags": "TagsRunFacet",
    "dataQualityAssertions": "DataQualityAssertionsDatasetFacet",
    "dataQualityMetrics": "DataQualityMetricsInputDatasetFacet",
}


def require_valid(event: dict[str, Any]) -> None:
    """Compare an event with the schema that it names, and each of its facets with the schema of that."""
    registry = Registry().with_resources([(schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS])
    found = [(event, event["schemaURL"])]
    for facets in (event["run"]["facets"], event["job"]["facets"], event["inputs"][0]["inputFacets"]):
        for name, facet in facets.items():
            assert facet["_schemaURL"].endswith(f"/{FACETS[name]}.json#/$defs/{FACETS[name]}")
            found.append((facet, facet["_schemaURL"]))
    for part, address in found:
        checker = Draft202012Validator.FORMAT_CHECKER
        Draft202012Validator({"$ref": address}, registry=registry, format_checker=checker).validate(part)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver that the client finds by its own variables, with a key."""
    with receiving() as receiver:
        monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
        monkeypatch.setenv("OPENLINEAGE_API_KEY", SECRET)
        yield receiver


@pytest.fixture
def station(tmp_path: Path) -> Station:
    """Three days, of which the last has too many errors."""
    station = make_station(tmp_path)
    station.write_day(FIRST_DAY.replace(day=3), errors=20)
    return _with_lineage(station)


def _with_lineage(station: Station, timeout_seconds: float = 10) -> Station:
    chosen = OpenLineageSettings(namespace="prod", timeout_seconds=timeout_seconds)
    station.settings = station.settings.model_copy(update={"openlineage": chosen})
    return station


def events_at(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in receiver.received]


def assertions_of(event: dict[str, Any]) -> dict[str, dict[str, Any]]:
    (dataset,) = event["inputs"]
    return {found["assertion"]: found for found in dataset["inputFacets"]["dataQualityAssertions"]["assertions"]}


@pytest.mark.slow
def test_a_run_sends_a_valid_event_for_each_day_and_the_same_ids_when_it_runs_again(
    station: Station, receiver: Receiver
) -> None:
    last = FIRST_DAY.replace(day=3)
    with dg.DagsterInstance.ephemeral() as instance:
        assert station.run(instance, FIRST_DAY, last).success
    for judgement in station.work.judge([FIRST_DAY], NOW + timedelta(hours=1)):
        lineage(station.settings, "web").emit(judgement)
    events = events_at(receiver)
    for event in events:
        require_valid(event)
    ids = [event["run"]["runId"] for event in events]
    assert len(set(ids[:3])) == 3
    assert ids[3:] == ids[:1]
    assert {request.headers["authorization"] for request in receiver.received} == {f"Bearer {SECRET}"}
    assert SECRET not in str(events)

    event = events[2]
    assert event["eventType"] == "COMPLETE"
    assert event["job"]["namespace"] == "prod"
    assert event["job"]["name"] == "telemetry_quality.web"
    assert event["producer"].startswith("pkg:pypi/telemetry-quality@")
    nominal = event["run"]["facets"]["nominalTime"]
    assert nominal["nominalStartTime"] == "2026-02-03T00:00:00+00:00"
    assert nominal["nominalEndTime"] == "2026-02-04T00:00:00+00:00"
    (dataset,) = event["inputs"]
    assert (dataset["namespace"], dataset["name"]) == ("file", str(station.folder / "events"))
    assert dataset["inputFacets"]["dataQualityMetrics"]["rowCount"] == 40
    failed = assertions_of(event)["error_rate"]
    assert failed["success"] is False
    assert (failed["column"], failed["severity"]) == ("is_error", "error")
    assert (failed["actual"], failed["expected"]) == ("50", "5")
    assert failed["description"].startswith("50.00 % of 40 events are errors")
    assert assertions_of(events[0])["error_rate"]["success"] is True


def make_judgement(**figures: Any) -> Judgement:
    snapshot = replace(make_snapshot(FIRST_DAY, **figures), revision=1)
    return Judgement(snapshot, make_verdicts(**figures), make_stored_scan(), is_new=True)


def test_what_was_not_judged_is_no_assertion(station: Station, receiver: Receiver) -> None:
    judgement = make_judgement(expected_events=None)
    unknown = {verdict.guardrail for verdict in judgement.verdicts if verdict.outcome is Outcome.UNKNOWN}
    lineage(station.settings, "web").emit(judgement)
    (event,) = events_at(receiver)
    require_valid(event)
    assert unknown
    assert assertions_of(event).keys() == {verdict.guardrail for verdict in judgement.verdicts} - unknown


def test_a_day_that_could_not_be_read_is_a_failed_run_without_assertions(station: Station, receiver: Receiver) -> None:
    nothing = dict.fromkeys(("total_events", "error_events", "error_rate_percent"))
    judgement = make_judgement(
        **nothing, unreadable_reason_code="FILE_CORRUPT", unreadable_reason="day.parquet is cut."
    )
    lineage(station.settings, "web").emit(judgement)
    (event,) = events_at(receiver)
    require_valid(event)
    assert event["eventType"] == "FAIL"
    assert event["run"]["facets"]["errorMessage"]["message"] == "day.parquet is cut."
    assert not [found for found in assertions_of(event).values() if found["success"]]
    assert "dataQualityMetrics" not in event["inputs"][0]["inputFacets"]


def test_an_expression_is_no_column(station: Station, receiver: Receiver) -> None:
    base = lineage(station.settings, "web")
    schema = replace(base.schema, is_error="severity >= 17", service_version="release")
    replace(base, schema=schema).emit(make_judgement())
    found = assertions_of(events_at(receiver)[0])
    assert "column" not in found["error_rate"]
    assert found["missing_version"]["column"] == "release"
    assert "column" not in found["activity"]


def test_the_roles_of_guardrails_are_roles(station: Station) -> None:
    schema = lineage(station.settings, "web").schema
    assert all(hasattr(schema, role) for role in ROLES.values())


def test_the_client_s_own_configuration_decides_where_events_go(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lineage.jsonl"
    configuration = {"transport": {"type": "file", "log_file_path": str(file), "append": True}}
    (tmp_path / "openlineage.yml").write_text(json.dumps(configuration))
    monkeypatch.setenv("OPENLINEAGE_CONFIG", str(tmp_path / "openlineage.yml"))
    told = lineage(station.settings, "web")
    for _ in range(2):
        told.emit(make_judgement())
    assert told.failure is None
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(events) == 2
    for event in events:
        require_valid(event)


def test_the_repository_that_is_around_is_not_named(
    station: Station, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REF", "refs/pull/7/merge")
    repository = station.folder / ".git"
    repository.mkdir()
    (repository / "HEAD").write_text("ref: refs/heads/main\n")
    (repository / "config").write_text(f'[remote "origin"]\n\turl = https://ada:{SECRET}@git.example.org/x.git\n')
    monkeypatch.chdir(station.folder)
    lineage(station.settings, "web").emit(make_judgement())
    assert SECRET not in receiver.received[0].body.decode()


def test_a_receiver_that_fails_is_one_sentence_and_is_not_tried_again(
    station: Station, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.status = 404
    told = lineage(station.settings, "web")
    told.emit(make_judgement())
    told.emit(make_judgement())
    assert told.failure == (
        "The lineage of web 2026-02-01 and later days of this run could not be sent (status 404); the work goes on."
    )
    assert len(receiver.received) == 1
    with silence() as silent:
        monkeypatch.setenv("OPENLINEAGE_URL", silent)
        monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TRANSPORTS__DEFAULT_HTTP__URL", silent)
        hanging = lineage(_with_lineage(station, 0.1).settings, "web")
        hanging.emit(make_judgement())
    assert "no response within 0.1 seconds" in str(hanging.failure)


def test_without_the_extra_the_sentence_says_what_to_install(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "telemetry_quality.monitoring.run_events", None)
    told = lineage(station.settings, "web")
    told.emit(make_judgement())
    assert 'pip install "telemetry-quality[openlineage]"' in str(told.failure)


def test_without_a_namespace_nothing_is_sent(station: Station, receiver: Receiver) -> None:
    silent = station.settings.model_copy(update={"openlineage": OpenLineageSettings()})
    told = lineage(silent, "web")
    told.emit(make_judgement())
    assert receiver.received == []
    assert told.failure is None


def test_the_commands_send_lineage_and_push_metrics_and_fail_for_neither(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_station(tmp_path)
    file = tmp_path / "telemetry.toml"
    file.write_text(f'{file.read_text()}\n[openlineage]\nnamespace = "prod"\n[otlp]\nendpoint = "{receiver.url}"\n')
    monkeypatch.chdir(tmp_path)
    terminal = Terminal(tmp_path, capsys)
    assert terminal.type("snapshot", "2026-02-01")[0] == 0
    assert [request.path for request in receiver.received] == ["/api/v1/lineage", "/v1/metrics"]

    receiver.status = 404
    file.write_text(file.read_text().replace(receiver.url, closed_port()))
    code, shown, errors = terminal.type("snapshot", "2026-02-02", "--json")
    assert code == 0
    assert json.loads(shown)["days"][0]["status"] == "healthy"
    lines = [line for line in errors.splitlines() if line.startswith("Warning: ")]
    assert [line.split(" could")[0] for line in lines] == [
        "Warning: The lineage of web 2026-02-02 and later days of this run",
        "Warning: The metrics",
    ]
    assert SECRET not in errors
