import math

import pytest

from trustlab.course.n11_dp_sgd_vs_edp_sgd import method_search
from trustlab.course.n11_dp_sgd_vs_edp_sgd.claims import claims_of
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import grid, result_name
from trustlab.course.n11_dp_sgd_vs_edp_sgd.training_seconds import TIMES
from trustlab.intervals import Interval
from trustlab.lab.claims import claims
from trustlab.runs import read_results, write_results

SECONDS = {
    "SGD": 1.0,
    "DP-SGD, loop": 12.0,
    "DP-SGD, fast": 1.1,
    "eDP-SGD, K = 4": 1.01,
    "eDP-SGD, K = 16": 1.02,
    "DP-SGD, Opacus hooks": 9.0,
    "DP-SGD, Opacus ghost": 2.6,
}
# The order of the claims; then by ε eDP-SGD's intents and slots, the exact method's against SGD, the ingredients.
LOOP, PAPERS, BILSTM, PASSES, ENCODER, FAST, TRANSFORMER, MEMORY, GHOST, HOOKS, OURS = range(11)
FIRST_OF_ACCURACY, FIRST_OF_INGREDIENTS = 11, 19
COUNT = 23
SIZES = {"bilstm": (128, 16), "transformer": (32, 16), "encoder": (32, 16)}  # what the claims are about


@pytest.fixture
def committed(tmp_path, monkeypatch):
    """Write the tables that are read; what is not said is such that every claim holds."""
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))

    def write(times=(), half=0.01, memory=1.2, better=(), passes=1.0, one_more=1e-4, corpus="assistant"):
        rows = []
        for model, size in SIZES.items():
            for other in ((32, 16), (128, 16), (32, 64)):
                for method, ratio in SECONDS.items():
                    # Another size of step: nothing that a claim is about.
                    ratio = dict(times).get((model, method), ratio) if other == size else 99.0
                    row = {"model": model, "batch": other[0], "tokens": other[1], "method": method, "times SGD": ratio}
                    row |= {"low": ratio - half, "high": ratio + half, "rounds": 7, "training MB / SGD": memory}
                    rows.append(row)
        write_results("private_step_time", rows, {})
        write_batches(passes, half, one_more)
        search = [{**cell.key(), "score": 0.5} for cell in method_search.grid("assistant")]
        write_results(method_search.result_name("assistant"), search, {})
        rows = []
        for cell in sorted(grid(corpus), key=lambda cell: (cell.seed * 3) % 5):  # in any order
            row = cell.key() | {"accuracy": 0.5 + 0.1 * cell.seed, "slot_f1": 0.2 + 0.1 * cell.seed}
            varied = cell.rule if cell.rule != "flat" else "decay" if cell.noise_decay != 1 else ""
            for measure in ("accuracy", "slot_f1"):
                gain = dict(better).get((cell.method, cell.epsilon, varied, measure), 0.1 if varied else 0.0)
                row[measure] += 0.001 * cell.seed * (cell.method == "edp-sgd" or bool(varied)) + gain
            rows.append(row)
        write_results(result_name(corpus), rows, {"seeds": list(range(5))})
        return claims_of(corpus)

    def write_batches(passes, half, one_more):
        timed = {"SGD": lambda n: one_more * n + 1e-4, "DP-SGD, loop": lambda n: 0.02 * n}
        timed["eDP-SGD, K = 16, K passes"] = lambda n: 1.0
        rows = []
        for name, seconds in timed.items():
            ratio = passes if "passes" in name else 1.0
            interval = {"times SGD": ratio, "low": ratio - half, "high": ratio + half, "rounds": 7}
            rows += [{"batch": n, "method": name, "seconds": seconds(n), **interval} for n in (128, 512, 2048)]
        write_results(TIMES, rows, {})

    return write


def outcomes(rows):
    return [row["outcome"] for row in claims(rows).rows]


def test_claims_that_hold_are_said_to_hold(committed):
    assert outcomes(committed()) == ["holds"] * COUNT


def test_each_claim_reads_its_own_numbers(committed):
    cases = [("edp-sgd", epsilon, "", measure) for epsilon in (1.0, 3.0, 8.0) for measure in ("accuracy", "slot_f1")]
    better = {case: place for place, case in enumerate(cases)}
    better |= {("edp-sgd", 8.0, "equal", "accuracy"): 7.0, ("fast", 8.0, "decay", "accuracy"): 9.0}
    better |= {("sgd", math.inf, "", "accuracy"): -3.0}
    rows = committed(
        {("bilstm", "eDP-SGD, K = 16"): 1.2, ("transformer", "DP-SGD, fast"): 1.4}, passes=1.3, better=better
    )
    assert rows[LOOP]["measured"] == Interval(12.0, 11.99, 12.01, 7)
    assert rows[PAPERS]["measured"] == "at most 200 ×, whatever the batch"
    assert [rows[claim]["measured"][0] for claim in (BILSTM, PASSES, FAST, TRANSFORMER)] == [1.2, 1.3, 1.1, 1.4]
    # eDP-SGD's minus the exact method's of the same seed.
    for place, row in enumerate(rows[FIRST_OF_ACCURACY : FIRST_OF_ACCURACY + 6]):
        assert row["values"] == pytest.approx([place + 0.001 * seed for seed in range(5)])
        assert f"ε = {(1, 3, 8)[place // 2]}," in row["claim"] and ("slot F1" in row["claim"]) == (place % 2 == 1)
    assert rows[FIRST_OF_ACCURACY + 6]["values"] == pytest.approx([3.0] * 5)  # against SGD
    layer, fast_layer, _, fast_decay = rows[FIRST_OF_INGREDIENTS:]
    assert layer["values"] == pytest.approx([7.0 - 4.0] * 5) and "per layer" in layer["claim"]
    assert fast_layer["values"] == pytest.approx([0.1 + 0.001 * seed for seed in range(5)])
    assert fast_decay["values"] == pytest.approx([9 + 0.001 * seed for seed in range(5)])


def test_every_line_about_accuracy_says_its_setup_and_what_would_change_it(committed):
    for row in committed()[FIRST_OF_ACCURACY:]:
        assert "the embedded corpus" in row["setup"] and "tuned" in row["setup"] and row["unless"]


def test_other_corpora_have_no_lines_about_ingredients(committed):
    rows = committed(corpus="snips")
    assert len(rows) == FIRST_OF_INGREDIENTS and "SNIPS" in rows[-1]["setup"]


def test_how_many_times_as_fast_is_counted_from_the_worst_to_the_best(committed):
    ratio = committed(half=0.1)[HOOKS]["measured"]
    assert ratio == pytest.approx((9 / 1.1, 8.9 / 1.2, 9.1 / 1.0, 7))


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        (dict(times={("bilstm", "DP-SGD, loop"): 4.0}), {LOOP}),
        (dict(one_more=2e-4), {PAPERS}),  # 0.02 s alone: 100 times
        (dict(times={("bilstm", "eDP-SGD, K = 16"): 1.08}), {BILSTM}),
        (dict(passes=1.08), {PASSES}),
        (dict(times={("encoder", "eDP-SGD, K = 4"): 1.08}), {ENCODER}),
        (dict(times={("encoder", "eDP-SGD, K = 4"): 1.3}), {ENCODER, OURS}),
        (dict(times={("encoder", "DP-SGD, fast"): 1.25}), {FAST}),
        (dict(times={("transformer", "DP-SGD, fast"): 1.6}), {TRANSFORMER}),
        (dict(times={("encoder", "DP-SGD, Opacus ghost"): 2.1}), {GHOST}),
        (dict(times={("encoder", "DP-SGD, Opacus hooks"): 7.0}), {HOOKS}),
        (dict(memory=1.26), {MEMORY}),
        (dict(better={("edp-sgd", 1.0, "", "accuracy"): -0.05}), {FIRST_OF_ACCURACY}),
        (dict(better={("sgd", math.inf, "", "slot_f1"): 0.05}), {FIRST_OF_ACCURACY + 7}),
        (dict(better={("fast", 8.0, "decay", "accuracy"): -0.05}), {COUNT - 1}),
    ],
)
def test_a_claim_that_does_not_hold_is_refuted(committed, change, failing):
    found = outcomes(committed(**change))
    assert [place for place, outcome in enumerate(found) if outcome != "holds"] == sorted(failing)
    assert all(found[place] == "refuted" for place in failing - {GHOST, HOOKS})


def test_an_interval_that_holds_its_bar_decides_nothing(committed):
    rows = committed({("bilstm", "DP-SGD, loop"): 5.5, ("encoder", "eDP-SGD, K = 4"): 1.0}, half=0.9)
    found = outcomes(rows)
    assert all(found[place].startswith("not decided") for place in (LOOP, BILSTM, PASSES, ENCODER))


def test_a_step_that_was_not_timed_is_named(committed, tmp_path):
    committed()
    table, about = read_results("private_step_time")
    write_results("private_step_time", table[table["method"] != "DP-SGD, fast"].to_dict("records"), about)
    with pytest.raises(ValueError, match=r"Expected one row for .*'DP-SGD, fast'.* got 0\. Run `make bench`"):
        claims_of("assistant")


def test_results_that_are_not_there_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"Expected private_step_time\.csv"):
        claims_of("assistant")
