import dataclasses

import pytest
import torch

from trustlab.models import SubwordVocabulary, build, tagging_loss

KINDS = ["bilstm", "transformer", "encoder"]


@pytest.fixture(params=KINDS)
def tagger(request, vocabulary):
    if request.param == "encoder":
        vocabulary = SubwordVocabulary(vocabulary.intents, vocabulary.slots)
    return build(request.param, vocabulary).eval(), vocabulary


def padded(examples, extra):
    """Return the same examples with `extra` more columns of padding."""
    pad = lambda tensor, value: torch.nn.functional.pad(tensor, (0, extra), value=value)  # noqa: E731
    return dataclasses.replace(
        examples,
        input_ids=pad(examples.input_ids, 0),
        attention_mask=pad(examples.attention_mask, False),
        slots=pad(examples.slots, -100),
    )


def test_every_tagger_has_the_one_interface(tagger, rows):
    model, vocabulary = tagger
    batch = vocabulary.encode(rows)
    intent, slots = model(batch.input_ids, batch.attention_mask)
    assert intent.shape == (3, len(vocabulary.intents))
    assert slots.shape == (*batch.input_ids.shape, len(vocabulary.slots))
    assert tagging_loss(model, batch).shape == (3,)


def test_padding_and_company_change_nothing(tagger, rows):
    model, vocabulary = tagger
    batch = vocabulary.encode(rows)
    together = tagging_loss(model, batch)
    alone = torch.cat([tagging_loss(model, batch[torch.tensor([i])]) for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(tagging_loss(model, padded(batch, 5)), together, rtol=1e-5, atol=1e-6)


def test_a_word_changes_only_its_own_example(tagger, rows):
    model, vocabulary = tagger
    batch = vocabulary.encode(rows)
    changed = dataclasses.replace(batch, input_ids=batch.input_ids.clone())
    changed.input_ids[0, 0] = changed.input_ids[0, 0] + 1
    before, after = tagging_loss(model, batch), tagging_loss(model, changed)
    assert before[0] != after[0]
    torch.testing.assert_close(before[1:], after[1:], rtol=1e-6, atol=1e-6)


def test_the_same_seed_gives_the_same_weights_and_leaves_torch_alone(vocabulary):
    state = torch.random.get_rng_state()
    first, second, other = (build("bilstm", vocabulary, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(first.embedding.weight, second.embedding.weight)
    assert not torch.equal(first.embedding.weight, other.embedding.weight)


def test_words_of_several_subtokens_are_asked_once(rows):
    vocabulary = SubwordVocabulary(("play",), ("O", "B-song"))
    examples = vocabulary.encode(
        [{"tokens": ["play", "supercalifragilistic"], "slots": ["O", "B-song"], "intent": "play"}]
    )
    assert examples.input_ids.shape[1] > 4  # [CLS], play, several pieces, [SEP]
    assert [tag for tag in examples.slots[0].tolist() if tag != -100] == [0, 1]
    assert examples.slots[0, 0] == examples.slots[0, -1] == -100


def test_a_frozen_encoder_trains_its_heads_only():
    vocabulary = SubwordVocabulary(("play",), ("O", "B-song"))
    model = build("encoder", vocabulary, frozen=True)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {"heads.intent.weight", "heads.intent.bias", "heads.slots.weight", "heads.slots.bias"}


def test_wrong_requests_are_refused(vocabulary):
    with pytest.raises(ValueError, match="Expected kind='gru' to be one of bilstm"):
        build("gru", vocabulary)
    with pytest.raises(ValueError, match="Expected a SubwordVocabulary with kind='encoder'"):
        build("encoder", vocabulary)
    with pytest.raises(ValueError, match="Expected heads=3 to divide width=64"):
        build("transformer", vocabulary, heads=3)
    model = build("transformer", vocabulary)
    with pytest.raises(ValueError, match="Expected at most max_length=48 tokens, got 49"):
        model(torch.ones(1, 49, dtype=torch.long), torch.ones(1, 49, dtype=torch.bool))
