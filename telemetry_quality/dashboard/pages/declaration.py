"""What a module declares of its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response


@dataclass(frozen=True, slots=True)
class Route:
    """An address and what responds there."""

    path: str
    endpoint: Callable[[Request], Awaitable[Response]]
    method: str = "GET"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the dashboard.

    Attributes:
        path: Its address.
        show: Responds to a request for it.
        template: The file below ``templates/`` that its content is rendered with.
        section: The entry of the navigation that is marked while it is shown.
        navigation: The words of its own entry in the navigation; a page without such words has no entry.
        more: Further routes that belong to it: addresses that redirect to it, and where its forms are sent.
    """

    path: str
    show: Callable[[Request], Awaitable[Response]]
    template: str
    section: str
    navigation: str = ""
    more: tuple[Route, ...] = ()

    def routes(self) -> tuple[Route, ...]:
        """All its routes."""
        return (Route(self.path, self.show), *self.more)
