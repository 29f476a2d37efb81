"""Train a model, with or without privacy: one loop for every method, which yields flat rows as it goes.

Each step draws a Poisson batch (every example independently with probability q = batch_size / N, so the batch varies
in size and may be empty), computes the gradients by the chosen method, and lets an ordinary optimizer do the rest.
The ε of a row is what the steps so far guarantee under the sampler that was used.

A tagger is trained by default; another model brings its loss and its measure. For your own loop,
:func:`trustlab.privacy.private_gradients` takes one step.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from trustlab.batches import Chosen, Collate
from trustlab.measures import Measure
from trustlab.models import evaluate, tagging_loss
from trustlab.privacy.clipping import Norms, private_gradients
from trustlab.privacy.distributed import Workers
from trustlab.privacy.losses import PerExampleLoss
from trustlab.privacy.plain_step import not_finite, plain_gradients
from trustlab.privacy.problem import Problem, read_problem
from trustlab.privacy.training_identity import Checkpoint, identity
from trustlab.privacy.training_options import TrainConfig, check_training, noise_schedule, spent
from trustlab.privacy.training_state import TrainingState

Step = Callable[..., Norms]
Row = dict[str, Any]


def train(
    model: nn.Module,
    data: Mapping[str, Any],
    config: TrainConfig,
    *,
    per_example_loss: PerExampleLoss = tagging_loss,
    evaluate: Measure = evaluate,
    collate_fn: Collate | None = None,
    optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer] | None = None,
    scheduler: Callable[[torch.optim.Optimizer], LRScheduler] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int | None = None,
    workers: Workers | None = None,
) -> Iterator[Row]:
    """Train `model` in place on ``data["train"]`` and yield a row after each epoch (or `evaluate_every` steps).

    Parameters
    ----------
    model
        A tagger, see :mod:`trustlab.models`; or any module, with a loss and a measure of its own.
    data
        Examples under ``"train"`` and ``"validation"``; the latter is taken as public and only measured on. Tensors,
        also in dicts, ``BatchEncoding`` and tuples, map-style datasets such as those of ``datasets.DatasetDict``, or
        :class:`trustlab.models.Examples`.
    config
        Every option; `config.seed` fixes batches, dropout and noise, not the model's first weights. torch's global
        generators are left as they were.
    per_example_loss
        ``per_example_loss(model, batch) -> Tensor [B]``, each entry depends only on its own example.
    evaluate
        ``evaluate(model, examples) -> {"accuracy": ...}``, flat numbers of the validation examples, which are of the
        kind that a batch is. It is tried on a few before the first step.
    collate_fn
        Makes a batch of a list of a dataset's rows, as in ``torch.utils.data.DataLoader``.
    optimizer
        Makes the optimizer from the trainable parameters, as ``lambda parameters: AdamW(parameters, lr=1e-3)``; default
        Adam with ``config.learning_rate``. It sees only noisy gradients, so no optimizer costs extra ε.
    scheduler
        Makes a learning-rate schedule for the optimizer, as ``lambda optimizer: LambdaLR(optimizer, ...)``; it steps
        after every training step.
    checkpoint
        A file that saves the training; if it exists, the training resumes from it. On the same machine and versions a
        resumed training equals an uninterrupted one bit for bit: steps after the last write are repeated with the same
        batch and the same noise, so they spend their ε once. The saved rows are yielded again first, so that the rows
        are those of the whole training, also for the run store. The noise planned at the start stays. The file holds
        the generators' states, with which the noise can be subtracted: only its owner may read it.
    checkpoint_every
        Steps between writes; None writes with each row. A write precedes every row: what was shown is accounted for.
    workers
        Train together with other processes that make the same call: ``with join() as workers``, see
        :mod:`trustlab.privacy.distributed`. Batches, noise and ε are those of one process with this seed, and a
        checkpoint is resumed by any number of them; only dropout differs. Worker 0 measures, and reads and writes the
        checkpoint; all begin with its weights, and yield its rows.

    Yields
    ------
    dict
        ``step``, ``epoch`` (expected passes so far), ``epsilon`` (spent so far; ``inf`` without noise), what
        `evaluate` returns (of a tagger ``loss``, ``accuracy`` and ``slot_f1``), ``seconds`` (of training, evaluation
        left out), ``noise_multiplier`` (σ of this step), ``clipped`` (share of units clipped) and ``dropped`` (units
        left out for a norm that is not finite) since the last row, neither covered by ε, ``progress``.

    Raises
    ------
    ValueError
        At once, before any step, for options outside their range, a δ that 1/N makes meaningless, data or a measure of
        another kind, a checkpoint that is damaged or of another training, or a worker with another training.
    FloatingPointError
        In a step, when the weights are no longer finite, or for ``"sgd"`` and Opacus a loss or a norm is not.
    OSError
        When the checkpoint cannot be written: at once, or before the row that it would have held.
    WorkerLostError
        When another worker fails, dies, or is silent for longer than the timeout.

    Examples
    --------
    >>> from trustlab.models import Vocabulary, build
    >>> vocabulary = Vocabulary(intents=("on", "off"), slots=("O",), buckets=50)
    >>> rows = [{"tokens": ["turn", word], "slots": ["O", "O"], "intent": word} for word in ["on", "off"] * 50]
    >>> data = {"train": vocabulary.encode(rows), "validation": vocabulary.encode(rows)}
    >>> config = TrainConfig(method="edp-sgd", epsilon=8.0, delta=1e-3, epochs=2, batch_size=20, micro_batches=4)
    >>> last = list(train(build("bilstm", vocabulary), data, config))[-1]
    >>> last["step"], last["epsilon"] <= 8.0
    (10, True)
    """
    problem = read_problem(model, data, per_example_loss, evaluate, collate_fn, noisy=config.method != "sgd")
    data = problem.data
    check_training(config, len(data["train"]))
    if workers is not None and workers.count > 1 and config.engine == "opacus":
        raise ValueError(
            "Expected engine='fast' or 'loop' on several workers, got 'opacus'. Opacus has workers of its own."
        )
    if checkpoint_every is not None and (checkpoint is None or checkpoint_every < 1):
        raise ValueError(
            f"Expected checkpoint_every={checkpoint_every} >= 1 and a checkpoint, got checkpoint={checkpoint}. "
            "It is the number of steps between two writes of that file."
        )
    made = _optimizer(model, config, optimizer)
    rates = _scheduler(made, scheduler)
    state = TrainingState(model, made, rates, config.seed, noise_schedule(config, len(data["train"])))
    workers, kept = workers or Workers(), None
    if checkpoint is not None or workers.count > 1:
        named = identity(config, model=model, data=data, optimizer=made, scheduler=rates)
        workers.agree(named)
        kept = Checkpoint(Path(checkpoint), named) if checkpoint is not None else None
    content = workers.first(lambda: _begun(state, kept, workers))
    return _run(state, problem, config, workers, content, _keeper(state, kept, checkpoint_every, workers))


def _begun(state: TrainingState, kept: Checkpoint | None, workers: Workers) -> dict[str, Any] | None:
    """Return what to resume from: the checkpoint's content, or what the others begin with; None for a new training."""
    content = kept.read() if kept is not None else None
    if kept is not None and (content is None or content["counters"]["step"] < state.steps):
        kept.write(content or state.to_dict())  # a file that cannot be written is found out before any ε is spent
    return state.to_dict() if content is None and workers.count > 1 else content


def _keeper(
    state: TrainingState, kept: Checkpoint | None, every: int | None, workers: Workers
) -> Callable[[bool], None]:
    """Return what writes the checkpoint after every `every` steps, and before each row."""

    def keep(shown: bool) -> None:
        if kept is not None and (shown or (every is not None and state.step % every == 0)):
            workers.first(lambda: kept.write(state.to_dict()))

    return keep


def _run(
    state: TrainingState,
    problem: Problem,
    config: TrainConfig,
    workers: Workers,
    content: Mapping[str, Any] | None,
    keep: Callable[[bool], None],
) -> Iterator[Row]:
    """Resume from `content`, if there is any, and take the remaining steps.

    A generator, so closing it stops the training where it is. `keep` is called after every step, with whether a row is
    about to be yielded.
    """
    if content is not None:
        state.restore(content)
        yield from map(dict, list(state.rows))
    gradients = step_gradients(state.model, problem.per_example_loss, config, workers)
    examples = problem.data["train"]
    sample_rate, steps_per_epoch = config.batch_size / len(examples), state.steps // config.epochs
    every = config.evaluate_every or steps_per_epoch
    state.model.train()
    while state.step < state.steps:
        started, sigma = time.perf_counter(), state.sigma
        with state.own_random_state(workers):
            norms = fill_gradients(state, gradients, examples, sample_rate, workers)
            state.optimizer.step()
        if state.scheduler is not None:
            state.scheduler.step()
        state.seconds += time.perf_counter() - started
        state.step += 1
        state.clipped.append(norms.clipped)
        state.dropped.append(norms.dropped)
        shown = state.step % every == 0 or state.step == state.steps
        if shown:
            workers.same_weights(state.model)
            row = functools.partial(_row, state, config, problem, sigma, state.step / steps_per_epoch)
            state.rows.append(workers.first(row))
            state.clipped, state.dropped = [], []
        keep(shown)
        if shown:
            yield dict(state.rows[-1])


def _row(state: TrainingState, config: TrainConfig, problem: Problem, sigma: float, epoch: float) -> Row:
    """Measure the model and return a row."""
    return {
        "step": state.step,
        "epoch": epoch,
        "epsilon": spent(config, state.schedule, state.step, len(problem.data["train"])),
        **problem.measured(state.model),
        "seconds": state.seconds,
        "noise_multiplier": sigma,
        "clipped": _mean(state.clipped),
        "dropped": sum(state.dropped),
        "progress": state.step / state.steps,
    }


def fill_gradients(state: TrainingState, gradients: Step, examples: Any, sample_rate: float, workers: Workers) -> Norms:
    """Draw a Poisson batch of `examples` and fill ``.grad`` from it, with the noise of the next step."""
    chosen = (torch.rand(len(examples), generator=state.generator) < sample_rate).nonzero()[:, 0]  # [B], varies
    batch = examples[chosen] if workers.count == 1 else Chosen(examples, chosen)
    norms = gradients(batch, noise_multiplier=state.sigma, generator=state.generator)
    _check_weights(state.model, norms)
    return norms


def step_gradients(model: nn.Module, per_example_loss: PerExampleLoss, config: TrainConfig, workers: Workers) -> Step:
    """Return the function that fills ``.grad`` from a batch by the method of `config`."""
    if config.method == "sgd":
        return lambda batch, **noise: plain_gradients(
            model, batch, per_example_loss=per_example_loss, physical_batch=config.physical_batch, workers=workers
        )
    if config.engine == "opacus":
        from trustlab.privacy.reference import opacus_gradients

        return opacus_gradients(
            model, per_example_loss, clip_norm=config.clip_norm, expected_batch_size=config.batch_size
        )
    own = dict(expected_batch_size=config.batch_size)
    if config.method == "edp-sgd":
        own = dict(micro_batches=config.micro_batches, noise_by=config.noise_by)
    alike = {name: getattr(config, name) for name in ("clip_norm", "layerwise", "automatic", "physical_batch")}
    options = dict(method=config.method, engine=config.engine, workers=workers, **alike, **own)
    return lambda batch, **noise: private_gradients(model, per_example_loss, batch, **options, **noise)


def _check_weights(model: nn.Module, norms: Norms) -> None:
    """Stop when weights that are not finite leave no example a finite gradient: later steps would add only noise."""
    if not norms.dropped or norms.dropped < len(norms.norms):
        return
    if not all(parameter.isfinite().all() for parameter in model.parameters()):
        raise FloatingPointError(not_finite("weights"))


def _optimizer(
    model: nn.Module, config: TrainConfig, make: Callable[[list[nn.Parameter]], torch.optim.Optimizer] | None
) -> torch.optim.Optimizer:
    """Return the user's optimizer, or Adam; refuse one that does not step exactly the trainable parameters."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if make is None:
        return torch.optim.Adam(parameters, lr=config.learning_rate)
    made = make(parameters)
    if isinstance(made, torch.optim.LBFGS):
        raise ValueError(
            "Expected an optimizer that steps once on a noisy gradient, got LBFGS. It computes the loss again and "
            "again, each time without noise: use SGD or Adam."
        )
    held = [id(parameter) for group in made.param_groups for parameter in group["params"]]
    if sorted(held) != sorted(map(id, parameters)):
        raise ValueError(
            f"Expected an optimizer of the model's {len(parameters)} trainable parameters, got an optimizer of "
            f"{len(held)} others. Make it from the list that the function is given; freeze what is not to be trained."
        )
    return made


def _scheduler(
    optimizer: torch.optim.Optimizer, make: Callable[[torch.optim.Optimizer], LRScheduler] | None
) -> LRScheduler | None:
    """Return the user's learning-rate schedule, if any; refuse one that needs a measured loss."""
    made = make(optimizer) if make is not None else None
    if isinstance(made, ReduceLROnPlateau):
        raise ValueError(
            "Expected a scheduler that counts steps, got ReduceLROnPlateau. It needs a measured loss, which a "
            "private step does not have: use LambdaLR, OneCycleLR or another one."
        )
    return made


def _mean(shares: list[float]) -> float:
    """Average the steps that clipped anything; NaN when none did."""
    known = [share for share in shares if not math.isnan(share)]
    return sum(known) / len(known) if known else math.nan
