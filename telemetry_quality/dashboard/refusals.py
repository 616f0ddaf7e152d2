"""Refusals: every answer that is not what was asked for, in one shape and one sentence, without anything of ours in it.

Machines get ``{"error": {"status", "reason_code", "sentence"}}``, browsers a page that says the same.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from fastapi.exceptions import RequestValidationError
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from telemetry_quality.errors import RequestError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

STORE_UNREADABLE = "STORE_UNREADABLE"
CANNOT_READ = (
    "The store must be readable to answer this, but it cannot be read now; "
    "try again in a moment, and if it stays so ask whoever runs this dashboard to read its log."
)
WENT_WRONG = "An answer was expected here, but the dashboard made a mistake; it is in its log, so report it."

_TITLES = {
    403: "Not allowed",
    404: "Not found",
    413: "Too much at once",
    414: "Too long an address",
    415: "Not readable",
    422: "This cannot be asked",
    429: "Too many tries",
    500: "A mistake of the dashboard",
    503: "Not available right now",
}
"""Headings of refusals for people, where the standard's own words say little."""

_MOST_CHARACTERS = 80
"""Of what somebody sent, in an answer or the log: enough to recognise it."""


class Refusal(Exception):  # noqa: N818 - an answer, not a mistake
    """What was asked for is not answered.

    Attributes:
        reason_code: Stable upper-case identifier; machines decide by it.
        sentence: What was required, what was found and the remedy; anybody may read it.
        headers: What HTTP wants said beside it, such as ``Retry-After``.
    """

    def __init__(
        self, status_code: int, reason_code: str, sentence: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(sentence)
        self.status_code = status_code
        self.reason_code = reason_code
        self.sentence = sentence
        self.headers = dict(headers or {})

    def as_json(self) -> dict[str, Any]:
        """The one shape of all errors."""
        error = {"status": self.status_code, "reason_code": self.reason_code, "sentence": self.sentence}
        return {"error": error}


def shown(text: object) -> str:
    """What somebody sent, quoted, harmless and short, for a sentence that tells it back."""
    whole = str(text)
    return ascii(whole) if len(whole) <= _MOST_CHARACTERS else f"{whole[:_MOST_CHARACTERS]!a}…"


def response_for(request: Request, refusal: Refusal) -> Response:
    """The refusal as whoever asks can read it: a page for browsers outside ``/api/``, else JSON."""
    if not _is_for_a_browser(request):
        return JSONResponse(refusal.as_json(), refusal.status_code, refusal.headers)
    # Pages need templates; guard and API must not wait for them.
    from telemetry_quality.dashboard.rendering import page  # noqa: PLC0415

    title = _TITLES.get(refusal.status_code, HTTPStatus(refusal.status_code).phrase)
    main = Markup('<h1>{}</h1>\n<p class="refusal" data-reason="{}">{}</p>\n').format(
        title, refusal.reason_code, refusal.sentence
    )
    response = page(request, title=title, main=main, status_code=refusal.status_code)
    response.headers.update(refusal.headers)
    return response


def _is_for_a_browser(request: Request) -> bool:
    accepted = ",".join(request.headers.getlist("accept"))
    return not request.url.path.startswith("/api/") and "text/html" in accepted


def install(app: FastAPI) -> None:
    """Let ``app`` answer every error as a refusal."""
    app.add_exception_handler(Refusal, _answer_refusal)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestError, _answer_request_error)
    app.add_exception_handler(StoreError, _answer_store_error)
    app.add_exception_handler(Exception, _answer_mistake)
    # Innermost, so that the answer leaves through the guards and gets their headers.
    app.user_middleware.append(Middleware(_Mistakes))


async def _answer_refusal(request: Request, error: Exception) -> Response:
    return response_for(request, cast("Refusal", error))


async def _answer_invalid(request: Request, error: Exception) -> Response:
    mistakes = cast("RequestValidationError", error).errors()
    # An unknown name is told first: what seems wrong may only be misspelt.
    told = next((one for one in mistakes if one["type"] == "extra_forbidden"), mistakes[0])
    return response_for(request, invalid(told))


async def _answer_http(request: Request, error: Exception) -> Response:
    return response_for(request, _of_http(cast("HTTPException", error), request))


async def _answer_request_error(request: Request, error: Exception) -> Response:
    return response_for(request, Refusal(422, "INVALID_REQUEST", str(error)))


async def _answer_store_error(request: Request, error: Exception) -> Response:
    # Its sentence names files, which are nobody's business but the operator's.
    log.error("%s could not be answered: %s", shown(request.url.path), error)
    return response_for(request, Refusal(503, STORE_UNREADABLE, CANNOT_READ, {"Retry-After": "10"}))


async def _answer_mistake(request: Request, error: Exception) -> Response:
    log.error("%s could not be answered because of a mistake of ours", shown(request.url.path), exc_info=error)
    return response_for(request, Refusal(500, "INTERNAL_ERROR", WENT_WRONG))


def invalid(mistake: Mapping[str, Any]) -> Refusal:
    """The refusal of a parameter that pydantic did not accept."""
    # The first is where it stood, such as the query; then comes the name, and behind it a place in a list.
    name = str(mistake["loc"][1]) if len(mistake["loc"]) > 1 else None
    reason = str(mistake["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    if mistake["type"] == "extra_forbidden":
        return Refusal(422, "UNKNOWN_PARAMETER", f"{shown(name)} is no parameter of this address; leave it out.")
    if name is None:
        return Refusal(422, "INVALID_PARAMETER", f"{reason}.")
    found = mistake.get("input")
    told = f", but {shown(found)} was found" if isinstance(found, str | int | float) else ""
    return Refusal(
        422, "INVALID_PARAMETER", f"{name}: {reason[:1].lower()}{reason[1:]}{told}; correct it or leave it out."
    )


def _of_http(error: HTTPException, request: Request) -> Refusal:
    """What the framework refuses by itself, in our words."""
    code, sentence = {
        404: (
            "NOT_FOUND",
            "The address of a page or an answer is required, but there is none here; start at /health/.",
        ),
        405: (
            "METHOD_NOT_ALLOWED",
            f"This address cannot be asked with {shown(request.method)}; see the header Allow.",
        ),
        413: ("TOO_LARGE", "A smaller request is required, but this one is too large; send less."),
    }.get(error.status_code, ("REFUSED", f"The request was refused: {HTTPStatus(error.status_code).phrase}."))
    return Refusal(error.status_code, code, sentence, error.headers)


class _Mistakes:
    """Answers what nobody foresaw, unless the answer has begun."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if has_begun:
                raise
            response = await _answer_mistake(Request(scope), error)
            await response(scope, receive, send)
