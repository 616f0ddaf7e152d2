"""The tools, and the environment of each."""

from __future__ import annotations

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements")
ENVIRONMENTS = Path(__file__).parents[2] / ".bench"


@dataclass(frozen=True, slots=True)
class Tool:
    """A row of the table.

    Attributes:
        module: The module in this folder that runs the tool.
        option: The option that selects a variant of the module.
        environment: The file in ``requirements/`` that the tool is installed from; None for our own environment.
        needs_memory: Whether the tool holds all events in memory, which 100 million events a day do not permit.
    """

    name: str
    title: str
    module: str
    option: str = ""
    environment: str | None = None
    needs_memory: bool = False


OURS, COUNTS, PLAIN = "ours", "ours-counts", "duckdb"

TOOLS = {
    tool.name: tool
    for tool in (
        Tool(OURS, "telemetry-quality snapshot", "ours"),
        Tool(COUNTS, "telemetry-quality count", "ours", "counts"),
        Tool(PLAIN, "plain DuckDB, the four counts", "plain_duckdb"),
        Tool("duckdb-sample", "plain DuckDB, the counts and a sample", "plain_duckdb", "sample"),
        Tool("soda", "Soda Core 4, a view of the file", "soda_contract", environment="soda"),
        Tool("soda-table", "Soda Core 4, opening the file itself", "soda_contract", "table", "soda", True),
        Tool(
            "gx",
            "Great Expectations, pandas, three columns",
            "great_expectations_pandas",
            "",
            "great_expectations",
            True,
        ),
        Tool(
            "gx-whole",
            "Great Expectations, pandas, every column",
            "great_expectations_pandas",
            "whole",
            "great_expectations",
            True,
        ),
        Tool("pandera-pandas", "pandera, pandas", "pandera_pandas", "", "pandera", True),
        Tool("pandera-polars", "pandera, polars", "pandera_polars", "", "pandera", True),
        Tool("pointblank", "pointblank, polars", "pointblank_polars", "", "pointblank", True),
        Tool("pandas", "plain pandas", "plain_pandas", "", "pandas", True),
    )
}


def python_of(environment: str | None) -> str:
    """The interpreter of an environment, which is created on first use and again when its pins have changed."""
    if environment is None:
        return sys.executable
    folder = ENVIRONMENTS / environment
    python = folder / "bin" / "python"
    pins, installed = REQUIREMENTS / f"{environment}.txt", folder / "installed.txt"
    if not installed.exists() or installed.read_bytes() != pins.read_bytes():
        print(f"Installing {environment} into {folder} ...", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-qq", "--requirement", pins], check=True)  # noqa: S603
        installed.write_bytes(pins.read_bytes())
    return str(python)
