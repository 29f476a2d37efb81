"""Two public packages for private text, asked what they do: mldp-text and pypantera, in an environment of their own.

This file is run by that environment's Python and knows nothing of trustlab. It reads one request a line, as JSON, and
answers each with a line. Arrays are left as files in the folder that is its argument, where ``table.npz`` has the words
and their vectors. See :class:`benchmarks.rewriting.Peers` for the other side.

What is exported is computed by the packages' own code. Where it draws, its source of randomness is replaced: Gumbel
noise by zeros, so that the scores that it is added to are seen; a normal vector and a Gamma length by given ones, so
that a noisy vector is a function of them. A draw with the packages' own randomness checks that nothing was missed.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import math
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = {"mldp-text": "mldp_text", "pypantera": "pypantera"}
FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
LOOKED_AT = 50  # of so many words one is looked at more closely
REST = "⊥"  # what mldp-text calls the entry for all words beyond the threshold
PLACEHOLDER = "PLACEHOLDERWORD"  # pypantera's name for it


@contextlib.contextmanager
def replaced(owner: Any, **values: Any) -> Iterator[None]:
    """Give attributes of `owner` other values for a while; one that it did not have is gone after that."""
    before = {name: owner.__dict__[name] for name in values if name in owner.__dict__}
    for name, value in values.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name in values:
            if name in before:
                setattr(owner, name, before[name])
            else:
                delattr(owner, name)


def words_and_vectors(table: str) -> tuple[list[str], np.ndarray]:
    """Return the words and their vectors of a file ``<table>.npz``."""
    with np.load(FOLDER / f"{table}.npz") as held:
        return held["words"].tolist(), held["vectors"]


def make(package: str, kind: str, table: str, **options: Any) -> Any:
    """Return a mechanism of a package with the vectors of a table, as its own documentation makes one."""
    words, vectors = words_and_vectors(table)
    if package == "pypantera":
        from src.utils import helper  # the package calls itself src

        path = FOLDER / f"{table}.txt"
        if not path.exists():
            lines = (" ".join([word, *map(repr, row)]) for word, row in zip(words, vectors.tolist(), strict=True))
            path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return getattr(helper, kind)({"embPath": str(path), **options})
    import mldp_text
    from gensim.models import KeyedVectors

    embedding = KeyedVectors(vectors.shape[1])
    embedding.add_vectors(words, vectors)
    common = {"embedding_matrix": embedding, "dim": vectors.shape[1], "vocab": set(words), "use_faiss": False}
    return getattr(mldp_text, kind)(**{**common, **options})


def say(mechanism: Any, words: Sequence[str]) -> list[str]:
    """Return what a mechanism says for each word, the way that its package does it."""
    if hasattr(mechanism, "replace_word"):
        return [mechanism.replace_word(word) for word in words]
    given = mechanism.noisyEmb(words) if hasattr(mechanism, "noisyEmb") else list(words)
    return mechanism.processText(given).split()


def probabilities(package: str, kind: str, table: str, name: str, **options: Any) -> dict[str, Any]:
    """Leave log P(y | w) for all words of a table in ``<name>.npy``, [V, V], from the scores that the code computes.

    Gumbel noise of scale s on scores says each entry with a probability proportional to exp(score/s). The entry for
    all words beyond the threshold says what the code says when that entry is the best.
    """
    mechanism, (words, _) = make(package, kind, table, **options), words_and_vectors(table)
    place = {word: i for i, word in enumerate(words)}
    found, raised = np.full((len(words), len(words)), -np.inf), 0
    of = _of_mldp if package == "mldp-text" else _of_pypantera
    for i, word in enumerate(words):
        scores, scale, rest = of(mechanism, word, words if i % LOOKED_AT else None)
        bottom = scores.pop(REST) / scale
        for other, score in scores.items():
            found[i, place[other]] = score / scale
        whole = np.logaddexp.reduce(np.append(found[i], bottom))
        found[i] -= whole
        if isinstance(rest, str):  # the word itself
            found[i, place[rest]] = np.logaddexp(found[i, place[rest]], bottom - whole)
        elif rest:
            found[i, [place[other] for other in rest]] = bottom - whole - math.log(len(rest))
        else:
            raised += 1  # an error instead of a word: no output of its own is counted
    np.save(FOLDER / f"{name}.npy", found)
    return {"raised": raised}


def _of_mldp(mechanism: Any, word: str, words: Sequence[str] | None) -> tuple[dict[str, float], float, Any]:
    """Return the scores before noise, the noise's scale, and the words that ⊥ stands for.

    Collecting those takes the package long. With all `words` they are taken to be the ones without a score.
    """
    import mldp_text.mechanisms as module

    seen: dict[str, Any] = {"rest": []}

    def gumbel(loc: float, scale: float) -> float:
        seen["scale"] = scale
        return 0.0

    def bottom(scores: dict[str, float], key: Any) -> str:
        seen["scores"] = dict(scores)
        return REST if words is None else word

    def choice(among: list[str]) -> str:
        seen["rest"] = list(among)
        return word

    with replaced(module, max=bottom), replaced(np.random, gumbel=gumbel, choice=choice):
        mechanism.replace_word(word)
    without = [each for each in mechanism.embedding_matrix.key_to_index if each not in seen["scores"]]
    if words is None and seen["rest"] != without:
        raise RuntimeError(
            f"Expected ⊥ to stand for the {len(without)} words without a score, got {len(seen['rest'])}."
        )
    return seen["scores"], seen["scale"], without


def _of_pypantera(mechanism: Any, word: str, words: Sequence[str] | None) -> tuple[dict[str, float], float, Any]:
    """Return the same of pypantera; what is said where the placeholder is best is seen by letting it be best."""
    import src.SamplingPerturbationMechanism.tem as module

    seen: dict[str, Any] = {}

    def gumbel(loc: float, scale: float, size: int) -> np.ndarray:
        seen["scale"] = scale
        return np.zeros(size)

    def best(scores: list[tuple[str, Any]], key: Any) -> tuple[str, Any]:
        seen["scores"] = {name: float(np.ravel(score)[0]) for name, score in scores}
        return builtins.max(scores, key=lambda each: each[0] == PLACEHOLDER)

    with replaced(module, max=best), replaced(module.npr, gumbel=gumbel):
        said = mechanism.processText([word])
    scores = seen["scores"]
    scores[REST] = scores.pop(PLACEHOLDER)
    return scores, seen["scale"], said


def noise(package: str, kind: str, table: str, name: str, **options: Any) -> dict[str, Any]:
    """Leave in ``<name>.npy`` the noise that the code makes of each normal vector in ``normals.npy`` and length 1.

    Returns the shape and the scale of the Gamma distribution that it draws a length from.
    """
    mechanism, normals, seen = make(package, kind, table, **options), np.load(FOLDER / "normals.npy"), {}
    given: list[np.ndarray] = []

    def gamma(shape: float, scale: float) -> float:
        seen.update(shape=shape, scale=scale)
        return 1.0

    def normal(mean: np.ndarray, cov: np.ndarray) -> np.ndarray:
        if np.any(mean) or not np.array_equal(cov, np.eye(len(mean))):
            raise RuntimeError("Expected a standard normal vector to be asked for.")
        return given.pop().copy()

    made = []
    with replaced(np.random, gamma=gamma, multivariate_normal=normal):
        for each in normals:
            given.append(each)
            if package == "pypantera":
                made.append(mechanism.pullNoise())
            else:
                made.append(mechanism.get_perturbed_vector(np.zeros(len(each)), len(each))[1])
    np.save(FOLDER / f"{name}.npy", np.array(made))
    return seen


def candidates(table: str, **options: Any) -> dict[str, Any]:
    """Return from which Poisson distribution mldp-text's truncated Gumbel noise draws its number of candidates."""
    import mldp_text.mechanisms as module

    random.seed(0)  # it takes its smallest and largest distance from one word at random
    mechanism, seen = make("mldp-text", "TruncatedGumbel", table, **options), {}

    def poisson(mu: float, size: int, max_value: int) -> np.ndarray:
        seen.update(mean=float(mu), most=int(max_value))
        return np.zeros(size)

    words, _ = words_and_vectors(table)
    with replaced(module, truncated_Poisson=poisson):
        seen["no candidate"] = mechanism.replace_word(words[0]) == words[0]
    return {**seen, "scale": float(np.real(mechanism.b))}


def draws(package: str, kind: str, table: str, word: str, n: int, **options: Any) -> dict[str, Any]:
    """Return how often each word is said in `n` draws for `word`, with the package's own randomness."""
    mechanism, (words, _) = make(package, kind, table, **options), words_and_vectors(table)
    np.random.seed(0)
    said = say(mechanism, [word] * n)
    return {"counts": [said.count(each) for each in words]}


def unknown(package: str, kind: str, table: str, n: int, **options: Any) -> dict[str, Any]:
    """Return how many of `n` words outside the table are said as they are."""
    mechanism = make(package, kind, table, **options)
    words = [f"unheard{i}" for i in range(n)]
    return {"unchanged": sum(a == b for a, b in zip(words, say(mechanism, words), strict=True))}


HELD: dict[str, tuple[Any, list[str]]] = {}


def hold(name: str, package: str, kind: str, table: str, **options: Any) -> dict[str, Any]:
    """Make a mechanism, for :func:`rewrite`."""
    HELD[name] = make(package, kind, table, **options), words_and_vectors(table)[0]
    return {}


def rewrite(name: str, places: Sequence[int], chunk: int) -> dict[str, Any]:
    """Let a mechanism that is held say words of its table, `chunk` in a call."""
    mechanism, known = HELD[name]
    words = [known[i] for i in places]
    said = [word for start in range(0, len(words), chunk) for word in say(mechanism, words[start : start + chunk])]
    return {"words": len(said)}


def versions() -> dict[str, Any]:
    """Return the versions of the packages, and of what they compute with."""
    return {name: metadata.version(name) for name in (*PACKAGES, "numpy", "scipy")}


COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {
    each.__name__: each
    for each in (versions, probabilities, noise, candidates, draws, unknown, hold, rewrite)
}  # fmt: skip


def main() -> None:
    """Answer requests until there are no more; what the packages print goes to standard error."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        answer = COMMANDS[request.pop("do")](**request)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
