"""Compressed responses, joined from parts that were compressed once: a large page costs each reader little.

A part that belongs to one reader, and may hold the secret token of the forms, is packed without compression, and no
part refers to another. So the length of a response says nothing about a secret, whatever else the response repeats of
the request (the BREACH attack, https://breachattack.com).
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import HTTPConnection

LEVEL = 6
"""Zlib's own default: of 700 kB of a page 7 kB remain, after 5 ms."""

SMALLEST_BYTES = 256
"""A smaller response is sent as it is, because the frame alone takes 20 bytes."""

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Of gzip (RFC 1952): deflate, no flags, no time, system not known."""

_END = b"\x03\x00"
"""An empty last block of deflate (RFC 1951)."""


class Part(NamedTuple):
    """A piece of a response in blocks of deflate that end with a whole byte and refer to nothing before them.

    Attributes:
        blocks: The blocks, none of which is the last of a stream.
        length: The number of bytes they stand for.
        checksum: The CRC-32 of these bytes.
        checksum_of_zeros: The CRC-32 of as many zeros.
    """

    blocks: bytes
    length: int
    checksum: int
    checksum_of_zeros: int

    def plain(self) -> bytes:
        """The bytes that the part stands for."""
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(self.blocks)


def compressed(plain: bytes) -> Part:
    """A part that is the same for all readers."""
    return _packed(plain, LEVEL)


def of_one_reader(plain: bytes) -> Part:
    """A part that may hold a secret of its reader; it is not compressed."""
    return _packed(plain, 0)


def _packed(plain: bytes, level: int) -> Part:
    packer = zlib.compressobj(level, wbits=-zlib.MAX_WBITS)
    blocks = packer.compress(plain) + packer.flush(zlib.Z_FULL_FLUSH)
    return Part(blocks, len(plain), zlib.crc32(plain), zlib.crc32(bytes(len(plain))))


def gzipped(parts: Sequence[Part]) -> bytes:
    """The parts as one gzip file."""
    checksum, length = 0, 0
    for part in parts:
        # A CRC is linear, but for where it starts: what is before the part counts as if zeros followed it.
        checksum = part.checksum ^ zlib.crc32(bytes(part.length), checksum) ^ part.checksum_of_zeros
        length += part.length
    return b"".join((_HEADER, *(part.blocks for part in parts), _END, struct.pack("<II", checksum, length % 2**32)))


def response_of(
    connection: HTTPConnection,
    parts: Sequence[Part],
    media_type: str,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A response with ``parts``, compressed if the client accepts that."""
    said = {**(headers or {}), "Vary": "Accept-Encoding"}
    if sum(part.length for part in parts) < SMALLEST_BYTES or not accepts_gzip(connection):
        return Response(b"".join(part.plain() for part in parts), status_code, said, media_type)
    return Response(gzipped(parts), status_code, {**said, "Content-Encoding": "gzip"}, media_type)


def accepts_gzip(connection: HTTPConnection) -> bool:
    """Whether the client accepts a response in gzip (RFC 9110, 12.5.3); ``q=0`` refuses it."""
    for wanted in connection.headers.get("accept-encoding", "").lower().split(","):
        coding, _, weight = wanted.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "").rstrip("0.") != "q="
    return False
