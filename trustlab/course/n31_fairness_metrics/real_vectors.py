"""WEAT's tests on real word2vec vectors (Caliskan, Bryson & Narayanan 2017): one metric on real text.

The vectors are those of 347 words of the tests, out of Google News. Of the ten tests, 3 to 5 are left out: nine in ten
of their names have no vector here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check, option
from trustlab.deprecation import old_names
from trustlab.fairness.association import weat, word_vectors

if TYPE_CHECKING:
    import datasets

CORPORA = ("weat",)
KEY = ("test",)  # with the seed: one row
TESTS = (1, 2, 6, 7, 8, 9, 10)
DRAWS = 100_000  # divisions, where there are too many to count


@dataclass(frozen=True)
class Setting:
    """One of the tests."""

    test: int = option(1, label="Test", help="Number in the article's table.", values=TESTS)
    vectors: str = option("word2vec", label="Vectors", help="Where the words' vectors are from.", values=("word2vec",))
    seed: int = option(0, label="Seed", help="Seed of the drawn divisions.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this test in a table."""
        return asdict(self)


def grid(corpus: str, *, seeds: Sequence[int] = range(1)) -> list[Setting]:
    """Return the tests, with the first seed only: hardly anything is drawn."""
    return [Setting(test, seed=seeds[0]) for test in TESTS]


def result_name(corpus: str) -> str:
    """Return the name under which the table is stored in ``data/results``."""
    return f"fairness_metrics_association_{Setting().vectors}"


def recipe(setting: Setting) -> dict[str, Any]:
    """Return the options of every test."""
    return {"draws": DRAWS}


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Test one hypothesis and yield its one row.

    Yields
    ------
    dict
        ``test``, ``vectors`` and ``seed``; ``targets`` and ``attributes``, names of the sets; ``words``, targets on
        each side; ``missing``, words of all sets without a vector or left out to make both sides equal;
        ``effect_size``, ``p_value`` and ``exact`` (1 or 0), see :func:`trustlab.fairness.association.weat`;
        ``seconds``.
    """
    check(setting)
    started = time.perf_counter()
    (asked,) = (row for row in corpus["test"] if row["test"] == setting.test)
    sets = word_vectors(setting.vectors).sets(*(asked[name] for name in "XYAB"))
    many = len(sets.X) > 20
    found = weat(*sets[:4], permutations=DRAWS if many else "auto", seed=setting.seed)
    yield {
        **setting.key(),
        "targets": f"{asked['X_name']} / {asked['Y_name']}",
        "attributes": f"{asked['A_name']} / {asked['B_name']}",
        "words": len(sets.X),
        "missing": sum(len(each) for lost in (sets.missing, sets.dropped) for each in lost.values()),
        "effect_size": found.effect_size,
        "p_value": found.p_value,
        "exact": int(found.exact),
        "seconds": time.perf_counter() - started,
    }


__getattr__ = old_names(__name__, {"Cell": "Setting"})
