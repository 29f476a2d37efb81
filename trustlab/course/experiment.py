"""An experiment of the course: its committed table, the code that computes it, and what a reproduction has to know.

Each room describes its own in its ``__init__``; :mod:`trustlab.course.registry` lists them. An experiment's module has
``CORPORA``; ``KEY``, the columns that with the seed name a row; ``Setting``, a dataclass with ``key()``;
``grid(corpus, seeds=…)``, its settings; ``run(setting, corpus)``, which yields the row of one; ``result_name(corpus)``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from trustlab.closure import Closure, closure
from trustlab.course.corpora import EMBEDDED
from trustlab.lab.saved import is_saved, numbers, read, select
from trustlab.results import Reader

if TYPE_CHECKING:
    import numpy as np
    import pandas

OLD_NAMES = "trustlab.deprecation"  # old names hand on to new ones, which are followed: a rename decides no number

# Where following names leads too far. A test runs settings of each kind and sees that nothing of this is run.
FLEETS_LEAVE_OUT: Mapping[str, str] = MappingProxyType({
    "trustlab.privacy": "No fleet here adds noise, so no accountant counts any.",
    "trustlab.checkpoint": "A setting is computed in one go; a run that was stopped starts it again.",
    "trustlab.federated.partition.storage": "Fleets as files: a setting divides its corpus itself.",
})  # fmt: skip


def without_rates(recipe: Any) -> dict[str, Any]:
    """Return the options that all trainings of a table have in common: rates are tuned for each, and columns."""
    options = dataclasses.asdict(recipe)
    return {name: value for name, value in options.items() if name not in ("learning_rate", "server")}


class Done(NamedTuple):
    """A setting's row, its provenance as the run store has it, and whether it was there before."""

    row: dict[str, Any]
    made: dict[str, Any]
    restored: bool


@dataclass(frozen=True, eq=False)
class Experiment:
    """One experiment.

    Attributes
    ----------
    name
        On the command line: the notebook's name, and a word more where it has several.
    module
        As above.
    varied
        The field of a setting that decides how long it takes.
    slowest_first
        The values of that field; with the slowest first, no core ends with a long training alone.
    tolerance
        Column → how far a mean over seeds may move on another processor: rounding grows over hundreds of steps. These
        columns are what is shown on the way.
    named
        Names a setting in a few words, from the values of ``KEY``.
    recipes
        The options of the trainings on a corpus, for the table's provenance.
    parts
        Arguments of ``grid`` that keep a part of it; without their s they are columns. They are options of the command.
        One without values takes any, such as the name of a pretrained model that the committed table lacks.
    claims
        What is claimed of the table: from the corpus, and what finds a table by its name, the rows for
        :func:`trustlab.lab.teaching.claims`.
    left_out
        By the value of `varied`, the code that such a setting does not run though its function could, and why: an edit
        there keeps its rows. See :meth:`code`.
    brought
        Corpora that a user brings (:mod:`trustlab.data.brought`), of which no table is committed.
    """

    name: str
    module: ModuleType
    varied: str
    slowest_first: tuple[str, ...]
    tolerance: Mapping[str, float]
    named: Callable[..., str]
    recipes: Callable[[str], dict[str, Any]]
    parts: Mapping[str, tuple[str, ...]]
    claims: Callable[[str, Reader], list[dict[str, Any]]] = lambda corpus, read: []
    left_out: Callable[[str], Mapping[str, str]] = lambda kind: {}
    brought: tuple[str, ...] = ()

    @property
    def readable(self) -> tuple[str, ...]:
        """All corpora that it runs on: those with a committed table, and those that a user brings."""
        return (*self.module.CORPORA, *self.brought)

    # What is committed

    def saved(self, corpus: str = EMBEDDED) -> tuple[pandas.DataFrame, dict[str, Any]]:
        """Return the committed table, one row per training, and its provenance; select from it, do not change it."""
        return read(self.module.result_name(corpus))

    def table(self, corpus: str = EMBEDDED) -> pandas.DataFrame:
        """Return the committed table alone."""
        return self.saved(corpus)[0]

    def corpora(self, among: Sequence[str] | None = None) -> list[str]:
        """Return the corpora, of all or of some, whose table is there."""
        wanted = self.module.CORPORA if among is None else among
        return [corpus for corpus in wanted if is_saved(self.module.result_name(corpus))]

    def where(self, corpus: str = EMBEDDED, **values: Any) -> pandas.DataFrame:
        """Return the committed rows that have these values, in the order of their seeds.

        Raises
        ------
        ValueError
            If there are none. :func:`trustlab.lab.saved.select` returns an empty table instead.

        Examples
        --------
        >>> from trustlab.course.n21_non_iid_partitioning import EXPERIMENT
        >>> EXPERIMENT.where(scheme="fednlp", alpha=0.1)["seed"].tolist()
        [0, 1, 2, 3, 4]
        """
        rows = select(self.table(corpus), **values)
        if rows.empty:
            name = self.module.result_name(corpus)
            raise ValueError(f"Expected rows with {values} in {name}, got none. It is not part of the committed grid.")
        return rows

    def by_seed(self, measure: str, corpus: str = EMBEDDED, **values: Any) -> pandas.Series:
        """Return one measure of one setting, by seed: differences of two are between trainings of the same seed.

        Raises
        ------
        ValueError
            If `values` leave several settings.

        Examples
        --------
        >>> from trustlab.course.n21_non_iid_partitioning import EXPERIMENT
        >>> much, little = (EXPERIMENT.by_seed("accuracy", scheme="fednlp", alpha=alpha) for alpha in (100.0, 0.1))
        >>> (much - little).round(2).tolist()
        [0.13, 0.09, 0.09, 0.1, 0.09]
        """
        rows = self.where(corpus, **values)
        if rows["seed"].duplicated().any():
            several = ", ".join(name for name in self.module.KEY if rows[name].nunique() > 1)
            raise ValueError(f"Expected one setting for {values}, got several. Choose the value of {several} too.")
        return rows.set_index("seed")[measure]

    def curve(self, column: str = "curve", corpus: str = EMBEDDED, **values: Any) -> np.ndarray:
        """Return what one setting measured on the way, [seeds, measurements]; the table keeps it as "a|b|c".

        Examples
        --------
        >>> from trustlab.course.n21_non_iid_partitioning import EXPERIMENT
        >>> EXPERIMENT.curve(scheme="fednlp", alpha=0.1).shape
        (5, 20)
        """
        return numbers(self.by_seed(column, corpus, **values))

    def seconds(self, corpus: str = EMBEDDED, *, share: float = 0.5, **values: Any) -> float:
        """Return within how many seconds this share of such trainings were done for the committed table."""
        return float(self.where(corpus, **values)["seconds"].quantile(share))

    # The code that computes it

    def code(self, kind: str | None = None) -> Closure:
        """Return the code that decides a row of `kind`, a value of `varied`; None: of any, with nothing left out.

        Examples
        --------
        >>> from trustlab.course.n11_dp_sgd_vs_edp_sgd import EXPERIMENT
        >>> "trustlab.privacy.fast.engine.add_clipped" in EXPERIMENT.code("sgd").units
        False
        """
        left_out = self.left_out(kind) if kind is not None else ()
        return closure(self.module.run, self.module.Setting, without=(OLD_NAMES, *left_out))

    def codes(self) -> dict[str, Closure]:
        """Return the code of each kind; kinds that leave out the same have the same code, which is followed once."""
        left_out = {kind: frozenset(self.left_out(kind)) for kind in self.slowest_first}
        found: dict[frozenset[str], Closure] = {}
        for kind, stops in left_out.items():
            if stops not in found:
                found[stops] = self.code(kind)
        return {kind: found[stops] for kind, stops in left_out.items()}
