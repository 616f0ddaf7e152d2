"""telemetry.toml and the environment become one frozen value, or one sentence that says what to fix."""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from telemetry_quality.connectors import BUILT_IN as NAMES_OF_CONNECTORS
from telemetry_quality.core.days import Calendar
from telemetry_quality.core.event_schema import EventSchema, Rate
from telemetry_quality.core.guardrails import error_rate
from telemetry_quality.core.guardrails.catalogue import BUILT_IN, policy_of, settings_of
from telemetry_quality.core.guardrails.volume import RULES as VOLUME_RULES
from telemetry_quality.core.policies import SAMPLE_SIZE
from telemetry_quality.errors import SettingsError
from telemetry_quality.settings import DEFAULT_FILE, PRESETS, Settings, SignalSettings, load_settings

ROLES: dict[str, Any] = {
    "event_id": "id",
    "occurred_at": "at",
    "event_name": "name",
    "service_version": "version",
    "is_error": "failed",
}
PERCENTS = (
    "duplicate_percent",
    "critical_missing_percent",
    "late_percent",
    "invalid_timestamp_percent",
    "unreadable_time_percent",
    "leak_percent",
    "segment_error_percent",
    "version_drift_percent",
    "complete_percent",
)
"""Shares of a whole that came after the first four."""
SECRET = "hunter2"
SECRET_URL = f"postgresql://quality:{SECRET}@db.example/telemetry"
DATABASE: dict[str, Any] = {"connector": "database", "url": SECRET_URL, "table": "events", "path": None}


def toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {toml_value(item)}' for key, item in value.items())} }}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml_value, value))}]"
    return f"'{value}'" if isinstance(value, str) else str(value)


def toml_table(name: str, values: dict[str, Any]) -> str:
    lines = [f"{key} = {toml_value(value)}" for key, value in values.items() if value is not None]
    return "\n".join([f"[{name}]", *lines, ""])


def write_settings(
    folder: Path,
    *,
    top: str = "",
    name: str = "web",
    roles: dict[str, Any] | None = None,
    guardrails: dict[str, Any] | None = None,
    signals: dict[str, Any] | None = None,
    **source: Any,
) -> Path:
    """A settings file of one Parquet source; None leaves a key out."""
    values = {"connector": "parquet", "path": "events", "first_day": date(2026, 1, 1)} | source
    parts = [top, toml_table(f"sources.{name}", values)]
    parts.append(toml_table(f"sources.{name}.roles", ROLES if roles is None else roles))
    if guardrails is not None:
        parts.append(toml_table(f"sources.{name}.guardrails", guardrails))
    if signals is not None:
        parts.append(toml_table(f"sources.{name}.signals", signals))
    return write_text(folder, "\n".join(parts))


def write_text(folder: Path, text: str) -> Path:
    file = folder / DEFAULT_FILE
    file.write_text(text, encoding="utf-8")
    return file


def own(settings: Settings) -> dict[str, Any]:
    """The keys of the source's connector."""
    return settings.sources["web"].connector_settings.model_dump()


def complaint(file: Path) -> str:
    """The sentence with which loading ``file`` fails."""
    with pytest.raises(SettingsError) as refused:
        load_settings(file)
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert sentence.endswith((".", "?"))
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    return sentence


# What a file means


def test_a_file_needs_only_a_source_and_its_roles(tmp_path: Path) -> None:
    settings = load_settings(write_settings(tmp_path))
    source = settings.sources["web"]

    assert source.calendar() == Calendar(ZoneInfo("UTC"), date(2026, 1, 1))
    assert source.policy() == policy_of()
    assert source.event_schema() == EventSchema(**ROLES)
    assert settings.store == f"sqlite:///{tmp_path / 'telemetry_quality.db'}"
    assert (source.allowed_lateness_minutes, source.late_days, source.time_limit_seconds) == (60, 7, 300.0)
    assert (source.future_tolerance_minutes, source.stale_after_days) == (10, 7)
    assert (source.signals, source.owners) == (None, ())
    assert settings.title_of("web") == "web"


def test_every_setting_reaches_its_value(tmp_path: Path) -> None:
    roles = ROLES | {"observed_at": "seen", "critical_fields": ["user_id", "amount"], "dimensions": ["country"]}
    guardrails: dict[str, Any] = {
        **{setting.name: 60 for setting in settings_of(BUILT_IN)},
        "rest": ["sat", "sun"],
        "rest_days": [date(2026, 12, 24), "2026-07-27...2026-08-09"],
        "error_rate_percent": 2.5,
        "missing_version_percent": 3,
        "volume_deviation_percent": 150.0,
        "volume_rule": "either",
        "volume_far_percent": 60,
        "interval_percent": 95,
        "minimum_events": 7,
        "sample_success_percent": 90.0,
        "sample_size": 500,
        "sample_rule": "threshold",
        "duplicate_percent": 4,
        "critical_missing_percent": 2,
        "late_percent": 8,
        "invalid_timestamp_percent": 0.5,
        "unreadable_time_percent": 0.25,
        "leak_percent": 12,
        "leak_sigmas": 5,
        "version_drift_percent": 25,
        "complete_percent": 95,
        "baseline": "trailing_mean",
        "holidays": "US-NY",
    }
    file = write_settings(
        tmp_path,
        roles=roles,
        guardrails=guardrails,
        time_zone="America/New_York",
        last_day=date(2026, 12, 31),
        missing_versions=["dev-*"],
        extra_missing_versions=["local"],
        time_unit="ms",
        allowed_lateness_minutes=90,
        future_tolerance_minutes=30,
        stale_after_days=14,
        owners=["team:web", "ada@example.org"],
        title=" Заказы & visits ",
        group="Shop",
    )

    source = load_settings(file).sources["web"]

    assert source.calendar() == Calendar(ZoneInfo("America/New_York"), date(2026, 1, 1), date(2026, 12, 31))
    assert source.policy() == policy_of(**guardrails | {"rest_days": ("2026-12-24", "2026-07-27...2026-08-09")})
    assert source.event_schema() == EventSchema(
        **ROLES,
        observed_at="seen",
        critical_fields=("user_id", "amount"),
        dimensions=("country",),
        missing_versions=("dev-*", "local"),
        time_unit="ms",
        allowed_lateness_minutes=90,
        future_tolerance_minutes=30,
        stale_after_days=14,
    )
    assert source.owners == ("team:web", "ada@example.org")
    assert (source.title, source.group) == ("Заказы & visits", "Shop")
    assert load_settings(file).title_of("web") == "Заказы & visits"


def write_rates(folder: Path, **rates: dict[str, Any]) -> Path:
    """Settings of a source with these rates."""
    tables = [toml_table(f"sources.web.rates.{name}", values) for name, values in rates.items()]
    return write_text(folder, "\n".join([write_settings(folder).read_text(encoding="utf-8"), *tables]))


def test_every_setting_of_a_rate_reaches_its_value(tmp_path: Path) -> None:
    paid = {"where": "is_paid", "of": "is_basket", "below_percent": 90, "level": "CRITICAL", "description": "Paid."}
    lost = {"where": "is_lost", "above_percent": 1.5, "below_percent": 1.5}
    source = load_settings(write_rates(tmp_path, paid=paid, lost=lost)).sources["web"]
    rates = (
        Rate("paid", "is_paid", "is_basket", None, 90.0, "CRITICAL", "Paid."),
        Rate("lost", "is_lost", None, 1.5, 1.5, "WARNING", None),
    )
    assert source.event_schema() == EventSchema(**ROLES, rates=rates)
    assert source.policy() == policy_of(rates)
    assert source.policy() != policy_of()


def test_a_limit_of_a_rate_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEMETRY_QUALITY_SOURCES__WEB__RATES__LOST__ABOVE_PERCENT", "7.5")
    settings = load_settings(write_rates(tmp_path, lost={"where": "is_lost", "above_percent": 5}))
    assert settings.sources["web"].event_schema().rates[0].above_percent == 7.5


LOST = "sources.web.rates.lost"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, f"{LOST}.where is required, but was not found."),
        ({"where": "is_lost"}, f"{LOST}: must have above_percent or below_percent."),
        (
            {"where": "is_lost", "above_percent": 5, "below_percent": 7.5},
            f"{LOST}: below_percent must not be more than above_percent (5), but 7.5 was found.",
        ),
        (
            {"where": "is_lost", "above_precent": 5},
            (
                f"{LOST}.above_precent is not a setting; allowed here are where, of, above_percent, below_percent, "
                "level, description; did you mean above_percent?"
            ),
        ),
        (
            {"where": "is_lost", "above_percent": 5, "level": "FATAL"},
            f"{LOST}.level: should be 'CRITICAL', 'WARNING' or 'INFO', but 'FATAL' was found.",
        ),
        (
            {"where": "is_lost", "above_percent": 100},
            f"{LOST}.above_percent: should be less than 100, but 100 was found.",
        ),
        (
            {"where": "is_lost", "above_percent": -0.1},
            f"{LOST}.above_percent: should be greater than or equal to 0, but -0.1 was found.",
        ),
        (
            {"where": "is_lost", "below_percent": 0},
            f"{LOST}.below_percent: should be greater than 0, but 0 was found.",
        ),
        (
            {"where": "is_lost", "below_percent": 100.1},
            f"{LOST}.below_percent: should be less than or equal to 100, but 100.1 was found.",
        ),
        ({"where": "", "above_percent": 5}, f"{LOST}.where: should not be empty, but '' was found."),
        ({"where": "is_lost", "above_percent": True}, f"{LOST}: above_percent must not be true."),
    ],
)
def test_a_mistake_in_a_rate_is_one_sentence(tmp_path: Path, values: dict[str, Any], sentence: str) -> None:
    assert complaint(write_rates(tmp_path, lost=values)) == f"telemetry.toml: {sentence}"


@pytest.mark.parametrize("name", ["Lost", "'lost events'", "1st", "_lost"])
def test_a_rate_has_a_name_that_a_check_can_have(tmp_path: Path, name: str) -> None:
    file = write_rates(tmp_path, **{name: {"where": "is_lost", "above_percent": 5}})
    bare = name.strip("'")
    assert complaint(file) == (
        f"telemetry.toml: sources.web.rates: must be named in lower-case words such as checkout_failures, "
        f"but {bare!r} was found."
    )


def test_one_file_may_define_several_sources(tmp_path: Path) -> None:
    web = write_settings(tmp_path).read_text(encoding="utf-8")
    app = write_settings(tmp_path, name="app", path="app").read_text(encoding="utf-8")
    settings = load_settings(write_text(tmp_path, web + app))

    assert list(settings.sources) == ["web", "app"]
    assert settings.source("app") == ("app", settings.sources["app"])
    with pytest.raises(SettingsError, match=r"one of web, app, but no --source was given"):
        settings.source(None)
    with pytest.raises(SettingsError, match=r"one of web, app, but --source ios was given"):
        settings.source("ios")


def test_the_only_source_need_not_be_named(tmp_path: Path) -> None:
    settings = load_settings(write_settings(tmp_path))

    assert settings.source(None) == ("web", settings.sources["web"])
    assert settings.source("web") == ("web", settings.sources["web"])
    with pytest.raises(SettingsError, match="one of web"):
        settings.source("app")


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = load_settings(write_settings(tmp_path))

    for part, name in (
        (settings, "store"),
        (settings.sources["web"], "time_zone"),
        (settings.sources["web"].guardrails, "sample_size"),
        (settings.sources["web"].roles, "event_id"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, name, "x")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("error_rate_percent", 0),
        ("error_rate_percent", 100),
        ("missing_version_percent", 0),
        ("missing_version_percent", 100),
        ("sample_success_percent", 0),
        ("sample_success_percent", 100),
        ("volume_deviation_percent", 0),
        ("volume_deviation_percent", 1000),
        ("sample_size", 1),
        ("sample_size", 100_000),
        *((name, limit) for name in PERCENTS for limit in (0, 100)),
        ("volume_far_percent", 0),
        ("volume_far_percent", 99.9),
        ("interval_percent", 50),
        ("interval_percent", 99.9),
        ("minimum_events", 0),
        ("minimum_events", 1_000_000),
        ("leak_sigmas", 0),
        ("leak_sigmas", 50),
        *(("volume_rule", rule) for rule in VOLUME_RULES),
        ("baseline", "weekday"),
        ("holidays", "DE-BY"),
    ],
)
def test_a_guardrail_may_be_set_up_to_its_limits(tmp_path: Path, setting: str, value: Any) -> None:
    settings = load_settings(write_settings(tmp_path, guardrails={setting: value}))

    assert settings.sources["web"].policy().values[setting] == value


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("allowed_lateness_minutes", 0),
        ("allowed_lateness_minutes", 1440),
        ("future_tolerance_minutes", 0),
        ("future_tolerance_minutes", 100_000),
        ("stale_after_days", 1),
        ("stale_after_days", 4000),
        ("late_days", 1),
        ("late_days", 60),
        ("time_limit_seconds", 0.1),
        ("memory_limit", "128MiB"),
        ("memory_limit", "4 GB"),
        ("last_day", date(2026, 1, 1)),
        *(("time_unit", unit) for unit in ("s", "ms", "us", "ns")),
    ],
)
def test_a_source_may_be_set_up_to_its_limits(tmp_path: Path, setting: str, value: Any) -> None:
    assert getattr(load_settings(write_settings(tmp_path, **{setting: value})).sources["web"], setting) == value


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_the_pause_between_batches_may_be_set_up_to_its_limits(tmp_path: Path, seconds: float) -> None:
    settings = load_settings(write_settings(tmp_path, **DATABASE, pause_seconds=seconds))

    assert own(settings)["pause_seconds"] == seconds


# Presets


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_fills_every_role_an_event_needs(tmp_path: Path, preset: str) -> None:
    source = load_settings(write_settings(tmp_path, preset=preset, roles={})).sources["web"]

    assert source.roles.model_dump(exclude_defaults=True) == PRESETS[preset].roles
    assert source.time_unit == PRESETS[preset].settings.get("time_unit")
    assert set(ROLES) - {"event_id"} <= PRESETS[preset].roles.keys()


def test_a_preset_needs_no_table_of_roles(tmp_path: Path) -> None:
    file = write_text(
        tmp_path,
        toml_table(
            "sources.web",
            {"connector": "parquet", "path": "events", "first_day": date(2026, 1, 1), "preset": "snowplow"},
        ),
    )

    assert "derived_tstamp" in load_settings(file).sources["web"].roles.occurred_at


def test_an_explicit_role_wins_over_the_preset(tmp_path: Path) -> None:
    roles = {"event_name": "my_name", "critical_fields": ["user_id"]}
    file = write_settings(tmp_path, preset="opentelemetry", roles=roles, time_unit="ms")
    source = load_settings(file).sources["web"]

    assert (source.roles.event_name, source.roles.critical_fields) == ("my_name", ("user_id",))
    assert source.roles.is_error == PRESETS["opentelemetry"].roles["is_error"]
    assert source.time_unit == "ms"


@pytest.mark.parametrize("role", ["service_version", "is_error", "event_id", "observed_at"])
@pytest.mark.parametrize("nothing", ["NULL", " null "])
def test_a_role_may_be_declared_absent(tmp_path: Path, role: str, nothing: str) -> None:
    roles = {**ROLES, role: nothing}
    schema = load_settings(write_settings(tmp_path, roles=roles)).sources["web"].event_schema()

    assert role in schema.absent_roles
    assert getattr(schema, role) is None


# Relative paths


def test_relative_paths_start_at_the_files_folder_wherever_the_process_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    file = write_settings(tmp_path, top="store = 'sqlite:///store/quality.db'", signals={"table": "signals.parquet"})

    settings = load_settings(Path("..") / file.name)
    source = settings.sources["web"]

    assert source.signals is not None
    assert source.signals.table is not None
    assert Path(source.location).resolve() == tmp_path / "events"
    assert Path(source.signals.table).resolve() == tmp_path / "signals.parquet"
    assert Path(settings.store.removeprefix("sqlite:///")).resolve() == tmp_path / "store" / "quality.db"
    assert all(Path(path).is_absolute() for path in (source.location, source.signals.table))


def test_absolute_paths_stay_as_they_are(tmp_path: Path) -> None:
    file = write_settings(
        tmp_path, top="store = 'sqlite:////srv/quality.db'", path="/srv/events", signals={"table": "/srv/signals"}
    )
    settings = load_settings(file)
    source = settings.sources["web"]

    assert settings.store == "sqlite:////srv/quality.db"
    assert source.location == "/srv/events"
    assert source.signals is not None
    assert source.signals.table == "/srv/signals"


def test_a_database_source_anchors_a_sqlite_file_but_not_a_server_or_a_table(tmp_path: Path) -> None:
    signals = {"table": "known_signals"}
    on_disk = load_settings(write_settings(tmp_path, **DATABASE | {"url": "sqlite:///events.db"}, signals=signals))
    remote = load_settings(write_settings(tmp_path, **DATABASE))

    assert own(on_disk)["url"] == f"sqlite:///{tmp_path / 'events.db'}"
    assert on_disk.sources["web"].signals is not None
    assert on_disk.sources["web"].signals.table == "known_signals"
    assert own(remote)["url"] == SECRET_URL


def test_a_path_that_only_a_cluster_knows_stays_as_it_is(tmp_path: Path) -> None:
    file = write_settings(tmp_path, connector="spark", url="sc://spark", path="s3a://bucket/events")
    assert load_settings(file).sources["web"].location == "s3a://bucket/events"


# Which file


def test_the_file_named_by_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEMETRY_QUALITY_CONFIG", str(write_settings(tmp_path, late_days=3)))

    assert load_settings().sources["web"].late_days == 3


def test_the_file_of_this_folder_is_used_when_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_settings(tmp_path, late_days=4)
    monkeypatch.chdir(tmp_path)

    assert load_settings().sources["web"].late_days == 4


def test_a_file_that_is_passed_wins_over_the_environments_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEMETRY_QUALITY_CONFIG", str(tmp_path / "absent.toml"))

    assert load_settings(str(write_settings(tmp_path))).sources


# The environment


def test_the_environment_wins_over_the_file_at_every_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_settings(
        tmp_path, top="store = 'sqlite:///file.db'", guardrails={"error_rate_percent": 1, "sample_size": 9}
    )
    monkeypatch.setenv("TELEMETRY_QUALITY_STORE", "sqlite:////srv/environment.db")
    monkeypatch.setenv("TELEMETRY_QUALITY_SOURCES__WEB__TIME_ZONE", "Europe/Berlin")
    monkeypatch.setenv("TELEMETRY_QUALITY_SOURCES__WEB__LAST_DAY", "2026-02-03")
    monkeypatch.setenv("TELEMETRY_QUALITY_SOURCES__WEB__GUARDRAILS__ERROR_RATE_PERCENT", "7.5")
    monkeypatch.setenv("TELEMETRY_QUALITY_SOURCES__WEB__ROLES__EVENT_NAME", "kind")

    settings = load_settings(file)
    source = settings.sources["web"]

    assert settings.store == "sqlite:////srv/environment.db"
    assert (source.time_zone, source.last_day) == ("Europe/Berlin", date(2026, 2, 3))
    assert (source.policy()[error_rate.THRESHOLD], source.policy()[SAMPLE_SIZE]) == (7.5, 9)
    assert (source.roles.event_name, source.roles.event_id) == ("kind", "id")


@pytest.mark.parametrize(("text", "names"), [("a, b", ("a", "b")), ("a,b , c", ("a", "b", "c")), ("a", ("a",))])
def test_lists_in_the_environment_are_separated_by_commas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, names: tuple[str, ...]
) -> None:
    monkeypatch.setenv("TELEMETRY_QUALITY_SOURCES__WEB__MISSING_VERSIONS", text)
    monkeypatch.setenv("TELEMETRY_QUALITY_SOURCES__WEB__ROLES__CRITICAL_FIELDS", text)
    monkeypatch.setenv("TELEMETRY_QUALITY_SOURCES__WEB__SIGNALS__NAMES", text)

    source = load_settings(write_settings(tmp_path)).sources["web"]

    assert source.missing_versions == names
    assert source.roles.critical_fields == names
    assert source.signals is not None
    assert source.signals.names == names


@pytest.mark.parametrize(
    "name", ["TELEMETRY_QUALITY_STOR", "TELEMETRY_QUALITY_SOURCE__WEB__PATH", "TELEMETRY_QUALITY_"]
)
def test_a_misspelt_variable_is_refused_rather_than_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, SECRET)

    assert complaint(write_settings(tmp_path)) == (
        f"The environment sets {name}, but only TELEMETRY_QUALITY_STORE, TELEMETRY_QUALITY_ANCHOR, "
        "TELEMETRY_QUALITY_TRAINING_FOLDER, TELEMETRY_QUALITY_SOURCES, TELEMETRY_QUALITY_DASHBOARD, "
        "TELEMETRY_QUALITY_HEARTBEAT, "
        "TELEMETRY_QUALITY_OTLP, TELEMETRY_QUALITY_OPENLINEAGE, TELEMETRY_QUALITY_ALERTS and "
        "TELEMETRY_QUALITY_CONFIG are known."
    )


def test_a_misspelt_deeper_variable_is_refused_like_a_misspelt_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEMETRY_QUALITY_SOURCES__WEB__GUARDRAILS__ERROR_RATE", "5")

    assert "sources.web.guardrails.error_rate is not a setting" in complaint(write_settings(tmp_path))


def test_a_wrong_value_in_the_environment_is_refused_like_one_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEMETRY_QUALITY_SOURCES__WEB__GUARDRAILS__SAMPLE_SIZE", "many")

    sentence = complaint(write_settings(tmp_path))

    assert "sources.web.guardrails.sample_size" in sentence
    assert "'many' was found" in sentence


def test_other_programs_variables_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEMETRY_STORE", "x")
    monkeypatch.setenv("STORE", "x")

    assert load_settings(write_settings(tmp_path)).store.endswith("telemetry_quality.db")


def test_nothing_but_the_file_and_the_environment_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("TELEMETRY_QUALITY_STORE=sqlite:////srv/dotenv.db\n", encoding="utf-8")
    before = dict(os.environ)

    assert load_settings(write_settings(tmp_path)).store == f"sqlite:///{tmp_path / 'telemetry_quality.db'}"
    assert dict(os.environ) == before


# Mistakes


@pytest.mark.parametrize(
    ("changes", "key", "suggestion"),
    [
        ({"top": "stores = 'x'"}, "stores", "did you mean store?"),
        ({"top": "colour = 'x'"}, "colour", "remove it."),
        ({"time_zon": "UTC"}, "sources.web.time_zon", "did you mean time_zone?"),
        ({"roles": ROLES | {"observed": "x"}}, "sources.web.roles.observed", "did you mean observed_at?"),
        ({"guardrails": {"error_rate": 5}}, "sources.web.guardrails.error_rate", "did you mean error_rate_percent?"),
        ({"guardrails": {"colour": 5}}, "sources.web.guardrails.colour", "remove it."),
        ({"signals": {"name": ["a"]}}, "sources.web.signals.name", "did you mean names?"),
    ],
)
def test_an_unknown_key_is_refused_with_what_is_allowed_and_a_suggestion(
    tmp_path: Path, changes: dict[str, Any], key: str, suggestion: str
) -> None:
    sentence = complaint(write_settings(tmp_path, **changes))

    assert sentence.startswith(f"telemetry.toml: {key} is not a setting; allowed here are ")
    assert sentence.endswith(suggestion)


def test_an_unknown_key_is_reported_with_all_keys_of_its_table(tmp_path: Path) -> None:
    sentence = complaint(write_settings(tmp_path, signals={"colour": "x"}))

    assert "allowed here are names, table, column;" in sentence


@pytest.mark.parametrize("role", [role for role in ROLES if role != "event_id"])
def test_a_role_without_a_column_is_required_by_name(tmp_path: Path, role: str) -> None:
    roles = {name: column for name, column in ROLES.items() if name != role}

    assert complaint(write_settings(tmp_path, roles=roles)) == (
        f"telemetry.toml: sources.web.roles.{role} is required, but no column was named for this role; "
        "name one or choose a preset."
    )


def test_events_need_no_id(tmp_path: Path) -> None:
    roles = {name: column for name, column in ROLES.items() if name != "event_id"}

    assert load_settings(write_settings(tmp_path, roles=roles)).sources["web"].event_schema().event_id is None


@pytest.mark.parametrize("name", ["event_name", "service_version", "hour"])
def test_a_dimension_must_not_have_the_name_of_a_built_in_breakdown(tmp_path: Path, name: str) -> None:
    sentence = complaint(write_settings(tmp_path, roles=ROLES | {"dimensions": ["country", name]}))

    assert sentence.startswith("telemetry.toml: sources.web.roles.dimensions: ")
    assert f"must not be named {name}" in sentence
    assert "rename the column" in sentence


@pytest.mark.parametrize("key", ["connector", "first_day"])
def test_a_missing_key_is_required_by_name(tmp_path: Path, key: str) -> None:
    left_out: dict[str, Any] = {key: None}

    assert complaint(write_settings(tmp_path, **left_out)) == (
        f"telemetry.toml: sources.web.{key} is required, but was not found."
    )


@pytest.mark.parametrize("text", ["", "store = 'sqlite:///quality.db'"])
def test_a_file_without_sources_is_refused(tmp_path: Path, text: str) -> None:
    assert complaint(write_text(tmp_path, text)) == "telemetry.toml: sources is required, but was not found."


def test_a_file_needs_at_least_one_source(tmp_path: Path) -> None:
    assert "at least 1" in complaint(write_text(tmp_path, "[sources]"))


@pytest.mark.parametrize(
    ("setting", "value", "allowed"),
    [
        ("error_rate_percent", -0.1, "greater than or equal to 0"),
        ("error_rate_percent", 100.1, "less than or equal to 100"),
        ("error_rate_percent", "many", "valid number"),
        ("missing_version_percent", -0.1, "greater than or equal to 0"),
        ("missing_version_percent", 100.1, "less than or equal to 100"),
        ("sample_success_percent", -0.1, "greater than or equal to 0"),
        ("sample_success_percent", 100.1, "less than or equal to 100"),
        ("volume_deviation_percent", -0.1, "greater than or equal to 0"),
        ("volume_deviation_percent", "nan", "finite number"),
        ("sample_size", 0, "greater than or equal to 1"),
        ("sample_size", 100_001, "less than or equal to 100000"),
        ("sample_size", 1.5, "valid integer"),
        *((name, -0.1, "greater than or equal to 0") for name in PERCENTS),
        *((name, 100.1, "less than or equal to 100") for name in PERCENTS),
        ("volume_far_percent", -0.1, "greater than or equal to 0"),
        ("volume_far_percent", 100, "less than 100"),
        ("interval_percent", 49.9, "greater than or equal to 50"),
        ("interval_percent", 100, "less than 100"),
        ("rest", ["sunday"], "must hold only mon, tue, wed, thu, fri, sat, sun"),
        ("rest_days", ["Christmas"], "must hold only dates such as 2025-12-24, or ranges"),
        ("rest_days", ["2025-08-10...2025-07-28"], "or ranges of dates such as 2025-07-28...2025-08-10"),
        ("minimum_events", -1, "greater than or equal to 0"),
        ("minimum_events", 1.5, "valid integer"),
        ("leak_sigmas", -0.1, "greater than or equal to 0"),
        ("volume_rule", "neither", "one of deviation, unusual, both, either"),
        ("sample_rule", "never", "one of confirmed, threshold"),
        ("baseline", "holt_winters", "one of weekday, trailing_mean"),
        ("holidays", "Atlantis", "such as US or US-NY"),
        ("holidays", "XX-NY", "such as US or US-NY"),
        ("holidays", "us", "such as US or US-NY"),
        ("holidays", "", "such as US or US-NY"),
    ],
)
def test_a_bad_guardrail_is_refused_with_what_was_found_and_what_is_allowed(
    tmp_path: Path, setting: str, value: Any, allowed: str
) -> None:
    sentence = complaint(write_settings(tmp_path, guardrails={setting: value}))

    assert sentence.startswith(f"telemetry.toml: sources.web.guardrails.{setting}: ")
    assert allowed in sentence
    assert sentence.endswith(f", but {value!r} was found.")


@pytest.mark.parametrize(
    ("setting", "value", "allowed"),
    [
        ("connector", "excel", f"{', '.join(map(repr, NAMES_OF_CONNECTORS[:-1]))} or {NAMES_OF_CONNECTORS[-1]!r}"),
        ("time_zone", "Mars/Olympus", "an IANA time zone such as UTC or Europe/Berlin"),
        ("time_zone", "America", "an IANA time zone"),
        ("time_zone", "", "an IANA time zone"),
        ("time_zone", "../../etc/passwd", "an IANA time zone"),
        ("time_unit", "h", "'s', 'ms', 'us', 'ns' or 'auto'"),
        ("first_day", "soon", "valid date"),
        ("last_day", "late", "valid date"),
        ("late_days", 0, "greater than or equal to 1"),
        ("late_days", 61, "less than or equal to 60"),
        ("allowed_lateness_minutes", -1, "greater than or equal to 0"),
        ("allowed_lateness_minutes", 1441, "less than or equal to 1440"),
        ("future_tolerance_minutes", -1, "greater than or equal to 0"),
        ("future_tolerance_minutes", 0.5, "valid integer"),
        ("stale_after_days", 0, "greater than or equal to 1"),
        ("stale_after_days", 1.5, "valid integer"),
        ("time_limit_seconds", 0, "greater than 0"),
        ("time_limit_seconds", "long", "valid number"),
        ("memory_limit", "127MiB", "at least 128MiB"),
        ("memory_limit", "much", "at least 128MiB"),
        ("memory_limit", "1gib", "at least 128MiB"),
        ("memory_limit", 1024**3, "valid string"),
    ],
)
def test_a_bad_setting_of_a_source_is_refused_with_what_was_found_and_what_is_allowed(
    tmp_path: Path, setting: str, value: Any, allowed: str
) -> None:
    sentence = complaint(write_settings(tmp_path, **{setting: value}))

    assert sentence.startswith(f"telemetry.toml: sources.web.{setting}: ")
    assert allowed in sentence
    assert sentence.endswith(f", but {value!r} was found.")


@pytest.mark.parametrize(
    ("setting", "value", "found"),
    [
        ("time_format", "%d/%m", "requires %Y, %m or %b, and %d, but '%d/%m' has no year"),
        ("time_format", {"observed_at": "%Y-%m-%d %Q"}, "may have only %Y %m %b"),
        ("time_format", {"seen_at": "%Y-%m-%d"}, "must name occurred_at or observed_at, but 'seen_at' was found"),
        ("time_unit", {"observed_at": "h"}, "should be 's', 'ms', 'us', 'ns' or 'auto', but 'h' was found"),
        ("time_unit", 3, "must be a text, or a table of texts"),
    ],
)
def test_a_setting_of_times_that_cannot_be_read_is_refused(
    tmp_path: Path, setting: str, value: Any, found: str
) -> None:
    assert found in complaint(write_settings(tmp_path, **{setting: value}))


def test_each_time_may_have_its_own_unit_and_format(tmp_path: Path) -> None:
    units, formats = {"occurred_at": "ns"}, {"observed_at": "%d.%m.%Y"}
    file = write_settings(tmp_path, time_unit=units, time_format=formats)
    schema = load_settings(file).sources["web"].event_schema()
    assert (schema.unit_of("occurred_at"), schema.unit_of("observed_at")) == ("ns", None)
    assert (schema.format_of("occurred_at"), schema.format_of("observed_at")) == (None, "%d.%m.%Y")


@pytest.mark.parametrize(
    ("seconds", "allowed"), [(-0.1, "greater than or equal to 0"), (60.1, "less than or equal to 60")]
)
def test_a_bad_pause_between_batches_is_refused_like_any_other_setting(
    tmp_path: Path, seconds: float, allowed: str
) -> None:
    assert complaint(write_settings(tmp_path, **DATABASE, pause_seconds=seconds)) == (
        f"telemetry.toml: sources.web.pause_seconds: should be {allowed}, but {seconds} was found."
    )


def test_an_unknown_preset_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    assert complaint(write_settings(tmp_path, preset="otel")) == (
        "telemetry.toml: sources.web: preset must be one of opentelemetry, segment, rudderstack, snowplow, posthog, "
        "ga4, cloudevents, mozilla, but 'otel' was found."
    )


def test_a_last_day_before_the_first_one_is_refused(tmp_path: Path) -> None:
    assert complaint(write_settings(tmp_path, last_day=date(2025, 12, 31))) == (
        "telemetry.toml: sources.web: last_day must not be before first_day (2026-01-01), but 2025-12-31 was found."
    )


@pytest.mark.parametrize("name", ["Web", "-web", "'web events'", "9web", "'web.events'", "_web"])
def test_a_source_must_have_a_lower_case_name(tmp_path: Path, name: str) -> None:
    assert "lower-case words such as web_events" in complaint(write_settings(tmp_path, name=name))


@pytest.mark.parametrize("name", ["web_events2", "web-events-2", "w"])
def test_a_source_may_be_called_by_words_and_numbers(tmp_path: Path, name: str) -> None:
    assert list(load_settings(write_settings(tmp_path, name=name)).sources) == [name]


@pytest.mark.parametrize("is_alone", [True, False])
def test_the_environment_calls_a_source_with_hyphens_by_underscores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_alone: bool
) -> None:
    monkeypatch.setenv("TELEMETRY_QUALITY_SOURCES__WEB_EVENTS__LATE_DAYS", "3")
    settings = load_settings(write_settings(tmp_path, name="web-events"), is_alone=is_alone)
    assert {name: source.late_days for name, source in settings.sources.items()} == {"web-events": 3}


def test_names_that_differ_only_in_hyphens_are_refused_because_jobs_and_variables_would_collide(tmp_path: Path) -> None:
    file = write_settings(tmp_path, name="web-events")
    text = file.read_text()
    file.write_text(text + "\n" + text[text.index("[sources.") :].replace("web-events", "web_events"))
    assert "but 'web-events' and 'web_events' were found; rename one" in complaint(file)


CONNECTORS: dict[str, dict[str, Any]] = {
    "parquet": {"path": "events"},
    "duckdb": {"path": "events.duckdb", "table": "events"},
    "database": {"url": SECRET_URL, "table": "events"},
}
PLACES: dict[str, Any] = {"path": "events", "url": SECRET_URL, "table": "events"}


@pytest.mark.parametrize("connector", CONNECTORS)
def test_a_connector_takes_the_locations_it_reads_from(tmp_path: Path, connector: str) -> None:
    locations: dict[str, Any] = dict.fromkeys(PLACES) | CONNECTORS[connector]

    assert (
        load_settings(write_settings(tmp_path, connector=connector, **locations)).sources["web"].connector == connector
    )


@pytest.mark.parametrize("relation", [{"table": "lake.web.events", "path": None}, {"path": "/events"}], ids=str)
def test_spark_accepts_a_table_or_a_path(tmp_path: Path, relation: dict[str, Any]) -> None:
    settings = load_settings(write_settings(tmp_path, connector="spark", url="sc://spark", **relation))
    assert settings.sources["web"].connector == "spark"


@pytest.mark.parametrize(
    ("locations", "what"),
    [
        ({"url": "sc://spark", "path": None}, "requires table"),
        ({"url": "sc://spark", "path": "/events", "table": "events"}, "does not take table"),
        ({"path": None, "table": "events"}, "requires url"),
    ],
    ids=str,
)
def test_spark_takes_exactly_one_of_table_and_path(tmp_path: Path, locations: dict[str, Any], what: str) -> None:
    file = write_settings(tmp_path, connector="spark", **locations)
    assert complaint(file) == f"telemetry.toml: sources.web: connector 'spark' {what}."


@pytest.mark.parametrize(
    ("connector", "location"),
    [(connector, location) for connector, needed in CONNECTORS.items() for location in needed],
)
def test_a_connector_without_a_location_to_read_from_is_refused(tmp_path: Path, connector: str, location: str) -> None:
    locations: dict[str, Any] = dict.fromkeys(PLACES) | CONNECTORS[connector] | {location: None}

    assert complaint(write_settings(tmp_path, connector=connector, **locations)) == (
        f"telemetry.toml: sources.web: connector '{connector}' requires {location}."
    )


@pytest.mark.parametrize(
    ("connector", "location"),
    [
        (connector, location)
        for connector, needed in CONNECTORS.items()
        for location in PLACES
        if location not in needed
    ],
)
def test_a_connector_with_a_location_that_belongs_to_another_is_refused(
    tmp_path: Path, connector: str, location: str
) -> None:
    locations: dict[str, Any] = dict.fromkeys(PLACES) | CONNECTORS[connector] | {location: PLACES[location]}

    assert complaint(write_settings(tmp_path, connector=connector, **locations)) == (
        f"telemetry.toml: sources.web: connector '{connector}' does not take {location}."
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("sources = 'web'", "sources"),
        ("[sources]\nweb = 'events'", "sources.web"),
        (
            "[sources.web]\nconnector = 'parquet'\npath = 'events'\nfirst_day = 2026-01-01\nroles = 'x'",
            "sources.web.roles",
        ),
    ],
)
def test_a_value_in_place_of_a_table_is_refused(tmp_path: Path, text: str, key: str) -> None:
    assert complaint(write_text(tmp_path, text)).startswith(f"telemetry.toml: {key}: ")


def test_a_file_that_is_not_toml_is_refused_with_the_place(tmp_path: Path) -> None:
    file = write_text(tmp_path, "store = 'x'\n[sources\n")

    sentence = complaint(file)

    assert sentence.startswith(f"{file} must be valid TOML, but it is not: ")
    assert "line 2" in sentence


def test_a_missing_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "absent.toml"

    assert complaint(file) == (
        f"A settings file is required, but {file} does not exist; run telemetry-quality init or pass --config."
    )


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / DEFAULT_FILE
    file.write_bytes(b"\xff\xfe\x00store")

    assert complaint(file).startswith(f"{file} must be readable text, but reading it failed: ")


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    assert complaint(tmp_path).startswith(f"{tmp_path} must be readable text, but reading it failed: ")


# Secrets


@pytest.mark.parametrize(
    "changes",
    [
        DATABASE | {"path": "events"},
        DATABASE | {"table": None},
        DATABASE | {"connector": "parquet"},
        DATABASE | {"late_days": 0},
        DATABASE | {"time_zone": "Mars/Olympus"},
        DATABASE | {"last_day": date(2025, 1, 1)},
        DATABASE | {"roles": {}},
        DATABASE | {"url": [SECRET_URL]},
        DATABASE | {"url": None, "ur": SECRET_URL},
        DATABASE | {"name": "Web"},
        {"top": f"store = ['{SECRET_URL}']"},
        {"top": f"stor = '{SECRET_URL}'"},
        {"top": f"store = '{SECRET_URL}", "name": "web"},
    ],
)
def test_no_complaint_repeats_a_url_because_it_may_hold_a_password(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert SECRET not in complaint(write_settings(tmp_path, **changes))


@pytest.mark.parametrize("name", ["SOURCES__WEB__URL", "SOURCES__WEB__URL__X", "STOR", "SOURCES__WEB__UR"])
def test_no_complaint_repeats_a_url_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"TELEMETRY_QUALITY_{name}", SECRET_URL)

    assert SECRET not in complaint(write_settings(tmp_path))


@pytest.mark.parametrize(
    "path", ["s3://bucket/events/", "gs://bucket/e-?.parquet", "abfss://container@account.dfs.core.windows.net/events/"]
)
def test_a_path_in_an_object_store_stays_as_it_is_written(tmp_path: Path, path: str) -> None:
    assert load_settings(write_settings(tmp_path, path=path)).sources["web"].location == path


@pytest.mark.parametrize(
    "path",
    [
        f"s3://key:{SECRET}@bucket/events/",
        f"s3://{SECRET}@bucket/events/",
        f"abfss://container:{SECRET}@account.dfs.core.windows.net/events/",
        f"s3://bucket/events/*.parquet?AWSAccessKeyId=key&Signature={SECRET}",
        f"abfss://container@account.dfs.core.windows.net/events/?sv=1/2&sig={SECRET}",
    ],
)
@pytest.mark.parametrize("is_catalogue", [False, True], ids=["path", "signals.table"])
def test_credentials_in_a_path_are_refused_and_not_repeated(tmp_path: Path, path: str, is_catalogue: bool) -> None:
    events = {"path": f"{path.partition(':')[0]}://bucket/", "signals": {"table": path}}
    sentence = complaint(write_settings(tmp_path, **(events if is_catalogue else {"path": path})))
    assert "must not hold credentials" in sentence
    assert SECRET not in sentence


@pytest.mark.parametrize("path", ["https://host/events.parquet", "S3://bucket/", "s3a://bucket/", "file:///events"])
def test_an_unsupported_object_store_is_refused_with_the_supported_ones(tmp_path: Path, path: str) -> None:
    assert "begins with s3://, gs://, abfss://" in complaint(write_settings(tmp_path, path=path))


def test_a_duckdb_file_must_be_local(tmp_path: Path) -> None:
    file = write_settings(tmp_path, connector="duckdb", path="s3://bucket/events.duckdb", table="events")
    assert "requires path to be a file on this machine" in complaint(file)


def test_a_catalogue_in_an_object_store_requires_events_in_the_same_store(tmp_path: Path) -> None:
    signals = {"table": "s3://bucket/signals.parquet"}
    assert "only where path is in the same kind of store" in complaint(write_settings(tmp_path, signals=signals))
    settings = load_settings(write_settings(tmp_path, path="s3://other/events/", signals=signals))
    assert settings.sources["web"].signals == SignalSettings(**signals)


def test_settings_may_be_built_without_a_file_for_tests_and_notebooks() -> None:
    settings = Settings(
        sources={"web": {"connector": "parquet", "path": "events", "first_day": "2026-01-01", "roles": ROLES}}
    )

    assert settings.sources["web"].policy() == policy_of()


# A connector's own keys


def test_an_unknown_key_of_a_source_is_reported_with_the_keys_of_its_connector_only(tmp_path: Path) -> None:
    sentence = complaint(write_settings(tmp_path, pth="x"))

    assert "allowed here are connector, path, time_zone, first_day, " in sentence
    assert not {"url", "table", "pause_seconds", "connector_settings"} & set(re.findall(r"\w+", sentence))
    assert sentence.endswith("did you mean path?")


def test_a_key_of_another_connector_is_refused_as_such(tmp_path: Path) -> None:
    assert complaint(write_settings(tmp_path, pause_seconds=1)) == (
        "telemetry.toml: sources.web: connector 'parquet' does not take pause_seconds."
    )


def test_a_misspelt_connector_key_is_reported_before_the_keys_that_follow_from_it(tmp_path: Path) -> None:
    sentence = complaint(write_settings(tmp_path, connector=None, conector="duckdb", table="events"))

    assert sentence.startswith("telemetry.toml: sources.web.conector is not a setting; ")
    assert sentence.endswith("did you mean connector?")


def test_the_field_that_holds_a_connector_s_keys_is_not_a_setting(tmp_path: Path) -> None:
    sentence = complaint(write_text(tmp_path, MINIMAL.replace("first_day", "connector_settings = {}\nfirst_day")))

    assert "sources.web.connector_settings is not a setting" in sentence


@pytest.mark.parametrize("key", ["path", "PATH"])
def test_a_connector_s_key_in_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv(f"TELEMETRY_QUALITY_SOURCES__WEB__{key}", "elsewhere")

    assert load_settings(write_settings(tmp_path)).sources["web"].location == str(tmp_path / "elsewhere")


def test_settings_shown_for_debugging_do_not_show_a_url_that_may_hold_a_password(tmp_path: Path) -> None:
    assert SECRET not in repr(load_settings(write_settings(tmp_path, **DATABASE, top=f"store = '{SECRET_URL}'")))


# The dashboard


OIDC = {"issuer": "https://id.example.org", "client_id": "quality", "client_secret": SECRET}


def write_dashboard(folder: Path, oidc: dict[str, Any] | None = None, **dashboard: Any) -> Path:
    """A settings file with a source and a dashboard."""
    parts = [toml_table("dashboard", dashboard)] if dashboard else []
    parts += [toml_table("dashboard.oidc", oidc)] if oidc else []
    file = write_settings(folder)
    return write_text(folder, "\n".join([file.read_text(encoding="utf-8"), *parts]))


def test_a_file_without_a_dashboard_gets_a_local_one(tmp_path: Path) -> None:
    dashboard = load_settings(write_settings(tmp_path)).dashboard

    assert (dashboard.url, dashboard.is_loopback) == ("http://127.0.0.1:3001", True)
    assert (dashboard.dagster_url, dashboard.oidc) == (None, None)
    assert (dashboard.session_hours, dashboard.grace_minutes) == (12.0, 120)


def test_every_setting_of_the_dashboard_reaches_its_value(tmp_path: Path) -> None:
    oidc = OIDC | {"claim": "preferred_username", "button": "Sign in with Example"}
    file = write_dashboard(
        tmp_path,
        oidc,
        url="https://telemetry.example.org/",
        dagster_url="http://dagster.internal:3000/ui/",
        session_hours=0.5,
        grace_minutes=0,
    )
    dashboard = load_settings(file).dashboard

    assert (dashboard.url, dashboard.is_loopback) == ("https://telemetry.example.org", False)
    assert dashboard.dagster_url == "http://dagster.internal:3000/ui"
    assert (dashboard.session_hours, dashboard.grace_minutes) == (0.5, 0)
    assert dashboard.oidc is not None
    assert dashboard.oidc.model_dump() == oidc


def test_the_oidc_client_s_secret_may_come_from_the_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_dashboard(tmp_path, {name: OIDC[name] for name in ("issuer", "client_id")})
    assert "dashboard.oidc.client_secret is required" in complaint(file)
    monkeypatch.setenv("TELEMETRY_QUALITY_DASHBOARD__OIDC__CLIENT_SECRET", SECRET)
    oidc = load_settings(file).dashboard.oidc

    assert oidc is not None
    assert oidc.client_secret == SECRET
    assert (oidc.claim, oidc.button) == ("email", "Sign in with single sign-on")


@pytest.mark.parametrize(
    "url",
    ["http://localhost", "http://127.0.0.1:3001", "http://127.1.2.3:80", "http://[::1]:3001", "https://a.example:8443"],
)
def test_an_address_of_a_dashboard_is_a_host_and_perhaps_a_port(tmp_path: Path, url: str) -> None:
    assert load_settings(write_dashboard(tmp_path, url=url)).dashboard.url == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("telemetry.example.org", "must be an address such as"),
        ("ftp://telemetry.example.org", "must be an address such as"),
        ("https://telemetry.example.org/health", "without a path"),
        ("https://telemetry.example.org?a=1", "without a path"),
        ("https://telemetry.example.org#top", "without a path"),
        ("https://", "must be an address such as"),
        ("https://telemetry.example.org:0", "must be an address such as"),
        ("https://telemetry.example.org:port", "must be an address such as"),
        (f"https://ada:{SECRET}@telemetry.example.org", "must be an address such as"),
        ("http://telemetry.example.org", "must begin with https://"),
        ("http://0.0.0.0:3001", "must begin with https://"),
        ("http://128.0.0.1", "must begin with https://"),
        ("http://localhost.example.org", "must begin with https://"),
    ],
)
def test_an_address_for_which_cookies_cannot_work_is_refused(tmp_path: Path, url: str, words: str) -> None:
    sentence = complaint(write_dashboard(tmp_path, url=url))
    assert sentence.startswith("telemetry.toml: dashboard.url: ")
    assert words in sentence
    assert SECRET not in sentence


@pytest.mark.parametrize("url", ["dagster:3000", "javascript:alert(1)", "https://a b", 'https://a"onclick="b', ""])
def test_a_dagster_address_that_cannot_be_linked_to_is_refused(tmp_path: Path, url: str) -> None:
    assert "dashboard.dagster_url" in complaint(write_dashboard(tmp_path, dagster_url=url))


@pytest.mark.parametrize("issuer", ["id.example.org", "http://id.example.org", "https://", "ftp://id.example.org"])
def test_a_provider_without_https_is_refused(tmp_path: Path, issuer: str) -> None:
    sentence = complaint(write_dashboard(tmp_path, OIDC | {"issuer": issuer}))
    assert "dashboard.oidc.issuer: must be the provider's address and begin with https://" in sentence


def test_a_provider_on_this_machine_may_be_tried_without_https(tmp_path: Path) -> None:
    oidc = load_settings(write_dashboard(tmp_path, OIDC | {"issuer": "http://localhost:8080/realms/a/"})).dashboard.oidc
    assert oidc is not None
    assert oidc.issuer == "http://localhost:8080/realms/a"


@pytest.mark.parametrize(
    ("key", "value", "is_good"),
    [
        ("session_hours", 0, False),
        ("session_hours", 0.01, True),
        ("session_hours", 24 * 31, True),
        ("session_hours", 24 * 31 + 0.01, False),
        ("session_hours", "inf", False),
        ("grace_minutes", -1, False),
        ("grace_minutes", 0, True),
        ("grace_minutes", 0.5, False),
    ],
)
def test_the_dashboard_s_times_have_limits(tmp_path: Path, key: str, value: Any, is_good: bool) -> None:
    file = write_dashboard(tmp_path, **{key: value})
    if is_good:
        assert getattr(load_settings(file).dashboard, key) == value
    else:
        assert complaint(file).startswith(f"telemetry.toml: dashboard.{key}: ")


@pytest.mark.parametrize(
    ("proxies", "is_good"),
    [
        ([], True),
        (["10.1.2.3", "10.1.0.0/16", "2001:db8::/32"], True),
        ("10.1.2.3, ::1", True),
        (["10.1.2.3/16"], False),
        (["proxy.example.org"], False),
        (["*"], False),
        (["0.0.0.0/0"], False),
        (["::/0"], False),
    ],
)
def test_trusted_proxies_are_networks_but_not_everybody(tmp_path: Path, proxies: Any, is_good: bool) -> None:
    file = write_dashboard(tmp_path, trusted_proxies=proxies)
    if is_good:
        trusts = load_settings(file).dashboard.is_trusted
        assert (trusts("10.1.2.3"), trusts("::ffff:10.1.2.3")) == (bool(proxies), bool(proxies))
        assert not any(map(trusts, ("127.0.0.1", "10.2.0.0", "unknown", "")))
    else:
        assert "dashboard.trusted_proxies: must be addresses or networks of proxies, such as" in complaint(file)


@pytest.mark.parametrize(
    ("oidc", "dashboard", "words"),
    [
        (None, {"ur": "http://localhost"}, "dashboard.ur is not a setting; allowed here are url, dagster_url"),
        (OIDC | {"secret": SECRET}, {}, "dashboard.oidc.secret is not a setting; allowed here are issuer, client_id"),
        (OIDC | {"client_id": ""}, {}, "dashboard.oidc.client_id: should not be empty"),
        (OIDC | {"client_secret": ""}, {}, "dashboard.oidc.client_secret: should not be empty"),
        (OIDC | {"claim": ["a"]}, {}, "dashboard.oidc.claim"),
    ],
)
def test_a_mistake_in_the_dashboard_s_settings_names_its_key(
    tmp_path: Path, oidc: dict[str, Any] | None, dashboard: dict[str, Any], words: str
) -> None:
    sentence = complaint(write_dashboard(tmp_path, oidc, **dashboard))
    assert words in sentence
    assert SECRET not in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DASHBOARD__OIDC__CLIENT_SECRET", ""),
        ("DASHBOARD__OIDC__CLIENT_SECRET__X", SECRET),
        ("DASHBOARD__OIDC__CLIENT_SECRETS", SECRET),
        ("DASHBOARD__OIDC", SECRET),
        ("DASHBOARD", f'{{"oidc": "{SECRET}"}}'),
    ],
)
def test_no_complaint_repeats_the_oidc_client_s_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"TELEMETRY_QUALITY_{name}", value)
    assert SECRET not in complaint(write_dashboard(tmp_path, OIDC))


@pytest.mark.parametrize("secret", [12345678, [SECRET], 0.5])
def test_a_secret_of_the_wrong_kind_is_not_repeated_either(tmp_path: Path, secret: Any) -> None:
    sentence = complaint(write_dashboard(tmp_path, OIDC | {"client_secret": secret}))
    assert "dashboard.oidc.client_secret" in sentence
    assert not {str(secret), str(secret).lower(), SECRET} & set(re.findall(r"[\w.]+", sentence))


def test_settings_shown_for_debugging_do_not_show_the_secret(tmp_path: Path) -> None:
    assert SECRET not in repr(load_settings(write_dashboard(tmp_path, OIDC)))


MINIMAL = """
[sources.web]
connector = "parquet"
path = "events"
first_day = 2026-01-01

[sources.web.roles]
event_id = "id"
occurred_at = "at"
event_name = "name"
service_version = "version"
is_error = "failed"
"""


@pytest.mark.parametrize(
    ("find", "replace", "words"),
    [
        ("[sources.web]", "[[sources.web]]", "should be a table"),
        ('path = "events"', "preset = ['a']", "preset must be one of"),
        ('path = "events"', "preset = {a = 1}", "preset must be one of"),
        ('path = "events"', 'path = ""', "sources.web.path: should not be empty"),
        ('event_name = "name"', 'event_nam = "name"', "did you mean event_name?"),
        ('event_name = "name"', 'event_name = ""', "sources.web.roles.event_name: should not be empty"),
        ("first_day", "time_limit_seconds = inf\nfirst_day", "finite"),
        ("first_day", "time_limit_seconds = true\nfirst_day", "time_limit_seconds must not be true"),
        ("first_day", "owners = ['nobody']\nfirst_day", "but 'nobody' was found."),
        ("first_day", "title = ' '\nfirst_day", "sources.web.title: should not be empty"),
        ("first_day", f"title = '{'x' * 81}'\nfirst_day", "sources.web.title"),
        ("first_day", "signals = {}\nfirst_day", "either names or table"),
        ("first_day", "signals = {names = ['a'], table = 'b'}\nfirst_day", "either names or table"),
        ("first_day", "guardrails = {sample_size = true}\nfirst_day", "sample_size must not be true"),
        ("first_day", "guardrails = {holidays = 'US-'}\nfirst_day", "such as US or US-NY"),
        ("[sources.web]", "_env_file = 'x'\n[sources.web]", "_env_file is not a setting"),
    ],
)
def test_values_that_pydantic_alone_would_accept_or_explain_badly_are_refused(
    tmp_path: Path, find: str, replace: str, words: str
) -> None:
    file = tmp_path / "telemetry.toml"
    file.write_text(MINIMAL.replace(find, replace, 1))
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert words in str(caught.value)


@pytest.mark.parametrize("variable", ["TELEMETRY_QUALITY_SOURCES", "TELEMETRY_QUALITY_SOURCES__WEB"])
def test_a_whole_value_in_the_environment_is_refused_without_repeating_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    (tmp_path / "telemetry.toml").write_text(MINIMAL)
    monkeypatch.setenv(variable, '{"web": {"url": "postgresql://user:SECRET@host/db"}}')
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "telemetry.toml")
    assert "SECRET" not in str(caught.value)


def test_a_list_of_sources_is_refused_without_repeating_its_url(tmp_path: Path) -> None:
    text = MINIMAL.replace("[sources.web]", "[[sources.web]]").replace(
        'path = "events"', 'url = "postgresql://u:SECRET@h/d"'
    )
    (tmp_path / "telemetry.toml").write_text(text.split("[sources.web.roles]")[0])
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "telemetry.toml")
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("variable", ["telemetry_quality_stoer", "TELEMETRY_QUALITY_STORE__X"])
def test_a_misspelt_variable_is_refused_in_any_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    (tmp_path / "telemetry.toml").write_text(MINIMAL)
    monkeypatch.setenv(variable, "x")
    with pytest.raises(SettingsError, match=variable):
        load_settings(tmp_path / "telemetry.toml")


@pytest.mark.parametrize("anchor", ["ftp://audit/kept", "http://[s3cret", "https://", "https://audit:0/kept"])
def test_an_anchor_is_a_file_or_an_address_that_can_be_asked(tmp_path: Path, anchor: str) -> None:
    sentence = complaint(write_settings(tmp_path, top=f'anchor = "{anchor}"'))
    assert "anchor: must be a file, or an address that begins with https:// or http://" in sentence
    assert "s3cret" not in sentence


def test_a_folder_for_training_days_begins_at_the_settings_file_and_is_none_by_default(tmp_path: Path) -> None:
    assert load_settings(write_settings(tmp_path)).training_folder is None
    found = load_settings(write_settings(tmp_path, top='training_folder = "training"')).training_folder
    assert found == str(tmp_path / "training")
