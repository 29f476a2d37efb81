"""The audits of notebook 14: what each mechanism loses, relative to its promise, and ADePT's two scales.

For noise on vectors and for the exponential mechanism the audit is exact on more than 10,000 pairs of words. Truncated
Gumbel noise has no probabilities in closed form; a bound of them from both sides is enough for a witness.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from trustlab.course.n14_private_text.experiment import COMPARED
from trustlab.course.n14_private_text.word_mechanisms import GUMBEL, MAKE, public_table
from trustlab.privacy.text import LatentNoise, audit_words

Row = dict[str, Any]
PAIRS = 10_000
WITNESSES = 100  # words on each side among which a witness is looked for
DIMENSIONS = (2, 16, 64, 256, 768)


@functools.lru_cache(maxsize=64)
def loss_of(mechanism: str, epsilon: float) -> Row:
    """Return the largest |ln P(y | w) − ln P(y | w′)| / (ε·d(w, w′)) that an audit finds, and where.

    Returns
    -------
    dict
        ``mechanism``, ``epsilon``; ``loss / promise``; ``pairs`` of words compared; ``promise``, "kept" or "broken".
    """
    made = MAKE[mechanism](public_table(), epsilon)
    if mechanism == GUMBEL:
        ids = np.random.default_rng(0).permutation(len(made.table))[: 2 * WITNESSES]
        found = made.witness(ids[:WITNESSES], ids[WITNESSES:])
        ratio, pairs = found.loss / found.promised, WITNESSES**2
    else:
        audit = audit_words(made, pairs=PAIRS)
        ratio, pairs = audit.ratio, audit.pairs
    promise = "kept" if ratio <= 1 + 1e-9 else "broken"
    return {"mechanism": mechanism, "epsilon": epsilon, "loss / promise": ratio, "pairs": pairs, "promise": promise}


def audits() -> list[Row]:
    """Return :func:`loss_of` every mechanism at its smallest ε, where it promises most."""
    return [loss_of(mechanism, values[0]) for mechanism, values in COMPARED.items()]


def adept(dimensions: Sequence[int] = DIMENSIONS) -> list[Row]:
    """Return ADePT's published noise and the corrected one, for latent vectors of several lengths, at ε = 1, C = 1.

    Returns
    -------
    list of dict
        ``d``; ``claimed`` ε and the ``true`` one, which a witness reaches; ``published b`` and ``needed b``, the scales
        of Laplace noise.

    Examples
    --------
    >>> adept([16])
    [{'d': '16', 'claimed': 1.0, 'true': 4.0, 'published b': 2.0, 'needed b': 8.0}]
    """
    rows = []
    for d in dimensions:
        published, corrected = (LatentNoise(dimension=d, noise=noise) for noise in ("published", "corrected"))
        _, _, loss = published.witness()
        scales = {"published b": published.scale, "needed b": corrected.scale}
        rows.append({"d": str(d), "claimed": published.epsilon, "true": round(loss, 9), **scales})
    return rows
