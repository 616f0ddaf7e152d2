"""Where values of events end up: canaries in every column, looked for in everything that is kept or shown."""

from __future__ import annotations

import hashlib
import logging
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.assembly import open_store
from telemetry_quality.core.event_schema import EventSchema
from telemetry_quality.errors import SettingsError
from telemetry_quality.settings import load_settings
from telemetry_quality_tests.builders import NOW, make_events, write_parquet
from telemetry_quality_tests.dashboard.desk import Desk, paths_of
from telemetry_quality_tests.orchestration.station import FIRST_DAY, Station, make_station

if TYPE_CHECKING:
    import dagster as dg

ROLES = """
critical_fields = ["email"]
dimensions = ["region", "plan"]
"""
STORED_BY_DESIGN = {"name": "canaryname", "version": "canaryversion", "dimension": "canaryregion"}
NEVER_STORED = {"critical field": "canaryemail", "other column": "canarynote"}
DROPPED = "canaryplan"
IDS = "canaryid"
LAST_DAY = FIRST_DAY + timedelta(days=2)


def canaries(day: Any) -> list[dict[str, Any]]:
    """A day on which nearly everything fails, so that values have every reason to be named."""
    rows = make_events(
        60,
        day,
        event_name=STORED_BY_DESIGN["name"],
        service_version=STORED_BY_DESIGN["version"],
        is_error=True,
        region=STORED_BY_DESIGN["dimension"],
        plan=DROPPED,
        note=NEVER_STORED["other column"],
    )
    for place, row in enumerate(rows):
        row["event_id"] = f"{IDS}{place}"
        row["email"] = NEVER_STORED["critical field"] if place % 2 else None
    return rows


def run_everything(folder: Path, instance: dg.DagsterInstance, extra: str = "") -> Station:
    station = make_station(folder, days=0, extra=extra, roles=ROLES)
    types = dict.fromkeys(("email", "note", "region", "plan"), "VARCHAR")
    for offset in range(3):
        day = FIRST_DAY + timedelta(days=offset)
        write_parquet(station.file(day), canaries(day), types)
    station.file(FIRST_DAY).write_bytes(b"PAR1 is no Parquet file " + NEVER_STORED["other column"].encode() + b" PAR1")
    # The run fails because of the broken file, after everything else was done.
    assert not station.run(instance, FIRST_DAY, LAST_DAY).success
    return station


def kept_in(folder: Path, *but: str) -> str:
    """All bytes of the files below ``folder``, as text; ``but`` leaves out the events themselves."""
    files = (file for file in folder.rglob("*") if file.is_file() and not set(file.parts) & set(but))
    return "\n".join(file.read_bytes().decode("latin-1") for file in files)


def shown_by(station: Station) -> dict[str, str]:
    """What the dashboard responds at each of its addresses, and on the pages of all incidents."""
    desk = Desk(station.folder, station.settings, open_store(station.settings), now=NOW)
    paths = set(paths_of(desk.app.routes))
    known = {"source": "web", "day": LAST_DAY.isoformat()}
    addresses = {path.format(**known) for path in paths if set(re.findall(r"{(\w+)}", path)) <= set(known)}
    try:
        found = {address: desk.ask(address) for address in sorted(addresses)}
        linked = set(re.findall(r'href="(/health/incidents/web/[^"?#]+)"', found["/health/incidents/"].text))
        found |= {address: desk.ask(address) for address in sorted(linked)}
    finally:
        desk.close()
    assert linked
    return {address: response.text for address, response in found.items() if response.status_code == 200}


def test_only_what_plays_a_role_by_which_events_are_counted_is_stored_or_shown(
    tmp_path: Path, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    station = run_everything(tmp_path, instance)
    store, history = kept_in(tmp_path, "events"), kept_in(instance_folder(instance))
    pages = shown_by(station)

    for what, value in NEVER_STORED.items():
        for place, text in {"store": store, "history": history, "log": caplog.text, **pages}.items():
            assert value not in text, (what, place)
    for what, value in STORED_BY_DESIGN.items():
        assert value in store, what
    assert DROPPED in store
    assert IDS in store
    for place, text in {"history": history, "log": caplog.text}.items():
        assert IDS not in text, place
    assert IDS in pages[f"/health/snapshots/web/{LAST_DAY}/"]
    assert {f"/api/health/snapshots/web/{LAST_DAY}/", "/health/snapshots.csv"} <= set(pages)


def test_hashed_ids_and_dropped_dimensions_are_stored_and_shown_nowhere(
    tmp_path: Path, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    station = run_everything(tmp_path, instance, 'hash_event_ids = true\ndrop_dimensions = ["plan"]')
    places = {"store": kept_in(tmp_path, "events"), "history": kept_in(instance_folder(instance)), "log": caplog.text}

    for place, text in (places | shown_by(station)).items():
        assert IDS not in text, place
        assert DROPPED not in text, place
    assert f"sha256:{hashlib.sha256(b'canaryid7').hexdigest()}" in places["store"]


def instance_folder(instance: dg.DagsterInstance) -> Path:
    """Where Dagster keeps its runs, event logs and output."""
    return Path(instance.root_directory)


def test_what_is_dropped_must_be_a_dimension(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"drop_dimensions must name dimensions of roles, but 'plann' was found"):
        make_station(tmp_path, extra='drop_dimensions = ["plann"]', roles=ROLES)


def test_a_dropped_dimension_is_read_no_more_and_its_end_raises_no_alarm(tmp_path: Path) -> None:
    station = make_station(tmp_path, days=0, roles='dimensions = ["region", "plan"]')
    days = [FIRST_DAY + timedelta(days=offset) for offset in range(30)]
    for day in days:
        rows = make_events(60, day, region="north", plan="free")
        write_parquet(station.file(day), rows, {"region": "VARCHAR", "plan": "VARCHAR"})
    before = station.work
    list(before.read(days[:28], NOW))
    list(before.judge(days[:28], NOW))
    file = tmp_path / "telemetry.toml"
    text = file.read_text(encoding="utf-8").replace("first_day", 'drop_dimensions = ["plan"]\nfirst_day')
    file.write_text(text, encoding="utf-8")
    station.settings = load_settings(file)

    after = station.work
    list(after.read(days[28:], NOW))
    verdicts = {
        (judgement.snapshot.day, verdict.guardrail): verdict
        for judgement in after.judge(days[28:], NOW)
        for verdict in judgement.verdicts
    }

    assert isinstance(after.source.schema, EventSchema)
    assert after.source.schema.dimensions == ("region",)
    for day in days[28:]:
        assert verdicts[day, "silence"].outcome.value == "passed", verdicts[day, "silence"]
        assert verdicts[day, "dimensions"].outcome.value == "passed", verdicts[day, "dimensions"]
