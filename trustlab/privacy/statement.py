"""What has to be reported with every ε: without it, the number means nothing.

The rows are what Ponomareva et al. 2023, "How to DP-fy ML", §5.3.3, ask for. A statement is made from a configuration
of this package (:func:`statement`) or from the steps of a loop of your own (:meth:`PrivacyStatement.of_steps`). A
notebook shows it as a card.
"""

from __future__ import annotations

import dataclasses
import html
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.privacy.accountants import ACCOUNTANTS
from trustlab.privacy.accounting import SAMPLINGS, bound
from trustlab.privacy.methods import METHODS, SENSITIVITY, in_new_words
from trustlab.privacy.noise_schedules import Schedule, one_schedule
from trustlab.privacy.training_options import TrainConfig, check_training, noise_schedule

if TYPE_CHECKING:
    from trustlab.privacy.auditing import AuditReport

SAMPLER = {
    "poisson": "Poisson",
    "shuffle": "shuffled, each example once per epoch",
    "none": "none (a step may see every example)",
}
NEIGHBOURS = {
    "add-remove": "two data sets of which one has one {unit} more (add or remove)",
    "replace": "two data sets of the same size that differ in one {unit} (replace one)",
}
Row = dict[str, str]


@dataclass(frozen=True)
class PrivacyStatement:
    """A guarantee with everything it depends on; :meth:`of_steps` makes one.

    Attributes
    ----------
    method
        ``"dp-sgd"`` (examples were clipped), ``"edp-sgd"`` (micro-batches were) or ``"sgd"`` (nothing was).
    epsilon, delta
        The guarantee; ε is ``inf`` where there is none.
    adjacency, unit
        What neighbouring data sets differ in.
    sampling_used, sampling_assumed, sample_rate
        How examples came into batches, which sampler the accountant assumed, and q.
    clip_norm, micro_batches, schedule
        C, K where there are micro-batches, and every ``(sigma, steps)`` in order.
    accountant
        Which accountant computed ε: a key of :data:`trustlab.privacy.accountants.ACCOUNTANTS`. It is not always the one
        asked for, see :func:`trustlab.privacy.accounting.bound`.
    audit
        The largest ε that an attack has shown, which is a lower bound; None when no attack was run.
    public, not_covered
        What the guarantee takes as known to everybody, and what it does not cover.
    audit_words, audit_failed
        What an audit has shown, and the names of its checks that failed; :meth:`audited` fills them in.
    """

    method: str
    epsilon: float
    delta: float
    adjacency: str
    unit: str
    sampling_used: str
    sampling_assumed: str
    sample_rate: float
    clip_norm: float
    micro_batches: int | None
    schedule: tuple[tuple[float, int], ...]
    accountant: str
    audit: float | None
    public: str
    not_covered: str
    audit_words: str = ""
    audit_failed: tuple[str, ...] = ()

    @classmethod
    def of_steps(
        cls,
        *,
        method: str,
        clip_norm: float,
        noise_multiplier: float | Schedule,
        delta: float,
        sample_rate: float = 1.0,
        steps: int | None = None,
        micro_batches: int | None = None,
        sampling_used: str = "poisson",
        sampling_assumed: str | None = None,
        adjacency: str = "add-remove",
        accountant: str = "pld",
        unit: str = "example",
        audit: float | None = None,
        public: str = "the number of examples, the hyper-parameters",
        not_covered: str = "anyone who knows the seed; norms and shares clipped, if shown; floating-point rounding",
    ) -> PrivacyStatement:
        """Account for the steps of a loop, this package's or another, and report what the result depends on.

        Parameters
        ----------
        noise_multiplier, steps, sample_rate, delta, adjacency, accountant
            As in :func:`trustlab.privacy.epsilon`; the sensitivity follows from `method`.
        sampling_used, sampling_assumed
            ``"poisson"``, ``"shuffle"`` or ``"none"``; the second defaults to the first. If ε is computed for a sampler
            other than the one used, the card says that it does not hold.

        Examples
        --------
        >>> run = dict(method="dp-sgd", clip_norm=1.0, noise_multiplier=1.0, steps=500, sample_rate=0.02, delta=1e-5)
        >>> card = PrivacyStatement.of_steps(**run)
        >>> round(card.epsilon, 2), card.holds
        (2.77, True)
        >>> PrivacyStatement.of_steps(**run, sampling_used="shuffle", sampling_assumed="poisson").holds
        False
        """
        method, _ = in_new_words(method)
        if method not in METHODS:
            raise ValueError(f"Expected method={method!r} to be one of {', '.join(map(repr, METHODS))}.")
        if sampling_used not in SAMPLINGS:
            raise ValueError(f"Expected sampling_used={sampling_used!r} to be one of {', '.join(SAMPLINGS)}.")
        schedule = one_schedule(noise_multiplier, steps)
        assumed = sampling_assumed or sampling_used
        run = dict(delta=delta, adjacency=adjacency, sample_rate=sample_rate)
        moves = 1.0 if method == "sgd" else _sensitivity(method, adjacency, assumed, sample_rate)
        spent = bound(schedule, sensitivity=moves, sampling=assumed, accountant=accountant, **run)
        return cls(
            method=method,
            epsilon=math.inf if method == "sgd" else spent.epsilon,
            sampling_used=sampling_used,
            sampling_assumed=assumed,
            clip_norm=clip_norm,
            micro_batches=micro_batches,
            schedule=tuple(schedule),
            unit=unit,
            audit=audit,
            public=public,
            not_covered=not_covered,
            accountant=spent.accountant,
            **run,
        )

    def audited(self, report: AuditReport) -> PrivacyStatement:
        """Return this statement with what an audit has shown in its line "audit".

        Refused and explained as in :func:`trustlab.privacy.auditing.attached.attached`, which does it.

        Examples
        --------
        >>> from trustlab.privacy.auditing import audit_training
        >>> card = PrivacyStatement.of_steps(method="dp-sgd", clip_norm=1.0, noise_multiplier=1.0, delta=1e-5, steps=1)
        >>> report = audit_training(lambda included: included, canaries=2000, epsilon=card.epsilon, delta=1e-5)
        >>> card.audited(report).warning
        'ε does NOT hold: an attack has shown an ε of at least 4.71. Look for the error.'
        """
        from trustlab.privacy.auditing.attached import attached

        return attached(self, report)

    @property
    def warning(self) -> str:
        """Why ε does not hold, in words; empty when nothing here contradicts it."""
        # Without sampling, every step counts in full: that covers every sampler that shows an example once a step.
        if self.sampling_assumed not in (self.sampling_used, "none"):
            return (
                f"ε does NOT hold: it is computed for the sampler “{SAMPLER[self.sampling_assumed]}”, but the batches "
                f"were drawn by “{SAMPLER[self.sampling_used]}” (Chua et al. 2024)."
            )
        if self.audit is not None and self.audit > self.epsilon:
            return f"ε does NOT hold: an attack has shown an ε of at least {self.audit:.3g}. Look for the error."
        if self.audit_failed:
            return (
                f"ε does NOT hold: the audit's checks failed: {', '.join(self.audit_failed)}. Look for the error there."
            )
        return ""

    @property
    def holds(self) -> bool:
        """Whether nothing reported here contradicts ε."""
        return not self.warning

    def rows(self) -> list[Row]:
        """Return the statement as rows of ``what`` and ``here``."""
        if self.method == "sgd":
            return [{"what": "guarantee", "here": "none: plain SGD"}]
        noise = ", then ".join(f"{sigma:.3g} for {count} steps" for sigma, count in self.schedule)
        audit = "none: no attack was run to bound ε from below"
        if self.audit is not None:
            audit = f"an attack has shown ε of at least {self.audit:.3g}"
        reported = {
            "ε": self._guarantee() + (" (does NOT hold, see sampler and audit)" if self.warning else ""),
            "neighbours": self._neighbours(),
            "privacy unit": f"one {self.unit}, not one person{self._group()}",
            "sampler": self._sampler(),
            "sensitivity": self._moves(),
            "noise multiplier": f"{noise} (σ; the noise has standard deviation σ·C)",
            "accountant": ACCOUNTANTS[self.accountant].words,
            "audit": self.audit_words or audit,
            "taken as public": self.public,
            "not covered": self.not_covered,
        }
        return [{"what": what, "here": here} for what, here in reported.items()]

    def _guarantee(self) -> str:
        """Write ε rounded up, so that the number printed is guaranteed too."""
        return "none" if math.isinf(self.epsilon) else f"{_up(self.epsilon):g} at {_delta(self.delta)}"

    def _neighbours(self) -> str:
        """Name the data sets that must look alike; with shuffled batches, the other examples keep theirs."""
        apart = NEIGHBOURS[self.adjacency].format(unit=self.unit)
        return f"{apart}; the others keep their batches" if self.sampling_assumed == "shuffle" else apart

    def _group(self) -> str:
        """Return the guarantee for a person with two units: 2ε, at δ(1 + e^ε) (group privacy)."""
        if math.isinf(self.epsilon):
            return ""
        delta = self.delta * (1 + math.exp(min(self.epsilon, 700)))
        return f"; a person with two has ε = {2 * _up(self.epsilon):g} at {_delta(_up(min(delta, 1.0), 2))}"

    def _sampler(self) -> str:
        """Name the sampler that drew the batches, and the one that ε is computed for."""
        used, assumed = f"{SAMPLER[self.sampling_used]}, q = {self.sample_rate:.3g}", SAMPLER[self.sampling_assumed]
        if self.sampling_used == self.sampling_assumed:
            return f"{used}, both used and assumed"
        ending = "which covers it" if self.sampling_assumed == "none" else "ε does NOT hold (Chua et al. 2024)"
        return f"used: {used}; assumed: {assumed}: {ending}"

    def _moves(self) -> str:
        """Return how far one unit moves the released sum, and why."""
        kept = f"C = {self.clip_norm:g}"
        replaced = self.adjacency == "replace"
        if self.method != "edp-sgd":
            return f"2 C: one clipped gradient for another; {kept}" if replaced else f"C: one clipped gradient; {kept}"
        kept += f", K = {self.micro_batches} micro-batches a step" if self.micro_batches else ""
        return f"2 C: one {self.unit} can reverse a clipped mean; {kept}"

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows())

    def __str__(self) -> str:
        width = max(len(row["what"]) for row in self.rows())
        lines = [f"{row['what'].ljust(width)}  {row['here']}" for row in self.rows()]
        return "\n".join([self.warning, *lines] if self.warning else lines)

    def _repr_html_(self) -> str:
        """Return the card: a table with a caption and row headers, and the warning before it where there is one."""
        alarm = f'<p role="alert"><strong>⚠ {html.escape(self.warning)}</strong></p>' if self.warning else ""
        left = 'style="text-align:left"'
        body = "".join(
            f'<tr><th scope="row" {left}>{html.escape(row["what"])}</th><td {left}>{html.escape(row["here"])}</td></tr>'
            for row in self.rows()
        )
        return f"{alarm}<table><caption>What this run guarantees</caption><tbody>{body}</tbody></table>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **kwargs: Any) -> Row:
        return {"text/html": self._repr_html_(), "text/plain": str(self)}


def statement(config: TrainConfig, examples: int) -> PrivacyStatement:
    """Report the guarantee of a whole training.

    Parameters
    ----------
    config
        How the model is trained.
    examples
        Number of training examples N.

    Returns
    -------
    PrivacyStatement
        Iterating over it gives its rows of ``what`` and ``here``; a notebook shows it as a card.

    Examples
    --------
    >>> card = statement(TrainConfig(method="edp-sgd", epsilon=8.0, epochs=1, batch_size=100), examples=1000)
    >>> card.rows()[4]["what"], card.rows()[4]["here"]
    ('sensitivity', '2 C: one utterance can reverse a clipped mean; C = 1, K = 32 micro-batches a step')

    Raises
    ------
    ValueError
        For options with which :func:`trustlab.privacy.train` would refuse to train.
    """
    check_training(config, examples)
    card = PrivacyStatement.of_steps(
        method=config.method,
        clip_norm=config.clip_norm,
        noise_multiplier=noise_schedule(config, examples),
        delta=config.delta,
        sample_rate=config.batch_size / examples,
        micro_batches=config.micro_batches,
        accountant=config.accountant,
        unit="utterance",
        public="N, the label names, the validation split, the hyper-parameters",
        not_covered="anyone who knows the seed; the logged share clipped; floating-point rounding",
    )
    # The noise spends a little less than the target; the target is what is guaranteed.
    return dataclasses.replace(card, epsilon=config.epsilon)


def _sensitivity(method: str, adjacency: str, sampling: str, sample_rate: float) -> float:
    """Return the Δ that :func:`trustlab.privacy.epsilon` takes, which doubles it where an example is replaced.

    One example can change a micro-batch's clipped mean from any vector of length C to any other, up to 2C away.
    Replaced without sampling that is one clipped vector for another, Δ = 1. On Poisson samples three sums matter,
    without the example and with either of both, each up to 2C from the others; Δ = 2 puts the last two on opposite
    sides of the first, which is more than can happen, and no tighter bound is known here.
    """
    sampled = sampling == "poisson" and sample_rate < 1
    return 1.0 if method == "edp-sgd" and adjacency == "replace" and not sampled else SENSITIVITY[method]


def _up(value: float, digits: int = 3) -> float:
    """Round up to `digits` significant digits.

    Examples
    --------
    >>> _up(2.7738), _up(8.0), _up(0.0)
    (2.78, 8.0, 0.0)
    """
    if value == 0:
        return 0.0
    scale = 10.0 ** (digits - 1 - math.floor(math.log10(value)))
    return math.ceil(value * scale - 1e-9) / scale


def _delta(delta: float) -> str:
    return f"δ = {delta:g}".replace("e-0", "e-")
