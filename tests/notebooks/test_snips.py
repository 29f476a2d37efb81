"""Notebook 11 on real utterances: the one line that its card names is changed, and it runs from top to bottom."""

import pytest

from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import result_name, tuned, usual


def text_of(output):
    return output.get("text", "") + output.get("data", {}).get("text/plain", "")


@pytest.fixture(scope="module")
def executed(run_on):
    """Notebook 11 with `name = "snips"`, its measurements of time and its training of a head on fewer steps."""
    shorter = {"repetitions=10": "repetitions=3", "epochs=10": "epochs=2", "3_000": "600", "500)": "100)"}
    return run_on("11_dp_sgd_vs_edp_sgd", "snips", shorter)


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_it_runs_from_top_to_bottom(executed):
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert [output.ename for output in outputs(executed) if output.output_type == "error"] == []
    shown = "\n".join(map(text_of, outputs(executed)))
    assert "Traceback" not in shown


def test_what_it_shows_is_about_snips(executed):
    shown = "\n".join(map(text_of, outputs(executed)))
    batch = tuned("snips", "edp-sgd", 8.0).batch_size
    assert "Utterances: 13,084 for train, 700 for validation, 700 for test." in shown
    assert f"q = {batch / 13_084:.3g}" in shown  # in the statement of the guarantee
    assert " on SNIPS (intents right); SGD without privacy " in shown
    assert " on the embedded corpus (intents right); SGD" not in shown


def test_the_panel_shows_the_results_committed_for_snips(executed):
    from trustlab.runs import read_results

    table, _ = read_results(result_name("snips"))
    mean = usual(table).groupby(["method", "epsilon"])["accuracy"].mean()
    verdict = f"At ε = 8 (weak), DP-SGD, one pass reaches {100 * mean['fast', 8.0]:.0f}\u00a0% in "
    assert verdict in "\n".join(map(text_of, outputs(executed)))
