"""Notebook 21 on real utterances: the one line that its card names is changed, and it runs from top to bottom."""

import pytest

from trustlab.course.n21_non_iid_partitioning.experiment import result_name
from trustlab.results import read_results


@pytest.fixture(scope="module")
def shown(run_on):
    """All that notebook 21 with `name = "clinc150"` shows as text."""
    notebook = run_on("21_non_iid_partitioning", "clinc150")
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.ename for output in outputs if output.output_type == "error"] == []
    return "\n".join(output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs)


def test_it_is_about_clinc150_and_by_hand_is_still_as_in_the_package(shown):
    assert "15,100 utterances of 151 intents" in shown
    assert "100 × 151 counts equal the package's" in shown
    assert "(computed here on CLINC150)" in shown
    assert "computed here on the embedded corpus" not in shown


def test_the_panel_and_the_claims_are_those_of_its_own_table(shown):
    table, about = read_results(result_name("clinc150"))
    runs = table[(table["scheme"] == "fednlp") & (table["alpha"] == 0.1)]
    assert len(runs) == len(about["seeds"]) >= 3
    assert f"FedAvg gets {100 * runs['accuracy'].mean():.0f}\u00a0% of all intents right on CLINC150" in shown
    assert "Accuracy falls as α falls (α as in FedNLP; α = 100 minus α = 0.1)" in shown
    assert "Rare intents lose more" not in shown  # all are equally frequent
