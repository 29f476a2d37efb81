"""Made-up tables in the place of committed ones, and the comparison of notebook 11, which notebook 00 shows too.

A made-up table has the shape of its experiment's, and no two of its means are the same.
"""

import dataclasses
import json
import math
import re
import statistics
from pathlib import Path

import pandas
import pytest
from scipy import stats

from trustlab.course.glossary import without_tooltips
from trustlab.course.n11_dp_sgd_vs_edp_sgd import method_search, training_seconds
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import BASELINES, METHODS, grid, result_name, shown, tuned, usual
from trustlab.data import assistant
from trustlab.runs import write_results

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
NO_PROSE = re.compile(
    r"```.*?```|`[^`]+`|\$\$.*?\$\$|\$[^$]+\$|\]\([^)]*\)|^#+ .*?$|<summary>.*?</summary>|^\*\*\d · .*?$", re.S | re.M
)
SECONDS = {"sgd": 300.0, "edp-sgd": 21.0, "fast": 33.0, **dict.fromkeys(BASELINES, math.nan)}
A_STEP = {"SGD": 1.0, "DP-SGD, loop": 20.0, "DP-SGD, fast": 1.5, "DP-SGD, Opacus ghost": 6.0}  # ms an utterance


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """Return a function that puts a made-up table in the place of a committed one and returns its rows.

    Its arguments are the table's name, the cells of its grid, and what a row says beside its key: a function of the
    cell's place and the cell.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUSTLAB_RESULTS", str(tmp_path_factory.mktemp("results")))

        def put(name, cells, row):
            rows = [{**cell.key(), **row(place, cell)} for place, cell in enumerate(cells)]
            write_results(name, rows, {"seeds": sorted({cell.seed for cell in cells})})
            return rows

        yield put


@pytest.fixture(scope="session")
def drawn():
    """Return a function to the answer at a position and what is drawn of it.

    Nothing is encoded as a PNG, which takes most of a move: many positions can be looked at.
    """

    def at(panel, **values):
        answer = panel.answer_at(dataclasses.replace(panel.config, **values))
        panel.drawing.draw(answer)
        return answer, panel.drawing.shown()

    return at


@pytest.fixture(scope="session")
def numbers_left():
    """Return a function to the numbers of a notebook's running text that no known fragment has.

    Its arguments are the notebook's name, fragments with numbers that were computed elsewhere, each of which has to be
    there, and a pattern of numbers that nobody measured (years, names).
    """

    def left(notebook, fragments, harmless):
        cells = json.loads((NOTEBOOKS / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        text = NO_PROSE.sub(" ", without_tooltips(text))
        assert [fragment for fragment in fragments if fragment not in text] == []
        for fragment in fragments:
            text = text.replace(fragment, " ")
        found = re.finditer(r"[\d−][\d.,]*", re.sub(harmless, " ", text))
        return [text_around(match) for match in found if any(sign.isdigit() for sign in match[0])]

    return left


def text_around(match):
    return match.string[max(0, match.start() - 30) : match.end() + 10].replace("\n", " ")


@pytest.fixture(scope="session")
def interval():
    """Return a function to mean and half the width of the 95 % interval, computed without the package."""

    def of(values):
        half = stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
        return statistics.mean(values), half

    return of


@pytest.fixture(scope="session")
def written(interval):
    """Return a function that writes mean and interval in whole per cent, computed without the package."""

    def of(values):
        mean, half = interval(values)
        return f"{100 * mean:.0f} ({100 * (mean - half):.0f} to {100 * (mean + half):.0f})"

    return of


@pytest.fixture(scope="module")
def corpus():
    """Just over one expected batch of 512 training utterances, so that an epoch is one step."""
    return assistant(800)


@pytest.fixture(scope="module")
def searched(made_up):
    """The rows of the search of settings: the later a trial, the better; and what a step takes."""
    times = [
        {"batch": batch, "method": name, "seconds": ms * batch / 1e3, "times SGD": ms}
        for batch in (128, 256, 512, 1024, 2048)
        for name, ms in {
            **A_STEP,
            **{f"eDP-SGD, K = {k}{how}": 2.0 + k / 100 for k in (16, 64, 256, 1024) for how in ("", ", K passes")},
        }.items()
    ]
    times = [{**row, "low": row["times SGD"] - 0.1, "high": row["times SGD"] + 0.1, "rounds": 7} for row in times]
    write_results(training_seconds.TIMES, times, {"config": {"threads": 1}})

    def row(place, cell):
        score = 0.1 + 0.01 * place
        return {"score": score, "accuracy": score + 0.1, "slot_f1": score - 0.1, "seconds": 9.0, "clipped": 1.0}

    return made_up(method_search.result_name("assistant"), method_search.grid("assistant"), row)


@pytest.fixture(scope="module")
def rows(corpus, searched, made_up):
    """The rows of the embedded corpus' table; SNIPS has one as well, ATIS has none."""
    first = [corpus["test"][i]["intent"] for i in shown(corpus)]

    def row(place, cell):
        accuracy = 0.93 if cell.method == "sgd" else 0.2 + 0.01 * (place // 5) + 0.003 * cell.seed
        right = 0 if cell.seed else (place // 5) % (len(first) + 1)  # only seed 0 is right about any
        tags = cell.method in METHODS or cell.method == "word's tag"
        return {
            "accuracy": accuracy if cell.method != "word's tag" else math.nan,
            "accuracy_rare": 0.5 * accuracy if cell.method != "word's tag" else math.nan,
            "slot_f1": 0.8 * accuracy if tags else math.nan,
            "seconds": SECONDS[cell.method] + cell.seed,
            "answers": "|".join(true if i < right else "nonsense" for i, true in enumerate(first)),
        }

    made = made_up(result_name("assistant"), grid("assistant"), row)
    table = pandas.DataFrame(made)
    plain = pandas.concat([usual(table), table[table["method"].isin(BASELINES)]]).assign(corpus="snips", accuracy=0.1)
    write_results(result_name("snips"), plain.to_dict("records"), {"seeds": [0, 1, 2, 3, 4]})
    return made


@pytest.fixture(scope="module")
def results(rows):
    """The made-up tables in the place of the committed ones."""


def chosen(rows, **values):
    """The rows of the table that have these values."""
    return [row for row in rows if row.items() >= values.items()]


@pytest.fixture(scope="module")
def usual_rows(rows):
    """Return a function to the rows of one tuned training, one per seed."""

    def at(method, epsilon):
        key = tuned("assistant", method, epsilon).key()
        key.pop("seed")
        found = chosen(rows, **key)
        assert len(found) == 5
        return found

    return at
