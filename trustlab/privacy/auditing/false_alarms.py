"""How often an audit accuses an honest step: audits of this package's engines and of Opacus', over many seeds.

The setting changes with the seed (C, σ, the expected batch), and so does all that is drawn. What is counted is any
check of an audit that fails, or calls the step wasteful. The second column to read is the share of p below 0.05: of a
check whose p is exact it is 0.05, of one that is careful it is less. Bounds are counted too: how much of the declared ε
they show, and how often more.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from trustlab.privacy.auditing.counts import check_whole
from trustlab.privacy.auditing.engines import engine_step
from trustlab.privacy.auditing.report import FAILS, UNCHECKED, WASTEFUL, AuditReport
from trustlab.privacy.auditing.step_audit import audit

TABLE = "audit_false_alarms"  # of 200 audits each, by ``python -m benchmarks false_alarms --write``
CLIP_NORMS, SIGMAS, BATCHES = (0.1, 0.5, 2.0), (0.7, 1.0, 1.5), (4, 8)
RATE = 0.1  # of the sampler that is audited with the steps
# name: an engine, and options of it
HONEST: dict[str, tuple[str, dict[str, Any]]] = {
    "loop": ("loop", {}),
    "fast": ("fast", {}),
    "fast, equal thresholds": ("fast", {"layerwise": "equal"}),
    "eDP, fast": ("eDP, fast", {}),
    "eDP, equal thresholds": ("eDP, fast", {"layerwise": "equal"}),
    "eDP, noise by worker": ("eDP, fast", {"noise_by": "worker"}),
    "Opacus hooks": ("Opacus hooks", {}),
    "Opacus ghost": ("Opacus ghost", {}),
    "fast, also on a model with dropout": ("fast", {"own": True}),
}


def false_alarms(
    audits: int = 200, *, honest: Mapping[str, tuple[str, dict[str, Any]]] = HONEST, first: int = 0
) -> Iterator[dict[str, Any]]:
    """Audit each honest step `audits` times and count the accusations.

    Yields
    ------
    dict
        ``step``, ``check``, ``audits``, ``accused`` (in how many), ``p below 0.05`` (the share of audits with that),
        ``smallest p``; under the check ``"any"`` the audits with any accusation, and ``seconds`` (the median of one
        audit's processor time). For each bound a row of its name has ``declared epsilon`` and ``shown epsilon`` (means
        over the audits) and ``false claims``, the share of audits in which more was shown than declared.

    Examples
    --------
    >>> rows = list(false_alarms(1, honest={"fast": ("fast", {})}))
    >>> rows[0]["step"], rows[0]["check"], rows[0]["accused"]
    ('fast', 'any', 0)
    """
    check_whole("audits", audits, low=1, means="Each is one seed.")
    for name, (engine, options) in honest.items():
        yield from accusations(name, [timed(engine, seed, options) for seed in range(first, first + audits)])


def timed(engine: str, seed: int, options: Mapping[str, Any]) -> tuple[AuditReport, float]:
    """Audit an engine, see :func:`audited`, and return the report and the processor's seconds."""
    started = time.process_time()
    report = audited(engine, seed, **options)
    return report, time.process_time() - started


def accusations(step: str, audits: Sequence[tuple[AuditReport, float]]) -> Iterator[dict[str, Any]]:
    """Count what audits of an honest step found, rows as in :func:`false_alarms`."""
    reports, seconds = zip(*audits, strict=True)
    told = dict(step=step, audits=len(reports))
    accused = sum(bool(report.failed + report.wasteful) for report in reports)
    yield {**told, "check": "any", "accused": accused, "seconds": float(np.median(seconds))}
    found = defaultdict(list)
    for report in reports:
        for check in report.checks:
            found[check.name].append(check)
    for name, seen in found.items():
        p = np.array([each.p for each in seen if each.verdict != UNCHECKED])
        if len(p):
            bad = sum(each.verdict in (FAILS, WASTEFUL) for each in seen)
            below = {"p below 0.05": float(np.mean(p < 0.05)), "smallest p": float(p.min())}
            yield {**told, "check": name, "accused": bad, **below}
    declared = np.array([report.declared["epsilon"] for report in reports])
    for method in (bound.method for bound in reports[0].bounds):
        shown = np.array([bound.epsilon for report in reports for bound in report.bounds if bound.method == method])
        if len(shown) == len(reports):  # a report leaves out bounds whose assumption a check has refuted
            means = {"declared epsilon": float(declared.mean()), "shown epsilon": float(shown.mean())}
            yield {**told, "check": method, **means, "false claims": float(np.mean(shown > declared))}


def audited(engine: str, seed: int, *, own: bool = False, **options: Any) -> AuditReport:
    """Audit one engine with a Poisson sampler, in the setting that belongs to the seed; perhaps on a model as well."""
    batch = BATCHES[seed % len(BATCHES)]
    sigma, clip_norm = SIGMAS[seed // 2 % len(SIGMAS)], CLIP_NORMS[seed // 6 % len(CLIP_NORMS)]
    how = dict(clip_norm=clip_norm, noise_multiplier=sigma, expected_batch_size=batch)
    step, declared = engine_step(engine, **how, **options)
    rng = np.random.default_rng([seed, 1])
    # As in this package's training: a fixed number of steps, each example with probability q.
    sampler = lambda data: [np.flatnonzero(rng.random(len(data)) < RATE) for _ in range(10)]  # noqa: E731
    return audit(step, **declared, sampler=sampler, sample_rate=RATE, seed=seed, **(made_up_model(seed) if own else {}))


def made_up_model(seed: int) -> dict[str, Any]:
    """Return ``model``, ``per_example_loss`` and ``batch`` of :func:`audit`: a perceptron with dropout, normal inputs.

    Examples
    --------
    >>> made_up_model(0)["batch"].shape
    torch.Size([20, 6])
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = (nn.Linear(6, 40), nn.Tanh(), nn.Dropout(0.3), nn.Linear(40, 1), nn.Flatten(0))
        batch = torch.randn(20, 6)
    return dict(
        model=nn.Sequential(*layers),
        per_example_loss=lambda model, batch: (model(batch) - 1.0).square(),
        batch=batch,
    )
