"""Claims of notebook 12."""

from __future__ import annotations


def claims_of(corpus="assistant", read=None):
    """Return nothing yet."""
    return []
