"""What requests for pages hold: parameters, days and notes; and the cache of a page's content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from telemetry_quality.core.marks import LONGEST_NOTE
from telemetry_quality.dashboard import parameters
from telemetry_quality.dashboard.api import address_key
from telemetry_quality.dashboard.api_errors import ApiError, invalid
from telemetry_quality.dashboard.context import dashboard_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from markupsafe import Markup
    from starlette.requests import Request

    from telemetry_quality.dashboard.compression import Part
    from telemetry_quality.dashboard.state import DashboardState

Asked = TypeVar("Asked", bound=BaseModel)


def asked_for(request: Request, model: type[Asked]) -> Asked:
    """The parameters in a page's address; empty form fields count as omitted.

    Raises:
        ApiError: If a parameter is invalid; the sentence says why.
    """
    given: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        if value:
            given.setdefault(name, []).append(value)
    lists = {name for name, field in model.model_fields.items() if get_origin(field.annotation) is list}
    values = {name: found if name in lists or len(found) > 1 else found[0] for name, found in given.items()}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid(placed(error, "query")) from None


def placed(error: ValidationError, place: str) -> dict[str, Any]:
    """The first mistake in the framework's format."""
    first = error.errors(include_url=False)[0]
    return {**first, "loc": (place, *(first["loc"] or ("value",)))}


async def kept(request: Request, state: DashboardState, now: datetime | None, make: Callable[[], Markup]) -> Part:
    """The page's content, rendered once per version of the state, and once a minute if it shows ``now``."""
    key = address_key(request, now)
    return await dashboard_of(request).responses.get_or_make(key, state.version, lambda: make().encode())


async def kept_title(request: Request, state: DashboardState, now: datetime, make: Callable[[], str]) -> str:
    """The title of a page, made as rarely as its content, because it says the state."""
    key = ("title", *address_key(request, now))
    made = await dashboard_of(request).responses.get_or_make(key, state.version, lambda: make().encode())
    return made.plain().decode()


def source_and_day(request: Request) -> tuple[str, date]:
    """The source and the day in the address of a page.

    Raises:
        ApiError: If it is no day.
    """
    try:
        return str(request.path_params["source"]), _DAY.validate_python(request.path_params["day"])
    except ValidationError as error:
        raise ApiError(404, "NO_SUCH_DAY", invalid(placed(error, "day")).sentence) from None


_DAY: TypeAdapter[date] = TypeAdapter(parameters.Day)


def note_of(text: str) -> str:
    """The note in a form.

    Raises:
        ApiError: If it is too long.
    """
    if len(text) > LONGEST_NOTE:
        raise ApiError(
            422,
            "NOTE_TOO_LONG",
            f"A note of at most {LONGEST_NOTE} characters is required, but {len(text)} were found; shorten it.",
        )
    return text
