"""An upper layer of a pretrained encoder, trained on the states that its frozen lower layers give to sub-tokens.

What the lower layers say never changes while they are frozen, so it is computed once; each pass then runs through the
trained layers alone. :mod:`trustlab.models.hidden_states` does the same for heads, with one state for each word; a
layer of the encoder was trained on sub-tokens, special ones among them, and reads those.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from trustlab.models.batching import batches, evaluating
from trustlab.models.encoder import offline_encoder
from trustlab.models.hidden_states import TOKENS
from trustlab.models.pretrained import load_encoder
from trustlab.models.state_tagger import StateTagger
from trustlab.models.vocabulary import Examples
from trustlab.places import model_name


def token_states(examples: Examples, encoder: nn.Module) -> Examples:
    """Return `examples` with the state of each sub-token for its id: ``input_ids`` is float16 [N, T, D].

    Parameters
    ----------
    examples
        What a :class:`trustlab.models.SubwordVocabulary` encoded, [N, T].
    encoder
        What :func:`trustlab.models.hidden_states.lower_layers` returned.

    Returns
    -------
    examples
        With states after the encoder's last block, zero after an utterance's last sub-token.
    """
    lengths = examples.attention_mask.sum(1)
    states = torch.zeros(*examples.input_ids.shape, encoder.config.hidden_size, dtype=torch.float16)
    with evaluating(encoder):
        for rows in map(torch.from_numpy, batches(lengths.tolist(), TOKENS)):
            part = examples[rows]  # cut to the longest among them
            found = encoder(input_ids=part.input_ids, attention_mask=part.attention_mask.long()).last_hidden_state
            states[rows, : found.shape[1]] = (found * part.attention_mask.unsqueeze(-1)).half()
    return dataclasses.replace(examples, input_ids=states)


class UpperLayers(nn.Module):
    """Pretrained layers that go on from given states, with the heads of :class:`trustlab.models.StateTagger`.

    Parameters
    ----------
    intents, slots
        Numbers of intents and slot tags.
    after
        After how many of the encoder's blocks the states were taken, from 0.
    layers
        How many of the blocks that follow are trained, from 0: the heads alone.
    encoder
        A ``transformers`` name or a folder of a BERT; None is the offline encoder.

    Raises
    ------
    ValueError
        If the encoder has fewer blocks.

    Examples
    --------
    >>> from trustlab.models import SubwordVocabulary
    >>> from trustlab.models.hidden_states import lower_layers
    >>> vocabulary = SubwordVocabulary(intents=("play",), slots=("O",))
    >>> said = vocabulary.encode([{"tokens": ["play", "jazz"], "slots": ["O", "O"], "intent": "play"}])
    >>> states = token_states(said, lower_layers(None, 3))
    >>> intent, slots = UpperLayers(1, 1, after=3, layers=1)(states.input_ids, states.attention_mask)
    >>> intent.shape, slots.shape  # two words between two special tokens
    (torch.Size([1, 1]), torch.Size([1, 4, 1]))
    """

    def __init__(self, intents: int, slots: int, *, after: int, layers: int, encoder: str | None = None) -> None:
        super().__init__()
        whole = load_encoder(model_name(encoder) if encoder else offline_encoder())
        blocks = max((each for each in whole.modules() if isinstance(each, nn.ModuleList)), key=len)
        if min(after, layers) < 0 or after + layers > len(blocks):
            raise ValueError(
                f"Expected after={after} and layers={layers} from 0 and together at most {len(blocks)}, as many blocks "
                "as the encoder has. States after one block are the input of the next."
            )
        self.settings = dict(intents=intents, slots=slots, after=after, layers=layers, encoder=encoder)
        self.blocks = blocks[after : after + layers]
        for module in self.blocks.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # a run is to depend on its seed and its noise alone
        self.heads = StateTagger(whole.config.hidden_size, intents, slots)

    def forward(self, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return intent logits [B, I] and slot logits [B, T, S] of `states` [B, T, D]."""
        states, length = states.float(), mask.shape[1]
        seen = mask[:, None, None, :].expand(-1, 1, length, length)  # [B, 1, T, T]: tokens attend where `mask` is True
        for block in self.blocks:
            states = block(states, attention_mask=seen)
        return self.heads(states, mask)
