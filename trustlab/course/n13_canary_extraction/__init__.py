"""The code of notebook 13: canary extraction, and what keeps a tagger from learning a secret by heart."""

from __future__ import annotations

from typing import Any

from trustlab.course.experiment import Experiment
from trustlab.course.n13_canary_extraction import experiment, language_experiment, other_secrets
from trustlab.course.n13_canary_extraction.claims import claims_of, claims_of_secrets
from trustlab.course.n13_canary_extraction.defended import DEFENCES, EPSILONS, NONE, SPELLED, THREE
from trustlab.course.n13_canary_extraction.language_findings import language_claims

OTHERS = tuple(each for each in DEFENCES if each not in (*EPSILONS, THREE, SPELLED))


NOT_PRIVATE = {
    "trustlab.privacy.fast": "Only private gradients are taken one by one.",
    "trustlab.privacy.clipping.private_gradients": "A training without noise clips nothing.",
    "trustlab.privacy.accounting": "Without noise ε = ∞, there is nothing to account for.",
}


def _not_run_by(defence: str) -> dict[str, str]:
    """Return what a training with this defence does without."""
    found = {
        "trustlab.checkpoint": "A setting is computed in one go; a run that was stopped starts it again.",
        "trustlab.privacy.training_identity": "The same, for the training inside.",
        "trustlab.privacy.reference": "Opacus' step is a peer to compare with, and no defence here.",
    }
    return found if defence in EPSILONS else found | NOT_PRIVATE


def _recipes(corpus: str) -> dict[str, Any]:
    return {each.defence: experiment.recipe(each) for each in experiment.grid(corpus, seeds=[0])}


EXPERIMENT = Experiment(
    "canary-extraction",
    experiment,
    varied="defence",
    slowest_first=(*EPSILONS, THREE, SPELLED, *OTHERS),
    tolerance={"accuracy": 0.05, "slot_f1": 0.08, "hamming": 0.15},
    named=lambda defence, copies: f"{defence}, {copies} copies",
    recipes=_recipes,
    parts={"defences": DEFENCES},
    claims=claims_of,
    left_out=_not_run_by,
)


def _recipes_by_pace(corpus: str) -> dict[str, Any]:
    return {each.pace: other_secrets.recipe(each) for each in other_secrets.grid(corpus, seeds=[0])}


SECRETS = Experiment(
    "canary-extraction-secrets",
    other_secrets,
    varied="defence",
    slowest_first=(THREE, NONE),
    tolerance={"accuracy": 0.05, "slot_f1": 0.08, "hamming": 0.15},
    named=lambda kind, model, pace, defence, copies: f"{kind}, {model}, {pace} pace, {defence}, {copies} copies",
    recipes=_recipes_by_pace,
    parts={"defences": (THREE, NONE)},
    claims=claims_of_secrets,
    left_out=_not_run_by,
)
LANGUAGE = Experiment(
    "canary-extraction-smollm2",
    language_experiment,
    varied="defence",
    slowest_first=language_experiment.DEFENCES,
    tolerance={"held_out": 0.1, "loss": 2.0},
    named=lambda defence, copies: f"{defence}, {copies} copies",
    recipes=lambda corpus: {
        each.defence: language_experiment.recipe(each) for each in language_experiment.grid(corpus, seeds=[0])
    },
    parts={"defences": language_experiment.DEFENCES},
    claims=language_claims,
    left_out=lambda defence: {} if defence in EPSILONS else NOT_PRIVATE,
)
