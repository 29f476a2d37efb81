"""States that are computed once are those of the whole encoder, and heads on them get the frozen tagger's gradients."""

import numpy as np
import pytest
import torch
from torch import nn

from trustlab.models import StateTagger, SubwordVocabulary, state_examples, tagging_loss, word_states
from trustlab.models.hidden_states import lower_layers
from trustlab.models.pretrained import encoder_and_tokenizer
from trustlab.privacy import private_gradients

SAID = [
    {"tokens": ["play", "Rautavaara", "now"], "slots": ["O", "B-artist", "O"], "intent": "play"},
    {"tokens": ["stop"], "slots": ["O"], "intent": "stop"},
    {
        "tokens": ["wake", "me", "at", "seven", "o'clock"],
        "slots": ["O", "O", "O", "B-time", "I-time"],
        "intent": "wake",
    },
]
VOCABULARY = SubwordVocabulary(intents=("play", "stop", "wake"), slots=("O", "B-artist", "B-time", "I-time"))


@pytest.fixture(scope="module")
def encoder():
    return encoder_and_tokenizer()


def by_hand(encoder, words, layer):
    """Each word's mean state, from the whole encoder run on one sentence without padding."""
    model, tokenizer = encoder
    encoding = tokenizer([words], is_split_into_words=True, return_tensors="pt")
    with torch.no_grad():
        states = model.eval()(**encoding, output_hidden_states=True).hidden_states[layer][0]
    places = encoding.word_ids(0)
    return torch.stack(
        [states[[at for at, place in enumerate(places) if place == i]].mean(0) for i in range(len(words))]
    )


@pytest.mark.parametrize("layer", [1, 3, 6])
def test_a_words_state_is_the_mean_over_its_sub_tokens_in_the_whole_encoder(encoder, layer):
    states = word_states(VOCABULARY.encode(SAID), VOCABULARY, layer=layer)
    expected = torch.cat([by_hand(encoder, row["tokens"], layer) for row in SAID])
    assert states.dtype == torch.float16 and states.shape == (9, 384)
    torch.testing.assert_close(states.float(), expected, rtol=0, atol=2e-3)


def test_examples_hold_each_words_state_and_tag_and_zeros_after_the_last():
    encoded = VOCABULARY.encode(SAID)
    states = torch.arange(9.0)[:, None].expand(9, 2)
    found = state_examples(encoded, states)
    assert found.input_ids[:, :, 0].tolist() == [[0, 1, 2, 0, 0], [3, 0, 0, 0, 0], [4, 5, 6, 7, 8]]
    assert found.attention_mask.sum(1).tolist() == [3, 1, 5]
    assert found.slots.tolist() == [[0, 1, 0, -100, -100], [0, -100, -100, -100, -100], [0, 0, 0, 2, 3]]
    assert found.intents.tolist() == encoded.intents.tolist()
    with pytest.raises(ValueError, match="Expected the states of 9 words, got 8"):
        state_examples(encoded, states[:8])


def test_a_layer_that_the_encoder_lacks_is_refused():
    with pytest.raises(ValueError, match="Expected layer=7 between 1 and 6"):
        lower_layers(None, 7)


class FrozenTagger(nn.Module):
    """The heads above an encoder that is computed in every forward pass, word by word and example by example."""

    def __init__(self, encoder, heads):
        super().__init__()
        self.encoder, self.heads = encoder[0].requires_grad_(False), heads
        self.tokenizer = encoder[1]

    def logits(self, words):
        states = nn.functional.layer_norm(by_hand((self.encoder, self.tokenizer), words, 3), (384,))
        whole, none = states.mean(0), torch.zeros(384)
        A, B, C = self.heads.words.weight.chunk(3)
        intent, slot = self.heads.sentence(whole).split([3, 4])
        near = [
            A @ (states[t - 1] if t else none) + B @ states[t] + C @ (states[t + 1] if t + 1 < len(words) else none)
            for t in range(len(words))
        ]
        return intent, torch.stack(near) + slot


def random_heads():
    torch.manual_seed(0)
    heads = StateTagger(384, 3, 4)
    for weights in heads.parameters():
        nn.init.normal_(weights, std=0.05)
    return heads


def loss_by_hand(tagger, row):
    intent, slots = tagger.logits(row["tokens"])
    tags = torch.tensor([VOCABULARY.slots.index(tag) for tag in row["slots"]])
    said = torch.tensor(VOCABULARY.intents.index(row["intent"]))
    return nn.functional.cross_entropy(intent, said) + nn.functional.cross_entropy(slots, tags)


@pytest.mark.parametrize("engine", ["fast", "loop"])
def test_heads_on_kept_states_get_the_clipped_gradients_of_the_frozen_tagger(encoder, engine):
    heads = random_heads()
    encoded = VOCABULARY.encode(SAID)
    examples = state_examples(encoded, word_states(encoded, VOCABULARY, layer=3))
    each = [
        torch.autograd.grad(loss_by_hand(FrozenTagger(encoder, heads), row), list(heads.parameters())) for row in SAID
    ]
    norms = [torch.cat([part.flatten() for part in parts]).norm() for parts in each]
    limit = float(sorted(norms)[1]) * 0.9  # two of three are clipped
    found = private_gradients(
        heads, tagging_loss, examples, method="dp-sgd", engine=engine, clip_norm=limit, expected_batch_size=1.0
    )
    np.testing.assert_allclose(found.norms, norms, rtol=5e-3)
    for place, weights in enumerate(heads.parameters()):
        expected = sum(parts[place] * min(1.0, limit / norm) for parts, norm in zip(each, norms, strict=True))
        torch.testing.assert_close(weights.grad, expected, rtol=0.01, atol=2e-3)


def test_padding_and_companions_change_nothing():
    heads = random_heads()
    states = torch.randn(4, 7, 384)
    mask = torch.arange(7) < torch.tensor([7, 3, 1, 5])[:, None]
    intents, slots = heads(states, mask)
    for i, length in enumerate([7, 3, 1, 5]):
        alone = heads(states[i : i + 1, :length], mask[i : i + 1, :length])
        torch.testing.assert_close(intents[i], alone[0][0])
        torch.testing.assert_close(slots[i, :length], alone[1][0])
