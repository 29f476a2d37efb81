import json
import threading

import pytest
import torch

from trustlab.models import SubwordVocabulary, Vocabulary, build, load, save
from trustlab.places import LOCK


def weights(model):
    return torch.cat([parameter.flatten() for parameter in model.parameters()])


def files(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != LOCK)


@pytest.mark.parametrize("kind", ["bilstm", "transformer"])
def test_what_is_saved_is_loaded(kind, vocabulary, tmp_path):
    model = build(kind, vocabulary, seed=3)
    again, words = load(save(model, vocabulary, tmp_path / "model"))
    assert torch.equal(weights(model), weights(again))
    assert words == vocabulary and again.settings == model.settings


def test_a_word_list_comes_back_too(tmp_path):
    vocabulary = Vocabulary(intents=("x",), slots=("O",), words=("a", "é"))
    assert load(save(build("bilstm", vocabulary), vocabulary, tmp_path))[1] == vocabulary


def test_the_encoder_comes_back_with_its_own_tokenizer(tmp_path):
    vocabulary = SubwordVocabulary(("x",), ("O",))
    model = build("encoder", vocabulary, frozen=True, seed=5)
    again, words = load(save(model, vocabulary, tmp_path))
    assert torch.equal(weights(model), weights(again))
    assert words.to_dict() == vocabulary.to_dict() and again.settings["frozen"]


def test_saving_again_replaces_the_model_and_leaves_nothing_else(vocabulary, tmp_path):
    save(build("bilstm", vocabulary, seed=1), vocabulary, tmp_path)
    second = build("bilstm", vocabulary, seed=2)
    save(second, vocabulary, tmp_path)
    assert torch.equal(weights(load(tmp_path)[0]), weights(second))
    assert len(files(tmp_path)) == 2


def test_a_crash_while_saving_leaves_the_old_model(vocabulary, tmp_path, monkeypatch):
    old = build("bilstm", vocabulary, seed=1)
    save(old, vocabulary, tmp_path)
    from trustlab.models import saved_models

    whole, calls = saved_models.write_whole, []

    def dying(path, content):
        calls.append(path)
        if path.name == "model.json":
            raise OSError("No space left on device")
        whole(path, content)

    monkeypatch.setattr(saved_models, "write_whole", dying)
    with pytest.raises(OSError, match="No space left"):
        save(build("bilstm", vocabulary, seed=2), vocabulary, tmp_path)
    assert len(calls) == 2
    assert torch.equal(weights(load(tmp_path)[0]), weights(old))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: d["weights"].write_bytes(d["weights"].read_bytes()[:-1]), "to have sha256"),
        (lambda d: d["json"].write_text(d["json"].read_text()[:40]), "to describe a model"),
        (lambda d: d["json"].write_text(json.dumps({"kind": "bilstm"})), "to describe a model"),
        (lambda d: d["json"].write_text("[]"), "to describe a model"),
        (lambda d: d["json"].write_text(d["json"].read_text().replace('"hidden": 48', '"hidden": 32')), "to fit its"),
    ],
)
def test_a_file_that_does_not_match_is_refused(damage, message, vocabulary, tmp_path):
    save(build("bilstm", vocabulary), vocabulary, tmp_path)
    damage({"weights": next(tmp_path.glob("*.safetensors")), "json": tmp_path / "model.json"})
    with pytest.raises(ValueError, match=message):
        load(tmp_path)


def test_a_missing_model_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Expected a saved model in .*, got no model.json"):
        load(tmp_path)


def test_a_model_of_another_class_is_not_saved(vocabulary, tmp_path):
    with pytest.raises(ValueError, match=r"Expected a model made by build\(\), got a Linear"):
        save(torch.nn.Linear(1, 1), vocabulary, tmp_path)
    assert files(tmp_path) == []


def test_saving_removes_the_old_model_and_nobody_elses_weights(vocabulary, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"somebody else's")
    save(build("bilstm", vocabulary, seed=1), vocabulary, tmp_path)
    save(build("bilstm", vocabulary, seed=2), vocabulary, tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == b"somebody else's"
    assert len(files(tmp_path)) == 3


def test_a_model_may_lie_in_the_users_home(vocabulary, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    save(build("bilstm", vocabulary), vocabulary, "~/model")
    assert load("~/model")[1] == vocabulary
    assert files(tmp_path) == ["model"]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_model_that_is_saved_while_it_is_read_is_the_old_or_the_new_one(seed, vocabulary, tmp_path):
    """One process saves two models in turn; whatever is read meanwhile is one of them, whole."""
    models = [build("bilstm", vocabulary, seed=10 * seed + i) for i in range(2)]
    save(models[0], vocabulary, tmp_path)
    known = [weights(model) for model in models]

    def write():
        for i in range(20):
            save(models[(i + 1) % 2], vocabulary, tmp_path)

    thread = threading.Thread(target=write)
    thread.start()
    reads = 0
    while thread.is_alive() or not reads:
        read, reads = weights(load(tmp_path)[0]), reads + 1
        assert any(torch.equal(read, one) for one in known)
    thread.join()
