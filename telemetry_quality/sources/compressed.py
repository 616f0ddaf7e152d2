"""Compressed files: whether one is whole.

DuckDB reads a truncated Zstandard file as far as it goes, as if that were all of it, and checks no checksum of gzip.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

_AT_ONCE_BYTES = 1 << 14
"""A thousand times as much at most when it is decompressed."""
_ZSTD_MAGIC, _SKIPPABLE_MAGIC = 0xFD2FB528, 0x184D2A50
_RAW, _RUN, _COMPRESSED, _RESERVED = range(4)
"""The kinds of blocks of a Zstandard frame (RFC 8878)."""


class _CutShortError(Exception):
    """The file ends before it is complete, or is not what its name says."""


def damage(path: str) -> str | None:
    """What is wrong with a file that is compressed by its name; None if nothing is.

    Raises:
        OSError: If the file cannot be read.
    """
    check = _check_gzip if path.endswith(".gz") else _check_zstd if path.endswith(".zst") else None
    if check is None:
        return None
    with open(path, "rb") as file:  # noqa: PTH123 - a path of DuckDB, not of the project
        try:
            check(file)
        except zlib.error:
            return "its compressed content is damaged"
        except _CutShortError as error:
            return str(error)
    return None


def _check_gzip(file: BinaryIO) -> None:
    """Decompress every member, which compares its checksum."""
    member = zlib.decompressobj(wbits=31)
    is_begun = False
    for content in _chunks(file):
        rest = content
        while rest:
            if member.eof:
                rest = rest.lstrip(b"\0")  # tapes and some writers pad the end
                if not rest:
                    break
                member = zlib.decompressobj(wbits=31)
            is_begun = True
            member.decompress(rest)
            rest = member.unused_data
    if not is_begun or not member.eof:
        raise _CutShortError("its gzip stream is cut short")


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while content := file.read(_AT_ONCE_BYTES):
        yield content


def _check_zstd(file: BinaryIO) -> None:
    """Walk over the blocks of every frame without decompressing any."""
    frames = 0
    while magic := file.read(4):
        number = int.from_bytes(magic, "little")
        if number & 0xFFFFFFF0 == _SKIPPABLE_MAGIC:
            _skip(file, int.from_bytes(_exactly(file, 4), "little"))
        elif number == _ZSTD_MAGIC:
            _check_frame(file)
        else:
            raise _CutShortError("it is not a Zstandard file, or has other content at its end")
        frames += 1
    if not frames:
        raise _CutShortError("it is empty, which no Zstandard file is")


def _check_frame(file: BinaryIO) -> None:
    (descriptor,) = _exactly(file, 1)
    has_single_segment, has_checksum = descriptor >> 5 & 1, descriptor >> 2 & 1
    window = 0 if has_single_segment else 1
    dictionary = (0, 1, 2, 4)[descriptor & 3]
    content = (has_single_segment, 2, 4, 8)[descriptor >> 6]
    _exactly(file, window + dictionary + content)
    is_last = False
    while not is_last:
        header = int.from_bytes(_exactly(file, 3), "little")
        is_last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        if kind == _RESERVED:
            raise _CutShortError("its compressed content is damaged")
        _skip(file, 1 if kind == _RUN else size)
    _exactly(file, 4 * has_checksum)


def _exactly(file: BinaryIO, size: int) -> bytes:
    found = file.read(size)
    if len(found) < size:
        raise _CutShortError("its Zstandard frame is cut short")
    return found


def _skip(file: BinaryIO, size: int) -> None:
    if size:
        file.seek(size - 1, 1)
        _exactly(file, 1)
