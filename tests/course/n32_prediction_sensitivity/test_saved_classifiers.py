"""The saved models are those of the committed table, and training them again, on less, writes what was trained."""

import numpy as np
import pytest
import torch

from trustlab.course.n32_prediction_sensitivity import EXPERIMENT, saved_classifiers
from trustlab.course.n32_prediction_sensitivity import experiment as room
from trustlab.course.n32_prediction_sensitivity.sensitivity_measures import Variant, quietly
from trustlab.course.n32_prediction_sensitivity.spoken_requests import BIASED, RECORDERS, drawn, marked, masks
from trustlab.data import assistant
from trustlab.models import load


@pytest.mark.parametrize("recorder", RECORDERS)
def test_the_saved_models_are_those_of_the_tables_row(recorder):
    """`make reproduce` trains that row again: whoever reproduces the table reproduces the saved models."""
    classifiers, status = saved_classifiers.models()
    row = EXPERIMENT.where(recorder=recorder, dose=saved_classifiers.DOSE, seed=0).iloc[0]
    requests = drawn(assistant(seed=0), recorder, saved_classifiers.DOSE, seed=0)
    found = room._quality(room.Made(classifiers[recorder], status, requests), requests["test"])
    known = {name: value for name, value in found.items() if name != "status" or recorder == BIASED}
    assert known == pytest.approx({name: row[name] for name in known}, abs=1e-6)
    spoken = requests["test"].take(np.array([bool(marked(words).any()) for words in requests["test"].words]))
    hard = quietly(classifiers[recorder], spoken.words, token_weights="hard", protected=masks(spoken))
    assert hard.score.mean() == pytest.approx(row[Variant().name], rel=1e-4)


def test_training_them_again_writes_the_models_that_were_trained(tmp_path, monkeypatch):
    corpus = assistant(1000, seed=0)
    monkeypatch.setattr(saved_classifiers, "load_corpus", lambda name: corpus)
    monkeypatch.setitem(room.RECIPE, "epochs", 1)
    saved_classifiers.write(tmp_path)
    names = [*RECORDERS, saved_classifiers.STATUS]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    made = room.made(room.Setting(recorder=BIASED, dose=saved_classifiers.DOSE), corpus)
    for name, model in ((BIASED, made.classifier.model), (saved_classifiers.STATUS, made.status.classifier.model)):
        weights = load(tmp_path / name)[0].state_dict()
        assert all(torch.equal(value, weights[each]) for each, value in model.state_dict().items())
    # As the stored ones: the same kind and sizes, labels in the same order.
    for name in names:
        own, stored = (load(folder / name) for folder in (tmp_path, saved_classifiers.FOLDER))
        assert own[1].intents == stored[1].intents and type(own[0]) is type(stored[0])
        assert {k: v for k, v in own[0].settings.items() if k != "words"} == {
            k: v for k, v in stored[0].settings.items() if k != "words"
        }
