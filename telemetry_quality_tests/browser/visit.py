"""A visit: a browser window in which no problem goes unnoticed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from telemetry_quality_tests.browser.stage import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response, WebSocket

SCREENSHOTS = Path(__file__).parents[2] / "artifacts" / "screenshots"

DEVICES: dict[str, dict[str, Any]] = {
    "wide": {"viewport": {"width": 1440, "height": 900}},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "has_touch": True,
        "is_mobile": True,
    },
}
SCHEMES = ("light", "dark")

REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`Content-Security-Policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""


class Visit:
    """A browser context with one page.

    Attributes:
        problems: Console errors, exceptions, violations of the Content-Security-Policy, requests to other hosts, and
            responses of 400 and above, none of which a visit may have.
    """

    def __init__(self, context: BrowserContext, name: str) -> None:
        context.set_default_timeout(30_000)
        context.add_init_script(REPORT_VIOLATIONS)
        self.context = context
        self.name = name
        self.problems: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))
        self.page.on("response", self._on_response)
        self.page.on("websocket", self._on_websocket)
        context.on("request", self._on_request)

    def go(self, path: str, status: int = 200) -> Response:
        """Open ``path``; the response must have this status."""
        response = self.page.goto(path)
        assert response is not None
        assert response.status == status, f"{path}: {response.status}"
        if status >= 400:
            self.forgive(f"{status} ")
        return response

    def forgive(self, *parts: str) -> None:
        """Drop the problems that a test provoked, which must have occurred."""
        for part in parts:
            assert any(part in problem for problem in self.problems), (part, self.problems)
        self.problems = [problem for problem in self.problems if not any(part in problem for part in parts)]

    def shoot(self, name: str) -> None:
        """Save a screenshot of the whole page, which must not be wider than the window."""
        wide = self.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}-{self.name}.png", full_page=True)
        assert wide[0] <= wide[1], f"{self.page.url} is {wide[0]} wide in a window of {wide[1]} ({self.name})"

    @property
    def text(self) -> str:
        """The text of the page's main part."""
        return self.page.inner_text("main")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"console {message.type}: {message.text}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status} {response.url}")

    def _on_request(self, request: Request) -> None:
        self._check_host(request.url)

    def _on_websocket(self, socket: WebSocket) -> None:
        self._check_host(socket.url)

    def _check_host(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in {"data", "blob", "about"} and parts.hostname != "127.0.0.1":
            self.problems.append(f"a request to another host: {address}")


def fill_in_sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Fill in the sign-in form and send it."""
    page.get_by_label("Account").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_in(page: Page, name: str) -> None:
    """Sign in and wait for the dashboard."""
    page.goto("/health/")
    fill_in_sign_in(page, name)
    page.wait_for_url("**/health/")
