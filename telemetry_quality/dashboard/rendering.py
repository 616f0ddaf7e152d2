"""How pages are rendered: templates, the layout of every page, and the formatting of values for people.

Every value from the store is escaped; None is shown as a dash that means "not known", never as zero.
"""

from __future__ import annotations

from datetime import UTC
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from telemetry_quality.core.guardrails import verdicts
from telemetry_quality.core.visible import visible
from telemetry_quality.dashboard.compression import Part, of_one_reader, response_of

if TYPE_CHECKING:
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from starlette.requests import HTTPConnection
    from starlette.responses import Response

    from telemetry_quality.dashboard.access.identity import User

TEMPLATES = Path(__file__).with_name("templates")

NOT_KNOWN = Markup('<abbr class="not-known" title="not known">–</abbr>')
NO_BREAK = "\N{NO-BREAK SPACE}"
LONGEST_NAME = 120
"""The characters shown of a stored name: the beginning identifies it, and a page has to stay readable."""

SIGNS = {
    "healthy": ("✓", "healthy"),
    "degraded": ("!", "degraded"),
    "unhealthy": ("✗", "unhealthy"),
    "no_activity": ("∅", "no activity"),
    "unknown": ("?", "unknown"),
    "missing": ("·", "no snapshot"),
    "passed": ("✓", "passed"),
    "failed": ("✗", "failed"),
    "CRITICAL": ("✗", "critical"),
    "WARNING": ("!", "warning"),
    "INFO": ("i", "info"),
    "open": ("✗", "open"),
    "closed": ("✓", "closed"),
    "failing": ("✗", "failing"),
    "nothing_failed": ("…", "nothing failed"),
    "not_looked_at": ("·", "not looked at"),
}
"""The sign and the word for each status, since colour alone must not carry meaning."""

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def number(value: float | None, digits: int = 0) -> Markup:
    """``1,234`` or ``12.30``; a dash if not known."""
    return NOT_KNOWN if value is None else Markup(_minus(f"{value:,.{digits}f}"))  # noqa: S704 - digits only


def found(value: float | None) -> Markup:
    """What a guardrail found: a large whole number as a count, anything else with two decimals."""
    is_count = value is not None and abs(value) >= 100 and value == int(value)
    return number(value, 0 if is_count else 2)


def percent(value: float | None, digits: int = 2, threshold: float | None = None) -> Markup:
    """``5.31 %``, with enough decimals to distinguish it from ``threshold``."""
    if value is None:
        return NOT_KNOWN
    text = f"{value:.{digits}f} %" if threshold is None else verdicts.percent(value, threshold, digits)
    return Markup(text.replace(" ", NO_BREAK))  # noqa: S704 - digits and a sign only


def signed(value: float | None, digits: int = 1) -> Markup:
    """``+12.3 %`` or ``−12.3 %``: the deviation from what was expected."""
    if value is None:
        return NOT_KNOWN
    text = f"{value:+.{digits}f}" if round(value, digits) else f"{0:.{digits}f}"
    return Markup(f"{_minus(text)}{NO_BREAK}%")  # noqa: S704 - digits and signs only


def _minus(text: str) -> str:
    return text.replace("-", "−")


def day(value: date | None, *, with_weekday: bool = False) -> Markup:
    """A calendar day, such as ``Fri 2013-02-08``."""
    if value is None:
        return NOT_KNOWN
    weekday = f"{WEEKDAYS[value.weekday()]} " if with_weekday else ""
    text = value.isoformat()
    return Markup(f'<time datetime="{text}">{weekday}{text}</time>')  # noqa: S704 - digits only


def instant(value: datetime | None, zone: ZoneInfo) -> Markup:
    """An instant in the source's time zone, with UTC on hover."""
    if value is None:
        return NOT_KNOWN
    in_utc, local = value.astimezone(UTC), value.astimezone(zone)
    return Markup(  # noqa: S704 - digits, and the abbreviation of a zone
        f'<time datetime="{in_utc.isoformat()}" title="{in_utc:%Y-%m-%d %H:%M:%S} UTC">{local:%Y-%m-%d %H:%M %Z}</time>'
    )


@cache
def status(value: str) -> Markup:
    """A status, level or outcome as a coloured sign and word."""
    sign, word = SIGNS.get(value, ("?", value))
    kind = value.lower() if value in SIGNS else "unknown"
    return Markup('<span class="status is-{}"><span class="sign" aria-hidden="true">{}</span> {}</span>').format(
        kind, sign, word
    )


def name(value: object) -> Markup:
    """A stored name, shortened for a table and without characters that change how other text is displayed."""
    if value is None:
        return Markup('<span class="null">(null)</span>')
    text = str(value)
    if not text.strip():
        return Markup('<span class="null">(empty)</span>')
    shown = text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"
    return escape(visible(shown))


@cache
def environment() -> Environment:
    """The Jinja2 environment of all pages: everything is escaped, and an undefined name is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for to_text in (number, found, percent, signed, day, instant, status, name, visible):
        made.filters[to_text.__name__] = to_text
    return made


def compile_templates() -> None:
    """Compile all templates, which takes some hundred milliseconds, before anybody waits for a page."""
    for template in environment().list_templates():
        environment().get_template(template)


def render(template: str, **context: Any) -> Markup:
    """The rendered template, safe to embed in another template."""
    return Markup(environment().get_template(template).render(context))  # noqa: S704 - escaped by the template


def user_of(connection: HTTPConnection) -> User | None:
    """The user of the request; None on pages that are open to everybody."""
    return cast("User | None", connection.scope.get("state", {}).get("user"))


def navigation_of(connection: HTTPConnection) -> tuple[tuple[str, str, str], ...]:
    """The section, address and words of each navigation entry of the application."""
    app = connection.scope.get("app")
    return () if app is None else app.state.navigation


def page(
    request: HTTPConnection,
    *,
    title: str,
    main: Markup | Part,
    of_the_reader: str = "",
    status_code: int = 200,
    section: str = "",
    version: str = "",
    has_charts: bool = False,
    is_wall: bool = False,
) -> Response:
    """A whole page: ``main`` within the layout, which shows who is signed in.

    Args:
        request: The request for the page; it may have no user.
        title: The title of the browser window.
        main: The content below the navigation, including its main heading; compressed if all readers see the same.
        of_the_reader: Markup that follows ``main`` and is rendered for each reader.
        status_code: The HTTP status.
        section: The current section of the navigation: that of a page, or account.
        version: The version of the state that ``main`` shows; only pages with a version listen for update events.
        has_charts: Whether ``main`` contains charts.
        is_wall: Whether nobody operates it: it has no header, and is loaded again even by a browser without scripts.
    """
    html = render(
        "layout.html",
        title=title,
        main=_MAIN,
        section=section,
        version=version,
        has_charts=has_charts,
        is_wall=is_wall,
        user=user_of(request),
        navigation=navigation_of(request),
    )
    head, _, foot = html.partition(_MAIN)
    parts = (
        of_one_reader(head.encode()),
        main if isinstance(main, Part) else of_one_reader(main.encode()),
        of_one_reader(f"{of_the_reader}{foot}".encode()),
    )
    return response_of(request, parts, "text/html", status_code=status_code)


_MAIN = Markup("<main-content>")
"""Holds the place of the content in the layout; escaped text cannot contain it."""
