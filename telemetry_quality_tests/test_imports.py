"""What an import costs and reads, each in a fresh process, and that no two modules import each other."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from telemetry_quality import cli, load_settings
from telemetry_quality.storage.migrations import migrate
from telemetry_quality_tests.builders import make_events, write_parquet
from telemetry_quality_tests.orchestration.station import FIRST_DAY, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Collection

ROOT = Path(__file__).parents[1]

HEAVY = (
    "sqlalchemy",
    "duckdb",
    "pandas",
    "numpy",
    "scipy",
    "statsmodels",
    "holidays",
    "alembic",
    "sqlglot",
    "rich",
    "pyspark",
    "py4j",
    "pyarrow",
    "grpc",
)

DASHBOARD = ("fastapi", "starlette", "uvicorn", "argon2", "authlib", "httpx2", "jinja2")
"""What only the serving of the dashboard needs."""


def _python(code: str, folder: Path = ROOT) -> str:
    result = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_importing_the_package_imports_nothing_heavy() -> None:
    modules = f"{(*HEAVY, *DASHBOARD, 'dagster', 'pydantic')!r}"
    loaded = _python(f"import sys, telemetry_quality; print([m for m in {modules} if m in sys.modules])")
    assert loaded == "[]"


def test_importing_the_frames_module_does_not_import_pandas() -> None:
    assert (
        _python("import sys; from telemetry_quality import load_snapshots; print('pandas' in sys.modules)") == "False"
    )


LOADED = f"print([m for m in {(*HEAVY, *DASHBOARD)!r} if m in sys.modules])"


def test_importing_the_command_line_imports_nothing_of_the_dashboard() -> None:
    """``staff`` and ``dashboard`` are commands too, but the extra may not be installed."""
    assert _python(f"import sys, telemetry_quality.cli; {LOADED}") == "[]"


@pytest.mark.slow
def test_loading_the_code_location_imports_no_engine(tmp_path: Path) -> None:
    text = (ROOT / "telemetry_quality" / "starter" / "telemetry.toml").read_text()
    (tmp_path / "telemetry.toml").write_text(text)
    assert _python(f"import sys, telemetry_quality.definitions; {LOADED}", tmp_path) == "[]"


@pytest.mark.slow
def test_importing_what_a_deployment_adds_reads_no_settings_and_imports_no_engine(tmp_path: Path) -> None:
    """The folder has no settings, and the variable would be refused."""
    code = f"""
import os, sys
os.environ["TELEMETRY_QUALITY_NONSENSE"] = "1"
opened = []
sys.addaudithook(lambda event, found: event == "open" and opened.append(str(found[0])))
from telemetry_quality.dagster import build_definitions
print([name for name in opened if name.startswith({str(tmp_path)!r}) or name.endswith(".toml")])
{LOADED}
"""
    assert _python(code, tmp_path) == "[]\n[]"


@pytest.fixture(scope="module")
def code_location(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What a process does that loads the code location with the root's settings, next to an ``.env`` file.

    ``files`` are opened in the user's folder and ``variables`` read by the package; ``loaded`` are the imported engines
    and ``countries`` the imported holidays.
    """
    folder = tmp_path_factory.mktemp("location")
    (folder / "telemetry.toml").write_text((ROOT / "telemetry.toml").read_text())
    (folder / ".env").write_text("TELEMETRY_QUALITY_STORE=sqlite:///other.db\n")
    code = f"""
import json, os, sys, dagster
files, variables = set(), set()
def listen(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith({str(folder)!r}):
        files.add(os.path.basename(arguments[0]))
sys.addaudithook(listen)
class Watched(type(os.environ)):
    def __getitem__(self, key):
        frame = sys._getframe(1)
        while frame.f_code.co_filename in ("<frozen os>", "<frozen _collections_abc>", os.__file__):
            frame = frame.f_back
        if "telemetry_quality" in frame.f_code.co_filename:
            variables.add(key)
        return super().__getitem__(key)
os.environ.__class__ = Watched
import telemetry_quality.definitions
found = {{
    "files": sorted(files),
    "variables": sorted(variables),
    "loaded": [m for m in {(*HEAVY, *DASHBOARD)!r} if m in sys.modules],
    "countries": [m for m in sys.modules if m.startswith("holidays.countries.")],
}}
print(json.dumps(found))
"""
    found: dict[str, list[str]] = json.loads(_python(code, folder))
    return found


@pytest.mark.slow
def test_a_code_location_with_a_holiday_calendar_looks_its_country_up_and_loads_none(
    code_location: dict[str, list[str]],
) -> None:
    assert 'holidays = "US"' in (ROOT / "telemetry.toml").read_text()
    assert code_location["countries"] == []
    assert code_location["loaded"] == ["holidays"]


def test_asking_a_command_for_help_imports_no_engine() -> None:
    """Shells complete and explain commands often, so that must stay cheap."""
    code = f"""
import sys
from telemetry_quality import cli
for command in {sorted(cli.MODULES)!r}:
    try:
        cli.main([command, "--help"])
    except SystemExit as stop:
        assert not stop.code
    print("loaded:", command, [m for m in {(*HEAVY, *DASHBOARD, "dagster")!r} if m in sys.modules])
"""
    lines = [line for line in _python(code).splitlines() if line.startswith("loaded: ")]
    assert lines == [f"loaded: {command} []" for command in sorted(cli.MODULES)]


@pytest.mark.slow
def test_a_snapshot_loads_nothing_of_other_commands(tmp_path: Path) -> None:
    """The command starts every day, or once for every day: needless imports would cost time."""
    others = [f"telemetry_quality.commands.{name}" for name in {*cli.MODULES.values()} - {"days"}]
    spared = [
        *others,
        "telemetry_quality.core.tuning",
        "telemetry_quality.demo",
        "rich",
        "dagster",
        "pandas",
        "alembic",
    ]
    code = f"""
import sys
from telemetry_quality import cli
try:
    cli.main(["snapshot", "{FIRST_DAY}"])
except SystemExit as stop:
    assert stop.code == 0
print("loaded:", [m for m in {spared!r} if m in sys.modules])
"""
    (tmp_path / "telemetry.toml").write_text(SETTINGS.format(extra="last_day = 2026-02-03"))
    write_parquet(tmp_path / "events" / f"day={FIRST_DAY}" / "events.parquet", make_events(40, FIRST_DAY))
    migrate(load_settings(tmp_path / "telemetry.toml").store)
    assert _python(code, tmp_path).splitlines()[-1] == "loaded: []"


def test_the_package_lists_its_public_names() -> None:
    import telemetry_quality  # noqa: PLC0415

    for name in telemetry_quality.__all__:
        assert getattr(telemetry_quality, name).__name__ == name
    with pytest.raises(AttributeError):
        telemetry_quality.nothing  # noqa: B018


@pytest.mark.slow
def test_importing_reads_no_file_and_no_variable_outside_the_settings(code_location: dict[str, list[str]]) -> None:
    """Only ``telemetry.toml`` is opened in the user's folder, and the package reads only its own variables.

    pydantic-settings looks at the names of all variables to find those with the package's prefix.
    """
    assert code_location["files"] == ["telemetry.toml"]
    assert [name for name in code_location["variables"] if not name.startswith("TELEMETRY_QUALITY_")] == []


def _imported(module: str, path: Path, modules: Collection[str]) -> set[str]:
    """Which of ``modules`` a file imports anywhere: at its top, within a function, or for types only.

    Of ``from a.b import c`` that is ``a.b.c`` where ``c`` is a module, and else ``a.b``.
    """
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) + 1 - node.level] if node.level else []
            home = ".".join([*parents, *filter(None, [node.module])])
            submodules = (f"{home}.{alias.name}" for alias in node.names)
            names.update(name if name in modules else home for name in submodules)
    return names.intersection(modules) - {module}


def _import_graph(package: Path) -> dict[str, set[str]]:
    """Which modules of a package each of its modules imports.

    A package's ``__init__`` is a module like any other: importing a module of the package does not import it.
    """
    paths = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in package.rglob("*.py")
    }
    return {module: _imported(module, path, paths.keys()) for module, path in paths.items()}


def _cycle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_not_even_for_types_or_within_functions() -> None:
    graph = _import_graph(ROOT / "telemetry_quality")
    assert "telemetry_quality.core.ports" in graph["telemetry_quality.core.daily"]
    assert _cycle(graph) == []


@pytest.mark.parametrize(
    "text",
    [
        "from town import first",
        "from . import first",
        "from .first import a",
        "import town.first",
        "if TYPE_CHECKING:\n    from town.first import a",
        "def late():\n    from town.first import a",
    ],
)
def test_a_cycle_is_found_however_a_module_is_imported(tmp_path: Path, text: str) -> None:
    town = tmp_path / "town"
    town.mkdir()
    (town / "__init__.py").write_text("from town.second import b")
    (town / "first.py").write_text("from town.second import b")
    (town / "second.py").write_text("b = 1")
    assert _cycle(_import_graph(town)) == []
    (town / "second.py").write_text(text)
    assert {"town.first", "town.second"} <= {*_cycle(_import_graph(town))}
