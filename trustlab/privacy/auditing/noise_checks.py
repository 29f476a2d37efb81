"""Is the noise what the step declares: its variance in each parameter and batch, its independence, its distribution.

The probe's spare coordinates are noise alone, so no estimate has to be subtracted. Sums of squares are compared with
χ², correlations with their normal limit, the shape by Kolmogorov and Smirnov's test and by the kurtosis. Noise that
comes again is found at every shift. Within a check p is multiplied by the number of comparisons (Bonferroni).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr
from scipy.stats import chi2, kstest

from trustlab.privacy.auditing.counts import Array
from trustlab.privacy.auditing.probe import Prober
from trustlab.privacy.auditing.report import Check

REPEATS = 4  # steps on each kind of batch
LONG = 100.0  # a gradient before clipping, over C
SURE = 1e-6  # noise that is missing in one place is not excused by more in another
LARGEST_BATCH = 32


def batches(parameters: int, expected: float) -> dict[str, Array]:
    """Return batches [B, P] of different sizes and contents, by name.

    Examples
    --------
    >>> {name: len(batch) for name, batch in batches(3, 8.0).items()}  # doctest: +NORMALIZE_WHITESPACE
    {'an empty batch': 0, '1 long example': 1, '3 zero examples': 3, '8 long examples': 8, '17 long examples': 17,
     '5 examples, one huge': 5}
    """
    size = min(max(round(expected), 2), LARGEST_BATCH)
    mixed = np.full((5, parameters), 0.1)
    mixed[2] = 1e6
    long = np.full((2 * size + 1, parameters), LONG)
    return {
        "an empty batch": long[:0],
        "1 long example": long[:1],
        "3 zero examples": 0 * long[:3],
        f"{size} long examples": long[:size],
        f"{2 * size + 1} long examples": long * np.where(np.arange(len(long)) % 2, -1, 1)[:, None],
        "5 examples, one huge": mixed,
    }


def noise_checks(prober: Prober, sigma: float, expected: float) -> list[Check]:
    """Take steps on batches of several kinds and check their noise, declared as σ·C in every coordinate."""
    kinds = batches(len(prober.names), expected)
    taken: dict[str, list[Array]] = {name: [] for name in kinds}
    refused: dict[str, str] = {}
    order, silent = [], []  # the steps as they were taken, and whether their examples have a gradient of zero
    for _, (name, batch) in itertools.product(range(REPEATS), kinds.items()):
        if name in refused:
            continue
        try:
            taken[name].append(prober.shares(batch) / sigma)
            order.append(taken[name][-1])
            silent.append(not batch.any())
        except Exception as error:  # whatever a step raises: with noise of its own for each batch it would not
            refused[name] = f"{type(error).__name__}: {error}"
    if not order:
        raise ValueError(f"Expected a step that can be taken, got only errors, as {next(iter(refused.values()))}")
    workers = np.stack(order)  # [R, W, D]
    whole = prober.parts(workers.sum(1))  # P arrays [R, 1 + n], the first column with the examples' sum
    parts = [part[:, 1:] for part in whole]
    first = [part[silent, :1] for part in whole]  # where nothing but noise is in it
    return [
        variances("noise of each parameter", dict(zip(prober.names, parts, strict=True)), {}),
        variances("noise in each batch", {n: _flat(prober, each) for n, each in taken.items() if each}, refused),
        coordinates("noise of each coordinate", prober.names, parts, first),
        between_parameters("noise between parameters", prober.names, parts),
        _between_steps(np.concatenate(parts, axis=1)),
        *([_between_workers(prober, workers)] if workers.shape[1] > 1 else []),
        _gaussian(parts),
    ]


def _flat(prober: Prober, released: Sequence[Array]) -> Array:
    return np.concatenate([part[:, 1:] for part in prober.parts(np.stack(released).sum(1))], axis=1)


def variances(name: str, groups: dict[str, Array], refused: dict[str, str]) -> Check:
    """Compare Σ z² of each group with χ²; `refused` are groups in which no step could be taken."""
    squares = {group: (float(np.square(z).sum()), z.size) for group, z in groups.items()}
    low = {group: chi2.cdf(total, n) * 2 * len(squares) for group, (total, n) in squares.items()}
    high = {group: chi2.sf(total, n) * 2 * len(squares) for group, (total, n) in squares.items()}
    ratio = {group: math.sqrt(total / n) for group, (total, n) in squares.items()}
    least, most = min(ratio, key=ratio.__getitem__), max(ratio, key=ratio.__getitem__)
    measured = f"{ratio[least]:.3f} ({least}) to {ratio[most]:.3f} ({most}) of it"
    if refused:
        measured += "; " + "; ".join(f"no step on {group} ({error[:60]})" for group, error in refused.items())
    too_little = 0.0 if refused else min(low.values())
    too_much = min(high.values())
    privacy = too_little <= max(too_much, SURE)
    return Check(
        name=name,
        expected="standard deviation σ·C / divisor",
        measured=measured,
        p=min(too_little, too_much, 1.0),
        means="Where the noise is weaker than declared, ε is larger than reported; a batch without a noisy step shows "
        "that it was so." if privacy else "The noise is stronger than declared: accuracy is lost for nothing.",
        do="Add noise of standard deviation σ·C to the sum of every tensor that is trained, once, for every batch, "
        "before the division by a fixed number.",
        harms="privacy" if privacy else "learning",
    )  # fmt: skip


def correlation(one: Array, other: Array) -> tuple[float, float]:
    """Return the correlation of two columns without means, and its p, for a thousand numbers or more.

    Examples
    --------
    >>> column = np.random.default_rng(0).normal(size=5000)
    >>> [round(value, 3) for value in correlation(column, column)], correlation(column, 0 * column)
    ([1.0, 0.0], (0.0, 1.0))
    """
    one, other = one.ravel(), other.ravel()
    length = math.sqrt(float(one @ one) * float(other @ other))
    r = float(one @ other) / length if length else 0.0
    return r, 2 * float(ndtr(-abs(r) * math.sqrt(one.size)))


def coordinates(name: str, names: Sequence[str], parts: Sequence[Array], first: Sequence[Array] | None = None) -> Check:
    """Look for single coordinates with less noise than the rest of their tensor, [R, n] each; too much is no harm.

    `first` [r, 1] are coordinates of the same tensors that were seen in r of the steps only.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(24, 500))
    >>> coordinates("", ["weight"], [noise]).p > 0.01, coordinates("", ["weight"], [noise * (np.arange(500) > 0)]).p
    (True, 0.0)
    """
    found = [(1.0, 0.0, "no noise at all")]
    for tensor, part, alone in zip(names, parts, first or [part[:0] for part in parts], strict=True):
        unit = np.sqrt(np.square(part).mean(1, keepdims=True))  # each step's own, so that only differences are seen
        for seen in (part[unit[:, 0] > 0] / unit[unit > 0, None], alone / (np.sqrt(np.square(part).mean()) or 1.0)):
            if len(seen) and unit.any():
                least = float(np.square(seen).sum(0).min())
                found.append((float(chi2.cdf(least, len(seen))), math.sqrt(least / len(seen)), tensor))
    total = sum(part.shape[1] for part in [*parts, *(first or [])])
    p, ratio, worst = min(found)
    return Check(
        name=name,
        expected="in each coordinate as in its tensor",
        measured=f"at least {ratio:.3f} of it ({worst})",
        p=min(p * total, 1.0),
        means="A coordinate with less noise shows the sum of its gradients, whatever the others do.",
        do="Add noise to every coordinate of every tensor that is trained, also where no gradient came.",
    )


def between_parameters(name: str, names: Sequence[str], parts: Sequence[Array]) -> Check:
    """Compare the noise of every two tensors, [R, n] each, and the halves of each."""
    found = {}
    for (a, one), (b, other) in itertools.combinations(zip(names, parts, strict=True), 2):
        width = min(one.shape[1], other.shape[1])
        found[f"{a} with {b}"] = correlation(one[:, :width], other[:, :width])
    for tensor, part in zip(names, parts, strict=True):
        half = part.shape[1] // 2
        found[f"within {tensor}"] = correlation(part[:, :half], part[:, half : 2 * half])
    return _correlations(
        name,
        found,
        means="Noise that is the same in two places can be subtracted: their difference is without noise.",
        do="Draw every coordinate's noise from one generator, or give each shard a seed of its own.",
    )


def _between_steps(flat: Array) -> Check:
    """Compare every two steps [R, n] at every circular shift: noise from a short table comes again shifted."""
    steps, width = flat.shape
    lengths = np.linalg.norm(flat, axis=1)
    spectra = np.fft.rfft(flat / np.where(lengths > 0, lengths, 1.0)[:, None])
    found = [np.abs(np.fft.irfft(spectra[i + 1 :] * spectra[i].conj(), n=width)).max(initial=0) for i in range(steps)]
    r, pairs = float(max(found)), width * steps * (steps - 1) / 2
    return Check(
        name="noise between steps",
        expected="no correlation between any two steps",
        measured=f"largest {r:.3f} of {steps} steps, at any shift",
        p=min(2 * float(ndtr(-r * math.sqrt(width))) * pairs, 1.0),
        means="Noise that comes again can be subtracted: the difference of two steps shows their gradients.",
        do="Draw new noise at every step, and seed a generator once for the whole training.",
    )


def _between_workers(prober: Prober, workers: Array) -> Check:
    flat = np.concatenate([part[..., 1:] for part in prober.parts(workers)], axis=-1)  # [R, W, D]
    pairs = itertools.combinations(range(flat.shape[1]), 2)
    return _correlations(
        "noise between workers",
        {f"worker {a} with {b}": correlation(flat[:, a], flat[:, b]) for a, b in pairs},
        means="A worker that knows its own noise knows the others', and can subtract it.",
        do="Seed each worker's noise by its rank, and only the first weights by a common seed.",
    )


def _correlations(name: str, found: dict[str, tuple[float, float]], *, means: str, do: str) -> Check:
    worst = min(found, key=lambda pair: found[pair][1])
    return Check(
        name=name,
        expected="no correlation",
        measured=f"largest {found[worst][0]:.3f} ({worst})",
        p=min(found[worst][1] * len(found), 1.0),
        means=means,
        do=do,
    )


def _gaussian(parts: Sequence[Array]) -> Check:
    """Test the shape; each parameter's noise of each step is scaled to variance 1 first."""
    scaled, own = [], []
    for part in parts:
        lengths = np.sqrt(np.square(part).mean(1))
        scaled.append((part[lengths > 0] / lengths[lengths > 0, None]).ravel())
        own.append(3 * part.shape[1] / (part.shape[1] + 2))  # the expected fourth moment after that scaling
    z = np.concatenate(scaled)
    if not z.size:
        return Check("noise is Gaussian", "N(0, σ²C²)", "no noise at all", 1.0, "", "")
    weights = [len(each) for each in scaled]
    fourth, normal = float(np.mean(z**4)), float(np.average(own, weights=weights))
    of_kurtosis = 2 * float(ndtr(-abs(fourth - normal) / math.sqrt(24 / len(z))))
    distance = kstest(z, "norm")
    return Check(
        name="noise is Gaussian",
        expected="N(0, σ²C²): fourth moment 3.00",
        measured=f"fourth moment {fourth:.2f}, largest distance of distribution functions {distance.statistic:.4f}",
        p=min(2 * min(of_kurtosis, float(distance.pvalue)), 1.0),
        means="The accountant's ε is that of Gaussian noise; other noise of the same variance can show far more.",
        do="Draw normal numbers, and add nothing that depends on the data.",
    )
