"""docs/explanation/asvs.md answers every requirement once, counts its answers right, and names only what exists."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "explanation" / "asvs.md").read_text()

REQUIREMENTS = """
1.1: 1-7    1.2: 1-4    1.4: 1,4-5  1.5: 1-4    1.6: 1-4    1.7: 1-2    1.8: 1-2    1.9: 1-2    1.10: 1    1.11: 1-2
1.12: 2     1.14: 1-6   2.1: 1-12   2.2: 1-3    2.3: 1-3    2.4: 1-5    2.5: 1-7    2.6: 1-3    2.7: 1-6   2.8: 1-7
2.9: 1-3    2.10: 1-4   3.1: 1      3.2: 1-4    3.3: 1-4    3.4: 1-5    3.5: 1-3    3.7: 1      4.1: 1-3,5 4.2: 1-2
4.3: 1-3    5.1: 1-5    5.2: 1-8    5.3: 1-10   5.4: 1-3    5.5: 1-4    6.1: 1-3    6.2: 1-6    6.3: 1-2   6.4: 1-2
7.1: 1-4    7.2: 1-2    7.3: 1,3-4  7.4: 1-3    8.1: 1-4    8.2: 1-3    8.3: 1-8    9.1: 1-3    9.2: 1-4   10.2: 1-2
10.3: 1-3   11.1: 1-8   12.1: 1-3   12.2: 1     12.3: 1-6   12.4: 1-2   12.5: 1-2   12.6: 1     13.1: 1,3-5
13.2: 1-3,5-6           13.3: 1-2   13.4: 1-2   14.1: 1-4   14.2: 1-6   14.3: 2-3   14.4: 1-7   14.5: 1-4
"""
"""The requirements of levels 1 and 2 in the English CSV file of OWASP ASVS 4.0.3, by section."""

ANSWERS = ("met", "partly", "not met", "ruled out")


def _numbers(section: str, ranges: str) -> list[str]:
    """The requirements of a section that ranges such as ``1-3,5`` stand for."""
    bounds = [part.partition("-") for part in ranges.split(",")]
    return [f"{section}.{number}" for low, _, high in bounds for number in range(int(low), int(high or low) + 1)]


def _required() -> list[str]:
    sections = re.findall(r"(\d+\.\d+): ([\d,-]+)", REQUIREMENTS)
    return [number for section, ranges in sections for number in _numbers(section, ranges)]


def _answered() -> list[tuple[str, str]]:
    """Each requirement that the page answers, in its order, with the answer."""
    rows = re.findall(r"^\| (\d\S*) \| ([a-z ]+) \| \S.* \|$", PAGE, flags=re.MULTILINE)
    assert len(rows) == len(re.findall(r"^\| \d", PAGE, flags=re.MULTILINE)), "every row has three columns"
    found = []
    for which, answer in rows:
        first, _, last = which.partition("–")
        section, _, low = first.rpartition(".")
        assert not last or last.rpartition(".")[0] == section, f"{which} is a range within a section"
        found += [(number, answer) for number in _numbers(section, f"{low}-{last.rpartition('.')[2] or low}")]
    return found


def test_the_page_answers_every_requirement_of_levels_1_and_2_once_and_in_order() -> None:
    required = _required()
    assert len(set(required)) == len(required) == 259
    assert [number for number, _ in _answered()] == required
    chapters = re.split(r"^## V(\d+) ", PAGE, flags=re.MULTILINE)
    for chapter, text in zip(chapters[1::2], chapters[2::2], strict=True):
        assert {row.partition(".")[0] for row in re.findall(r"^\| (\d\S*) \|", text, flags=re.MULTILINE)} == {chapter}


def test_the_page_counts_its_answers_right() -> None:
    counted = Counter(answer for _, answer in _answered())
    assert set(counted) == set(ANSWERS)
    stated = ", ".join(f"{counted[answer]} {answer}" for answer in ANSWERS)
    assert f"Of {len(_answered())} requirements: {stated}." in PAGE


def test_every_file_test_and_target_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`([^`]+)`", PAGE))
    tests = {name for name in named if name.startswith("test_")}
    targets = {name.removeprefix("make ") for name in named if name.startswith("make ")}
    files = {name for name in named if re.fullmatch(r"[\w.-]+(/[\w.-]*)+|\w+\.(md|py|txt)", name)}
    assert min(len(tests), len(targets), len(files)) > 2
    sources = "".join(file.read_text() for file in Path(__file__).parent.rglob("test_*.py"))
    assert {name for name in tests if not re.search(rf"def {name}\(", sources)} == set()
    makefile = (ROOT / "Makefile").read_text()
    assert {name for name in targets if not re.search(rf"^{name}:", makefile, flags=re.MULTILINE)} == set()
    places = (ROOT, ROOT / "telemetry_quality")
    assert {name for name in files if not any((place / name).exists() for place in places)} == set()
