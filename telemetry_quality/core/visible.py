"""Visible text: values of events and what users typed may contain characters that control a terminal."""

from __future__ import annotations


def visible(text: str) -> str:
    """``text`` with every character that is not printable replaced, line breaks included."""
    return text if text.isprintable() else "".join(character if character.isprintable() else "�" for character in text)
