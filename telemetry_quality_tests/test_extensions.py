"""What other packages provide is found, named and used; what is wrong with it is one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality import cli, load_settings
from telemetry_quality.assembly import daily_work, open_source, utc_now
from telemetry_quality.connectors import BUILT_IN, connector, connector_names
from telemetry_quality.core.guardrails.catalogue import BUILT_IN as OUR_GUARDRAILS
from telemetry_quality.core.guardrails.catalogue import guardrails, judge_day, policy_of, with_extra_numbers
from telemetry_quality.dagster import build_definitions
from telemetry_quality.errors import SettingsError
from telemetry_quality.extensions import CONNECTORS, find_extensions, load_extensions
from telemetry_quality.storage.migrations import migrate
from telemetry_quality_tests.builders import DAY, SCHEMA, make_events, make_evidence
from telemetry_quality_tests.packages import GUARDRAIL, SETTINGS, installed, write_package, write_the_page_s_package

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MINIMAL = "from telemetry_quality.connectors import Connector, ConnectorSettings\n"
NOTHING = f"{MINIMAL}CONNECTOR = Connector(ConnectorSettings, 'none', lambda settings, opening: settings)\n"


@pytest.fixture
def packages(tmp_path: Path) -> Iterator[Path]:
    """A folder in which packages are found."""
    folder = tmp_path / "packages"
    folder.mkdir()
    with installed(folder):
        yield folder


def write_settings(folder: Path, text: str = SETTINGS) -> Path:
    file = folder / "telemetry.toml"
    file.write_text(f"store = 'sqlite:///quality.db'\n\n{text}", encoding="utf-8")
    return file


def settings_of(connector: str, *keys: str) -> str:
    """The page's settings with another connector and its keys."""
    head, _, rest = SETTINGS.partition("[sources.web.columns]")
    lines = head.replace('"jsonl"', f'"{connector}"').replace('path = "events/*.jsonl"', "\n".join(keys))
    return lines + rest[rest.index("[sources.web.roles]") :]


def write_lines(folder: Path) -> None:
    (folder / "events").mkdir()
    for offset in range(2):
        day = DAY + timedelta(days=offset)
        lines = [json.dumps(event, default=str) for event in make_events(40, day, is_error=offset == 1)]
        (folder / "events" / f"{day}.jsonl").write_text("\n".join(lines), encoding="utf-8")


def write_connector(folder: Path, text: str, name: str = "odd", package: str = "telemetry-odd") -> None:
    module = package.replace("-", "_")
    write_package(folder, package, {f"{module}.py": text}, {CONNECTORS: {name: f"{module}:CONNECTOR"}})


def complaint(file: Path) -> str:
    with pytest.raises(SettingsError) as refused:
        load_settings(file)
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert sentence.endswith((".", "?"))
    return sentence


def type_command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    captured = capsys.readouterr()
    return int(stop.value.code or 0), captured.out, captured.err


# A connector of another package


def test_a_day_that_a_connector_of_another_package_reads_is_judged_like_any_other(
    tmp_path: Path, packages: Path
) -> None:
    write_the_page_s_package(packages)
    write_lines(tmp_path)
    settings = load_settings(write_settings(tmp_path))
    migrate(settings.store)
    work = daily_work(settings, "web")

    list(work.read([DAY, DAY + timedelta(days=1)], utc_now()))
    snapshots = [judgement.snapshot for judgement in work.judge([DAY, DAY + timedelta(days=1)], utc_now())]

    assert [snapshot.total_events for snapshot in snapshots] == [40, 40]
    assert [snapshot.status for snapshot in snapshots] == ["healthy", "unhealthy"]


def test_its_settings_are_anchored_and_its_assets_name_its_engine_and_its_kind(tmp_path: Path, packages: Path) -> None:
    write_the_page_s_package(packages)
    settings = load_settings(write_settings(tmp_path))
    source = settings.sources["web"]

    assert source.location == str(tmp_path / "events" / "*.jsonl")
    assert (source.engine, source.kind) == ("duckdb", "json")
    assets = {spec.key.path[-1]: spec for spec in build_definitions(settings).resolve_all_asset_specs()}
    assert assets["events"].kinds == {"json"}
    assert assets["event_sample"].kinds == {"duckdb", "sqlite"}
    assert assets["events"].metadata["location"] == source.location


@pytest.mark.parametrize(
    ("find", "replace", "words"),
    [
        ("path =", "pth =", "sources.web.pth is not a setting; allowed here are connector, path, columns, time_zone"),
        ('path = "events/*.jsonl"\n', "", "sources.web: connector 'jsonl' requires path."),
        ('path = "events/*.jsonl"', 'path = ""', "sources.web.path: should not be empty"),
        ("path =", "table = 'events'\npath =", "sources.web: connector 'jsonl' does not take table."),
        ('is_error = "BOOLEAN"', "is_error = 1", "sources.web.columns.is_error: should be a valid string"),
        (
            'connector = "jsonl"',
            'connector = "jsonlines"',
            f"sources.web.connector: should be {', '.join(map(repr, BUILT_IN))} or 'jsonl', but",
        ),
    ],
)
def test_a_mistake_in_its_settings_is_the_same_sentence_as_for_built_in_connectors(
    tmp_path: Path, packages: Path, find: str, replace: str, words: str
) -> None:
    write_the_page_s_package(packages)
    file = write_settings(tmp_path, SETTINGS.replace(find, replace, 1))

    assert complaint(file).startswith(f"telemetry.toml: {words}")


def test_its_settings_may_come_from_the_environment(
    tmp_path: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_the_page_s_package(packages)
    monkeypatch.setenv("TELEMETRY_QUALITY_SOURCES__WEB__PATH", "other.jsonl")
    monkeypatch.setenv("TELEMETRY_QUALITY_SOURCES__WEB__COLUMNS__IS_ERROR", "TINYINT")
    source = load_settings(write_settings(tmp_path)).sources["web"]

    assert source.location == str(tmp_path / "other.jsonl")
    assert source.connector_settings.model_dump()["columns"]["is_error"] == "TINYINT"


SWITCH = """
from telemetry_quality.connectors import Connector, ConnectorSettings

class Switched(ConnectorSettings):
    is_strict: bool = False
    count: int = 1

CONNECTOR = Connector(Switched, "none", lambda settings, opening: settings)
"""


def test_a_connector_may_have_a_switch_but_true_is_not_accepted_as_a_number(tmp_path: Path, packages: Path) -> None:
    write_connector(packages, SWITCH)
    source = load_settings(write_settings(tmp_path, settings_of("odd", "is_strict = true"))).sources["web"]

    assert source.connector_settings.model_dump() == {"is_strict": True, "count": 1}
    assert "count must not be true" in complaint(write_settings(tmp_path, settings_of("odd", "count = true")))


def test_check_names_what_other_packages_provide(
    tmp_path: Path, packages: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_the_page_s_package(packages)
    write_lines(tmp_path)
    write_settings(tmp_path)
    monkeypatch.chdir(tmp_path)

    code, out, _ = type_command(capsys, "check", "--day", str(DAY), "--json")
    shown = json.loads(out)
    assert code == 0
    assert shown["extensions"] == [
        {"kind": "connector", "name": "jsonl", "package": "telemetry-jsonl", "version": "1.0"}
    ]
    assert shown["sources"][0]["total_events"] == 40
    code, out, _ = type_command(capsys, "check", "--day", str(DAY))
    assert (code, out.splitlines()[0]) == (0, "The connector jsonl is of telemetry-jsonl 1.0.")


def test_finding_imports_nothing_and_only_the_connector_in_use_is_loaded(tmp_path: Path, packages: Path) -> None:
    write_connector(packages, "raise RuntimeError")
    write_connector(packages, NOTHING, name="n", package="telemetry-none")

    assert connector_names() == (*BUILT_IN, "n", "odd")
    assert not {"telemetry_none", "telemetry_odd"} & sys.modules.keys()
    connector("n")
    assert "telemetry_odd" not in sys.modules


def test_reading_settings_of_one_connector_imports_no_other_and_no_engine(tmp_path: Path) -> None:
    write_settings(tmp_path, settings_of("parquet", 'path = "events"'))
    code = """
import sys
from telemetry_quality import load_settings
load_settings("telemetry.toml")
print([name.rpartition(".")[2] for name in sorted(sys.modules) if name.startswith("telemetry_quality.sources.")])
print([name for name in ("sqlalchemy", "duckdb", "psycopg", "pyspark") if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert result.stdout.splitlines() == ["['connectors', 'parquet']", "[]"]


# One that cannot be used


FAILING = {
    "not installed": ("import no_such_driver", "ModuleNotFoundError: No module named 'no_such_driver'"),
    "a crash": ("raise RuntimeError('two\\nlines.')", "RuntimeError: two lines"),
    "an exit": ("raise SystemExit(3)", "SystemExit: 3"),
    "a syntax error": ("def", "SyntaxError: "),
    "nothing of that name": ("OTHER = 1", "AttributeError: "),
    "no settings model": (
        "from telemetry_quality.connectors import Connector\nCONNECTOR = Connector(dict, 'x', print)",
        "TypeError: settings of a connector must be a subclass of ConnectorSettings",
    ),
}


@pytest.mark.parametrize("failing", FAILING)
def test_a_connector_that_does_not_load_is_one_sentence_that_names_its_package(
    tmp_path: Path, packages: Path, failing: str
) -> None:
    text, reason = FAILING[failing]
    write_connector(packages, text)
    sentence = complaint(write_settings(tmp_path, settings_of("odd")))

    assert sentence.startswith(
        f"The connector 'odd' of telemetry-odd 1.0 (telemetry_odd:CONNECTOR) must load, but failed with {reason}"
    )
    assert sentence.endswith("; repair or uninstall telemetry-odd.")


def test_an_entry_point_that_names_something_else_is_not_a_connector(tmp_path: Path, packages: Path) -> None:
    write_connector(packages, "CONNECTOR = {}")

    assert complaint(write_settings(tmp_path, settings_of("odd"))) == (
        "The connector 'odd' of telemetry-odd 1.0 (telemetry_odd:CONNECTOR) must be of type "
        "telemetry_quality.connectors.Connector, but is of type dict; repair or uninstall telemetry-odd."
    )


def test_a_connector_with_a_built_in_name_is_refused(tmp_path: Path, packages: Path) -> None:
    write_connector(packages, NOTHING, name="parquet")

    assert complaint(write_settings(tmp_path)) == (
        "The connector 'parquet' of telemetry-odd 1.0 (telemetry_odd:CONNECTOR) must have a name of its own, "
        "but the one built in has the same; rename it or uninstall telemetry-odd."
    )


def test_two_connectors_with_the_same_name_are_refused(tmp_path: Path, packages: Path) -> None:
    write_connector(packages, NOTHING)
    write_connector(packages, NOTHING, package="telemetry-strange")

    assert complaint(write_settings(tmp_path)) == (
        "The connector 'odd' of telemetry-strange 1.0 (telemetry_strange:CONNECTOR) must have a name of its own, "
        "but that of telemetry-odd 1.0 has the same; rename it or uninstall telemetry-strange."
    )


def test_a_connector_with_a_key_of_every_source_is_refused(tmp_path: Path, packages: Path) -> None:
    write_connector(packages, SWITCH.replace("is_strict: bool", "owners: bool"))

    assert complaint(write_settings(tmp_path, settings_of("odd"))) == (
        "The connector 'odd' must not reuse keys that every source has, but declares owners; "
        "rename it in the connector's settings model."
    )


def test_a_connector_that_does_not_open_a_source_is_refused(tmp_path: Path, packages: Path) -> None:
    write_connector(packages, NOTHING)
    settings = load_settings(write_settings(tmp_path, settings_of("odd")))

    with pytest.raises(SettingsError, match=r"^The connector 'odd' must open a .*\.SqlSource, but opens a ConnectorS"):
        open_source("web", settings.sources["web"])


def test_a_connector_whose_driver_is_missing_says_so_when_it_is_opened(tmp_path: Path, packages: Path) -> None:
    opening = "def start(settings, opening):\n    import no_such_driver\n"
    write_connector(packages, f"{opening}{MINIMAL}CONNECTOR = Connector(ConnectorSettings, 'none', start)")
    settings = load_settings(write_settings(tmp_path, settings_of("odd")))

    with pytest.raises(SettingsError) as refused:
        open_source("web", settings.sources["web"])
    assert str(refused.value) == (
        "The connector 'odd' must find its imports, but opening it failed with No module named 'no_such_driver'; "
        "install the packages that its documentation names."
    )


@pytest.mark.parametrize("is_used", [True, False])
def test_check_fails_for_a_connector_that_does_not_load_though_no_source_uses_it(
    tmp_path: Path, packages: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_used: bool
) -> None:
    write_the_page_s_package(packages)
    write_connector(packages, "import no_such_driver")
    write_lines(tmp_path)
    write_settings(tmp_path, settings_of("odd") if is_used else SETTINGS)
    monkeypatch.chdir(tmp_path)

    code, out, err = type_command(capsys, "check", "--day", str(DAY))

    assert (code, out) == (2, "")
    assert err.startswith("Error: The connector 'odd' of telemetry-odd 1.0 ")
    assert err.count("\n") == 1


def test_a_broken_connector_that_no_source_uses_stops_nothing(tmp_path: Path, packages: Path) -> None:
    write_the_page_s_package(packages)
    write_connector(packages, "import no_such_driver")

    assert load_settings(write_settings(tmp_path)).sources["web"].connector == "jsonl"


# Any kind of extension


def test_extensions_of_each_kind_are_found_by_their_own_group_and_loaded_by_name(packages: Path) -> None:
    modules: Mapping[str, str] = {"telemetry_some.py": "A, B, C = 1, 2, '3'"}
    groups: dict[str, Any] = {"telemetry_quality.guardrails": {"b": "telemetry_some:B", "a": "telemetry_some:A"}}
    write_package(packages, "telemetry-some", modules, groups | {"others": {"c": "telemetry_some:C"}})

    assert load_extensions("guardrail", int) == {"a": 1, "b": 2}
    assert find_extensions("connector") == {}
    with pytest.raises(SettingsError, match=r"^The guardrail 'a' .* must be of type builtins\.str, but .* int;"):
        load_extensions("guardrail", str)
    with pytest.raises(SettingsError, match=r"^The guardrail 'a' .* the one built in has the same"):
        find_extensions("guardrail", ["a"])


# A guardrail that cannot be used


WRONG = {
    "another name": (("NAME = ", "NAME = 'other' # "), "must have the name of its entry point"),
    "a setting of ours": (
        ('"busiest_signal_percent", 90.0', '"error_rate_percent", 90.0'),
        "error_rate_percent is taken",
    ),
    "a number of ours": (
        ('extra_metric(\n    "busiest_signal_percent"', 'extra_metric("late_percent"'),
        "late_percent is taken",
    ),
    "no guardrail": (("GUARDRAIL = Guardrail(", "GUARDRAIL = dict("), "is of type dict"),
    "a crash": (("NAME = ", "NAME = 1 / 0 # "), "ZeroDivisionError: division by zero"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_guardrail_that_cannot_be_used_is_one_sentence(tmp_path: Path, wrong: str) -> None:
    (find, replace), words = WRONG[wrong]
    text = GUARDRAIL.replace(find, replace, 1)
    entry_points = {"telemetry_quality.guardrails": {"busiest_signal": "telemetry_wrong:GUARDRAIL"}}
    write_package(tmp_path, "telemetry-wrong", {"telemetry_wrong.py": text}, entry_points)

    with installed(tmp_path), pytest.raises(SettingsError) as refused:
        guardrails()
    sentence = str(refused.value)
    assert words in sentence
    assert "busiest_signal" in sentence
    assert "\n" not in sentence


def test_without_the_package_there_are_only_built_in_connectors() -> None:
    assert guardrails() == OUR_GUARDRAILS


@pytest.mark.parametrize(
    ("find", "replace"),
    [("    counts = [", "    1 / 0\n    counts = ["), ("    if share is None", "    1 / 0\n    if share is None")],
)
def test_a_guardrail_that_breaks_while_it_judges_fails_the_day_and_stops_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, find: str, replace: str
) -> None:
    entry_points = {"telemetry_quality.guardrails": {"busiest_signal": "telemetry_broken:GUARDRAIL"}}
    text = GUARDRAIL.replace(find, replace, 1)
    write_package(tmp_path, "telemetry-broken", {"telemetry_broken.py": text}, entry_points)

    with installed(tmp_path):
        evidence = with_extra_numbers(make_evidence(), guardrails())
        *rest, broken = judge_day(evidence, policy_of(), SCHEMA)

    assert (broken.outcome, broken.level, broken.reason_code) == ("failed", "WARNING", "GUARDRAIL_BROKEN")
    assert "ZeroDivisionError" in broken.sentence
    assert "ZeroDivisionError: division by zero" in caplog.text
    assert {verdict.outcome for verdict in rest} <= {"passed", "unknown"}


@pytest.mark.parametrize("found", ["float('nan')", "float('inf')"])
def test_a_number_that_is_not_finite_is_unknown_and_fails_its_guardrail(tmp_path: Path, found: str) -> None:
    entry_points = {"telemetry_quality.guardrails": {"busiest_signal": "telemetry_broken:GUARDRAIL"}}
    text = GUARDRAIL.replace("    counts = [", f"    return {found}\n    counts = [", 1)
    write_package(tmp_path, "telemetry-broken", {"telemetry_broken.py": text}, entry_points)

    with installed(tmp_path):
        evidence = with_extra_numbers(make_evidence(), guardrails())
        *_, broken = judge_day(evidence, policy_of(), SCHEMA)

    assert evidence.figures.extra_numbers["busiest_signal_percent"] is None
    assert broken.reason_code == "GUARDRAIL_BROKEN"
