"""Log-probabilities of tokens, from a masked language model or a causal one.

A masked model gives no probability of a sentence. Its *pseudo-log-likelihood* is the sum of log P(token | all others),
with one token masked at a time (Wang & Cho 2019; Salazar et al. 2020): as many inputs as tokens. Here the inputs of all
sentences go through the encoder together, sorted by length, and the output layer, which for a large vocabulary is most
of the work, is given the hidden state of the masked position only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustlab.fairness.batching import batches, evaluating, longest_input, padded

if TYPE_CHECKING:
    import torch

KINDS = ("masked", "causal")


class Question(NamedTuple):
    """What is asked of a masked model: the log-probability of each of `tokens` at `place` of `ids`, masked there."""

    ids: list[int]
    place: int
    tokens: list[int]


class LikelihoodScorer:
    """A language model that is asked for log-probabilities of tokens.

    Parameters
    ----------
    model
        A masked or causal language model of ``transformers``, or its name or folder.
    tokenizer
        Its fast tokenizer, if `model` is a model.
    kind
        "masked" or "causal"; None tells it from the model's class.
    batch_tokens
        Tokens that go through the model at once.

    Raises
    ------
    ValueError
        If the kind cannot be told, or a masked model's tokenizer has no mask.

    Examples
    --------
    >>> from transformers import BertConfig, BertForMaskedLM, AutoTokenizer
    >>> from trustlab.models import offline_encoder
    >>> config = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    >>> scorer = LikelihoodScorer(BertForMaskedLM(config), AutoTokenizer.from_pretrained(offline_encoder()))
    >>> scorer.kind, [len(each) for each in scorer.token_log_probabilities(["the cat", "a cat sat down"])]
    ('masked', [2, 4])
    """

    def __init__(self, model: Any, tokenizer: Any = None, *, kind: str | None = None, batch_tokens: int = 2048) -> None:
        if isinstance(model, str):
            model, tokenizer = _pretrained(model, kind)
        self.model, self.tokenizer, self.batch_tokens = model, tokenizer, batch_tokens
        self.kind = kind or _kind(model)
        if self.kind not in KINDS:
            raise ValueError(f"Expected kind={kind!r} to be one of {', '.join(map(repr, KINDS))}.")
        if self.kind == "masked" and tokenizer.mask_token_id is None:
            raise ValueError(
                f"Expected a tokenizer with a mask for a masked model, got {type(tokenizer).__name__} without one. "
                "Give the model's own tokenizer, or kind='causal' if it predicts from left to right."
            )

    def encode(self, text: str) -> list[int]:
        """Return the token ids of `text`, with the special tokens that the model wants around or in front of it."""
        ids = self.tokenizer(text, verbose=False)["input_ids"]
        start = self.tokenizer.bos_token_id
        # A causal model needs something before the first word, to say how likely that is.
        return [start, *ids] if self.kind == "causal" and start is not None and ids[:1] != [start] else ids

    def own(self, ids: Sequence[int]) -> list[int]:
        """Return the places of the tokens that are the text's own: not special, and, left to right, not the first.

        The first token of a causal model without a start token has no probability.
        """
        special = set(self.tokenizer.all_special_ids) - {self.tokenizer.unk_token_id}
        first = 1 if self.kind == "causal" else 0
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
            Which tokens of each text, as places in its ids; None asks for all its own, see :meth:`own`.

        Raises
        ------
        ValueError
            If a text is longer than the model can read.
        """
        rows = [self.encode(text) if isinstance(text, str) else list(text) for text in texts]
        self._refuse_long(rows)
        asked = [self.own(ids) for ids in rows] if places is None else [list(each) for each in places]
        if self.kind == "causal":
            return [each[np.array(where, int) - 1] for each, where in zip(self._causal(rows), asked, strict=True)]
        mask = self.tokenizer.mask_token_id
        questions = [
            Question([*ids[:place], mask, *ids[place + 1 :]], place, [ids[place]])
            for ids, where in zip(rows, asked, strict=True)
            for place in where
        ]
        ends = np.cumsum([len(where) for where in asked])
        return np.split(np.array([each[0] for each in self.answer(questions)]), ends[:-1]) if rows else []

    def _refuse_long(self, rows: Sequence[Sequence[int]]) -> None:
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

        self._refuse_long([each.ids for each in questions])
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
        return answers

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
    """Make `encoder` hand on one hidden state [B, 1, D] of each row.

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


def kind_of(model: Any) -> str | None:
    """Tell a masked from a causal language model, None for neither, by the lists ``transformers`` keeps of its classes.

    Parameters
    ----------
    model
        A model, or the name of its class, as its configuration's ``architectures`` has it.

    Examples
    --------
    >>> kind_of("BertForMaskedLM"), kind_of("GPT2LMHeadModel"), kind_of("BertModel")
    ('masked', 'causal', None)
    """
    from transformers.models.auto import modeling_auto

    names = {model} if isinstance(model, str) else {each.__name__ for each in type(model).__mro__}
    for kind, known in (
        ("masked", modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES),
        ("causal", modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES),
    ):
        if names & set(known.values()):
            return kind
    return None


def _kind(model: Any) -> str:
    if found := kind_of(model):
        return found
    raise ValueError(
        f"Expected a masked or causal language model of transformers, got {type(model).__name__}. An encoder without "
        'its language head predicts no words; for a class of your own say kind="masked" or "causal".'
    )


def _pretrained(name: str, kind: str | None) -> tuple[Any, Any]:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer
    from transformers.models.auto import modeling_auto

    masked = AutoConfig.from_pretrained(name).model_type in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    auto = AutoModelForMaskedLM if (kind == "masked" if kind else masked) else AutoModelForCausalLM
    return auto.from_pretrained(name), AutoTokenizer.from_pretrained(name)
