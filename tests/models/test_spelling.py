"""The word model that reads letters: its interface, its training and its valid tags, against independent answers."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from trustlab.data import assistant
from trustlab.models import evaluate, predict, tagging_loss
from trustlab.models.fitting import FitOptions, fit, like_lengths
from trustlab.models.spelling import LONGEST, SpelledVocabulary, spelling, spelling_tagger
from trustlab.models.vocabulary import UNKNOWN, Vocabulary
from trustlab.privacy import private_gradients


@pytest.fixture
def vocabulary():
    return SpelledVocabulary(intents=("play", "stop"), slots=("O", "B-song", "I-song"), words=("play", "it", "stop"))


@pytest.fixture
def batch(vocabulary):
    rows = [
        {"tokens": ["play", "yesterday", "it"], "slots": ["O", "B-song", "I-song"], "intent": "play"},
        {"tokens": ["stop"], "slots": ["O"], "intent": "stop"},
        {"tokens": ["stop", "incomprehensibilities"], "slots": ["O", "B-song"], "intent": "stop"},
    ]
    return vocabulary.encode(rows)


def test_a_token_is_its_word_and_its_letters(batch):
    words, letters = batch.input_ids[..., 0], batch.input_ids[..., 1:]
    assert words.tolist() == [[2, UNKNOWN, 3], [4, 0, 0], [4, UNKNOWN, 0]]
    assert "".join(map(chr, letters[0, 0].tolist())).rstrip("\0") == "play"
    assert "".join(map(chr, letters[2, 1].tolist())) == "incomplities"[:6] + "lities"
    assert not letters[1, 1:].any()
    assert torch.equal(batch.attention_mask, words != 0)
    assert len(spelling("")) == len(spelling("x" * 99)) == LONGEST


def test_word_ids_are_the_plain_vocabularys():
    corpus = assistant(200)
    spelled, plain = (kind.from_corpus(corpus) for kind in (SpelledVocabulary, Vocabulary))
    ours, theirs = (kind.encode(corpus["test"]) for kind in (spelled, plain))
    assert torch.equal(ours.input_ids[..., 0], theirs.input_ids)
    for name in ("attention_mask", "intents", "slots"):
        assert torch.equal(getattr(ours, name), getattr(theirs, name))


def test_padding_company_and_padded_letters_change_nothing(vocabulary, batch):
    model = spelling_tagger(vocabulary).eval()
    together = tagging_loss(model, batch)
    alone = torch.cat([tagging_loss(model, batch[torch.tensor([i])]) for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)
    wider = dataclasses.replace(
        batch,
        input_ids=torch.nn.functional.pad(batch.input_ids, (0, 0, 0, 4)),
        attention_mask=torch.nn.functional.pad(batch.attention_mask, (0, 4)),
        slots=torch.nn.functional.pad(batch.slots, (0, 4), value=-100),
    )
    torch.testing.assert_close(tagging_loss(model, wider), together, rtol=1e-5, atol=1e-6)
    # Where nothing stands but padding, whatever its letters would be is not read.
    wider.input_ids[1, 2:, 1:] = 7
    torch.testing.assert_close(tagging_loss(model, wider), together, rtol=1e-5, atol=1e-6)


def test_an_unknown_word_is_told_from_another_by_its_letters(vocabulary, batch):
    model = spelling_tagger(vocabulary).eval()
    other = dataclasses.replace(batch, input_ids=batch.input_ids.clone())
    other.input_ids[0, 1, 1] = ord("x")
    before, after = tagging_loss(model, batch), tagging_loss(model, other)
    assert before[0] != after[0] and torch.equal(before[1:], after[1:])


def test_filters_are_a_convolution_over_the_letters(vocabulary, batch):
    embedded = spelling_tagger(vocabulary).eval().embedding
    letters = embedded.characters(batch.input_ids[..., 1:])  # [B, T, L, C]
    kernel = embedded.filters.weight.view(-1, letters.shape[-1], 3)  # [filters, C, window]
    flat = letters.flatten(0, 1).transpose(1, 2)
    heard = torch.nn.functional.conv1d(flat, kernel, embedded.filters.bias, padding=1).relu().amax(-1)
    ours = embedded(batch.input_ids)[..., -heard.shape[-1] :]
    torch.testing.assert_close(ours, heard.view(*ours.shape), rtol=1e-5, atol=1e-6)


def test_the_exact_private_engines_agree_on_it(vocabulary, batch):
    model = spelling_tagger(vocabulary, dropout=0.0, word_dropout=0.0)
    found = {}
    for engine in ("loop", "fast"):
        model.zero_grad()
        private_gradients(
            model, tagging_loss, batch, method="dp-sgd", engine=engine, clip_norm=0.5, expected_batch_size=3
        )
        found[engine] = torch.cat([p.grad.flatten() for p in model.parameters()])
    torch.testing.assert_close(found["fast"], found["loop"], rtol=1e-4, atol=1e-6)


def test_a_plain_vocabulary_is_refused_by_name():
    with pytest.raises(ValueError, match="Expected a SpelledVocabulary, got a Vocabulary"):
        spelling_tagger(Vocabulary(intents=("play",), slots=("O",), words=("play",)))


# Valid tags


def test_the_tags_of_an_utterance_are_the_best_of_all_valid_ones(vocabulary, batch):
    model, names = spelling_tagger(vocabulary, seed=3).eval(), vocabulary.slots
    with torch.no_grad():
        scores = model(batch.input_ids, batch.attention_mask)[1].log_softmax(-1)
    _, tags = predict(model, batch, valid=True)
    for i, length in enumerate(batch.attention_mask.sum(1).tolist()):
        valid = [
            path
            for path in itertools.product(range(3), repeat=length)
            if all(
                names[b] != "I-song" or (a is not None and names[a] != "O")
                for a, b in zip((None, *path), path, strict=False)
            )
        ]
        best = max(valid, key=lambda path: sum(scores[i, t, tag].item() for t, tag in enumerate(path)))
        assert tags[i] == [names[tag] for tag in best]


# Training


def test_training_learns_keeps_the_best_epoch_and_is_the_seeds():
    corpus = assistant(600)
    vocabulary = SpelledVocabulary.from_corpus(corpus)
    data = vocabulary.encode_corpus(corpus)

    def trained(seed):
        model = spelling_tagger(vocabulary, seed=seed, embedding=16, filters=8, hidden=16, dropout=0.1)
        return model, list(fit(model, data, FitOptions(learning_rate=0.02, batch_size=32, epochs=4, seed=seed)))

    state = torch.random.get_rng_state()
    (model, rows), (again, same), (_, other) = trained(1), trained(1), trained(2)
    assert torch.equal(torch.random.get_rng_state(), state)
    losses = [[row["train_loss"] for row in run] for run in (rows, same, other)]
    assert losses[0] == losses[1] != losses[2] and losses[0][-1] < 0.9 * losses[0][0]
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert not model.training or model.eval()
    best = max(rows, key=lambda row: row["score"])
    assert evaluate(model, data["validation"])["accuracy"] == pytest.approx(best["accuracy"])
    intents, tags = predict(model, data["validation"], valid=True)
    assert intents == predict(model, data["validation"])[0]
    assert [len(row) for row in tags] == [len(row) for row in corpus["validation"]["tokens"]]


def test_batches_have_every_example_once_and_nearly_equal_lengths():
    lengths = torch.tensor(np.random.default_rng(0).integers(1, 30, size=2000))
    batches = like_lengths(lengths, 10)
    assert sorted(torch.cat(batches).tolist()) == list(range(2000)) and max(map(len, batches)) == 10
    spread = np.mean([float(lengths[batch].max() - lengths[batch].min()) for batch in batches])
    assert spread < 2.5  # of 29, where batches at random have 24
