"""Keeps anchors outside the store: as lines of a file, or by a POST request to an address.

A line is ``2026-03-11T06:00:00+00:00 alert=3,…:9f86…``; an address receives the same as JSON.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import Request

from telemetry_quality.addresses import failure_of, is_web_address
from telemetry_quality.errors import RequestError, StoreError
from telemetry_quality.storage.anchors import Anchor, is_anchor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

ANSWER_SECONDS = 10
"""How long an address may take to answer."""


def keep_anchor(anchor: Anchor, place: str, now: datetime) -> None:
    """Append an anchor to the file ``place``, or send it to the address ``place``.

    Raises:
        StoreError: If that fails; the sentence contains no more of an address than its host.
    """
    if is_web_address(place):
        _send(anchor, place, now)
    elif "://" in place:
        raise StoreError(
            "Anchors require a file or an address that begins with https:// or http://; correct the place."
        )
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
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as kept:
            kept.write(line.encode())
            kept.flush()
            os.fsync(kept.fileno())
    except OSError as error:
        raise StoreError(f"The file of anchors {file} must be writable, but: {error}; no anchor was kept.") from error


def _send(anchor: Anchor, address: str, now: datetime) -> None:
    body = json.dumps({"at": now.isoformat(timespec="seconds"), "anchor": str(anchor)}).encode()
    request = Request(address, body, {"Content-Type": "application/json"})  # noqa: S310 - http or https
    if (failure := failure_of(request, ANSWER_SECONDS)) is not None:
        raise StoreError(
            f"The address of anchors at {urlsplit(address).hostname} must accept a POST request, but there was "
            f"{failure}; no anchor was kept."
        )
