import itertools

import pytest

from trustlab.course.n11_dp_sgd_vs_edp_sgd.claims import ONE_RECIPE, claims_of
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import EPOCHS, Setting, grid, recipe, result_name
from trustlab.course.n11_dp_sgd_vs_edp_sgd.training_seconds import TIMES as BATCHES
from trustlab.intervals import Interval
from trustlab.lab.teaching import claims
from trustlab.runs import read_results, write_results

TIMES = {
    "SGD": 1.0,
    "DP-SGD, loop": 12.0,
    "DP-SGD, fast": 1.1,
    "eDP-SGD, K = 4": 1.01,
    "eDP-SGD, K = 16": 1.02,
    "DP-SGD, Opacus hooks": 9.0,
    "DP-SGD, Opacus ghost": 2.6,
}
# The order of the claims.
LOOP, PAPERS, BILSTM, PASSES, ENCODER, FAST, TRANSFORMER, MEMORY, GHOST, HOOKS, OURS = range(11)
FIRST_OF_ACCURACY = 11  # then model by model: eDP-SGD's accuracy and slots, the fast method's
COUNT = 19
SIZES = {"bilstm": (128, 16), "transformer": (32, 16), "encoder": (32, 16)}  # what the claims are about


@pytest.fixture
def committed(tmp_path, monkeypatch):
    """Write a table of times and one of accuracies; what is not said is such that every claim holds."""
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))

    def write(times=(), half=0.01, memory=1.2, better=(), passes=1.0, one_more=1e-4):
        rows = []
        for model, size in SIZES.items():
            for other in ((32, 16), (128, 16), (32, 64)):
                for method, ratio in TIMES.items():
                    # Another size of step: nothing that a claim is about.
                    ratio = dict(times).get((model, method), ratio) if other == size else 99.0
                    row = {"model": model, "batch": other[0], "tokens": other[1], "method": method, "times SGD": ratio}
                    row |= {"low": ratio - half, "high": ratio + half, "rounds": 7, "training MB / SGD": memory}
                    rows.append(row)
        write_results("private_step_time", rows, {})
        write_batches(passes, half, one_more)
        rows = []
        for seed in (2, 0, 1):  # a table may have its rows in any order
            for cell in grid("snips", seeds=[seed]):
                row = cell.key() | {"accuracy": 0.5 + 0.1 * seed, "slot_f1": 0.2 + 0.1 * seed}
                if cell.method != "dp-sgd":
                    for measure in ("accuracy", "slot_f1"):
                        row[measure] += 0.001 * seed + dict(better).get((cell.model, cell.method, measure), 0)
                # A variant, another ε: neither is what a claim is about.
                if cell.epsilon != 8 or cell != usual_of(cell):
                    row["accuracy"] = row["slot_f1"] = -70.0 * (cell.method != "dp-sgd")
                rows.append(row)
        write_results(result_name("snips"), rows, {"seeds": [0, 1, 2]})
        return claims_of("snips")

    def write_batches(passes, half, one_more):
        timed = {"SGD": lambda n: one_more * n + 1e-4, "DP-SGD, loop": lambda n: 0.02 * n}
        timed["eDP-SGD, K = 16, K passes"] = lambda n: 1.0
        rows = []
        for name, seconds in timed.items():
            ratio = passes if "passes" in name else 1.0
            interval = {"times SGD": ratio, "low": ratio - half, "high": ratio + half, "rounds": 7}
            rows += [{"batch": n, "method": name, "seconds": seconds(n), **interval} for n in (128, 512, 2048)]
        write_results(BATCHES, rows, {})

    return write


def usual_of(cell):
    """The cell without its variant."""
    return Setting(**{name: getattr(cell, name) for name in ("corpus", "model", "method", "epsilon", "seed")})


def outcomes(rows):
    return [row["outcome"] == "holds" for row in claims(rows).rows]


def test_claims_that_hold_are_said_to_hold(committed):
    assert outcomes(committed()) == [True] * COUNT


def test_each_claim_reads_its_own_numbers(committed):
    better = {
        (model, method, measure): place
        for place, (model, method, measure) in enumerate(
            itertools.product(("bilstm", "transformer"), ("edp-sgd", "fast"), ("accuracy", "slot_f1"))
        )
    }
    times = {("bilstm", "eDP-SGD, K = 16"): 1.2, ("encoder", "eDP-SGD, K = 4"): 1.3}
    rows = committed({**times, ("transformer", "DP-SGD, fast"): 1.4}, memory=1.3, better=better)
    assert rows[LOOP]["measured"] == Interval(12.0, 11.99, 12.01, 7)
    assert rows[PAPERS]["measured"] == "at most 200 ×, whatever the batch"
    assert [rows[claim]["measured"][0] for claim in (BILSTM, PASSES, ENCODER, OURS)] == [1.2, 1.0, 1.3, 1.3]
    assert [rows[claim]["measured"][0] for claim in (FAST, TRANSFORMER)] == [1.1, 1.4]
    assert rows[MEMORY]["measured"] == 1.3
    # The method's minus the loop's of the same seed, at ε = 8 and without a variant.
    for place, row in enumerate(rows[FIRST_OF_ACCURACY:]):
        assert row["values"] == pytest.approx([place, place + 0.001, place + 0.002])
        assert ("BiLSTM" in row["claim"]) == (place < 4)
        assert ("eDP-SGD" in row["claim"]) == (place % 4 < 2)
        assert ("slot F1" in row["claim"]) == (place % 2 == 1)


def test_how_many_times_as_fast_is_counted_from_the_worst_to_the_best(committed):
    ratio = committed(half=0.1)[HOOKS]["measured"]
    assert ratio == pytest.approx((9 / 1.1, 8.9 / 1.2, 9.1 / 1.0, 7))


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        (dict(times={("bilstm", "DP-SGD, loop"): 4.0}), {LOOP}),
        (dict(one_more=2e-4), {PAPERS}),  # 0.02 s alone: 100 times
        (dict(passes=1.07), {PASSES}),
        (dict(times={("bilstm", "eDP-SGD, K = 16"): 1.06}), {BILSTM}),
        (dict(times={("encoder", "eDP-SGD, K = 4"): 1.06}), {ENCODER}),
        (dict(times={("encoder", "eDP-SGD, K = 4"): 1.3}), {ENCODER, OURS}),
        (dict(times={("encoder", "DP-SGD, fast"): 1.25}), {FAST}),
        (dict(times={("transformer", "DP-SGD, fast"): 1.6}), {TRANSFORMER}),
        (dict(times={("encoder", "DP-SGD, Opacus ghost"): 2.1}), {GHOST}),
        (dict(times={("encoder", "DP-SGD, Opacus hooks"): 7.0}), {HOOKS}),
        (dict(memory=1.26), {MEMORY}),
        (dict(better={("bilstm", "edp-sgd", "accuracy"): -0.03}), {FIRST_OF_ACCURACY}),
        (dict(better={("transformer", "fast", "slot_f1"): -0.03}), {COUNT - 1}),
    ],
)
def test_a_claim_that_does_not_hold_is_said_not_to(committed, change, failing):
    assert outcomes(committed(**change)) == [place not in failing for place in range(COUNT)]


def test_a_claim_holds_only_if_its_whole_interval_does(committed):
    rows = committed({("bilstm", "DP-SGD, loop"): 5.5, ("encoder", "eDP-SGD, K = 4"): 1.0}, half=0.9)
    assert [outcomes(rows)[place] for place in (LOOP, BILSTM, PASSES, ENCODER)] == [False] * 4


def test_a_step_that_was_not_timed_is_named(committed, tmp_path):
    committed()
    table, about = read_results("private_step_time")
    write_results("private_step_time", table[table["method"] != "DP-SGD, fast"].to_dict("records"), about)
    with pytest.raises(ValueError, match=r"Expected one row for .*'DP-SGD, fast'.* got 0\. Run `make bench`"):
        claims_of("snips")


def test_results_that_are_not_there_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"Expected private_step_time\.csv"):
        claims_of("snips")


def test_the_lines_about_accuracy_say_the_one_recipe_that_they_are_of(committed):
    config = recipe(Setting("assistant", "edp-sgd"))
    assert ONE_RECIPE["setup"].endswith(
        f"{config.epochs} passes ({EPOCHS['atis']} on ATIS), batches of {config.batch_size}, rate "
        f"{config.learning_rate:g}, K = {config.micro_batches}"
    )
    assert all(row.items() >= ONE_RECIPE.items() for row in committed()[FIRST_OF_ACCURACY:])
