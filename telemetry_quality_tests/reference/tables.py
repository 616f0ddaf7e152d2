"""The store: every table and view with its columns."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise

from sqlalchemy import create_engine
from sqlalchemy import inspect as inspect_database
from sqlalchemy.dialects import sqlite

from telemetry_quality.core.metrics import METRICS
from telemetry_quality.storage import tables, views
from telemetry_quality.storage.migrations import migrate
from telemetry_quality_tests.reference.markdown import page, table

OPENING = """\
The store is a database of its own, in SQLite or PostgreSQL. Read it, with [the
views](../how-to/trusted-days.md#views-for-bi-tools) first; nobody but telemetry-quality writes to it. The database
refuses to change or delete a row of a table that is *append-only*, and
[`verify`](../how-to/production.md#tamper-evidence) finds what was changed behind its back. Types are those of SQLite;
times are UTC."""

_DIALECT = sqlite.dialect()


def views_of(url: str) -> dict[str, list[str]]:
    """The columns of every view, as a store has them that was made at ``url``."""
    migrate(url)
    engine = create_engine(url)
    try:
        found = inspect_database(engine)
        return {name: [column["name"] for column in found.get_columns(name)] for name in sorted(views.VIEWS)}
    finally:
        engine.dispose()


def written() -> str:
    """The page."""
    described = _descriptions()
    numbers = {metric.name: metric.description for metric in METRICS}
    sections = []
    for found in tables.metadata.sorted_tables:
        kind = "Append-only." if found in tables.APPEND_ONLY else "May change: accounts come and go."
        rows = [
            (
                f"`{column.name}`",
                column.type.compile(_DIALECT),
                "" if column.nullable else "always",
                numbers.get(column.name, ""),
            )
            for column in found.columns
        ]
        text = "\n\n".join(
            [
                f"{kind} {described.get(found.name, '')}".strip(),
                table(["column", "type", "filled", "what it says"], rows),
            ]
        )
        sections.append((f"`{found.name}`", text))
    return page("Tables of the store", OPENING, sections)


def _descriptions() -> dict[str, str]:
    """The text below each table in the module that declares them."""
    body = ast.parse(inspect.getsource(tables)).body
    found = {}
    for statement, after in pairwise(body):
        if not isinstance(statement, ast.Assign) or not isinstance(after, ast.Expr):
            continue
        name, text = statement.targets[0], after.value
        if isinstance(name, ast.Name) and isinstance(text, ast.Constant):
            found[name.id] = " ".join(str(text.value).replace("``", "`").split())
    return found
