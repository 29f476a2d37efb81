"""The picture of what to ship: heads on the frozen encoder at each ε, next to the BiLSTM and the literature."""

from __future__ import annotations

from trustlab.course.n11_dp_sgd_vs_edp_sgd.encoder_results import (
    MEASURES,
    joint_bert,
    minutes_of_full_training,
    reached,
    seconds,
    seconds_of_states,
    what_to_ship,
)
from trustlab.lab.display import per_cent
from trustlab.lab.finding import Finding, dots
from trustlab.lab.saved import CORPUS_NAMES

EPSILON = 3.0


def to_ship(corpus: str = "snips") -> Finding:
    """Draw intents and slot F1 of each way at each ε, as committed; `corpus` is one that the literature knows."""
    intents, slots = (per_cent(reached(corpus, measure, EPSILON)) for measure in MEASURES)
    theirs = " and ".join(per_cent(joint_bert(corpus, measure), digits=3) for measure in MEASURES)
    verdict = (
        f"At ε = {EPSILON:g}, heads on the frozen encoder recognise {intents} of {CORPUS_NAMES[corpus]}'s intents, "
        f"with a slot F1 of {slots}. Their training took {seconds(corpus, EPSILON):.0f} s, after "
        f"{seconds_of_states(corpus):.0f} s for the states. To train the whole encoder would take about "
        f"{minutes_of_full_training(corpus):.0f} minutes; without privacy the literature reaches {theirs}."
    )
    return dots(
        what_to_ship(corpus),
        label="measured",
        value="score",
        low="low",
        high="high",
        series="way",
        x_label="share of 1",
        title=f"If you have to train privately tomorrow ({CORPUS_NAMES[corpus]})",
        verdict=verdict,
        provenance="saved, seeds 0–4",
    )
