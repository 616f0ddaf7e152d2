"""The temporary folder of this process: event data may be in it."""

from __future__ import annotations

import os
from functools import cache
from tempfile import TemporaryDirectory


def temporary_folder() -> str:
    """A folder of this process that only this user may enter."""
    return _temporary_folder(os.getpid())


@cache
def _temporary_folder(process: int) -> str:
    """A folder that only this user may read, as event data may be in it; removed when the process ends."""
    _temporary_folders[process] = TemporaryDirectory(prefix="telemetry-quality-", ignore_cleanup_errors=True)
    return _temporary_folders[process].name


_temporary_folders: dict[int, TemporaryDirectory[str]] = {}
