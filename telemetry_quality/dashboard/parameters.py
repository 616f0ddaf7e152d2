"""What may be asked for in an address, and how the OpenAPI document shows of it and of what is refused."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar

from fastapi import Depends, Query, Request, Security
from fastapi.security import APIKeyCookie, HTTPBasic, HTTPBearer
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from telemetry_quality.core.snapshots import DayStatus  # noqa: TC001 - pydantic reads it
from telemetry_quality.dashboard.api_errors import ApiError, shown
from telemetry_quality.dashboard.index import SORTABLE, LogQuery
from telemetry_quality.dashboard.models import ErrorResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import APIRouter

Endpoint = TypeVar("Endpoint", bound="Callable[..., Any]")

JSON = "application/json"

SOURCE_PATTERN = r"^[a-z][a-z0-9_]*$"
LONGEST_SOURCE = 200
LARGEST_PAGE = 1_000_000
LARGEST_PAGE_SIZE = 500


def _iso_day(value: object) -> date:
    """A day as ISO 8601 writes it in full; Python and pydantic would take more, such as weeks and Unix times."""
    if not (isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII)):
        raise ValueError("must be a day such as 2026-03-10")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a day that the calendar has, such as 2026-03-10") from None


def _plain_number(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"\d{1,18}", value, re.ASCII):
        raise ValueError("must be a whole number in digits")
    return value


def _plain_truth(value: object) -> object:
    if isinstance(value, str) and value not in {"true", "false"}:
        raise ValueError("must be true or false")
    return value


def _source_name(value: str) -> str:
    if len(value) > LONGEST_SOURCE or not re.fullmatch(SOURCE_PATTERN, value):
        raise ValueError(f"must be a lower-case word such as web_events, of at most {LONGEST_SOURCE} characters")
    return value


def _sortable(value: str) -> str:
    if value not in SORTABLE:
        raise ValueError(f"must be one of {', '.join(SORTABLE)}")
    return value


SourceName = Annotated[
    str,
    AfterValidator(_source_name),
    WithJsonSchema({"type": "string", "pattern": SOURCE_PATTERN, "maxLength": LONGEST_SOURCE}),
]
Day = Annotated[date, BeforeValidator(_iso_day)]
Number = Annotated[int, BeforeValidator(_plain_number)]
Truth = Annotated[bool, BeforeValidator(_plain_truth)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(_Asked):
    """No parameters at all."""


class OneSource(_Asked):
    """Of which source."""

    source: SourceName | None = Field(None, description="The source; without it all sources.")


class DayRange(_Asked):
    """From which day to which."""

    first: Day | None = Field(None, description="The first day, such as 2026-03-01.")
    last: Day | None = Field(None, description="The last day, included.")

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        if self.first and self.last and self.first > self.last:
            raise ValueError(
                f"first must be a day up to last, but {self.first} is after {self.last}; exchange them or leave one out"
            )
        return self


class LogFilters(DayRange):
    """Which snapshots: the current one of each day for which all of this holds."""

    source: list[SourceName] = Field([], max_length=50, description="Only these sources; repeat it for several.")
    status: list[DayStatus] = Field([], max_length=10, description="Only these statuses; repeat it for several.")


class Paging(_Asked):
    """Which page of a long answer."""

    page: Number = Field(1, ge=1, le=LARGEST_PAGE, description="The page, counted from 1.")
    page_size: Number = Field(50, ge=1, le=LARGEST_PAGE_SIZE, description="Rows on a page.")


class LogParameters(LogFilters, Paging):
    """The log of snapshots: which, in which order, and which page of them."""

    sort: Annotated[str, AfterValidator(_sortable)] = Field(
        "day",
        description="The column to sort by; what is not known comes last.",
        json_schema_extra={"enum": [*SORTABLE]},
    )
    descending: Truth = Field(True, description="Whether the largest or latest comes first.")

    def query(self) -> LogQuery:
        """The same for the index."""
        return LogQuery(
            sources=tuple(self.source),
            statuses=tuple(one.value for one in self.status),
            first=self.first,
            last=self.last,
            sort=self.sort,
            descending=self.descending,
            page=self.page,
            size=self.page_size,
        )


class IncidentParameters(DayRange, Paging):
    """Which incidents, newest first, and which page of them."""

    source: SourceName | None = Field(None, description="Only this source.")
    is_open: Truth | None = Field(None, description="Only open ones, or only closed ones.")


async def _nothing_asked(_: Annotated[Nothing, Query()]) -> None:
    """Refuses every parameter."""


def at_most_once(*, but: frozenset[str] = frozenset()) -> Callable[[Request], Awaitable[None]]:
    """Refuses parameters given twice, of which only the last would count; those in ``but`` may be."""

    async def check(request: Request) -> None:
        names = [name for name, _ in request.query_params.multi_items() if name not in but]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ApiError(
                422,
                "REPEATED_PARAMETER",
                f"{shown(twice)} is required once at most, but {names.count(twice)} were found; keep one.",
            )

    return check


NO_PARAMETERS = Depends(_nothing_asked)
ONE_EACH = Depends(at_most_once())
ONE_EACH_BUT_FILTERS = Depends(at_most_once(but=frozenset({"source", "status"})))

_BEARER = HTTPBearer(
    scheme_name="token", auto_error=False, description="An API token, which begins with tq_; it can only read."
)
_BASIC = HTTPBasic(
    scheme_name="token_as_password", auto_error=False, description="For feed readers: any name, the token as password."
)
_COOKIE = APIKeyCookie(
    name="__Host-tq_session",
    scheme_name="session",
    auto_error=False,
    description="What the sign-in page sets; named tq_session where the dashboard is reached by plain HTTP.",
)

# The guard in front of all routes decides; these only document what it accepts.
SESSION = Security(_COOKIE)
STAFF = [Security(_BEARER), SESSION]
STAFF_AND_FEED_READERS = [*STAFF, Security(_BASIC)]

_REASONS = {
    400: "The host or the request itself is not one this dashboard answers.",
    401: "Nobody is signed in and no valid token was sent.",
    403: "Whoever is signed in, or the token, may not do this.",
    404: "There is no such source or day.",
    405: "Only reading is possible here.",
    408: "The request was sent too slowly.",
    413: "The request is too large.",
    414: "The address is too long.",
    415: "The request has a body, which nothing here reads.",
    422: "A parameter is unknown, repeated or wrong.",
    431: "The request's headers are too large.",
    500: "The dashboard made a mistake.",
    503: "The store cannot be read now; see Retry-After.",
}


def refused_with(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How the OpenAPI document shows of these API errors; all of them have the one shape of all errors."""
    return {status: {"model": ErrorResponse, "description": _REASONS[status]} for status in statuses}


def refused_beside(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same for addresses that answer something else than JSON; to browsers a page says it."""
    content = {
        JSON: {"schema": {"$ref": f"#/components/schemas/{ErrorResponse.__name__}"}},
        "text/html": {"schema": {"type": "string"}},
    }
    return {status: {"content": content, "description": _REASONS[status]} for status in statuses}


ANYWHERE = (400, 405, 408, 413, 414, 415, 431, 500)
"""What may happen at every address."""

INSIDE = (*ANYWHERE, 401, 403, 422, 503)
"""What may happen where one must be signed in."""

TO_SIGN_IN: dict[int | str, dict[str, Any]] = {303: {"description": "Browsers are sent to the sign-in page."}}

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "It still is what If-None-Match names."}}


def answers(router: APIRouter, path: str, **how: Any) -> Callable[[Endpoint], Endpoint]:
    """Let a function answer GET, and HEAD beside it, which the OpenAPI document need not show."""

    def register(endpoint: Endpoint) -> Endpoint:
        router.add_api_route(path, endpoint, methods=["GET"], **how)
        router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False, **how)
        return endpoint

    return register
