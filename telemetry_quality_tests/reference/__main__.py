"""Run ``make reference``: writes the pages of docs/reference that follow from the code."""

from __future__ import annotations

from telemetry_quality_tests.reference.pages import DOCS, PAGES

for name, written in PAGES.items():
    (DOCS / f"{name}.md").write_text(written(), encoding="utf-8")
