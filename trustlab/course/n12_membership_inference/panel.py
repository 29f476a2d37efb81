"""The panel of notebook 12: ε, attack, training size and references, over the committed trainings; one trained live."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from trustlab.config import option
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n12_membership_inference import EXPERIMENT
from trustlab.course.n12_membership_inference.attacked import (
    ATTACKS,
    FPRS,
    MEASURES,
    REFERENCES,
    STRONGEST,
    epsilon_shown,
    measured,
    pooled_scores,
)
from trustlab.course.n12_membership_inference.drawing import AttackAnswer, AttackDrawing
from trustlab.course.n12_membership_inference.experiment import TRAINED_SIZES, Setting, tuned
from trustlab.course.n12_membership_inference.results import (
    AT_ONE_IN_A_HUNDRED,
    EXACT,
    SGD,
    curves,
    over_budgets,
)
from trustlab.course.n12_membership_inference.stacked_training import (
    CORPORA,
    EPSILONS,
    METHODS,
    MODELS,
    bags,
    models,
    pool,
    recipe,
)
from trustlab.lab.display import per_cent
from trustlab.lab.experiment_panel import Training, experiment_panel
from trustlab.lab.pace import paced
from trustlab.lab.panel import Panel
from trustlab.lab.saved import numbers, remembered, saved_over

if TYPE_CHECKING:
    import datasets

WORDS = {0.5: "very strong", 1.0: "strong", 4.0: "medium", 8.0: "weak", 16.0: "very weak", math.inf: "no noise"}
SECONDS_PER_EPOCH = 0.2  # at least: a small stack is trained in less than a second, too little to watch
Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Place:
    """The position of the panel."""

    corpus: str = option(EMBEDDED, label="Corpus", help="One of the corpora compared.", values=CORPORA)
    epsilon: float = option(
        8.0, label="ε", help="What the private trainings promise; at ∞ they clip and add no noise.", values=EPSILONS
    )
    attack: str = option(STRONGEST, label="Attack", help="How members are recognised.", values=tuple(ATTACKS))
    size: int = option(
        300, label="Training size", help="Utterances a model is trained on, about.", values=TRAINED_SIZES
    )
    references: int = option(
        REFERENCES[-1],
        label="References",
        help="Models that the attacker trains; the loss threshold needs none.",
        values=REFERENCES,
    )
    seed: int = option(0, label="Seed", help="Of the pool, the coins, weights, batches and noise.", low=0)

    @property
    def setting(self) -> Setting:
        """What the button trains: exact DP-SGD at this ε; at ∞ SGD."""
        return tuned(self.corpus, SGD if math.isinf(self.epsilon) else EXACT, self.epsilon, self.size, self.seed)


def attack_panel(corpus: datasets.DatasetDict, name: str = EMBEDDED) -> Panel:
    """Return the panel over the committed trainings on `corpus`, whose name decides the table."""
    return experiment_panel(
        Place(name),
        title="Who was in the training?",
        drawing=AttackDrawing(),
        answer=answer,
        controls={
            "epsilon": [(_label(epsilon), epsilon) for epsilon in EPSILONS],
            "attack": [(words, attack) for attack, words in ATTACKS.items()],
            "size": None,
            "references": None,
        },
        training=Training(
            rows=live_rows,
            shown=_shown,
            seconds=_seconds,
            what="and attack",
            data=corpus,
            decides=_decides,
            source=lambda at: f"seed {at.seed}, {MODELS} models",
            unit="steps",
            prepare=get_ready,
        ),
        code="attack_panel(corpus)" if name == EMBEDDED else f'attack_panel(corpus, "{name}")',
    )


def _label(epsilon: float) -> str:
    words = f" ({WORDS[epsilon]})" if epsilon in WORDS else ""
    return ("∞" if math.isinf(epsilon) else f"{epsilon:g}") + words


@remembered
def answer(at: Place) -> AttackAnswer:
    """Read the committed trainings at the panel's position."""
    rocs = curves(at.corpus, at.epsilon, at.size, at.attack, at.references)
    rows = over_budgets(at.corpus, AT_ONE_IN_A_HUNDRED, at.size, at.attack, at.references)
    exact, plain, most = (rocs[name][FPRS.index(0.01)] for name in (METHODS[EXACT], METHODS[SGD], "permitted"))
    budget = "clipping without noise" if math.isinf(at.epsilon) else f"DP-SGD at ε = {at.epsilon:g}"
    promised = "nothing is promised" if math.isinf(at.epsilon) else f"ε permits {per_cent(most)}"
    verdict = (
        f"Accusing 1 non-member in 100, {_named(at.attack)} finds {per_cent(plain)} of the members of SGD and "
        f"{per_cent(exact)} of {budget} ({promised}); a guesser finds {per_cent(0.01)}."
    )
    _, about = EXPERIMENT.saved(at.corpus)
    source = f"{saved_over(about)}; 32 models each, {at.size} utterances a model"
    return AttackAnswer(rows, verdict, source, focus={"method": METHODS[EXACT], "ε": at.epsilon}, rocs=rocs)


def _named(attack: str) -> str:
    return f"the {ATTACKS[attack]}" if attack == "loss" else ATTACKS[attack]


def get_ready(at: Place, corpus: datasets.DatasetDict) -> None:
    """Encode the corpus and import what the first step would."""
    import torch._dynamo  # noqa: F401

    bags(corpus)


def live_rows(at: Place, corpus: datasets.DatasetDict) -> Iterator[Row]:
    """Train this position's stack as the saved ones were; attack it after each epoch."""
    from trustlab.privacy.membership.reference_models import classification_loss, train_together

    setting = at.setting
    own = pool(corpus, setting.size, setting.seed)
    stack = models(own.classes, setting.seed)
    config = dataclasses.replace(recipe(setting), evaluate_every=None)
    trained = train_together(stack, classification_loss, own.candidates, own.inside, config)
    for row in paced(trained, SECONDS_PER_EPOCH):
        losses, others = (stack.losses(classification_loss, part) for part in (own.candidates, own.population))
        scores = pooled_scores(at.attack, at.references, losses, own.inside, others)
        text = measured(scores, own.inside)[""]
        yield {
            "step": row["step"],
            **{name: row[name] for name in ("epoch", "epsilon", "loss_in", "loss_out")},
            "found": float(numbers([text])[0, MEASURES.index(AT_ONE_IN_A_HUNDRED)]),
            "epsilon_shown": epsilon_shown(scores, own.inside),
            "roc": text,
            "ε": at.epsilon,
            "progress": row["progress"],
        }


def _decides(at: Place) -> dict[str, Any]:
    return {**dataclasses.asdict(at.setting), "attack": at.attack, "references": at.references}


def _shown(at: Place, base: AttackAnswer, rows: list[Row]) -> AttackAnswer:
    """Draw the reader's own curve over the saved ones."""
    if not rows:
        return dataclasses.replace(base, verdict=f"{MODELS} models are training together.")
    last = rows[-1]
    own = dict(zip(MEASURES, numbers([last["roc"]])[0], strict=True))
    spent = "no guarantee" if math.isinf(last["epsilon"]) else f"ε = {last['epsilon']:.2f} spent"
    verdict = (
        f"After epoch {last['epoch']:.0f}, {spent}, ε ≥ {last['epsilon_shown']:.2f} proved by this attack (95\u00a0% "
        f"confidence): accusing 1 non-member in 100, {_named(at.attack)} finds "
        f"{per_cent(last['found'])} of your models' members; AUC {own['auc']:.2f}. Members' mean loss is "
        f"{last['loss_in']:.2f}, the others' {last['loss_out']:.2f}."
    )
    roc = tuple(float(own[f"tpr at fpr {fpr:g}"]) for fpr in FPRS)
    return dataclasses.replace(base, verdict=verdict, own=roc, live=[last])


def _seconds(at: Place) -> float:
    """Return how long the fastest saved training of this kind took, with all attacks; the slow ones shared a core."""
    setting = at.setting
    runs = EXPERIMENT.where(at.corpus, method=setting.method, epsilon=setting.epsilon, size=setting.size)
    return max(float(runs["seconds"].min()), setting.epochs * SECONDS_PER_EPOCH)
