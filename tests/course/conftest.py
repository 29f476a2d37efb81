"""Made-up tables in the place of committed ones, and the comparison of notebook 11, which notebook 00 shows too.

A made-up table has the shape of its experiment's, and no two of its means are the same.
"""

import dataclasses
import json
import re
import statistics
from pathlib import Path

import pandas
import pytest
from scipy import stats

from trustlab.course.glossary import without_tooltips
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import grid, result_name, shown, usual
from trustlab.data import assistant
from trustlab.runs import write_results

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
NO_PROSE = re.compile(
    r"```.*?```|`[^`]+`|\$\$.*?\$\$|\$[^$]+\$|\]\([^)]*\)|^#+ .*?$|<summary>.*?</summary>|^\*\*\d · .*?$", re.S | re.M
)
SECONDS = {"sgd": 300.0, "dp-sgd": 301.0, "edp-sgd": 21.0, "fast": 33.0}


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
def rows(corpus, made_up):
    """The rows of the embedded corpus' table; SNIPS has one as well, ATIS has none."""
    first = [corpus["test"][i]["intent"] for i in shown(corpus)]

    def row(place, cell):
        accuracy = 0.93 if cell.method == "sgd" else 0.2 + 0.004 * place + 0.003 * cell.seed
        right = 0 if cell.seed else (place // 3) % (len(first) + 1)  # only seed 0 is right about any
        return {
            "accuracy": accuracy,
            "accuracy_rare": 0.5 * accuracy,
            "slot_f1": 0.8 * accuracy,
            "seconds": SECONDS[cell.method] + cell.seed,
            "answers": "|".join(true if i < right else "nonsense" for i, true in enumerate(first)),
        }

    made = made_up(result_name("assistant"), grid("assistant"), row)
    plain = usual(pandas.DataFrame(made)).assign(corpus="snips", accuracy=0.1)
    write_results(result_name("snips"), plain.to_dict("records"), {"seeds": [0, 1, 2]})
    return made


@pytest.fixture(scope="module")
def results(rows):
    """The made-up tables in the place of the committed ones."""


def chosen(rows, **values):
    """The rows of the table that have these values."""
    return [row for row in rows if row.items() >= values.items()]


@pytest.fixture(scope="module")
def usual_rows(rows):
    """Return a function to the rows of one point of a usual curve, one per seed."""

    def at(method, epsilon, model="bilstm"):
        k = 64 if method == "edp-sgd" else 0
        values = dict(method=method, epsilon=epsilon, model=model, micro_batches=k, rule="flat", noise_decay=1.0)
        found = chosen(rows, **values)
        assert len(found) == 3
        return found

    return at
