"""What the adversary has: a trained tagger, a sentence with unknown words, and the candidates for them.

The adversary is open-box: it has the weights, and computes the model's own loss for any completion. Its side knowledge
is the prefix, the labels, the number of unknown words and the candidates for them (that a code is made of ten digits).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trustlab.models.batching import evaluating
from trustlab.models.utterances import word_list
from trustlab.models.vocabulary import IGNORE, UNKNOWN, Examples, Vocabulary

if TYPE_CHECKING:
    from trustlab.privacy.inversion.planted_codes import Canary

LOSSES = ("both", "intent", "slots")
AT_ONCE = 10_000  # completions in one forward pass


@dataclass(frozen=True, eq=False)
class Target:
    """A model and a sentence with n unknown words, each one of C candidates; :func:`target_of` makes and checks it.

    A completion is a *code*: n numbers of candidates. T tokens, D width of an input embedding, K codes.

    Attributes
    ----------
    model
        A tagger whose ``embedding`` turns the ids of a sentence into [.., T, D].
    sentence : Examples
        The one sentence; what its ids are at the unknown places does not matter.
    places : Tensor [n], int64
        The unknown places.
    ids : Tensor [C] or [C, 1 + L], int64
        Input ids of the candidates, with their characters where the model reads those.
    candidates
        The C words.
    """

    model: nn.Module
    sentence: Examples
    places: Tensor
    ids: Tensor
    candidates: tuple[str, ...]

    def losses(self, codes: Tensor) -> dict[str, Tensor]:
        """Return the model's losses [K], float64, of the completions `codes` [K, n], by the name of the loss."""
        parts = []
        with evaluating(self.model):
            for some in codes.split(AT_ONCE):
                batch = self._filled(some)
                parts.append(loss_parts(self.model(batch.input_ids, batch.attention_mask), batch))
        return {name: torch.cat([part[name] for part in parts]) for name in LOSSES}

    def embeddings(self) -> Tensor:
        """Return the input embedding of each candidate, E [C, D]: of a spelled model with what it reads of letters."""
        with evaluating(self.model):
            return self.model.embedding(self.ids[None])[0]

    def relaxed_losses(self, mixed: Tensor) -> dict[str, Tensor]:
        """Return the losses [K] where the unknown words have the input embeddings `mixed` [K, n, D].

        Gradients flow to `mixed`; the model runs as it does for users, without dropout.
        """
        batch = self._filled(torch.zeros(len(mixed), len(self.places), dtype=torch.long))

        def replaced(module: nn.Module, inputs: object, embedded: Tensor) -> Tensor:
            # Out of place: [K, T, D] with the columns of the unknown words from `mixed`.
            return embedded.detach().index_copy(1, self.places, mixed)

        hook = self.model.embedding.register_forward_hook(replaced)
        training = self.model.training
        self.model.eval()
        try:
            return loss_parts(self.model(batch.input_ids, batch.attention_mask), batch)
        finally:
            hook.remove()
            self.model.train(training)

    def words(self, code: Sequence[int] | Tensor) -> list[str]:
        """Return the words of one code."""
        return [self.candidates[int(number)] for number in code]

    def code(self, words: Sequence[str]) -> Tensor:
        """Return the numbers [n] of candidate `words`; refuse what is none, or another number of words."""
        said = word_list(words, "a completion")
        if len(said) != len(self.places):
            raise ValueError(f"Expected {len(self.places)} words, one for each unknown place, got {len(said)}.")
        numbers = {word: number for number, word in enumerate(self.candidates)}
        if strange := [word for word in said if word not in numbers]:
            raise ValueError(
                f"Expected words among the {len(numbers)} candidates, got {strange[0]!r}. The attack can only find "
                "what it looks for: add it to the candidates."
            )
        return torch.tensor([numbers[word] for word in said])

    def _filled(self, codes: Tensor) -> Examples:
        """Return the sentence with each of `codes` [K, n] in its unknown places."""
        count, one = len(codes), self.sentence
        ids = one.input_ids.repeat(count, *[1] * (one.input_ids.dim() - 1))
        ids[:, self.places] = self.ids[codes]
        return Examples(
            ids,
            one.attention_mask.repeat(count, 1),
            one.intents.repeat(count),
            one.slots.repeat(count, 1),
            one.intent_names,
            one.slot_names,
        )


def target_of(model: nn.Module, vocabulary: Vocabulary, canary: Canary, candidates: Sequence[str]) -> Target:
    """Return what an adversary attacks to find the secret of `canary`, of which only the number of words is used.

    Parameters
    ----------
    model
        A tagger of :mod:`trustlab.models` that embeds words: BiLSTM, transformer, with dropout or with characters.
    vocabulary
        The one that encoded its training split.
    canary
        Its prefix, its labels and the number of secret words.
    candidates
        The words that may stand at an unknown place, at least two.

    Raises
    ------
    ValueError
        If the model has no input embedding, a word is not in the vocabulary, two candidates have the same input, the
        canary's labels are unknown, or the sentence is cut.

    Examples
    --------
    >>> from trustlab.models import build
    >>> vocabulary = Vocabulary(intents=("keep",), slots=("O", "B-pin", "I-pin"), words=("pin", "one", "two"))
    >>> from trustlab.privacy.inversion.planted_codes import Canary
    >>> canary = Canary(("pin",), ("one", "two"), ("O", "B-pin", "I-pin"), "keep")
    >>> target = target_of(build("bilstm", vocabulary), vocabulary, canary, ("one", "two"))
    >>> target.losses(target.code(["two", "two"])[None])["both"].shape
    torch.Size([1])
    """
    if not isinstance(getattr(model, "embedding", None), nn.Module):
        raise ValueError(
            f"Expected a tagger with an input embedding (BiLSTM, transformer, spelled), got {type(model).__name__}. "
            "The attack mixes the embeddings of candidate words."
        )
    words = word_list(candidates, "the candidates")
    if len(words) < 2 or len(set(words)) < len(words):
        raise ValueError(f"Expected at least two distinct candidates, got {words}. One leaves nothing to find.")
    _check_known(vocabulary, [*canary.prefix, *canary.secret, *words])
    sentence = vocabulary.encode([canary.row()])
    length = len(canary.prefix) + canary.digits
    if sentence.attention_mask.shape[1] < length:
        raise ValueError(
            f"Expected a canary of at most max_length={vocabulary.max_length} tokens, got {length}. The end is cut."
        )
    rows = [{"tokens": [word], "slots": [vocabulary.slots[0]], "intent": vocabulary.intents[0]} for word in words]
    ids = vocabulary.encode(rows).input_ids[:, 0]
    if len(ids.unique(dim=0)) < len(words):
        raise ValueError(
            "Expected candidates with different inputs, got two that share a hash bucket. Use more buckets."
        )
    places = torch.arange(len(canary.prefix), length)
    return Target(model, sentence, places, ids, tuple(words))


def loss_parts(logits: tuple[Tensor, Tensor], batch: Examples) -> dict[str, Tensor]:
    """Return the loss of the intent, the mean loss of the tags, and their sum, float64 [B] each.

    The sum is :func:`trustlab.models.tagging_loss`. In float64, because a model that is sure has losses near 0 whose
    differences float32 rounds away.
    """
    intent_logits, slot_logits = (each.double() for each in logits)
    intent = F.cross_entropy(intent_logits, batch.intents, reduction="none")  # [B]
    tags = F.cross_entropy(slot_logits.transpose(1, 2), batch.slots, reduction="none", ignore_index=IGNORE)  # [B, T]
    slots = tags.sum(1) / (batch.slots != IGNORE).sum(1).clamp(min=1)
    return {"both": intent + slots, "intent": intent, "slots": slots}


def _check_known(vocabulary: Vocabulary, words: Sequence[str]) -> None:
    """Refuse words that the model has no embedding of: all unknown words look alike to it."""
    if vocabulary.buckets:
        return  # every word has a bucket
    known = set(vocabulary.words)
    if strange := [word for word in words if word not in known]:
        raise ValueError(
            f"Expected words of the model's vocabulary, got {strange[0]!r}. Unknown words share id {UNKNOWN}, so that "
            "the model cannot tell them apart: plant the canary, or its decoys, before the vocabulary is made."
        )
