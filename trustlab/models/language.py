"""A small causal language model in GPT-2's shape, read with the same batches as the taggers."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from trustlab.models.taggers import check_heads, token_positions
from trustlab.models.vocabulary import IGNORE, Examples


class LanguageModel(nn.Module):
    """GPT-2 in small: transformers' own blocks, with output weights tied to the word embeddings.

    It is trained from scratch, and has what makes GPT-2 hard for per-example gradients: a weight that is used twice
    in one forward (as embedding and as output) and ``Conv1D`` layers, a Linear with its weight transposed.

    Parameters
    ----------
    words
        Size of the vocabulary, see :class:`trustlab.models.Vocabulary`.
    width, heads, layers
        State width D, attention heads (dividing D) and blocks.
    max_length
        Longest input in tokens; positions beyond it have no embedding.

    Examples
    --------
    >>> import torch
    >>> model = LanguageModel(words=100)
    >>> mask = torch.tensor([[True, True, True], [True, True, False]])
    >>> model(torch.tensor([[5, 6, 7], [5, 6, 0]]), mask).shape
    torch.Size([2, 3, 100])
    """

    def __init__(self, words: int, *, width: int = 128, heads: int = 4, layers: int = 4, max_length: int = 48) -> None:
        from transformers import GPT2Config, GPT2LMHeadModel

        super().__init__()
        check_heads(width, heads)
        self.settings = dict(words=words, width=width, heads=heads, layers=layers, max_length=max_length)
        config = GPT2Config(
            vocab_size=words,
            n_positions=max_length,
            n_embd=width,
            n_head=heads,
            n_layer=layers,
            # No dropout: a run is to depend on its seed and its noise alone.
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=None,
            eos_token_id=None,
            use_cache=False,
        )
        self.gpt2 = GPT2LMHeadModel(config)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [B, T, V] of the next token.

        Padding follows the real tokens, so no real token attends to it and `attention_mask` [B, T] has nothing to
        hide: it is here for the interface, and :func:`next_token_loss` leaves padding out.
        """
        positions = token_positions(input_ids, self.settings["max_length"])
        return self.gpt2(input_ids=input_ids, position_ids=positions).logits


def next_token_loss(model: nn.Module, batch: Examples) -> Tensor:
    """Per-example loss [B]: the mean cross entropy of an example's own next tokens, 0 where it has one token only.

    Like :func:`trustlab.models.tagging_loss`, each entry depends on its own example only.
    """
    logits = model(batch.input_ids, batch.attention_mask)[:, :-1]  # [B, T-1, V]
    following = batch.input_ids[:, 1:].masked_fill(~batch.attention_mask[:, 1:], IGNORE)  # [B, T-1]
    losses = F.cross_entropy(logits.transpose(1, 2), following, reduction="none", ignore_index=IGNORE)  # [B, T-1]
    return losses.sum(1) / (following != IGNORE).sum(1).clamp(min=1)
