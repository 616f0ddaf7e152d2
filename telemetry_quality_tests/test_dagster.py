"""What a deployment adds to its own definitions, which stay as they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from telemetry_quality import load_settings
from telemetry_quality.dagster import build_definitions
from telemetry_quality.errors import SettingsError
from telemetry_quality.settings import Settings
from telemetry_quality_tests import packages
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.orchestration.station import FIRST_DAY, SETTINGS, make_station

if TYPE_CHECKING:
    from pathlib import Path

ROLES = {role: role for role in ("event_id", "occurred_at", "event_name", "service_version", "is_error")}


def _settings(folder: Path, source: str = "flights", **others: Any) -> dict[str, Any]:
    """Settings as they stand in another file, with absolute paths."""
    of_source = {"connector": "parquet", "path": str(folder / "events"), "first_day": "2026-02-01", "roles": ROLES}
    return {"store": f"sqlite:///{folder / source}.db", "sources": {source: of_source}} | others


def _deployment() -> dg.Definitions:
    """A deployment whose names are those that we would like to have."""

    @dg.asset(key=["flights", "events"])
    def flights() -> None: ...

    job = dg.define_asset_job("load", selection=[flights])

    @dg.sensor(name="alert_sensor", job=job)
    def alert_sensor() -> None: ...

    return dg.Definitions(
        assets=[flights],
        jobs=[job],
        sensors=[alert_sensor],
        schedules=[dg.ScheduleDefinition(name="daily", job=job, cron_schedule="0 1 * * *")],
        resources={"telemetry": dg.ResourceDefinition.hardcoded_resource("theirs")},
        executor=dg.multiprocess_executor.configured({"max_concurrent": 3}),
    )


def _names(definitions: dg.Definitions) -> set[str]:
    """Everything by which another definition could be mistaken."""
    dg.Definitions.validate_loadable(definitions)
    repository = definitions.get_repository_def()
    jobs = [job.name for job in repository.get_all_jobs() if not job.name.startswith("__")]
    sensors = [sensor.name for sensor in repository.sensor_defs]
    schedules = [schedule.name for schedule in repository.schedule_defs]
    keys = [spec.key.to_user_string() for spec in definitions.resolve_all_asset_specs()]
    return {*jobs, *keys, *sensors, *schedules, *repository.get_top_level_resources()}


def test_a_deployment_that_has_our_favourite_names_keeps_its_own_and_its_executor(tmp_path: Path) -> None:
    theirs = _deployment()
    ours = build_definitions(_settings(tmp_path), include_events_asset=False)
    merged = dg.Definitions.merge(theirs, ours)
    # The key of their events is a stub in ours, if it is not defined there.
    assert _names(merged) - _names(ours) == _names(theirs) - {"flights/events"}
    assert len(_names(merged)) == len(_names(theirs) | _names(ours))
    assert merged.resources is not None
    assert merged.resources["telemetry"].resource_fn(None) == "theirs"
    executors = {job.name: job.executor_def.name for job in merged.get_repository_def().get_all_jobs()}
    assert executors["load"] == executors["__ASSET_JOB"] == "multiprocess"
    assert executors["telemetry_quality_flights_materialize_day"] == "in_process"
    assert executors["telemetry_quality_flights_recheck_day"] == "in_process"


def test_two_settings_files_stand_side_by_side_even_if_they_name_the_same_source(tmp_path: Path) -> None:
    first = build_definitions(_settings(tmp_path))
    second = build_definitions(_settings(tmp_path), name_prefix="other_", key_prefix="other", group_name="quality")
    assert not _names(first) & _names(second)
    merged = dg.Definitions.merge(first, second)
    assert _names(merged) == _names(first) | _names(second)
    ops = [node.name for job in merged.get_repository_def().get_all_jobs() for node in job.nodes]
    assert not [name for name in ops if name.endswith("_2")]
    groups = {spec.key.to_user_string(): spec.group_name for spec in merged.resolve_all_asset_specs()}
    assert groups["flights/integrity_snapshot"] == "flights"
    assert groups["other/flights/integrity_snapshot"] == "quality"


@pytest.mark.parametrize("events", ["lake/departures", ["lake", "departures"], {"flights": "lake/departures"}])
def test_the_deployment_s_own_events_are_what_is_read(tmp_path: Path, events: Any) -> None:
    definitions = build_definitions(_settings(tmp_path), events_key=events)
    specs = {spec.key.to_user_string(): spec for spec in definitions.assets or () if isinstance(spec, dg.AssetSpec)}
    assert not specs
    graph = definitions.resolve_asset_graph()
    assert graph.get(dg.AssetKey(["flights", "event_sample"])).parent_keys == {dg.AssetKey(["lake", "departures"])}


def test_without_automation_there_is_no_schedule(tmp_path: Path) -> None:
    definitions = build_definitions(_settings(tmp_path), automation=None)
    assert not definitions.get_repository_def().schedule_defs


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"automation": "cron"}, "automation must be 'schedules', 'conditions' or None, but 'cron' was found"),
        ({"name_prefix": "web-"}, "name_prefix requires letters, digits and underscores, but 'web-' was found"),
        ({"events_key": {"web": "web"}}, "events_key requires sources of the settings, but 'web' is none"),
    ],
)
def test_a_wrong_parameter_is_refused_in_a_sentence(tmp_path: Path, parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        build_definitions(_settings(tmp_path), **parameters)


def test_one_key_for_the_events_of_two_sources_is_refused(tmp_path: Path) -> None:
    both = {"web": _settings(tmp_path)["sources"]["flights"]} | _settings(tmp_path)["sources"]
    with pytest.raises(SettingsError, match="requires a key per source, but one key was found for web, flights"):
        build_definitions(_settings(tmp_path, sources=both), events_key="web/events")


def test_relative_paths_start_from_the_folder_of_the_settings_and_never_from_that_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "telemetry.toml").write_text(SETTINGS.format(extra=""))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    inline = _settings(tmp_path) | {"store": "sqlite:///quality.db"}
    given = (
        build_definitions(tmp_path / "telemetry.toml"),
        build_definitions(str(tmp_path / "telemetry.toml")),
        build_definitions("telemetry.toml", folder=tmp_path),
        build_definitions(inline, folder=tmp_path),
        build_definitions(Settings(**inline), folder=tmp_path),
        build_definitions(load_settings(tmp_path / "telemetry.toml")),
    )
    for definitions in given:
        assert definitions.resources is not None
        settings = definitions.resources["telemetry_quality_telemetry"].settings
        assert settings.store == f"sqlite:///{tmp_path / 'quality.db'}"


@pytest.mark.parametrize("is_file", [True, False])
def test_a_path_that_would_depend_on_where_the_process_started_is_refused(tmp_path: Path, is_file: bool) -> None:
    inline = _settings(tmp_path) | {"store": "sqlite:///quality.db"}
    with pytest.raises(SettingsError, match=r"absolute path.*Path\(__file__\)"):
        build_definitions("telemetry.toml" if is_file else inline)
    with pytest.raises(SettingsError, match=r"folder requires an absolute path, but 'here' was found"):
        build_definitions(inline, folder="here")


def test_the_environment_overrides_every_file_but_only_the_sources_that_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEMETRY_QUALITY_STORE", f"sqlite:///{tmp_path / 'shared.db'}")
    monkeypatch.setenv("TELEMETRY_QUALITY_SOURCES__WEB__LATE_DAYS", "3")
    monkeypatch.setenv("TELEMETRY_QUALITY_ALERTS__TEAM__MINIMUM_LEVEL", "CRITICAL")
    (tmp_path / "telemetry.toml").write_text(SETTINGS.format(extra=""))
    settings = []
    for given in (_settings(tmp_path), tmp_path / "telemetry.toml"):
        definitions = build_definitions(given)
        assert definitions.resources is not None
        settings.append(definitions.resources["telemetry_quality_telemetry"].settings)
    assert {each.store for each in settings} == {f"sqlite:///{tmp_path / 'shared.db'}"}
    assert [list(each.sources) for each in settings] == [["flights"], ["web"]]
    assert [each.alerts for each in settings] == [{}, {}]
    assert settings[1].sources["web"].late_days == 3
    # A file that is read alone names every source: a variable of another one is a mistake.
    monkeypatch.setenv("TELEMETRY_QUALITY_SOURCES__FLIGHTS__LATE_DAYS", "3")
    with pytest.raises(SettingsError, match="flights"):
        load_settings(tmp_path / "telemetry.toml")


def test_a_mistake_in_a_mapping_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="settings: stor"):
        build_definitions(_settings(tmp_path) | {"stor": "x"})


def test_the_python_of_the_page_on_existing_deployments_runs(tmp_path: Path) -> None:
    page = packages.blocks("how-to/existing-dagster.md", "python")
    blocks = [block for block in page if "build_definitions(" in block]
    (report,) = (block for block in page if "def report" in block)
    assert len(blocks) == 2
    for name, source in (("telemetry", "flights"), ("flights", "flights"), ("web", "web")):
        text = SETTINGS.format(extra="").replace("sources.web", f"sources.{source}")
        (tmp_path / f"{name}.toml").write_text(text)
    names: dict[str, Any] = {"__file__": str(tmp_path / "definitions.py")}
    for block in (*blocks, report):
        exec(compile(block, "existing-dagster.md", "exec", dont_inherit=True), names)
        dg.Definitions.validate_loadable(names["defs"])
    assert names["report"].automation_conditions_by_key


def test_a_day_is_judged_under_other_names(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    station = make_station(tmp_path, days=1)
    definitions = build_definitions(station.settings, name_prefix="tq_", key_prefix="quality", clock=lambda: NOW)
    job = definitions.resolve_job_def("tq_web_materialize_day")
    assert job.execute_in_process(instance=instance, partition_key=FIRST_DAY.isoformat()).success
    snapshot = dg.AssetKey(["quality", "web", "integrity_snapshot"])
    assert instance.get_materialized_partitions(snapshot) == {FIRST_DAY.isoformat()}


def _requests(
    definitions: dg.Definitions, instance: dg.DagsterInstance, minutes: int, cursor: Any = None
) -> tuple[dict[str, set[str | None]], Any]:
    """What the automation sensor requests so many minutes after midnight of 4 February, by asset."""
    at = datetime(2026, 2, 4, tzinfo=UTC) + timedelta(minutes=minutes)
    result = dg.evaluate_automation_conditions(definitions, instance, cursor=cursor, evaluation_time=at)
    keys = [dg.AssetKey(["flights", name]) for name in ("event_aggregates", "event_sample", "integrity_snapshot")]
    found = {key.path[-1]: set(result.get_requested_partitions(key)) for key in keys}
    return {name: days for name, days in found.items() if days}, result.cursor


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::dagster_shared.utils.warnings.BetaWarning")
@pytest.mark.filterwarnings("ignore::dagster_shared.utils.warnings.PreviewWarning")
def test_with_conditions_missing_days_are_requested_in_the_morning_and_updated_ones_at_once(
    tmp_path: Path, quick_instance: dg.DagsterInstance
) -> None:
    lake = dg.AssetSpec("lake", partitions_def=dg.DailyPartitionsDefinition("2026-02-01"))
    ours = build_definitions(_settings(tmp_path), automation="conditions", events_key="lake")
    assert not ours.get_repository_def().schedule_defs
    definitions = dg.Definitions.merge(dg.Definitions(assets=[lake]), ours)
    every = ("event_aggregates", "event_sample", "integrity_snapshot")
    found, cursor = _requests(definitions, quick_instance, 59)
    assert found == {}
    for key in ("lake", *(["flights", name] for name in every)):
        for day in ("2026-02-01", "2026-02-02"):
            quick_instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=day))
    quick_instance.report_runless_asset_event(dg.AssetMaterialization("lake", partition="2026-02-03"))
    found, cursor = _requests(definitions, quick_instance, 60, cursor)
    assert found == {name: {"2026-02-03"} for name in every}
    found, cursor = _requests(definitions, quick_instance, 61, cursor)
    assert found == {}
    quick_instance.report_runless_asset_event(dg.AssetMaterialization("lake", partition="2026-02-02"))
    found, cursor = _requests(definitions, quick_instance, 62, cursor)
    assert found == {name: {"2026-02-02"} for name in every}
