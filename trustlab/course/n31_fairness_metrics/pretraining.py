"""A small masked language model, trained here on given sentences, so that its bias is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.models.batching import rectangle

if TYPE_CHECKING:
    import torch

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LONGEST = 32  # positions: sentences here have half as many words
STEPS, WARM_UP = 400, 30


def whole_words(sentences: Sequence[str], *, most: int | None = None, longest: int = LONGEST) -> Any:
    """Return a fast tokenizer of ``transformers`` whose tokens are the words of `sentences`.

    A word is one token, so every metric can predict it with one mask.

    Parameters
    ----------
    sentences
        The training text.
    most
        Keep so many words, the most frequent; others are "[UNK]". None keeps all.
    longest
        Tokens that a text may have, special ones included: the positions of a model made by :func:`pretrain`.

    Examples
    --------
    >>> tokenizer = whole_words(["my sister sings ."])
    >>> tokenizer.tokenize("My sister swims.")
    ['my', 'sister', '[UNK]', '.']
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    split = pre_tokenizers.Whitespace()
    counts = Counter(word for text in sentences for word, _ in split.pre_tokenize_str(text.lower()))
    words = sorted(sorted(counts, key=lambda word: (-counts[word], word))[:most])
    ids = {word: place for place, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), split
    ends = [("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    named = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=longest, **named)


def pretrain(sentences: Sequence[str], tokenizer: Any, **options: Any) -> torch.nn.Module:
    """Train a BERT to guess masked words, and return it in evaluation mode.

    Parameters
    ----------
    sentences, tokenizer, **options
        As for :func:`pretraining`.
    """
    *_, model = pretraining(sentences, tokenizer, **options)
    return model.eval()


def pretraining(
    sentences: Sequence[str],
    tokenizer: Any,
    *,
    width: int = 64,
    layers: int = 1,
    dropout: float = 0.0,
    steps: int = STEPS,
    batch_size: int = 64,
    learning_rate: float = 5e-3,
    seed: int = 0,
) -> Iterator[torch.nn.Module]:
    """Train a BERT to guess masked words, and yield it after each step; it is the same model, some steps further.

    Two things make seconds of training enough. One random word of each sentence is masked: in short sentences, more
    masks would hide most pairs of words. And word embeddings start as co-occurrence vectors under a random rotation:
    from random ones, the relations between words were not learned in five times as many steps. The learning rate rises
    over the first 30 steps and falls linearly to 0.

    Parameters
    ----------
    sentences, tokenizer
        The training text and its tokenizer; longer sentences are cut to the tokenizer's length.
    width, layers
        Of the encoder; 4 heads, a feed-forward layer twice as wide.
    dropout
        In the encoder while it is trained.
    steps, batch_size, learning_rate
        Of AdamW.
    seed
        Of first weights, order, masks and dropout.
    """
    import torch
    from torch.nn import functional as F

    rows = tokenizer(list(sentences), truncation=True)["input_ids"]
    ids = rectangle(rows, 0)  # [N, T]
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        vectors = co_occurrence_vectors(rows, len(tokenizer), width, rng)
        model = _bert(vectors, layers, dropout, tokenizer.model_max_length)
        optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.98))
        rate = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1, (step + 1) / WARM_UP) * (1 - step / steps)
        )
        for _ in range(steps):
            batch = ids[torch.from_numpy(rng.integers(len(ids), size=batch_size))]
            batch = batch[:, : int((batch > 0).sum(1).max())]
            each, places = torch.arange(len(batch)), _one_word_each(batch, rng)
            shown = batch.clone()
            shown[each, places] = tokenizer.mask_token_id
            states = model.bert(shown, attention_mask=batch > 0).last_hidden_state[each, places]  # [B, D]
            loss = F.cross_entropy(model.cls(states), batch[each, places])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rate.step()
            yield model


def co_occurrence_vectors(
    rows: Sequence[Sequence[int]], words: int, width: int, rng: np.random.Generator
) -> np.ndarray:
    """Return first vectors of the words, float64 [words, width]: positive pointwise mutual information, factorised.

    Levy and Goldberg (2014) show that word2vec factorises nearly the same matrix. Two words co-occur when a
    sentence contains both.

    Parameters
    ----------
    rows
        Token ids of each sentence.
    words, width
        Size of the vocabulary, and of a vector.
    rng
        Rotates the vectors, so that models differ; those of special tokens are random.
    """
    has = np.zeros((len(rows), words))
    for place, row in enumerate(rows):
        has[place, [token for token in row if token >= len(SPECIAL)]] = 1
    together = has.T @ has
    np.fill_diagonal(together, 0)
    alone = together.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.log(together * together.sum() / np.outer(alone, alone))
    left, size, _ = np.linalg.svd(np.where(np.isfinite(information), np.maximum(information, 0), 0))
    turn, _ = np.linalg.qr(rng.standard_normal((width, width)))
    kept = min(width, words)
    vectors = (left[:, :kept] * np.sqrt(size[:kept])) @ turn[:kept]
    vectors[: len(SPECIAL)] = rng.standard_normal((len(SPECIAL), width))
    return 0.2 * np.sqrt(width) * vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _bert(vectors: np.ndarray, layers: int, dropout: float, positions: int) -> Any:
    """Return a BERT whose word embeddings start as `vectors` [V, D]; its output weights are tied to them."""
    import torch
    from transformers import BertConfig, BertForMaskedLM

    words, width = vectors.shape
    config = BertConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=2 * width,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        max_position_embeddings=positions,
        initializer_range=0.05,  # a quarter of a word's entries: at first, the word matters more than its position
    )
    model = BertForMaskedLM(config).train()
    with torch.no_grad():
        model.bert.embeddings.word_embeddings.weight.copy_(torch.from_numpy(vectors))
    return model


def _one_word_each(batch: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Return the place of one word of each row, int [B], uniformly at random; special tokens are no words."""
    import torch

    chance = torch.from_numpy(rng.random(batch.shape))
    return chance.masked_fill(batch < len(SPECIAL), -1.0).argmax(1)
