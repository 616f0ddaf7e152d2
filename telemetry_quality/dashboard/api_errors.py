"""API errors: every failed request gets the same shape of response, with a sentence that reveals no internals.

Machines get ``{"error": {"status", "reason_code", "sentence"}}``, browsers get a page that says the same.
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
    "try again in a moment; if that does not help, ask the operator of this dashboard to read its log."
)
WENT_WRONG = "The dashboard should have responded, but an internal error occurred; report it: details are in the log."

_TITLES = {
    403: "Not allowed",
    404: "Not found",
    413: "Request too large",
    414: "Address too long",
    415: "Unsupported content",
    422: "Invalid request",
    429: "Too many tries",
    500: "Internal error",
    503: "Not available right now",
}
"""Headings of error pages, where the standard's phrases say too little to people."""

_MOST_CHARACTERS = 80
"""How much of what somebody sent is repeated in a response or the log: enough to recognise it."""


class ApiError(Exception):
    """A request that is not answered.

    Attributes:
        reason_code: A stable upper-case identifier, for machines.
        sentence: What was required, what was found and the remedy; safe for anybody to read.
        headers: HTTP headers that belong to the error, such as ``Retry-After``.
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
        """The shape of every error."""
        error = {"status": self.status_code, "reason_code": self.reason_code, "sentence": self.sentence}
        return {"error": error}


def shown(text: object) -> str:
    """What somebody sent, quoted, escaped and shortened, for a sentence that repeats it."""
    whole = str(text)
    return ascii(whole) if len(whole) <= _MOST_CHARACTERS else f"{whole[:_MOST_CHARACTERS]!a}…"


def response_for(request: Request, api_error: ApiError) -> Response:
    """The API error for the client that sent the request: a page for browsers outside ``/api/``, otherwise JSON."""
    if not _is_for_a_browser(request):
        return JSONResponse(api_error.as_json(), api_error.status_code, api_error.headers)
    # Pages need templates; the guard and the API must not wait for them.
    from telemetry_quality.dashboard.rendering import page  # noqa: PLC0415

    title = _TITLES.get(api_error.status_code, HTTPStatus(api_error.status_code).phrase)
    main = Markup('<h1>{}</h1>\n<p class="api-error" data-reason="{}">{}</p>\n').format(
        title, api_error.reason_code, api_error.sentence
    )
    response = page(request, title=title, main=main, status_code=api_error.status_code)
    response.headers.update(api_error.headers)
    return response


def _is_for_a_browser(request: Request) -> bool:
    accepted = ",".join(request.headers.getlist("accept"))
    return not request.url.path.startswith("/api/") and "text/html" in accepted


def install(app: FastAPI) -> None:
    """Make ``app`` respond to every error with an API error."""
    app.add_exception_handler(ApiError, _respond_to_api_error)
    app.add_exception_handler(RequestValidationError, _respond_to_invalid)
    app.add_exception_handler(HTTPException, _respond_to_http_error)
    app.add_exception_handler(RequestError, _respond_to_request_error)
    app.add_exception_handler(StoreError, _respond_to_store_error)
    app.add_exception_handler(Exception, _respond_to_mistake)
    # The innermost layer, so that the response passes through the guards and gets their headers.
    app.user_middleware.append(Middleware(_Mistakes))


async def _respond_to_api_error(request: Request, error: Exception) -> Response:
    return response_for(request, cast("ApiError", error))


async def _respond_to_invalid(request: Request, error: Exception) -> Response:
    mistakes = cast("RequestValidationError", error).errors()
    # Unknown names are reported first: a parameter that seems wrong may only be misspelt.
    reported = next((mistake for mistake in mistakes if mistake["type"] == "extra_forbidden"), mistakes[0])
    return response_for(request, invalid(reported))


async def _respond_to_http_error(request: Request, error: Exception) -> Response:
    return response_for(request, of_http(cast("HTTPException", error), request))


async def _respond_to_request_error(request: Request, error: Exception) -> Response:
    return response_for(request, ApiError(422, "INVALID_REQUEST", str(error)))


async def _respond_to_store_error(request: Request, error: Exception) -> Response:
    # The message names files, which only the operator should see.
    log.error("%s could not be answered: %s", shown(request.url.path), error)
    return response_for(request, ApiError(503, STORE_UNREADABLE, CANNOT_READ, {"Retry-After": "10"}))


async def _respond_to_mistake(request: Request, error: Exception) -> Response:
    log.error("%s could not be answered because of an internal error", shown(request.url.path), exc_info=error)
    return response_for(request, ApiError(500, "INTERNAL_ERROR", WENT_WRONG))


def invalid(mistake: Mapping[str, Any]) -> ApiError:
    """The API error for a parameter that pydantic rejected."""
    # ``loc`` holds the place, such as the query, then the name, then an index into a list.
    name = str(mistake["loc"][1]) if len(mistake["loc"]) > 1 else None
    reason = str(mistake["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    if mistake["type"] == "extra_forbidden":
        return ApiError(422, "UNKNOWN_PARAMETER", f"{shown(name)} is not a parameter of this address; leave it out.")
    if name is None:
        return ApiError(422, "INVALID_PARAMETER", f"{reason}.")
    found = mistake.get("input")
    reported = f", but {shown(found)} was found" if isinstance(found, str | int | float) else ""
    return ApiError(
        422, "INVALID_PARAMETER", f"{name}: {reason[:1].lower()}{reason[1:]}{reported}; correct it or leave it out."
    )


def of_http(error: HTTPException, request: Request) -> ApiError:
    """The API error for what the framework refuses by itself."""
    code, sentence = {
        404: (
            "NOT_FOUND",
            "An existing address is required, but there is nothing at this one; start at /health/.",
        ),
        405: (
            "METHOD_NOT_ALLOWED",
            f"This address does not support {shown(request.method)}; see the header Allow.",
        ),
        413: ("TOO_LARGE", "A smaller request is required, but this one is too large; send less."),
    }.get(error.status_code, ("REFUSED", f"The request was refused: {HTTPStatus(error.status_code).phrase}."))
    return ApiError(error.status_code, code, sentence, error.headers)


class _Mistakes:
    """Responds to unexpected errors, unless the response has already begun."""

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
            response = await _respond_to_mistake(Request(scope), error)
            await response(scope, receive, send)
