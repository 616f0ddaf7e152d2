"""Object stores: gives DuckDB the byte ranges of objects that it asks for, through fsspec, and reads nothing else.

The objects below a URL are listed once per session. Credentials are those that the store's own package finds: in the
environment, in ``~/.aws``, or from an instance's role.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from io import RawIOBase
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import fsspec

from telemetry_quality.sources.footer_cache import FooterCache
from telemetry_quality.sources.object_errors import problem_of_one_object, source_error
from telemetry_quality.sources.object_ranges import ObjectRanges, gaps
from telemetry_quality.sources.parquet import ParquetFile, ParquetIndex, describe_files, files_required, is_hidden
from telemetry_quality.sources.walking import refuse_table

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    import duckdb
    from fsspec.asyn import AsyncFileSystem

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.sources.walking import Problem

_OPTIONS: dict[str, dict[str, Any]] = {
    # botocore retries by itself; retries in s3fs would multiply the attempts.
    "s3": {
        "config_kwargs": {
            "connect_timeout": 10,
            "read_timeout": 30,
            "retries": {"max_attempts": 3, "mode": "standard"},
        }
    }
}
_POLL_SECONDS = 0.1
_END_BYTES, _BLOCK_BYTES = 256 * 1024, 4096
"""DuckDB begins each file by reading this much of its end, aligned downwards."""
_ENDS_AT_ONCE = 64
_ALL_BELOW = "/**/*.parquet"
_MAXIMUM_FOOTERS = 200_000

_footers: dict[tuple[str, str, str, str | None], ParquetFile] = {}
"""Cached footers; an object that was rewritten has another tag and counts as another object."""
_footers_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Object:
    """An object as it was listed.

    Attributes:
        tag: Changes whenever the object is written again; empty if the store does not say.
        is_named_by_content: Whether the tag is an ETag, which no other content has.
    """

    size: int
    tag: str
    is_named_by_content: bool


class ObjectStore:
    """The objects that match a URL such as ``s3://bucket/events/**/*.parquet``.

    Raises:
        ImportError: If the package for this store is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.protocol = url.partition("://")[0]
        self._files = _open(self.protocol)
        self._ranges = ObjectRanges()

    def file_system(self) -> ObjectFileSystem:
        """A file system for one DuckDB session; list the objects before reading."""
        return ObjectFileSystem(self.url, self.protocol, self._files, self._ranges)


def _open(protocol: str) -> AsyncFileSystem:
    # At INFO, botocore says where it found credentials; below, it logs whole requests, including session tokens.
    for name in ("botocore", "aiobotocore"):
        if logging.getLogger(name).level == logging.NOTSET:
            logging.getLogger(name).setLevel(logging.WARNING)
    try:
        fsspec.get_filesystem_class(protocol)
    except ValueError as error:
        # fsspec knows this protocol only through a package that is not installed.
        raise ImportError(str(error)) from None
    # A new instance, because credentials may change while a process runs, and listings must not be stale.
    files: AsyncFileSystem = fsspec.filesystem(
        protocol, skip_instance_cache=True, use_listings_cache=False, **_OPTIONS.get(protocol, {})
    )
    if protocol == "s3":
        files.retries = 1
    return files


class _StoppedError(Exception):
    """The session was asked to stop while it waited for the store."""


class ObjectFileSystem(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """What one DuckDB session sees of a store: the objects as they were listed.

    DuckDB calls it from all of its threads and replaces its exceptions with its own: ``error`` returns the first
    failure.
    """

    cachable = False

    def __init__(self, url: str, protocol: str, files: AsyncFileSystem, ranges: ObjectRanges) -> None:
        super().__init__()
        self.protocol = protocol
        self._url = url
        self._files = files
        self._objects: dict[str, _Object] = {}
        self._ranges = ranges
        self._session = uuid4().hex
        self._stopped = threading.Event()
        self._failure: BaseException | None = None
        self._failed_at = url

    def stop(self) -> None:
        """Stop waiting for the store; may be called from any thread."""
        self._stopped.set()

    def resume(self) -> None:
        """Forget the failure and wait for the store again."""
        self._stopped.clear()
        self._failure = None

    def error(self) -> BaseException | None:
        """The first failure, as a SourceError where it is an Exception; None if nothing failed."""
        failure = self._failure
        return source_error(self._failed_at, failure) if isinstance(failure, Exception) else failure

    def index(self, connection: duckdb.DuckDBPyConnection, schema: EventSchema, zone: ZoneInfo) -> ParquetIndex:
        """List the objects and read the footers that were not read before, by this process or an earlier one.

        An object that may not be read or is archived is a broken file: what may be known of it is only its name.

        Raises:
            SourceError: ``NO_FILES`` if nothing matches; the store's error if no object at all can be read.
        """
        self.add_matching(self._url)
        paths = files_required([path for path in self._objects if not is_hidden(path, self._url)], self._url)
        keys = {path: (path, self._objects[path].tag, schema.occurred_at, schema.observed_at) for path in paths}
        known = {path: _footers[key] for path, key in keys.items() if key in _footers}
        cache = FooterCache(schema.occurred_at, schema.observed_at)
        known |= cache.find(self._content_names(path for path in paths if path not in known))
        for batch in _batches((path for path in paths if path not in known), _ENDS_AT_ONCE):
            found = self._describe(connection, batch, schema)
            known |= found
            cache.keep(found.values(), self._content_names(batch))
        _cache({keys[path]: file for path, file in known.items() if file.problem is None})
        if all(file.problem is not None for file in known.values()):
            raise next(iter(known.values())).unreadable()
        return ParquetIndex(tuple(known[path] for path in paths), zone)

    def _content_names(self, paths: Iterable[str]) -> Mapping[str, str]:
        return {path: self._objects[path].tag for path in paths if self._objects[path].is_named_by_content}

    def _describe(
        self, connection: duckdb.DuckDBPyConnection, paths: Sequence[str], schema: EventSchema
    ) -> dict[str, ParquetFile]:
        """Objects as their footers describe them."""
        refused = self._fetch_ends(paths)
        described = describe_files(connection, [path for path in paths if path not in refused], schema)
        if self._failure is not None:
            # The file is not broken: the store did not deliver it.
            raise self._failure
        return {file.path: file for file in described} | {
            path: ParquetFile(path, broken=problem.found, problem=problem) for path, problem in refused.items()
        }

    def add_matching(self, pattern: str) -> None:
        """Find the objects that match; DuckDB sees no others.

        Raises:
            SourceError: If they belong to a table format that decides which of its files are live.
        """
        found = self._wait(self._listed(pattern))
        self._objects |= {
            self._files.unstrip_protocol(name): _Object(about["size"], *_tag(about))
            for name, about in sorted(found.items())
            if about["type"] == "file"
        }

    def add(self, paths: Sequence[str]) -> None:
        """Find objects by their names; those that do not exist stay unknown."""

        async def find() -> list[dict[str, Any] | BaseException]:
            asked = (self._files._info(path) for path in paths)  # noqa: SLF001 - fsspec's name for the coroutine
            found: list[dict[str, Any] | BaseException] = await asyncio.gather(*asked, return_exceptions=True)
            return found

        for path, about in zip(paths, self._wait(find()), strict=True):
            if isinstance(about, FileNotFoundError):
                continue
            if isinstance(about, BaseException):
                self._failure, self._failed_at = about, path
                raise about
            self._objects[path] = _Object(about["size"], *_tag(about))

    async def _listed(self, pattern: str) -> dict[str, dict[str, Any]]:
        folder = pattern.removesuffix(_ALL_BELOW)
        if folder == pattern or any(letter in folder for letter in "*?["):
            matching: dict[str, dict[str, Any]] = await self._files._glob(pattern, detail=True)  # noqa: SLF001 - fsspec's name for the coroutine
            return matching
        every: dict[str, dict[str, Any]] = await self._files._find(self._files._strip_protocol(folder), detail=True)  # noqa: SLF001 - likewise
        for name in every:
            refuse_table(self._files.unstrip_protocol(name))
        return {name: about for name, about in every.items() if name.endswith(".parquet")}

    def _fetch_ends(self, paths: Sequence[str]) -> dict[str, Problem]:
        """Read the ends of objects concurrently, so that DuckDB does not wait for them one after another.

        Returns:
            Why objects cannot be read, where that says nothing about others.
        """

        async def fetch() -> list[bytes | BaseException]:
            ends = (self._fetch(path, *self._end(path)) for path in paths)
            return await asyncio.gather(*ends, return_exceptions=True)

        refused = {}
        for path, answer in zip(paths, self._wait(fetch()), strict=True):
            if not isinstance(answer, BaseException):
                self._ranges.keep(path, self._version(path), self._end(path)[0], answer)
                continue
            problem = problem_of_one_object(answer) if isinstance(answer, Exception) else None
            if problem is None:
                self._failure, self._failed_at = answer, path
                raise answer
            refused[path] = problem
        return refused

    def _end(self, path: str) -> tuple[int, int]:
        size = self._objects[path].size
        return max(size - _END_BYTES, 0) // _BLOCK_BYTES * _BLOCK_BYTES, size

    def _version(self, path: str) -> str:
        # Where the store names no versions, what was read is good for one session.
        return self._objects[path].tag or self._session

    def read(self, path: str, start: int, end: int) -> bytes:
        """The bytes ``start <= n < end`` of an object; what was fetched before is not fetched again."""
        version = self._version(path)
        found = self._ranges.find(path, version, start, end)
        for first, last in gaps(found, start, end):
            content: bytes = self._wait(self._fetch(path, first, last), path)
            self._ranges.keep(path, version, first, content)
            found.append((first, content))
        return b"".join(content for _, content in sorted(found))

    async def _fetch(self, path: str, start: int, end: int) -> bytes:
        if start >= end:
            return b""
        if self.protocol != "s3":
            found: bytes = await self._files._cat_file(path, start=start, end=end)  # noqa: SLF001 - likewise
            return found
        bucket, key, _ = self._files.split_path(path)
        # An object that was rewritten after it was listed is refused, so that two versions are never mixed.
        answer = await self._files._call_s3(  # noqa: SLF001 - likewise
            "get_object", Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}", IfMatch=self._objects[path].tag
        )
        async with answer["Body"] as body:
            content: bytes = await body.read()
        return content

    def _wait(self, work: Coroutine[Any, Any, Any], path: str | None = None) -> Any:
        future = asyncio.run_coroutine_threadsafe(work, self._files.loop)
        try:
            while not self._stopped.is_set():
                try:
                    return future.result(_POLL_SECONDS)
                except TimeoutError:
                    # The store's own timeouts are TimeoutErrors as well.
                    if future.done():
                        return future.result()
            raise _StoppedError  # noqa: TRY301 - recorded like every other failure
        except BaseException as error:
            future.cancel()
            if self._failure is None:
                self._failure, self._failed_at = error, path or self._url
            raise

    # The methods that DuckDB calls.

    def glob(self, path: str) -> list[str]:
        """The object of this name; patterns were resolved when the store was listed."""
        return [path] if path in self._objects else []

    def open(self, path: str, mode: str = "rb") -> _ObjectFile:
        """An object to read from."""
        del mode
        return _ObjectFile(self, path, self._objects[path].size)

    def size(self, path: str) -> int:
        """Its bytes."""
        return self._objects[path].size

    def isfile(self, path: str) -> bool:
        """Whether the object was listed."""
        return path in self._objects

    def modified(self, path: str) -> datetime:
        """Always the same instant: an object does not change during a session."""
        del path
        return datetime(1970, 1, 1, tzinfo=UTC)


class _ObjectFile(RawIOBase):
    """One object, opened by DuckDB, whose threads share it; each thread has its own position."""

    def __init__(self, file_system: ObjectFileSystem, path: str, size: int) -> None:
        super().__init__()
        self._file_system = file_system
        self._path = path
        self._size = size
        self._position = threading.local()

    def seek(self, offset: int, whence: int = 0) -> int:
        start = {0: 0, 1: self._offset, 2: self._size}[whence]
        self._position.value = start + offset
        return self._offset

    @property
    def _offset(self) -> int:
        position: int = getattr(self._position, "value", 0)
        return position

    def read(self, size: int = -1) -> bytes:
        start = self._offset
        end = self._size if size < 0 else min(start + size, self._size)
        found = self._file_system.read(self._path, start, end)
        self.seek(start + len(found))
        return found

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _tag(about: Mapping[str, Any]) -> tuple[str, bool]:
    """What distinguishes an object from a later one under the same name, and whether it names the content."""
    etag = about.get("ETag") or about.get("etag")
    return str(etag or about.get("LastModified") or about.get("updated") or ""), bool(etag)


def _batches(paths: Iterable[str], size: int) -> Iterator[list[str]]:
    remaining = iter(paths)
    while batch := list(islice(remaining, size)):
        yield batch


def _cache(files: dict[tuple[str, str, str, str | None], ParquetFile]) -> None:
    with _footers_lock:
        if len(_footers) + len(files) > _MAXIMUM_FOOTERS:
            _footers.clear()
        _footers.update({key: file for key, file in files.items() if key[1]})
