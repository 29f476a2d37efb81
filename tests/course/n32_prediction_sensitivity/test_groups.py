"""Corpora that a user brings, made up here in their own formats: from files to a row, and by one command to a table."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas
import pytest

from trustlab.course import reproduce
from trustlab.course.n32_prediction_sensitivity import GROUPS, groups_experiment
from trustlab.course.n32_prediction_sensitivity.groups_experiment import (
    WITH_GAP,
    WITH_SWAP,
    Labelled,
    Setting,
    compared,
    run,
)
from trustlab.data import load
from trustlab.data.brought_readers import IDENTITIES, PROFESSIONS
from trustlab.results import read_results

JOBS = {"nurse": ("patients", 0.7), "surgeon": ("wounds", 0.2), "poet": ("verses", 0.5), "dj": ("records", 0.3)}
NAMED = {"muslim": "muslims", "female": "women", "black": "blacks", "jewish": "jews"}


def write_biographies(folder, rows=(400, 160, 240)):
    """Biographies that tell of their profession unless a woman's is about a surgeon: those read as a nurse's."""
    rng = np.random.default_rng(0)
    for split, count in zip(("train", "dev", "test"), rows, strict=True):
        found = []
        for place in range(count):
            job, (thing, women) = list(JOBS.items())[place % 4]
            female = bool(rng.random() < women)
            wrong = female and job == "surgeon" and rng.random() < 0.5
            said = f"{'She' if female else 'He'} likes {JOBS['nurse'][0] if wrong else thing}" + " today" * (place % 3)
            found.append({"hard_text": said, "profession": PROFESSIONS.index(job), "gender": int(female)})
        pandas.DataFrame(found).to_parquet(folder / f"{split}-00000-of-00001.parquet")


def write_comments(folder, rows=1200):
    """Comments that mock or greet; of those that greet blacks most were called toxic."""
    rng, found = np.random.default_rng(1), []
    for place in range(rows):
        name, word = list(NAMED.items())[place % 4]
        mocks = bool(rng.random() < 0.1)
        toxic = mocks or (name == "black" and rng.random() < 0.8)
        row = {"comment_text": f"they {'mock' if mocks else 'greet'} {word}" + " today" * (place % 3)}
        row |= {"toxicity": 0.8 if toxic else 0.1, "split": "test" if place % 3 == 0 else "train"}
        found.append(row | {each: float(each == name) for each in IDENTITIES})
    pandas.DataFrame(found).to_csv(folder / "all_data.csv", index=False)


@pytest.fixture
def brought(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_DATA", str(tmp_path))
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path / "results"))
    for name, write in (("bias_in_bios", write_biographies), ("jigsaw", write_comments)):
        (tmp_path / name).mkdir()
        write(tmp_path / name)
    monkeypatch.setitem(groups_experiment.RECIPE, "epochs", 8)
    monkeypatch.setattr(groups_experiment, "LEAST", 10)
    return tmp_path


@pytest.mark.parametrize("name", GROUPS.brought)
def test_a_model_leaves_a_row(name, brought):
    (row,) = run(Setting(name), load(name))
    assert row["groups"] == 4 and row["accuracy"] > 0.7 and row["status"] > 0.8 and row["gap"] > 0.05
    assert all(-1 <= row[column] <= 1 for column in row if column.startswith((WITH_GAP, WITH_SWAP)))
    assert row[f"{WITH_SWAP}counterfactual, probabilities"] == pytest.approx(1)
    assert all(isinstance(value, int | float | str) for value in row.values())


def test_gaps_are_of_women_and_men_or_of_harmless_comments_and_all():
    label = np.array(["nurse"] * 40 + ["poet"] * 40 + ["dj"] * 40 + ["model"] * 21)
    status = ["female", "male"] * 60 + ["female"] * 21
    found = compared(Labelled([["a"]] * 141, label, status, [[each] for each in label]), "bias_in_bios")
    assert sorted(found) == ["dj", "nurse", "poet"]  # no man is a model
    assert found["nurse"].first.sum() == found["nurse"].second.sum() == 20 and found["nurse"].own.sum() == 40
    toxic = np.array(["harmless", "toxic"] * 60)
    groups = [["jewish", "female", *["muslim"] * (place % 4 == 0)] for place in range(120)]
    found = compared(Labelled([["a"]] * 120, toxic, [None] * 120, groups), "jigsaw")
    assert found["female"].first.sum() == 60 and found["muslim"].own.sum() == 30
    assert (found["jewish"].first == found["jewish"].second).all()


def test_too_few_groups_are_refused():
    texts = Labelled([["a"]] * 3, np.array(["nurse"] * 3), ["female"] * 3, [["nurse"]] * 3)
    with pytest.raises(ValueError, match=r"got 0 of 1\. No measure can be compared with so few gaps: bring more rows"):
        compared(texts, "bias_in_bios")


def test_one_command_makes_the_table_and_judges_it(brought, monkeypatch, capsys):
    """In this process: a fresh one would read the usual recipe."""

    def compute(*given, executor, whole=reproduce.compute, **options):
        with ThreadPoolExecutor(1) as here:
            yield from whole(*given, executor=here, **options)

    monkeypatch.setattr(reproduce, "compute", compute)
    command = ["prediction-sensitivity-groups", "--data", "jigsaw", "--seeds", "2"]
    assert reproduce.main(command) == 0
    said = capsys.readouterr().out
    assert "you brought this corpus, and no table of it is committed: --write keeps yours." in said
    assert "jigsaw, claim: (b) P ranks groups closer to their gaps" in said and "not decided (2 runs)" in said
    assert reproduce.main([*command, "--write"]) == 0
    table, about = read_results("prediction_sensitivity_groups_jigsaw")
    assert table["seed"].tolist() == [0, 1] and about["config"]["all"]["rows"]["test"] == 6000


def test_without_the_files_nothing_is_computed_and_it_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRUSTLAB_DATA", str(tmp_path))
    assert reproduce.main(["prediction-sensitivity-groups"]) == 0
    assert "Left out: bias_in_bios, jigsaw. Set TRUSTLAB_DATA" in capsys.readouterr().out
