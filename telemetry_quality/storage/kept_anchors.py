"""Keeps anchors outside the store: as lines of a file, or by a POST request to an address.

A line is ``2026-03-11T06:00:00+00:00 alert=3,…:9f86…``; an address receives the same as JSON.
"""

from __future__ import annotations

import json
import os
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from telemetry_quality.errors import RequestError, StoreError
from telemetry_quality.storage.anchors import Anchor, is_anchor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

ANSWER_SECONDS = 10
"""How long an address may take to answer."""

_SCHEMES = ("http", "https")


def keep_anchor(anchor: Anchor, place: str, now: datetime) -> None:
    """Append an anchor to the file ``place``, or send it to the address ``place``.

    Raises:
        StoreError: If that fails; the sentence contains no more of an address than its host.
    """
    if urlsplit(place).scheme in _SCHEMES:
        _send(anchor, place, now)
    else:
        _append(f"{now.isoformat(timespec='seconds')} {anchor}\n", Path(place))


def expected_anchors(text_or_file: str) -> Sequence[Anchor]:
    """The anchor that a text is, or all anchors of the file with this name.

    Raises:
        RequestError: If it is neither.
    """
    if is_anchor(text_or_file):
        return [Anchor.parse(text_or_file)]
    file = Path(text_or_file)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        raise RequestError(
            "An anchor must be a text that ends in a colon and 64 digits, or a file of anchors, "
            f"but {text_or_file[:60]!r} is neither; copy all that telemetry-quality verify printed."
        ) from None
    if not lines:
        raise RequestError(f"{file} must hold at least one anchor, but is empty; look for an older copy of it.")
    return [_of_line(line, file, number) for number, line in enumerate(lines, 1)]


def _of_line(line: str, file: Path, number: int) -> Anchor:
    text = line.rpartition(" ")[2]
    if not is_anchor(text):
        raise RequestError(f"{file} must hold an anchor in each line, but line {number} has none; repair or remove it.")
    return Anchor.parse(text)


def _append(line: str, file: Path) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError(f"The file of anchors {file} must be writable, but: {error}; no anchor was kept.") from error


class _NoRedirects(HTTPRedirectHandler):
    """A redirected POST request becomes a GET request, which would deliver nothing."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


def _send(anchor: Anchor, address: str, now: datetime) -> None:
    body = json.dumps({"at": now.isoformat(timespec="seconds"), "anchor": str(anchor)}).encode()
    try:
        request = Request(address, body, {"Content-Type": "application/json"})  # noqa: S310 - http or https
        with build_opener(_NoRedirects).open(request, timeout=ANSWER_SECONDS):
            pass
    except (OSError, HTTPException, ValueError) as error:
        # The path and the query may hold a secret, and so may the words of an error.
        found = getattr(error, "code", None) or type(getattr(error, "reason", error)).__name__
        raise StoreError(
            f"The address of anchors at {urlsplit(address).hostname} must accept a POST request, but answered "
            f"{found}; no anchor was kept."
        ) from None
