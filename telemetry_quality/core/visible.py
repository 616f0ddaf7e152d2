"""Text for people's eyes: values of events, and what strangers typed, may hold what a terminal obeys."""

from __future__ import annotations


def visible(text: str) -> str:
    """``text`` with a replacement for every character that would not be seen itself, line breaks included."""
    return text if text.isprintable() else "".join(one if one.isprintable() else "�" for one in text)
