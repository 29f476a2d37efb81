"""What an audit found: named checks with a verdict each, and the lower bounds on ε, as one small table.

A check compares what a step declares with what it was seen to do, and says how improbable the measurement is if the
declaration is true (p). :func:`decided` rejects declarations by Holm's method at one level for all checks together, so
that an honest step is accused by any of them with probability `alpha` at most.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trustlab.privacy.auditing.lower_bounds import LowerBound

OK, FAILS, WASTEFUL, UNCHECKED = "ok", "FAILS", "wasteful", "not checked"
COLUMNS = ("check", "expected", "measured", "verdict")
Row = dict[str, str]


@dataclass(frozen=True)
class Check:
    """One declaration of a step, and what was measured of it.

    Attributes
    ----------
    name
        What is checked, the same in every report.
    expected, measured
        In words, with numbers.
    p
        Probability of a measurement so far off if the declaration is true; 0 and 1 where nothing is random.
    means, do
        What a failure means, and what to do then.
    harms
        ``"privacy"``, or ``"learning"`` where a deviation only costs accuracy.
    verdict
        ``"ok"``, ``"FAILS"`` (privacy), ``"wasteful"`` (learning) or ``"not checked"``.
    """

    name: str
    expected: str
    measured: str
    p: float
    means: str
    do: str
    harms: str = "privacy"
    verdict: str = UNCHECKED


def decided(checks: Sequence[Check], alpha: float) -> tuple[Check, ...]:
    """Return `checks` with their verdicts, Holm's at the family-wise level `alpha`; a p that is NaN was not checked.

    Examples
    --------
    >>> seen = [Check(name, "", "", p, "", "") for name, p in [("a", 0.03), ("b", 0.01), ("c", 0.5)]]
    >>> [check.verdict for check in decided(seen, 0.05)], [check.verdict for check in decided(seen, 0.02)]
    (['ok', 'FAILS', 'ok'], ['ok', 'ok', 'ok'])
    """
    known = sorted((check.p, i) for i, check in enumerate(checks) if check.p == check.p)
    rejected: set[int] = set()
    for rank, (p, i) in enumerate(known):
        if p > alpha / (len(known) - rank):
            break
        rejected.add(i)

    def verdict(i: int, check: Check) -> str:
        if check.p != check.p:
            return UNCHECKED
        return OK if i not in rejected else FAILS if check.harms == "privacy" else WASTEFUL

    return tuple(replace(check, verdict=verdict(i, check)) for i, check in enumerate(checks))


@dataclass(frozen=True)
class AuditReport:
    """The checks of one audit, and what its attacks have shown.

    Attributes
    ----------
    scope
        ``"step"``: one step, without credit for sampling. ``"training"``: a whole training.
    declared
        What was claimed, by name: ``noise_multiplier``, ``clip_norm``, ``sensitivity``, ``delta``, ``epsilon`` …
    checks
        With verdicts.
    bounds
        Lower bounds on ε, those that take the least for granted first; none whose assumption a check has refuted.
    alpha
        Probability of any false accusation, at most.
    notes
        Sentences on what the audit takes for granted.
    """

    scope: str
    declared: dict[str, float]
    checks: tuple[Check, ...]
    bounds: tuple[LowerBound, ...]
    alpha: float
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that contradict the declared privacy."""
        return self._with(FAILS)

    @property
    def wasteful(self) -> tuple[str, ...]:
        """Names of the checks that contradict the declaration without harm to privacy."""
        return self._with(WASTEFUL)

    @property
    def holds(self) -> bool:
        """Whether nothing measured contradicts the declared privacy."""
        return not self.failed

    @property
    def bound(self) -> LowerBound:
        """The last of the bounds: chosen by what it takes for granted, not by its size, which would cost confidence."""
        return self.bounds[-1]

    def rows(self) -> list[Row]:
        """Return flat rows: check, expected, measured, verdict, and for what is not in order what it means."""
        return [
            {
                "check": each.name,
                "expected": each.expected,
                "measured": each.measured,
                "verdict": each.verdict,
                "means": each.means if each.verdict in (FAILS, WASTEFUL) else "",
                "do": each.do if each.verdict in (FAILS, WASTEFUL) else "",
            }
            for each in self.checks
        ]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows())

    def __str__(self) -> str:
        rows = [dict(zip(COLUMNS, COLUMNS, strict=True)), *self.rows()]
        widths = {name: max(len(row[name]) for row in rows) for name in COLUMNS}
        lines = ["  ".join(row[name].ljust(widths[name]) for name in COLUMNS).rstrip() for row in rows]
        advice = [f"{row['check']}: {row['means']} {row['do']}" for row in self.rows() if row["means"]]
        return "\n".join([*lines, *advice, *map(str, self.bounds), *self.notes, self._summary()])

    def _repr_html_(self) -> str:
        """Return a table with a caption and row headers, and below it the bounds and the summary."""
        left = 'style="text-align:left"'
        names = (*COLUMNS, "what it means, what to do")
        head = "".join(f'<th scope="col" {left}>{name}</th>' for name in names)
        body = ""
        for row in self.rows():
            cells = [row["expected"], row["measured"], row["verdict"], f"{row['means']} {row['do']}".strip()]
            body += f'<tr><th scope="row" {left}>{html.escape(row["check"])}</th>'
            body += "".join(f"<td {left}>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
        texts = [*map(str, self.bounds), *self.notes, self._summary()]
        below = "".join(f"<p>{html.escape(text)}</p>" for text in texts)
        caption = f"<caption>Audit of a {self.scope}</caption>"
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **kwargs: Any) -> Row:
        return {"text/html": self._repr_html_(), "text/plain": str(self)}

    def _summary(self) -> str:
        checked = sum(each.verdict != UNCHECKED for each in self.checks)
        level = f"An honest {self.scope} is accused with probability {self.alpha:g} at most."
        if self.failed:
            return f"{len(self.failed)} of {checked} checks fail: {', '.join(self.failed)}. {level}"
        return f"No check of {checked} contradicts the declared privacy, which proves nothing. {level}"

    def _with(self, verdict: str) -> tuple[str, ...]:
        return tuple(each.name for each in self.checks if each.verdict == verdict)
