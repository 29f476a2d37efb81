"""The BiLSTM with dropout, the usual remedy against learning sentences by heart; no guarantee comes with it."""

from __future__ import annotations

from torch import nn

from trustlab.models.spelling import DroppedHeads
from trustlab.models.taggers import BiLSTMTagger


class DroppedTagger(BiLSTMTagger):
    """A :class:`~trustlab.models.BiLSTMTagger` with dropout of the word embeddings and of the states, in training only.

    Parameters
    ----------
    words, intents, slots, embedding, hidden
        As of the BiLSTM.
    dropout
        Share of the numbers that a training step sets to 0.

    Examples
    --------
    >>> DroppedTagger(words=10, intents=2, slots=3).settings["dropout"]
    0.5
    """

    def __init__(
        self, words: int, intents: int, slots: int, *, embedding: int = 48, hidden: int = 48, dropout: float = 0.5
    ) -> None:
        super().__init__(words, intents, slots, embedding=embedding, hidden=hidden)
        self.settings["dropout"] = dropout
        self.embedding = nn.Sequential(self.embedding, nn.Dropout(dropout))
        self.heads = DroppedHeads(2 * hidden, intents, slots, dropout)
