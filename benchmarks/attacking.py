"""How long attacks and audits take, next to other packages' code and to plain loops.

``python -m benchmarks attacking`` prints a table, and with ``--write`` stores it. Methods take turns on one thread and
are compared by the processor's time. A method that answers differently from ours ends the run with an error, where both
compute the same thing; peers are in :mod:`benchmarks.attack_peers`. Memory is the peak of a call above what is in use
before it, in a process of its own. ``goal`` is what we promise of our own rows, in seconds.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks import attack_peers as peers
from benchmarks.memory import peak_of
from benchmarks.turns import load, one_thread, store, take_turns
from trustlab.lab.display import table
from trustlab.privacy.auditing import METHODS, audit_step
from trustlab.privacy.auditing.engines import ENGINES, engine_step
from trustlab.privacy.auditing.false_alarms import audited
from trustlab.privacy.membership import halves, lira, rmia, success
from trustlab.privacy.membership.rmia import OFFLINE_A

NAME = "attack_speed"
TARGETS, MODELS, SCORES, RESAMPLES, FEW = 10_000, 64, 10_000, 1_000, 20
OURS, LOOP = "trustlab", "loop over targets, the published formula"
Methods = dict[str, Callable[[], Any]]


class Race(NamedTuple):
    """What is timed.

    Attributes
    ----------
    build
        Returns what is timed by the name of its method, ours first.
    goal, megabytes
        What ours may take at most.
    shares
        Of a method that does only a part of the work, which part.
    agree
        Whether an answer is ours, or the beginning of ours.
    otherwise
        Methods that answer something else.
    alone
        All methods are ours, and no ratio is of interest.
    """

    what: str
    build: Callable[[], Methods]
    goal: float
    megabytes: float | None = None
    shares: Mapping[str, float] = {}
    agree: Callable[[Any, Any], bool] | None = None
    otherwise: tuple[str, ...] = ()
    alone: bool = False


def _present(methods: Mapping[str, Callable[[], Any] | None]) -> Methods:
    """Return the methods whose package is installed, and say on standard error which are not."""
    for name in (name for name, method in methods.items() if method is None):
        print(f"*** {name} is not installed and LEFT OUT of the comparison.", file=sys.stderr, flush=True)
    return {name: method for name, method in methods.items() if method is not None}


def _close(ours: Any, theirs: Any) -> bool:
    return np.allclose(ours[: len(theirs)], theirs, rtol=1e-6, atol=1e-9)


def lira_methods() -> Methods:
    """Score by LiRA online, each target's own mean and variance."""
    rng, inside = np.random.default_rng(0), halves(TARGETS, MODELS, seed=0)
    given = (rng.normal(size=TARGETS), rng.normal(size=(TARGETS, MODELS)) + inside, inside)
    return _present({
        OURS: lambda: lira(*given, variance="per-example"),
        peers.TF_PRIVACY: peers.tf_privacy_lira(*given),
        LOOP: lambda: peers.lira_loop(*given, TARGETS // FEW),
    })  # fmt: skip


def rmia_methods() -> Methods:
    """Score by RMIA offline, with as many population examples as targets."""
    share, inside = functools.partial(np.random.default_rng(0).uniform, 0.01, 1), halves(TARGETS, MODELS, seed=0)
    given = (share(size=TARGETS), share(size=(TARGETS, MODELS)), inside)
    own, others = share(size=TARGETS), share(size=(TARGETS, MODELS))
    return _present({
        OURS: lambda: rmia(*given, population_target=own, population_reference=others),
        peers.PRIVACY_GUARD: peers.privacy_guard_rmia(*given, own, others, OFFLINE_A),
        LOOP: lambda: peers.rmia_loop(*given, own, others, OFFLINE_A, TARGETS // FEW),
    })  # fmt: skip


def bootstrap_methods() -> Methods:
    """Compute intervals of AUC and of the TPR at two FPRs; ours also of the advantage."""
    members = np.arange(SCORES) < SCORES // 2
    scores = np.random.default_rng(0).normal(size=SCORES) + members
    some = RESAMPLES // FEW
    return _present({
        OURS: lambda: success(scores, members, resamples=RESAMPLES),
        peers.JAX_PRIVACY: peers.jax_privacy_bootstrap(scores, members, some),
        "scikit-learn in a loop": lambda: peers.bootstrap_loop(scores, members, some),
    })  # fmt: skip


def curve_methods() -> Methods:
    """Bound ε by f-DP from one run: 220 of 250 guesses right, 1,000 canaries."""
    counts = (220, 250, 1_000)
    return _present({
        OURS: _fresh("one run, trade-off curve", *counts),
        peers.JAX_PRIVACY: peers.jax_privacy_bound(*counts),
        peers.PRIVACY_GUARD: peers.privacy_guard_bound(*counts),
    })  # fmt: skip


def bound_methods() -> Methods:
    """Bound ε by each method of this package from one run: 3,456 of 5,000 guesses right, 10,000 canaries."""
    return {name: _fresh(name, 3456, 5000, 10_000) for name in METHODS}


def _fresh(method: str, *counts: int) -> Callable[[], float]:
    """Return a bound that is computed at each call: outcomes seen before are remembered, so α moves by a trifle."""
    alphas = itertools.count(peers.ALPHA, 1e-9)
    return lambda: METHODS[method].epsilon(*counts, delta=peers.DELTA, alpha=next(alphas))


def step_methods() -> Methods:
    """Audit one step of each engine that clips examples with 2,000 orthogonal canaries."""
    how = dict(clip_norm=1.0, expected_batch_size=1000)

    def shown(name: str) -> Any:
        step, _ = engine_step(name, noise_multiplier=1.0, **how)
        return audit_step(step, **how, delta=peers.DELTA, canaries=2000)

    return {name: functools.partial(shown, name) for name, (method, _) in ENGINES.items() if method == "dp-sgd"}


def audit_methods() -> Methods:
    """Audit a step of each engine in all that an audit has, with a sampler."""
    return {name: functools.partial(audited, name, 0) for name in ENGINES}


def pin_methods() -> Methods:
    """Compute the loss of every pin of four digits by a BiLSTM tagger; an untrained one takes as long."""
    from trustlab.models import build
    from trustlab.models.vocabulary import Vocabulary
    from trustlab.privacy.inversion.planted_codes import Canary
    from trustlab.privacy.inversion.ranking import all_codes, rank_all
    from trustlab.privacy.inversion.target import target_of

    digits, prefix = tuple(f"digit{i}" for i in range(10)), ("my", "pin", "is")
    words = (*prefix, *digits, *(f"word{i}" for i in range(1000)))
    vocabulary = Vocabulary(intents=("keep", "tell"), slots=("O", "B-pin", "I-pin"), words=words)
    canary = Canary(prefix, digits[:4], ("O", "O", "O", "B-pin", "I-pin", "I-pin", "I-pin"), "keep")
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        target = target_of(build("bilstm", vocabulary), vocabulary, canary, digits)
    some = all_codes(4, 10)[: 10_000 // FEW]
    return {
        OURS: lambda: rank_all(target)["both"],
        "loop over pins": lambda: torch.cat([target.losses(code[None])["both"] for code in some]),
    }


IN_PART = {LOOP: 1 / FEW, "loop over pins": 1 / FEW, "scikit-learn in a loop": 1 / FEW}
SIZE = f"{TARGETS:,} targets × {MODELS} references"
RACES = (
    Race(f"LiRA, {SIZE}", lira_methods, 0.15, 150, IN_PART, _close),
    # PrivacyGuard averages other models for population examples.
    Race(f"RMIA, {SIZE}", rmia_methods, 0.05, 150, IN_PART, _close, (peers.PRIVACY_GUARD,)),
    Race("intervals of AUC and TPR, 1,000 resamples of 10,000 scores", bootstrap_methods, 1.1, None,
         {**IN_PART, peers.JAX_PRIVACY: 1 / FEW}),
    Race("f-DP bound from one run, 1,000 canaries", curve_methods, 0.4, agree=lambda a, b: abs(a - b) < 0.02),
    Race("bound from one run, 10,000 canaries", bound_methods, 0.4, alone=True),
    Race("one step audited, 2,000 orthogonal canaries", step_methods, 2.0, alone=True),
    Race("audit of a step", audit_methods, 10.0, alone=True),
    Race("loss of all 10,000 pins, BiLSTM", pin_methods, 5.0, None, IN_PART, _close),
)  # fmt: skip


def measure(races: tuple[Race, ...] = RACES, turns: int = 4) -> Iterator[dict[str, Any]]:
    """Yield a row for each method of each race."""
    for race in races:
        answers: dict[str, Any] = {}
        methods = {name: functools.partial(_kept, answers, name, run) for name, run in race.build().items()}
        for row in take_turns(methods, turns, shares=race.shares, by_processor=True):
            _check(race, answers, row["method"])
            ours = race.alone or row["method"] == OURS
            weigh = race.megabytes is not None and row["method"] not in race.shares
            found = {"what": race.what, **row, "goal": race.goal if ours else None}
            found |= {"MB": peak_of(race.build, row["method"]) if weigh else None}
            found |= {"goal MB": race.megabytes if ours else None}
            yield found | (dict.fromkeys(("times ours", "low", "high")) if race.alone else {})


def _kept(answers: dict[str, Any], name: str, run: Callable[[], Any]) -> None:
    answers[name] = run()


def _check(race: Race, answers: Mapping[str, Any], name: str) -> None:
    """Raise ``RuntimeError`` where a method answers something else: its time would mean nothing."""
    checked = race.agree is not None and name not in race.otherwise
    if checked and not race.agree(answers[OURS], answers[name]):
        raise RuntimeError(f"Expected the answer of {name} to be ours, got another one: {race.what}.")


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    with one_thread():
        rows = list(measure())
        print(table(rows))
        if asked.write:
            versions = (*peers.PACKAGES, "scikit-learn")
            print("wrote", store(NAME, rows, [measure], versions, load=load()))
