"""The search for each method's rates on a real corpus: every method on every partition gets the same number of trials.

Trials train on four fifths of the training split and are scored on the fifth, with seeds from 100; of XQuAD on
articles that no reported number asks. What is reported later is tested on other texts, with other seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from trustlab.config import check
from trustlab.course.n24_fednlp_benchmark.real_data import COMMITTED, REAL, divided
from trustlab.course.n24_fednlp_benchmark.real_training import CENTRALISED, Training, places, trained
from trustlab.course.sensitivity import stable
from trustlab.course.tuning import Option, Space, chosen, search_seeds, trials
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import datasets
    import pandas

CORPORA = COMMITTED
ORDER = 2  # seed of the order of trials: of the first five, the one whose trials lie apart best; chosen before any ran
AVERAGE = "1 puts the clients' average in place; a shorter step is what smaller client rates take"
PRODUCT = "with longer server steps and shorter client steps only the product of both counts, as in FedSGD"


@dataclass(frozen=True)
class Search:
    """What is tried on one corpus.

    Attributes
    ----------
    spaces
        By algorithm.
    trials
        As many for every algorithm on every partition.
    margin
        Whether a rate counts only if the next larger one lost no training, see
        :func:`trustlab.course.sensitivity.stable`. A whole grid can tell; a few draws lie too far apart.
    """

    spaces: Mapping[str, Space]
    trials: int
    margin: bool


DRAWN = Search(
    {
        "fedavg": {
            "rate": Option((0.01, 0.03, 0.1, 0.3, 1.0, 3.0)),
            "server_rate": Option((1.0, 3.0, 10.0), low_end=AVERAGE, high_end=PRODUCT),
        },
        "fedadam": {
            "rate": Option((0.01, 0.03, 0.1, 0.3, 1.0)),
            "server_rate": Option((0.003, 0.01, 0.03, 0.1, 0.3)),
        },
        CENTRALISED: {
            "rate": Option((0.002, 0.004, 0.008, 0.016, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0)),
            "server_rate": Option((1.0,)),
        },
    },
    trials=8,
    margin=False,
)
WHOLE = Search(
    {
        "fedavg": {
            "rate": Option((0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)),
            "server_rate": Option((1.0, 3.0, 10.0), low_end=AVERAGE, high_end=PRODUCT),
        },
        "fedadam": {
            "rate": Option((0.003, 0.01, 0.03, 0.1, 0.3, 1.0)),
            "server_rate": Option((0.003, 0.01, 0.03, 0.1, 0.3)),
        },
        CENTRALISED: {
            "rate": Option(tuple(float(f"{0.00025 * 2 ** (i / 2):.2g}") for i in range(30))),
            "server_rate": Option((1.0,)),
        },
    },
    trials=30,
    margin=True,
)
SCALES = "a longer adaptive step scales a linear head, whose largest score stays the largest: the search is flat there"
# On WNUT17 the adaptive server's best rates are larger.
_LARGER = {**WHOLE.spaces["fedadam"], "server_rate": Option((0.01, 0.03, 0.1, 0.3, 1.0), high_end=SCALES)}
LARGER = replace(WHOLE, spaces={**WHOLE.spaces, "fedadam": _LARGER})
SEARCHES: Mapping[str, Search] = {"20newsgroups": WHOLE, "clinc150": DRAWN, "wnut17": LARGER, "xquad": DRAWN}
OPTIONS, BY = ("rate", "server_rate"), ("algorithm", "partition")
KEY = ("task", *BY, *OPTIONS)  # with the seed: one row


@dataclass(frozen=True)
class Setting(Training):
    """One trial."""

    def key(self) -> dict[str, Any]:
        """Return the columns that name this trial in a table."""
        names = dict(corpus=self.corpus, task=REAL[self.corpus][0], algorithm=self.algorithm, partition=self.partition)
        return {**names, "rate": self.rate, "server_rate": self.server_rate, "seed": self.seed}


def grid(corpus: str, *, seeds: Sequence[int] = range(1)) -> list[Setting]:
    """Return the trials on `corpus`; `seeds` are those of a search."""
    return [
        Setting(corpus, algorithm, division, seed, **trial)
        for algorithm, division in places(corpus)
        for trial in trials(SEARCHES[corpus].spaces[algorithm], SEARCHES[corpus].trials, ORDER)
        for seed in search_seeds(seeds)
    ]


def result_name(corpus: str) -> str:
    """Return the name under which the search on `corpus` is stored in ``data/results``."""
    return f"tuning/fednlp_benchmark_real_{corpus}"


def candidates(corpus: str, read: Reader = read_results) -> pandas.DataFrame:
    """Return the trials of the committed search on `corpus` whose rates may be taken."""
    table = read(result_name(corpus))[0]
    return stable(table, BY, within=BY, client="rate") if SEARCHES[corpus].margin else table


def rates(corpus: str, algorithm: str, division: str, read: Reader = read_results) -> dict[str, Any]:
    """Return the rates that the committed search chose for one method on one partition."""
    return chosen(candidates(corpus, read), options=OPTIONS, algorithm=algorithm, partition=division)


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one trial and yield its row.

    Yields
    ------
    dict
        ``corpus``, ``task``, ``algorithm``, ``partition`` and ``seed``, and what
        :func:`trustlab.course.n24_fednlp_benchmark.real_training.trained` returns.
    """
    check(setting)
    yield setting.key() | trained(setting, divided(setting.corpus, corpus, setting.seed, tuning=True))
