import math
import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import trustlab.data
from trustlab import __main__ as command
from trustlab import reproduce
from trustlab.data import assistant, fingerprint
from trustlab.privacy import comparison
from trustlab.privacy.comparison import Cell, grid, recipe, result_name
from trustlab.runs import RunStore, read_results, write_results

NAME = result_name("assistant")
CELLS = grid("assistant", seeds=range(2))


def row_of(cell, **changes):
    """A row as a training of `cell` would give it, the same at every call."""
    private = cell.method != "sgd"
    return {
        "corpus": cell.corpus,
        "method": cell.method,
        "epsilon": cell.epsilon,
        "seed": cell.seed,
        "micro_batches": cell.micro_batches if cell.method == "edp-sgd" else 0,
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


def changed(method, epsilon, k=None, seeds=(0, 1), **add):
    """The rows with numbers added to those of one cell."""
    k = (64 if method == "edp-sgd" else 0) if k is None else k
    hit = [(r["method"], r["epsilon"], r["micro_batches"]) == (method, epsilon, k) and r["seed"] in seeds for r in ROWS]
    assert sum(hit) == len(seeds)
    plus = [{**row, **{name: row[name] + value for name, value in add.items()}} for row in ROWS]
    return [new if is_hit else row for row, new, is_hit in zip(ROWS, plus, hit, strict=True)]


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A folder of results of its own, with the made-up table in it."""
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path / "results"))
    write_results(NAME, ROWS, {"seeds": [0, 1]})
    return tmp_path / "results"


def contents(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


# Comparing


def test_the_committed_numbers_agree_with_themselves_infinity_included(results):
    assert any(math.isinf(row["epsilon_spent"]) for row in ROWS)
    assert reproduce.compare("assistant", ROWS) == []
    assert reproduce.compare("assistant", ROWS[::-1]) == []


@pytest.mark.parametrize("column", reproduce.TOLERANCE)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_within_its_tolerance_agrees_and_one_beyond_is_named(column, sign, results):
    tolerance = sign * reproduce.TOLERANCE[column]
    assert reproduce.compare("assistant", changed("dp-sgd", 8.0, **{column: 0.9 * tolerance})) == []
    (miss,) = reproduce.compare("assistant", changed("dp-sgd", 8.0, **{column: 1.1 * tolerance}))
    mean = {"epsilon_spent": 0.999 * 8, "accuracy": 0.55, "slot_f1": 0.45}[column]
    got = mean + 1.1 * tolerance
    assert miss == (f"assistant, dp-sgd at ε = 8: expected {column} {mean:.3f} ± {abs(tolerance)}, got {got:.3f}.")


def test_the_mean_over_seeds_is_what_is_compared(results):
    assert reproduce.compare("assistant", changed("sgd", math.inf, seeds=(0,), accuracy=0.09)) == []
    assert len(reproduce.compare("assistant", changed("sgd", math.inf, seeds=(0,), accuracy=0.11))) == 1


def test_every_cell_and_column_that_misses_has_its_own_sentence(results):
    worse = changed("edp-sgd", 8.0, k=16, accuracy=-0.2, slot_f1=-0.2)
    misses = reproduce.compare("assistant", worse)
    assert len(misses) == 2
    assert all(miss.startswith("assistant, edp-sgd at ε = 8, K = 16: expected ") for miss in misses)


@pytest.mark.parametrize(
    ("method", "epsilon", "add"),
    [
        ("dp-sgd", 8.0, dict(epsilon_spent=math.inf)),  # the guarantee was lost
        ("sgd", math.inf, dict(epsilon_spent=-math.inf)),  # inf - inf: no number at all
        ("dp-sgd", 8.0, dict(accuracy=math.nan)),
        ("dp-sgd", math.inf, dict(slot_f1=math.nan)),
    ],
)
def test_a_number_that_is_none_or_infinite_where_it_was_not_is_a_miss(method, epsilon, add, results):
    (miss,) = reproduce.compare("assistant", changed(method, epsilon, **add))
    assert f"expected {next(iter(add))}" in miss


def test_a_cell_on_one_side_only_is_a_miss(results):
    (gone,) = reproduce.compare("assistant", [row for row in ROWS if row["method"] != "sgd"])
    assert gone == "assistant, sgd at ε = inf: stands in data/results, and was not computed again."
    write_results(NAME, [row for row in ROWS if row["method"] != "sgd"], {"seeds": [0, 1]})
    (lacking,) = reproduce.compare("assistant", ROWS)
    assert "assistant, sgd at ε = inf: expected it in data/results, which lacks it." in lacking


def test_fewer_seeds_are_compared_with_the_same_seeds(results):
    first = [row for row in ROWS if row["seed"] == 0]
    assert reproduce.compare("assistant", first) == []  # the mean over both would be 0.05 higher
    (miss,) = reproduce.compare(
        "assistant", [{**row, "accuracy": 0.56} if row["method"] == "sgd" else row for row in first]
    )
    assert "expected accuracy 0.500 ± 0.05, got 0.560" in miss


def test_without_a_committed_table_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=rf"Expected {NAME}\.csv"):
        reproduce.compare("assistant", ROWS)


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
    yield cells
    torch.set_num_threads(threads)


@pytest.fixture
def in_process(trained, monkeypatch):
    """Compute in threads of this process, in which the training is replaced."""
    pools = []
    monkeypatch.setattr(
        reproduce,
        "ProcessPoolExecutor",
        lambda workers, mp_context: pools.append(workers) or ThreadPoolExecutor(workers),
    )
    return pools


def test_a_row_is_computed_once_and_then_restored(trained):
    cell = Cell("assistant", "dp-sgd", 8.0, 1)
    assert reproduce._row(cell, "assistant", "code") == (row_of(cell), False)
    assert reproduce._row(cell, "assistant", "code") == (row_of(cell), True)
    assert trained == [cell]


@pytest.mark.parametrize("what", ["cell", "seed", "data", "code"])
def test_whatever_decides_a_row_makes_it_a_new_one(what, trained, monkeypatch):
    cell = Cell("assistant", "edp-sgd", 8.0, 0)
    reproduce._row(cell, "assistant", "code")
    if what == "data":
        other = assistant(100, seed=1)
        monkeypatch.setattr(trustlab.data, "load", lambda name: other)
        monkeypatch.setattr(comparison, "run", lambda cell, given: trained.append(cell) or iter([row_of(cell)]))
    reproduce._row(
        {"cell": Cell("assistant", "edp-sgd", 8.0, 0, 16), "seed": Cell("assistant", "edp-sgd", 8.0, 1)}.get(
            what, cell
        ),
        "assistant",
        "edited" if what == "code" else "code",
    )
    assert len(trained) == 2


def test_a_training_that_failed_is_computed_again(trained, monkeypatch):
    def fails(cell, corpus):
        raise FloatingPointError("loss is nan")
        yield

    with monkeypatch.context() as patch, pytest.raises(FloatingPointError):
        patch.setattr(comparison, "run", fails)
        reproduce._row(Cell(), "assistant", "code")
    assert reproduce._row(Cell(), "assistant", "code") == (row_of(Cell()), False)


def test_the_sources_that_decide_a_row_decide_its_key():
    modules = {module.__name__.removeprefix("trustlab.") for module in reproduce._modules()}
    assert modules >= {
        "privacy.comparison",
        "privacy.training",
        "privacy.clipping",
        "privacy.accounting",
        "models.taggers",
        "models.vocabulary",
        "models.checkpoint",
        "models.evaluation",
    }


def test_an_edit_on_the_way_does_not_claim_the_rows_of_the_code_that_runs(in_process, trained, results, monkeypatch):
    names = iter(["at the start", "edited", "edited again"])
    monkeypatch.setattr(reproduce, "_code", lambda: next(names))
    reproduce.main(["--data", "assistant", "--seeds", "2", "--workers", "1", "--write"])
    assert {run.provenance["code_version"] for run in RunStore().runs()} == {"at the start"}
    assert read_results(NAME)[1]["code_version"] == "at the start"


def test_another_torch_is_another_code(monkeypatch):
    here = reproduce._code()
    monkeypatch.setattr(reproduce, "versions", lambda: {"torch": "99", "opacus": "1.6.0"})
    assert reproduce._code() != here


def test_every_cell_is_computed_the_slowest_method_first(in_process, trained):
    rows = [row for row, _ in reproduce.compute(CELLS, "assistant", code="code", workers=1)]
    assert sorted(rows, key=str) == sorted(ROWS, key=str)
    methods = [cell.method for cell in trained]
    assert methods == sorted(methods, key=["dp-sgd", "edp-sgd", "sgd"].index)
    assert in_process == [1]


def test_a_failing_cell_is_not_left_out_of_the_table(in_process, trained, monkeypatch):
    monkeypatch.setattr(comparison, "run", lambda cell, corpus: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(reproduce.compute(CELLS[:2], "assistant", code="code", workers=1))


def test_what_a_fresh_process_is_given_can_be_sent_there():
    function, cell = pickle.loads(pickle.dumps((reproduce._row, CELLS[0])))
    assert (function, cell) == (reproduce._row, CELLS[0])


# The command


def test_a_reproduction_that_agrees_says_so_and_writes_nothing(in_process, results, capsys):
    before = contents(results)
    assert command.main(["run", "--data", "assistant", "--seeds", "2", "--workers", "2"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(CELLS) + 1
    assert f"assistant {len(CELLS)}/{len(CELLS)}: " in said[-2]
    assert said[-1] == "assistant: every number agrees with data/results"
    assert contents(results) == before


def test_a_number_that_misses_is_said_fails_and_writes_nothing(in_process, results, capsys):
    write_results(NAME, changed("dp-sgd", 1.0, accuracy=0.2), {"seeds": [0, 1]})
    before = contents(results)
    assert reproduce.main(["--data", "assistant", "--seeds", "2"]) == 1
    said = capsys.readouterr().out
    assert "assistant, dp-sgd at ε = 1: expected accuracy 0.750 ± 0.05, got 0.550." in said
    assert "every number agrees" not in said
    assert contents(results) == before


def test_write_replaces_the_table_and_says_where_it_comes_from(in_process, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path / "fresh"))
    assert reproduce.main(["--data", "assistant", "--seeds", "2", "--write"]) == 0
    table, about = read_results(NAME)
    key = ["method", "micro_batches", "epsilon", "seed"]
    there = list(table[key].itertuples(index=False, name=None))
    # The order does not depend on which process was the quicker.
    by_method = {method: place for place, method in enumerate(comparison.METHODS)}
    assert there == sorted([tuple(row[name] for name in key) for row in ROWS], key=lambda k: (by_method[k[0]], *k[1:]))
    assert about["seeds"] == [0, 1]
    assert about["status"] == "complete"
    assert about["data_hash"] == fingerprint(assistant(100))
    assert about["config"]["edp-sgd"]["micro_batches"] == recipe(Cell("assistant", "edp-sgd")).micro_batches
    assert re.fullmatch(r"[0-9a-f]{16} torch \S+ opacus \S+", about["code_version"])
    assert capsys.readouterr().out.splitlines()[-1] == f"wrote {NAME}.csv"
    assert reproduce.main(["--data", "assistant", "--seeds", "2"]) == 0  # and agrees with itself


def test_stopped_and_called_again_it_goes_on_where_it_was(in_process, results, trained):
    for cell in CELLS[:5]:
        reproduce._row(cell, "assistant", reproduce._code())
    assert reproduce.main(["--data", "assistant", "--seeds", "2", "--workers", "1"]) == 0
    assert len(trained) == len(CELLS)
    assert set(trained) == set(CELLS)


@pytest.mark.parametrize("folder", ["", "without snips"])
def test_without_real_data_the_real_corpora_are_left_out_with_a_reason(
    folder, in_process, results, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("TRUSTLAB_DATA", folder and str(tmp_path))
    monkeypatch.setattr(trustlab.data.fetching, "_download", lambda *_: pytest.fail("a download nobody asked for"))
    assert reproduce.main(["--seeds", "2"]) == 0
    said = capsys.readouterr().out
    assert "Left out: snips. Set TRUSTLAB_DATA" in said
    assert "assistant: every number agrees" in said
    assert "snips 1/" not in said


def test_with_real_data_every_corpus_is_reproduced(in_process, results, trained, tmp_path, monkeypatch, capsys):
    (tmp_path / "snips").mkdir()
    monkeypatch.setenv("TRUSTLAB_DATA", str(tmp_path))
    cells = grid("snips", epsilons=reproduce.CORPORA["snips"], seeds=range(2))
    write_results(result_name("snips"), [row_of(cell, accuracy=0.9) for cell in cells], {"seeds": [0, 1]})
    assert reproduce.main(["--seeds", "2"]) == 1  # snips misses, and assistant agrees
    said = capsys.readouterr().out
    assert "assistant: every number agrees" in said
    assert "snips, sgd at ε = inf: expected accuracy 0.900" in said
    assert {cell.corpus for cell in trained} == {"assistant", "snips"}


def test_an_unknown_corpus_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        reproduce.main(["--data", "enron"])
    assert ended.value.code == 2
    assert "invalid choice: 'enron'" in capsys.readouterr().err
