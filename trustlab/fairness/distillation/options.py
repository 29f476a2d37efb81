"""Options of a distillation with reversed roles."""

from __future__ import annotations

from dataclasses import dataclass

from trustlab.config import option
from trustlab.fairness.distillation.reversal import REVERSALS
from trustlab.fairness.distillation.student import LAYERS

PREDICTIONS = ("kept", "computed again")
PRECISION = ("float32", "bfloat16")


@dataclass(frozen=True)
class DistillOptions:
    """Options of :func:`~trustlab.fairness.distillation.distill`.

    Examples
    --------
    >>> DistillOptions(reversal="expectation", steps=200).exchange
    True
    """

    augmentation: float = option(
        0.0, label="Augmentation", help="Share of the texts whose counterfactual is added to them.", low=0, high=1
    )
    reversal: str = option(
        "none", label="Reversal", help="What becomes of the teacher's two predictions.", values=REVERSALS
    )
    exchange: bool = option(
        True,
        label="Exchange words",
        help="Read the swapped text's prediction back with the words exchanged; False takes it as it is.",
        values=(True, False),
    )
    temperature: float = option(
        1.0,
        label="Temperature",
        help="Divides both models' logits in the divergence; above 1 small ones count.",
        above=0,
    )
    alpha: float = option(
        0.5, label="Teacher's weight", help="Of the divergence from the teacher; the rest is the text's.", low=0, high=1
    )
    learning_rate: float = option(1e-3, label="Rate", help="Adam's largest; it falls linearly to 0.", above=0)
    batch_size: int = option(16, label="Batch", help="Texts per step.", low=1)
    steps: int = option(100, label="Steps", help="Steps of the optimizer.", low=1)
    max_length: int = option(32, label="Longest text", help="Longer texts are cut.", unit="tokens", low=2)
    layers: str = option("even", label="Layers", help="Which of the teacher's layers the student gets.", values=LAYERS)
    predictions: str = option(
        "kept", label="Predictions", help="Keep the teacher's, or compute them again for each step.", values=PREDICTIONS
    )
    top: int = option(
        0, label="Words kept", help="Likeliest words that the divergence sees singly, the rest as one; 0: all.", low=0
    )
    precision: str = option(
        "float32", label="Precision", help="Of the matrix products; weights stay in single.", values=PRECISION
    )
    row_every: int = option(10, label="Rows", help="Steps between two rows.", low=1)
    seed: int = option(0, label="Seed", help="Of added texts, batches and dropout.", low=0)
