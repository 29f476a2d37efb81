"""Joint intent and slot taggers with one interface.

``intent_logits [B, I], slot_logits [B, T, S] = model(input_ids [B, T], attention_mask [B, T])``. Padding never changes
what a real token gets, and no operation mixes examples, so every model here can be trained with per-example gradients.
B batch, T tokens, I intents, S slot tags, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from trustlab.models.vocabulary import IGNORE, PADDING, Examples


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """Average `states` [B, T, D] over the tokens where `mask` [B, T] is True: [B, D]."""
    weights = mask.unsqueeze(-1).to(states.dtype)  # [B, T, 1]
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1)


def check_heads(width: int, heads: int) -> None:
    """Raise ``ValueError`` where attention heads cannot share the state evenly."""
    if width % heads:
        raise ValueError(f"Expected heads={heads} to divide width={width}. Each head takes width / heads columns.")


def token_positions(input_ids: Tensor, max_length: int) -> Tensor:
    """Return the place of each token in its example, [B, T] as `input_ids`; refuse more than `max_length` tokens.

    There is a row for every example: per-example gradients need each input of a layer to have the batch dimension.
    """
    batch, length = input_ids.shape
    if length > max_length:
        raise ValueError(
            f"Expected at most max_length={max_length} tokens, got {length}. "
            "Encode with a vocabulary of the same max_length."
        )
    return torch.arange(length, device=input_ids.device).repeat(batch, 1)


class Heads(nn.Module):
    """The two outputs of every tagger: the intent from the mean state, a slot tag from each token's state."""

    def __init__(self, width: int, intents: int, slots: int) -> None:
        super().__init__()
        self.intent = nn.Linear(width, intents)
        self.slots = nn.Linear(width, slots)

    def forward(self, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Map `states` [B, T, D] to intent logits [B, I] and slot logits [B, T, S]."""
        return self.intent(masked_mean(states, mask)), self.slots(states)


class BiLSTMTagger(nn.Module):
    """Word embeddings and one bidirectional LSTM, a recurrent model for intents and slots.

    Parameters
    ----------
    words, intents, slots
        Sizes of the vocabulary, see :class:`trustlab.models.Vocabulary`.
    embedding, hidden
        Width of a word's embedding, and of the state in each direction.
    """

    def __init__(self, words: int, intents: int, slots: int, *, embedding: int = 48, hidden: int = 48) -> None:
        super().__init__()
        self.settings = dict(words=words, intents=intents, slots=slots, embedding=embedding, hidden=hidden)
        self.embedding = nn.Embedding(words, embedding, padding_idx=PADDING)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True, bidirectional=True)
        self.heads = Heads(2 * hidden, intents, slots)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return intent logits [B, I] and slot logits [B, T, S]."""
        # Packed, so that the backward direction starts at each utterance's last word and not in its padding.
        lengths = attention_mask.sum(1).cpu()
        packed = pack_padded_sequence(self.embedding(input_ids), lengths, batch_first=True, enforce_sorted=False)
        states, _ = self.lstm(packed)
        states, _ = pad_packed_sequence(states, batch_first=True, total_length=input_ids.shape[1])  # [B, T, 2H]
        return self.heads(states, attention_mask)


class TransformerTagger(nn.Module):
    """A small pre-norm transformer, trained from scratch.

    Parameters
    ----------
    words, intents, slots
        Sizes of the vocabulary, see :class:`trustlab.models.Vocabulary`.
    width, heads, layers
        State width D, attention heads (dividing D) and blocks.
    max_length
        Longest input in tokens; positions beyond it have no embedding.
    """

    def __init__(
        self,
        words: int,
        intents: int,
        slots: int,
        *,
        width: int = 64,
        heads: int = 4,
        layers: int = 2,
        max_length: int = 48,
    ) -> None:
        super().__init__()
        check_heads(width, heads)
        self.settings = dict(
            words=words, intents=intents, slots=slots, width=width, heads=heads, layers=layers, max_length=max_length
        )
        self.embedding = nn.Embedding(words, width, padding_idx=PADDING)
        self.position = nn.Embedding(max_length, width)
        # Small embeddings: the sum of word and position starts with about the scale that the first norm expects.
        nn.init.normal_(self.position.weight, std=0.1)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.heads = Heads(width, intents, slots)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return intent logits [B, I] and slot logits [B, T, S]."""
        positions = token_positions(input_ids, self.settings["max_length"])
        states = self.embedding(input_ids) + self.position(positions)  # [B, T, D]
        for block in self.blocks:
            states = block(states, attention_mask)
        return self.heads(self.norm(states), attention_mask)


class Block(nn.Module):
    """Self-attention and a feed-forward layer, each on normalised states and added to them."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm_feed = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Map `states` [B, T, D] to states of the same shape; tokens attend where `mask` [B, T] is True."""
        batch, length, width = states.shape
        qkv = self.qkv(self.norm_attention(states)).view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each [B, H, T, D/H]
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])  # [B, H, T, D/H]
        states = states + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return states + self.down(F.gelu(self.up(self.norm_feed(states))))


def tagging_loss(model: nn.Module, batch: Examples) -> Tensor:
    """Per-example loss [B]: cross entropy of the intent plus the mean over the example's own tags.

    Each entry depends on its own example only: not on the batch's size, nor on its padding. That is what
    makes the gradient of one entry *the* gradient of one example.
    """
    return loss_of_logits(model(batch.input_ids, batch.attention_mask), batch)


def loss_of_logits(logits: tuple[Tensor, Tensor], batch: Examples) -> Tensor:
    """Return :func:`tagging_loss` [B] from given logits."""
    intent_logits, slot_logits = logits
    intent = F.cross_entropy(intent_logits, batch.intents, reduction="none")  # [B]
    tags = F.cross_entropy(slot_logits.transpose(1, 2), batch.slots, reduction="none", ignore_index=IGNORE)  # [B, T]
    labelled = (batch.slots != IGNORE).sum(1).clamp(min=1)
    return intent + tags.sum(1) / labelled
