"""SmolLM2's experiment on a tiny random model: its texts, its measures against counts by hand, and a row."""

import dataclasses
import math

import datasets
import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from trustlab.course.n33_role_reversal import smollm2_distillation as distillation
from trustlab.course.n33_role_reversal import smollm2_elsewhere as elsewhere
from trustlab.course.n33_role_reversal import smollm2_leanings as measures
from trustlab.course.n33_role_reversal import smollm2_texts as texts
from trustlab.course.n33_role_reversal.smollm2_experiment import SMOLLM2
from trustlab.course.n33_role_reversal.working_people import Texts
from trustlab.fairness.generated_texts import unigram_polarity

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
SAID = """The dancer nurse engineer truck driver writer scientist was late because smiled when happy tired , but she he
    her his him is an actor who sang old kind"""


@pytest.fixture(scope="module")
def given():
    whole = Tokenizer(models.WordLevel({word: i for i, word in enumerate([*SPECIAL, *SAID.split()])}, SPECIAL[0]))
    whole.pre_tokenizer = pre_tokenizers.Whitespace()
    named = dict(zip(("unk_token", "bos_token", "eos_token"), SPECIAL, strict=True))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=whole, pad_token=SPECIAL[2], **named)
    torch.manual_seed(3)
    size = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=4, num_attention_heads=2)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), initializer_range=0.4, **size))
    return model.eval(), tokenizer


@pytest.fixture
def corpus(monkeypatch):
    """Forty articles about professions and forty about people; half of the latter have a gender."""
    for name, count in (("HELD_OUT", 3), ("TRAINING", 12)):
        monkeypatch.setattr(texts, name, count)
        monkeypatch.setattr(distillation, name, count)
    rows = [
        {"domain": "profession", "name": f"article {i}", "prompt": "The", "text": f"The writer is old {i} {j}"}
        for i in range(40)
        for j in range(2)
    ]
    who = ["she sang", "her sang she", "the writer sang", "Ms she sang"]
    rows += [{"domain": "gender", "name": f"person {i}", "prompt": "", "text": f"{i} {who[i % 4]}"} for i in range(40)]
    rows += [{"domain": "race", "name": "article 0", "prompt": "", "text": "he is kind"}] * 2
    return datasets.DatasetDict(test=datasets.Dataset.from_list(rows))


def test_no_article_is_on_both_sides_and_every_gender_has_a_counterpart(corpus):
    held, professions, gendered = texts.divided(corpus)
    articles = [{text.split()[4] for text in side} for side in (held, professions)]
    assert len(held) == 3 and len(professions) == 72 and not articles[0] & articles[1]
    said = {text.split(maxsplit=1)[1] for text in gendered if text != "he is kind"}
    assert said == {"she sang", "her sang she"}  # "Ms" has no counterpart
    assert held == texts.divided(corpus)[0]


def test_a_seed_draws_half_of_its_texts_from_each_kind(corpus):
    _, professions, gendered = texts.divided(corpus)
    first, again, other = (texts.training(professions, gendered, seed) for seed in (0, 0, 1))
    assert first == again != other and len(set(first)) == 12
    assert set(first[:6]) <= set(professions) and set(first[6:]) <= set(gendered)


def test_leanings_are_log_odds_of_the_next_word(given):
    model, tokenizer = given
    found = measures.leanings(model, tokenizer)
    for profession in ("nurse", "truck driver"):
        odds = []
        for opening in texts.OPENINGS:
            ids = tokenizer(f"<|endoftext|>{opening.format(profession)}")["input_ids"]
            with torch.no_grad():
                p = model(torch.tensor([ids])).logits[0, -1].double().softmax(0)
            of = {word: p[tokenizer.convert_tokens_to_ids(word)].item() for word in ("she", "her", "he", "his", "him")}
            odds.append(math.log((of["she"] + of["her"]) / (of["he"] + of["his"] + of["him"])))
        assert found[f"leaning of {profession}"] == pytest.approx(np.mean(odds), abs=1e-4)
    of_each = [found[f"leaning of {profession}"] for profession in texts.PROFESSIONS]
    assert found["leaning"] == pytest.approx(np.abs(of_each).mean())


def test_polarities_are_those_of_the_texts_profession_by_profession(given, monkeypatch):
    monkeypatch.setattr(measures, "EACH", 3)
    written = []
    real = measures.continuations
    monkeypatch.setattr(
        measures, "continuations", lambda *prompts, **how: written.extend(real(*prompts, **how)) or written
    )
    row = measures.said(*given, seed=5)
    said = [given[1].decode(each) for each in written]
    count = len(texts.PROFESSIONS) * len(texts.OPENINGS)
    assert len(said) == 3 * count and row["said"].split("|") == said[:count]
    for place, profession in enumerate(texts.PROFESSIONS):
        own = [text for i, text in enumerate(said) if i % count // len(texts.OPENINGS) == place]
        expected = "".join({1: "f", -1: "m", 0: "-"}[sign] for sign in unigram_polarity(own).tolist())
        assert row[f"polarity of {profession}"] == expected
    letters = "".join(row[f"polarity of {profession}"] for profession in texts.PROFESSIONS)
    assert row["gendered"] == pytest.approx(100 * (1 - letters.count("-") / len(letters)))


def made_clusters():
    rows = [
        {"kind": kind, "domain": domain, "target": target, "context": f"The {target} is BLANK"}
        | {name: f"The {target} is {word}" for name, word in words.items()}
        | {f"{name}_id": f"{kind} {domain} {target} {word}" for name, word in words.items()}
        for kind in ("intrasentence", "intersentence")
        for domain in ("gender", "race")
        for target in ("nurse", "writer")
        for words in [{"stereotype": "kind", "anti_stereotype": "old", "unrelated": "who"}]
    ]
    return {"test": rows}


WORD_SETS = {"X": ["sang", "kind"], "Y": ["old", "late", "tired"], "A": ["he", "him"], "B": ["she", "her", "hers"]}


@pytest.fixture
def small(given, monkeypatch):
    monkeypatch.setattr(distillation, "language_model", lambda: given)
    monkeypatch.setattr(measures, "load", lambda name: made_clusters())
    monkeypatch.setattr(measures, "EACH", 2)
    monkeypatch.setattr(
        distillation, "RECIPE", dataclasses.replace(distillation.RECIPE, steps=3, batch_size=4, precision="float32")
    )


def test_preferences_are_of_gender_and_one_blank_only(given, small):
    found = measures.preferences(*given)
    assert found["ss"] in (0, 50, 100) and 0 <= found["icat"] <= found["lms"] <= 100


@pytest.mark.parametrize("model", ["teacher", *distillation.STUDENTS])
def test_a_row_of_each_model_is_flat_and_repeats(model, corpus, small):
    setting = distillation.Setting(model=model, seed=1)
    (row,), (again,) = (list(distillation.run(setting, corpus)) for _ in range(2))
    assert all(isinstance(value, int | float | str) for value in row.values())
    assert row["perplexity"] > 1 and (row["tokens"] > 0) == (model != "teacher")
    timed = ("seconds", "trained")
    assert {k: v for k, v in row.items() if k not in timed} == {k: v for k, v in again.items() if k not in timed}


@pytest.fixture
def small_elsewhere(small, monkeypatch):
    monkeypatch.setattr(elsewhere, "load", lambda name: {"test": [{"test": n, **WORD_SETS} for n in range(1, 11)]})
    learnt = Texts(["the dancer sang", "the writer is old"] * 4, np.array([0, 1] * 4), np.zeros(8, bool))
    asked = Texts(["she sang", "he is kind", "her writer is old"], np.array([0, 1, 1]), np.array([True, False, True]))
    made = elsewhere.Task(learnt, asked, ["he sang", "she is kind", "his writer is old"])
    monkeypatch.setattr(elsewhere, "task", lambda corpus, seed: made)
    said = [f"<|endoftext|>{SAID}", "<|endoftext|>he sang"]
    places = elsewhere.occurrences([word for side in WORD_SETS.values() for word in side], said)
    monkeypatch.setattr(elsewhere, "contexts", lambda corpus, sets, seed: places)


@pytest.mark.parametrize("model", elsewhere.MODELS)
def test_elsewhere_the_same_student_is_measured(model, corpus, small_elsewhere):
    (row,) = elsewhere.run(elsewhere.Setting(model=model, seed=1), corpus)
    (known,) = distillation.run(distillation.Setting(model=model, seed=1), corpus)
    assert all(row[name] == known[name] for name in row if name == "perplexity" or name.startswith("leaning"))
    assert all(abs(row[f"{test} {name}"]) < 2 for test in ("weat", "ceat") for name in elsewhere.TESTS)
    assert all(0 <= row[name] <= 1 for name in ("accuracy", "tpr_gap", "flips"))
    assert len(elsewhere.grid("bold")) == 27


def at_work():
    """Two groups of professions with four gendered sentences and six others, and one with a single gendered one."""
    rows = []
    for group, word in (("dance", "dancer"), ("writing", "writer"), ("science", "scientist")):
        who = ("she is", "he is", "her", "his") if group != "science" else ("she is",)
        told = [f"the {word} said {each} old" for each in who]
        told += [f"the {word} is kind {i}" for i in range(6)] + [f"the {word} and the Ms said she is old"]
        rows += [{"domain": "profession", "group": group, "name": f"{word} {i % 8}", "prompt": "the", "text": text}
                 for i, text in enumerate(told)]  # fmt: skip
    rows += [{**rows[0], "domain": "gender", "text": "the dancer said he is late"}, rows[0]]
    return datasets.DatasetDict(test=datasets.Dataset.from_list(rows))


def test_the_task_learns_without_gender_and_asks_of_other_articles_both_ways(monkeypatch):
    for name, count in (("TESTED", 2), ("LEARNT", 3)):
        monkeypatch.setattr(elsewhere, name, count)
    found = elsewhere.task(at_work(), seed=0)
    assert found.asked.profession.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]  # science has one only; one text has "Ms"
    assert found.asked.female.tolist() == [True, False, True, False] * 2
    assert found.swapped[:2] == ["the dancer said he is old", "the dancer said she is old"]
    assert found.learnt.profession.tolist() == [0, 0, 0, 1, 1, 1]
    articles = {row["text"]: row["name"] for row in at_work()["test"]}
    sides = [{articles[text] for text in side.texts} for side in (found.learnt, found.asked)]
    assert not sides[0] & sides[1] and all(" kind " in text for text in found.learnt.texts)
    assert elsewhere.task(at_work(), seed=1).learnt.texts != found.learnt.texts


def test_contexts_begin_as_texts_do_and_long_sentences_are_left_out():
    rows = [{"text": "he sang"}, {"text": "he sang"}, {"text": " ".join(["he"] * 41)}, {"text": "Old he is"}]
    found = elsewhere.contexts({"test": datasets.Dataset.from_list(rows)}, {"math": [["sang"], ["he"]]}, seed=0)
    assert [(each.text, each.text[each.start : each.end]) for each in found["he"]] == [
        ("<|endoftext|>he sang", "he"), ("<|endoftext|>Old he is", "he")]  # fmt: skip
    assert len(found["sang"]) == 1


def test_states_are_means_without_the_start_and_vectors_of_words_are_of_their_sub_tokens(given):
    model, tokenizer = given
    found = elsewhere.states(model, tokenizer, ["she sang", "he is an actor who sang"])
    for row, text in zip(found, ("she sang", "he is an actor who sang"), strict=True):
        ids = torch.tensor([tokenizer(f"<|endoftext|>{text}")["input_ids"]])
        with torch.no_grad():
            states = model.model(ids).last_hidden_state[0, 1:]
        assert row == pytest.approx(states.double().mean(0).numpy(), abs=1e-5)
    vectors = elsewhere.input_vectors(model, tokenizer, ["truck driver", "he"])
    table = model.get_input_embeddings().weight.detach().double().numpy()
    ids = [tokenizer.convert_tokens_to_ids(word) for word in ("truck", "driver", "he")]
    assert vectors == pytest.approx(np.stack([(table[ids[0]] + table[ids[1]]) / 2, table[ids[2]]]))


def test_students_differ_in_their_teachers_side_alone():
    settings = distillation.grid("bold", seeds=[0, 1])
    assert len({tuple(setting.key().values()) for setting in settings}) == len(settings) == 18
    assert [each.seed for each in settings] == [0] * 9 + [1] * 9  # a seed is whole before the next begins
    varied = {"reversal", "exchange", "augmentation", "seed"}
    for setting in settings:
        if setting.model != "teacher":
            options = dataclasses.asdict(setting.options)
            common = dataclasses.asdict(distillation.RECIPE)
            assert {name for name in common if options[name] != common[name]} <= varied
    assert not varied & set(distillation.recipe(settings[0]))


def test_no_row_depends_on_what_is_left_out():
    code = SMOLLM2.code("mean").units
    assert "trustlab.fairness.distillation.targets.target_of" in code
    assert not any(name.startswith(("trustlab.checkpoint", "trustlab.lab.")) for name in code)
