"""Text, lines and JSON of a corpus's file, packed or not, with errors that name the file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any


def read_text(path: Path) -> str:
    """Return the text of a file, unpacked if its name ends in ``.gz``.

    Raises
    ------
    ValueError
        If it is not UTF-8.
    """
    raw = path.read_bytes()
    try:
        return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"Expected {path} to be UTF-8 text. {error}; convert the file or fetch it again.") from None


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text, split at line feeds only: a tag must not move because a word holds another break."""
    return read_text(path).replace("\r\n", "\n").removesuffix("\n").split("\n")


def read_json(path: Path) -> Any:
    """Return what a JSON file holds."""
    return json.loads(read_text(path))
