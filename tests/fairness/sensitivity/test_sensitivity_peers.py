"""Sensitivity and attributions beside captum's, where definitions agree."""

import numpy as np
import pytest
import torch

from trustlab.fairness.sensitivity import (
    TextClassifier,
    accumulated_prediction_sensitivity,
    input_x_gradient,
    integrated_gradients,
)
from trustlab.models import Vocabulary, build

captum = pytest.importorskip("captum.attr", reason="the oracle is captum: pip install 'captum>=0.9'")
TEXTS = ["The actress was very good.", "He reviews films", "Nobody sings for her or his grandmothers, they said."]


@pytest.fixture(scope="module")
def theirs(bert):
    """What captum needs: a function of embeddings, the embeddings, the predicted class and the mask."""
    inputs = bert.reader(TEXTS, padding=True, return_tensors="pt")
    embeds = bert.model.get_input_embeddings()(inputs["input_ids"]).detach()
    mask, layer = inputs["attention_mask"], bert.model.get_input_embeddings()

    def probabilities(x, mask):
        return bert.model(inputs_embeds=x, attention_mask=mask).logits.softmax(-1)

    return probabilities, embeds, probabilities(embeds, mask).argmax(1), mask, layer, inputs


def kept(attributions, mask):
    return (attributions * mask).detach().numpy()


@pytest.mark.parametrize("norm", [1, 2])
def test_a_predicted_class_moves_as_captums_saliency(bert, theirs, norm):
    f, embeds, predicted, mask, *_ = theirs
    found = accumulated_prediction_sensitivity(
        bert, TEXTS, norm=norm, special_tokens="kept", protected=mask.bool().numpy()
    )
    saliency = captum.Saliency(f)
    signed = saliency.attribute(embeds, target=predicted, additional_forward_args=(mask,), abs=False)
    np.testing.assert_allclose(found.movement, kept(signed.norm(p=norm, dim=-1), mask), rtol=1e-6)
    # captum takes absolute values unless it is told otherwise. Summed over dimensions, those are the 1-norm; signed
    # gradients cancel.
    absolute = saliency.attribute(embeds, target=predicted, additional_forward_args=(mask,))
    if norm == 1:
        np.testing.assert_allclose(found.movement, kept(absolute.sum(-1), mask), rtol=1e-6)
        assert (kept(abs(signed.sum(-1)), mask) < 0.9 * found.movement)[mask.bool().numpy()].any()


def test_uniform_classes_move_as_the_mean_of_captums_saliencies(bert, theirs):
    f, embeds, _, mask, *_ = theirs
    found = accumulated_prediction_sensitivity(bert, TEXTS, class_weights="uniform")
    each = [
        captum.Saliency(f).attribute(embeds, target=k, additional_forward_args=(mask,)).norm(dim=-1) for k in range(3)
    ]
    np.testing.assert_allclose(found.movement, kept(sum(each) / 3, mask), rtol=1e-6)


def test_attributions_are_captums(bert, theirs):
    f, embeds, predicted, mask, *_ = theirs
    arguments = dict(target=predicted, additional_forward_args=(mask,))
    by_gradient = captum.InputXGradient(f).attribute(embeds, **arguments).sum(-1)
    np.testing.assert_allclose(input_x_gradient(bert, TEXTS), kept(by_gradient, mask), rtol=1e-6, atol=1e-12)
    integrated, delta = captum.IntegratedGradients(f).attribute(
        embeds, n_steps=20, method="gausslegendre", return_convergence_delta=True, **arguments
    )
    found = integrated_gradients(bert, TEXTS, steps=20)
    np.testing.assert_allclose(found.attributions, kept(integrated.sum(-1), mask), rtol=1e-6, atol=1e-12)
    padding = (integrated.sum(-1) * (1 - mask)).sum(1).detach().numpy()
    np.testing.assert_allclose(found.missing + padding, delta.detach().numpy(), atol=1e-9)


def test_layers_are_named_as_captum_names_them():
    vocabulary = Vocabulary(intents=("no", "yes"), slots=("O",), words=("she", "he", "good", "film"))
    model = build("transformer", vocabulary, seed=0, width=8, heads=2).double().eval()
    classifier, said = (
        TextClassifier(model, vocabulary, embedding="embedding"),
        [["she", "good"], ["he", "film", "good"]],
    )
    tokens = classifier.read(said)

    def intent(ids, mask):
        return model(ids, mask)[0]

    method = captum.LayerGradientXActivation(intent, model.embedding)
    target = intent(tokens.inputs["input_ids"], tokens.mask).argmax(1)
    theirs = method.attribute(tokens.inputs["input_ids"], target=target, additional_forward_args=(tokens.mask,))
    ours = input_x_gradient(classifier, said, of="logits")
    np.testing.assert_allclose(ours, kept(theirs.sum(-1), tokens.mask), rtol=1e-6, atol=1e-12)
    assert torch.equal(classifier.logits(said).argmax(1), target)
