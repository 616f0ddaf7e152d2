"""How OpenLineage names the places that events are in, so that they meet in a catalogue with those who write them.

The rules are those of https://openlineage.io/docs/spec/naming. What it does not list is named as the integration of
OpenLineage for dbt names it (DuckDB, ClickHouse), or alike. No name holds a user or a password.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

_GLOB = re.compile(r"[*?\[]")


class _Server(NamedTuple):
    """How tables of one kind of server are named: in how many parts, and in which schema by default."""

    scheme: str
    port: int | None
    depth: int
    schema: str | None = None


_SERVERS = {
    "postgresql": _Server("postgres", 5432, 3, "public"),
    "redshift": _Server("redshift", 5439, 3, "public"),
    "mysql": _Server("mysql", 3306, 2),
    "mariadb": _Server("mysql", 3306, 2),
    "trino": _Server("trino", 8080, 3),
    "snowflake": _Server("snowflake", None, 3),
    # ClickHouse is reached over HTTP, Spark Connect by a scheme of its own, and a local Spark by none.
    "http": _Server("clickhouse", 8123, 2),
    "https": _Server("clickhouse", 8443, 2),
    "sc": _Server("spark", 15002, 3),
    "": _Server("spark", None, 3),
}
"""By the scheme of the URL in the settings."""


class Dataset(NamedTuple):
    """The name of a dataset, unique within its namespace."""

    namespace: str
    name: str


def files_at(path: str) -> Dataset:
    """The files below a folder, on this machine or in an object store; of a pattern, the folder that it searches."""
    scheme, separator, rest = path.partition("://")
    authority, folder = ("", path) if not separator else (rest.partition("/")[0], rest.partition("/")[2])
    pattern = _GLOB.search(folder)
    if pattern is not None:
        folder = folder[: pattern.start()].rpartition("/")[0]
    folder = folder.rstrip("/") or "/"
    if not separator:
        return Dataset("file", folder)
    # Only object stores have keys, which begin with no slash.
    return Dataset(f"{scheme}://{authority}", f"/{folder.lstrip('/')}" if scheme == "hdfs" else folder)


def table_in_file(engine: str, file: str, table: str) -> Dataset:
    """A table in a database that is a file."""
    return Dataset(f"{engine}://{file}", table if "." in table else f"main.{table}")


def table_at(url: str, table: str) -> Dataset:
    """A table of the database that a URL points to."""
    parts = _parts_of(url)
    engine = parts.scheme.partition("+")[0]
    if engine == "sqlite":
        return table_in_file(engine, parts.path.removeprefix("/"), table)
    server = _SERVERS.get(engine, _Server(engine, None, 2))
    host, port = parts.hostname or "localhost", _port_of(parts) or server.port
    if engine == "redshift" and host.endswith(".amazonaws.com"):
        cluster, _, region, *_ = host.split(".")
        host = f"{cluster}.{region}"
    namespace = f"{server.scheme}://{host}" if port is None else f"{server.scheme}://{host}:{port}"
    # Spark Connect has its token in the path, behind a semicolon.
    path = parts.path.partition(";")[0] if parts.netloc else ""
    return Dataset(namespace, _qualified(server, path, table))


def _parts_of(url: str) -> SplitResult:
    """The parts of a URL; none of one that is wrong, which is refused where it is opened."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _port_of(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        return None


def _qualified(server: _Server, path: str, table: str) -> str:
    """A table's name with as many of the URL's database and schema as it lacks."""
    own, parents = table.split("."), [part for part in path.split("/") if part]
    if server.schema is not None and len(own) == 1:
        own = [server.schema, *own]
    return ".".join([*parents[: max(server.depth - len(own), 0)], *own])
