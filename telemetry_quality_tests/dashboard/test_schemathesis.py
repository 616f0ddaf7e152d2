"""Tests the application against its OpenAPI document: generated requests, valid and invalid, with checked responses."""

from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import StopReason, from_schema
from schemathesis.engine.events import EngineFinished, FatalError, NonFatalError, ScenarioFinished

from telemetry_quality.dashboard.parameters import LONGEST_RANGE
from telemetry_quality_tests.dashboard.desk import open_desk
from telemetry_quality_tests.dashboard.test_api import fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis.engine.recorder import ScenarioRecorder

    from telemetry_quality_tests.dashboard.desk import Desk

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "10"))
"""Random requests per address, in addition to those that cover each rule of the document; more when run by hand."""

URL = "https://telemetry.example.org"
DOCUMENT = "/api/health/openapi.json"
SOURCES = {"dictionary": "sources", "probability": 0.6}
DAYS = {"dictionary": "days", "probability": 0.6}
CONFIG: dict[str, Any] = {
    "seed": 20130208,
    "base-url": URL,
    "max-redirects": 0,
    "dictionaries": {
        "sources": {"values": ["web", "app"]},
        "days": {"values": ["2026-03-11", "2026-03-06", "2026-02-02"]},
    },
    "parameters": {"path.source": SOURCES, "query.source": SOURCES, "path.day": DAYS},
    "generation": {
        "max-examples": EXAMPLES,
        "deterministic": True,
        "database": "none",
        # A generated session or token would be replaced by the real one; `ignored_auth` itself sends wrong ones.
        "with-security-parameters": False,
    },
    "checks": {"enabled": True},
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    # Over HTTPS, where the session cookie has the name in the document.
    desk = open_desk(tmp_path_factory.mktemp("desk"), "web", "app", url=URL)
    fill(desk)
    yield desk
    desk.close()


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """JSON Schema cannot express that ``first`` must not be after ``last``; other tests check it.

    Nor that a summary needs both or neither, and not too many days between them.
    """
    query = case.query or {}
    first, last = query.get("first"), query.get("last")
    is_summary = case.path.endswith("/summary/")
    if is_summary and ("first" in query) != ("last" in query):
        return False
    if not (isinstance(first, str) and isinstance(last, str)):
        return True
    return first <= last and (not is_summary or is_short(first, last))


def is_short(first: str, last: str) -> bool:
    """Whether a summary may be about these days; what is no day is refused for that."""
    try:
        return (date.fromisoformat(last) - date.fromisoformat(first)).days < LONGEST_RANGE
    except ValueError:
        return True


def run(desk: Desk, way_in: str, kind: str, secret: str, path: str) -> tuple[set[str], list[str]]:
    """Test the addresses that match ``path``; returns those that responded with 200, and the problems."""
    config = SchemathesisConfig.from_dict(CONFIG | {"auth": {"openapi": {way_in: {kind: secret}}}})
    headers = desk.by_token | {"Host": URL.removeprefix("https://")}
    schema = schemathesis.openapi.from_asgi(DOCUMENT, desk.app, config=config, headers=headers)
    answered: set[str] = set()
    wrong: list[str] = []
    for event in from_schema(schema.include(path_regex=path)).execute():
        if isinstance(event, FatalError):
            raise event.exception
        if isinstance(event, NonFatalError):
            wrong.append(f"{event.label}: {event.value!r}")
        if isinstance(event, EngineFinished):
            assert event.stop_reason is StopReason.COMPLETED
        if isinstance(event, ScenarioFinished):
            answered |= _answered(event.recorder)
            wrong += _wrong(event.recorder)
    return answered, wrong


def _answered(recorder: ScenarioRecorder) -> set[str]:
    responses = {key: interaction.response for key, interaction in recorder.interactions.items()}
    return {
        recorder.cases[key].value.operation.label
        for key, response in responses.items()
        if response is not None and response.status_code == 200
    }


def _wrong(recorder: ScenarioRecorder) -> list[str]:
    failed = (check.failure_info for checks in recorder.checks.values() for check in checks)
    return [
        f"{check.failure.title}: {check.failure.message}\n{check.code_sample}" for check in failed if check is not None
    ]


def test_everything_that_the_openapi_document_says_is_true_for_a_token(desk: Desk) -> None:
    answered, wrong = run(desk, "token", "bearer", desk.token, r"^/(api|healthz|health/incidents|health/badge)")

    assert wrong == []
    assert answered == {
        "GET /healthz",
        "GET /api/health/summary/",
        "GET /api/health/live/",
        "GET /api/health/snapshots/",
        "GET /api/health/snapshots/{source}/{day}/",
        "GET /api/health/incidents/",
        "GET /api/health/forecast/",
        "GET /api/health/version/",
        "GET /health/incidents.atom",
        "GET /health/badge.svg",
    }


def test_everything_that_the_openapi_document_says_about_exports_is_true_for_a_session(desk: Desk) -> None:
    answered, wrong = run(desk, "session", "api_key", desk.cookie.partition("=")[2], r"^/health/(snapshots|days)")

    assert wrong == []
    assert answered == {f"GET /health/{name}.{kind}" for name in ("snapshots", "days") for kind in ("csv", "parquet")}
