"""What is claimed of the encoder, for a reader who has to ship: heads on it frozen, and what a trained layer adds."""

from __future__ import annotations

from typing import Any

import pandas

from trustlab.course.n11_dp_sgd_vs_edp_sgd import layers_experiment
from trustlab.course.n11_dp_sgd_vs_edp_sgd.encoder_experiment import result_name
from trustlab.course.n11_dp_sgd_vs_edp_sgd.encoder_search import BUDGET, EPOCHS
from trustlab.lab.saved import select
from trustlab.results import Reader, read_results

SETUP = f"SNIPS, tuned on the embedded corpus with {BUDGET} trials for each ε, {EPOCHS.values[-1]} passes, 5 seeds"
UNLESS = "more passes, other layers of the encoder, or training some of it"
INTENTS, SLOTS, PLAIN_SLOTS = 0.96, 0.85, 0.93  # of people who would ship it


def claims_of_encoder(read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims`; they are about SNIPS, whatever a notebook has loaded."""
    table = read(result_name("snips"))[0]
    heads = "(Ours) Linear heads on a frozen encoder"
    targets = [
        (f"{heads} recognise 96 % of intents at ε = 3", _scores(table, "fast", 3.0, "accuracy"), INTENTS),
        (f"{heads} reach a slot F1 of 0.85 at ε = 3", _scores(table, "fast", 3.0, "slot_f1"), SLOTS),
        (
            f"{heads} reach a slot F1 of 0.93 without privacy",
            _scores(table, "sgd", float("inf"), "slot_f1"),
            PLAIN_SLOTS,
        ),
    ]
    rows = [{"claim": claim, "values": list(values), "above": bar} for claim, values, bar in targets]
    return [{**row, "setup": SETUP, "unless": UNLESS} for row in rows]


def claims_of_layers(read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the row for :func:`trustlab.lab.claims.claims` about what a trained layer adds; it is about SNIPS."""
    table = read(layers_experiment.result_name("snips"))[0]
    reached = select(table, method=layers_experiment.LAYER).set_index("seed")["slot_f1"].sort_index()
    return [
        {
            "claim": "(Ours) An encoder whose fourth layer is trained reaches a slot F1 of 0.93 without privacy",
            "values": list(reached),
            "above": PLAIN_SLOTS,
            "setup": "SNIPS, three layers frozen, rate of seven and best pass by its validation split, "
            f"{layers_experiment.EPOCHS['snips']} passes, 5 seeds",
            "unless": "noise, which this training has none of",
        }
    ]


def _scores(table: pandas.DataFrame, method: str, epsilon: float, measure: str) -> pandas.Series:
    """Return one measure by seed."""
    return select(table, method=method, epsilon=epsilon).set_index("seed")[measure].sort_index()
