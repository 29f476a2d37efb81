"""What mldp-text and pypantera lose of their promise, by the exact audit that ours pass.

``TRUSTLAB_TEXT_PEERS=peers/bin/python python -m benchmarks peers_promises``. The packages want an older NumPy, so they
are asked in an environment of their own (:mod:`benchmarks.text_peers`):

    python3 -m venv peers
    peers/bin/pip install 'numpy<2' 'scipy<1.13' 'gensim' 'faiss-cpu' 'numba' 'nltk' 'pandas' 'scikit-learn' 'tqdm'
    peers/bin/pip install --no-deps mldp-text==0.1.2 pypantera==1.0.2

Probabilities of words are computed from the scores in their code; noise is exported as a function of what it is made
of. Words that the packages draw have to agree (χ²). Then they are audited as ours are, in notebook 14's table. On its
map of twelve words, what noise says is computed exactly too, see :func:`said_on_a_map`.

``loss / promise`` is the largest |ln P(y | w) − ln P(y | w′)| / (ε·d(w, w′)), in the metric of the promise: Euclidean,
and for Mahalanobis noise that of its paper. Above 1 the promise is broken. A row says how it was found:

- words said: P is of what is said. The ratio is exact on these pairs; other pairs may have a larger one.
- noisy vector: P is the density of the vector, before the nearest word is said. Above 1 the proof fails, and what is
  said may lose less.
- bound: P(w | w) from below and P(w | w′) from above. The loss is at least this.

What came (2026-11-29, 96 s): mldp-text's exponential mechanism keeps its promise at ε = 12 and 20 and loses 2.12 times
at 32, on 15,012 pairs; pypantera's has no bound at 20 and 32, because it says no word beyond its threshold. pypantera's
Mahalanobis noise loses up to 1.19 times on the map, where what is said is computed, and 2.17 times in notebook 14's
table, on the noisy vector. mldp-text's Laplace and Mahalanobis noise and pypantera's Laplace noise use their promise up
and keep it. mldp-text's truncated Gumbel noise loses at least 38 times. mldp-text says every unknown word as it is, and
so does pypantera's exponential mechanism.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peer_process import Peer, python_of
from benchmarks.turns import store
from trustlab.course.n14_private_text.audits import loss_of
from trustlab.course.n14_private_text.experiment import COMPARED
from trustlab.course.n14_private_text.toy import PLACES
from trustlab.course.n14_private_text.word_mechanisms import EXPONENTIAL, GUMBEL, LAPLACE, SHAPED, public_table
from trustlab.lab.display import table
from trustlab.privacy.text import NoisyVectors, TruncatedExponential, WordTable, audit_words

NAME = "private_text_peers"
VARIABLE = "TRUSTLAB_TEXT_PEERS"
SCRIPT = Path(__file__).with_name("text_peers.py")
OURS, MLDP, PANTERA = "trustlab", "mldp-text", "pypantera"
SHAPE, ON_MAP = 1.0, (1.0, 5.0, 10.0)  # pypantera's default λ, and values of ε that it tries by default
KINDS: Mapping[tuple[str, str], tuple[str, Mapping[str, Any]]] = {
    (MLDP, EXPONENTIAL): ("TEM", {}),
    (PANTERA, EXPONENTIAL): ("TEM", {"beta": 0.001}),
    (MLDP, LAPLACE): ("MultivariateCalibrated", {}),
    (PANTERA, LAPLACE): ("CMP", {}),
    (MLDP, SHAPED): ("Mahalanobis", {"lambd": SHAPE}),
    (PANTERA, SHAPED): ("Mahalanobis", {"lam": SHAPE}),
    (MLDP, GUMBEL): ("TruncatedGumbel", {}),
}
WORDS, MAP = "2,000 words × 25", "map of 12 words"
PLAN = (
    (WORDS, EXPONENTIAL, COMPARED[EXPONENTIAL][::2]),
    (WORDS, LAPLACE, COMPARED[LAPLACE][:1]),
    (WORDS, SHAPED, COMPARED[SHAPED][:1]),
    (WORDS, GUMBEL, COMPARED[GUMBEL][:1]),
    (MAP, SHAPED, ON_MAP),
)
CHECKS = ("unknown unchanged", "draws p")
DIRECTIONS, DRAWS, UNHEARD = 20_000, 20_000, 200  # on the map; draws of a word; words outside the table
ROUNDING = 1e-5  # mldp-text has vectors and distances in float32
SAME = 1e-4  # of directions, likewise
Row = dict[str, Any]


class Exported:
    """Probabilities as a mechanism to audit; the promise is in Euclidean distances, or in those of `metric`."""

    def __init__(self, words: WordTable, epsilon: float, log_probabilities: np.ndarray, metric: Any = None) -> None:
        self.table, self.epsilon, self._log = words, epsilon, log_probabilities
        self.distance = (metric or NoisyVectors(words, epsilon)).distance

    def log_probabilities(self, ids: np.ndarray) -> np.ndarray:
        """Return the rows of `ids`."""
        return self._log[np.asarray(ids)]


class Shaped(NoisyVectors):
    """Noise whose root of S was exported: for length 1 it is the root times a unit vector."""

    def __init__(self, words: WordTable, epsilon: float, root: np.ndarray) -> None:
        self.table, self.epsilon = words, epsilon
        self._root, self._inverse = root.T, np.linalg.inv(root.T)

    def directions(self, normals: np.ndarray) -> np.ndarray:
        """Return the noise of length 1 that is made of normal vectors [n, d]."""
        return normals @ self._root / np.linalg.norm(normals, axis=1, keepdims=True)


class Rescaled(NoisyVectors):
    """pypantera's Mahalanobis noise: the shaped direction is scaled back to length 1 before it gets its length."""

    def directions(self, normals: np.ndarray) -> np.ndarray:
        """Return the noise of length 1 that is made of normal vectors [n, d]."""
        shaped = normals @ self._root
        return shaped / np.linalg.norm(shaped, axis=1, keepdims=True)

    def noise(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return `n` draws [n, d]."""
        width = self.table.vectors.shape[1]
        return rng.gamma(width, 1 / self.epsilon, size=(n, 1)) * self.directions(rng.normal(size=(n, width)))

    def log_density(self, noise: np.ndarray) -> np.ndarray:
        """Return the log density of noise [..., d]: its direction is angular central Gaussian (Tyler 1987)."""
        lengths = np.linalg.norm(noise, axis=-1)
        inner = np.linalg.norm(noise @ self._inverse, axis=-1)
        return -self.epsilon * lengths - noise.shape[-1] * np.log(inner / lengths)


def noise_of(peer: Peer, words: WordTable, name: str, kind: tuple[str, str], epsilon: float) -> Shaped | Rescaled:
    """Return the noise of a package, told from what its code makes of unit vectors and of 500 normal ones."""
    width = words.vectors.shape[1]
    normals = np.concatenate([np.eye(width), np.random.default_rng(0).normal(size=(500, width))])
    np.save(peer.folder / "normals.npy", normals)
    drawn = peer.ask("noise", name="noise", **_about(kind, name, epsilon))
    made = peer.array("noise")
    found: Shaped | Rescaled = Shaped(words, epsilon, made[:width].T)
    if not np.allclose(found.directions(normals), made, atol=SAME):
        found = Rescaled(words, epsilon, shape=SHAPE)
    if not np.allclose(found.directions(normals), made, atol=SAME) or drawn != {"shape": width, "scale": 1 / epsilon}:
        raise RuntimeError(f"Expected noise of a known form from {kind}, got another. Its density is not known here.")
    return found


def _about(kind: tuple[str, str], name: str, epsilon: float) -> Row:
    """Return how a package is asked for one of its mechanisms."""
    called, options = KINDS[kind]
    return {"package": kind[0], "kind": called, "table": name, "epsilon": epsilon, **options}


def said_on_a_map(words: WordTable, epsilon: float, directions: np.ndarray) -> np.ndarray:
    """Return log P(y | w) [V, V] of noise in the plane: a length of Gamma(2, 1/ε) times one of `directions` [n, 2].

    From a word along one direction, the nearest word changes where the ray crosses from cell to cell. The length ends
    in each cell with a probability in closed form; what is left is a mean over evenly spaced directions.
    """
    from scipy import special

    x = words.vectors
    slopes, found = directions @ x.T, np.empty((len(x), len(x)))
    for w, here in enumerate(x):
        base = x @ here - (x**2).sum(axis=1) / 2  # y is nearest where base + length·slope is largest
        for y in range(len(x)):
            ahead, rise = base[y] - np.delete(base, y), slopes[:, [y]] - np.delete(slopes, y, axis=1)
            with np.errstate(divide="ignore"):
                crossing = -ahead / rise
            low = np.where(rise > 0, crossing, 0.0).max(axis=1, initial=0.0)
            high = np.where(rise < 0, crossing, np.inf).min(axis=1)
            inside = special.gammaincc(2, epsilon * low) - special.gammaincc(2, epsilon * high)
            found[w, y] = np.log(np.where(high > low, inside, 0.0).mean())
    return found


def turned(n: int = DIRECTIONS) -> np.ndarray:
    """Return `n` unit vectors [n, 2], evenly spaced."""
    angles = (np.arange(n) + 0.5) * (2 * np.pi / n)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def exported(peer: Peer, words: WordTable, name: str, kind: tuple[str, str], epsilon: float) -> Exported:
    """Return what a package says for each word of a table: from its scores, or on the map from its noise."""
    if kind[1] == EXPONENTIAL:
        peer.ask("probabilities", name="found", **_about(kind, name, epsilon))
        return Exported(words, epsilon, peer.array("found"))
    noise = noise_of(peer, words, name, kind, epsilon)
    return Exported(words, epsilon, said_on_a_map(words, epsilon, noise.directions(turned())), noise)


def theirs(peer: Peer, words: WordTable, name: str, kind: tuple[str, str], epsilon: float) -> Row:
    """Audit a package's mechanism: what it says where that is known, and otherwise its noisy vectors or a bound."""
    if kind[1] == GUMBEL:
        return of_gumbel(peer, words, kind, epsilon)
    if kind[1] == EXPONENTIAL or name == MAP:
        return _audited(kind, epsilon, "words said", exported(peer, words, name, kind, epsilon))
    return _audited(kind, epsilon, "noisy vector", noise_of(peer, words, name, kind, epsilon))


def of_gumbel(peer: Peer, words: WordTable, kind: tuple[str, str], epsilon: float) -> Row:
    """Bound what mldp-text's truncated Gumbel noise loses, among 200 words.

    The word itself is said if it is the only candidate, and if there is none. It is said for another word only if it is
    among that one's candidates. Both bounds hold for any noise on distances.
    """
    from scipy import stats

    least, most = words.extremes  # the package takes them from one random word, unless it is told
    given = {"min_inter_dist": least, "max_inter_dist": most}
    drawn = peer.ask("candidates", table=WORDS, epsilon=epsilon, **given)
    if not drawn["no candidate"]:
        raise RuntimeError("Expected the word itself where there is no candidate. The bound is of another mechanism.")
    count = stats.poisson(drawn["mean"])
    ids = np.random.default_rng(0).permutation(len(words))[:200]
    distances = words.distances(words.vectors[ids])
    ranks = 1 + distances.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")[:, ids]
    # P(K ≥ r) is at most 1, and beyond the mean a geometric series; scipy's own tail is 0 where it is very small.
    share = drawn["mean"] / (ranks + 1)
    beyond = np.where(share < 1, count.logpmf(ranks) - np.log1p(-np.minimum(share, 0.999)), 0.0)
    loss = np.logaddexp(count.logpmf(0), count.logpmf(1)) - np.minimum(beyond, 0.0)
    promised = epsilon * distances[:, ids]
    ratio = np.divide(loss, promised, out=np.zeros_like(loss), where=promised > 0)
    other, word = np.unravel_index(ratio.argmax(), ratio.shape)
    names = words.words[ids[word]], words.words[ids[other]]
    return _row(kind, epsilon, "bound", float(ratio.max()), len(ids) * (len(ids) - 1), names)


def _audited(kind: tuple[str, str], epsilon: float, how: str, mechanism: Any) -> Row:
    found = audit_words(mechanism)
    return _row(kind, epsilon, how, found.ratio, found.pairs, found.words)


def _row(kind: tuple[str, str], epsilon: float, how: str, ratio: float, pairs: int, words: Sequence[str]) -> Row:
    promise = "kept" if ratio <= 1 + ROUNDING else "broken"
    return {"package": kind[0], "mechanism": kind[1], "epsilon": epsilon, "audited": how, "loss / promise": ratio,
            "pairs": pairs, "word": words[0], "other": words[1], "promise": promise}  # fmt: skip


def ours(words: WordTable, name: str, mechanism: str, epsilon: float) -> Row:
    """Audit ours in the same way."""
    kind = (OURS, mechanism)
    if mechanism == GUMBEL:
        found = loss_of(mechanism, epsilon)
        return _row(kind, epsilon, "bound", found["loss / promise"], found["pairs"], ("", ""))
    if mechanism == EXPONENTIAL:
        return _audited(kind, epsilon, "words said", TruncatedExponential(words, epsilon))
    noise = NoisyVectors(words, epsilon, shape=SHAPE if mechanism == SHAPED else 0.0)
    if name == MAP:
        said = Exported(words, epsilon, said_on_a_map(words, epsilon, turned() @ noise._root), noise)
        return _audited(kind, epsilon, "words said", said)
    return _audited(kind, epsilon, "noisy vector", noise)


def checks(peer: Peer, tables: Mapping[str, WordTable], kind: tuple[str, str]) -> Row:
    """Return what is measured once of each mechanism: whether draws agree, and what becomes of unknown words.

    ``draws p`` is the p-value of χ² of 20,000 words that the package draws for one word of the map, against what was
    exported; ``unknown unchanged`` the share of words outside notebook 14's table that are said as they are.
    """
    given = dict(zip(("min_inter_dist", "max_inter_dist"), tables[WORDS].extremes, strict=True))
    about = _about(kind, WORDS, COMPARED[kind[1]][0]) | (given if kind[1] == GUMBEL else {})
    row: Row = {"unknown unchanged": peer.ask("unknown", n=UNHEARD, **about)["unchanged"] / UNHEARD}
    if kind[1] != GUMBEL:  # it has no probabilities here
        words, epsilon = tables[MAP], ON_MAP[-1]
        expected = DRAWS * np.exp(exported(peer, words, MAP, kind, epsilon).log_probabilities([0])[0])
        drawn = peer.ask("draws", word=words.words[0], n=DRAWS, **_about(kind, MAP, epsilon))
        row["draws p"] = agreement(np.array(drawn["counts"]), expected)
    return row


def agreement(counts: np.ndarray, expected: np.ndarray) -> float:
    """Return the p-value of χ², words that are expected less than five times together; 0 for impossible ones."""
    from scipy import stats

    if counts[expected == 0].any():
        return 0.0
    rare = expected < 5
    pooled = [np.append(each[~rare], each[rare].sum()) for each in (counts, expected * counts.sum() / expected.sum())]
    held = [each[: len(each) if expected[rare].any() else -1] for each in pooled]
    return float(stats.chisquare(*held).pvalue)


def measure(python: str) -> Iterator[Row]:
    """Yield a row for every audit, ours before theirs."""
    tables = {WORDS: public_table(), MAP: WordTable.of(PLACES)}
    with Peer(python, SCRIPT) as peer:
        for name, words in tables.items():
            peer.give(name, words.words, words.vectors)
        once = {kind: checks(peer, tables, kind) for kind in KINDS}
        for name, mechanism, values in PLAN:
            about = (tables[name], name)
            for epsilon in values:
                yield {"table": name, **ours(*about, mechanism, epsilon)} | dict.fromkeys(CHECKS)
                for kind in (kind for kind in KINDS if kind[1] == mechanism):
                    yield {"table": name, **theirs(peer, *about, kind, epsilon)} | dict.fromkeys(CHECKS) | once[kind]


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    if not (python := python_of(VARIABLE)):
        return
    started, rows = time.perf_counter(), []
    for row in measure(python):
        rows.append(row)
        print(
            f"{row['package']} {row['mechanism']}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True
        )
    print(table(rows))
    if asked.write:
        about = {"lambda": SHAPE, "directions": DIRECTIONS, "draws": DRAWS}
        print("wrote", store(NAME, rows, [measure], versions(python), **about))


def versions(python: str | None) -> dict[str, str]:
    """Return the versions of the packages and of what they compute with; none without an interpreter."""
    if not python:
        return {}
    with Peer(python, SCRIPT) as peer:
        return peer.ask("versions")
