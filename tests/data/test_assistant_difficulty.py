"""How hard the assistant corpus is: these numbers are quoted in data/README.md."""

import collections

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def test_a_bag_of_words_learns_intents_but_not_word_order(corpus):
    text = {split: [" ".join(tokens) for tokens in rows["tokens"]] for split, rows in corpus.items()}
    model = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=300))
    model.fit(text["train"], corpus["train"]["intent"][:])
    assert 0.90 < model.score(text["test"], corpus["test"]["intent"][:]) < 0.95


def spans(rows):
    """Entities as (row, start, end, slot), from BIO tags."""
    found = set()
    for row, tags in enumerate(rows):
        start = None
        for position, tag in enumerate([*tags, "O"]):
            if start is not None and tag != f"I-{start[1]}":
                found.add((row, start[0], position, start[1]))
                start = None
            if tag[0] == "B":
                start = position, tag[2:]
    return found


def test_the_most_frequent_tag_of_a_word_is_a_poor_tagger(corpus):
    counts = collections.defaultdict(collections.Counter)
    for tokens, slots in zip(corpus["train"]["tokens"], corpus["train"]["slots"], strict=True):
        for token, slot in zip(tokens, slots, strict=True):
            counts[token][slot] += 1
    best = {token: seen.most_common(1)[0][0] for token, seen in counts.items()}
    guessed = spans([best.get(token, "O") for token in tokens] for tokens in corpus["test"]["tokens"])
    true = spans(corpus["test"]["slots"])
    f1 = 2 * len(guessed & true) / (len(guessed) + len(true))
    assert 0.25 < f1 < 0.45
