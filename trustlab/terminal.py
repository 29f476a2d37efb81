"""Printing to a terminal that does not know every sign: ε, → and × become question marks, and nothing breaks off."""

from __future__ import annotations

import sys


def print_any_sign() -> None:
    """Let ``print`` replace what the terminal's encoding lacks, where it would raise UnicodeEncodeError.

    Called first by every command line of the project; the encoding itself stays what the user chose.

    Examples
    --------
    >>> print_any_sign()
    """
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a notebook's or a test's stream has none
        if reconfigure is not None:
            reconfigure(errors="replace")
