"""Which architectures are right: what counts as right, and the committed table."""

import pytest
import torch
from torch import nn

from benchmarks import architectures
from benchmarks.architectures import WAYS, Recurrent, of_labels, verdict
from trustlab.privacy import private_gradients


def test_a_right_step_is_right_and_a_wrong_one_is_named(monkeypatch):
    torch.manual_seed(0)
    assert [verdict(Recurrent(nn.GRU), of_labels, way) for way in WAYS] == ["right"] * 3

    def wrong(model, *given, **options):
        private_gradients(model, *given, **options)
        model.out.bias.grad *= 1.01

    monkeypatch.setattr(architectures, "private_gradients", wrong)
    assert verdict(Recurrent(nn.GRU), of_labels, "fp32").startswith("WRONG, ")


def test_a_refusal_is_one_and_a_model_that_fails_by_itself_is_another():
    class Mixed(Recurrent):
        def forward(self, ids):
            return super().forward(ids) - super().forward(ids).mean(0)

    assert verdict(Mixed(nn.RNN), of_labels, "fp32").startswith("refused: Expected the examples of a batch to stay")


@pytest.mark.parametrize(
    "name", ["OPT", "T5", "Mixtral", "BioGpt", "XLNet", "Longformer", "weight_norm, torch.nn.utils"]
)
def test_models_that_were_refused_before_are_right(name):
    """One of each kind: tokens in one dimension, a bias for all examples, experts, one row of positions, batches in
    another dimension, shapes that depend on numbers, weights that are computed before a call.
    """
    made = {each: (make, loss) for _, each, make, loss in architectures.architectures()}
    make, loss = made[name]
    torch.manual_seed(0)
    assert verdict(make(), loss, "fp32") == "right"


def test_of_more_than_a_hundred_architectures_all_are_right_where_autograd_is():
    rows, about = architectures.read_rows()
    assert {row["architecture"] for row in rows} == {name for _, name, _, _ in architectures.architectures()}
    verdicts = [str(row[way]) for row in rows for way in WAYS]
    assert len(rows) >= 100 and verdicts.count("right") >= len(verdicts) - 1
    assert all(verdict == "right" or verdict.startswith("fails without us") for verdict in verdicts)
    assert architectures.PAGE.read_text(encoding="utf-8") == architectures.page(rows, about)
