"""Accumulated prediction sensitivity: closed forms, finite differences, bounds, invariances, and a planted bias."""

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from trustlab.fairness.groups import ALL, Bootstrap, Groups
from trustlab.fairness.sensitivity import (
    TextClassifier,
    accumulated_prediction_sensitivity,
    counterfactual_change,
    input_x_gradient,
    integrated_gradients,
    learn_token_weights,
    read_batch,
    sensitivity_by_group,
)
from trustlab.fairness.sensitivity.embedded import at_embeddings, embedding_layer, value_of
from trustlab.models import SubwordVocabulary, Vocabulary, build
from trustlab.models.spelling import SpelledVocabulary, spelling_tagger

GOLDENS = Path(__file__).resolve().parents[4] / "shared" / "goldens" / "attacks.json"
WORDS = ("she", "he", "her", "good", "bad", "film", "actress", "actor")
VOCABULARY = Vocabulary(intents=("no", "yes"), slots=("O",), words=WORDS)
SAID = [["she", "good"], ["he", "bad", "film", "good"], ["her", "actress", "bad"], ["the", "actor"]]


class Gated(nn.Module):
    """softmax(W mean_i(g_i x_i) + b), with a gate g for each word; linear in the embeddings."""

    def __init__(self, weight, bias=0.0, gates=None, words=VOCABULARY.size):
        super().__init__()
        weight = torch.as_tensor(weight, dtype=torch.double)
        self.embedding = nn.Embedding(words, weight.shape[1], dtype=torch.double)
        nn.init.normal_(self.embedding.weight, generator=torch.Generator().manual_seed(0))
        self.weight, self.bias = weight, torch.as_tensor(bias, dtype=torch.double)
        self.gates = torch.ones(words).double() if gates is None else torch.as_tensor(gates).double()

    def forward(self, input_ids, attention_mask):
        gated = (self.gates[input_ids] * attention_mask)[..., None] * self.embedding(input_ids)
        return gated.sum(1) / attention_mask.sum(1, keepdim=True) @ self.weight.T + self.bias


def gates(**of_word):
    return [0.0, 0.0, *(float(of_word.get(word, 0.0)) for word in WORDS)]


def linear(seed=0, classes=3, width=4, **options):
    return Gated(np.random.default_rng(seed).normal(size=(classes, width)), **options)


def read(model, **options):
    return TextClassifier(model, VOCABULARY, **options)


def measured(model, batch=SAID, **options):
    return accumulated_prediction_sensitivity(read(model), batch, **{"of": "log_odds"} | options)


# Closed forms, finite differences, bounds


def test_a_linear_model_has_the_golden_value_and_the_closed_form():
    known = dict(
        W=[[1.0, -2.0, 0.5], [0.0, 1.0, 1.0]], b=[0.1, -0.2], v=[0.5, 0.25, 0.25],
        tokens=[[0.2, 0.1, 0.0], [1.0, 0.0, -1.0], [0.5, 0.5, 0.5]],
        p=[0.5866175789173301, 0.41338242108267], J=0.25879015793048304,
    )  # fmt: skip
    model = Gated(known["W"], known["b"])
    embeds = torch.tensor([known["tokens"]], dtype=torch.double)
    model.embedding.weight.data[:3] = embeds[0]
    ids = {"input_ids": torch.tensor([[0, 1, 2]]), "attention_mask": torch.ones(1, 3)}
    found = accumulated_prediction_sensitivity(model, ids, token_weights=np.array([known["v"]]))
    np.testing.assert_allclose(found.probabilities[0], known["p"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.movement[0], known["J"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.score, known["J"], rtol=0, atol=1e-12)
    if GOLDENS.exists():
        (golden,) = (each for each in json.loads(GOLDENS.read_text())["goldens"] if each["system"] == "sensitivity")
        assert golden["inputs"]["W"] == known["W"] and golden["expected"]["P"] == known["J"]
        assert golden["expected"]["probabilities"] == known["p"] and golden["inputs"]["token_weights"] == known["v"]


@pytest.mark.parametrize("norm", [1, 2, 3.5, math.inf])
def test_gradients_of_a_linear_model_in_closed_form(norm):
    model, w = linear(), np.array([0.2, 0.3, 0.5])
    found = {of: measured(model, of=of, norm=norm, class_weights=w) for of in ("probabilities", "logits", "log_odds")}
    p, weight = found["logits"].probabilities, model.weight.numpy()
    for row, words in enumerate(SAID):
        size = {of: [] for of in found}
        for k in range(3):
            slope = p[row, k] * (weight[k] - p[row] @ weight)
            size["probabilities"].append(np.linalg.norm(slope, norm))
            size["logits"].append(np.linalg.norm(weight[k], norm))
            size["log_odds"].append(np.linalg.norm(slope / p[row, k] / (1 - p[row, k]), norm))
        for of, each in found.items():
            np.testing.assert_allclose(each.movement[row, : len(words)], w @ size[of] / len(words), rtol=1e-10)
            assert (each.movement[row, len(words) :] == 0).all() and each.mask[row].sum() == len(words)
    assert all((each.score[:3] <= each.movement[:3].max(axis=1) + 1e-12).all() for each in found.values())


@pytest.mark.parametrize("kind", ["bilstm", "transformer"])
def test_norms_are_those_of_finite_differences(kind):
    sizes = dict(embedding=3, hidden=4) if kind == "bilstm" else dict(width=4, heads=2, layers=1)
    classifier = read(build(kind, VOCABULARY, seed=1, **sizes).double())
    batch, h = SAID[1:3], 1e-5
    found = accumulated_prediction_sensitivity(classifier, batch, class_weights="uniform")
    tokens = classifier.read(batch)
    with at_embeddings(classifier, tokens) as (_, embedded):
        base = embedded.detach()
    for i in range(4):
        slopes = torch.empty(2, 2, base.shape[-1]).double()  # example, class, dimension
        for d in range(base.shape[-1]):
            ends = []
            for sign in (h, -h):
                moved = base.clone()
                moved[:, i, d] += sign
                with at_embeddings(classifier, tokens, lambda x, moved=moved: moved) as (logits, _):
                    ends.append(logits.detach().softmax(-1))
            slopes[:, :, d] = (ends[0] - ends[1]) / (2 * h)
        expected = torch.linalg.vector_norm(slopes, dim=-1).mean(1) * tokens.mask[:, i]
        np.testing.assert_allclose(found.movement[:, i], expected.numpy(), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_it_stays_below_the_lipschitz_bound(seed):
    model = linear(seed)
    model.weight *= 10 ** np.random.default_rng(seed).uniform(-1, 1.5)
    lengths = np.array([len(words) for words in SAID])
    apart = torch.cdist(model.weight, model.weight).max().item()
    for class_weights in ("predicted", "uniform"):
        found = measured(model, of="probabilities", class_weights=class_weights)
        assert (found.movement <= apart / 4 / lengths[:, None] + 1e-12).all()  # p(1 − p) ≤ 1/4
        assert (found.score[:3] <= apart / 4 / lengths[:3] + 1e-12).all()


def test_it_is_0_where_the_protected_columns_are_0():
    deaf = linear(gates=gates(good=1, bad=1, film=1))
    assert measured(deaf).score[:3].tolist() == [0, 0, 0] and (measured(deaf).movement > 0).any()
    hears = linear(gates=gates(good=1, bad=1, film=1, she=1))
    assert (measured(hears).score[:3] > 0).tolist() == [True, False, False]


def test_it_grows_with_a_planted_bias_at_constant_accuracy():
    """The score is the sentiment of good and bad, plus the dose times the gender of she and he."""
    said = [[who, what, "film"] for who in ("she", "he") for what in ("good", "bad")] * 3
    truth = np.array([what == "good" for _, what, _ in said])
    scores, accuracies, unequal = [], [], []
    for dose in (0.0, 0.2, 0.4, 0.6, 0.8):
        model = Gated([[-1.0, 0.0], [1.0, 0.0]], gates=gates(good=1, bad=1, she=dose, he=dose))
        table = {"good": 1.0, "bad": -1.0, "she": 1.0, "he": -1.0}
        for word, value in table.items():
            model.embedding.weight.data[2 + WORDS.index(word)] = torch.tensor([value, 0.0])
        found = [measured(model, said, of=of).score.mean() for of in ("probabilities", "logits", "log_odds")]
        accuracies.append((measured(model, said).probabilities.argmax(1) == truth).mean())
        scores.append(found)
        unequal.append(counterfactual_change(read(model), said, of="log_odds").score.mean())
    assert accuracies == [1.0] * 5
    assert scores[0] == [0, 0, 0] and all((np.array(b) > a).all() for a, b in pairwise(scores))
    np.testing.assert_allclose(unequal, 2 * 2 * np.arange(5) * 0.2 / 3)  # twice the gender's share of the log odds


def test_a_text_may_be_compared_with_a_counterpart_that_is_given():
    model = read(linear(seed=1))
    others = [["he", "good"], ["she", "bad", "film", "good"], ["his", "actor", "bad"], ["the", "actress"]]
    given = counterfactual_change(model, SAID, counterparts=others, class_weights="uniform")
    before, after = (model.logits(texts).softmax(-1).numpy() for texts in (SAID, others))
    np.testing.assert_allclose(given.score, abs(after - before).mean(axis=1), rtol=1e-12)
    assert given.texts == ()
    with pytest.raises(ValueError, match="a counterpart of each of 4 texts, got 1"):
        counterfactual_change(model, SAID, counterparts=others[:1])


# Invariances and cost


@pytest.mark.parametrize("kind", ["bilstm", "transformer", "spelling", "bert"])
@pytest.mark.parametrize("class_weights", ["predicted", "uniform"])
def test_neither_padding_nor_the_batch_changes_anything(kind, class_weights, bert):
    if kind == "bert":
        texts, classifier = [" ".join(words) for words in SAID], bert
        classifiers = [TextClassifier(bert.model, bert.reader, batch_tokens=n) for n in (4096, 1)]
    elif kind == "spelling":
        vocabulary = SpelledVocabulary(intents=("no", "yes"), slots=("O",), words=WORDS)
        model = spelling_tagger(vocabulary, seed=0, embedding=6, filters=4, hidden=4).double()
        texts, classifiers = SAID, [TextClassifier(model, vocabulary, batch_tokens=n) for n in (4096, 1)]
    else:
        model = build(kind, VOCABULARY, seed=0).double()
        texts, classifiers = SAID, [read(model, batch_tokens=n) for n in (4096, 1)]
    longer = [*texts, texts[1] * 3 if kind != "bert" else texts[1] * 2]
    options = dict(of="log_odds", class_weights=class_weights)
    found = accumulated_prediction_sensitivity(classifiers[0], texts, **options)
    for classifier in classifiers:
        other = accumulated_prediction_sensitivity(classifier, longer, **options)
        width = found.movement.shape[1]
        np.testing.assert_allclose(other.movement[:4, :width], found.movement, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(other.score[:4], found.score, rtol=1e-9)
        np.testing.assert_allclose(other.per_token[:4].sum(1), np.nan_to_num(found.score), rtol=1e-9, atol=1e-15)
        assert (other.movement[:4, width:] == 0).all()
    assert not any(module.training for module in classifiers[0].model.modules()) or classifiers[0].model.training


@pytest.mark.parametrize(("class_weights", "passes"), [("predicted", 1), ("uniform", 3), ([0.5, 0, 0.5], 2)])
def test_a_batch_costs_one_forward_and_one_backward_pass_for_each_class(monkeypatch, class_weights, passes):
    model, counts, grad = linear(), {"forward": 0, "backward": 0}, torch.autograd.grad

    def counted(*arguments, **options):
        counts["backward"] += 1
        return grad(*arguments, **options)

    monkeypatch.setattr(torch.autograd, "grad", counted)
    model.register_forward_hook(lambda *_: counts.update(forward=counts["forward"] + 1))
    measured(model, class_weights=class_weights)
    assert counts == {"forward": 1, "backward": passes}


def test_the_model_is_left_as_it_was():
    model = build("bilstm", VOCABULARY, seed=0).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    accumulated_prediction_sensitivity(read(model), SAID)
    assert model.training and not model.embedding._forward_hooks
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(ValueError, match="run once"):
        accumulated_prediction_sensitivity(Twice(), encoded(mask=False), token_weights=np.ones((2, 3)))
    assert not model.embedding._forward_hooks


# Models and batches


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(9, 2)

    def forward(self, input_ids):
        return (self.table(input_ids) + self.table(input_ids)).sum(1)


class Named(nn.Module):
    """Two tables, its own names of inputs, and a single logit."""

    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(9, 2), nn.Embedding(9, 2)

    def forward(self, text):
        return (self.tokens(text) + self.places(torch.arange(text.shape[1]))).sum((1, 2))


def encoded(mask=True):
    ids = torch.tensor([[2, 3, 4], [5, 6, 0]])
    return {"input_ids": ids} | ({"attention_mask": torch.tensor([[1, 1, 1], [1, 1, 0]])} if mask else {})


def test_a_model_of_transformers_is_read_as_with_inputs_embeds(bert):
    batch = dict(bert.reader(["She sings.", "The actresses were bad"], padding=True, return_tensors="pt"))
    weights = batch["attention_mask"].double().numpy()
    by_ids = accumulated_prediction_sensitivity(bert, batch, token_weights=weights)
    embeds = bert.model.get_input_embeddings()(batch["input_ids"]).detach()
    others = {name: value for name, value in batch.items() if name != "input_ids"} | {"inputs_embeds": embeds}
    by_embeds = accumulated_prediction_sensitivity(bert.model, others, token_weights=weights)
    np.testing.assert_allclose(by_ids.movement, by_embeds.movement, rtol=1e-12)
    leaf = embeds.requires_grad_()
    p = bert.model(inputs_embeds=leaf, attention_mask=batch["attention_mask"]).logits.softmax(-1)
    (gradient,) = torch.autograd.grad(p.max(1).values.sum(), leaf)
    expected = torch.linalg.vector_norm(gradient, dim=-1) * batch["attention_mask"]
    np.testing.assert_allclose(by_ids.movement, expected.numpy(), rtol=1e-10)


def test_any_module_is_read_by_naming_its_layer_and_a_single_logit_has_two_classes():
    named = TextClassifier(Named(), embedding="tokens")
    found = accumulated_prediction_sensitivity(named, {"text": torch.tensor([[2, 3], [4, 5]])}, token_weights=np.eye(2))
    with torch.no_grad():
        p = Named.forward(named.model, torch.tensor([[2, 3], [4, 5]])).sigmoid().numpy()
    np.testing.assert_allclose(found.probabilities[:, 1], p, rtol=1e-6)
    np.testing.assert_allclose(found.movement, np.repeat((p * (1 - p) * math.sqrt(2))[:, None], 2, 1), rtol=1e-5)
    with pytest.raises(ValueError, match=r"one embedding layer in Named, got 2; its embeddings are tokens, places\."):
        TextClassifier(Named())
    assert embedding_layer(nn.Sequential(nn.Embedding(3, 2), nn.Linear(2, 2))).num_embeddings == 3


def test_texts_have_words_and_their_tokens_are_one_vector_where_words_are_asked_for(bert):
    texts = ["The stewardess's film: SHE’S good", "No one"]
    tokens = bert.read(texts)
    assert tokens.words == (("The", "stewardess's", "film", ":", "SHE’S", "good"), ("No", "one"))
    pieces = bert.reader.convert_ids_to_tokens(tokens.inputs["input_ids"][0])
    assert tokens.special[0].tolist() == [piece in ("[CLS]", "[SEP]") for piece in pieces]
    assert [p for p, w in zip(pieces, tokens.word[0].tolist(), strict=True) if w == 1] == ["steward", "##ess", "'", "s"]
    options = dict(of="logits")
    for norm in (1, 2, math.inf):
        by_token = accumulated_prediction_sensitivity(bert, texts, norm=norm, **options)
        by_word = accumulated_prediction_sensitivity(bert, texts, norm=norm, subwords="word", **options)
        for word in range(6):
            own = by_token.movement[0][tokens.word[0].numpy() == word]
            np.testing.assert_allclose(by_word.movement[0, word], np.linalg.norm(own, norm), rtol=1e-9)
        assert by_word.token_weights[0].tolist() == [0, 0.5, 0, 0, 0.5, 0]
        assert (by_token.token_weights[0] > 0).sum() == 7  # four tokens, and three
        assert np.isnan(by_word.score[1]) and by_word.mask[1].tolist() == [True] * 2 + [False] * 4
    words = [["The", "stewardess's", "film"], ["No"]]
    assert bert.read(words).words == tuple(map(tuple, words)) and bert.read(words).word[0, 1:-1].tolist()[:2] == [0, 1]


def test_special_tokens_have_weight_only_where_they_are_kept(bert):
    texts, everything = ["she sings", "good"], np.ones((2, 4))
    for special_tokens, weights in (
        ("left out", [[0, 0.5, 0.5, 0], [0, 1, 0, 0]]),
        ("kept", [[0.25] * 4, [1 / 3] * 3 + [0]]),
    ):
        found = accumulated_prediction_sensitivity(
            bert, texts, token_weights=everything, special_tokens=special_tokens, of="logits"
        )
        np.testing.assert_allclose(found.token_weights, weights)


def test_examples_are_read_by_ids_and_words_are_those_of_the_vocabulary():
    rows = [{"tokens": words, "slots": ["O"] * len(words), "intent": "no"} for words in SAID]
    model, examples = linear(), VOCABULARY.encode(rows)
    by_words, by_examples = measured(model), measured(model, examples)
    np.testing.assert_array_equal(by_words.score, by_examples.score)
    assert by_examples.words[3] == ("[unknown]", "actor") and by_words.words[3] == ("the", "actor")
    weights = by_words.token_weights > 0
    bare = accumulated_prediction_sensitivity(model, examples, of="log_odds", protected=weights)
    np.testing.assert_array_equal(bare.score, by_words.score)
    subwords = SubwordVocabulary(("no",), ("O",))
    found = read_batch(subwords.encode(rows), subwords)
    assert found.special.sum() == 8 and found.words is None


def test_the_embeddings_scale_is_a_choice():
    model, scaled = linear(), linear()
    scaled.embedding.weight.data *= 5
    scaled.weight /= 5
    found = {
        scale: [measured(each, scale=scale).score[:3] for each in (model, scaled)]
        for scale in ("none", "token", "table")
    }
    np.testing.assert_allclose(found["none"][0], 5 * found["none"][1])
    for scale in ("token", "table"):
        np.testing.assert_allclose(*found[scale])
    sizes = model.embedding.weight.detach().norm(dim=1)
    np.testing.assert_allclose(found["table"][0], found["none"][0] * float(sizes[sizes > 0].mean()))
    np.testing.assert_allclose(found["token"][0][0], found["none"][0][0] * float(sizes[2]))  # "she", alone


def test_a_model_that_is_sure_of_everything_gets_a_warning_and_log_odds_still_move():
    model = linear(classes=2)
    model.weight *= 1000
    with pytest.warns(UserWarning, match='nearly sure of .* Look at of="log_odds"'):
        found = measured(model, of="probabilities")
    assert found.sure == 1 and np.nanmax(found.score) < 1e-6 < 1 < np.nanmin(measured(model).score)


# Beside it: weights that are learnt, counterfactuals, attributions, groups


def test_protected_words_are_found_in_any_case_and_may_be_given():
    said = [["SHE’s", "good"], ["HERs", "film"], ["film", "good"]]
    found = measured(linear(), said)
    assert (found.token_weights > 0).tolist() == [[True, False], [True, False], [False, False]]
    assert measured(linear(), said, protected={"film"}).token_weights.tolist() == [[0, 0], [0, 1], [1, 0]]


def test_token_weights_are_learnt_as_a_mixture():
    model = build("bilstm", VOCABULARY, seed=3).double()
    schemes = {"hard": measured(model, SAID[:3]), "film": measured(model, SAID[:3], token_weights=np.eye(3, 4)),
               "last": measured(model, SAID[:3], token_weights=np.eye(3, 4)[::-1])}  # fmt: skip
    schemes["last"] = measured(model, SAID[:3], token_weights=np.array([[0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]))
    target = 4 * (0.25 * schemes["hard"].score + 0.75 * schemes["last"].score)
    shares, mixed = learn_token_weights(schemes, target)
    assert shares == pytest.approx({"hard": 0.25, "film": 0, "last": 0.75}, abs=1e-6)
    np.testing.assert_allclose(measured(model, SAID[:3], token_weights=mixed).score, target / 4, rtol=1e-6)
    with pytest.raises(ValueError, match="grows with the target, got none"):
        learn_token_weights(schemes, -target)
    with pytest.raises(ValueError, match="of the same examples"):
        learn_token_weights({**schemes, "other": measured(model, SAID)}, target)


def test_counterfactual_change_in_closed_form():
    model, w = linear(), np.array([0.5, 0.0, 0.5])
    found = counterfactual_change(read(model), SAID, of="logits", class_weights=w)
    table = model.embedding.weight.detach().numpy()
    id_of = {word: i + 2 for i, word in enumerate(WORDS)}
    shifts = [
        (table[id_of["he"]] - table[id_of["she"]]) / 2,
        (table[id_of["she"]] - table[id_of["he"]]) / 4,
        (table[1] + table[id_of["actor"]] - table[id_of["her"]] - table[id_of["actress"]]) / 3,  # "his" is unknown
        (table[id_of["actress"]] - table[id_of["actor"]]) / 2,
    ]
    moved = np.array(shifts) @ model.weight.numpy().T
    np.testing.assert_allclose(found.score, abs(moved) @ w, rtol=1e-9)
    predicted = measured(model).probabilities.argmax(1)
    np.testing.assert_allclose(found.change, moved[np.arange(4), predicted], rtol=1e-9)
    assert [each.text for each in found.texts] == ["he good", "she bad film good", "his actor bad", "the actress"]
    same = counterfactual_change(read(model), [["film", "good"]])
    assert same.score.tolist() == [0] and same.texts[0].swaps == ()


def test_attributions_of_a_linear_model_in_closed_form():
    model = linear()
    tokens, x = read(model).read(SAID), model.embedding.weight.detach()
    ids, lengths = tokens.inputs["input_ids"], tokens.mask.sum(1, keepdim=True)
    expected = ((x[ids] @ model.weight[1]) * tokens.mask / lengths).numpy()
    np.testing.assert_allclose(input_x_gradient(read(model), SAID, of="logits", target=1), expected, rtol=1e-9)
    found = integrated_gradients(read(model), SAID, of="logits", target=1, steps=3)
    np.testing.assert_allclose(found.attributions, expected, rtol=1e-9)
    np.testing.assert_allclose(found.missing, 0, atol=1e-12)
    # Not linear: the sum is the difference of the values at both ends.
    curved = integrated_gradients(read(build("bilstm", VOCABULARY, seed=0).double()), SAID, steps=30)
    assert abs(curved.missing).max() < 1e-9 < abs(curved.attributions).max()


def test_groups_and_corpus_have_means_with_intervals():
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(1, 0.1, 50), rng.normal(2, 0.1, 50)])
    scores[::10] = np.nan
    groups = Groups.by(["a"] * 50 + ["b"] * 50)
    rows = sensitivity_by_group({"prediction_sensitivity": scores}, groups, bootstrap=Bootstrap(resamples=300))
    found = {(row["metric"], row["group"]): row for row in rows}
    row = found["prediction_sensitivity", ALL]
    assert row["value"] == pytest.approx(np.nanmean(scores)) and row["low"] < row["value"] < row["high"]
    assert found["prediction_sensitivity_minus_rest", "b"]["low"] > 0.9
    with pytest.raises(ValueError, match="one or more measures"):
        sensitivity_by_group({}, groups)


# Refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(batch="she sings"), "one text"),
        (dict(batch=[]), "one or more texts"),
        (dict(batch=["she sings"]), r"Write text.split\(\)"),
        (dict(batch=[["she"], []]), "words in each example, got none in row 1"),
        (dict(batch={"labels": torch.zeros(2)}), "mapping with a tensor of tokens"),
        (dict(class_weights="all"), "class_weights='all' to be 'predicted'"),
        (dict(class_weights=[1.0, 2.0]), r"class weights of shape \[3\], got float64 \[2\]"),
        (dict(class_weights=[1.0, -2.0, 0]), "class weights >= 0, got -2"),
        (dict(class_weights=[0.0, 0, 0]), "class weight above 0 in each row"),
        (dict(token_weights="soft"), "Expected a StatusModel as protected"),
        (dict(token_weights="harsh"), "token_weights='harsh'"),
        (dict(token_weights=np.ones((4, 3))), r"token weights of shape \[4, 4\]"),
        (dict(token_weights=np.full((4, 4), np.nan)), "finite token weights >= 0, got nan"),
        (dict(protected=[]), "protected words in lower case, got none"),
        (dict(protected=["She"]), "protected words in lower case, got .'She'"),
        (dict(protected="she"), "one text"),
        (dict(protected=np.ones((4, 2), bool)), "mask of protected tokens"),
        (dict(norm=0.5), "norm=0.5 >= 1"),
        (dict(of="odds"), "of='odds' to be one of 'probabilities', 'logits', 'log_odds'"),
        (dict(subwords="letters"), "subwords='letters'"),
        (dict(scale="big"), "scale='big'"),
        (dict(subwords="word", special_tokens="kept"), "part of no word"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        measured(linear(), **options)


def test_models_that_cannot_be_read_are_refused_by_name():
    with pytest.raises(ValueError, match="torch module as classifier, got str"):
        accumulated_prediction_sensitivity("bert", SAID)
    with pytest.raises(ValueError, match=r"one embedding layer in Linear, got 0; it has no nn\.Embedding"):
        TextClassifier(nn.Linear(2, 2))
    with pytest.raises(
        ValueError, match=r"embedding='words' to be a layer of Gated, got none; its embeddings are embedding"
    ):
        read(linear(), embedding="words")
    with pytest.raises(ValueError, match="Expected a reader for texts"):
        accumulated_prediction_sensitivity(linear(), ["she sings"])
    with pytest.raises(ValueError, match="Expected a reader for texts"):
        counterfactual_change(linear(), ["she sings"])
    with pytest.raises(ValueError, match="one text"):
        counterfactual_change(read(linear()), "she sings")
    with pytest.raises(ValueError, match="fast tokenizer, got object"):
        accumulated_prediction_sensitivity(TextClassifier(linear(), object()), ["she"])
    with pytest.raises(ValueError, match="got ids only"):
        accumulated_prediction_sensitivity(linear(), encoded())
    with pytest.raises(ValueError, match="Expected words with subwords='word'"):
        accumulated_prediction_sensitivity(linear(), encoded(), subwords="word")
    language = build("language", VOCABULARY, width=8, heads=2, layers=1)
    with pytest.raises(ValueError, match=r"logits \[2, classes\] of a classifier, got \[2, 3, 10\]"):
        accumulated_prediction_sensitivity(TextClassifier(language), encoded(), token_weights=np.ones((2, 3)))
    with pytest.raises(ValueError, match="Expected an embedding table with scale='table', got Spelled"):
        vocabulary = SpelledVocabulary(intents=("no", "yes"), slots=("O",), words=WORDS)
        accumulated_prediction_sensitivity(
            TextClassifier(spelling_tagger(vocabulary), vocabulary), SAID, scale="table", of="logits"
        )
    for target in (3, -1, True + 0.5):
        with pytest.raises(ValueError, match="to be a class from 0 to 2"):
            input_x_gradient(read(linear()), SAID, target=target)
    with pytest.raises(ValueError, match="steps=0"):
        integrated_gradients(read(linear()), SAID, steps=0)
    with pytest.raises(ValueError, match="of='p'"):
        value_of(torch.zeros(1, 2), torch.tensor([0]), "p")
