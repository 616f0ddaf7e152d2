"""The component ``TelemetryQualityComponent``: the definitions from a ``defs.yaml``."""

# Dagster resolves the annotations of a component: no postponed ones, no imports for type checkers only.
import re
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import dagster as dg
from dagster.components import Scaffolder, ScaffoldRequest, scaffold_component, scaffold_with

from telemetry_quality.errors import SettingsError
from telemetry_quality.orchestration.building import build_definitions

SETTINGS_FILE = "telemetry.toml"


def _said(description: str) -> dg.Resolver:
    """Describes an attribute in the component's JSON schema."""
    resolver: dg.Resolver = dg.Resolver.default(description=description)
    return resolver


class TelemetryQualityScaffolder(Scaffolder):
    """Writes a ``defs.yaml`` and a settings file to start from beside it."""

    def scaffold(self, request: ScaffoldRequest) -> None:
        """Write both; an existing settings file stays as it is."""
        scaffold_component(request, {"settings_file": SETTINGS_FILE})
        settings = request.target_path / SETTINGS_FILE
        if not settings.exists():
            starter = resources.files("telemetry_quality") / "starter" / SETTINGS_FILE
            settings.write_text(starter.read_text(encoding="utf-8"), encoding="utf-8")


@scaffold_with(TelemetryQualityScaffolder)
class TelemetryQualityComponent(dg.Component, dg.Resolvable, dg.Model):
    """Says of each day of telemetry whether it can be trusted: aggregates, a sample, a snapshot, checks and alerts.

    Relative paths start from the folder of the defs.yaml, those in a settings file from the file's folder.
    """

    settings_file: Annotated[str | None, _said("The settings file, instead of settings.")] = None
    settings: Annotated[dict[str, Any] | None, _said("What a settings file has, instead of settings_file.")] = None
    name_prefix: Annotated[
        str | None, _said("Begins the names of ops, jobs, schedules and sensors; the name of the folder by default.")
    ] = None
    key_prefix: Annotated[str | None, _said("Begins the keys of assets, such as quality or lake/quality.")] = None
    group_name: Annotated[str | None, _said("The group of all assets; by default one per source.")] = None
    resource_key: Annotated[str | None, _said("The key of the resource; by default name_prefix + telemetry.")] = None
    events_key: Annotated[
        str | dict[str, str] | None,
        _said("The asset that holds the events, such as lake/departures; one per source if there are several."),
    ] = None
    include_events_asset: Annotated[
        bool, _said("false if there are assets SOURCE/events already; ours depend on them then.")
    ] = True
    automation: Annotated[Literal["schedules", "conditions", "none"], _said("What materializes days.")] = "schedules"

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The definitions.

        Raises:
            SettingsError: If the settings or something above is not as required.
        """
        folder = context.path if context.path.is_dir() else context.path.parent
        return build_definitions(
            self._settings(),
            folder=folder,
            name_prefix=_prefix_of(folder) if self.name_prefix is None else self.name_prefix,
            key_prefix=self.key_prefix or (),
            group_name=self.group_name,
            resource_key=self.resource_key,
            events_key=self.events_key,
            include_events_asset=self.include_events_asset,
            automation=None if self.automation == "none" else self.automation,
        )

    def _settings(self) -> str | dict[str, Any]:
        given = self.settings_file if self.settings is None else self.settings
        if given is None or (self.settings_file is not None and self.settings is not None):
            found = "neither" if given is None else "both"
            raise SettingsError(
                f"A component requires either settings or settings_file, but {found} was found; "
                f"write settings_file: {SETTINGS_FILE} or settings."
            )
        return given


def _prefix_of(folder: Path) -> str:
    """A prefix from the name of the component's folder, by which two components have different names."""
    return f"{re.sub(r'[^A-Za-z0-9_]', '_', folder.name)}_"
