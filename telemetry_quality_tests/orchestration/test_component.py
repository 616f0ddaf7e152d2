"""The component in a project that ``create-dagster`` made, with definitions that could be mistaken for ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dagster import ComponentTree

from telemetry_quality.dagster import TelemetryQualityComponent
from telemetry_quality.errors import SettingsError
from telemetry_quality_tests.packages import write_package

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

THEIRS = """
import dagster as dg

@dg.asset(key=["flights", "events"])
def flights() -> None: ...

load = dg.define_asset_job("load", selection=[flights])

@dg.sensor(name="alert_sensor", job=load)
def alert_sensor() -> None: ...

defs = dg.Definitions(
    assets=[flights],
    jobs=[load],
    sensors=[alert_sensor],
    schedules=[dg.ScheduleDefinition(name="daily", job=load, cron_schedule="0 1 * * *")],
    resources={"telemetry": dg.ResourceDefinition.hardcoded_resource("theirs")},
    executor=dg.multiprocess_executor.configured({"max_concurrent": 3}),
)
"""

SETTINGS = """
[sources.flights]
connector = "parquet"
path = "events"
first_day = 2026-02-01

[sources.flights.roles]
event_id = "event_id"
occurred_at = "occurred_at"
event_name = "event_name"
service_version = "service_version"
is_error = "is_error"
"""

BY_IMPORT = """from pathlib import Path

from telemetry_quality.dagster import build_definitions

defs = build_definitions(Path(__file__).with_name("telemetry.toml"), include_events_asset=False)
"""

BY_YAML = """type: telemetry_quality.dagster.TelemetryQualityComponent

attributes:
  settings_file: ../telemetry.toml
  include_events_asset: false
"""

INLINE = """type: telemetry_quality.dagster.TelemetryQualityComponent

attributes:
  key_prefix: second
  settings:
    store: "{{ env.SECOND_STORE }}"
    sources:
      flights:
        connector: parquet
        path: events
        first_day: 2026-02-01
        preset: opentelemetry
"""


class Project:
    """A project made by create-dagster, whose environment has this package installed."""

    def __init__(self, folder: Path) -> None:
        with (ROOT / "pyproject.toml").open("rb") as file:
            entry_points = tomllib.load(file)["project"]["entry-points"]
        # The entry points as declared now, whenever the environment was installed.
        installed = write_package(folder / "installed", "telemetry-quality-now", {}, entry_points)
        self.folder = folder / "acme"
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, self.folder / "src", installed))),
            "DAGSTER_DG_UPDATE_CHECK_ENABLED": "0",
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "SECOND_STORE": "sqlite:///second.db",
        }
        self._run(folder, BIN / "create-dagster", "project", "acme", "--no-uv-sync")
        self.defs = self.folder / "src" / "acme" / "defs"
        (self.defs / "theirs.py").write_text(THEIRS)

    def dg(self, *arguments: str) -> str:
        return self._run(self.folder, BIN / "dg", *arguments)

    def definitions(self) -> dict[str, list[Any]]:
        """What ``dg list defs`` says of the project."""
        found: dict[str, list[Any]] = json.loads(self.dg("list", "defs", "--json"))
        return found

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.defs / name).parent.mkdir(exist_ok=True)
            (self.defs / name).write_text(text)

    def remove(self, files: Mapping[str, str]) -> None:
        for name in files:
            (self.defs / name).unlink()

    def _run(self, folder: Path, *command: str | Path) -> str:
        result = subprocess.run(command, cwd=folder, env=self.environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))


def _names(definitions: Mapping[str, list[Any]]) -> dict[str, str]:
    """Each definition as JSON, by its kind and name."""
    return {
        f"{kind}: {each.get('asset_key') or each.get('key') or each['name']}": json.dumps(each, sort_keys=True)
        for kind, found in definitions.items()
        for each in found or ()
    }


@pytest.mark.slow
def test_it_is_added_by_import_and_by_yaml_and_removed_and_theirs_stays_byte_for_byte_what_it_was(
    project: Project,
) -> None:
    before = _names(project.definitions())
    files = {
        "telemetry.toml": SETTINGS,
        "quality.py": BY_IMPORT,
        "first/defs.yaml": BY_YAML,
        "second/defs.yaml": INLINE,
    }
    assert all(len(files[name].splitlines()) <= 10 for name in ("quality.py", "first/defs.yaml"))
    project.write(files)
    # The same source three times, which only different keys allow.
    project.write({"first/defs.yaml": BY_YAML + "  key_prefix: first\n"})
    after = _names(project.definitions())
    assert {name: after[name] for name in before} == before
    ours = after.keys() - before.keys()
    for prefix in ("telemetry_quality_", "first_", "second_"):
        assert f"jobs: {prefix}flights_materialize_day" in ours
        assert f"sensors: {prefix}alert_sensor" in ours
        assert f"resources: {prefix}telemetry" in ours
    project.remove(files)
    assert _names(project.definitions()) == before


@pytest.mark.slow
def test_dg_lists_the_component_scaffolds_it_and_checks_its_yaml(project: Project) -> None:
    (listed,) = (
        each
        for each in json.loads(project.dg("list", "components", "--json"))["items"]
        if each["key"] == "telemetry_quality.dagster.TelemetryQualityComponent"
    )
    assert listed["summary"].startswith("Says of each day of telemetry whether it can be trusted")
    project.dg("scaffold", "defs", listed["key"], "scaffolded")
    assert (project.defs / "scaffolded" / "telemetry.toml").exists()
    assert "All component YAML validated successfully." in project.dg("check", "yaml")
    file = project.defs / "scaffolded" / "defs.yaml"
    file.write_text(file.read_text() + "  automaton: schedules\n")
    with pytest.raises(AssertionError, match="automaton"):
        project.dg("check", "yaml")


def _component(**attributes: Any) -> TelemetryQualityComponent:
    return TelemetryQualityComponent.from_attributes_dict(attributes=attributes)


@pytest.mark.parametrize(("given", "found"), [({}, "neither"), ({"settings": {}, "settings_file": "x"}, "both")])
def test_a_component_has_settings_or_a_file_of_them(given: dict[str, Any], found: str) -> None:
    with pytest.raises(SettingsError, match=f"either settings or settings_file, but {found} was found"):
        _component(**given).build_defs(ComponentTree.for_test().load_context)


def test_every_attribute_of_the_component_is_described_in_its_schema() -> None:
    model = TelemetryQualityComponent.get_model_cls()
    assert model is not None
    properties = model.model_json_schema()["properties"]
    assert {name for name, schema in properties.items() if not schema.get("description")} == set()
    assert {"settings", "settings_file", "automation", "events_key"} <= properties.keys()
