"""The benchmark measures what it says; how long things take is no test."""

import itertools
import math
import re
from pathlib import Path

import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import memory, page, private_step
from benchmarks.cases import BATCHES, DTYPES, MODELS, TOKENS, Case, unpadded
from trustlab.models import Vocabulary
from trustlab.privacy.reference import ENGINES
from trustlab.privacy.timing import FAST, FLOOR, LOOP, PLAIN, methods
from trustlab.runs import read_results, write_results

ROOT = Path(__file__).resolve().parents[2]


def test_rows_are_real_tokens_with_their_own_tags_and_no_padding():
    rows = [
        {"tokens": ["a", "b"], "slots": ["O", "B-x"], "intent": "p"},
        {"tokens": ["c"], "slots": ["B-x"], "intent": "q"},
    ]
    examples = Vocabulary(intents=("p", "q"), slots=("O", "B-x"), words=("a", "b", "c")).encode(rows)
    batch = unpadded(examples, batch=3, tokens=4)
    assert batch.input_ids.tolist() == [[2, 3, 4, 2], [3, 4, 2, 3], [4, 2, 3, 4]]
    assert batch.slots.tolist() == [[0, 1, 1, 0], [1, 1, 0, 1], [1, 0, 1, 1]]
    assert batch.attention_mask.all() and batch.intents.tolist() == [0, 1, 0]


@pytest.mark.parametrize("name", MODELS)
def test_every_case_has_its_size_and_a_loss_for_each_example(name):
    model, loss, batch = Case(name, batch=5, tokens=64).build()
    assert batch.input_ids.shape == (5, 64) and batch.attention_mask.all()
    assert loss(model, batch).shape == (5,)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert (trained < 1e6) == (name not in ("encoder", "gpt2"))


@pytest.mark.skipif(not memory.RESET.exists(), reason="resident memory is measured through /proc, which is Linux'")
def test_the_peak_holds_what_a_step_must_hold():
    case = Case("transformer", batch=2, tokens=8)
    trained = sum(p.numel() for p in case.build()[0].parameters())
    peaks = [memory.peak_memory(case, PLAIN, (4,)) for _ in range(2)]
    # Weights, gradients and AdamW's two moments, 4 bytes each; on top of them little, as the batch is tiny.
    for peak in peaks:
        assert 4 * 4 * trained / 1e6 < peak["training MB"] < 4 * 4 * trained / 1e6 + 30
        assert peak["training MB"] < peak["peak MB"]
    assert peaks[0]["training MB"] == pytest.approx(peaks[1]["training MB"], abs=5)


def test_what_would_not_fit_is_left_out_with_its_reason():
    model = torch.nn.Linear(1000, 1000, bias=False)  # 4 MB a gradient, twice while it is copied
    assert private_step._too_large(model, batch=100) == {}
    left_out = private_step._too_large(model, batch=2000)
    assert set(left_out) == {"hooks", "functorch"} < set(ENGINES)
    assert left_out["hooks"].startswith("not run: about 16 GB of per-example gradients")


def test_a_case_becomes_one_row_for_each_method(monkeypatch):
    def peak(case, name, micro_batches):
        if "ghost" in name:
            raise NotImplementedError("tied")
        return {"training MB": 30.0 if name == FAST else 20.0, "peak MB": 200.0}

    def times(model, batch, *, opacus, **options):
        names = [name for name in methods((4, 16), opacus) if "ghost" not in name]
        seconds = {PLAIN: 1.0, FLOOR: 1.1, FAST: 1.25}
        rows = [{"method": name, "times SGD": seconds.get(name, 4.0), "rounds": 3} for name in names]
        return [*rows, {"method": "DP-SGD, Opacus ghost", "note": "not supported: tied"}]

    monkeypatch.setattr(private_step, "peak_memory", peak)
    monkeypatch.setattr(private_step, "seconds_per_step", times)
    monkeypatch.setattr(private_step, "MEMORY_LIMIT", 1.0)
    monkeypatch.setattr(private_step, "WEIGHED", ((2, 4),))
    rows = {row["method"]: row for row in private_step.measure([Case("transformer", 2, 4)], 3)}
    assert set(rows) == set(methods((4, 16), ENGINES))
    assert len({tuple(row) for row in rows.values()}) == 1  # the same columns in the same order
    fast = rows[FAST]
    assert fast["floor's share"] == pytest.approx(1.1 / 1.25) and rows[PLAIN]["floor's share"] is None
    assert (fast["training MB / SGD"], fast["peak MB / SGD"]) == (1.5, 1.0)
    assert rows["DP-SGD, Opacus ghost"]["note"] == "not supported: tied"
    assert rows["DP-SGD, Opacus hooks"]["note"].startswith("not run: about")
    assert rows["DP-SGD, Opacus hooks"]["times SGD"] is None


def test_a_part_of_the_table_is_not_written(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["benchmarks", "--write", "--model", "bilstm"])
    with pytest.raises(SystemExit):
        command.main()
    assert "--write stores the whole table" in capsys.readouterr().err


def test_tables_of_other_machines_have_names_of_their_own():
    names = {command.result_name(device, dtype) for device in ("cpu", "cuda:0") for dtype in DTYPES}
    assert names == {"private_step_time", "private_step_time_cuda_fp32", "private_step_time_cuda_bf16"}


def test_the_summary_stands_between_its_marks(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    row = {"model": "encoder", "batch": 32, "tokens": 16}
    rows = [
        {**row, "method": "DP-SGD, fast", "times SGD": 1.2345, "training MB / SGD": 1.26},
        {**row, "method": "DP-SGD, Opacus ghost", "note": "not supported"},
    ]
    config = {"cores": 2, "threads": 2, "processor": "x", "dtype": "fp32", "repetitions": 10}
    versions = dict.fromkeys(("python", "torch", "transformers", "opacus"), "1")
    write_results("private_step_time", rows, {"config": config, "versions": versions, "started": "2026-11-21T00"})
    written = tmp_path / "benchmarks.md"
    written.write_text(f"before\n{page.LINES_BEGIN}old\n{page.LINES_END}{page.BEGIN}old\n{page.END}after\n")
    page.write(written)
    text = written.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "| DP-SGD, fast | – | – | 1.23 · 1.3 | – | – | – |\n" in text
    assert "| DP-SGD, Opacus ghost | – | – | – | – | – | – |\n" in text
    # What Opacus could not train has no ratio, and the line says so.
    line = "- **Private step** of an encoder (32 × 16 tokens), every example clipped exactly: 1.23 × SGD's time.\n"
    assert text.startswith(f"before\n{page.LINES_BEGIN}\n{line}\n{page.LINES_END}{page.BEGIN}")
    page.write(written)
    assert written.read_text() == text
    for lacking in (page.LINES_BEGIN, page.END):
        written.write_text(text.replace(lacking, ""))
        with pytest.raises(ValueError, match=r"Expected benchmarks\.md to have the lines"):
            page.write(written)


def test_the_committed_table_covers_every_case_and_method():
    table, about = read_results(ROOT / "data" / "results" / "private_step_time")
    there = list(table[["model", "batch", "tokens", "method"]].itertuples(index=False, name=None))
    wanted = [
        (*each, name) for each in itertools.product(MODELS, BATCHES, TOKENS) for name in methods((4, 16), ENGINES)
    ]
    assert sorted(there) == sorted(wanted)
    measured = table[table["times SGD"].notna()]
    # Only Opacus may be missing, and never without a reason.
    missing = table[table["times SGD"].isna()]
    assert missing["method"].str.contains("Opacus").all() and missing["note"].notna().all()
    assert (measured["rounds"] >= 3).all() and (measured["low"] > 0).all() and (measured["seconds"] > 0).all()
    assert ((measured["low"] <= measured["times SGD"]) & (measured["times SGD"] <= measured["high"])).all()
    weighed = [size in private_step.WEIGHED for size in zip(measured["batch"], measured["tokens"], strict=True)]
    assert (measured["training MB"] > 0).tolist() == weighed
    assert about["config"]["cores"] >= 1 and about["config"]["device"] == "cpu"
    plain = measured[measured["method"] == PLAIN]
    assert (plain[["times SGD", "low", "high"]] == 1).all(axis=None)
    assert (plain["training MB / SGD"].dropna() == 1).all()
    share = measured[measured["method"] != PLAIN]["floor's share"]
    assert all(math.isfinite(value) and value > 0 for value in share)
    assert set(measured["method"]) >= {LOOP, FAST, FLOOR}


def test_the_page_shows_the_committed_table():
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert f"{page.BEGIN}\n{page.section()}\n{page.END}" in text


def test_the_pages_lines_are_those_of_the_committed_tables():
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert f"{page.LINES_BEGIN}\n{page.lines()}\n{page.LINES_END}" in text


def bullet(start):
    """The README's bullet that begins so, as one line."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(rf"^- (\*\*{start}.+?)\n(?=-|\n)", text, re.MULTILINE | re.DOTALL)
    return " ".join(line.split())


def test_the_readmes_times_of_a_private_step_are_those_of_the_committed_table():
    """Of the BiLSTM, the small transformer and the encoder, on utterances of 16 tokens: the first three columns."""
    table = read_results(ROOT / "data" / "results" / "private_step_time")[0]
    table = table[table["model"].isin(("bilstm", "transformer", "encoder")) & (table["tokens"] == 16)]
    times = {name: table[table["method"] == name]["times SGD"] for name in (FAST, LOOP)}
    assert all(len(each) == 6 for each in times.values())
    fast, loop = ((each.min(), each.max()) for each in times.values())
    said = bullet("Privacy")
    assert (
        f"takes {fast[0]:.1f} to {fast[1]:.1f} × SGD's time; the textbook loop takes {loop[0]:.0f} to {loop[1]:.0f} ×"
        in said
    )


def test_the_readmes_times_of_rounds_and_resamples_are_those_of_the_committed_tables():
    rounds = read_results(ROOT / "data" / "results" / "simulation_speed")[0]
    (pfl,) = rounds[(rounds["fleet"] == rounds["fleet"][0]) & (rounds["method"] == "pfl")]["times ours"]
    assert f"are simulated {pfl:.1f} × as fast as by pfl" in bullet("Federated rounds")
    resamples = read_results(ROOT / "data" / "results" / "resampling_speed")[0]
    (fairlearn,) = resamples[resamples["method"] == "fairlearn n_boot"]["times ours"]
    assert f"1,000 bootstrap resamples of a rate are {fairlearn:.0f} × as fast as fairlearn's" in bullet("Fairness")
