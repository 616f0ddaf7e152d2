"""How pages are put together: templates, the layout around every page, and how values are written for people.

Every value that comes from the store is escaped; None is written as a dash that means "not known", never as zero.
"""

from __future__ import annotations

from datetime import UTC
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from telemetry_quality.core.guardrails import verdicts
from telemetry_quality.core.visible import visible

if TYPE_CHECKING:
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from starlette.requests import HTTPConnection

    from telemetry_quality.dashboard.access.identity import User

TEMPLATES = Path(__file__).with_name("templates")

NOT_KNOWN = Markup('<abbr class="not-known" title="not known">–</abbr>')
NO_BREAK = "\N{NO-BREAK SPACE}"
LONGEST_NAME = 120
"""Characters shown of a stored name; its beginning distinguish it, and a page has to stay readable."""

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
}
"""What stands beside the colour, which alone shows nothing: a sign and a word."""

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def number(value: float | None, digits: int = 0) -> Markup:
    """``1,234`` or ``12.30``; a dash where it is not known."""
    return NOT_KNOWN if value is None else Markup(_minus(f"{value:,.{digits}f}"))  # noqa: S704 - digits only


def found(value: float | None) -> Markup:
    """What a guardrail found: a large whole number is a count, anything else has two decimals."""
    is_count = value is not None and abs(value) >= 100 and value == int(value)
    return number(value, 0 if is_count else 2)


def percent(value: float | None, digits: int = 2, threshold: float | None = None) -> Markup:
    """``5.31 %``, with as many decimals as distinguish it from ``threshold``."""
    if value is None:
        return NOT_KNOWN
    text = f"{value:.{digits}f} %" if threshold is None else verdicts.percent(value, threshold, digits)
    return Markup(text.replace(" ", NO_BREAK))  # noqa: S704 - digits and a sign only


def signed(value: float | None, digits: int = 1) -> Markup:
    """``+12.3 %`` or ``−12.3 %``: how far from what was expected."""
    if value is None:
        return NOT_KNOWN
    text = f"{value:+.{digits}f}" if round(value, digits) else f"{0:.{digits}f}"
    return Markup(f"{_minus(text)}{NO_BREAK}%")  # noqa: S704 - digits and signs only


def _minus(text: str) -> str:
    return text.replace("-", "−")


def day(value: date | None, *, with_weekday: bool = False) -> Markup:
    """A calendar day of its source, such as ``Fri 2013-02-08``."""
    if value is None:
        return NOT_KNOWN
    weekday = f"{WEEKDAYS[value.weekday()]} " if with_weekday else ""
    text = value.isoformat()
    return Markup(f'<time datetime="{text}">{weekday}{text}</time>')  # noqa: S704 - digits only


def instant(value: datetime | None, zone: ZoneInfo) -> Markup:
    """An instant in the source's time zone; UTC shows on hover."""
    if value is None:
        return NOT_KNOWN
    in_utc, local = value.astimezone(UTC), value.astimezone(zone)
    return Markup(  # noqa: S704 - digits, and the abbreviation of a zone
        f'<time datetime="{in_utc.isoformat()}" title="{in_utc:%Y-%m-%d %H:%M:%S} UTC">{local:%Y-%m-%d %H:%M %Z}</time>'
    )


@cache
def status(value: str) -> Markup:
    """A status, level or outcome as a sign and a word, coloured."""
    sign, word = SIGNS.get(value, ("?", value))
    kind = value.lower() if value in SIGNS else "unknown"
    return Markup('<span class="status is-{}"><span class="sign" aria-hidden="true">{}</span> {}</span>').format(
        kind, sign, word
    )


def name(value: object) -> Markup:
    """A stored name as it is, short enough for a table and without characters that change how others are read."""
    if value is None:
        return Markup('<span class="null">(null)</span>')
    text = str(value)
    if not text.strip():
        return Markup('<span class="null">(empty)</span>')
    shown = text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"
    return escape(visible(shown))


@cache
def environment() -> Environment:
    """Jinja2 as every page uses it: all is escaped, and a name nobody passed is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for one in (number, found, percent, signed, day, instant, status, name, visible):
        made.filters[one.__name__] = one
    return made


def render(template: str, **context: Any) -> Markup:
    """The template with its values, safe to be put into another one."""
    return Markup(environment().get_template(template).render(context))  # noqa: S704 - escaped by the template


def user_of(connection: HTTPConnection) -> User | None:
    """Who asks; None on the pages that anybody may see."""
    return cast("User | None", connection.scope.get("state", {}).get("user"))


def navigation_of(connection: HTTPConnection) -> tuple[tuple[str, str, str], ...]:
    """The navigation's entries: the section, address and words of each, as the application was made with."""
    app = connection.scope.get("app")
    return () if app is None else app.state.navigation


def page(
    request: HTTPConnection,
    *,
    title: str,
    main: Markup,
    status_code: int = 200,
    section: str = "",
    version: str = "",
    has_charts: bool = False,
) -> HTMLResponse:
    """A whole page: ``main`` within the layout, which knows who is signed in.

    Args:
        request: Asks for the page; its user may be nobody.
        title: Names the page in the window's title.
        main: What stands below the navigation, its own first heading included.
        status_code: The HTTP status.
        section: Which part of the navigation is the current one: that of a page, or account.
        version: The state's version that ``main`` shows; only such a page listens for news.
        has_charts: Whether ``main`` has tables to draw.
    """
    html = render(
        "layout.html",
        title=title,
        main=main,
        section=section,
        version=version,
        has_charts=has_charts,
        user=user_of(request),
        navigation=navigation_of(request),
    )
    return HTMLResponse(html, status_code=status_code)
