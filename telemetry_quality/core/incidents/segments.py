"""Segments as incidents name them: text that can be compared across days and guardrails."""

from __future__ import annotations

from telemetry_quality.core.guardrails.verdicts import Segment

EVERYWHERE = str(Segment())
UNREADABLE = "unreadable"
"""The root cause of a day that could not be read: nothing is known about its events."""


def segment_parts(segment: str) -> frozenset[str]:
    """The conditions of a segment, each as text."""
    return frozenset(segment.split(" × "))


def is_same_segment(segment: str, other_segment: str) -> bool:
    """Whether two segments are equal or nested; EVERYWHERE contains no segment, because it means spread evenly."""
    if EVERYWHERE in {segment, other_segment} or not (segment and other_segment):
        return segment == other_segment != ""
    parts, other_parts = segment_parts(segment), segment_parts(other_segment)
    return parts <= other_parts or other_parts <= parts


def is_kindred_segment(segment: str, other_segment: str) -> bool:
    """Whether two segments are the same, or have a condition in common and none that contradicts another.

    Of segments that hold nearly the same events, any may be named: the only signal of iOS, or its only version.
    """
    parts, other_parts = segment_parts(segment), segment_parts(other_segment)
    names = [part.partition("=")[0] for part in parts | other_parts]
    has_overlap = bool(parts & other_parts) and len(set(names)) == len(names)
    return is_same_segment(segment, other_segment) or has_overlap
