"""A made-up comparison in the place of the committed one: of the right shape, and no two of its means are the same."""

import pandas
import pytest

from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import grid, result_name, shown, usual
from trustlab.data import assistant
from trustlab.runs import write_results

SECONDS = {"sgd": 300.0, "dp-sgd": 301.0, "edp-sgd": 21.0, "fast": 33.0}


@pytest.fixture(scope="module")
def corpus():
    """Just over one expected batch of 512 training utterances, so that an epoch is one step."""
    return assistant(800)


@pytest.fixture(scope="module")
def rows(corpus):
    """The rows of the embedded corpus' table."""
    first = [corpus["test"][i]["intent"] for i in shown(corpus)]
    made = []
    for place, cell in enumerate(grid("assistant")):
        accuracy = 0.93 if cell.method == "sgd" else 0.2 + 0.004 * place + 0.003 * cell.seed
        right = 0 if cell.seed else (place // 3) % (len(first) + 1)  # only seed 0 is right about any
        made.append(
            {
                **cell.key(),
                "accuracy": accuracy,
                "accuracy_rare": 0.5 * accuracy,
                "slot_f1": 0.8 * accuracy,
                "seconds": SECONDS[cell.method] + cell.seed,
                "answers": "|".join(true if i < right else "nonsense" for i, true in enumerate(first)),
            }
        )
    return made


@pytest.fixture(scope="module")
def results(rows, tmp_path_factory):
    """The made-up tables in the place of the committed ones; ATIS has none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUSTLAB_RESULTS", str(tmp_path_factory.mktemp("results")))
        about = {"seeds": [0, 1, 2]}
        write_results(result_name("assistant"), rows, about)
        plain = usual(pandas.DataFrame(rows)).assign(corpus="snips", accuracy=0.1)
        write_results(result_name("snips"), plain.to_dict("records"), about)
        yield


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
