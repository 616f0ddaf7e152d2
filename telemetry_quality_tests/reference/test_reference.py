"""The generated pages of the reference say what the code says."""

from __future__ import annotations

import pytest

from telemetry_quality_tests.reference.markdown import table
from telemetry_quality_tests.reference.pages import DOCS, PAGES
from telemetry_quality_tests.reference.reason_codes import codes


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says_now(name: str) -> None:
    assert (DOCS / f"{name}.md").read_text(encoding="utf-8") == PAGES[name](), "run make reference"


def test_a_cell_cannot_break_its_table() -> None:
    assert table(["a"], [["x | y\nz"]]) == "| a |\n| --- |\n| x \\| y z |"


def test_codes_are_found_with_their_sentences_and_alone() -> None:
    found = codes()
    assert found["core/guardrails"].keys() >= {"ERROR_RATE_HIGH", "ERROR_RATE_OK", "VOLUME_SUM_LOW"}
    assert found["sources"]["FILE_MISSING"].sentence.startswith("A ")
    assert "UNKNOWN_SIGNAL" in found["core"]
