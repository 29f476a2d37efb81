"""The code of notebook 14: words that hide among their neighbours, and who finds them again."""

from __future__ import annotations

import dataclasses

from trustlab.course.experiment import Experiment
from trustlab.course.n14_private_text import adept_experiment, experiment, shape_search
from trustlab.course.n14_private_text.claims import HALF, claims_of
from trustlab.course.n14_private_text.word_mechanisms import DIMENSIONS, SHAPE, WORDS

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
        | {"words": WORDS, "dimensions": DIMENSIONS, "shape": SHAPE}
    },
    parts={"mechanisms": (*experiment.COMPARED, *experiment.BASELINES)},
    claims=claims_of,
)

ADEPT = Experiment(
    "private-text-adept",
    adept_experiment,
    varied="noise",
    slowest_first=(*adept_experiment.NOISES, adept_experiment.REPEATED, *experiment.BASELINES[:2]),
    tolerance={"accuracy": 0.05, "same": 0.05, "found": 0.06},
    named=lambda noise, epsilon: f"{noise} noise, ε = {epsilon:g}",
    recipes=lambda corpus: {
        "autoencoder": dataclasses.asdict(adept_experiment.RECIPE)
        | {"public": adept_experiment.PUBLIC, "latent": adept_experiment.LATENT}
    },
    parts={"noises": (*adept_experiment.NOISES, *adept_experiment.BASELINES)},
)
TUNING = Experiment(
    "private-text-tuning",
    shape_search,
    varied="mechanism",
    slowest_first=tuple(shape_search.SPACES),
    tolerance={"score": 0.05},
    named=lambda mechanism, shape: f"{mechanism}, λ = {shape:g}",
    recipes=lambda corpus: {"all": {"recovered": HALF, "epsilons": shape_search.AROUND}},
    parts={"mechanisms": tuple(shape_search.SPACES)},
)
