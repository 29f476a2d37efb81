"""Log-probabilities of tokens, from a masked language model or a causal one.

A masked model gives no probability of a sentence. Its *pseudo-log-likelihood* is the sum of log P(token | all others),
with one token masked at a time (Wang & Cho 2019; Salazar et al. 2020): as many inputs as tokens. Here the inputs of all
sentences go through the encoder together, sorted by length, and the output layer, which for a large vocabulary is most
of the work, is given the hidden state of the masked position only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustlab.columns import as_indices, as_texts
from trustlab.fairness.likelihood.kinds import KINDS, checked_kind, pretrained
from trustlab.models.batching import batches, evaluating, longest_input, padded

if TYPE_CHECKING:
    import torch

# How far log P of one token moves, in nats, when its text shares a batch with others: sums are taken in another order.
# Measured with models of eight layers, then doubled or more: 2e-6 in single precision, 0.004 and 0.03 in float16 and
# bfloat16, which keep 11 and 8 bits of a logit.
NOISE = {"float64": 1e-12, "float32": 1e-5, "float16": 0.01, "bfloat16": 0.05}


class Question(NamedTuple):
    """The query to a masked model: the log-probability of each of `tokens` at `place` of `ids`, masked there."""

    ids: list[int]
    place: int
    tokens: list[int]


class LikelihoodScorer:
    """Log-probabilities of tokens from a language model.

    Parameters
    ----------
    model
        A masked or causal language model of ``transformers``, or its name or folder.
    tokenizer
        Its fast tokenizer, if `model` is a model.
    kind
        "masked" or "causal"; None takes it from the model's class.
    start
        What a causal model reads before the first word, which otherwise has no probability. "auto": the tokenizer's
        start token or, where it has none, its end-of-text token, as lm-evaluation-harness does; a token, such as
        ``"<|endoftext|>"``; "none": nothing, and the first token is left out. ``start`` reports the choice.
    batch_tokens
        Tokens per forward pass of the model.

    Attributes
    ----------
    start
        What stands before the first word, as results report it. Empty for a masked model.
    noise
        How far log P of a token may move with its batch, in nats, see :data:`NOISE`.

    Raises
    ------
    ValueError
        If the kind is unknown or not the model's, a checkpoint lacks weights (they would be random), a masked
        model's tokenizer has no mask, or a causal one's has nothing to start with.

    Examples
    --------
    >>> from transformers import BertConfig, BertForMaskedLM, AutoTokenizer
    >>> from trustlab.models import offline_encoder
    >>> config = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    >>> scorer = LikelihoodScorer(BertForMaskedLM(config), AutoTokenizer.from_pretrained(offline_encoder()))
    >>> scorer.kind, [len(each) for each in scorer.token_log_probabilities(["the cat", "a cat sat down"])]
    ('masked', [2, 4])
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        *,
        kind: str | None = None,
        start: str = "auto",
        batch_tokens: int = 2048,
    ) -> None:
        if kind not in (None, *KINDS):
            raise ValueError(f"Expected kind={kind!r} to be one of {', '.join(map(repr, KINDS))}.")
        if isinstance(model, str | os.PathLike):
            model, tokenizer = pretrained(model, kind)
        if tokenizer is None:
            raise ValueError(f"Expected the tokenizer of {type(model).__name__}, got none. Pass it after the model.")
        self.model, self.tokenizer, self.batch_tokens = model, tokenizer, batch_tokens
        self.kind = checked_kind(model, kind)
        if self.kind == "masked" and tokenizer.mask_token_id is None:
            raise ValueError(
                f"Expected a tokenizer with a mask for a masked model, got {type(tokenizer).__name__} without one. "
                "Give the model's own tokenizer, or kind='causal' if it predicts from left to right."
            )
        self._start_id, self.start = (None, "") if self.kind == "masked" else _start(tokenizer, start)
        dtype = next((each.dtype for each in model.parameters()), "")
        self.noise = NOISE.get(str(dtype).removeprefix("torch."), NOISE["float32"])

    def encode(self, text: str) -> list[int]:
        """Return the token ids of `text`, with the special tokens that the model wants around or in front of it."""
        (text,) = as_texts([text])
        ids = self.tokenizer(text, verbose=False)["input_ids"]
        start = self._start_id
        if start is None or ids[:1] == [start]:
            return ids
        # A tokenizer without a start token may put another special one in front, which does as well.
        begun = start != self.tokenizer.bos_token_id and self.own(ids[:1], first=0) == [] and bool(ids)
        return ids if begun else [start, *ids]

    def own(self, ids: Sequence[int], *, first: int | None = None) -> list[int]:
        """Return the places of the tokens that are the text's own: not special, and, left to right, not the first.

        The first token of what a causal model reads has no probability; `first` sets another place to begin with.
        """
        special = set(self.tokenizer.all_special_ids) - {self.tokenizer.unk_token_id}
        first = (1 if self.kind == "causal" else 0) if first is None else first
        return [place for place, token in enumerate(ids) if place >= first and token not in special]

    def token_log_probabilities(
        self, texts: Sequence[str | Sequence[int]], places: Sequence[Sequence[int]] | None = None
    ) -> list[np.ndarray]:
        """Return log P of the tokens of each text, float64 [tokens].

        Masked: each token given all others. Causal: each given those before it.

        Parameters
        ----------
        texts
            Texts, or their ids from :meth:`encode`.
        places
            Which tokens of each text, as places in its ids, from 0; a causal model's begin at 1, because nothing
            precedes place 0. None means all its own, see :meth:`own`.

        Raises
        ------
        ValueError
            If a text is longer than the model can read, a place is not in its text, or a log-probability is not finite.
        """
        rows = self._rows(texts)
        asked = [self.own(ids) for ids in rows] if places is None else self._places(rows, places)
        if self.kind == "causal":
            found = [each[np.array(where, int) - 1] for each, where in zip(self._causal(rows), asked, strict=True)]
            return self._finite(found)
        mask = self.tokenizer.mask_token_id
        questions = [
            Question([*ids[:place], mask, *ids[place + 1 :]], place, [ids[place]])
            for ids, where in zip(rows, asked, strict=True)
            for place in where
        ]
        ends = np.cumsum([len(where) for where in asked])
        return np.split(np.array([each[0] for each in self.answer(questions)]), ends[:-1]) if rows else []

    def _rows(self, texts: Sequence[str | Sequence[int]]) -> list[list[int]]:
        """Return the ids of each text, after refusing what the model cannot read."""
        if isinstance(texts, str | bytes):
            as_texts(texts)  # which says why it is refused
        rows = [
            self.encode(text) if isinstance(text, str) else as_indices(text, what="token id", repeats=True).tolist()
            for text in texts
        ]
        self._refuse_unreadable(rows)
        return rows

    def _places(self, rows: Sequence[Sequence[int]], places: Sequence[Sequence[int]]) -> list[list[int]]:
        """Return `places` as lists, after refusing those that point at no token, or at another's."""
        if len(places) != len(rows):
            raise ValueError(f"Expected places in each of {len(rows)} texts, got {len(places)}. Pass one per text.")
        asked = [
            as_indices(each, len(ids), "place", repeats=True).tolist() for ids, each in zip(rows, places, strict=True)
        ]
        if self.kind == "causal" and any(0 in each for each in asked):
            raise ValueError(
                "Expected places >= 1 for a causal model, got 0. Nothing precedes the first token, so it has no "
                "probability: use later places, or let the text begin with a start token."
            )
        return asked

    def _finite(self, found: list[np.ndarray]) -> list[np.ndarray]:
        bad = [i for i, each in enumerate(found) if not np.isfinite(each).all()]
        if bad:
            raise ValueError(
                f"Expected finite log-probabilities, got {found[bad[0]][~np.isfinite(found[bad[0]])][0]} (first: text "
                f"or question {bad[0]} of {len(found)}). The model's weights or logits are damaged, or too large for "
                f"{next(self.model.parameters()).dtype}; a word that is impossible (-inf) has no score to compare."
            )
        return found

    def _refuse_unreadable(self, rows: Sequence[Sequence[int]]) -> None:
        known = getattr(self.model.get_input_embeddings(), "num_embeddings", None)
        largest = max((max(ids) for ids in rows if len(ids)), default=0)
        if known is not None and largest >= known:
            raise ValueError(
                f"Expected token ids below {known}, which this model has, got {largest}. The tokenizer is not this "
                "model's, or has tokens that were added later: give the model's own."
            )
        limit, longest = longest_input(self.model, self.tokenizer), max(map(len, rows), default=0)
        if longest > limit:
            raise ValueError(
                f"Expected texts of at most {limit} tokens, which this model can read, got one of {longest}. A part of "
                "it would be another text with another score: leave it out, or take a model with more positions."
            )

    def answer(self, questions: Sequence[Question]) -> list[np.ndarray]:
        """Return the log-probabilities, float64 [tokens of the question], that a masked model answers with.

        Raises
        ------
        ValueError
            If a question is longer than the model can read.
        """
        import torch

        self._refuse_unreadable([each.ids for each in questions])
        for each in questions:
            as_indices([each.place], len(each.ids), "place")
        answers: list[np.ndarray] = [np.empty(0)] * len(questions)
        with evaluating(self.model) as device:
            for chosen in batches([len(each.ids) for each in questions], self.batch_tokens):
                asked = [questions[i] for i in chosen]
                batch = padded([each.ids for each in asked], self.tokenizer.pad_token_id)
                places = torch.tensor([each.place for each in asked], device=device)
                logits = _precise(self._logits_at(batch, places, device))  # [B, V]
                sizes = [len(each.tokens) for each in asked]
                rows = torch.arange(len(asked), device=device).repeat_interleave(torch.tensor(sizes, device=device))
                tokens = torch.tensor([token for each in asked for token in each.tokens], device=device)
                found = (logits[rows, tokens] - logits.logsumexp(1)[rows]).double().cpu().numpy()
                for i, values in zip(chosen, np.split(found, np.cumsum(sizes)[:-1]), strict=True):
                    answers[i] = values
        return self._finite(answers)

    def _logits_at(self, batch: dict[str, torch.Tensor], places: torch.Tensor, device: torch.device) -> torch.Tensor:
        """Return the logits [B, V] at one place of each row."""
        import torch

        inputs = {name: value.to(device) for name, value in batch.items()}
        rows = torch.arange(len(places), device=device)
        if getattr(self.model, "base_model", self.model) is self.model:
            return self.model(**inputs).logits[rows, places]
        with _only_states_at(self.model.base_model, rows, places):
            return self.model(**inputs).logits[:, 0]

    def _causal(self, rows: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """Return log P of each row's second token, third, …, each given those before it."""
        found: list[np.ndarray] = [np.empty(0)] * len(rows)
        with evaluating(self.model) as device:
            for chosen in batches([len(ids) for ids in rows], self.batch_tokens):
                if len(rows[chosen[-1]]) < 2:  # the longest: nothing here follows anything
                    continue
                batch = padded([rows[i] for i in chosen], self.tokenizer.pad_token_id)
                ids = batch["input_ids"].to(device)
                mask = batch["attention_mask"].to(device)
                logits = _precise(self.model(input_ids=ids, attention_mask=mask).logits[:, :-1])  # [B, T-1, V]
                of_next = logits.gather(2, ids[:, 1:, None])[..., 0] - logits.logsumexp(2)  # [B, T-1]
                for row, i in zip(of_next.double().cpu().numpy(), chosen, strict=True):
                    found[i] = row[: max(len(rows[i]) - 1, 0)]
        return found


def _precise(logits: torch.Tensor) -> torch.Tensor:
    """Return logits in single precision or better.

    bfloat16 keeps eight bits: log Σ exp taken in it is off by tenths of a nat in a sentence, and CrowS-Pairs calls 1e-6
    nats a preference. The logits themselves stay as rough as the model gave them.
    """
    import torch

    return logits.to(torch.promote_types(logits.dtype, torch.float32))


@contextmanager
def _only_states_at(encoder: torch.nn.Module, rows: torch.Tensor, places: torch.Tensor) -> Iterator[None]:
    """Make `encoder` pass on one hidden state [B, 1, D] of each row.

    The heads of masked models work on each position for itself, so the others are left out before the output layer.
    """

    def keep(module: torch.nn.Module, inputs: Any, output: Any) -> Any:
        output.last_hidden_state = output.last_hidden_state[rows, places][:, None]
        return output

    hook = encoder.register_forward_hook(keep)
    try:
        yield
    finally:
        hook.remove()


def _start(tokenizer: Any, asked: str) -> tuple[int | None, str]:
    """Return the id of what precedes the first word, None for nothing, and what it is in words."""
    if asked == "none":
        return None, "with nothing put in front, its first token left out"
    if asked != "auto":
        token = tokenizer.convert_tokens_to_ids(asked)
        if token is None or (token == tokenizer.unk_token_id and asked != tokenizer.unk_token):
            raise ValueError(f'Expected start={asked!r} to be "auto", "none" or a token of the tokenizer.')
        return token, f"after the token {asked!r}"
    if tokenizer.bos_token_id is not None:
        return tokenizer.bos_token_id, f"after the start token {tokenizer.bos_token!r}"
    if tokenizer.eos_token_id is not None:
        return (
            tokenizer.eos_token_id,
            f"after the end-of-text token {tokenizer.eos_token!r}; there is no start token",
        )
    raise ValueError(
        f"Expected a tokenizer with a start or an end-of-text token, got {type(tokenizer).__name__} with neither. A "
        "causal model then gives the first word no probability, and sentences that differ in it are compared without "
        'it: name a token as start=…, or pass start="none" to leave the first token out.'
    )
