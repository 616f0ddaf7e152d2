"""The dashboard's static files: its stylesheet, scripts and icon."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response

from telemetry_quality.dashboard.api_errors import ApiError
from telemetry_quality.dashboard.compression import compressed, response_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from telemetry_quality.dashboard.compression import Part

router = APIRouter()

STATIC = Path(__file__).with_name("static")


async def static(request: Request) -> Response:
    """A static file, or 304 if the client already has it."""
    found = files().get(request.path_params["path"])
    if found is None:
        raise ApiError(404, "NO_SUCH_FILE", "A file of the dashboard is required, but there is no file with this name.")
    headers = {"ETag": f"W/{found.tag}", "Cache-Control": "private, no-cache"}
    if found.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={**headers, "Vary": "Accept-Encoding"})
    return response_of(request, [found.content], found.media_type, headers=headers)


@dataclass(frozen=True, slots=True)
class File:
    """A static file and its headers."""

    content: Part
    media_type: str
    tag: str


@cache
def files() -> dict[str, File]:
    """All static files by path; no other path is served."""
    return {
        path.relative_to(STATIC).as_posix(): _file(path)
        for path in sorted(STATIC.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def _file(path: Path) -> File:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "text/plain"
    return File(compressed(content), media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


router.add_route("/health/static/{path:path}", static, methods=["GET"], include_in_schema=False)
