"""The experiment of notebook 11: what ε costs in accuracy, by DP-SGD, with both engines, and by eDP-SGD.

One setting is one training: a corpus, a model, a method, a target ε and a seed. All settings of a corpus train for
as many steps on hashed word ids, and are measured once, at the end, on the test split. On the embedded corpus the
ingredients are varied one at a time: the clipping rule and decaying noise, by the two quick methods, and K of eDP-SGD.

The hyper-parameters were chosen on the synthetic corpus, which is nobody's data, and used unchanged on the real ones
(a first look at models and K, with other settings, was taken on SNIPS' validation split): choosing them on private data
would spend ε that no row here includes. The number of epochs looks at nothing but N, which the statement takes as
public.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check, option
from trustlab.course.budgets import DELTA, EPSILONS
from trustlab.course.corpora import EMBEDDED, rare_intents
from trustlab.deprecation import old_names
from trustlab.models import build, entity_f1, predict
from trustlab.models.vocabulary import Examples, Vocabulary
from trustlab.privacy.training import TrainConfig, train

if TYPE_CHECKING:
    import datasets
    import pandas

CORPORA = (EMBEDDED, "snips", "atis")
MODELS = {"bilstm": "BiLSTM", "transformer": "transformer"}
# The column `method` of the tables, and what it means: DP-SGD was trained by both engines.
METHODS = {"sgd": "SGD", "dp-sgd": "DP-SGD (loop)", "edp-sgd": "eDP-SGD", "fast": "DP-SGD (fast)"}
TRAINED_BY = {
    "sgd": dict(method="sgd"),
    "dp-sgd": dict(method="dp-sgd", engine="loop"),
    "edp-sgd": dict(method="edp-sgd"),
    "fast": dict(method="dp-sgd", engine="fast"),
}
K, KS = 64, (16, 64, 256)  # micro-batches per step of eDP-SGD, and the others looked at
EPSILON_OF_KS = 8.0
RULES = {"flat": "flat", "equal": "per layer", "dimension": "by size", "automatic": "automatic"}
DECAYS = (1.0, 0.8)
VARIED = ("edp-sgd", "fast")  # the methods that are quick enough
VARIANTS: tuple[dict[str, Any], ...] = (
    *({"method": m, "epsilon": e, "rule": rule} for m in VARIED for e in EPSILONS for rule in [*RULES][1:]),
    *({"method": m, "epsilon": e, "noise_decay": DECAYS[1]} for m in VARIED for e in EPSILONS if math.isfinite(e)),
    *({"method": "edp-sgd", "epsilon": EPSILON_OF_KS, "micro_batches": k} for k in KS if k != K),
)
BUCKETS = 2048
# ATIS has a third of SNIPS' utterances: 15 epochs of it are 135 steps, where 5 of SNIPS are 130.
EPOCHS = {EMBEDDED: 5, "snips": 5, "atis": 15}
SHOWN = 6  # test utterances whose predicted intents are kept, for a reader to look at
KEY = ("model", "method", "epsilon", "micro_batches", "rule", "noise_decay")  # with the seed: one row


@dataclass(frozen=True)
class Setting:
    """One training of the comparison."""

    corpus: str = option(EMBEDDED, label="Corpus", help="One of the corpora compared.", values=CORPORA)
    method: str = option("dp-sgd", label="Method", help="How gradients are made private.", values=tuple(METHODS))
    epsilon: float = option(
        math.inf, label="ε", help="Privacy budget: smaller means stronger privacy and more noise.", values=EPSILONS
    )
    seed: int = option(0, label="Seed", help="Seed of weights, batches and noise.", low=0)
    micro_batches: int = option(K, label="K", help="Micro-batches per step of eDP-SGD.", low=1)
    model: str = option("bilstm", label="Model", help="The tagger that is trained.", values=tuple(MODELS))
    rule: str = option(
        "flat",
        label="Clipping rule",
        help="flat: one threshold C. per layer, by size: C divided over the parameter tensors, in equal shares or by "
        "their sizes. automatic: every gradient is scaled to about C, short ones too (AUTO-S).",
        values=tuple(RULES),
    )
    noise_decay: float = option(1.0, label="γ", help="The noise is multiplied by γ every epoch.", above=0, high=1)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table; K is 0 where there are no micro-batches."""
        micro_batches = self.micro_batches if self.method == "edp-sgd" else 0
        named = {name: getattr(self, name) for name in ("corpus", *KEY, "seed")}
        return {**named, "micro_batches": micro_batches}


def grid(
    corpus: str,
    *,
    seeds: Sequence[int] = range(3),
    models: Sequence[str] = tuple(MODELS),
    methods: Sequence[str] = tuple(METHODS),
) -> list[Setting]:
    """Return the settings for `corpus`, each over `seeds`; fewer `models` or `methods` keep a part of them.

    Plain SGD without noise, and every private method at every ε, for both models; on the embedded corpus also
    :data:`VARIANTS`, for the BiLSTM.
    """
    budgets = [(method, epsilon) for method in METHODS for epsilon in (EPSILONS if method != "sgd" else [math.inf])]
    kinds = [{"model": m, "method": method, "epsilon": epsilon} for m in MODELS for method, epsilon in budgets]
    if corpus == EMBEDDED:
        kinds += [{"model": "bilstm", **variant} for variant in VARIANTS]
    kept = [kind for kind in kinds if kind["model"] in models and kind["method"] in methods]
    return [Setting(corpus, seed=seed, **kind) for kind in kept for seed in seeds]


def usual(table: pandas.DataFrame) -> pandas.DataFrame:
    """Return the rows of a results table that are no variant: the usual K, one threshold, constant noise."""
    plain = (table["rule"] == "flat") & (table["noise_decay"] == 1)
    return table[plain & table["micro_batches"].isin((0, K))]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"dp_sgd_vs_edp_sgd_{corpus}"


def recipe(setting: Setting) -> TrainConfig:
    """Return the training options of `setting`.

    C was chosen for each way of clipping, on the synthetic corpus and for the BiLSTM. Where every unit is clipped, as
    it is for eDP-SGD at each ε here, C scales signal and noise equally, and Adam cancels the scale.

    Both models share every option. For the transformer the learning rates 0.004, 0.008 and 0.016 were tried there, one
    seed each, by SGD and by DP-SGD at ε = 8, on the validation split: the BiLSTM's 0.016 was the best in both.
    """
    return TrainConfig(
        **TRAINED_BY[setting.method],
        epsilon=setting.epsilon,
        delta=DELTA,
        clip_norm=0.3 if setting.method == "edp-sgd" else 1.0,
        epochs=EPOCHS[setting.corpus],
        batch_size=512,
        learning_rate=0.016,
        micro_batches=setting.micro_batches,
        layerwise="flat" if setting.rule == "automatic" else setting.rule,
        automatic=setting.rule == "automatic",
        noise_decay=setting.noise_decay,
        seed=setting.seed,
    )


def prepare(corpus: datasets.DatasetDict) -> tuple[Vocabulary, dict[str, Examples]]:
    """Return the vocabulary of hashed words, which looks at no utterance, and every split encoded with it."""
    vocabulary = Vocabulary.hashed(corpus, buckets=BUCKETS)
    return vocabulary, vocabulary.encode_corpus(corpus)


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one setting on `corpus` and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``model``, ``method``, ``epsilon`` (target), ``micro_batches`` (K of eDP-SGD, else 0),
        ``rule``, ``noise_decay`` and ``seed``; on the test split ``accuracy``, ``accuracy_rare`` (on the quarter
        of the intents with the fewest training utterances) and ``slot_f1``; ``epsilon_spent``, ``noise_multiplier``
        (of the last step), ``clipped`` and ``seconds`` of the training; ``answers``, the intents predicted for
        :func:`shown`, joined by "|".
    """
    check(setting)
    vocabulary, data = prepare(corpus)
    model = build(setting.model, vocabulary, seed=setting.seed)
    *_, last = train(model, data, recipe(setting))
    intents, tags = predict(model, data["test"])
    right = [guess == said for guess, said in zip(intents, corpus["test"]["intent"], strict=True)]
    rare = rare_intents(corpus)
    right_of_rare = [is_right for is_right, said in zip(right, corpus["test"]["intent"], strict=True) if said in rare]
    yield {
        **setting.key(),
        "accuracy": _share(right),
        "accuracy_rare": _share(right_of_rare),
        "slot_f1": entity_f1(corpus["test"]["slots"], tags),
        "epsilon_spent": last["epsilon"],
        "noise_multiplier": last["noise_multiplier"],
        "clipped": last["clipped"],
        "seconds": last["seconds"],
        "answers": "|".join(intents[i] for i in shown(corpus)),
    }


def shown(corpus: datasets.DatasetDict) -> list[int]:
    """Return the first short test utterances of different intents: the ones a reader sees answered."""
    found: dict[str, int] = {}
    for i, row in enumerate(corpus["test"]):
        if 4 <= len(row["tokens"]) <= 8 and len(found) < SHOWN:
            found.setdefault(row["intent"], i)
    return list(found.values())


def _share(outcomes: Sequence[bool]) -> float:
    """Return the share that is true; NaN of none."""
    return sum(outcomes) / len(outcomes) if outcomes else math.nan


__getattr__ = old_names(__name__, {"Cell": "Setting"})
