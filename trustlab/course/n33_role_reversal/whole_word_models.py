"""The small language models of notebook 33: a tokenizer of whole words, and a teacher of the generated texts."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.n33_role_reversal.working_people import people
from trustlab.fairness.swaps import counterfactual
from trustlab.models.batching import rectangle
from trustlab.models.perplexity import perplexity as of_tokens

if TYPE_CHECKING:
    import torch

PAD, UNKNOWN, START, END = "<pad>", "<unk>", "<s>", "</s>"
LONGEST = 24  # tokens; texts have at most 19
LAYERS, WIDTH, HEADS = 4, 64, 4
TRAIN, HELD_OUT = 4000, 600  # texts
STEPS, BATCH, RATE, WARM_UP = 450, 64, 3e-3, 30
EVERY = 20  # steps between two rows


def whole_words(texts: Sequence[str]) -> Any:
    """Return a fast tokenizer of ``transformers`` whose tokens are the words of `texts` and of their counterfactuals.

    Examples
    --------
    >>> tokenizer = whole_words(["she sings ."])
    >>> tokenizer.convert_ids_to_tokens(tokenizer("he sings well")["input_ids"])
    ['<s>', 'he', 'sings', '<unk>', '</s>']
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = {word for text in texts for each in (text, counterfactual(text).text) for word in each.split()}
    ids = {word: place for place, word in enumerate((PAD, UNKNOWN, START, END, *sorted(words)))}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    ends = [(START, ids[START]), (END, ids[END])]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{START} $A {END}", special_tokens=ends)
    named = {"pad_token": PAD, "unk_token": UNKNOWN, "bos_token": START, "eos_token": END}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=LONGEST, **named)


def texts_of(seed: int, *, skew: float = 1.0) -> list[str]:
    """Return the texts that teacher and students of a seed learn from."""
    return people(TRAIN, np.random.default_rng([seed, 33]), skew=skew).texts


def held_out(seed: int, *, skew: float = 1.0) -> list[str]:
    """Return texts of the same world that no model learns from."""
    return people(HELD_OUT, np.random.default_rng([seed, 34]), skew=skew).texts


def training(texts: Sequence[str], tokenizer: Any, *, steps: int = STEPS, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Train a teacher on the next words of `texts`, and yield rows; the last one has the ``teacher``.

    Parameters
    ----------
    texts, tokenizer
        Of :func:`whole_words`.
    steps
        Of AdamW; its rate rises over the first 30 and falls linearly to 0.
    seed
        Of first weights and batches.

    Yields
    ------
    dict
        ``step``, ``loss`` in nats per word, ``progress``.

    Examples
    --------
    >>> texts = ["she sings .", "he plays ."]
    >>> *_, last = training(texts, whole_words(texts), steps=2)
    >>> last["step"], last["teacher"].config.n_layer
    (2, 4)
    """
    import torch

    ids = rectangle(tokenizer(list(texts))["input_ids"], tokenizer.pad_token_id)  # [N, T]
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model = _new(len(tokenizer))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / WARM_UP) * (1 - step / steps))
    for step in range(1, steps + 1):
        batch = ids[torch.from_numpy(rng.integers(len(ids), size=BATCH))]
        loss = _losses(model, batch[:, : int((batch > 0).sum(1).max())]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
        if step % EVERY == 0 or step == steps:
            row = {"step": step, "loss": loss.item(), "progress": step / steps}
            yield {**row, "teacher": model.eval()} if step == steps else row


@functools.lru_cache(maxsize=8)
def teacher_of(seed: int) -> tuple[Any, Any]:
    """Return the teacher of a seed and its tokenizer, trained once a process: about 20 seconds on a core."""
    texts = texts_of(seed)
    tokenizer = whole_words(texts)
    *_, last = training(texts, tokenizer, steps=STEPS, seed=seed)
    return last["teacher"], tokenizer


def perplexity(model: Any, tokenizer: Any, texts: Sequence[str]) -> float:
    """Return exp of the mean loss per word, the end of a text included."""
    return of_tokens(model, tokenizer(list(texts))["input_ids"])


def _new(words: int) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=words,
            n_positions=LONGEST,
            n_embd=WIDTH,
            n_head=HEADS,
            n_layer=LAYERS,
            # No dropout: a run depends on its seed alone.
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            pad_token_id=0,
            bos_token_id=2,
            eos_token_id=3,
        )
    )


def _losses(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Return the losses of all words but padding, which is 0 and comes last: nothing attends to it."""
    from torch.nn import functional as F

    following = ids[:, 1:]
    logits = model(input_ids=ids[:, :-1], attention_mask=(ids[:, :-1] > 0).long()).logits
    return F.cross_entropy(logits.transpose(1, 2), following, reduction="none")[following > 0]
