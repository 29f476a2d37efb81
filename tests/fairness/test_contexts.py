"""Vectors of words in context: which sub-token, whatever is around it, and the same from the file."""

import copy
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from trustlab.fairness.association import ceat, seat
from trustlab.fairness.contexts import ContextEncoder, Occurrence, _window, embed_in_context, occurrences
from trustlab.fairness.vector_cache import cached_vectors


@pytest.fixture(scope="module")
def minilm():
    return ContextEncoder()


def state(encoder, text, place, layer=-1):
    """The hidden state at one place of one text, by one plain forward."""
    ids = torch.tensor([encoder.tokenizer(text)["input_ids"]])
    with torch.no_grad():
        return encoder.model(input_ids=ids, output_hidden_states=True).hidden_states[layer][0, place].numpy()


def only(word, text):
    return occurrences([word], [text])[word]


def test_the_last_sub_token_of_the_first_occurrence(minilm):
    text = "The zooplankton ate; more zooplankton came."
    pieces = minilm.tokenizer.tokenize("zooplankton")
    assert len(pieces) > 1
    found = minilm.embed(only("zooplankton", text))[0]
    assert found == pytest.approx(state(minilm, text, 1 + len(pieces)), abs=1e-4)  # [CLS] the zoo ##plankton


@pytest.mark.parametrize("layer", [0, 3, -1])
def test_any_layer_in_any_batch(layer, minilm):
    encoder = ContextEncoder(minilm.model, minilm.tokenizer, layer=layer, batch_tokens=16)
    texts = ["A nurse.", "My nurse was kind to me and to everybody else in the house.", "She is a nurse", "nurse!"]
    places = [2, 2, 4, 1]
    found = encoder.embed([each for text in texts for each in only("nurse", text)])
    for row, text, place in zip(found, texts, places, strict=True):
        assert row == pytest.approx(state(minilm, text, place, layer), abs=1e-4)


def test_a_long_text_is_cut_around_the_word(minilm):
    encoder = ContextEncoder(minilm.model, minilm.tokenizer, max_tokens=9)
    text = f"{'one two three ' * 200}nurse{' four five six' * 200}"
    found = encoder.embed(only("nurse", text))[0]
    window = encoder.tokenizer.decode(
        _window(*_ids(encoder, text), _place(encoder, text), 9)[0], skip_special_tokens=True
    )
    assert window == "one two three nurse four five six"  # and the two special tokens: nine
    assert found == pytest.approx(state(minilm, window, 4), abs=1e-4)


def _ids(encoder, text):
    encoding = encoder.tokenizer(text, return_special_tokens_mask=True, verbose=False)
    return encoding["input_ids"], encoding["special_tokens_mask"]


def _place(encoder, text):
    return _ids(encoder, text)[0].index(encoder.tokenizer.convert_tokens_to_ids("nurse"))


@given(st.integers(1, 60), st.data(), st.integers(4, 20))
def test_a_window_holds_the_word_and_all_that_fits(length, data, longest):
    place = data.draw(st.integers(1, length))
    ids = [-1, *range(length), -2]
    row, new = _window(ids, [1, *[0] * length, 1], place, longest)
    assert row[new] == ids[place] and row[0] == -1 and row[-1] == -2
    assert len(row) == min(longest, len(ids))
    assert row[1:-1] == list(range(row[1], row[1] + len(row) - 2))  # one run of the text, in order


def test_whole_words_longest_first_and_case():
    sentences = ["A construction worker and a worker.", "Workers work.", "WORKER"]
    found = occurrences(["worker", "construction worker"], sentences)
    assert [(each.text, each.start) for each in found["worker"]] == [(sentences[0], 28), (sentences[2], 0)]
    assert [each.start for each in found["construction worker"]] == [2]
    cased = occurrences(["Rose", "rose"], ["Rose has a rose."], ignore_case=False)
    assert [cased[word][0].start for word in ("Rose", "rose")] == [0, 11]
    assert occurrences(["c++", "c"], ["I write c++."])["c++"][0].end == 11


def test_a_random_part_is_drawn_where_there_are_many():
    sentences = [f"{i} roses, one rose" for i in range(50)]
    found = occurrences(["rose"], sentences, per_word=10, seed=3)["rose"]
    assert len({each.text for each in found}) == 10 and found != occurrences(["rose"], sentences, per_word=10)["rose"]
    assert found == occurrences(["rose"], sentences, per_word=10, seed=3)["rose"]


def test_vectors_come_back_from_the_file_and_only_for_the_same_question(minilm, tmp_path, monkeypatch):
    found = occurrences(["rose", "bee", "wasp"], ["A rose.", "The bee saw a rose."])
    fresh = embed_in_context(minilm, found, cache=tmp_path)
    assert {word: rows.shape for word, rows in fresh.items()} == {"rose": (2, 384), "bee": (1, 384), "wasp": (0, 384)}
    (file,) = tmp_path.iterdir()
    assert b"rose" not in file.read_bytes()
    monkeypatch.setattr(ContextEncoder, "embed", lambda *_: pytest.fail("computed again"))
    for word, rows in embed_in_context(minilm, found, cache=tmp_path).items():
        assert np.array_equal(rows, fresh[word])
    monkeypatch.undo()
    other = ContextEncoder(minilm.model, minilm.tokenizer, layer=2)
    assert not np.allclose(embed_in_context(other, found, cache=tmp_path)["bee"], fresh["bee"])
    embed_in_context(minilm, occurrences(["rose"], ["A rose."]), cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


CONFIGURATIONS = st.fixed_dictionaries({
    "num_attention_heads": st.sampled_from([1, 2, 8]),
    "hidden_act": st.sampled_from(["gelu", "relu"]),
    "layer_norm_eps": st.sampled_from([1e-12, 1e-5]),
})  # fmt: skip


def configured(tokenizer, **settings):
    """The same weights whatever the settings."""
    torch.manual_seed(0)
    size = dict(hidden_size=16, num_hidden_layers=2, intermediate_size=16, vocab_size=len(tokenizer))
    return ContextEncoder(BertModel(BertConfig(**size, **settings)), tokenizer)


@given(CONFIGURATIONS, CONFIGURATIONS)
def test_the_same_weights_under_another_configuration_are_another_model(masked_tokenizer, one, other):
    first, second = (configured(masked_tokenizer, **settings).identity() for settings in (one, other))
    assert first["weights"] == second["weights"]
    assert (first == second) == (one == other)


def test_a_model_with_other_heads_does_not_find_the_vectors_of_another(masked_tokenizer, tmp_path):
    found = occurrences(["nurse"], ["she is a nurse and he is a doctor ."])
    for heads in (1, 8):
        encoder = configured(masked_tokenizer, num_attention_heads=heads)
        cached = embed_in_context(encoder, found, cache=tmp_path)["nurse"]
        assert np.array_equal(cached, encoder.embed(found["nurse"]))
    assert len(list(tmp_path.iterdir())) == 2


def test_what_does_not_change_a_vector_does_not_change_the_key(masked_tokenizer, tmp_path):
    encoder = configured(masked_tokenizer, num_attention_heads=2)
    before = encoder.identity()
    masked_tokenizer(["she", "she is"], padding=True, truncation=True, max_length=3)  # a caller's, and it is remembered
    assert encoder.identity() == before
    encoder.embed_texts(["she is a nurse"])
    assert encoder.identity() == before
    encoder.model.save_pretrained(tmp_path)
    again = ContextEncoder(BertModel.from_pretrained(tmp_path), masked_tokenizer)
    assert again.identity() == before
    halved = ContextEncoder(copy.deepcopy(encoder.model).to(torch.bfloat16), masked_tokenizer)
    assert halved.identity()["configuration"] != before["configuration"]


def test_a_tokenizer_that_splits_otherwise_makes_another_key(masked_tokenizer):
    from tokenizers import normalizers

    lower = PreTrainedTokenizerFast(tokenizer_object=copy.deepcopy(masked_tokenizer.backend_tokenizer))
    lower.backend_tokenizer.normalizer = normalizers.Lowercase()
    lower.pad_token = "[PAD]"
    assert lower.get_vocab() == masked_tokenizer.get_vocab()
    one, other = (configured(tokenizer, num_attention_heads=2).identity() for tokenizer in (masked_tokenizer, lower))
    assert one["weights"] == other["weights"] and one["tokenizer"] != other["tokenizer"]


@given(st.lists(st.sampled_from(["rose", "Rose", "bee", "red rose"]), min_size=1))
def test_a_word_that_is_asked_twice_is_found_once(words):
    sentences = ["A rose.", "The bee saw a red rose.", "Rose"]
    for ignore_case in (True, False):
        once = occurrences(dict.fromkeys(words), sentences, ignore_case=ignore_case)
        assert occurrences(words, sentences, ignore_case=ignore_case) == once
        assert all(len(set(places)) == len(places) for places in once.values())


def test_ceat_and_seat_run_on_a_real_encoder(minilm):
    """Flowers and insects beside pleasant and unpleasant words: the encoder must see which is which."""
    frames = ["I saw a {} today.", "There was a {} in the garden.", "The {} is small.", "We talked about {}."]
    sets = [
        ["rose", "tulip", "lily"],
        ["wasp", "flea", "cockroach"],
        ["love", "joy", "peace"],
        ["filth", "pain", "hate"],
    ]
    words = [word for each in sets for word in each]
    found = occurrences(words, [frame.format(word) for frame in frames for word in words])
    contexts = embed_in_context(minilm, found)
    assert {len(rows) for rows in contexts.values()} == {4}
    combined = ceat(contexts, *sets, samples=500)
    assert combined.effect_size > 0.8 and combined.p_two_sided < 0.01
    tested = seat(minilm.embed_texts, *sets, kinds=["singular", "singular", "plain", "plain"])
    assert tested.effect_size > 0.8 and tested.permutations == 20


def test_mean_states_of_a_text_do_not_depend_on_its_neighbours(minilm):
    texts = ["A rose.", "The bee saw a rose in the garden of the old house."]
    together = minilm.embed_texts(texts)
    assert together[0] == pytest.approx(minilm.embed_texts(texts[:1])[0], abs=1e-4)
    states = np.mean([state(minilm, texts[0], place) for place in range(5)], axis=0)  # [CLS] a rose . [SEP]
    assert together[0] == pytest.approx(states, abs=1e-4)


def test_the_mean_of_half_precision_states_is_not_rounded(minilm):
    encoder = ContextEncoder(copy.deepcopy(minilm.model).to(torch.bfloat16), minilm.tokenizer)
    ids = torch.tensor([encoder.tokenizer("The bee saw a rose.")["input_ids"]])
    with torch.no_grad():
        states = encoder.model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
    found = encoder.embed_texts(["The bee saw a rose."])[0]
    assert found == pytest.approx(states.float().mean(0).numpy(), abs=1e-6)


@pytest.mark.parametrize("empty", ["", "  "])
def test_a_text_without_a_token_is_refused(empty, minilm):
    with pytest.raises(ValueError, match=r"each of 3 texts, got none in 1 \(first: text 1, '\s*'\)\. It has no words"):
        minilm.embed_texts(["A rose.", empty, "A bee."])


def test_words_that_are_nowhere_and_tokenizers_that_cannot_tell(minilm):
    with pytest.raises(ValueError, match="a sub-token at characters 50 to 55"):
        minilm.embed([Occurrence("A rose.", 50, 55)])
    with pytest.raises(ValueError, match="Expected a fast tokenizer, got NoneType"):
        ContextEncoder(minilm.model)


# Vectors that are kept


KEPT = np.arange(12, dtype=np.float32).reshape(4, 3)


def kept(folder, key="key", rows=4):
    return cached_vectors(folder, key, rows, lambda: KEPT[:rows])


def altered(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def of_another_key(path):
    kept(path.parent, "other")
    os.replace(path.parent / "other.vectors", path)


def without_hash(path):
    with path.open("wb") as file:
        np.save(file, KEPT)


@pytest.mark.parametrize(
    "damage",
    [altered, of_another_key, without_hash, lambda path: path.write_bytes(path.read_bytes()[:-12]), Path.unlink],
    ids=["altered", "another key's", "without hash", "cut", "gone"],
)
def test_vectors_that_are_not_those_that_were_written_are_computed_again(damage, tmp_path):
    kept(tmp_path)
    damage(tmp_path / "key.vectors")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert np.array_equal(kept(tmp_path), KEPT)
    assert len(told) == (damage is not Path.unlink)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = cached_vectors(tmp_path, "key", 4, lambda: pytest.fail("they were kept"))
    assert np.array_equal(again, KEPT)


def test_vectors_of_another_number_are_computed_again(tmp_path):
    kept(tmp_path, rows=3)
    with pytest.warns(UserWarning, match=r"computed again: expected 4 vectors, it has the shape \(3, 3\)"):
        assert np.array_equal(kept(tmp_path), KEPT)


def test_vectors_that_cannot_be_kept_are_there_all_the_same(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="could not be kept"):
        assert np.array_equal(kept(tmp_path / "file"), KEPT)
