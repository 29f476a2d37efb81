"""Every bound by name, with what it takes for granted: one call from scores to a sentence that may be printed.

Only a bound whose assumption holds for the mechanism has the confidence that it states: its assumption is a part of
the result. How often each bound claimed too much in simulated audits is in ``data/results/audit_coverage.csv``,
written by ``python -m benchmarks auditing --write`` (:mod:`trustlab.privacy.auditing.coverage`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from trustlab.privacy.auditing.counts import check_share, check_whole, checked_scores, counted
from trustlab.privacy.auditing.exact_tail import exact_tail_epsilon
from trustlab.privacy.auditing.one_run import one_run_epsilon
from trustlab.privacy.auditing.one_run_fdp import one_run_fdp_epsilon

COVERAGE = "audit_coverage"  # the table of simulated audits


class Method(NamedTuple):
    """A bound from counts, its source, and the mechanisms for which it is valid."""

    epsilon: Callable[..., Any]
    source: str
    assumes: str  # a key of ASSUMPTIONS


ASSUMPTIONS = {
    "any": "valid for every (ε, δ) mechanism",
    "independent": "valid for every (ε, δ) mechanism in which canaries act independently",
    "gaussian": "valid for Gaussian noise with independent canaries only",
}
# How a lower bound of ε is computed, with its source and what it is valid for.
METHODS = {
    "one run": Method(one_run_epsilon, "Steinke et al. 2023", "any"),
    "exact tail": Method(partial(exact_tail_epsilon, family="any"), "Xiang et al. 2025", "independent"),
    "one run, trade-off curve": Method(one_run_fdp_epsilon, "Mahloujifar et al. 2024", "gaussian"),
    "exact tail, Gaussian": Method(partial(exact_tail_epsilon, family="gaussian"), "Xiang et al. 2025", "gaussian"),
}


@dataclass(frozen=True)
class LowerBound:
    """An ε that an audit has shown, and what it depends on.

    Attributes
    ----------
    epsilon, delta, confidence
        With probability `confidence` the audited mechanism has no smaller ε at δ, if `assumes` holds.
    method, source, assumes
        Which bound, whose, and for which mechanisms it is valid.
    canaries, guesses, correct
        What was counted.
    """

    epsilon: float
    delta: float
    confidence: float
    method: str
    source: str
    assumes: str
    canaries: int
    guesses: int
    correct: int

    def __str__(self) -> str:
        counted = f"{self.correct:,} of {self.guesses:,} guesses right about {self.canaries:,} canaries"
        return (
            f"ε ≥ {self.epsilon:.3g} at δ = {self.delta:g} with {self.confidence:.3g} confidence ({self.method}, "
            f"{self.source}: {self.assumes}; {measured_coverage(self.method)}; {counted})"
        )


def lower_bound(
    scores: Any,
    included: Any,
    *,
    delta: float,
    alpha: float = 0.05,
    method: str = "one run",
    guesses: int | tuple[int, ...] | None = None,
) -> LowerBound:
    """Return the ε that one run with m canaries shows.

    Parameters
    ----------
    scores, included
        See :func:`trustlab.privacy.auditing.counted`.
    delta
        δ in (0, 1), the one that the claim is made at.
    alpha
        Probability of claiming too much, at most.
    method
        A key of :data:`METHODS`. ``"one run"`` takes nothing for granted.
    guesses
        r, or several of which the best bound is taken with α divided by their number; chosen without the scores.
        Default m/2 for the exact tail, and m/4, m/8 and m/20 for the others, which find more in the surest guesses.

    Raises
    ------
    ValueError
        For an unknown method, scores that are no audit's, or probabilities outside their range.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> included = rng.random(1000) < 0.5
    >>> scores = rng.normal(size=1000) + included  # a Gaussian step of σ = 1, whose ε is 4.38
    >>> round(lower_bound(scores, included, delta=1e-5, method="exact tail, Gaussian").epsilon, 2)
    3.68
    """
    check_share("delta", delta)
    check_share("alpha", alpha)
    if method not in METHODS:
        raise ValueError(f"Expected method={method!r} to be one of {', '.join(map(repr, METHODS))}.")
    scores, included = checked_scores(scores, included)
    tried = default_guesses(method, len(scores)) if guesses is None else guesses
    tried = tried if isinstance(tried, tuple) else (tried,)
    check_whole("number of guesses tried", len(tried), low=1, means="Each r tried costs a share of α.")
    own = METHODS[method]
    counts = [counted(scores, included, r) for r in tried]
    found = [
        float(own.epsilon(c.correct, c.guesses, c.canaries, delta=delta, alpha=alpha / len(tried))) for c in counts
    ]
    best = max(range(len(tried)), key=found.__getitem__)
    told = dict(method=method, source=own.source, assumes=ASSUMPTIONS[own.assumes])
    return LowerBound(found[best], delta, 1 - alpha, **told, **counts[best]._asdict())


def default_guesses(method: str, canaries: int) -> tuple[int, ...]:
    """Return the numbers of guesses that `method` tries, which depend on the number of canaries only.

    Examples
    --------
    >>> default_guesses("one run", 1000), default_guesses("exact tail", 1000)
    ((50, 125, 250), (500,))
    """
    parts = (2,) if method.startswith("exact tail") else (20, 8, 4)
    return tuple(sorted({max(canaries // part, 1) for part in parts}))


def measured_coverage(method: str) -> str:
    """Return how often `method` claimed too much in simulated audits for which it is valid, in words."""
    from trustlab.results import read_results

    try:
        table, _ = read_results(COVERAGE)
    except FileNotFoundError:
        return "its coverage was not measured"
    own = table[(table["method"] == method) & table["valid"].astype(bool)]
    if not len(own):
        return "its coverage was not measured"
    worst = own.loc[own["false claims"].idxmax()]
    share, audits = 100 * worst["false claims"], int(worst["audits"])
    return f"at most {share:.1f} % false claims in {audits:,} simulated audits of each kind"
