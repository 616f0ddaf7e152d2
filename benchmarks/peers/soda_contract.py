"""Soda Core 4 on a Parquet file through DuckDB.

``table`` lets Soda open the file as its documentation shows, which copies it into memory. Without it, Soda gets a view
of the file, which is faster for Soda.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from soda_core.contracts import verify_contract_locally
from soda_duckdb import DuckDBDataSource

from peers.protocol import ERROR_PERCENT, MISSING_VERSION_PERCENT, answer

CONTRACT = f"""
dataset: days/main/events
checks:
  - row_count:
      threshold:
        must_be_greater_than: 0
columns:
  - name: severity
    checks:
      - invalid:
          valid_max: 16
          threshold:
            metric: percent
            must_be_less_than_or_equal: {ERROR_PERCENT}
  - name: app_version
    checks:
      - missing:
          threshold:
            metric: percent
            must_be_less_than_or_equal: {MISSING_VERSION_PERCENT}
  - name: event_name
    checks:
      - missing:
"""
VERDICTS = ("rows", "error_rate", "missing_version", "missing_name")
IS_COPIED = "table" in sys.argv


def load(file: Path) -> dict[str, Any]:
    if IS_COPIED:
        settings = Path(folder, "source.yml")
        settings.write_text(
            f"type: duckdb\nname: days\nconnection:\n  database: {file}\n  schema: main\n", encoding="utf-8"
        )
        duckdb.execute("DROP TABLE IF EXISTS events")
        return {"data_source_file_path": str(settings)}
    connection = duckdb.connect()
    connection.read_parquet(str(file)).create_view("events")
    return {"data_sources": [DuckDBDataSource.from_existing_cursor(connection, name="days")]}


def check(source: dict[str, Any]) -> dict[str, object]:
    session = verify_contract_locally(**source, contract_file_path=str(contract))
    assert not session.has_errors, session.get_errors_str()
    results = session.contract_verification_results[0].check_results
    return {verdict: result.is_passed for verdict, result in zip(VERDICTS, results, strict=True)}


with TemporaryDirectory() as folder:
    contract = Path(folder, "contract.yml")
    contract.write_text(CONTRACT, encoding="utf-8")
    answer(load, check)
