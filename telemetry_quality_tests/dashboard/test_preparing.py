from __future__ import annotations

import asyncio
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.dashboard import preparing as module
from telemetry_quality.dashboard import rendering
from telemetry_quality.dashboard.pages import overview
from telemetry_quality.dashboard.preparing import preparing
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY, keep, open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry_quality_tests.dashboard.desk import Desk

SOURCES = ("app", "shop", "web")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A dashboard of three judged sources."""
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    desk = open_desk(tmp_path, *SOURCES)
    for source in SOURCES:
        keep(desk.store, YESTERDAY, source)
    yield desk
    desk.close()


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The templates of rows that are rendered, in order."""
    found: list[str] = []

    def noting(template: str, **context: Any) -> Any:
        if template.startswith("source_"):
            found.append(f"{context['summary'].source} {template}")
        return rendering.render(template, **context)

    monkeypatch.setattr(overview, "render", noting)
    return found


def test_nobody_waits_for_a_row_after_the_start(desk: Desk, rendered: list[str]) -> None:
    async def look() -> None:
        async with preparing(desk.dashboard):
            assert {line.split()[0] for line in rendered} == set(SOURCES)
            rendered.clear()
            overview.overview_main(desk.dashboard.keeper.shown, desk.settings, NOW.replace(second=0, microsecond=0))
            assert rendered == []

    asyncio.run(look())


def test_the_dashboard_answers_when_its_first_page_is_prepared(desk: Desk, rendered: list[str]) -> None:
    async def start() -> None:
        async with desk.app.router.lifespan_context(desk.app):
            assert {line.split()[0] for line in rendered} == set(SOURCES)

    asyncio.run(start())


def test_nobody_waits_until_a_template_is_compiled(desk: Desk) -> None:
    rendering.environment.cache_clear()

    async def start() -> None:
        async with preparing(desk.dashboard):
            cache = rendering.environment().cache
            assert cache is not None
            assert len(cache) == len(rendering.environment().list_templates())

    asyncio.run(start())


def test_only_the_rows_that_changed_are_prepared_again(desk: Desk, rendered: list[str]) -> None:
    async def look() -> None:
        async with preparing(desk.dashboard):
            rendered.clear()
            keep(desk.store, YESTERDAY, "shop", total_events=7)
            await asyncio.to_thread(desk.dashboard.keeper.state)
            async with asyncio.timeout(10):
                while len(rendered) < 2:
                    await asyncio.sleep(0.01)
            assert sorted(rendered) == ["shop source_row.html", "shop source_tile.html"]

    asyncio.run(look())


def test_the_start_does_not_wait_for_a_store_that_does_not_answer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    may_answer = Event()

    class Silent:
        def state(self) -> None:
            may_answer.wait(10)

    monkeypatch.setattr(module, "START_SECONDS", 0.05)

    async def start() -> bool:
        async with preparing(replace(desk.dashboard, keeper=Silent())):  # type: ignore[arg-type]
            was_ready = may_answer.is_set()
            may_answer.set()
            return was_ready

    assert asyncio.run(start()) is False


def test_a_row_that_cannot_be_rendered_does_not_end_the_preparing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no such column")

    monkeypatch.setattr(module, "prepare_source", broken)

    async def start() -> None:
        async with preparing(desk.dashboard):
            monkeypatch.undo()
            assert "PAGE_NOT_PREPARED" in caplog.text

    asyncio.run(start())


def test_a_state_that_cannot_be_had_at_first_does_not_end_the_preparing(
    desk: Desk, rendered: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    class Stumbling:
        looks = 0

        def state(self) -> None:
            self.looks += 1
            if self.looks == 1:
                raise RuntimeError("out of memory")
            desk.dashboard.keeper.state()

        @property
        def shown(self) -> object:
            return desk.dashboard.keeper.shown

    async def start() -> None:
        stumbling = replace(desk.dashboard, keeper=Stumbling())  # type: ignore[arg-type]
        async with preparing(stumbling), asyncio.timeout(10):
            while len({line.split()[0] for line in rendered}) < len(SOURCES):
                await asyncio.sleep(0.01)

    asyncio.run(start())
    assert "out of memory" in caplog.text
