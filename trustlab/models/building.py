"""Make a model by the name of its kind, with weights that a seed decides."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from trustlab.models.encoder import EncoderTagger, SubwordVocabulary
from trustlab.models.language import LanguageModel
from trustlab.models.taggers import BiLSTMTagger, TransformerTagger
from trustlab.models.vocabulary import Vocabulary

KINDS = {
    "bilstm": BiLSTMTagger,
    "transformer": TransformerTagger,
    "encoder": EncoderTagger,
    "language": LanguageModel,
}


def build(kind: str, vocabulary: Vocabulary | SubwordVocabulary, *, seed: int = 0, **settings: Any) -> nn.Module:
    """Make a model with weights drawn from `seed`, leaving torch's global CPU generator as it was.

    Parameters
    ----------
    kind
        ``"bilstm"``, ``"transformer"`` or ``"encoder"`` (pretrained, with a
        :class:`trustlab.models.SubwordVocabulary`) for a tagger; ``"language"`` for a causal language model.
    settings
        Options of the model's class.

    Examples
    --------
    >>> import torch
    >>> model = build("bilstm", Vocabulary(intents=("greet", "leave"), slots=("O",), buckets=100))
    >>> intent, slots = model(torch.ones(3, 5, dtype=torch.long), torch.ones(3, 5, dtype=torch.bool))
    >>> intent.shape, slots.shape
    (torch.Size([3, 2]), torch.Size([3, 5, 1]))
    """
    if kind not in KINDS:
        raise ValueError(f"Expected kind={kind!r} to be one of {', '.join(KINDS)}. Each names a model.")
    if (kind == "encoder") != isinstance(vocabulary, SubwordVocabulary):
        raise ValueError(
            f"Expected {'a SubwordVocabulary' if kind == 'encoder' else 'a Vocabulary'} with kind={kind!r}, got a "
            f"{type(vocabulary).__name__}. A pretrained encoder reads its own sub-tokens, the other models words."
        )
    sizes = {} if kind == "language" else dict(intents=len(vocabulary.intents), slots=len(vocabulary.slots))
    if kind != "encoder":
        sizes["words"] = vocabulary.size
    if kind in ("transformer", "language"):
        settings.setdefault("max_length", vocabulary.max_length)
    if kind == "encoder":
        settings.setdefault("encoder", vocabulary.encoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return KINDS[kind](**sizes, **settings)
