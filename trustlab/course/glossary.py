"""The glossary's sentences as tooltips in the notebooks: the first time that a notebook uses a term, it carries one.

``make notebooks`` writes them as ``<abbr title="…">`` from GLOSSARY.md, so that an author writes plain words and both
never differ.
"""

from __future__ import annotations

import dataclasses
import html
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from trustlab.lab.display import plain

ENTRY = re.compile(r'- (?:<a id="(?P<anchor>[^"]*)"></a>)?\*\*(?P<terms>[^*]+)\*\*[^:]*: (?P<text>.+)', re.S)
SENTENCE = re.compile(r".+?[.;](?=\s+[A-Z*ε]|$)", re.S)
TOOLTIP = re.compile(r'<abbr title="[^"]*">(.*?)</abbr>', re.S)
# Code, formulas, links, tags, headings: what a tooltip would break or repeat.
KEPT = re.compile(r"```.*?```|`[^`]+`|\$\$.*?\$\$|\$[^$\n]+\$|!?\[[^\]]*\]\([^)]*\)|<[^>]+>|^#+ .*?$", re.S | re.M)
# Words that are mostly used in their everyday sense: a tooltip would explain the wrong thing.
EVERYDAY = {
    "run", "method", "engine", "tie", "ratio", "round", "server", "targets", "attributes", "background", "on average",
    "row by row", "advantage", "group", "design", "gap", "probe", "extraction", "strict",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Entry:
    """One entry of the glossary: the terms that it explains, the first sentence about them, and its anchor."""

    terms: tuple[str, ...]
    sentence: str
    anchor: str


def entries(glossary: str) -> list[Entry]:
    r"""Read the entries of the glossary.

    Examples
    --------
    >>> entries("## Privacy\n- **ε, epsilon** (`epsilon`): how far the odds may move. Smaller is stronger.\n")
    [Entry(terms=('ε', 'epsilon'), sentence='How far the odds may move.', anchor='epsilon')]
    """
    return list(_entries(glossary))


def _entries(glossary: str) -> Iterator[Entry]:
    for chunk in re.split(r"^(?=- )|^(?=## )", glossary, flags=re.M):
        match = ENTRY.fullmatch(chunk.strip())
        if match is None:
            continue
        text = " ".join(match["text"].split())
        found = SENTENCE.match(text)
        sentence = plain(found[0] if found else text)
        if re.match(r"[a-z][a-z’' -]", sentence):  # a word, not a symbol such as n_k
            sentence = sentence[0].upper() + sentence[1:]
        terms = tuple(re.split(r", (?![^(]*\))", match["terms"]))
        yield Entry(terms, sentence.removesuffix(";"), match["anchor"] or anchor_of(terms))


def anchor_of(terms: Sequence[str]) -> str:
    """Return the anchor of an entry: its first term that has two Latin letters or more, in small letters.

    Examples
    --------
    >>> anchor_of(("ε", "epsilon")), anchor_of(("Clipping norm", "C"))
    ('epsilon', 'clipping-norm')
    """
    slugs = [re.sub(r"[^a-z0-9]+", "-", term.lower()).strip("-") for term in terms]
    return next((slug for slug in slugs if len(slug) > 1), slugs[0])


def without_tooltips(markdown: str) -> str:
    """Return a text as its author wrote it.

    Examples
    --------
    >>> without_tooltips('What <abbr title="How far …">ε</abbr> promises')
    'What ε promises'
    """
    return TOOLTIP.sub(r"\1", markdown)


def with_tooltips(cells: Iterable[str], known: Sequence[Entry]) -> list[str]:
    """Return the texts of a notebook with a tooltip on the first use of each entry.

    Examples
    --------
    >>> known = [Entry(("cohort",), "The clients of one round.", "cohort")]
    >>> with_tooltips(["# Cohorts", "A `cohort` is a cohort. Cohorts differ."], known)
    ['# Cohorts', 'A `cohort` is a <abbr title="The clients of one round.">cohort</abbr>. Cohorts differ.']
    """
    left = {term: entry for entry in known for term in entry.terms if _is_a_word(term)}
    written = []
    for cell in cells:
        text = without_tooltips(cell)
        kept = [match.span() for match in KEPT.finditer(text)]
        ends = [0, *(place for span in kept for place in span), len(text)]
        parts = [text[a:b] for a, b in itertools.pairwise(ends)]
        # Text and what is kept take turns, text first.
        written.append("".join(_explained(part, left) if i % 2 == 0 else part for i, part in enumerate(parts)))
    return written


def _is_a_word(term: str) -> bool:
    """Return whether a term can be recognised in a text: single Latin letters and formulas cannot."""
    return not re.fullmatch(r"[A-Za-z]", term) and not re.search(r"[()\[\]]", term) and term.lower() not in EVERYDAY


def _explained(text: str, left: dict[str, Entry]) -> str:
    """Put tooltips on the terms of `left` that `text` uses, and take them from `left`."""
    if not left:
        return text
    longest_first = sorted(left, key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(_pattern, longest_first))})(?![\w-])")

    def explained(match: re.Match[str]) -> str:
        found = [left[term] for term in longest_first if term in left and re.fullmatch(_pattern(term), match[0])]
        if not found:
            return match[0]  # explained a few words before
        entry = found[0]
        for term in entry.terms:
            left.pop(term, None)
        return f'<abbr title="{html.escape(entry.sentence)}">{match[0]}</abbr>'

    return pattern.sub(explained, text)


def _pattern(term: str) -> str:
    """Return the pattern of a term: its first letter may be small or capital, and a plural is recognised too."""
    first, rest = term[0], re.escape(term[1:])
    acronym = term.upper() == term or not first.isalpha() or term[1:2].isupper()
    head = re.escape(first) if acronym else f"[{first.upper()}{first.lower()}]"
    return f"{head}{rest}s?" if len(term) > 1 else head
