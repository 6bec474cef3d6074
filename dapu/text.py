"""Texts for people."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters, and how many there were."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"
