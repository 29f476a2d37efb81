"""What a text is about: a linear head on the mean state of its words."""

from __future__ import annotations

import torch

from trustlab.course.n24_fednlp_benchmark.real_data import Divided
from trustlab.course.n24_fednlp_benchmark.real_features import text_vectors
from trustlab.course.n24_fednlp_benchmark.real_heads import Problem, Vectors, linear
from trustlab.federated.tasks import Example

OUTSIDE = "oos"  # CLINC150's label of requests that are out of scope


def classification(data: Divided) -> Problem:
    """Return the problem of labelling every text."""
    names = sorted({example.target for example in data.examples})
    number = {name: i for i, name in enumerate(names)}
    inputs = torch.from_numpy(text_vectors(tuple(example.text for example in data.examples)))
    targets = torch.tensor([number[example.target] for example in data.examples])
    train, test = (Vectors(inputs[places], targets[places]) for places in (data.train, data.test))
    asked = data.asked()

    def scores(found: torch.Tensor) -> dict[str, float]:
        return right(asked, [names[i] for i in found.argmax(1).tolist()])

    return Problem(linear(train, test, len(names), scores))


def right(asked: list[Example], said: list[str]) -> dict[str, float]:
    """Return ``score``, the accuracy on texts in scope as Larson et al. (2019) count it, and ``exact``, on all.

    Examples
    --------
    >>> right([Example(("hi",), "greet", "greet"), Example(("uh",), "oos", "oos")], ["greet", "greet"])
    {'score': 1.0, 'exact': 0.5}
    """
    hits = [example.target == label for example, label in zip(asked, said, strict=True)]
    inside = [hit for example, hit in zip(asked, hits, strict=True) if example.target != OUTSIDE]
    return {"score": sum(inside) / len(inside), "exact": sum(hits) / len(hits)}
