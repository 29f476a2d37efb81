"""How far does one example move the sum? Measured on neighbouring batches that are searched for the worst.

Two batches D and D ∪ {g examples} are at most g·Δ apart if neighbours are at most Δ apart, so a measured distance of
more than g·Δ refutes Δ; with g > 1 the noise matters less. Both steps start from the same state of torch's generator:
where a step draws its noise from there the noise cancels and the distance is exact; else steps are repeated and
averaged. The search only chooses a pair: what is reported is measured again, with new noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from trustlab.privacy.auditing.counts import Array
from trustlab.privacy.auditing.noise_checks import LARGEST_BATCH, LONG
from trustlab.privacy.auditing.probe import NotFiniteError, Prober
from trustlab.privacy.auditing.report import Check

EXACT = 1e-3  # of C: distances that vary by less have no noise in them
SLACK = 1.005  # rounding, and clipping by C / (norm + 1e-6)
MUTATIONS = 6  # tried where distances are exact
MOST = 128  # pairs that are averaged
COPIES = 32  # examples that "sum of examples" adds at once
HUGE = 1e18  # its square still is a float
LEAST = 0.9  # of C: what a long example has to add


class Pair(NamedTuple):
    """A batch [B, P] and g examples [g, P] that are added to it."""

    name: str
    base: Array
    extra: Array


def pairs(parameters: int, expected: float) -> Iterator[Pair]:
    """Yield neighbouring batches: long, duplicated, opposite, short, zero and huge examples, full and short batches.

    Examples
    --------
    >>> len(list(pairs(3, 8.0)))
    12
    """
    size = min(max(round(expected), 2), LARGEST_BATCH)
    group = max(size // 4, 1)
    along = np.full((1, parameters), parameters**-0.5)
    first, second = np.eye(parameters)[:1], np.eye(parameters)[1:2]
    yield Pair("a long example alone", along[:0], LONG * along)
    yield Pair("copies of a long example", _copies(LONG * along, size), _copies(LONG * along, group))
    yield Pair("against its opposites", _copies(-LONG * along, 4 * size), _copies(LONG**2 * along, group))
    yield Pair("against one opposite", -LONG * along, LONG**2 * along)
    yield Pair("a long one among short ones", _copies(0.01 * along, size), LONG**3 * along)
    yield Pair("a zero example", LONG * along, 0 * along)
    yield Pair("in one parameter", _copies(LONG * first, size - 1), LONG * first)
    yield Pair("in another parameter", _copies(LONG * first, size), LONG * second)
    yield Pair("shorter than C", _copies(0.99 * along, size), _copies(0.99 * along, group))
    yield Pair("over a full batch", _copies(LONG * along, size), LONG * along)
    yield Pair("a huge example", _copies(LONG * along, size // 2), HUGE * along)
    yield Pair("a short last batch", _copies(LONG * along, 2 * size), LONG * along)


def sensitivity_check(prober: Prober, sigma: float, sensitivity: float, expected: float, seed: int) -> Check:
    """Search the worst pair and compare its distance, measured again, with the declared Δ."""
    rng = np.random.default_rng(seed)
    few = int(np.clip(math.ceil(4 * sigma**2), 4, 8))
    found: dict[str, tuple[float, bool, Pair]] = {}
    refused = []
    for pair in pairs(len(prober.names), expected):
        try:
            seen = moves(prober, pair, 2, rng)
            if not screened(seen, len(pair.extra))[1]:
                seen = np.concatenate([seen, moves(prober, pair, few - 2, rng)])
            found[pair.name] = (*screened(seen, len(pair.extra)), pair)
        except Exception:  # a step may refuse an example; what it refuses is counted
            refused.append(pair.name)
    if not found:
        raise ValueError("Expected a step that can be taken, got errors on every batch.")
    best, exact, pair = max(found.values(), key=lambda each: each[0])
    if exact:
        pair = _climbed(prober, pair, best, rng)
    group = len(pair.extra)
    repeats = repeats_for(exact, sigma, group * sensitivity)
    moved, error, p = distance(moves(prober, pair, repeats, rng), at_most=group * sensitivity * SLACK)
    noisy = "" if error < EXACT else f" ± {error / group:.2f}"
    told = f"; refused: {', '.join(refused)}" if refused else ""
    return Check(
        name="sensitivity",
        expected=f"one example moves the sum by {sensitivity:g} C at most",
        measured=f"{moved / group:.3g}{noisy} C ({pair.name}; {len(pair.base)} + {group} examples){told}",
        p=p,
        means="One example moves the released sum further than the accountant assumes, so ε is larger than reported.",
        do="Clip each example's whole gradient (all tensors together) once, before anything is averaged, and divide by "
        "a fixed number. A clipped mean of a micro-batch moves by 2 C: declare sensitivity=2.",
    )


def sum_check(prober: Prober, sigma: float, sensitivity: float, seed: int) -> Check:
    """Check that long examples add up, each with its C: shortened twice they would count less."""
    rng = np.random.default_rng(seed)
    told = dict(name="sum of examples", expected="each long example adds C", harms="learning")
    means = "Examples count less than they may, under the same noise: accuracy is lost for nothing."
    told |= dict(means=means, do="Clip once, and add every example of an accumulated batch once.")
    if sensitivity != 1:
        return Check(measured="only for clipped examples, Δ = 1", p=math.nan, **told)
    along = np.full((1, len(prober.names)), LONG)
    pair = Pair("copies", along, _copies(along, COPIES))
    repeats = int(np.clip(4 * math.ceil(sigma), 8, MOST))
    try:
        found = -moves(prober, pair, 4, rng)
        if not screened(found, len(pair.extra))[1]:
            found = np.concatenate([found, -moves(prober, pair, repeats, rng)])
    except Exception as error:
        return Check(measured=f"{type(error).__name__}: {error}"[:80], p=math.nan, **told)
    moved, _, p = distance(found, at_most=-LEAST * COPIES)
    return Check(measured=f"{abs(moved) / COPIES:.2f} C", p=p, **told)


def memory_check(prober: Prober, sigma: float, seed: int) -> Check:
    """Check that a step on long examples leaves nothing behind for a step on examples without a gradient."""
    rng = np.random.default_rng([seed, 1])
    nothing = np.zeros((3, len(prober.names)))
    full = _copies(np.full((1, len(prober.names)), LONG), COPIES)
    told = dict(name="examples of the step before", expected="nothing of them is released again")

    def left(own: int, other: int) -> Array:
        prober.signal(nothing, other)  # forgets what the audit did before
        fresh = prober.signal(nothing, own)
        prober.signal(full, other)
        return prober.signal(nothing, own) - fresh

    seeds = rng.integers(2**31, size=(int(np.clip(4 * math.ceil(sigma), 8, MOST)), 2)).tolist()
    try:
        rows = [left(*pair) for pair in seeds[:4]]
        if not screened(np.stack(rows), COPIES)[1]:
            rows += [left(*pair) for pair in seeds[4:]]
    except Exception as error:
        return Check(measured=f"{type(error).__name__}: {error}"[:80], p=math.nan, means="", do="", **told)
    moved, _, p = distance(np.stack(rows), at_most=(SLACK - 1) * COPIES)
    return Check(
        measured=f"{max(moved, 0) / COPIES:.2f} C of each",
        p=p,
        means="A batch is released again with the next one, so one example counts in more steps than are accounted.",
        do="Forget the gradients of a batch after its step, as optimizer.zero_grad() does.",
        **told,
    )


def finite_check(prober: Prober) -> Check:
    """Check that an example whose gradient is no number, or overflows, does not decide the whole result."""
    along = np.full((1, len(prober.names)), LONG)
    found = {}
    for name, value in (("a NaN", math.nan), ("an infinite gradient", math.inf)):
        try:
            prober.shares(np.concatenate([_copies(along, 3), value * along]))
            found[name] = "left out"
        except NotFiniteError:
            found[name] = "all of the result is lost"
        except Exception:  # a step may refuse an example
            found[name] = "refused"
    return Check(
        name="gradients that are no numbers",
        expected="an example without a finite gradient is left out, or refused",
        measured="; ".join(f"{name}: {what}" for name, what in found.items()),
        p=float("all of the result is lost" not in found.values()),
        means="One example makes the whole result NaN, whatever noise is added: everybody sees that it was there.",
        do="Leave an example out whose gradient's norm is not finite.",
    )


def moves(prober: Prober, pair: Pair, repeats: int, rng: np.random.Generator) -> Array:
    """Return by how much adding the examples moved the parameters' first coordinates, [repeats, P], in units of C."""
    both = np.concatenate([pair.base, pair.extra])
    rows = []
    for seed in rng.integers(2**31, size=repeats).tolist():
        rows.append(prober.signal(both, seed) - prober.signal(pair.base, seed))
    return np.stack(rows)


def distance(moved: Array, at_most: float) -> tuple[float, float, float]:
    """Return the distance moved, its standard error, and p for a distance of `at_most`.

    A quarter of the rows [R, P] gives the direction, the others are projected on it: an unbiased mean. With a
    negative `at_most` the rows are moves turned round, and distances are negative.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(64, 3)) + [2.0, 0.0, 0.0]
    >>> moved, error, p = distance(rows, at_most=1.0)
    >>> round(moved, 1), round(error, 1), p < 1e-3, distance(rows, at_most=2.0)[2] > 0.05
    (1.8, 0.2, True, True)
    """
    first = len(moved) // 4
    direction = moved[:first].mean(0) * math.copysign(1.0, at_most)
    length = float(np.linalg.norm(direction))
    along = moved[first:] @ (direction / length if length else direction)
    mean, error = float(along.mean()), float(along.std(ddof=1)) / math.sqrt(len(along))
    if error < EXACT * max(1.0, abs(at_most)) / 10:
        return mean, error, float(mean <= at_most)
    return mean, error, float(student.sf((mean - at_most) / error, len(along) - 1))


def repeats_for(exact: bool, sigma: float, declared: float) -> int:
    """Return how often a distance, declared as at most `declared`, is measured: more often under stronger noise."""
    return 4 if exact else int(np.clip(400 * sigma**2 / declared**2, 16, MOST))


def screened(moved: Array, added: int) -> tuple[float, bool]:
    """Return a low guess of the distance for each of `added` examples, and whether it is exact."""
    spread = float(moved.var(0, ddof=1).sum()) / len(moved)  # what noise adds to the square of the mean's length
    length = math.sqrt(max(float(np.square(moved.mean(0)).sum()) - spread, 0.0))
    return (length - math.sqrt(spread)) / added, spread < EXACT**2


def _climbed(prober: Prober, pair: Pair, best: float, rng: np.random.Generator) -> Pair:
    """Change the pair at random and keep what moves further, exactly: a guess through noise would be a lucky one."""
    name = pair.name
    for _ in range(MUTATIONS):
        size = int(np.clip(round(len(pair.base) * 2 ** rng.uniform(-1, 1)), min(len(pair.base), 1), 2 * LARGEST_BATCH))
        base = np.resize(pair.base, (size, pair.extra.shape[1])) * 10 ** rng.uniform(-2, 2)
        signs = rng.choice([-1.0, 1.0], size=pair.extra.shape[1])
        other = Pair(f"{name}, changed", base, pair.extra * signs * 10 ** rng.uniform(-1, 1))
        try:
            further, exact = screened(moves(prober, other, 2, rng), len(other.extra))
        except Exception:  # a step may refuse what was made up here
            continue
        if exact and further > best * SLACK:
            best, pair = further, other
    return pair


def _copies(row: Array, count: int) -> Array:
    return np.repeat(row, count, axis=0)
