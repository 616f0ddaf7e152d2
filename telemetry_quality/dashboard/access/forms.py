"""Form fields as plain text, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request


async def form_fields(request: Request) -> dict[str, str]:
    """The fields of a form; the last value of a repeated field."""
    async with request.form() as form:
        return {name: value for name, value in form.multi_items() if isinstance(value, str)}
