"""Which objects a URL means, and what reads them: packages that are loaded only if events are in a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.errors import SourceError

if TYPE_CHECKING:
    from telemetry_quality.sources.objects import ObjectStore


def pattern_of(path: str) -> str:
    """``path``, or a pattern for all Parquet files below it if it is a folder of an object store."""
    # Object stores have no folders to ask for: a path that is neither a file nor a pattern is taken as a folder.
    is_folder = "://" in path and not (path.endswith(".parquet") or any(letter in path for letter in "*?["))
    return f"{path.rstrip('/')}/**/*.parquet" if is_folder else path


def open_store(url: str) -> ObjectStore:
    """The objects at a URL."""
    try:
        from telemetry_quality.sources.objects import ObjectStore  # noqa: PLC0415 - its package is an extra

        return ObjectStore(url)
    except ImportError:
        protocol = url.partition("://")[0]
        package = {"s3": "telemetry-quality[s3]", "gs": "gcsfs", "abfss": "adlfs"}[protocol]
        raise SourceError(
            "PACKAGE_MISSING",
            f"{protocol}:// requires a package that supports this store, but none is installed; "
            f"run pip install '{package}'.",
        ) from None
