import dataclasses
import itertools
import re

import numpy as np
import pytest
import torch

from trustlab.course.n24_fednlp_benchmark import REAL, REAL_TUNING, real_experiment, real_tuning
from trustlab.course.n24_fednlp_benchmark import real_tagging as words
from trustlab.course.n24_fednlp_benchmark.real_answering import MISSING, STATES, SpanHead
from trustlab.course.n24_fednlp_benchmark.real_baselines import BASELINES, baseline
from trustlab.course.n24_fednlp_benchmark.real_claims import (
    LEVELS,
    best_baseline,
    by_seed,
)
from trustlab.course.n24_fednlp_benchmark.real_data import FOLDS, Divided, divided
from trustlab.course.n24_fednlp_benchmark.real_data import REAL as CORPORA
from trustlab.course.n24_fednlp_benchmark.real_experiment import HEAD, Setting, grid, run
from trustlab.course.n24_fednlp_benchmark.real_features import text_vectors, word_states
from trustlab.course.n24_fednlp_benchmark.real_spans import KINDS, LONGEST, MADE_OF, rarity, spans
from trustlab.course.n24_fednlp_benchmark.real_training import CENTRALISED, Training, places, recipe
from trustlab.course.n24_fednlp_benchmark.real_tuning import BY, OPTIONS, SEARCHES, candidates
from trustlab.course.tuning import FIRST_SEED, at_the_edge, chosen, uneven
from trustlab.federated.partition import embed
from trustlab.federated.tasks import Example
from trustlab.results import read_results

SAVED = REAL.corpora()
BUILT = ["In", "1905", "Ann", "Lee", "built", "it", "."]


# What is divided


def posts(count, first=0):
    tags = {0: "B-person", 1: "B-place"}
    rows = [
        {"tokens": ["With", f"Ann{i}", "and", "all"], "tags": ["O", tags.get(i % 3, "O"), "O", "O"]}
        for i in range(first, first + count)
    ]
    return rows


def articles(count):
    """Six articles of five paragraphs with two questions each, the paragraphs over the three splits."""
    rows = {"train": [], "validation": [], "test": []}
    for article, paragraph, question in itertools.product(range(count), range(5), range(2)):
        words = f"In {1900 + article} the town {paragraph} was built by Ann Lee . It is old and very small .".split()
        split = ("train", "train", "train", "validation", "test")[paragraph]
        asked = ["When", "was", "it", "built", "?"] if question else ["Who", "built", "it", "?"]
        answer = [1, 1] if question else [7, 8]
        rows[split].append({"context": words, "question": asked, "answer": answer, "article": f"article {article}"})
    return rows


@pytest.mark.parametrize("seed", [0, 1, 100])
def test_a_search_is_scored_on_training_examples_that_it_did_not_train_on(seed):
    corpus = {"train": posts(50), "test": posts(20, 1000)}
    search, reported = (divided("wnut17", corpus, seed, tuning=tuning) for tuning in (True, False))
    assert len(search.test) == 50 / FOLDS and not set(search.train) & set(search.test)
    assert sorted([*search.train, *search.test]) == list(range(50))
    names = {example.source[1] for example in reported.asked()}
    assert names == {f"Ann{i}" for i in range(1000, 1020)}
    assert not names & {example.source[1] for example in (*search.known(), *search.asked())}


def test_five_seeds_ask_each_question_of_xquad_once_and_no_search_asks_one_of_them():
    corpus = articles(6)
    asked = [divided("xquad", corpus, seed, tuning=False) for seed in range(5)]
    places = [place for each in asked for place in each.test.tolist()]
    assert len(places) == len(set(places)) == 4 * 5 * 2  # two of six articles are for the search
    for each in asked:
        assert not {(*e.source, e.holder) for e in each.known()} & {(*e.source, e.holder) for e in each.asked()}
        assert len(each.known()) + len(each.asked()) == 60
    for seed in (100, 101):
        search = divided("xquad", corpus, seed, tuning=True)
        assert not {*search.test.tolist(), *search.train.tolist()} & set(places)


# What the encoder reads


def test_a_short_texts_vector_is_the_sentence_embedding_but_for_half_the_precision(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_CACHE", str(tmp_path))
    texts = ("set an alarm for six", "who built the old town hall of this city ?")
    text_vectors.cache_clear()
    ours, theirs = text_vectors(texts), embed(texts)
    text_vectors.cache_clear()
    assert np.linalg.norm(ours, axis=1) == pytest.approx([np.sqrt(384)] * 2, rel=1e-4)
    assert (ours * theirs).sum(1) / np.sqrt(384) == pytest.approx([1, 1], abs=2e-3)
    long = (" ".join(f"word{i}" for i in range(400)),)
    assert (text_vectors(long, pieces=1) * text_vectors(long, pieces=2)).sum() / 384 < 0.999  # more of it was read
    text_vectors.cache_clear()


def test_a_words_state_is_the_mean_of_its_sub_tokens_states(tmp_path, monkeypatch):
    from trustlab.models.pretrained import encoder_and_tokenizer

    monkeypatch.setenv("TRUSTLAB_CACHE", str(tmp_path))
    texts, before = (("An", "unfathomable", "alarm"), ("Six",)), (("What", "rings", "?"), ("When", "?"))
    word_states.cache_clear()
    found = word_states(texts, layers=(2, 6), before=before).reshape(4, 2, 384).astype(np.float32)
    word_states.cache_clear()
    model, tokenizer = encoder_and_tokenizer()
    batch = tokenizer([list(before[0])], [list(texts[0])], is_split_into_words=True, return_tensors="pt")
    with torch.no_grad():
        states = model.eval()(**batch, output_hidden_states=True).hidden_states
    own = [i for i, side in enumerate(batch.sequence_ids(0)) if side == 1 and batch.word_ids(0)[i] == 1]
    assert len(own) > 1
    for place, layer in enumerate((2, 6)):
        wanted = states[layer][0, own].mean(0).numpy()
        assert found[1, place] @ wanted / np.linalg.norm(wanted) == pytest.approx(np.sqrt(384), rel=5e-3)


# Tags and spans


def test_the_tags_are_the_best_of_all_sequences_that_bio_allows():
    names = ["O", "B-x", "I-x", "B-y", "I-y"]
    scores = np.random.default_rng(0).normal(size=(4, 5))

    def allowed(tags):
        pairs = zip(["O", *tags], tags, strict=False)
        return all(not tag.startswith("I-") or before[2:] == tag[2:] for before, tag in pairs)

    ways = [way for way in itertools.product(range(5), repeat=4) if allowed([names[i] for i in way])]
    best = max(ways, key=lambda way: sum(scores[place, tag] for place, tag in enumerate(way)))
    assert words.best_tags(scores, names) == list(best)


def test_candidates_are_the_spans_of_a_sentence_and_look_as_they_should():
    text = [
        "In",
        "1905",
        "Ann",
        "Lee",
        "built",
        "it",
        ".",
        "The",
        "town",
        ",",
        "a",
        "small",
        "one",
        ",",
        "is",
        "old",
        ".",
    ]
    question = ["Who", "built", "the", "town", "?"]
    found = spans(text, question, rarity([text]), [0.9, 0.2])
    signs = {6, 9, 13, 16}
    wanted = {
        (i, j)
        for i, j in itertools.product(range(17), repeat=2)
        if i <= j < i + LONGEST and (i <= 6) == (j <= 6) and not {i, j} & signs
    }
    assert set(map(tuple, found.ends.tolist())) == wanted and found.kind == KINDS.index("who")
    name = found.ends.tolist().index([2, 3])
    looks = dict(zip(("whole name", "part of a name"), found.looks[name, LONGEST : LONGEST + 2], strict=True))
    assert looks == {"whole name": 1, "part of a name": 0} and found.looks[name, :LONGEST].argmax() == 1
    part = found.looks[found.ends.tolist().index([3, 3])]
    assert part[LONGEST : LONGEST + 2].tolist() == [0, 1]


def test_a_spans_score_is_the_sum_of_its_four_words_and_its_look():
    text = BUILT
    found = spans(text, ["Who", "?"], rarity([text]), [0.5])
    states = np.random.default_rng(1).normal(size=(7, 5)).astype(np.float16)
    torch.manual_seed(0)
    head = SpanHead(5, found.looks.shape[1])
    assert not head(found, states).any()  # all weights start at zero
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    scores, weights = head(found, states).tolist(), head.words.weight.detach().numpy() * STATES
    for (first, last), look, score in zip(found.ends, found.looks.astype(float), scores, strict=True):
        around = [weights[1] @ states[first], weights[2] @ states[last]]
        around += [weights[0] @ states[first - 1]] if first else []
        around += [weights[3] @ states[last + 1]] if last < 6 else []
        own = look @ head.looks.weight.detach().numpy()[0]
        kind = look[:MADE_OF] @ head.for_kind.weight.detach().numpy()[KINDS.index("who")]
        assert score == pytest.approx(sum(around) + own + kind, rel=1e-3, abs=1e-3)


# One training


@pytest.fixture
def read_words(monkeypatch):
    """Give each word a state that says whether it begins with "Ann", and each text one of its first word."""
    from trustlab.course.n24_fednlp_benchmark import real_answering, real_classification

    def states(texts, *, layers, before=None):
        flat = [word for text in texts for word in text]
        return np.array([[float(word.startswith("Ann")), 1.0] for word in flat], dtype=np.float16)

    def vectors(texts, *, pieces=2):
        return np.array([[float("Ann" in text), 1.0] for text in texts], dtype=np.float32)

    monkeypatch.setattr(words, "word_states", states)
    monkeypatch.setattr(real_answering, "word_states", states)
    monkeypatch.setattr(real_answering, "text_vectors", vectors)
    monkeypatch.setattr(real_classification, "text_vectors", vectors)
    kept = (real_answering.candidates, words.inputs_of)
    for each in kept:
        each.cache_clear()
    yield
    for each in kept:
        each.cache_clear()


@pytest.mark.parametrize("place", places("wnut17"))
def test_a_row_has_the_documented_fields_and_counts_passes_over_words(place, read_words):
    corpus = {"train": posts(90), "test": posts(30, 1000)}
    (row,) = run(Setting("wnut17", *place, seed=1, rate=0.1), corpus)
    assert set(row) == set(re.findall(r"``(\w+)``", run.__doc__.split("Yields")[1]))
    assert row["passes"] == pytest.approx(10, rel=0.15) and row["train"] == 90 and row["test"] == 30
    assert row["curve"].endswith(f"{row['score']:.4f}")
    assert row["clients"] == (1 if place[0] == CENTRALISED else 30)


def test_questions_are_learned_and_one_whose_answer_is_no_candidate_teaches_nothing(read_words):
    from trustlab.course.n24_fednlp_benchmark.real_answering import answering

    corpus = articles(6)
    (row,) = run(Setting("xquad", CENTRALISED, "none", rate=0.3), corpus)
    assert row["exact"] > 0.9 > baseline("copied input", "qa", divided("xquad", corpus, 0, tuning=False))["score"]
    example = Example(("It", "is", ",", "so"), (2, 2), "what", "a", ("What", "?"))
    problem = answering(Divided([example, example], np.array([0]), np.array([1])))
    assert problem.task.train.right.tolist() == [MISSING]
    assert problem.task.per_example_loss(problem.task.model, problem.task.train).tolist() == [0.0]


def test_methods_differ_in_the_server_alone():
    usual, adaptive = (recipe(Training(algorithm=name)) for name in ("fedavg", "fedadam"))
    assert dataclasses.replace(adaptive, server=usual.server) == usual and adaptive.server.rule == "adam"


def test_baselines_know_what_they_should(read_words):
    corpus = {"train": posts(90), "test": posts(30)}  # the same names: words tell their tags
    data = divided("wnut17", corpus, 0, tuning=False)
    assert baseline("word's tag", "tagging", data)["score"] == 1
    assert baseline("majority", "tagging", data) == {"score": 0.0, "exact": 10 / 30}


# The search and the tables


@pytest.mark.parametrize("corpus", SAVED)
def test_every_method_was_tuned_alike_and_inside_its_range(corpus):
    table, about = read_results(real_tuning.result_name(corpus))
    search = SEARCHES[corpus]
    assert not uneven(table, by=BY, options=OPTIONS)
    assert at_the_edge(candidates(corpus), search.spaces, by=BY, options=OPTIONS, of="algorithm") == []
    assert min(about["seeds"]) >= FIRST_SEED
    assert len(table) == search.trials * len(places(corpus)) * len(about["seeds"])


@pytest.mark.parametrize("corpus", SAVED)
def test_the_committed_table_is_whole_and_has_the_rates_that_the_search_chose(corpus):
    table, about = REAL.saved(corpus)
    assert about["seeds"] == list(range(5))
    found = list(table[["corpus", *real_experiment.KEY, "seed"]].itertuples(index=False, name=None))
    assert found == [tuple(setting.key().values()) for setting in grid(corpus)]
    for algorithm, division in places(corpus):
        best = chosen(candidates(corpus), options=OPTIONS, algorithm=algorithm, partition=division)
        runs = table[(table["algorithm"] == algorithm) & (table["partition"] == division)]
        assert {tuple(pair) for pair in runs[[*OPTIONS]].to_numpy()} == {tuple(best.values())}


@pytest.mark.parametrize("corpus", SAVED)
def test_no_method_of_a_table_is_below_a_trivial_baseline_that_knows_no_encoder(corpus):
    table, task = REAL.table(corpus), CORPORA[corpus][0]
    bars = [by_seed(table, name, "none") for name in BASELINES[task] if name not in ("frozen encoder", "tf-idf")]
    means = table[table["model"] == HEAD].groupby(["algorithm", "partition"])["score"].mean()
    assert means.min() > max(np.mean(bar) for bar in bars)
    assert best_baseline(table, task)[1] >= max(np.mean(bar) for bar in bars)


def test_the_experiments_are_known_with_all_corpora():
    assert REAL.module.CORPORA == REAL_TUNING.module.CORPORA == tuple(SAVED) and set(SAVED) <= set(CORPORA)
    assert tuple(CORPORA) == tuple(LEVELS)
    for corpus in SAVED:
        assert set(REAL.recipes(corpus)) == {f"{algorithm}, {division}" for algorithm, division in places(corpus)}
