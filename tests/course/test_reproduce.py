import math
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

import trustlab.data
from trustlab import __main__ as command
from trustlab.course import reproduce
from trustlab.course.n11_dp_sgd_vs_edp_sgd import experiment as comparison
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import Setting, grid, result_name
from trustlab.course.registry import EXPERIMENTS
from trustlab.data import assistant, fingerprint
from trustlab.processor import processor
from trustlab.provenance import provenance
from trustlab.runs import RunStore, read_results, run_key, write_results
from trustlab.versions import installed

NAME = result_name("assistant")


def as_if_tuned(corpus, method, epsilon, seed=0, **varied):
    """A setting without a look at the committed search: what is reproduced is not decided by it."""
    return Setting(corpus, method, epsilon, seed, micro_batches=64 * (method == "edp-sgd"), **varied)


@pytest.fixture(autouse=True)
def no_search(monkeypatch):
    """Every setting is one without a search."""
    monkeypatch.setattr(comparison, "tuned", as_if_tuned)


with pytest.MonkeyPatch.context() as patch:
    patch.setattr(comparison, "tuned", as_if_tuned)
    CELLS = grid("assistant", seeds=range(2))


def row_of(cell, **changes):
    """A row as a training of `cell` would give it, the same at every call."""
    private = cell.method in comparison.PRIVATE
    return {
        **cell.key(),
        "accuracy": 0.5 + 0.1 * cell.seed,
        "accuracy_rare": 0.25,
        "slot_f1": 0.4 + 0.1 * cell.seed,
        "epsilon_spent": 0.999 * cell.epsilon,
        "noise_multiplier": 0.0 if math.isinf(cell.epsilon) else 1.0,
        "clipped": 0.9 if private else math.nan,
        "seconds": 1.0,
        "answers": "a|b",
        **changes,
    }


ROWS = [row_of(cell) for cell in CELLS]
CODE = dict.fromkeys((*comparison.METHODS, *comparison.BASELINES), "code")
KNOWN = EXPERIMENTS["dp-sgd-vs-edp-sgd"]
TOLERANCE = KNOWN.tolerance


def changed(method, epsilon, seeds=(0, 1), *, variant=(), **add):
    """The rows with numbers added to those of one cell, without a variant if none is said."""
    wanted = [as_if_tuned("assistant", method, epsilon, seed, **dict(variant)).key() for seed in seeds]
    hit = [any(cell.items() <= row.items() for cell in wanted) for row in ROWS]
    assert sum(hit) == len(seeds)
    plus = [{**row, **{name: row[name] + value for name, value in add.items()}} for row in ROWS]
    return [new if is_hit else row for row, new, is_hit in zip(ROWS, plus, hit, strict=True)]


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A folder of results of its own, with the made-up table in it."""
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path / "results"))
    write_results(NAME, ROWS, {"seeds": [0, 1]})
    return tmp_path / "results"


def done(rows, made=None):
    """Rows as a reproduction has them; without `made`, of nobody knows which processor."""
    return [reproduce.Done(row, made or {}, False) for row in rows]


def compare(rows, **part):
    return reproduce.compare("assistant", done(rows), KNOWN, **part).misses


def contents(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


# Comparing


def test_the_committed_numbers_agree_with_themselves_infinity_included(results):
    assert any(math.isinf(row["epsilon_spent"]) for row in ROWS)
    assert compare(ROWS) == []
    assert compare(ROWS[::-1]) == []


@pytest.mark.parametrize("column", TOLERANCE)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_within_its_tolerance_agrees_and_one_beyond_is_named(column, sign, results):
    tolerance = sign * TOLERANCE[column]
    assert compare(changed("fast", 8.0, **{column: 0.9 * tolerance})) == []
    (miss,) = compare(changed("fast", 8.0, **{column: 1.1 * tolerance}))
    mean = {"epsilon_spent": 0.999 * 8, "accuracy": 0.55, "slot_f1": 0.45}[column]
    got = mean + 1.1 * tolerance
    assert miss == (f"assistant, fast at ε = 8: expected {column} {mean:.3f} ± {abs(tolerance)}, got {got:.3f}.")


def test_the_mean_over_seeds_is_what_is_compared(results):
    assert compare(changed("sgd", math.inf, seeds=(0,), accuracy=0.09)) == []
    assert len(compare(changed("sgd", math.inf, seeds=(0,), accuracy=0.11))) == 1


def test_every_cell_and_column_that_misses_has_its_own_sentence(results):
    for variant, words in [(dict(rule="equal"), "clipping per layer"), (dict(noise_decay=0.8), "noise decay 0.8")]:
        worse = changed("edp-sgd", 8.0, variant=variant, accuracy=-0.2, slot_f1=-0.2)
        misses = compare(worse)
        assert len(misses) == 2
        assert all(miss.startswith(f"assistant, edp-sgd at ε = 8, {words}: expected ") for miss in misses)


@pytest.mark.parametrize(
    ("method", "epsilon", "add"),
    [
        ("fast", 8.0, dict(epsilon_spent=math.inf)),  # the guarantee was lost
        ("sgd", math.inf, dict(epsilon_spent=-math.inf)),  # inf - inf: no number at all
        ("fast", 8.0, dict(accuracy=math.nan)),
        ("fast", 1.0, dict(slot_f1=math.nan)),
    ],
)
def test_a_number_that_is_none_or_infinite_where_it_was_not_is_a_miss(method, epsilon, add, results):
    (miss,) = compare(changed(method, epsilon, **add))
    assert f"expected {next(iter(add))}" in miss


def test_a_cell_on_one_side_only_is_a_miss(results):
    without = [row for row in ROWS if row["method"] != "sgd"]
    (gone,) = compare(without)
    assert gone == "assistant, sgd at ε = inf: is in data/results, and was not recomputed."
    write_results(NAME, without, {"seeds": [0, 1]})
    (lacking,) = compare(ROWS)
    assert "assistant, sgd at ε = inf: expected it in data/results, which lacks it." in lacking


def test_a_part_is_compared_with_that_part(results):
    part = dict(methods=["sgd", "fast"])
    rows = [row for row in ROWS if row["method"] in part["methods"]]
    assert compare(rows, **part) == []
    (gone,) = compare(rows[2:], **part)
    assert gone == "assistant, sgd at ε = inf: is in data/results, and was not recomputed."


def test_a_table_of_before_a_column_is_a_miss(results):
    write_results(NAME, [{k: v for k, v in row.items() if k != "rule"} for row in ROWS], {"seeds": [0, 1]})
    (miss,) = compare(ROWS)
    assert miss == "assistant: expected the columns rule in data/results. Write the table again."


def test_fewer_seeds_are_compared_with_the_same_seeds(results):
    first = [row for row in ROWS if row["seed"] == 0]
    assert compare(first) == []  # the mean over both would be 0.05 higher
    (miss,) = compare(
        [{**row, "accuracy": 0.56} if row["method"] == "sgd" else row for row in first],
    )
    assert "expected accuracy 0.500 ± 0.05, got 0.560" in miss


def test_without_a_committed_table_the_miss_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    (miss,) = compare(ROWS)  # after hours of computing, a sentence and no traceback
    assert miss.startswith(f"assistant: Expected {NAME}.csv")


# Row by row, where the table was made

HERE = provenance({}, code=KNOWN.code())


@pytest.fixture
def ours(tmp_path, monkeypatch):
    """The made-up table, of this processor and these versions."""
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path / "results"))
    write_results(NAME, ROWS, {**HERE, "seeds": [0, 1]})


def by_row(rows, **made):
    return reproduce.compare("assistant", done(rows, {**HERE, **made}), KNOWN)


def test_on_the_tables_processor_and_versions_every_number_of_every_seed_has_to_come_again(ours):
    found = by_row(ROWS)
    assert (found.misses, found.row_by_row) == ([], True)
    assert "row by row, each number to 0.001, seeds 0, 1" in found.verdict
    assert by_row(changed("sgd", math.inf, seeds=(0,), accuracy=0.0009)).misses == []
    (miss,) = by_row(changed("sgd", math.inf, seeds=(1,), accuracy=0.0011)).misses  # the band would allow 0.05
    assert miss == "assistant, sgd at ε = inf, seed 1: expected accuracy 0.6000 ± 0.001, got 0.6011."


@pytest.mark.parametrize(
    ("column", "value"),
    [("accuracy_rare", 0.26), ("clipped", 0.1), ("clipped", None), ("answers", "a|c"), ("answers", "a")],
)
def test_columns_without_a_band_are_compared_too_and_times_are_not(column, value, ours):
    cell = as_if_tuned("assistant", "fast", 8.0, 1)
    other = [{**row, column: value} if row == row_of(cell) else row for row in ROWS]
    (miss,) = by_row(other).misses
    assert miss.startswith(f"assistant, fast at ε = 8, seed 1: expected {column} ")
    assert by_row([{**row, "seconds": 99.0} for row in ROWS]).misses == []


def test_two_columns_of_a_row_are_one_sentence(ours):
    (miss,) = by_row(changed("sgd", math.inf, seeds=(0,), accuracy=0.1, slot_f1=0.1, accuracy_rare=0.1)).misses
    assert miss.endswith("0.5000 ± 0.001, got 0.6000; not as committed either: slot_f1, accuracy_rare.")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ({"processor": "another"}, "these rows on another"),
        ({"processor": None}, "these rows on an unknown one"),
        ({"versions": {**HERE["versions"], "torch": "1.0"}}, "with torch 2.13.0, these rows with 1.0"),
        ({"versions": {**HERE["versions"], "python": "3.9.1"}}, "these rows with 3.9"),
    ],
)
def test_elsewhere_means_are_compared_and_the_reason_is_said(made, why, ours):
    moved = changed("sgd", math.inf, accuracy=0.04)
    found = by_row(moved, **made)
    assert (found.misses, found.row_by_row) == ([], False)
    assert why in found.verdict and "accuracy ± 0.05" in found.verdict
    assert f"Of {len(ROWS)} rows, {len(ROWS) - 2} agree to 0.001 even so." in found.verdict
    assert len(by_row(changed("sgd", math.inf, accuracy=0.06), **made).misses) == 1


def test_another_build_of_the_same_version_is_the_locks_version_too(ours):
    versions = {name: version and version.partition("+")[0] + "+other" for name, version in HERE["versions"].items()}
    assert by_row(ROWS, versions={**versions, "python": HERE["versions"]["python"]}).row_by_row


def test_one_row_of_another_processor_is_enough(ours):
    other = reproduce.Done(ROWS[0], {**HERE, "processor": "another"}, True)
    assert not reproduce.compare("assistant", [other, *done(ROWS[1:], HERE)], KNOWN).row_by_row


def test_a_seed_that_one_side_lacks_is_said(ours):
    (miss,) = by_row([row for row in ROWS if row != row_of(as_if_tuned("assistant", "fast", 8.0, 1))]).misses
    assert miss == "assistant, fast at ε = 8, seed 1: is in data/results, and was not recomputed."
    more = [{**row, "seed": 7} for row in ROWS if row["seed"] == 0]
    assert "seeds 0, 1 (7 are not in the table)" in by_row([*ROWS, *more]).how
    (miss,) = by_row(more).misses  # nothing was compared: that is no agreement
    assert "one of the seeds computed" in miss


def test_a_table_whose_cells_have_one_name_can_miss(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    known = EXPERIMENTS["fairness-metrics-association"]
    rows = [{"test": test, "seed": 0, "effect_size": 1.0, "p_value": 0.5} for test in (1, 2)]
    write_results(known.module.result_name("weat"), rows, {})
    (miss,) = reproduce.compare("weat", done([rows[0], {**rows[1], "p_value": 0.6}]), known).misses
    assert miss == "weat, test 2: expected p_value 0.500 ± 0.005, got 0.600."


# Computing


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Replace the training by one that takes no time; return the cells that were trained."""
    corpus, cells, threads = assistant(100), [], torch.get_num_threads()

    def run(cell, given):
        assert given is corpus
        cells.append(cell)
        yield row_of(cell)

    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(comparison, "run", run)
    monkeypatch.setattr(trustlab.data, "load", lambda name: corpus)
    reproduce._corpus.cache_clear()  # a process that computes never sees another corpus under the same name
    yield cells
    reproduce._corpus.cache_clear()
    torch.set_num_threads(threads)


class Threads(ThreadPoolExecutor):
    """Threads of this process, in which the training is replaced, where a sweep makes processes."""

    def stop(self):
        self.shutdown(cancel_futures=True)


@pytest.fixture
def in_process(trained, monkeypatch):
    pools = []
    monkeypatch.setattr("trustlab.sweep.Processes", lambda workers: pools.append(workers) or Threads(workers))
    return pools


def row_now(cell, code="code"):
    """One setting as a reproduction computes or restores it."""
    (found,) = reproduce.compute([cell], "assistant", code=dict.fromkeys(CODE, code), workers=1)
    return found


def test_a_row_is_computed_once_and_then_restored(in_process, trained):
    cell = as_if_tuned("assistant", "fast", 8.0, 1)
    row, made, restored = row_now(cell)
    assert (row, made["processor"], restored) == (row_of(cell), processor(), False)
    again = row_now(cell)
    assert (again.row, again.restored) == (row, True)
    assert again.made["processor"] == processor()
    assert trained == [cell]


@pytest.mark.parametrize("what", ["cell", "seed", "data", "code"])
def test_whatever_decides_a_row_makes_it_a_new_one(what, in_process, trained, monkeypatch):
    cell = as_if_tuned("assistant", "edp-sgd", 8.0, 0)
    row_now(cell)
    if what == "data":
        other = assistant(100, seed=1)
        monkeypatch.setattr(trustlab.data, "load", lambda name: other)
        reproduce._corpus.cache_clear()
        monkeypatch.setattr(comparison, "run", lambda cell, given: trained.append(cell) or iter([row_of(cell)]))
    row_now(
        {"cell": replace(cell, batch_size=16), "seed": replace(cell, seed=1)}.get(what, cell),
        "edited" if what == "code" else "code",
    )
    assert len(trained) == 2


def test_a_training_that_failed_is_computed_again(in_process, trained, monkeypatch):
    def fails(cell, corpus):
        raise FloatingPointError("loss is nan")
        yield

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="FloatingPointError: loss is nan"):
        patch.setattr(comparison, "run", fails)
        row_now(Setting())
    row, _, restored = row_now(Setting())
    assert (row, restored) == (row_of(Setting()), False)


def test_a_setting_out_of_range_is_refused_before_it_is_run(in_process, trained):
    with pytest.raises(ValueError, match=r"Expected epsilon=-1\.0 to be one of 1\.0"):
        row_now(replace(Setting(), epsilon=-1.0))
    assert trained == []


def test_a_worker_with_another_corpus_refuses(trained):
    with pytest.raises(ValueError, match="Expected the corpus assistant of where the command was called"):
        next(reproduce.Row("assistant", "another fingerprint")(CELLS[0]))


def test_an_edit_to_the_fast_engine_keeps_what_plain_sgd_computed():
    reached = {method: set(KNOWN.code(method).units) for method in comparison.METHODS}
    assert reached["sgd"] < reached["edp-sgd"] == reached["fast"] < set(KNOWN.code().units)
    assert not any(".fast." in name for name in reached["sgd"])
    assert len({KNOWN.code(method).version for method in comparison.METHODS}) == 2


def test_an_edit_on_the_way_does_not_claim_the_rows_of_the_code_that_runs(in_process, trained, results, monkeypatch):
    followed = {frozenset(KNOWN.left_out(kind)) for kind in KNOWN.slowest_first}  # once for all that leave out the same
    names = iter([*["at the start"] * len(followed), KNOWN.code()])
    monkeypatch.setattr(type(KNOWN), "code", lambda *_: next(names, "edited"))
    reproduce.main(["dp-sgd-vs-edp-sgd", "--data", "assistant", "--seeds", "2", "--workers", "1", "--write"])
    assert {run.provenance["code_version"] for run in RunStore().runs()} == {"at the start"}
    assert read_results(NAME)[1]["code_version"] != "edited"


def test_another_torch_is_another_code(monkeypatch):
    about = dict(seeds=[0], code=KNOWN.code("sgd"))
    here = run_key(Setting(), **about)
    monkeypatch.setattr("trustlab.provenance.installed", lambda name: "99" if name == "torch" else installed(name))
    assert run_key(Setting(), **about) != here


def test_every_cell_is_computed_the_slowest_method_first(in_process, trained):
    rows = [each.row for each in reproduce.compute(CELLS, "assistant", code=CODE, workers=1)]
    assert sorted(rows, key=str) == sorted(ROWS, key=str)
    methods = [cell.method for cell in trained]
    assert methods == sorted(methods, key=["edp-sgd", "fast", "sgd", *comparison.BASELINES].index)
    assert in_process == [1]


def test_a_failing_cell_is_reported_the_others_go_on_and_the_table_is_not_taken_for_whole(
    in_process, trained, monkeypatch, capsys
):
    fails, run = CELLS[1], comparison.run
    monkeypatch.setattr(comparison, "run", lambda cell, corpus: 1 / 0 if cell == fails else run(cell, corpus))
    found = []
    with pytest.raises(RuntimeError, match="failed, one of 1: ZeroDivisionError: division by zero"):
        found.extend(reproduce.compute(CELLS[:4], "assistant", code=CODE, workers=1))
    assert set(trained) == set(CELLS[:4]) - {fails}
    assert f"{fails} failed: ZeroDivisionError" in capsys.readouterr().out


def test_what_a_fresh_process_is_given_can_be_sent_there():
    sent = (reproduce.Row("assistant", "hash"), CELLS[0])
    assert pickle.loads(pickle.dumps(sent)) == sent


# The command


def test_a_reproduction_that_agrees_says_so_and_writes_nothing(in_process, results, capsys):
    before = contents(results)
    assert command.main(["run", "dp-sgd-vs-edp-sgd", "--data", "assistant", "--seeds", "2", "--workers", "2"]) == 0
    *progress, agrees, judged = capsys.readouterr().out.splitlines()
    assert len(progress) == len(CELLS)
    assert f"assistant {len(CELLS)}/{len(CELLS)}: " in progress[-1]
    assert agrees.startswith("assistant: every mean is within its tolerance; single numbers ")
    assert "the table does not say on which processor it was made" in agrees
    assert judged.startswith("assistant, claims: not judged.")  # the times of a step are not in this folder
    assert contents(results) == before


def test_a_number_that_misses_is_said_fails_and_writes_nothing(in_process, results, capsys):
    write_results(NAME, changed("fast", 1.0, accuracy=0.2), {"seeds": [0, 1]})
    before = contents(results)
    assert reproduce.main(["dp-sgd-vs-edp-sgd", "--data", "assistant", "--seeds", "2"]) == 1
    said = capsys.readouterr().out
    assert "assistant, fast at ε = 1: expected accuracy 0.750 ± 0.05, got 0.550." in said
    assert "every" not in said and "assistant: does NOT agree: compared with data/results by means" in said
    assert contents(results) == before


def test_write_replaces_the_table_and_says_where_it_comes_from(in_process, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path / "fresh"))
    assert reproduce.main(["dp-sgd-vs-edp-sgd", "--data", "assistant", "--seeds", "2", "--write"]) == 0
    table, about = read_results(NAME)
    key = [*comparison.KEY, "seed"]
    there = list(table[key].itertuples(index=False, name=None))
    # The order is the grid's: it does not depend on which process was the quicker.
    assert there == [tuple(row[name] for name in key) for row in ROWS]
    assert about["seeds"] == [0, 1]
    assert about["status"] == "complete"
    assert about["data_hash"] == fingerprint(assistant(100))
    assert about["config"]["edp-sgd at ε = 8"]["micro_batches"] == 64
    assert re.fullmatch(r"[0-9a-f]{16}( [a-z0-9-]+ \d\S*)+", about["code_version"])
    assert about["processor"] == processor()
    assert {"torch", "numpy", "scipy", "opacus"} <= set(about["versions"])
    assert f"wrote {NAME}.csv" in capsys.readouterr().out.splitlines()
    assert reproduce.main(["dp-sgd-vs-edp-sgd", "--data", "assistant", "--seeds", "2"]) == 0  # and agrees with itself
    assert "assistant: every number agrees: compared with data/results row by row" in capsys.readouterr().out


def test_stopped_and_called_again_it_goes_on_where_it_was(in_process, results, trained):
    for cell in CELLS[:5]:
        row_now(cell, KNOWN.code(cell.method))
    assert reproduce.main(["dp-sgd-vs-edp-sgd", "--data", "assistant", "--seeds", "2", "--workers", "1"]) == 0
    assert len(trained) == len(CELLS)
    assert set(trained) == set(CELLS)


@pytest.mark.parametrize("folder", ["", "without snips"])
def test_without_real_data_the_real_corpora_are_left_out_with_a_reason(
    folder, in_process, results, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("TRUSTLAB_DATA", folder and str(tmp_path))
    monkeypatch.setattr(trustlab.data.fetching, "_download", lambda *_: pytest.fail("a download nobody asked for"))
    assert reproduce.main(["dp-sgd-vs-edp-sgd", "--seeds", "2"]) == 0
    said = capsys.readouterr().out
    assert "Left out: atis, snips. Set TRUSTLAB_DATA" in said
    assert "assistant: every mean is within its tolerance" in said
    assert "snips 1/" not in said


def test_with_real_data_every_corpus_is_reproduced(in_process, results, trained, tmp_path, monkeypatch, capsys):
    (tmp_path / "snips").mkdir()
    monkeypatch.setenv("TRUSTLAB_DATA", str(tmp_path))
    cells = grid("snips", seeds=range(2))
    write_results(result_name("snips"), [row_of(cell, accuracy=0.9) for cell in cells], {"seeds": [0, 1]})
    assert reproduce.main(["dp-sgd-vs-edp-sgd", "--seeds", "2"]) == 1  # snips misses, and assistant agrees
    said = capsys.readouterr().out
    assert "assistant: every mean is within its tolerance" in said
    assert "snips, sgd at ε = inf: expected accuracy 0.900" in said
    assert {cell.corpus for cell in trained} == {"assistant", "snips"}


def test_a_part_is_computed_kept_and_not_computed_again_when_the_whole_is_written(in_process, results, trained, capsys):
    part = ["dp-sgd-vs-edp-sgd", "--data", "assistant", "--seeds", "2", "--methods", "fast"]
    assert reproduce.main(part) == 0
    exact = [cell for cell in CELLS if cell.method == "fast"]
    assert set(trained) == set(exact)
    assert reproduce.main(["dp-sgd-vs-edp-sgd", "--data", "assistant", "--seeds", "2", "--write"]) == 0
    assert len(trained) == len(CELLS)
    assert capsys.readouterr().out.count("from the run store") == len(exact)


def test_a_part_does_not_replace_the_whole_table(in_process, results, trained, capsys):
    before = contents(results)
    with pytest.raises(SystemExit) as ended:
        reproduce.main(["dp-sgd-vs-edp-sgd", "--data", "assistant", "--methods", "fast", "--write"])
    assert ended.value.code == 2
    assert "a part must not replace the whole table" in " ".join(capsys.readouterr().err.split())
    assert trained == [] and contents(results) == before


def test_an_unknown_corpus_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        reproduce.main(["dp-sgd-vs-edp-sgd", "--data", "enron"])
    assert ended.value.code == 2
    assert "invalid choice: 'enron'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], list(EXPERIMENTS)),
        (["all", "--data", "snips"], [name for name, known in EXPERIMENTS.items() if "snips" in known.module.CORPORA]),
        (
            ["--methods", "sgd"],
            [f"{name}{kind}" for name in ("dp-sgd-vs-edp-sgd", "membership-inference") for kind in ("", "-tuning")],
        ),
        (["non-iid-partitioning"], ["non-iid-partitioning"]),
    ],
)
def test_all_experiments_are_meant_that_have_what_is_asked_for(arguments, expected, monkeypatch):
    begun = []
    monkeypatch.setattr(reproduce, "_reproduce", lambda experiment, *_: begun.append(experiment))
    assert reproduce.main(arguments) == 0
    assert begun == [EXPERIMENTS[name] for name in expected]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["non-iid-partitioning", "--methods", "sgd"],
            "Expected --methods with an experiment that has them, got non-iid-partitioning.",
        ),
        (
            ["non-iid-partitioning", "--data", "snips"],
            "Expected --data to be one of assistant, clinc150 for non-iid-partitioning, got snips.",
        ),
    ],
)
def test_what_an_experiment_lacks_is_refused_by_name(arguments, said, capsys):
    with pytest.raises(SystemExit) as ended:
        reproduce.main(arguments)
    assert ended.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("workers", ["-1", "0", "1.5", "two", "²"])
def test_a_number_of_workers_that_is_none_is_refused_before_any_work(workers, capsys):
    with pytest.raises(SystemExit) as ended:
        reproduce.main(["non-iid-partitioning", "--workers", workers])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert f"argument --workers: expected a whole number of processes >= 1, got {workers!r}" in said


def test_when_nobody_reads_on_no_further_cell_is_begun(in_process, trained):
    computed = reproduce.compute(CELLS, "assistant", code=CODE, workers=1)
    next(computed)
    computed.close()
    assert len(trained) < len(CELLS)


# Claims


def test_claims_are_judged_by_the_fresh_numbers_and_an_outcome_that_changed_is_said():
    experiment = EXPERIMENTS["non-iid-partitioning"]
    rows = read_results(experiment.module.result_name("clinc150"))[0].to_dict("records")
    same = reproduce.judge("clinc150", rows, experiment)
    assert len(same) == len(experiment.claims("clinc150", read_results)) > 5
    assert not [sentence for sentence in same if "data/results" in sentence]

    flat = [{**row, "accuracy": 0.5} for row in rows]
    first = reproduce.judge("clinc150", flat, experiment)[0]
    assert first.startswith("clinc150, claim: Accuracy falls as α falls")
    assert "0 (95 % 0 to 0, 5 runs), not decided (5 runs) (data/results: 0." in first


def test_claims_about_a_table_that_is_not_there_are_not_judged(results):
    (sentence,) = reproduce.judge("assistant", ROWS, KNOWN)
    assert sentence.startswith("assistant, claims: not judged. Expected private_step_time.csv")


def test_every_experiment_with_claims_can_judge_its_committed_tables():
    for experiment in EXPERIMENTS.values():
        for name in experiment.module.CORPORA:
            rows = read_results(experiment.module.result_name(name))[0].to_dict("records")
            judged = reproduce.judge(name, rows, experiment)
            outcome = re.compile(r", (holds|refuted|not decided \(\d+ \w+\))\.$")
            assert all(outcome.search(each) for each in judged), name
