"""Names in posts: a linear head on each word's states and its shape, and tags that follow one another as BIO says."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch

from trustlab.course.n24_fednlp_benchmark.real_data import Divided
from trustlab.course.n24_fednlp_benchmark.real_features import word_states
from trustlab.course.n24_fednlp_benchmark.real_heads import Problem, Vectors, linear
from trustlab.federated.tasks import FAMILIES

LAYERS = (1, 3, 5)  # lower layers know more of word and form, upper ones more of meaning
NEVER = -1e9


def tagging(data: Divided) -> Problem:
    """Return the problem of tagging every word; the rows of a post are its words."""
    posts = tuple(example.source for example in data.examples)
    inputs = inputs_of(posts)
    names = ["O", *sorted({tag for example in data.examples for tag in example.target} - {"O"})]
    number = {name: i for i, name in enumerate(names)}
    targets = torch.tensor([number[tag] for example in data.examples for tag in example.target])
    starts = np.cumsum([0, *map(len, posts)])
    asked = data.asked()

    def rows(places: np.ndarray) -> tuple[Vectors, list[np.ndarray]]:
        at = [np.arange(starts[i], starts[i + 1]) for i in places]
        ends = np.cumsum([len(each) for each in at])
        flat = torch.from_numpy(np.concatenate(at))
        return Vectors(inputs[flat], targets[flat]), np.split(np.arange(ends[-1]), ends[:-1])

    train, of_post = rows(data.train)
    test, of_asked = rows(data.test)

    def scores(found: torch.Tensor) -> dict[str, float]:
        guesses = found.log_softmax(1).numpy()
        said = [[names[i] for i in best_tags(guesses[own], names)] for own in of_asked]
        return FAMILIES["tagging"].scores(asked, said)

    return Problem(linear(train, test, len(names), scores), of_post)


@functools.lru_cache(maxsize=1)
def inputs_of(posts: tuple[tuple[str, ...], ...]) -> torch.Tensor:
    """Return what a head reads of the words of all posts: their states and their shapes, float16 [words, 1200].

    They are the same for every seed and every trial of a search, so that the last ones are kept.
    """
    shapes = np.concatenate([shapes_of(post) for post in posts])
    return torch.from_numpy(np.concatenate([word_states(posts, layers=LAYERS), shapes.astype(np.float16)], axis=1))


def best_tags(scores: np.ndarray, names: Sequence[str]) -> list[int]:
    """Return the tags with the largest sum of scores of those in which each I- continues an entity (Viterbi).

    Parameters
    ----------
    scores
        [words, tags].
    names
        The tags; "I-x" follows "B-x" or "I-x" only.

    Examples
    --------
    >>> best_tags(np.array([[0.0, -2.0, -0.1], [-3.0, -3.0, 0.0]]), ["O", "B-city", "I-city"])
    [1, 2]
    """
    inside = np.array([name.startswith("I-") for name in names])
    kinds = np.array([name[2:] for name in names])
    follows = np.where(inside[None, :] & (kinds[:, None] != kinds[None, :]), NEVER, 0.0)  # [before, after]
    best, came = scores[0] + np.where(inside, NEVER, 0.0), []
    for word in scores[1:]:
        ways = best[:, None] + follows
        came.append(ways.argmax(0))
        best = ways.max(0) + word
    path = [int(best.argmax())]
    for before in reversed(came):
        path.append(int(before[path[-1]]))
    return path[::-1]


def shapes_of(words: Sequence[str]) -> np.ndarray:
    """Return how each word is written, and its two neighbours: 0 or 1, float32 [words, 48].

    The encoder lowers all letters, so that it cannot see what capitals say.

    Examples
    --------
    >>> capital, small = shapes_of(["Paris", "today"])[:, 0]
    >>> bool(capital), bool(small)
    (True, False)
    """
    own = np.array([_shape(word) for word in words], dtype=np.float32)
    before, after = np.zeros_like(own), np.zeros_like(own)
    before[1:], after[:-1] = own[:-1], own[1:]
    return np.concatenate([own, before, after], axis=1)


def _shape(word: str) -> list[bool]:
    letters = [letter for letter in word if letter.isalpha()]
    return [
        word[:1].isupper(),
        word.istitle(),
        len(letters) > 1 and word.isupper(),
        word.islower(),
        any(letter.isupper() for letter in word[1:]) and not word.isupper(),
        any(letter.isdigit() for letter in word),
        word.isdigit(),
        word.startswith("@"),
        word.startswith("#"),
        word.startswith("http"),
        not any(letter.isalnum() for letter in word),
        len(word) <= 2,
        len(word) >= 8,
        "." in word,
        "-" in word,
        "'" in word,
    ]
