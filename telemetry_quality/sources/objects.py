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

import fsspec

from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.sources.parquet import ParquetIndex, describe_files, files_required, is_hidden

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    import duckdb
    from fsspec.asyn import AsyncFileSystem

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.sources.parquet import ParquetFile

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
_MAXIMUM_FOOTERS = 200_000

_footers: dict[tuple[str, str, str, str | None], ParquetFile] = {}
"""Cached footers; an object that was rewritten has another tag and counts as another object."""
_footers_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Object:
    size: int
    tag: str
    """Changes whenever the object is written again."""


class ObjectStore:
    """The objects that match a URL such as ``s3://bucket/events/**/*.parquet``.

    Raises:
        ImportError: If the package for this store is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.protocol = url.partition("://")[0]
        self._files = _open(self.protocol)

    def file_system(self) -> ObjectFileSystem:
        """A file system for one DuckDB session; list the objects before reading."""
        return ObjectFileSystem(self.url, self.protocol, self._files)


def _open(protocol: str) -> AsyncFileSystem:
    # Below INFO, botocore logs whole requests, including session tokens.
    for name in ("botocore", "aiobotocore"):
        if logging.getLogger(name).level == logging.NOTSET:
            logging.getLogger(name).setLevel(logging.INFO)
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

    def __init__(self, url: str, protocol: str, files: AsyncFileSystem) -> None:
        super().__init__()
        self.protocol = protocol
        self._url = url
        self._files = files
        self._objects: dict[str, _Object] = {}
        self._ends: dict[str, bytes] = {}
        self._stopped = threading.Event()
        self._failure: BaseException | None = None

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
        return _source_error(self._url, failure) if isinstance(failure, Exception) else failure

    def index(self, connection: duckdb.DuckDBPyConnection, schema: EventSchema, zone: ZoneInfo) -> ParquetIndex:
        """List the objects and read the footers that this process has not read before.

        Raises:
            SourceError: ``NO_FILES`` if nothing matches.
        """
        self.add_matching(self._url)
        paths = files_required([path for path in self._objects if not is_hidden(path, self._url)], self._url)
        keys = {path: (path, self._objects[path].tag, schema.occurred_at, schema.observed_at) for path in paths}
        known = {path: _footers[key] for path, key in keys.items() if key in _footers}
        for batch in _batches((path for path in paths if path not in known), _ENDS_AT_ONCE):
            self._fetch_ends(batch)
            described = describe_files(connection, batch, schema)
            if self._failure is not None:
                # The file is not broken: the store did not deliver it.
                raise self._failure
            known |= {file.path: file for file in described}
            _cache({keys[file.path]: file for file in described})
        self._ends.clear()
        return ParquetIndex(tuple(known[path] for path in paths), zone)

    def add_matching(self, pattern: str) -> None:
        """Find the objects that match; DuckDB sees no others."""
        found = self._wait(self._files._glob(pattern, detail=True))  # noqa: SLF001 - fsspec's name for the coroutine
        self._objects |= {
            self._files.unstrip_protocol(name): _Object(about["size"], _tag(about))
            for name, about in sorted(found.items())
            if about["type"] == "file"
        }

    def _fetch_ends(self, paths: Sequence[str]) -> None:
        """Read the ends of objects concurrently, so that DuckDB does not wait for them one after another."""

        async def fetch() -> Sequence[bytes]:
            return await asyncio.gather(*(self._fetch(path, *self._end(path)) for path in paths))

        self._ends = dict(zip(paths, self._wait(fetch()), strict=True))

    def _end(self, path: str) -> tuple[int, int]:
        size = self._objects[path].size
        return max(size - _END_BYTES, 0) // _BLOCK_BYTES * _BLOCK_BYTES, size

    def read(self, path: str, start: int, end: int) -> bytes:
        """The bytes ``start <= n < end`` of an object."""
        if path in self._ends and start >= (first := self._end(path)[0]):
            return self._ends[path][start - first : end - first]
        content: bytes = self._wait(self._fetch(path, start, end))
        return content

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

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
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
            self._failure = self._failure or error
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


def _tag(about: dict[str, Any]) -> str:
    """What distinguishes an object from a later one under the same name."""
    return str(next((about[name] for name in ("ETag", "etag", "LastModified", "updated") if about.get(name)), ""))


def _batches(paths: Iterable[str], size: int) -> Iterator[list[str]]:
    remaining = iter(paths)
    while batch := list(islice(remaining, size)):
        yield batch


def _cache(files: dict[tuple[str, str, str, str | None], ParquetFile]) -> None:
    with _footers_lock:
        if len(_footers) + len(files) > _MAXIMUM_FOOTERS:
            _footers.clear()
        _footers.update({key: file for key, file in files.items() if key[1]})


@dataclass(frozen=True, slots=True)
class _Answer:
    """A failure of a store, recognized by exception classes or error codes, and how it is reported."""

    reason_code: str
    sentence: str
    kinds: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    error: type[SourceError] = SourceError


_ANSWERS = (
    _Answer(
        "CREDENTIALS_MISSING",
        "the store requires credentials, but none were found in the environment, the store's own configuration or an "
        "instance's role; provide them there.",
        kinds=frozenset(
            {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "CredentialRetrievalError"}
        ),
    ),
    _Answer(
        "CREDENTIALS_REFUSED",
        "the store refuses the credentials ({found}); renew them where they come from.",
        codes=frozenset(
            {"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch", "TokenRefreshRequired"}
        ),
    ),
    _Answer(
        "BUCKET_MISSING",
        "there is no such bucket; check the path and the endpoint.",
        codes=frozenset({"NoSuchBucket"}),
    ),
    _Answer(
        "ACCESS_DENIED",
        "the store denies access; allow these credentials to list the bucket and to read its objects.",
        kinds=frozenset({"PermissionError"}),
        codes=frozenset({"AccessDenied", "403"}),
    ),
    _Answer(
        "OBJECT_CHANGED",
        "an object was replaced or removed while it was read; the next attempt lists the objects again.",
        kinds=frozenset({"FileNotFoundError"}),
        codes=frozenset({"NoSuchKey", "404", "PreconditionFailed", "412"}),
        error=SourceUnavailableError,
    ),
    _Answer(
        "SOURCE_UNREADABLE",
        "the store refuses the request ({found}); check the path, the region and the endpoint.",
        codes=frozenset({"301", "307", "400", "405", "409", "416", "501"}),
    ),
    _Answer(
        "STORE_UNAVAILABLE",
        "the store must answer, but did not ({found}); check the endpoint and the network.",
        # OSError is the base class of network errors, ClientError that of botocore's 5xx errors.
        kinds=frozenset({"ConnectionError", "HTTPClientError", "ClientError", "OSError"}),
        error=SourceUnavailableError,
    ),
)
"""The first match counts."""


def _source_error(url: str, error: Exception) -> SourceError:
    """The sentence for a store's error, without the store's own words, which may quote a key."""
    causes = list(_chain(error))
    codes = {code for cause in causes for code in _codes(cause)} - {""}
    kinds = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    found = ", ".join(sorted(codes)) or type(error).__name__
    for answer in _ANSWERS:
        if kinds & answer.kinds or codes & answer.codes:
            sentence = f"{url} cannot be read: {answer.sentence.format(found=found)}"
            return answer.error(answer.reason_code, sentence)
    return SourceError("SOURCE_UNREADABLE", f"{url} cannot be read ({found}); check the path.")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _codes(error: BaseException) -> Iterator[str]:
    """The codes by which stores report errors: S3's error name, or the HTTP status."""
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):
        yield str(answer.get("Error", {}).get("Code", ""))
        yield str(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    for name in ("code", "status", "status_code"):
        if isinstance(getattr(error, name, None), int):
            yield str(getattr(error, name))
