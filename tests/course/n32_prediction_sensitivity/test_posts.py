"""Posts, made up here: what people marked, and the row that a model of them leaves."""

from types import SimpleNamespace

import datasets
import numpy as np
import pytest
import torch

from trustlab.course.n32_prediction_sensitivity import identity_templates, posts_experiment, winogender_sentences
from trustlab.course.n32_prediction_sensitivity.identity_templates import Templates
from trustlab.course.n32_prediction_sensitivity.posts_experiment import (
    COMMUNITIES,
    LEANING,
    MARKED,
    NAMED,
    PAIRS,
    PRONOUNS,
    SPLIT,
    TERMS,
    Setting,
    grid,
    posts_of,
    run,
)

KINDS = {"African": "blacks", "Islam": "muslims", "Jewish": "jews", "Homosexual": "homosexuals", "Women": "women"}


def split(rows, seed):
    """Return posts "W greet N today": N a community, W kind or unkind, whose marks are on the verb or the name."""
    rng, found = np.random.default_rng(seed), []
    for place in range(rows):
        kind = COMMUNITIES[place % len(COMMUNITIES)]
        mean = bool(rng.random() < 0.5)
        tokens = ["they", "mock" if mean else "greet", KINDS[kind], *["today"] * int(rng.integers(1, 4))]
        rationale = [0.0, 1.0, float(place % 2), *[0.0] * (len(tokens) - 3)] if mean else []
        label = "offensive" if mean else "normal"
        labels = [label, label, "normal"] if place % 3 == 0 else [label] * 3
        found.append({"text": " ".join(tokens), "tokens": tokens, "label": label, "labels": labels,
                      "targets": [kind], "rationale": rationale})  # fmt: skip
    return datasets.Dataset.from_list(found)


@pytest.fixture(scope="module")
def corpus():
    return datasets.DatasetDict({"train": split(300, 0), "validation": split(100, 1), "test": split(100, 2)})


def test_posts_have_their_names_marks_and_leaning(corpus):
    posts = posts_of(corpus["test"])
    assert len(posts.words) == 100 and (posts.named.sum(axis=1) == 1).all()
    marked = posts.marks.sum(axis=1) > 0
    assert np.isnan(posts.leaning[~marked]).all()
    assert set(posts.leaning[marked].tolist()) == {0.0, 0.5}
    assert posts.split.any() and not posts.split.all()


def test_no_word_of_the_list_has_two_partners_and_swapping_twice_gives_it_back():
    assert all(PAIRS.counterpart[PAIRS.counterpart[word]] == word for word in PAIRS.counterpart)


def test_a_model_leaves_a_row(corpus, monkeypatch):
    words = [f"they {verb} {term} today".split() for verb in ("mock", "greet") for term in KINDS.values()]
    made_up = Templates(words, np.tile([False, False, True, False], (len(words), 1)), (2, len(KINDS)))
    monkeypatch.setattr(identity_templates, "templates", lambda: made_up)
    pairs = Templates(words[:6], np.tile([False, False, True, False], (6, 1)), (3, 2))
    monkeypatch.setattr(winogender_sentences, "sentences", lambda: pairs)
    monkeypatch.setitem(posts_experiment.RECIPE, "epochs", 4)
    (row,) = run(Setting(), corpus)
    assert row["accuracy"] > 0.9 and row["status"] > 0.8 and row["posts"] == 100
    assert all(-1 <= row[name] <= 1 for name in row if name.startswith(LEANING))
    assert all(0 <= row[name] <= 1 for name in row if name.startswith((SPLIT, MARKED)))
    assert row[f"{MARKED}movement, probabilities"] > 0.5  # the verb decides, and people marked it
    assert f"{LEANING}{NAMED}" in row and all(
        -1 <= row[name] <= 1 for name in row if name.startswith((TERMS, PRONOUNS))
    )
    assert [each.seed for each in grid("hatexplain", seeds=range(2))] == [0, 1]


def test_winogenders_sentences_differ_in_their_pronoun_only(real_data):
    found = winogender_sentences.sentences()
    frames, columns = found.shape
    assert columns == 2 and len(found.words) == 2 * frames and frames >= 100
    assert (found.named.sum(axis=1) == 1).all()
    for male, female, where in zip(found.words[::2], found.words[1::2], found.named[::2], strict=True):
        (place,) = np.flatnonzero(where)
        assert male[:place] == female[:place] and male[place + 1 :] == female[place + 1 :]
        assert {male[place], female[place]} in ({"he", "she"}, {"his", "her"}, {"him", "her"})


def test_a_model_that_reacts_to_one_pronoun_is_found_by_its_swap(monkeypatch):
    words = [f"the {job} said {who} left".split() for job in ("clerk", "nurse", "pilot") for who in ("he", "she")]
    pairs = Templates(words, np.tile([False, False, False, True, False], (6, 1)), (3, 2))
    monkeypatch.setattr(winogender_sentences, "sentences", lambda: pairs)
    seen = {"he": 0.0, "she": 1.0}
    jobs = {"clerk": 0.5, "nurse": 1.0, "pilot": 2.0}
    logits = torch.tensor([[0.0, seen[text[3]] * jobs[text[1]]] for text in words])
    probabilities = logits.softmax(-1).double().numpy()
    changed = abs(probabilities[::2, 0] - probabilities[1::2, 0])
    monkeypatch.setattr(winogender_sentences, "measures_of", lambda *_: {"swap": np.repeat(changed, 2)})
    classifier = SimpleNamespace(logits=lambda given: logits, reader=SimpleNamespace(intents=["normal", "abuse"]))
    assert winogender_sentences.ranks_of_sentences(classifier) == {"swap": pytest.approx(1.0)}
