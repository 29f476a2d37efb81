"""Notebook 11 on real utterances: the one line that its card names is changed, and it runs from top to bottom."""

import pytest

from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import result_name


def text_of(output):
    return output.get("text", "") + output.get("data", {}).get("text/plain", "")


@pytest.fixture(scope="module")
def executed(run_on):
    """Notebook 11 with `name = "snips"`."""
    return run_on("11_dp_sgd_vs_edp_sgd", "snips")


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
    assert "Utterances: 13,084 for train, 700 for validation, 700 for test." in shown
    assert "q = 0.0391" in shown  # 512 of 13 084 in the statement of the guarantee
    assert "of the intents right on SNIPS, slot F1 " in shown
    assert "of the intents right on the embedded corpus" not in shown


def test_the_panel_shows_the_results_committed_for_snips(executed):
    from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import MODELS, usual
    from trustlab.runs import read_results

    table, _ = read_results(result_name("snips"))
    mean = usual(table).groupby(["model", "method", "epsilon"])["accuracy"].mean()
    both = " and ".join(f"{100 * mean[model, 'dp-sgd', 8.0]:.0f}\u00a0% ({label})" for model, label in MODELS.items())
    verdict = f"At ε = 8 (weak), DP-SGD (loop) gets {both} of the intents right on SNIPS"
    assert verdict in "\n".join(map(text_of, outputs(executed)))
