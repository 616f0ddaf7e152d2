"""What the address of a page asks for, and what it was answered before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, get_origin

from markupsafe import Markup
from pydantic import BaseModel, ValidationError

from telemetry_quality.dashboard.api import address_key
from telemetry_quality.dashboard.api_errors import invalid
from telemetry_quality.dashboard.context import dashboard_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.requests import Request

    from telemetry_quality.dashboard.state import DashboardState

Asked = TypeVar("Asked", bound=BaseModel)


def asked_for(request: Request, model: type[Asked]) -> Asked:
    """What a page's address asks for; a field that a form sends empty asks for nothing.

    Raises:
        ApiError: If that is not possible; the sentence says why.
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
    """The first mistake as the framework would word it."""
    first = error.errors(include_url=False)[0]
    return {**first, "loc": (place, *(first["loc"] or ("value",)))}


async def kept(request: Request, state: DashboardState, now: datetime | None, make: Callable[[], Markup]) -> Markup:
    """What a page says, made once per version of the state, and once a minute where it shows ``now``."""
    key = address_key(request, now)
    response = await dashboard_of(request).responses.get_or_make(key, state.version, lambda: make().encode())
    return Markup(response.decode())  # noqa: S704 - a template made it
