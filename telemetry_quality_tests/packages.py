"""Third-party packages, written to a folder like an installer does and found there while a test runs."""

from __future__ import annotations

import re
import sys
import tomllib
from contextlib import contextmanager
from importlib import invalidate_caches
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DOCS = Path(__file__).parents[1] / "docs"


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page of the docs."""
    return re.findall(
        rf"```{language}(?: title=[^\n]+)?\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL
    )


DECLARATION, SOURCE, CONTRACT_TEST = blocks("how-to/add-a-connector.md", "python")
PROJECT, SETTINGS = blocks("how-to/add-a-connector.md", "toml")
GUARDRAIL, GUARDRAIL_TEST = blocks("how-to/add-a-guardrail.md", "python")
GUARDRAIL_PROJECT, GUARDRAIL_SETTINGS = blocks("how-to/add-a-guardrail.md", "toml")
(CHANNEL,) = blocks("how-to/add-a-channel.md", "python")
CHANNEL_PROJECT, CHANNEL_SETTINGS = blocks("how-to/add-a-channel.md", "toml")


def write_package(
    folder: Path, name: str, modules: Mapping[str, str], entry_points: Mapping[str, Mapping[str, str]]
) -> Path:
    """A package with its metadata as installed in ``folder``: files by path, entry points by group and name."""
    for path, text in modules.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    metadata = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    groups = [
        "\n".join([f"[{group}]", *(f"{key} = {value}" for key, value in names.items())])
        for group, names in entry_points.items()
    ]
    (metadata / "entry_points.txt").write_text("\n\n".join(groups) + "\n", encoding="utf-8")
    return folder


def write_the_page_s_package(folder: Path) -> Path:
    """The package that the page builds."""
    project = tomllib.loads(PROJECT)["project"]
    assert project["version"] == "1.0"
    modules = {"telemetry_jsonl/__init__.py": DECLARATION, "telemetry_jsonl/source.py": SOURCE}
    return write_package(folder, project["name"], modules, project["entry-points"])


def write_the_guardrail_s_package(folder: Path) -> Path:
    """The package that the page about guardrails builds."""
    project = tomllib.loads(GUARDRAIL_PROJECT)["project"]
    return write_package(folder, project["name"], {"telemetry_busiest.py": GUARDRAIL}, project["entry-points"])


def write_the_channel_s_package(folder: Path) -> Path:
    """The package that the page about channels builds."""
    project = tomllib.loads(CHANNEL_PROJECT)["project"]
    return write_package(folder, project["name"], {"telemetry_spool.py": CHANNEL}, project["entry-points"])


def write_one_package_of_both(folder: Path) -> Path:
    """A package that provides the connector and the guardrail of the two pages."""
    modules = {
        "telemetry_jsonl/__init__.py": DECLARATION,
        "telemetry_jsonl/source.py": SOURCE,
        "telemetry_busiest.py": GUARDRAIL,
    }
    groups = [tomllib.loads(project)["project"]["entry-points"] for project in (PROJECT, GUARDRAIL_PROJECT)]
    return write_package(folder, "telemetry-own", modules, groups[0] | groups[1])


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """Let Python find what is installed in ``folder``; afterwards nothing of it stays imported."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).is_relative_to(folder):
                del sys.modules[name]
