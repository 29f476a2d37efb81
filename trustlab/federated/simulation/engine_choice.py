"""Can this model be stacked? It is tried on a few examples before the first round, and compared with the definition."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from trustlab.federated.named_tensors import add_rows
from trustlab.federated.simulation.definitions import FederatedConfig, Task
from trustlab.federated.simulation.embedding_tables import find_tables
from trustlab.federated.simulation.grouped import find_layers
from trustlab.federated.simulation.local_training import Update, Work, train_sequentially
from trustlab.federated.simulation.loss_checks import seeded
from trustlab.federated.simulation.model_state import left_as_it_is
from trustlab.federated.simulation.stacked import Plan, train_stacked
from trustlab.models.attributes import differing

TOLERANCE = 1e-4  # of the distance that a weight moves; single precision leaves about 1e-6
ROUNDING = 1e-6  # of the way that all weights go: what is left of a gradient that ought to be zero
WAY = 0.1  # of the weights' length, in a step of the trial: its second step starts from weights that are a client's own
JITTER = 0.05
# Minibatches of the clients tried: unequal in one stack and another, one client with fewer steps, so that a mistake in
# padding, or in which clients have finished, shows; and a stack of small ones, which differ most in the length that
# texts are padded to: a mean over that length is no client's own.
STEPS = ((8, 4), (5,), (3, 2), (2,), (2,), (2,))
CANNOT = (RuntimeError, NotImplementedError, IndexError, TypeError, ValueError, AttributeError, KeyError)


@dataclass(frozen=True)
class Verdict:
    """How clients are trained.

    Attributes
    ----------
    engine
        ``"stacked"`` or ``"sequential"``.
    reason
        Why not stacked; empty for ``"stacked"``.
    plan
        How stacked.
    """

    engine: str
    reason: str = ""
    plan: Plan | None = None


def choose_engine(model: nn.Module, task: Task, config: FederatedConfig, examples: np.ndarray) -> Verdict:
    """Return how to train, from `examples`, the indices of some that clients hold.

    Raises
    ------
    ValueError
        With ``engine="stacked"``, for a model that cannot be stacked.
    """
    if config.engine == "sequential":
        return Verdict("sequential", "asked for")
    with seeded(), torch.enable_grad(), _as_tried(model), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop")  # the row reports it
        examples = _of_finite_loss(model, task, examples)
        short = FederatedConfig(learning_rate=_step_size(model, task, examples))
        expected = [_split(model, update)[0][1] for update in train_sequentially(model, task, _works(examples), short)]
        for plan in _plans(model, task, examples):
            reason = _difference(model, task, examples, plan, short, expected)
            if not reason:
                return Verdict("stacked", plan=plan)
    if config.engine == "stacked":
        raise ValueError(
            f"Expected a model that can be stacked with engine='stacked', got: {reason} Use 'auto', which trains such "
            "a model one client after another."
        )
    return Verdict("sequential", reason)


def _plans(model: nn.Module, task: Task, examples: np.ndarray) -> Iterator[Plan]:
    """Yield ways to stack, the fastest first; a weight may be used in a way that a first look does not show."""
    try:
        tables = find_tables(model, task, task.train[torch.from_numpy(examples[:2])])
        layers = find_layers(model, task, examples)
    except CANNOT:  # it cannot be inspected; it is run through vmap if that works
        tables, layers = {}, None
    for kind in [None] if layers is None else [layers, None]:
        if tables:
            yield Plan(kind, tables)
        yield Plan(kind)


def _difference(
    model: nn.Module,
    task: Task,
    examples: np.ndarray,
    plan: Plan,
    config: FederatedConfig,
    expected: list[dict[str, Tensor]],
) -> str:
    """Train the clients stacked and describe how they differ from `expected`; empty when they agree."""
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    try:
        updates = list(train_stacked(model, task, _works(examples), config, plan))
    except CANNOT as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    for name in differing(buffers, dict(model.named_buffers())):
        return f"it writes to its buffer {name!r}, which clients would share."
    found = sorted((each for update in updates for each in _split(model, update)), key=lambda each: each[0])
    for want, (_, got) in zip(expected, found, strict=True):
        whole = torch.stack([way.norm() for way in want.values()]).norm()
        for name, way in want.items():
            distance = (got[name] - way).norm()
            if not distance <= TOLERANCE * way.norm() + ROUNDING * whole:  # NaN is no agreement either
                share = distance / way.norm().clamp(min=1e-12)
                return f"stacked steps of {name!r} differ from steps taken alone by {share:.1g} of their length."
    return ""


def _of_finite_loss(model: nn.Module, task: Task, examples: np.ndarray) -> np.ndarray:
    """Leave out examples that teach nothing, so that one broken client does not decide for all; all, if all are so."""
    with torch.no_grad():
        parts = [
            task.per_example_loss(model, task.train[few]) for few in torch.from_numpy(examples).split(max(STEPS[0]))
        ]
    fine = torch.cat(parts).isfinite().cpu().numpy()
    return examples[fine] if fine.any() else examples


def _works(examples: np.ndarray) -> list[Work]:
    """Return the work of the clients tried, on `examples` one after another."""
    sizes = [size for own in STEPS for size in own]
    batches = iter(np.split(np.resize(examples, sum(sizes)), np.cumsum(sizes)[:-1]))
    return [Work(k, tuple(next(batches) for _ in own), sum(own), True) for k, own in enumerate(STEPS)]


def _step_size(model: nn.Module, task: Task, examples: np.ndarray) -> float:
    """Return the learning rate at which a first step is :data:`WAY` of the weights' length."""
    first, *_ = train_sequentially(model, task, _works(examples)[1:2], FederatedConfig(learning_rate=1.0))
    steep = torch.stack([delta.norm() for delta in first.deltas.values()]).norm().item()
    length = torch.stack([p.detach().norm() for p in model.parameters() if p.requires_grad]).norm().item()
    return WAY * length / steep if 0 < steep < float("inf") and length else 1.0


@contextlib.contextmanager
def _as_tried(model: nn.Module) -> Iterator[None]:
    """Put `model` into the state of the trial for a while: in training, without dropout, its weights a little moved.

    The two engines draw other dropout masks, and the comparison is about all else. Weights that are zero at
    the beginning, or that gradients of zero reach, would hide what becomes of them later.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    dropouts = [
        (module, name, value)
        for module in model.modules()
        for name, value in vars(module).items()
        if isinstance(value, float) and ("dropout" in name or (name == "p" and isinstance(module, _DropoutNd)))
    ]
    generator = torch.Generator().manual_seed(0)
    with left_as_it_is(model):
        try:
            model.train()
            for module, name, _ in dropouts:
                setattr(module, name, 0.0)
            with torch.no_grad():
                for parameter in trained:
                    size = parameter.square().mean().sqrt().item() or 1.0
                    parameter += JITTER * size * torch.randn(parameter.shape, generator=generator).to(parameter)
            yield
        finally:
            for module, name, value in dropouts:
                setattr(module, name, value)


def _split(model: nn.Module, update: Update) -> list[tuple[int, dict[str, Tensor]]]:
    """Return each client's place and its update of every trained parameter, whole."""
    shapes = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    found = []
    for k, place in enumerate(update.members):
        own = {}
        for name, parameter in shapes.items():
            own[name] = update.deltas[name][k]
            if name in update.rows:
                whole = torch.zeros_like(parameter, dtype=own[name].dtype)
                add_rows(whole, update.rows[name][k], own[name])
                own[name] = whole
        found.append((place, own))
    return found
