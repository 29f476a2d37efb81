"""Distillation with reversed roles: α T² KL(teacher ‖ student) + (1 − α) CE of the text's own next tokens.

The teacher's side of the divergence is what :mod:`~trustlab.fairness.distillation.reversal` makes of its predictions
for a text and for its counterfactual. Batches are drawn once, of like lengths, and each pass reads them in
another order: so what the teacher says of a batch can be kept.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trustlab.checkpoint import Checkpoint
from trustlab.config import check
from trustlab.fairness.distillation.exchange import Exchange
from trustlab.fairness.distillation.options import DistillOptions
from trustlab.fairness.distillation.roles import Role, read_roles
from trustlab.fairness.distillation.state import DistillState, identity
from trustlab.fairness.distillation.student import half_depth, student_of
from trustlab.fairness.distillation.targets import Target, Targets, log_softmax
from trustlab.fairness.likelihood.kinds import pretrained
from trustlab.fairness.swaps import OWN_PAIRS, WordPairs
from trustlab.models.batching import padded
from trustlab.models.fitting import CLIP_NORM, like_lengths

Row = dict[str, Any]


def distill(
    teacher: Any,
    student_config: Any,
    corpus: Sequence[str],
    *,
    tokenizer: Any = None,
    options: DistillOptions | None = None,
    pairs: WordPairs = OWN_PAIRS,
    names: Sequence[tuple[str, str]] = (),
    start: str | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int | None = None,
    **keywords: Any,
) -> Iterator[Row]:
    """Train a smaller language model on a teacher's predictions with reversed roles; yield rows.

    Parameters
    ----------
    teacher
        A causal language model of ``transformers``, which is left as it is; or a name or folder of one: ``"gpt2"``.
    student_config
        As :func:`~trustlab.fairness.distillation.student_of`; None is ``half_depth(teacher.config)``.
    corpus
        Texts.
    tokenizer
        The teacher's, a fast one; None for that of a teacher's name. A text is what it gives, special tokens included.
    options, keywords
        All options, or single ones by name: ``distill(..., reversal="mean", steps=50)``.
    pairs, names
        Which words are swapped, as :func:`~trustlab.fairness.swaps.counterfactual`.
    start
        A token, written out, that is put before every text.
    checkpoint
        A file that saves the training before each row; if it exists, the training resumes from it, and then equals an
        uninterrupted one bit for bit on the same machine and versions. Its rows are yielded again first.
    checkpoint_every
        Steps between further writes.

    Yields
    ------
    dict
        ``step``; ``loss``, ``kl`` (in nats, at the options' temperature, mean over places) and ``ce``, means since the
        last row; ``tokens`` learnt from so far; ``aligned``, the share of them that the divergence sees; ``seconds``;
        ``progress``. The last row has the ``student``.

    Raises
    ------
    ValueError
        Before any step: options out of range, what :func:`~trustlab.fairness.distillation.student_of` and
        :func:`~trustlab.fairness.distillation.read_roles` refuse, a model without a tokenizer, a name whose checkpoint
        lacks weights, a tokenizer with more words than the teacher, texts
        longer than the teacher reads, predictions that are too large to keep, a checkpoint that is damaged or of
        another training.

    Examples
    --------
    >>> from transformers import GPT2Config, GPT2LMHeadModel
    >>> from trustlab.fairness.distillation import half_depth
    >>> from trustlab.models.pretrained import encoder_and_tokenizer
    >>> _, tokenizer = encoder_and_tokenizer()
    >>> size = dict(n_embd=8, n_head=2, n_layer=2, bos_token_id=None, eos_token_id=None)
    >>> teacher = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **size))
    >>> texts = ["The woman sang.", "He plays."]
    >>> *_, last = distill(teacher, half_depth(teacher.config), texts, tokenizer=tokenizer, steps=3, reversal="mean")
    >>> last["step"], last["tokens"], last["student"].config.num_hidden_layers
    (3, 27, 1)
    """
    options = _options(options, keywords)
    _check_writing(checkpoint, checkpoint_every)
    teacher, tokenizer = _teacher(teacher, tokenizer)
    student_config = half_depth(teacher.config) if student_config is None else student_config
    student = student_of(teacher, student_config, layers=options.layers)
    _check_reading(teacher, tokenizer, options)
    reading = {name: getattr(options, name) for name in ("augmentation", "max_length", "seed")}
    roles = read_roles(corpus, tokenizer, start=start, pairs=pairs, names=names, **reading)
    exchange = Exchange(tokenizer, pairs=pairs, names=names) if options.exchange else None
    numbers, groups = _schedule([len(role.ids) for role in roles], options)
    batches = [[roles[i] for i in group] for group in groups]
    state = DistillState(student, options)
    targets = Targets(teacher, batches, options, exchange)
    if checkpoint is None:
        return _run(state, targets, numbers, options)
    kept = Checkpoint(Path(checkpoint), identity(options, teacher, student_config, roles, exchange))
    content = kept.read()
    if content is None:
        kept.write(state.to_dict())  # a file that cannot be written is found out before any step
    return _kept_run(state, targets, numbers, options, kept, content, checkpoint_every)


def _options(options: DistillOptions | None, keywords: dict[str, Any]) -> DistillOptions:
    """Return the options with single ones replaced, after checking them."""
    known = [field.name for field in fields(DistillOptions)]
    if unknown := [name for name in keywords if name not in known]:
        raise ValueError(f"Expected options of DistillOptions, got {unknown[0]!r}. There are {', '.join(known)}.")
    found = replace(options or DistillOptions(), **keywords)
    check(found)
    return found


def _teacher(teacher: Any, tokenizer: Any) -> tuple[Any, Any]:
    """Return the teacher, loaded if it is a name or a folder, and its tokenizer."""
    if isinstance(teacher, str | os.PathLike):
        teacher, own = pretrained(teacher, "causal")
        return teacher, own if tokenizer is None else tokenizer
    if tokenizer is None:
        raise ValueError(
            f"Expected the tokenizer of the teacher, got none with {type(teacher).__name__}. A model does not know its "
            'own: pass tokenizer=…, or the teacher\'s name, such as "gpt2", which has both.'
        )
    return teacher, tokenizer


def _check_writing(checkpoint: str | Path | None, every: int | None) -> None:
    if every is not None and checkpoint is None:
        raise ValueError("Expected a checkpoint with checkpoint_every, got none. It is how often that is written.")
    if every is not None and every < 1:
        raise ValueError(f"Expected checkpoint_every={every} >= 1: the steps between two writes of the checkpoint.")


def _check_reading(teacher: Any, tokenizer: Any, options: DistillOptions) -> None:
    words, longest = teacher.config.vocab_size, getattr(teacher.config, "max_position_embeddings", None)
    if len(tokenizer) > words:
        raise ValueError(
            f"Expected a tokenizer of at most the teacher's {words} words, got {len(tokenizer)}. It is another "
            "model's: some of its tokens have no embedding."
        )
    if longest is not None and options.max_length > longest:
        raise ValueError(
            f"Expected max_length={options.max_length} <= {longest}, the positions that the teacher has. Cut earlier."
        )


def _schedule(lengths: Sequence[int], options: DistillOptions) -> tuple[list[int], list[list[int]]]:
    """Return the number of the batch of each step, and the texts of each batch."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        groups = [group.tolist() for group in like_lengths(torch.tensor(lengths), options.batch_size)]
        passes = -(-options.steps // len(groups))
        numbers = [i for _ in range(passes) for i in torch.randperm(len(groups)).tolist()][: options.steps]
    used = sorted(set(numbers))  # batches that no step reaches are not read either
    place = {number: i for i, number in enumerate(used)}
    return [place[number] for number in numbers], [groups[number] for number in used]


def _run(
    state: DistillState,
    targets: Targets,
    numbers: Sequence[int],
    options: DistillOptions,
    keep: Callable[[bool], None] = lambda shown: None,
) -> Iterator[Row]:
    """Take the steps that are left; `keep` is called after each, with whether a row follows."""
    while state.step < options.steps:
        started = time.perf_counter()
        number = numbers[state.step]
        target = targets[number]
        with state.own_random_state():
            _step(state, targets.batches[number], target, options)
        state.seconds += time.perf_counter() - started
        state.step += 1
        shown = state.step % options.row_every == 0 or state.step == options.steps
        if shown:
            state.add_row()
        keep(shown)
        if shown:
            yield _shown(state, state.rows[-1])


def _kept_run(
    state: DistillState,
    targets: Targets,
    numbers: Sequence[int],
    options: DistillOptions,
    kept: Checkpoint,
    content: Any,
    every: int | None,
) -> Iterator[Row]:
    """Resume from `content`, if there is any, and write the checkpoint before each row and every `every` steps."""
    if content is not None:
        state.restore(content)
        for row in list(state.rows):
            yield _shown(state, row)

    def keep(shown: bool) -> None:
        if shown or (every is not None and state.step % every == 0):
            kept.write(state.to_dict())

    yield from _run(state, targets, numbers, options, keep)


def _shown(state: DistillState, row: Row) -> Row:
    return {**row, "student": state.student.eval()} if row["step"] == state.options.steps else dict(row)


def _step(state: DistillState, roles: Sequence[Role], target: Target, options: DistillOptions) -> None:
    """Take one step of the optimizer, and note its losses."""
    student: nn.Module = state.student.train()
    device = next(student.parameters()).device
    inputs = {name: each.to(device) for name, each in padded([role.ids for role in roles], None).items()}
    with torch.autocast(device.type, torch.bfloat16, enabled=options.precision == "bfloat16"):
        logits = student(**inputs, use_cache=False).logits[:, :-1]  # [B, T-1, V]
    kl, ce = _losses(logits, inputs, target, options.temperature)
    loss = options.alpha * options.temperature**2 * kl + (1 - options.alpha) * ce
    state.optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(student.parameters(), CLIP_NORM)
    state.optimizer.step()
    state.schedule.step()
    tokens = sum(len(role.ids) - 1 for role in roles)
    state.note(loss.item(), kl.item(), ce.item(), tokens, len(target.rows))


def _losses(logits: Tensor, inputs: dict[str, Tensor], target: Target, temperature: float) -> tuple[Tensor, Tensor]:
    """Return the mean divergence from the target, and the mean cross entropy of the next tokens."""
    there = inputs["attention_mask"][:, 1:].bool()
    selected = logits[there]  # [N, V]: all that predict a token of a text
    number = there.flatten().cumsum(0).reshape(there.shape) - 1
    log_q = log_softmax(selected, 1.0)
    ce = F.nll_loss(log_q, inputs["input_ids"][:, 1:][there])
    if temperature != 1:
        log_q = log_softmax(selected, temperature)
    kl = target.divergence(log_q, number[target.rows, target.places]).sum()
    return kl / max(len(target.rows), 1), ce  # a batch may have no place with a partner
