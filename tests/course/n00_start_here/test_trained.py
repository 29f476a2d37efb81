"""The saved taggers are the trainings of the committed table, rounded to half precision, and are read as they were."""

import json
import math
import shutil
import subprocess
import sys

import pytest

from trustlab import results
from trustlab.course.budgets import EPSILONS
from trustlab.course.n00_start_here import experiment, trained
from trustlab.course.n00_start_here.panel import METHODS, SENTENCES
from trustlab.data import assistant, fingerprint, load
from trustlab.models import Vocabulary, predict
from trustlab.models.building import build
from trustlab.versions import ROOT

PLACES = [(method, epsilon) for method in METHODS for epsilon in EPSILONS]
A_SENTENCE = 1 / 2000  # of the test split
ROUNDING = 3 * A_SENTENCE  # so much may half precision move an accuracy


@pytest.fixture(scope="module")
def embedded():
    return load("assistant")


@pytest.fixture(scope="module")
def table():
    return results.read_results(ROOT / "data" / "results" / "dp_sgd_vs_edp_sgd_assistant")[0]


def committed(table, method, epsilon):
    trained_as = "sgd" if math.isinf(epsilon) else experiment.TRAINED_AS[method]
    rows = table[(table["method"] == trained_as) & (table["epsilon"] == epsilon) & (table["seed"] == 0)]
    (row,) = rows[(rows["rule"] == "flat") & (rows["noise_decay"] == 1)].to_dict("records")
    return row


def test_there_is_one_for_each_position_and_together_they_are_small():
    files = {path.name: path.stat().st_size for path in trained.FOLDER.iterdir()}
    names = {trained.name_of(*place) for place in PLACES}
    assert set(files) == names | {"models.json"} and set(trained.description()["models"]) == names
    assert sum(files.values()) < 2.5e6


@pytest.mark.parametrize(("method", "epsilon"), PLACES)
def test_a_saved_tagger_scores_what_the_table_says_up_to_half_precision(embedded, table, method, epsilon):
    """Every test sentence, by torch: the file's weights and the accuracy of the row that it was trained as."""
    from safetensors.torch import load_file

    vocabulary = Vocabulary.hashed(embedded, buckets=2048)
    model = build("bilstm", vocabulary)
    weights = load_file(trained.FOLDER / trained.name_of(method, epsilon))
    assert {str(value.dtype) for value in weights.values()} == {"torch.float16"}
    model.load_state_dict({name: value.float() for name, value in weights.items()})
    intents, _ = predict(model, vocabulary.encode(embedded["test"]))
    accuracy = sum(a == b for a, b in zip(intents, embedded["test"]["intent"], strict=True)) / len(intents)
    row, about = committed(table, method, epsilon), trained.description()["models"][trained.name_of(method, epsilon)]
    assert accuracy == pytest.approx(row["accuracy"], abs=ROUNDING)
    assert about["accuracy_half"] == pytest.approx(accuracy, abs=A_SENTENCE)
    assert about["accuracy"] == pytest.approx(row["accuracy"], abs=A_SENTENCE)
    assert float(about["epsilon_spent"]) == pytest.approx(row["epsilon_spent"])
    # NumPy reads the same labels off the same weights.
    listener = trained.tagger(method, epsilon)
    for at in range(0, 2000, 97):
        assert listener.understand(" ".join(embedded["test"][at]["tokens"])).intent == intents[at]


def test_labels_data_and_origin_are_named(embedded):
    about, vocabulary = trained.description(), Vocabulary.hashed(embedded, buckets=2048)
    assert (tuple(about["intents"]), tuple(about["slots"])) == (vocabulary.intents, vocabulary.slots)
    assert about["data_hash"] == fingerprint(embedded) and about["seeds"] == [0] and about["buckets"] == 2048
    assert about["versions"]["torch"] and about["processor"] and about["code_version"]
    for method, epsilon in PLACES:
        setting = experiment.setting_of(method, epsilon)
        config = about["config"][trained.name_of(method, epsilon)]
        assert (config["learning_rate"], config["batch_size"]) == (setting.learning_rate, setting.batch_size)


def test_the_six_sentences_are_no_training_data_and_the_model_without_privacy_understands_them(embedded):
    said = {" ".join(tokens) for split in embedded.values() for tokens in split["tokens"]}
    assert not said & {text for text, _ in SENTENCES}
    listener = trained.tagger("dp-sgd", math.inf)
    assert [listener.understand(text).intent for text, _ in SENTENCES] == [true for _, true in SENTENCES]


def test_a_damaged_file_is_refused(tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(trained.FOLDER, folder)
    path = folder / trained.name_of("dp-sgd", 8.0)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^Expected dp-sgd-8\.safetensors to have sha256 "):
        trained.tagger("dp-sgd", 8.0, folder)


@pytest.fixture
def made(tmp_path):
    """One tagger as if it had been trained, and a folder that describes it."""
    name = trained.name_of("dp-sgd", 8.0)
    about = {"sha256": "a" * 64, "accuracy_half": 0.9}
    (tmp_path / "models.json").write_text(json.dumps({"models": {name: about}}))
    return lambda **changed: experiment.Made(name, b"", {**about, **changed}), tmp_path


@pytest.mark.parametrize(
    ("changed", "agrees", "words"),
    [
        ({}, True, "the same file, bit by bit"),
        ({"sha256": "b", "accuracy_half": 0.92}, True, "other weights, accuracy 92.0 %, saved 90.0 %"),
        ({"sha256": "b", "accuracy_half": 0.8}, False, "other weights, accuracy 80.0 %, saved 90.0 %"),
    ],
)
def test_a_tagger_trained_again_is_compared(made, changed, agrees, words):
    make, folder = made
    agreed, line = experiment.compared(make(**changed), folder)
    assert agreed is agrees and line.startswith(f"dp-sgd-8.safetensors: {words}")


def test_the_command_says_what_it_does():
    ran = subprocess.run([sys.executable, "-m", "trustlab", "models", "--help"], capture_output=True, text=True)
    assert ran.returncode == 0 and "--write" in ran.stdout


def test_what_is_trained_and_written_is_what_is_read_again(tmp_path, monkeypatch):
    """On a small corpus: the file's weights are the model's in half precision, and NumPy answers as torch does."""
    corpus = assistant(800)
    setting = experiment.Setting("assistant", "edp-sgd", 8.0, micro_batches=64)
    made = experiment.run("edp-sgd", setting, corpus)
    monkeypatch.setattr(experiment, "grid", lambda: [])  # which would ask the search for their options
    experiment.write([made], corpus, tmp_path)
    assert made.name == "edp-sgd-8.safetensors" and made.about["method"] == "edp-sgd"
    again = experiment.run("edp-sgd", setting, corpus)
    assert experiment.compared(again, tmp_path)[0] and again.about["sha256"] == made.about["sha256"]
    read = trained.tagger("edp-sgd", 8.0, tmp_path)
    heard = [read.understand(" ".join(row["tokens"])).intent for row in corpus["test"]]
    right = sum(guess == row["intent"] for guess, row in zip(heard, corpus["test"], strict=True)) / len(heard)
    assert right == pytest.approx(made.about["accuracy_half"], abs=1 / len(heard))
    written = json.loads((tmp_path / "models.json").read_text(encoding="utf-8"))
    assert written["data_hash"] == fingerprint(corpus) and list(written["models"]) == [made.name]
