"""What notebook 12 finds on SNIPS and ATIS, as pictures: leaks next to accuracy, and who is found. No text is shown."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from trustlab.course.baselines import MAJORITY, TFIDF
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n12_membership_inference import ENCODER, EXPERIMENT
from trustlab.course.n12_membership_inference.claims import measure
from trustlab.course.n12_membership_inference.encoder_attack import CORPORA
from trustlab.course.n12_membership_inference.encoder_attack_search import SIZES
from trustlab.course.n12_membership_inference.experiment import TRAINED_SIZES, WHO
from trustlab.course.n12_membership_inference.results import AT_ONE_IN_A_HUNDRED, SHARE
from trustlab.course.n12_membership_inference.who_leaks import KINDS
from trustlab.lab import finding
from trustlab.lab.display import per_cent
from trustlab.lab.finding import Finding
from trustlab.lab.saved import CORPUS_NAMES, means_over, numbers, over_seeds, saved_over, select

TRAININGS = (("sgd", math.inf, "SGD"), *(("dp-sgd", e, f"DP-SGD, ε = {e:g}") for e in (16.0, 2.0, 0.5)))
MODELS = {"perceptron": EXPERIMENT, "heads": ENCODER}
QUARTERS = ("rarest quarter", "commonest quarter")
Row = dict[str, Any]


def sizes(model: str, corpus: str) -> dict[str, int]:
    """Return the column that chooses the trainings shown: of the perceptron's sizes the larger."""
    return {"size": TRAINED_SIZES[-1] if model == "perceptron" else SIZES[corpus]}


def leak_and_use_on_real() -> list[Row]:
    """Return accuracy and what LiRA finds of both models on both corpora, and what the most frequent intent reaches."""
    rows = []
    for corpus in CORPORA:
        for model, experiment in MODELS.items():
            table, at = experiment.table(corpus), sizes(model, corpus)
            for method, epsilon, name in TRAININGS:
                where = dict(method=method, epsilon=epsilon, **at)
                frequent = experiment.where(corpus, method=MAJORITY, **at)["accuracy"]
                rows.append({
                    "training": f"{CORPUS_NAMES[corpus]}, {model}: {name}",
                    "utterances": int(at["size"]),
                    "accuracy": float(experiment.by_seed("accuracy", corpus, **where).mean()),
                    "members found": float(measure(table, AT_ONE_IN_A_HUNDRED, **where).mean()),
                    "AUC": float(measure(table, "auc", **where).mean()),
                    "most frequent intent": float(frequent.iloc[0]),
                })  # fmt: skip
    return rows


def on_real_corpora() -> Finding:
    """Draw accuracy and what LiRA finds of both models on SNIPS and ATIS."""
    rows = leak_and_use_on_real()
    small, shipped, *_ = (row for row in rows if row["training"].endswith("SGD"))
    frequent = rows[-1]["most frequent intent"]
    counted = float(ENCODER.where("snips", method=TFIDF)["accuracy"].iloc[0])
    useless = [row for row in rows if row["accuracy"] < row["most frequent intent"] + 0.01]
    return finding.dumbbells(
        rows,
        label="training",
        start="members found",
        end="accuracy",
        per_cent=True,
        x_label="members found at an FPR of 1 %, and utterances understood",
        title="And a model to ship, on real utterances?",
        verdict=f"On SNIPS, without privacy, a perceptron understands {per_cent(small['accuracy'])} and gives "
        f"{per_cent(small['members found'])} of its members away; heads on a frozen encoder, trained on half of the "
        f"corpus, {per_cent(shipped['accuracy'])} and {per_cent(shipped['members found'])} (words counted by tf-idf: "
        f"{per_cent(counted)} understood). On ATIS the most frequent intent alone is right in {per_cent(frequent)}: "
        f"{len(useless)} of these trainings understand no more, within {per_cent(0.01)}.",
        provenance=means_over(EXPERIMENT.saved(CORPORA[0])[1]),
    )


def by_rarity() -> Iterator[Row]:
    """Yield, of trainings without privacy, the share of members found of the rarest and of the commonest quarter."""
    for model, corpus in [("perceptron", EMBEDDED), *((model, corpus) for corpus in CORPORA for model in MODELS)]:
        runs = select(MODELS[model].table(corpus), method="sgd", **sizes(model, corpus))
        for kind, name in KINDS.items():
            quarters, accused = (numbers(runs[f"{measure}_by_{kind}"]) for measure in WHO)
            for place, which in zip((0, -1), QUARTERS, strict=True):
                yield {
                    "who": f"{CORPUS_NAMES[corpus]}, {model}: {name}",
                    "utterances": which,
                    **over_seeds(quarters[:, place], "members found", limits=SHARE),
                    "non-members accused": float(accused[:, place].mean()),
                }


def who_is_found() -> Finding:
    """Draw who is found without privacy: rare intents, rare words, rare names."""
    rows = list(by_rarity())
    found = {(row["who"], row["utterances"]): per_cent(row["members found"]) for row in rows}
    intents, names = (
        [found[f"{corpus}, perceptron: {KINDS[kind]}", which] for which in QUARTERS]
        for corpus, kind in (("ATIS", "intent"), ("SNIPS", "name"))
    )
    return finding.dots(
        rows,
        label="who",
        value="members found",
        low="low",
        high="high",
        series="utterances",
        x_label="members found at an FPR of 1 % over all",
        per_cent=True,
        title="Who is found?",
        verdict=f"On ATIS {intents[0]} of the quarter with the rarest intents are found, and {intents[1]} of that with "
        f"the commonest one; on SNIPS {names[0]} of the quarter with the rarest names, and {names[1]} of that with the "
        "commonest.",
        provenance=f"{saved_over(EXPERIMENT.saved()[1])}; SGD, LiRA online",
    )
