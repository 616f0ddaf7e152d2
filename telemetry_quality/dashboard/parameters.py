"""The parameters of addresses, and how the OpenAPI document describes them and the possible errors."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from fastapi import Depends, Query, Request, Security
from fastapi.security import APIKeyCookie, HTTPBasic, HTTPBearer
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from telemetry_quality.core.days import in_utc
from telemetry_quality.core.incidents import LONGEST_NAME
from telemetry_quality.core.snapshots import DayStatus  # noqa: TC001 - pydantic reads it
from telemetry_quality.dashboard.api_errors import ApiError, shown
from telemetry_quality.dashboard.index import SORTABLE, LogQuery
from telemetry_quality.dashboard.models import ErrorResponse
from telemetry_quality.errors import RequestError
from telemetry_quality.settings.names import NAME

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import APIRouter

Endpoint = TypeVar("Endpoint", bound="Callable[..., Any]")

JSON = "application/json"

SOURCE_PATTERN = f"^{NAME}$"
LONGEST_SOURCE = 200
LARGEST_PAGE = 1_000_000
LARGEST_PAGE_SIZE = 500
LONGEST_RANGE = 3_700
"""The most days that a summary is about: ten years."""


def _iso_day(value: object) -> date:
    """A day in the full ISO 8601 format; Python and pydantic would accept more, such as weeks and Unix times."""
    if not (isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII)):
        raise ValueError("must be a day such as 2026-03-10")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a day that exists, such as 2026-03-10") from None


def _aware_instant(value: object) -> datetime:
    """An instant in the format of RFC 3339, in UTC; Python and pydantic would accept more, such as Unix times."""
    form = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})"
    if not (isinstance(value, str) and re.fullmatch(form, value, re.ASCII)):
        raise ValueError("must be an instant with a time zone such as 2026-03-12T06:00:00Z")
    try:
        return in_utc(datetime.fromisoformat(value))
    except (ValueError, RequestError):
        raise ValueError("must be an instant that exists, such as 2026-03-12T06:00:00Z") from None


def _plain_number(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"\d{1,18}", value, re.ASCII):
        raise ValueError("must be a whole number in digits")
    return value


def _plain_truth(value: object) -> object:
    if isinstance(value, str) and value not in {"true", "false"}:
        raise ValueError("must be true or false")
    return value


def _source_name(value: str) -> str:
    if len(value) > LONGEST_SOURCE or not re.fullmatch(NAME, value, re.ASCII):
        raise ValueError(
            f"must be a lower-case word such as web_events or web-events, of at most {LONGEST_SOURCE} characters"
        )
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
Instant = Annotated[
    datetime, BeforeValidator(_aware_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]
Number = Annotated[int, BeforeValidator(_plain_number)]
Truth = Annotated[bool, BeforeValidator(_plain_truth)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(_Asked):
    """No parameters at all."""


class Depth(BaseModel):
    """How much a supervisor wants to know; other parameters are ignored, since probes add what they like."""

    deep: Literal["1"] | None = Field(None, description="1 to look into the store, which requires a token.")


class OneSource(_Asked):
    """An optional source."""

    source: SourceName | None = Field(None, description="The source; all sources if omitted.")


class OverviewParameters(_Asked):
    """Which sources the first page shows, and how."""

    q: str = Field("", max_length=200, description="Only sources with these words in title, owner, group or state.")
    by: Literal["owner", "group"] | None = Field(None, description="Show sources with the same one together.")
    wall: Literal["1"] | None = Field(None, description="1 to fill a screen that nobody operates.")


class DayRange(_Asked):
    """An optional range of days."""

    first: Day | None = Field(None, description="The first day, such as 2026-03-01.")
    last: Day | None = Field(None, description="The last day, inclusive.")

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        if self.first and self.last and self.first > self.last:
            raise ValueError(
                f"first must not be after last, but {self.first} is after {self.last}; swap them or leave one out"
            )
        return self


class AsOf(_Asked):
    """An optional instant, to see what was known then."""

    as_of: Instant | None = Field(
        None,
        description="What the store knew at this instant, such as 2026-03-12T06:00:00Z: what was judged or said later "
        "is left out.",
    )


class SummaryParameters(OneSource, DayRange):
    """An optional source and an optional range of days, which then decide instead of the latest day."""

    @model_validator(mode="after")
    def _has_both_ends(self) -> Self:
        if (self.first is None) != (self.last is None):
            raise ValueError("first and last are required together; add the other one, or leave both out")
        if self.first and self.last and (self.last - self.first).days >= LONGEST_RANGE:
            raise ValueError(f"the range must be of at most {LONGEST_RANGE} days; ask for it in parts")
        return self


class LogFilters(DayRange):
    """Which snapshots: the current snapshot of each day that matches all filters."""

    source: list[SourceName] = Field(
        [], max_length=50, description="Only these sources; repeat the parameter for several."
    )
    status: list[DayStatus] = Field(
        [], max_length=10, description="Only these statuses; repeat the parameter for several."
    )


class Paging(_Asked):
    """Which page of a long list."""

    page: Number = Field(1, ge=1, le=LARGEST_PAGE, description="The page, counted from 1.")
    page_size: Number = Field(50, ge=1, le=LARGEST_PAGE_SIZE, description="The number of rows on a page.")


class LogParameters(LogFilters, Paging):
    """Which snapshots of the log, in which order, and which page of them."""

    sort: Annotated[str, AfterValidator(_sortable)] = Field(
        "day",
        description="The column to sort by; unknown values come last.",
        json_schema_extra={"enum": [*SORTABLE]},
    )
    descending: Truth = Field(True, description="Whether the largest or latest comes first.")

    def query(self) -> LogQuery:
        """The same parameters as a query for the index."""
        return LogQuery(
            sources=tuple(self.source),
            statuses=tuple(status.value for status in self.status),
            first=self.first,
            last=self.last,
            sort=self.sort,
            descending=self.descending,
            page=self.page,
            size=self.page_size,
        )


class LogParametersAsOf(LogParameters, AsOf):
    """The same, as known at an instant."""


class ExportParameters(LogFilters, AsOf):
    """Which snapshots to export, as known at an instant."""


class DayExportParameters(ExportParameters):
    """Which days to export, as known at an instant."""

    trusted: Truth = Field(False, description="Only days that can be trusted.")


class IncidentParameters(DayRange, Paging):
    """Which incidents, open ones first, then by level, then the newest, and which page of them."""

    source: SourceName | None = Field(None, description="Only this source.")
    is_open: Truth | None = Field(None, description="Only open incidents, or only closed incidents.")
    assignee: str | None = Field(
        None,
        max_length=LONGEST_NAME,
        description="Only incidents that this person has: assigned to them or, if to nobody, acknowledged by them.",
    )
    is_assigned: Truth | None = Field(None, description="Only incidents that somebody has, or that nobody has.")


async def _nothing_asked(_: Annotated[Nothing, Query()]) -> None:
    """Refuse every parameter."""


def at_most_once(*, but: frozenset[str] = frozenset()) -> Callable[[Request], Awaitable[None]]:
    """Refuse repeated parameters, of which only the last would count; those in ``but`` may be repeated."""

    async def check(request: Request) -> None:
        names = [name for name, _ in request.query_params.multi_items() if name not in but]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ApiError(
                422,
                "REPEATED_PARAMETER",
                f"{shown(twice)} may be given at most once, but it was given {names.count(twice)} times; keep one.",
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
    description="The cookie that the sign-in page sets. Over plain HTTP its name has no __Host-, and if dashboard.url "
    "has a port, it ends with it: tq_session_3001.",
)

# The guard before all routes decides; these only document what it accepts.
SESSION = Security(_COOKIE)
STAFF = [Security(_BEARER), SESSION]
STAFF_AND_FEED_READERS = [*STAFF, Security(_BASIC)]

_REASONS = {
    400: "The request is malformed, or its host is not this dashboard's.",
    401: "There is no session, and no valid token was sent.",
    403: "The user or the token may not do this.",
    404: "There is no such source or day.",
    405: "The address does not support this method.",
    408: "The request was sent too slowly.",
    413: "The request is too large.",
    414: "The address is too long.",
    415: "The request has a body, which is not supported here.",
    422: "A parameter is unknown, repeated or invalid.",
    431: "The request's headers are too large.",
    500: "An internal error occurred.",
    503: "The store cannot be read now; see Retry-After.",
}


def refused_with(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How the OpenAPI document describes these API errors, which all have the same shape."""
    return {status: {"model": ErrorResponse, "description": _REASONS[status]} for status in statuses}


def refused_beside(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same for addresses that respond with something other than JSON; browsers get errors as pages."""
    content = {
        JSON: {"schema": {"$ref": f"#/components/schemas/{ErrorResponse.__name__}"}},
        "text/html": {"schema": {"type": "string"}},
    }
    return {status: {"content": content, "description": _REASONS[status]} for status in statuses}


ANYWHERE = (400, 405, 408, 413, 414, 415, 431, 500)
"""Errors that are possible at every address."""

INSIDE = (*ANYWHERE, 401, 403, 422, 503)
"""Errors that are possible where a user must be signed in."""

TO_SIGN_IN: dict[int | str, dict[str, Any]] = {303: {"description": "Browsers are sent to the sign-in page."}}

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Not modified: the response still has the ETag in If-None-Match."}
}


def answers(router: APIRouter, path: str, **how: Any) -> Callable[[Endpoint], Endpoint]:
    """Register a function for GET, and for HEAD, which the OpenAPI document need not show."""

    def register(endpoint: Endpoint) -> Endpoint:
        router.add_api_route(path, endpoint, methods=["GET"], **how)
        router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False, **how)
        return endpoint

    return register
