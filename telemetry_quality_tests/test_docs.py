"""The documentation and the code agree in both directions about settings, commands, options and guardrails."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from telemetry_quality import cli, load_settings
from telemetry_quality.connectors import BUILT_IN, connector
from telemetry_quality.core.event_schema import DEFAULT_MISSING_VERSIONS, EventSchema
from telemetry_quality.core.guardrails.catalogue import BUILT_IN as GUARDRAILS
from telemetry_quality.core.guardrails.catalogue import guardrails_of, policy_of
from telemetry_quality.dashboard import edge
from telemetry_quality.dashboard.access.headers import MOST_REQUESTS
from telemetry_quality.dashboard.access.passwords import MINIMUM_LENGTH
from telemetry_quality.dashboard.access.paths import OPEN
from telemetry_quality.dashboard.access.permissions import PERMISSIONS
from telemetry_quality.dashboard.access.users import ACCOUNT_FAILURES, ADDRESS_FAILURES, STRANGERS_FAILURES, WINDOW
from telemetry_quality.dashboard.app import create_app
from telemetry_quality.notifiers import BUILT_IN as NOTIFIERS
from telemetry_quality.notifiers import notifier
from telemetry_quality.settings import (
    AlertSettings,
    DashboardSettings,
    HeartbeatSettings,
    OidcSettings,
    OpenLineageSettings,
    OtlpSettings,
    RoleSettings,
    Settings,
    SignalSettings,
    SourceSettings,
)
from telemetry_quality.settings.guardrails import guardrail_settings
from telemetry_quality.settings.rates import RateSettings
from telemetry_quality.storage.staff.lookup import Role
from telemetry_quality.storage.staff.tokens import Scope
from telemetry_quality_tests import architecture
from telemetry_quality_tests.builders import write_parquet
from telemetry_quality_tests.commands.test_golden import commands_of
from telemetry_quality_tests.dashboard.desk import paths_of
from telemetry_quality_tests.packages import blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()
SETTINGS = (DOCS / "reference" / "settings.md").read_text()
DASHBOARD = (DOCS / "reference" / "dashboard.md").read_text()
SECURITY = (ROOT / "SECURITY.md").read_text()

DEFAULTS = policy_of().values
THRESHOLDS = {
    rule.name: threshold.name for rule in GUARDRAILS for threshold in rule.thresholds if rule.name != "version_drift"
}
"""The setting that each guardrail's row in the README must name by its default; version drift has no number there."""

COLUMNS = {"app_version": "VARCHAR", "severity_number": "INTEGER"}


def _documented_keys(heading: str) -> dict[str, str]:
    """Key and default of each row of the table below a heading of docs/reference/settings.md."""
    section = SETTINGS.split(f"## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", section, flags=re.MULTILINE))


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("Top level", Settings),
        *((f'`[sources.NAME]` with `connector = "{name}"`', connector(name).settings) for name in BUILT_IN),
        ("`[sources.NAME.roles]`", RoleSettings),
        ("`[sources.NAME.guardrails]`", guardrail_settings()),
        ("`[sources.NAME.rates.RATE]`", RateSettings),
        ("`[sources.NAME.signals]`", SignalSettings),
        ("`[heartbeat]`", HeartbeatSettings),
        ("`[otlp]`", OtlpSettings),
        ("`[openlineage]`", OpenLineageSettings),
        *((f"`[alerts.NAME]` with `{notifier(name).key}`", notifier(name).settings) for name in NOTIFIERS),
        ("`[dashboard]`", DashboardSettings),
        ("`[dashboard.oidc]`", OidcSettings),
    ],
)
def test_every_setting_is_documented_with_its_default_and_nothing_else_is(heading: str, model: type[BaseModel]) -> None:
    _assert_documents(_documented_keys(heading), model.model_fields)


def test_every_setting_that_all_sources_have_is_documented_with_its_default_and_nothing_else_is() -> None:
    _assert_documents(_documented_keys("`[sources.NAME]`"), SourceSettings.common_fields())


def test_every_setting_that_all_channels_have_is_documented_with_its_default_and_nothing_else_is() -> None:
    _assert_documents(_documented_keys("`[alerts.NAME]`"), AlertSettings.common_fields())


@pytest.mark.parametrize("block", blocks("how-to/alerts.md", "toml"))
def test_the_settings_on_the_page_about_messages_load(tmp_path: Path, block: str) -> None:
    owners = "" if "[sources.web]" in block else "[sources.web]\n"
    source = 'connector = "parquet"\npath = "events"\npreset = "opentelemetry"\nfirst_day = 2026-01-01\n'
    text = block.replace("[sources.web]\n", f"[sources.web]\n{source}") if not owners else f"{owners}{source}\n{block}"
    (tmp_path / "telemetry.toml").write_text(text, encoding="utf-8")
    assert load_settings(tmp_path / "telemetry.toml").alerts


def test_every_text_that_means_no_version_is_explained() -> None:
    section = SETTINGS.split("## Versions that stand for none\n")[1].split("\n## ")[0]
    explained = "".join(re.findall(r"^\| (.*?) \|", section, flags=re.MULTILINE))
    assert all(f"`{text}`" in explained for text in DEFAULT_MISSING_VERSIONS)


def _assert_documents(documented: dict[str, str], fields: Mapping[str, FieldInfo]) -> None:
    assert documented.keys() == fields.keys()
    for name, field in fields.items():
        shown = documented[name]
        if field.is_required():
            assert shown == "required", name
        elif isinstance(field.default, bool):
            assert shown == f"`{str(field.default).lower()}`", name
        elif isinstance(field.default, (int, float, str)):
            assert shown == f"`{field.default}`", name
        elif isinstance(field.default, tuple):
            assert shown == (", ".join(f"`{default}`" for default in field.default) or "none"), name


def test_the_readme_names_every_command_and_option_and_no_other() -> None:
    table = README.split("## The command line")[1].split("From Python")[0]
    commands = commands_of(cli.cli)
    assert {"incidents confirm", "staff token add"} <= commands.keys()
    rows = re.findall(r"^\| `telemetry-quality ([a-z-]+(?: [a-z-]+)*)", table, flags=re.MULTILINE)
    assert sorted(rows) == sorted(commands)
    documented = set(re.findall(r"`(--[a-z-]+)", table))
    options = {
        option
        for command in commands.values()
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option.startswith("--")
    }
    assert documented == options - {"--check"}, "migrate --check is for developers"


def _addresses(who: str = "") -> set[str]:
    """The addresses in the dashboard's docs, or those that ``who`` may use."""
    table = DASHBOARD.split("## What is where")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(/[^`]*)` \| ([a-z, ]+) \|", table, flags=re.MULTILINE)
    assert len(dict(rows)) == len(rows), "an address is named once"
    return {path for path, allowed in rows if who in allowed}


def test_the_dashboard_s_docs_name_every_address_and_no_other(tmp_path: Path) -> None:
    settings = load_settings(ROOT / "telemetry.toml").model_copy(update={"store": f"sqlite:///{tmp_path}/quality.db"})
    app = create_app(settings)
    try:
        assert _addresses() == set(paths_of(app.routes))
    finally:
        app.state.dashboard.reader.close()
        app.state.dashboard.action_store.close()
        app.state.dashboard.access.close()


def test_the_docs_of_the_dashboard_say_who_may_use_which_address() -> None:
    assert _addresses("everybody") == OPEN
    for role in Role:
        allowed = {path for path, permission in PERMISSIONS.items() if role in {permission.get, permission.post}}
        assert _addresses(f"{role.value}s") == allowed
    for scope in Scope:
        assert _addresses(f"{scope.value} tokens") == {path for path, it in PERMISSIONS.items() if it.scope is scope}
    assert len(OPEN) == 5, "the docs say five"


def test_the_curl_examples_in_the_docs_of_the_dashboard_use_addresses_that_exist() -> None:
    asked = re.findall(r"https://telemetry\.example\.org(/[a-z0-9/.-]+)", DASHBOARD)
    known = [re.sub(r"{\w+}", r"[^/]+", path) for path in _addresses()]
    assert len(asked) >= 5
    for path in asked:
        assert any(re.fullmatch(pattern, path) for pattern in known), path


def test_the_limits_in_the_docs_of_the_dashboard_are_those_of_the_code() -> None:
    text, minutes = " ".join(DASHBOARD.split()), WINDOW // timedelta(minutes=1)
    limits = f"{ADDRESS_FAILURES} of an address, or {STRANGERS_FAILURES} of an account from anywhere"
    assert f"Within {minutes} minutes, {ACCOUNT_FAILURES} failures of an account from one address, {limits}" in text
    assert f"has {ACCOUNT_FAILURES} of its own" in text
    assert f"A password has {MINIMUM_LENGTH} characters or more" in text
    head = f"the head of a request has {edge.HEAD_SECONDS:.0f} seconds and {edge.MOST_HEAD_BYTES // 1024} KiB"
    assert f"{head}, the rest {edge.REQUEST_SECONDS:.0f} seconds" in text
    assert f"at most {edge.MOST_PER_ADDRESS} connections, or, behind a trusted proxy, {MOST_REQUESTS} requests" in text


def test_the_readme_names_every_guardrail_with_its_level_and_threshold() -> None:
    table = README.split("## What the guardrails mean")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| .*? \| (\w+) \|", table, flags=re.MULTILINE))
    assert rows == {rule.name: rule.level.value for rule in GUARDRAILS}
    for name, setting in THRESHOLDS.items():
        words = f"more than {DEFAULTS[setting]:g} %"
        if name == "sample":
            words = f"fewer than {DEFAULTS[setting]:g} % of {DEFAULTS['sample_size']} events"
        assert re.search(rf"^\| `{name}` \| .*{re.escape(words)}", table, flags=re.MULTILINE), name


def test_the_readme_says_which_roles_a_guardrail_needs() -> None:
    section = README.split("## What the guardrails mean")[1].split("\n## ")[0]
    always = {rule.name for rule in guardrails_of(EventSchema(None, "at", "name", "version", "failed"))}
    needs = " ".join(section.split("Thresholds are exclusive")[1].split(". ")[1].split())
    assert set(re.findall(r"`(\w+)`", needs)) - {"observed_at"} == {rule.name for rule in GUARDRAILS} - always
    assert "`observed_at`" in needs


def test_every_description_of_a_guardrail_names_the_default_threshold() -> None:
    """The description of a check in Dagster must not contradict the settings."""
    for rule in GUARDRAILS:
        named = [float(number) for number in re.findall(r"(\d+(?:\.\d+)?) %", rule.description)]
        assert named in ([], [DEFAULTS.get(THRESHOLDS.get(rule.name, ""))]), rule.name


def test_every_make_target_the_docs_name_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    texts = README + (ROOT / "CONTRIBUTING.md").read_text() + (DOCS / "explanation" / "performance.md").read_text()
    named = set(re.findall(r"(?:^\$ |`)make ([a-z-]+)", texts, flags=re.MULTILINE))
    assert {"up", "test", "test-fast", "check"} <= named <= targets
    assert "make check" in (ROOT / ".ci" / "run").read_text()
    assert re.search(r"^check:.*\n\t\$\(MAKE\).* test .*\bmigrations$", makefile, flags=re.MULTILINE)


def test_every_link_between_the_docs_has_a_target() -> None:
    for file in [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *DOCS.rglob("*.md"),
    ]:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", file.read_text()):
            assert (file.parent / target).exists(), f"{file.name} links to {target}"


@pytest.mark.slow
def test_every_promise_of_security_names_tests_that_exist() -> None:
    rows = re.findall(r"^\| .* \| (`test_.*`) \|$", SECURITY, flags=re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(test_\w+)`", row)}
    text = "".join(file.read_text() for file in Path(__file__).parent.rglob("test_*.py"))
    assert len(rows) == SECURITY.count("\n| ") - 1, "every row below the heading names a test"
    assert {name for name in named if f"def {name}(" not in text} == set()


def test_the_commands_of_the_readme_run_in_their_order_on_events_as_it_describes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for offset in range(31):
        start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=offset)
        events = [
            {
                "event_id": f"{offset}-{number}",
                "occurred_at": start + timedelta(minutes=number),
                "event_name": "page.view",
                "app_version": "1.0",
                "severity_number": 17 if number == 0 else 9,
            }
            for number in range(40)
        ]
        write_parquet(tmp_path / "events" / f"{start:%Y-%m-%d}.parquet", events, COLUMNS)
    commands = [
        line.removeprefix("$ ")
        for block in re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
        for line in block.splitlines()
        if line.startswith("$ telemetry-quality")
    ]
    assert len(commands) >= 5
    for command in commands:
        with pytest.raises(SystemExit) as stop:
            cli.main(shlex.split(command)[1:])
        assert not stop.value.code, f"{command}: {capsys.readouterr().err}"
    assert capsys.readouterr().out.count("healthy") >= 31


def test_the_settings_in_the_readme_load_and_mean_what_init_writes(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)
    shown, written = tmp_path / "shown.toml", tmp_path / "telemetry.toml"
    shown.write_text(block)
    with pytest.raises(SystemExit):
        cli.main(["init", "--config", str(written)])
    assert load_settings(shown) == load_settings(written)


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    with pytest.raises(SystemExit):
        cli.main(["init"])
    with pytest.raises(SystemExit):
        cli.main(["migrate"])
    names: dict[str, object] = {}
    exec(block, names)
    assert names["integrity"].status == "unknown"  # type: ignore[attr-defined]
    assert list(names["snapshots"]["status"]) == ["unknown"]  # type: ignore[index]


def test_the_files_at_the_root_equal_those_that_the_package_installs() -> None:
    starter = ROOT / "telemetry_quality" / "starter"
    for at_root, shipped in {
        "telemetry.toml": "demo.toml",
        "dagster.yaml": "dagster.yaml",
        "workspace.yaml": "workspace.yaml",
    }.items():
        assert (ROOT / at_root).read_text() == (starter / shipped).read_text()


DECISIONS = [file for file in (DOCS / "adr").glob("*.md") if file.name != "README.md"]


def test_every_adr_is_numbered_without_a_gap() -> None:
    numbers = sorted(int(file.name[:4]) for file in DECISIONS)
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_picture_of_the_rooms_is_that_of_the_import_contracts() -> None:
    page = architecture.PAGE.read_text(encoding="utf-8")
    redrawn = architecture.redrawn(page, (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert page == redrawn, "run make architecture"


def test_a_moved_room_changes_the_picture() -> None:
    drawn = architecture.draw_layers([["a"], ["b", "c"], ["d", "e"]])
    width = architecture.WIDTH // 2
    joined = f"├{'─' * width}┼{'─' * (width - 1)}┤"
    assert drawn[3] == f"│{'b'.center(width)}│{'c'.center(width - 1)}│"
    assert (drawn[4], len(drawn)) == (joined, 7)
    assert architecture.draw_layers([["a"], ["b", "c", "d"], ["e"]])[3] != drawn[3]


def test_every_decision_is_listed_and_the_architecture_is_a_short_page_that_links_the_list() -> None:
    page = architecture.PAGE.read_text(encoding="utf-8")
    assert len(page.splitlines()) < 120
    assert "(../adr/README.md)" in page
    listed = (DOCS / "adr" / "README.md").read_text(encoding="utf-8")
    for file in DECISIONS:
        assert f"({file.name})" in listed, file.name


def test_every_row_on_reliability_names_tests_that_exist() -> None:
    rows = re.findall(r"^\| .* \| (.*) \|$", (DOCS / "explanation" / "reliability.md").read_text(), flags=re.MULTILINE)
    sources = "".join(file.read_text() for file in Path(__file__).parent.rglob("test_*.py"))
    named = [re.findall(r"`(test_\w+)`", row) for row in rows if row not in {"test", "---"}]
    assert all(named)
    for name in {name for names in named for name in names}:
        assert f"def {name}(" in sources, name


def test_constraints_pin_every_dependency_and_name_no_address() -> None:
    text = (ROOT / "constraints.txt").read_text()
    assert "://" not in text
    assert " @ " not in text
    pins = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in text.splitlines() if "==" in line}
    ranges = re.findall(r'^    "([A-Za-z0-9_-]+)[><=]', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert {name.lower() for name in ranges} <= pins
