"""Posts of 20 Newsgroups as a learning problem: to tell which group a post is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from trustlab.course import intents
from trustlab.federated.simulation import Task
from trustlab.models import Examples, Vocabulary

if TYPE_CHECKING:
    import datasets

NO_WORD = "(no word)"  # the word of a post that has none
POST = 128  # words kept of a post


class WordCounts(nn.Module):
    """Multinomial logistic regression on hashed word counts over the square root of the post's length.

    From the mean embedding of a whole post an embedding bag learns nothing in a few hundred small steps; this does.
    """

    def __init__(self, words: int, groups: int) -> None:
        super().__init__()
        self.scores = nn.Embedding(words, groups, padding_idx=0)
        nn.init.zeros_(self.scores.weight)

    def forward(self, batch: Examples) -> Tensor:
        """Return the groups' logits [B, groups]."""
        mask = batch.attention_mask.unsqueeze(-1)  # [B, T, 1]
        return (self.scores(batch.input_ids) * mask).sum(1) / mask.sum(1).clamp(min=1).sqrt()


def task(corpus: datasets.DatasetDict, seed: int) -> Task:
    """Return the classification of posts by group, from the first :data:`POST` words; its first weights are zero."""
    groups = tuple(sorted(set(corpus["train"]["group"])))
    words = Vocabulary(intents=groups, slots=("O",), buckets=intents.BUCKETS, max_length=POST)
    data = {}
    for split in ("train", "test"):
        posts = zip(corpus[split]["tokens"], corpus[split]["group"], strict=True)
        said = (([word.lower() for word in tokens[:POST]] or [NO_WORD], group) for tokens, group in posts)
        data[split] = words.encode([_untagged(tokens, group) for tokens, group in said])
    model = WordCounts(words.size, len(groups))
    return Task(model, data["train"], data["test"], intents.intent_loss, intents.accuracy)


def _untagged(tokens: list[str], intent: str) -> dict[str, Any]:
    """Return a row for :meth:`Vocabulary.encode` whose tags are not used."""
    return {"tokens": tokens, "slots": ["O"] * len(tokens), "intent": intent}
