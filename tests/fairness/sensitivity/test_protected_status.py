"""A model of the protected status: it knows, says how well, and is refused where it knows nothing."""

import math
import warnings

import numpy as np
import pytest
import torch
from scipy import stats

from trustlab.fairness.sensitivity import (
    StatusModel,
    TextClassifier,
    accumulated_prediction_sensitivity,
    fit_status_model,
    integrated_gradients,
    measure_status_model,
)
from trustlab.models import SubwordVocabulary, Vocabulary, build
from trustlab.models.fitting import FitOptions

TOPICS = ("film", "book", "song", "match", "play", "meal")
WORDS = ("she", "he", "likes", "the", *TOPICS)
VOCABULARY = Vocabulary(intents=("no", "yes"), slots=("O",), words=WORDS)
QUICK = FitOptions(epochs=4, batch_size=32)


def texts(count, seed, told=1.0):
    """Texts of which a share tells the status, and the statuses."""
    rng = np.random.default_rng(seed)
    status = rng.choice(["f", "m"], count)
    said = np.where(rng.random(count) < told, status, rng.choice(["f", "m"], count))
    words = [[{"f": "she", "m": "he"}[s], "likes", "the", str(rng.choice(TOPICS))] for s in said]
    return words, status.tolist()


@pytest.fixture(scope="module")
def status():
    return fit_status_model(texts(400, 0), texts(100, 1), VOCABULARY, options=QUICK)


def test_it_knows_the_status_and_its_weights_have_a_sum_of_1(status):
    row = status.accuracy
    assert row["value"] == 1 and row["low"] > 0.9 and row["rows"] == 100
    classifier, said = TextClassifier(build("bilstm", VOCABULARY, seed=5), VOCABULARY), texts(20, 2)[0]
    found = accumulated_prediction_sensitivity(classifier, said, token_weights="soft", protected=status)
    assert np.allclose(found.token_weights.sum(1), 1)
    hard = accumulated_prediction_sensitivity(classifier, said)
    np.testing.assert_array_equal(hard.movement, found.movement)
    np.testing.assert_allclose(found.score, (found.token_weights * hard.movement).sum(1))


def test_soft_weights_say_where_the_status_could_change_and_attributions_where_it_is_told(status):
    """Any of the four words could be changed to "she": its gradient's norm is not much smaller."""
    said = texts(50, 2)[0]
    soft = accumulated_prediction_sensitivity(
        status.classifier, said, token_weights="soft", protected=status, of="logits"
    )
    told = abs(integrated_gradients(status.classifier, said, of="log_odds", steps=20).attributions)
    classifier = TextClassifier(build("bilstm", VOCABULARY, seed=5), VOCABULARY)
    attributed = accumulated_prediction_sensitivity(classifier, said, token_weights=told)
    assert soft.token_weights[:, 0].mean() < 0.4 and attributed.token_weights[:, 0].mean() > 0.7


def test_a_status_that_only_the_protected_words_can_change_has_its_weights_on_them():
    class Deaf(torch.nn.Module):
        """Hears she (1) and he (−1), and nothing else."""

        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(VOCABULARY.size, 1)
            self.embedding.weight.data[2:4, 0] = torch.tensor([1.0, -1.0])

        def forward(self, input_ids, attention_mask):
            heard = torch.isin(input_ids, torch.tensor([2, 3]))[..., None] * self.embedding(input_ids)
            return 4 * torch.cat([heard.sum(1), -heard.sum(1)], 1)

    deaf = measure_status_model(TextClassifier(Deaf(), VOCABULARY), *texts(40, 1), ("f", "m"))
    classifier = TextClassifier(build("bilstm", VOCABULARY, seed=5), VOCABULARY)
    found = accumulated_prediction_sensitivity(
        classifier, [["likes", "he"], ["the", "film"]], token_weights="soft", protected=deaf
    )
    assert found.token_weights.tolist() == [[0, 1], [0, 0]] and np.isnan(found.score[1])


def test_its_weights_are_relative_norms_of_its_own_gradients(status):
    said = texts(5, 3)[0]
    classifier = TextClassifier(build("bilstm", VOCABULARY, seed=5), VOCABULARY)
    found = accumulated_prediction_sensitivity(classifier, said, token_weights="soft", protected=status)
    odds = accumulated_prediction_sensitivity(status.classifier, said, of="log_odds").movement
    np.testing.assert_allclose(found.token_weights, odds / odds.sum(1, keepdims=True), rtol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is sure
        p = accumulated_prediction_sensitivity(status.classifier, said).movement
    np.testing.assert_allclose(found.token_weights, p / p.sum(1, keepdims=True), rtol=1e-3)


def test_accuracy_and_calibration_are_those_counted():
    class Known(torch.nn.Module):
        """Says 0.9 for f where the first word is she, 0.6 for m otherwise."""

        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(VOCABULARY.size, 1)

        def forward(self, input_ids, attention_mask):
            p = torch.where(input_ids[:, 0] == 2, 0.9, 0.4)
            return torch.stack([p.log(), (1 - p).log()], 1) + 0 * self.embedding(input_ids).sum((1, 2))[:, None]

    said = [["she"]] * 20 + [["he"]] * 30
    truth = ["f"] * 16 + ["m"] * 4 + ["m"] * 24 + ["f"] * 6
    found = measure_status_model(TextClassifier(Known(), VOCABULARY), said, truth, ("f", "m"))
    quality = {row["metric"]: row for row in found.quality}
    assert quality["accuracy"]["value"] == pytest.approx(40 / 50)
    exact = stats.binomtest(40, 50).proportion_ci()
    assert (quality["accuracy"]["low"], quality["accuracy"]["high"]) == pytest.approx((exact.low, exact.high))
    assert quality["balanced_accuracy"]["value"] == pytest.approx((16 / 22 + 24 / 28) / 2)
    each = [stats.binomtest(k, n).proportion_ci(0.975) for k, n in ((16, 22), (24, 28))]
    assert quality["balanced_accuracy"]["low"] == pytest.approx(np.mean([end.low for end in each]))
    squares = 16 * 2 * 0.1**2 + 4 * 2 * 0.9**2 + 24 * 2 * 0.4**2 + 6 * 2 * 0.6**2
    assert quality["brier_score"]["value"] == pytest.approx(squares / 50, rel=1e-5)
    assert sum(row["rows"] for row in found.calibration) == 50
    assert sum(row["right"] * row["rows"] for row in found.calibration) == pytest.approx(40)
    assert all(row["low"] <= row["right"] <= row["high"] for row in found.calibration)
    assert math.isnan(quality["calibration_error"]["low"])


def test_one_that_is_not_better_than_chance_is_refused_and_a_weak_one_warns(status):
    classifier = TextClassifier(build("bilstm", VOCABULARY, seed=5), VOCABULARY)
    said = texts(3, 4)[0]
    noise = measure_status_model(status.classifier, *texts(100, 5, told=0.0), ("f", "m"))
    with pytest.raises(ValueError, match=r"better than chance \(0.50\), got a balanced accuracy of .* noise"):
        accumulated_prediction_sensitivity(classifier, said, token_weights="soft", protected=noise)
    few = measure_status_model(status.classifier, *texts(4, 8), ("f", "m"))
    with pytest.raises(ValueError, match="held-out texts"):  # right on all four, which says nothing
        few.check()
    weak = measure_status_model(status.classifier, *texts(300, 6, told=0.4), ("f", "m"), least=0.9)
    with pytest.warns(UserWarning, match="below the stated 0.90"):
        accumulated_prediction_sensitivity(classifier, said, token_weights="soft", protected=weak)


def test_both_models_have_to_read_the_same_tokens_or_the_same_words(status, bert):
    said = texts(3, 7)[0]
    with pytest.raises(ValueError, match="reads the same tokens as the classifier, got others"):
        accumulated_prediction_sensitivity(bert, said, token_weights="soft", protected=status, of="logits")
    found = accumulated_prediction_sensitivity(
        bert, said, token_weights="soft", protected=status, of="logits", subwords="word"
    )
    assert found.movement.shape == (3, 4) and np.allclose(found.token_weights.sum(1), 1)


def test_one_is_trained_with_an_encoders_tokens():
    vocabulary = SubwordVocabulary(("no", "yes"), ("O",))
    status = fit_status_model(
        texts(60, 0), texts(20, 1), vocabulary, kind="encoder", frozen=True, options=FitOptions(epochs=1)
    )
    assert isinstance(status, StatusModel) and status.statuses == ("f", "m")
    theirs = TextClassifier(build("encoder", vocabulary, frozen=True), vocabulary)
    found = accumulated_prediction_sensitivity(theirs, texts(2, 3)[0], of="logits")
    assert found.token_weights[:, 1].tolist() == [1, 1]  # after [CLS]


def test_what_cannot_be_learned_from_is_refused():
    words, labels = texts(20, 0)
    with pytest.raises(ValueError, match="two or more statuses"):
        fit_status_model((words, ["f"] * 20), (words, labels), VOCABULARY)
    with pytest.raises(ValueError, match="9 texts and 9 labels"):
        fit_status_model((words[:9], labels[:9]), (words, labels), VOCABULARY)
    with pytest.raises(ValueError, match="20 texts and 19 labels"):
        fit_status_model((words, labels[:19]), (words, labels), VOCABULARY)
    classifier = TextClassifier(build("bilstm", VOCABULARY), VOCABULARY)
    for statuses, truth in ((("f", "m"), ["f"] * 20), (("f", "x"), labels), (("f", "m"), labels[:5])):
        with pytest.raises(ValueError, match="held-out texts of each of"):
            measure_status_model(classifier, words, truth, statuses)
