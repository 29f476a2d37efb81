"""The pictures' sentences say the numbers of the committed tables, read here without the package's results."""

import re

import pandas
import pytest

from trustlab.course.n11_dp_sgd_vs_edp_sgd import price_pictures
from trustlab.course.n11_dp_sgd_vs_edp_sgd.training_seconds import loop_against_sgd
from trustlab.lab.figures import png
from trustlab.results import read_results, results_directory


def table(corpus):
    """The usual trainings of a corpus, without variants: K = 64, one threshold, constant noise."""
    rows = read_results(results_directory() / f"dp_sgd_vs_edp_sgd_{corpus}")[0]
    return rows[(rows.rule == "flat") & (rows.noise_decay == 1) & rows.micro_batches.isin((0, 64))]


def mean(corpus, method, epsilon, measure="accuracy"):
    rows = table(corpus)
    chosen = rows[(rows.model == "bilstm") & (rows.method == method) & (rows.epsilon == epsilon)]
    return 100 * chosen[measure].mean()


def numbers(text):
    return [float(each) for each in re.findall(r"\d+(?:\.\d+)?", text)]


def ratio(model, batch, method):
    rows = pandas.read_csv(results_directory() / "private_step_time.csv")
    chosen = rows[(rows.model == model) & (rows.batch == batch) & (rows.tokens == 16) & (rows.method == method)]
    return chosen["times SGD"].item()


METHODS = ("DP-SGD, loop", "DP-SGD, fast", "eDP-SGD, K = 16")


def test_the_times_of_a_step_are_the_benchmarks_and_the_readers_own_stand_next_to_them():
    loop, fast, micro = ([ratio("bilstm", 128, method), ratio("encoder", 32, method)] for method in METHODS)
    rows = pandas.read_csv(results_directory() / "private_batch_time.csv")
    (passes,) = rows[(rows.batch == 128) & (rows.method == "eDP-SGD, K = 16, K passes")]["times SGD"]
    expected = [loop[0], fast[0], passes, micro[0], loop[1], fast[1], micro[1]]
    said = numbers(price_pictures.step_times().verdict)
    said.remove(16)  # the name of a method
    assert said == pytest.approx(expected, rel=0.03)
    row = {"low": 1.0, "high": 90.0, "rounds": 10, "seconds": 0.1}
    here = [{"method": method, "times SGD": 40.0 + i, **row} for i, method in enumerate(METHODS)]
    finding = price_pictures.step_times([*here, {"method": "another", "times SGD": 1.0, **row}])
    assert finding.verdict.endswith(" Here and now it is 40, 41 and 42 (BiLSTM).")
    assert sum(row["measured on"] == "here and now" for row in finding.rows) == 3


def test_as_the_batch_grows_the_ratios_are_the_benchmarks_and_the_limit_is_their_prices():
    rows = pandas.read_csv(results_directory() / "private_batch_time.csv")
    said = price_pictures.as_the_batch_grows().verdict
    for name in ("DP-SGD, loop", "eDP-SGD, K = 16, K passes"):
        of = rows[rows.method == name].set_index("batch")["times SGD"]
        digits = 0 if "loop" in name else 1
        assert f" {of[128]:.{digits}f} to {of[2048]:.{digits}f}" in said
    loop, plain = (rows[rows.method == name] for name in ("DP-SGD, loop", "SGD"))
    limit = float(re.search(r"more than (\d+) times slower", said)[1])
    alone, longest = (loop.seconds / loop.batch).median(), plain[plain.batch == 2048]
    assert limit == pytest.approx(alone / (longest.seconds / longest.batch).item(), rel=0.15)  # its fixed part is small


def test_the_limit_is_an_utterance_alone_against_one_more_in_a_batch():
    batches = (128, 512, 2048)
    rows = [{"batch": n, "method": "SGD", "seconds": 2e-3 + 1e-4 * n} for n in batches]
    rows += [{"batch": n, "method": "DP-SGD, loop", "seconds": 2e-3 * n} for n in batches]
    known = loop_against_sgd(pandas.DataFrame(rows))
    assert known == pytest.approx({"alone": 2e-3, "one more": 1e-4, "limit": 20.0, "needed": 2e-3 / 130})


def test_how_far_edp_sgd_is_behind_is_said_for_each_corpus():
    said = price_pictures.scores(8.0).verdict
    for corpus, name in (("assistant", "the embedded corpus"), ("snips", "SNIPS"), ("atis", "ATIS")):
        behind = [mean(corpus, "fast", 8, each) - mean(corpus, "edp-sgd", 8, each) for each in ("accuracy", "slot_f1")]
        assert f"{behind[0]:.0f} and {behind[1]:.0f} points on {name}" in said


def test_more_micro_batches_say_their_accuracies():
    rows = read_results(results_directory() / "dp_sgd_vs_edp_sgd_assistant")[0]
    rows = rows[(rows.rule == "flat") & (rows.noise_decay == 1) & (rows.epsilon == 8) & (rows.model == "bilstm")]
    said = price_pictures.more_micro_batches().verdict
    for k in (16, 64, 256):
        assert f"{100 * rows[rows.micro_batches == k].accuracy.mean():.0f}\u00a0% with K = {k}" in said
    assert f"gets {mean('assistant', 'fast', 8):.0f}\u00a0%." in said


def test_decay_is_compared_at_equal_epsilon():
    rows = read_results(results_directory() / "dp_sgd_vs_edp_sgd_assistant")[0]
    rows = rows[(rows.rule == "flat") & rows.method.isin(("fast", "edp-sgd")) & (rows.model == "bilstm")]
    by = rows[rows.micro_batches.isin((0, 64)) & (rows.epsilon < 100)].groupby(["noise_decay", "method", "epsilon"])
    lost = 100 * (by.accuracy.mean()[1.0] - by.accuracy.mean()[0.8])
    said = price_pictures.decay_at_equal_epsilon().verdict
    assert f"in {(lost > 0).sum()} of {len(lost)} comparisons" in said
    assert f"by {lost.min():.0f} to {lost.max():.0f} points" in said


def test_the_clipping_rules_say_what_they_lose():
    rows = read_results(results_directory() / "dp_sgd_vs_edp_sgd_assistant")[0]
    rows = rows[(rows.noise_decay == 1) & rows.method.isin(("fast", "edp-sgd")) & (rows.model == "bilstm")]
    by = rows[rows.micro_batches.isin((0, 64)) & rows.epsilon.isin((1, 8))].groupby(["rule", "method", "epsilon"])
    scores = 100 * by.accuracy.mean()
    lost = pandas.concat([scores["flat"] - scores[rule] for rule in ("equal", "dimension")])
    said = price_pictures.clipping_rules().verdict
    assert f"loses {lost.min():.0f} to {lost.max():.0f} points" in said
    assert (scores["flat"] - scores["automatic"]).abs().max() <= 1 and "within 1 point " in said


@pytest.mark.parametrize("corpus", ["assistant", "snips", "atis"])
def test_who_pays_says_the_fall_of_all_and_of_rare_intents(corpus):
    finding = price_pictures.who_pays(corpus)
    said = finding.verdict.replace("\u00a0", "")
    assert f"all intents fall from {mean(corpus, 'fast', 8):.0f}% to {mean(corpus, 'fast', 1):.0f}%" in said
    if corpus == "atis":
        assert said.endswith("; no rare intent is in the test split.") and len(finding.rows) == 2
    else:
        weak, strong = (mean(corpus, "fast", epsilon, "accuracy_rare") for epsilon in (8, 1))
        assert f"the rare ones from {weak:.0f}% to {strong:.0f}%." in said


def test_a_miscounted_decay_names_the_worst():
    rows = [
        {"decay": "γ = 1", "ε claimed": 7.99, "ε spent": 7.99},
        {"decay": "γ = 0.7", "ε claimed": 7.99, "ε spent": 157.3},
    ]
    finding = price_pictures.miscounted(rows)
    assert finding.verdict == (
        "With γ = 0.7, an accountant that misses the decay claims ε = 8; the training spends 157."
    )
    assert len(png(finding.figure)) > 1000
