"""Audit a whole training by training once: m canaries, each in the data or not by a fair coin (Steinke et al. 2023).

Whatever the training is, it is a function from who takes part to a score of each canary. Three are ready: utterances
with labels at random, seen by the loss of a tagger that :func:`trustlab.privacy.train` trains (an attacker who sees the
model before and after); gradients along a coordinate each, seen at every step (an attacker who sees all noisy sums and
plants what suits them, which the guarantee covers too); or any function of your own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trustlab.models import Examples, tagging_loss
from trustlab.models.vocabulary import IGNORE
from trustlab.privacy.auditing.canaries import LONG
from trustlab.privacy.auditing.counts import Array, check_share, check_whole
from trustlab.privacy.auditing.lower_bounds import METHODS, lower_bound
from trustlab.privacy.auditing.probe import NOT_FINITE, Step, probe_loss
from trustlab.privacy.auditing.report import AuditReport, Check, decided
from trustlab.privacy.training import train
from trustlab.privacy.training_options import TrainConfig

ALPHA = 0.01  # of accusing an honest training: a bound for every (ε, δ) has to give δ·m away first
COVERAGE = "audit_training_coverage"  # the table of audits of real trainings
NOTE = "Taken for granted: independent fair coins, a number of examples that everybody knows; "
Fit = Callable[[np.ndarray], Any]


def audit_training(
    fit: Fit,
    *,
    canaries: int,
    epsilon: float,
    delta: float,
    methods: Sequence[str] = ("one run",),
    confidence: float = 0.95,
    alpha: float = ALPHA,
    seed: int = 0,
) -> AuditReport:
    """Train once with a random half of m canaries, and report the ε that guessing them shows.

    Parameters
    ----------
    fit
        ``fit(included) -> scores``: trains with the canaries that `included` [m] says, and returns a score for each of
        the m, higher for one that seems to have taken part. :func:`utterance_fit`, :func:`gradient_fit` or your own.
    canaries
        m >= 20.
    epsilon, delta
        What the training declares. How many examples there are is taken as public.
    methods
        Keys of :data:`trustlab.privacy.auditing.METHODS`; the last gives the report's ``bound``. ``"one run"`` is
        valid for every (ε, δ) training; ``"exact tail"`` finds more, and needs canaries that act independently, as the
        gradients of :func:`gradient_fit` do and utterances do not.
    confidence
        How probable each bound is right.
    alpha
        Probability of accusing an honest training, for all methods together.
    seed
        Of the coins. Do not train with it as well: use another generator or seed.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> report = audit_training(lambda included: included + rng.normal(size=400), canaries=400, epsilon=0.5, delta=1e-5)
    >>> report.failed, report.bound.epsilon > 0.5
    (('ε shown (one run)',), True)
    """
    check_whole("canaries", canaries, low=20, means="Each is in the data or not; with fewer nothing can be shown.")
    check_share("delta", delta)
    check_share("alpha", alpha)
    check_share("confidence", confidence)
    if not epsilon > 0:
        raise ValueError(f"Expected epsilon={epsilon} > 0, what the training declares; math.inf declares nothing.")
    included = np.random.default_rng(seed).random(canaries) < 0.5
    scores = np.asarray(torch.as_tensor(fit(included.copy())).detach().cpu(), dtype=float)
    shown = [lower_bound(scores, included, delta=delta, alpha=1 - confidence, method=method) for method in methods]
    share = alpha / len(methods)
    certain = [lower_bound(scores, included, delta=delta, alpha=share, method=method).epsilon for method in methods]
    checks = [
        Check(
            name=f"ε shown ({method})",
            expected=f"at most {epsilon:.3g} at δ = {delta:g}",
            measured=f"at least {bound.epsilon:.3g}",
            p=share if least > epsilon else 1.0,
            means=f"Guessing who took part shows more than the declared ε allows; assumed: {METHODS[method].assumes}.",
            do="Audit one step, which says where the error is.",
        )
        for method, bound, least in zip(methods, shown, certain, strict=True)
    ]
    declared = dict(epsilon=float(epsilon), delta=delta, canaries=float(canaries))
    return AuditReport("training", declared, decided(checks, alpha), tuple(shown), alpha, (NOTE + measured(methods),))


def measured(methods: Sequence[str]) -> str:
    """Return how often `methods` claimed too much in audits of real trainings for which they are valid, in words."""
    from trustlab.results import read_results

    try:
        table, _ = read_results(COVERAGE)
    except FileNotFoundError:
        return "audits of real trainings were not counted."
    own = table[table["method"].isin(list(methods)) & table["valid"].astype(bool)]
    if not len(own):
        return "audits of real trainings were not counted with these methods."
    worst = own.loc[own["false claims"].idxmax()]
    share, audits = 100 * worst["false claims"], int(worst["audits"])
    return f"at most {share:.1f} % false claims in {audits:,} real trainings of each kind."


def utterance_fit(
    model: nn.Module, data: Mapping[str, Examples], config: TrainConfig, canaries: Examples, **options: Any
) -> Fit:
    """Return the training of `model` as a function of the `canaries` that take part; the score is the fall of the loss.

    Parameters
    ----------
    model, data, config
        As in :func:`trustlab.privacy.train`. The model is copied for every training.
    canaries
        m utterances, see :func:`made_up_utterances`.
    options
        More of :func:`trustlab.privacy.train`, as ``optimizer``.

    Examples
    --------
    >>> from trustlab.privacy.auditing.training_sampler import VOCABULARY, utterances
    >>> from trustlab.models import build
    >>> data = {"train": utterances(np.ones((40, 1))), "validation": utterances(np.ones((5, 1)))}
    >>> canaries = made_up_utterances(data["train"], 20, seed=0)
    >>> config = TrainConfig(method="dp-sgd", epsilon=8.0, delta=1e-3, epochs=1, batch_size=10)
    >>> fit = utterance_fit(build("bilstm", VOCABULARY), data, config, canaries)
    >>> len(fit(np.arange(20) < 10))
    20
    """

    def losses(own: nn.Module) -> Tensor:
        was = own.training
        own.eval()
        with torch.no_grad():
            found = tagging_loss(own, canaries)
        own.train(was)
        return found

    def fit(included: np.ndarray) -> Tensor:
        own = copy.deepcopy(model)
        before = losses(own)
        chosen = torch.from_numpy(np.flatnonzero(included))
        examples = joined(data["train"], canaries[chosen])
        for _ in train(own, {**data, "train": examples}, config, **options):
            pass
        return before - losses(own)

    return fit


def made_up_utterances(examples: Examples, count: int, *, words: int = 6, seed: int) -> Examples:
    """Return `count` utterances of `words` words, with words of `examples` and labels, all drawn at random.

    Examples
    --------
    >>> from trustlab.privacy.auditing.training_sampler import utterances
    >>> made_up_utterances(utterances(np.ones((4, 1))), 3, words=5, seed=0).input_ids.shape
    torch.Size([3, 5])
    """
    check_whole("count", count, low=1, means="It is the number of canaries.")
    rng = np.random.default_rng(seed)
    known = examples.input_ids[examples.attention_mask].unique(dim=0)

    def drawn(high: int, *shape: int) -> Tensor:
        return torch.from_numpy(rng.integers(high, size=shape))

    return Examples(
        input_ids=known[drawn(len(known), count, words)],
        attention_mask=torch.ones(count, words, dtype=torch.bool),
        intents=drawn(len(examples.intent_names), count),
        slots=drawn(len(examples.slot_names), count, words),
        intent_names=examples.intent_names,
        slot_names=examples.slot_names,
    )


def joined(one: Examples, other: Examples) -> Examples:
    """Return the examples of both, padded to one length."""
    longest = max(one.input_ids.shape[1], other.input_ids.shape[1])

    def padded(values: Tensor, fill: float) -> Tensor:
        wide = values.new_full((len(values), longest, *values.shape[2:]), fill)
        wide[:, : values.shape[1]] = values
        return wide

    both = {
        name: torch.cat([padded(getattr(each, name), fill) for each in (one, other)])
        for name, fill in (("input_ids", 0), ("attention_mask", False), ("slots", IGNORE))
    }
    names = dict(intent_names=one.intent_names, slot_names=one.slot_names)
    return Examples(intents=torch.cat([one.intents, other.intents]), **both, **names)


def gradient_fit(
    step: Step, *, clip_norm: float, expected_batch_size: float, sample_rate: float, steps: int, seed: int
) -> Fit:
    """Return a training on gradients along a coordinate each; a canary's score is the sum of its coordinate.

    Parameters
    ----------
    step
        ``step(model, per_example_loss, batch)``, as in :func:`trustlab.privacy.auditing.audit`.
    clip_norm, expected_batch_size
        C and the divisor of the step.
    sample_rate, steps
        Every step sees each canary that takes part with probability q, independently.
    seed
        Of the batches.

    Examples
    --------
    >>> from trustlab.privacy.auditing.engines import engine_step
    >>> step, _ = engine_step("fast", clip_norm=1.0, noise_multiplier=0.5, expected_batch_size=8)
    >>> fit = gradient_fit(step, clip_norm=1.0, expected_batch_size=8, sample_rate=0.5, steps=10, seed=1)
    >>> scores = fit(np.arange(40) < 20)
    >>> bool(scores[:20].mean() > 4 > 1 > scores[20:].mean())
    True
    """
    check_whole("steps", steps, low=1, means="It is the length of the training.")
    if not 0 < sample_rate <= 1:
        raise ValueError(f"Expected sample_rate={sample_rate} in (0, 1]. It is a canary's probability per step.")

    def fit(included: np.ndarray) -> Array:
        many, rng = len(included), np.random.default_rng([seed, 2])
        with torch.random.fork_rng(devices=[]):  # first weights take nothing from the step's noise
            model = nn.Linear(many, 1, bias=False)
        rows, total = (LONG * clip_norm) * torch.eye(many), np.zeros(many)
        for _ in range(steps):
            drawn = included & (rng.random(many) < sample_rate)
            model.zero_grad(set_to_none=True)
            step(model, probe_loss, rows[torch.from_numpy(drawn)])
            released = model.weight.grad
            if released is None or not released.isfinite().all():
                raise ValueError(NOT_FINITE)
            total += released[0].double().numpy()
        return total * (expected_batch_size / clip_norm)

    return fit
