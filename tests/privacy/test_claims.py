import pytest

from trustlab.intervals import Interval
from trustlab.lab.teaching import claims
from trustlab.privacy.claims import claims_of_p1
from trustlab.privacy.comparison import result_name
from trustlab.runs import write_results

FAST = {"DP-SGD, loop": 12.0, "eDP-SGD, K = 4": 1.01, "eDP-SGD, K = 16": 1.02, "eDP-SGD, K = 64": 3.0}
LOOP, BILSTM, ENCODER, ACCURACY, SLOTS = range(5)  # the order of the claims


@pytest.fixture
def committed(tmp_path, monkeypatch):
    """Write a table of times and one of accuracies; what is not said is such that every claim holds."""
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))

    def write(times=(), half=0.01, accuracy=0.0, slot_f1=0.0):
        by_method = {model: {"SGD": 1.0, **FAST} for model in ("bilstm", "transformer", "encoder")}
        for (model, method), ratio in dict(times).items():
            by_method[model][method] = ratio
        rows = [
            {"model": model, "method": method, "times SGD": ratio, "low": ratio - half, "high": ratio + half}
            for model, methods in by_method.items()
            for method, ratio in methods.items()
        ]
        write_results("private_step_time", rows, {"config": {"repetitions": 7}})
        rows = []
        for seed in (2, 0, 1):  # a table may have its rows in any order
            for method, k, epsilon, better in [
                ("dp-sgd", 0, 8.0, 0.0),
                ("edp-sgd", 64, 8.0, 1.0),
                ("edp-sgd", 16, 8.0, 90.0),  # another K, another ε: neither is what the claim is about
                ("dp-sgd", 0, 1.0, -70.0),
                ("edp-sgd", 64, 1.0, 70.0),
            ]:
                noise = 0.1 * seed + (0.001 * seed if method == "edp-sgd" else 0)
                rows.append(
                    {
                        "method": method,
                        "epsilon": epsilon,
                        "seed": seed,
                        "micro_batches": k,
                        "accuracy": 0.5 + noise + better * accuracy,
                        "slot_f1": 0.2 + noise + better * slot_f1,
                    }
                )
        write_results(result_name("assistant"), rows, {"seeds": [0, 1, 2]})
        return claims_of_p1("assistant")

    return write


def outcomes(rows):
    return [row["outcome"] == "holds" for row in claims(rows).rows]


def test_claims_that_hold_are_said_to_hold(committed):
    assert outcomes(committed()) == [True] * 5


def test_each_claim_reads_its_own_numbers(committed):
    rows = committed(
        {("bilstm", "eDP-SGD, K = 16"): 1.2, ("encoder", "eDP-SGD, K = 4"): 1.3}, accuracy=0.1, slot_f1=0.2
    )
    assert rows[LOOP]["measured"] == Interval(12.0, 11.99, 12.01, 7)
    assert rows[BILSTM]["measured"][0] == 1.2
    assert rows[ENCODER]["measured"][0] == 1.3
    # eDP-SGD minus DP-SGD of the same seed, at ε = 8 and the usual K.
    assert rows[ACCURACY]["values"] == pytest.approx([0.1, 0.101, 0.102])
    assert rows[SLOTS]["values"] == pytest.approx([0.2, 0.201, 0.202])
    assert "measured" not in rows[ACCURACY]


@pytest.mark.parametrize(
    ("change", "claim"),
    [
        (dict(times={("bilstm", "DP-SGD, loop"): 4.0}), LOOP),
        (dict(times={("bilstm", "eDP-SGD, K = 16"): 1.06}), BILSTM),
        (dict(times={("encoder", "eDP-SGD, K = 4"): 1.06}), ENCODER),
        (dict(accuracy=-0.03), ACCURACY),
        (dict(slot_f1=-0.03), SLOTS),
    ],
)
def test_a_claim_that_does_not_hold_is_said_not_to(committed, change, claim):
    assert outcomes(committed(**change)) == [place != claim for place in range(5)]


def test_a_claim_holds_only_if_its_whole_interval_does(committed):
    rows = committed({("bilstm", "DP-SGD, loop"): 5.5, ("encoder", "eDP-SGD, K = 4"): 1.0}, half=0.9)
    assert outcomes(rows)[:3] == [False, False, False]


def test_results_that_are_not_there_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"Expected private_step_time\.csv"):
        claims_of_p1("assistant")
