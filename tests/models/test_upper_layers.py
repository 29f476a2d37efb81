"""Layers that go on from computed states say what the whole encoder says, and are clipped as any other model."""

import pytest
import torch

from trustlab.models import SubwordVocabulary, tagging_loss
from trustlab.models.hidden_states import lower_layers
from trustlab.models.pretrained import encoder_and_tokenizer
from trustlab.models.upper_layers import UpperLayers, token_states
from trustlab.privacy import private_gradients

SAID = [
    {"tokens": ["play", "Rautavaara", "now"], "slots": ["O", "B-artist", "O"], "intent": "play"},
    {"tokens": ["stop"], "slots": ["O"], "intent": "stop"},
    {"tokens": ["wake", "me", "at", "seven"], "slots": ["O", "O", "O", "B-time"], "intent": "wake"},
]
VOCABULARY = SubwordVocabulary(intents=("play", "stop", "wake"), slots=("O", "B-artist", "B-time"))
ENCODED = VOCABULARY.encode(SAID)


@pytest.fixture(scope="module")
def states():
    return token_states(ENCODED, lower_layers(None, 3))


def tagger(layers=1):
    """The heads start at zero, where no gradient reaches the layers."""
    torch.manual_seed(0)
    model = UpperLayers(3, 3, after=3, layers=layers)
    for weights in model.heads.parameters():
        torch.nn.init.normal_(weights, std=0.05)
    return model


def test_states_and_trained_layers_are_the_whole_encoders(states):
    encoder, tokenizer = encoder_and_tokenizer()
    encoder.eval()
    model = UpperLayers(3, 3, after=3, layers=2)
    model.heads = torch.nn.Identity()
    model.heads.forward = lambda found, mask: found
    found = model(states.input_ids, states.attention_mask)
    for i, row in enumerate(SAID):
        with torch.no_grad():
            whole = encoder(
                **tokenizer([row["tokens"]], is_split_into_words=True, return_tensors="pt"), output_hidden_states=True
            )
        length = int(ENCODED.attention_mask[i].sum())
        below, above = (whole.hidden_states[place][0] for place in (3, 5))
        torch.testing.assert_close(states.input_ids[i, :length].float(), below, atol=2e-3, rtol=2e-3)  # float16
        torch.testing.assert_close(found[i, :length], above, atol=1e-2, rtol=1e-2)
        assert not states.input_ids[i, length:].any()


def test_padding_changes_nothing_of_an_utterance(states):
    model, short = tagger(), torch.tensor([1])
    alone = states[short]
    assert alone.input_ids.shape[1] < states.input_ids.shape[1]
    with torch.no_grad():
        intents, slots = model(states.input_ids, states.attention_mask)
        alone_intents, alone_slots = model(alone.input_ids, alone.attention_mask)
    torch.testing.assert_close(alone_intents[0], intents[1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(alone_slots[0], slots[1, : alone_slots.shape[1]], atol=1e-5, rtol=1e-4)


def test_the_fast_engine_clips_a_trained_layer_as_one_backward_for_each_utterance_does(states):
    model, found = tagger(), {}
    for engine in ("fast", "loop"):
        norms = private_gradients(
            model, tagging_loss, states, method="dp-sgd", engine=engine, clip_norm=0.5, expected_batch_size=3
        )
        assert norms.clipped == 1
        found[engine] = {name: weights.grad.clone() for name, weights in model.named_parameters()}
    for name, gradient in found["loop"].items():
        torch.testing.assert_close(found["fast"][name], gradient, atol=1e-6, rtol=1e-4)
    assert sum(gradient.square().sum() for gradient in found["loop"].values()).sqrt() <= 0.5 * (1 + 1e-5)


def test_only_the_asked_layers_are_trained():
    counts = [sum(weights.numel() for weights in tagger(layers).parameters()) for layers in (0, 1, 3)]
    assert counts[0] == 384 * (3 + 3) + 6 + 384 * 9  # StateTagger's
    assert counts[2] - counts[0] == 3 * (counts[1] - counts[0]) == 3 * 1_774_464  # of a MiniLM block


@pytest.mark.parametrize(("after", "layers"), [(3, 4), (-1, 2), (3, -1)])
def test_layers_that_the_encoder_does_not_have_are_refused(after, layers):
    with pytest.raises(ValueError, match=rf"Expected after={after} and layers={layers} from 0 and together at most 6"):
        UpperLayers(3, 3, after=after, layers=layers)
