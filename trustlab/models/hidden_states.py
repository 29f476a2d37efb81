"""The states that a frozen encoder gives to words: computed once, then an ordinary input of small models.

What an encoder that is not trained says of a sentence never changes, so every epoch after the first would compute it
again. Here it is computed once; a training of heads on it takes seconds instead of minutes. The encoder was trained on
public text and sees each sentence by itself, so its states of a sentence cost no ε: they are that sentence, written
otherwise.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from trustlab.models.batching import batches, evaluating
from trustlab.models.encoder import SubwordVocabulary, offline_encoder
from trustlab.models.pretrained import load_encoder
from trustlab.models.vocabulary import IGNORE, Examples
from trustlab.places import model_name

TOKENS = 4096  # in one forward pass, padding included


def word_states(
    examples: Examples, vocabulary: SubwordVocabulary, *, layer: int, encoder: nn.Module | None = None
) -> torch.Tensor:
    """Return the state of every word, float16 [words, D]: the mean over its sub-tokens.

    Parameters
    ----------
    examples
        What `vocabulary` encoded. A word begins at each sub-token that has a tag.
    layer
        After how many of the encoder's blocks; those above are not computed.
    encoder
        What :func:`lower_layers` returned for this `layer`, to load it once for several splits.

    Examples
    --------
    >>> vocabulary = SubwordVocabulary(intents=("play",), slots=("O",))
    >>> said = [{"tokens": ["play", "Sibelius"], "slots": ["O", "O"], "intent": "play"}]
    >>> word_states(vocabulary.encode(said), vocabulary, layer=2).shape
    torch.Size([2, 384])
    """
    model = encoder or lower_layers(vocabulary.encoder, layer)
    begins = examples.slots != IGNORE  # [N, T]
    word = begins.cumsum(1) - 1  # which word of its utterance a sub-token belongs to
    inside = examples.attention_mask & (word >= 0) & (examples.input_ids != vocabulary.tokenizer.sep_token_id)
    word += (begins.sum(1).cumsum(0) - begins.sum(1))[:, None]  # … and of all
    sums = torch.zeros(int(begins.sum()), model.config.hidden_size)
    lengths = examples.attention_mask.sum(1)
    with evaluating(model):
        for rows in map(torch.from_numpy, batches(lengths.tolist(), TOKENS)):
            longest = int(lengths[rows].max())
            ids, mask = examples.input_ids[rows, :longest], examples.attention_mask[rows, :longest]
            states = model(input_ids=ids, attention_mask=mask.long()).last_hidden_state  # [B, T, D]
            kept = inside[rows, :longest]
            sums.index_add_(0, word[rows, :longest][kept], states[kept])
    return (sums / torch.bincount(word[inside], minlength=len(sums))[:, None]).half()


def lower_layers(encoder: str | None, layer: int) -> nn.Module:
    """Load a pretrained encoder without what lies above its first `layer` blocks; None is the offline encoder."""
    model = load_encoder(model_name(encoder) if encoder else offline_encoder())
    blocks = max((each for each in model.modules() if isinstance(each, nn.ModuleList)), key=len)
    if not 1 <= layer <= len(blocks):
        raise ValueError(f"Expected layer={layer} between 1 and {len(blocks)}, as many as the encoder has.")
    del blocks[layer:]
    return model


def state_examples(examples: Examples, states: torch.Tensor) -> Examples:
    """Return the examples that :class:`trustlab.models.StateTagger` reads: a state and a tag for each word.

    Parameters
    ----------
    examples
        What a :class:`trustlab.models.SubwordVocabulary` encoded, [N, T].
    states
        What :func:`word_states` returned for them, [words, D].

    Returns
    -------
    examples
        With states [N, W, D] for ``input_ids``, zero after an utterance's last word.
    """
    begins = examples.slots != IGNORE
    counts = begins.sum(1)  # [N]
    if len(states) != (words := int(counts.sum())):
        raise ValueError(f"Expected the states of {words} words, got {len(states)}. They are of other examples.")
    mask = torch.arange(max(int(counts.max()), 1)) < counts[:, None]  # [N, W]
    filled = torch.zeros(*mask.shape, states.shape[1], dtype=states.dtype)
    tags = torch.full(mask.shape, IGNORE)
    filled[mask], tags[mask] = states, examples.slots[begins]
    return dataclasses.replace(examples, input_ids=filled, attention_mask=mask, slots=tags)
