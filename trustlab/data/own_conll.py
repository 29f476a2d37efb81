"""CoNLL: a word and its tag in each line, an empty line between sentences, remarks as ``# name = value`` before one."""

from __future__ import annotations

import re
from typing import Any

_REMARK = re.compile(r"# +([^\s=:]+)\s*[=:]\s*(.*)")


def read_sentences(text: str) -> list[tuple[str, dict[str, Any], str]]:
    r"""Return place, values and what is wrong of each sentence.

    The word is a line's first column and the tag its last; between them may be others. They are separated by tabs, in
    a file without tabs by white space. ``# intent = play`` before a sentence gives it a column ``intent``.
    ``-DOCSTART-`` begins a document and is no sentence.

    Examples
    --------
    >>> read_sentences("# intent = play\nplay O\njazz B-genre\n")
    [('line 1', {'intent': 'play', 'tokens': ['play', 'jazz'], 'slots': ['O', 'B-genre']}, '')]
    """
    tabbed = "\t" in text
    found, begins, block = [], 0, []
    for number, line in enumerate([*text.replace("\r\n", "\n").split("\n"), ""], start=1):
        if line.strip():
            begins = begins if block else number
            block.append((number, line))
        elif block:
            sentence = _sentence(block, tabbed)
            if sentence is not None:
                found.append((f"line {begins}", *sentence))
            block = []
    return found


def _sentence(block: list[tuple[int, str]], tabbed: bool) -> tuple[dict[str, Any], str] | None:
    """Return the values of one block of lines and what is wrong with it; None for no sentence."""
    values: dict[str, Any] = {}
    words, tags, wrong = [], [], ""
    for number, line in block:
        remark = _REMARK.fullmatch(line.strip())
        cells = line.split("\t") if tabbed else line.split()
        if remark and not words:
            values[remark[1]] = remark[2].strip()
        elif line.startswith("#") and not words and len(cells) < 2:
            continue  # a comment
        elif len(cells) < 2:
            wrong = wrong or f"expected a word and a tag in line {number}, got {line.strip()!r}"
        else:
            words.append(cells[0].strip())
            tags.append(cells[-1].strip())
    if words == ["-DOCSTART-"] or not (words or wrong or values):
        return None
    return {**values, "tokens": words, "slots": tags}, wrong
