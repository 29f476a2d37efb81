"""The code of notebook 14: words that hide among their neighbours, and who finds them again."""

from __future__ import annotations

from trustlab.course.experiment import Experiment
from trustlab.course.n14_private_text import experiment, option_search
from trustlab.course.n14_private_text.claims import claims_of
from trustlab.course.n14_private_text.word_mechanisms import BETA, DIMENSIONS, SHAPE, WORDS

_SIZES = ("TRAIN", "TEST", "ATTACKED", "CANDIDATES", "DRAWS", "WATCHED")

EXPERIMENT = Experiment(
    "private-text",
    experiment,
    varied="mechanism",
    slowest_first=(*experiment.COMPARED, *experiment.BASELINES),
    tolerance={"accuracy": 0.04, "guessed": 0.04, "kept": 0.03},
    named=lambda mechanism, epsilon: f"{mechanism}, ε = {epsilon:g}",
    recipes=lambda corpus: {
        "all": {name.lower(): getattr(experiment, name) for name in _SIZES}
        | {"words": WORDS, "dimensions": DIMENSIONS, "shape": SHAPE, "beta": BETA}
    },
    parts={"mechanisms": (*experiment.COMPARED, *experiment.BASELINES)},
    claims=claims_of,
)

TUNING = Experiment(
    "private-text-tuning",
    option_search,
    varied="mechanism",
    slowest_first=tuple(option_search.SPACES),
    tolerance={"score": 0.05},
    named=lambda mechanism, value: f"{mechanism}, {option_search.OPTION[mechanism]} {value:g}",
    recipes=lambda corpus: {"all": {"recovered": option_search.HALF, "epsilons": dict(option_search.AROUND)}},
    parts={"mechanisms": tuple(option_search.SPACES)},
)
