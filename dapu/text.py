"""Texts for people."""

from __future__ import annotations


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters, and how many there were."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"
