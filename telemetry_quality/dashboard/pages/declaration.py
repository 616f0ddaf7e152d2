"""What a module declares about its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response


@dataclass(frozen=True, slots=True)
class Route:
    """An address and the function that responds there."""

    path: str
    endpoint: Callable[[Request], Awaitable[Response]]
    method: str = "GET"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the dashboard, as its module declares it.

    Attributes:
        path: Its address.
        show: Responds to a request for the page.
        template: The file in ``templates/`` with which its content is rendered.
        section: The navigation entry that is marked while the page is shown.
        navigation: The words of its navigation entry; a page without words has no entry.
        more: Further routes of the page: addresses that redirect to it, and the targets of its forms.
    """

    path: str
    show: Callable[[Request], Awaitable[Response]]
    template: str
    section: str
    navigation: str = ""
    more: tuple[Route, ...] = ()

    def routes(self) -> tuple[Route, ...]:
        """All routes of the page."""
        return (Route(self.path, self.show), *self.more)
