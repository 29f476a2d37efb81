"""The experiment on real tasks, on our own corpus and on stand-ins; no sentence of a real set is used or printed."""

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from trustlab.course.n31_fairness_metrics import real_metrics, real_models, real_tasks
from trustlab.course.n31_fairness_metrics.extrinsic import Classifier
from trustlab.course.n31_fairness_metrics.pretraining import pretrain, whole_words
from trustlab.course.n31_fairness_metrics.real_metrics import (
    extrinsic_columns,
    gender_words,
    pronoun_columns,
    term_columns,
)
from trustlab.course.n31_fairness_metrics.real_models import (
    CLASSIFIERS,
    NONE,
    OFFLINE,
    Trained,
    train_on,
    unit_vectors,
)
from trustlab.course.n31_fairness_metrics.real_tasks import CORPORA, READING, Setting, grid, measure, run
from trustlab.fairness.groups import Groups
from trustlab.fairness.scorers import fit_scorer
from trustlab.fairness.tasks import GroupedTexts, Task, load_task

# Models


@pytest.fixture(scope="module")
def task():
    return load_task("assistant", utterances=2000)


def test_a_probe_is_logistic_regression_on_unit_vectors(task, monkeypatch):
    monkeypatch.setitem(real_models.RECIPES, "head", {"rows": 60})
    train = task.train.take(np.arange(200))
    few = Task("few", "Is it?", "-", task.test.take(np.arange(60)), train)
    trained = train_on(few, "head", OFFLINE, seed=1)
    rows = train.take(np.random.default_rng([1, 6]).permutation(200)[:60])
    learned, asked = (unit_vectors(OFFLINE, each.texts) for each in (rows, few.test))
    np.testing.assert_allclose(np.linalg.norm(asked, axis=1), 1, rtol=1e-5)
    by_hand = LogisticRegression(max_iter=1000).fit(learned, rows.truth).predict_proba(asked)[:, 1]
    np.testing.assert_allclose(trained.score(few.test.texts), by_hand, atol=1e-6)
    assert trained.encoder.config.hidden_size == 384


def test_words_are_scored_without_an_encoder_and_a_small_one_is_kept_as_it_was(task, monkeypatch):
    monkeypatch.setitem(real_models.SMALL, "steps", 3)
    words, small = (train_on(task, name) for name in ("words", "small"))
    assert words.encoder is None and type(small.encoder).__name__ == "BertForMaskedLM"
    for trained in (words, small):
        scores = trained.score(task.test.texts)
        assert scores.shape == (len(task.test),) and (scores >= 0).all() and (scores <= 1).all()
    again, _ = real_models.read_and_pretrain(task.train.texts)
    for one, other in zip(small.encoder.parameters(), again.parameters(), strict=True):
        np.testing.assert_array_equal(one.detach(), other.detach())


def test_what_a_scorer_reads_is_in_its_name(task):
    scorer = fit_scorer("banking", "assistant", task.train, task.test, reader=("letters", _Letters()))
    assert scorer.name.startswith("banking (letters and logistic regression, assistant; AUC ")


class _Letters:
    def fit(self, texts, truth=None):
        return self

    def transform(self, texts):
        return np.array([[text.count(letter) for letter in "aeiou"] for text in texts], float)


def test_the_majority_gives_everybody_the_more_frequent_answer(task):
    share = task.train.truth.mean()
    assert train_on(task, "majority").score(["a", "b"]).tolist() == [float(share >= 0.5)] * 2


def test_a_text_is_encoded_once(monkeypatch):
    asked = []

    class Encoder:
        def __init__(self, *_):
            pass

        def embed_texts(self, texts):
            asked.append(list(texts))
            return np.array([[len(text), 1.0] for text in texts])

    monkeypatch.setattr(real_models, "ContextEncoder", Encoder)
    monkeypatch.setattr(real_models, "pretrained", lambda encoder: ("model", "tokenizer"))
    first = unit_vectors("some/encoder", ["a", "bb", "a"])
    np.testing.assert_allclose(first, np.array([[1, 1], [2, 1], [1, 1]]) / np.sqrt([[2], [5], [2]]))
    np.testing.assert_array_equal(unit_vectors("some/encoder", ["bb", "ccc"])[0], first[1])
    assert asked == [["a", "bb"], ["ccc"]]
    real_models._vectors_of.cache_clear()


def test_a_task_made_for_testing_only_is_refused(task):
    with pytest.raises(ValueError, match="made for testing only"):
        train_on(Task("few", "Is it?", "-", task.test), "words")


def test_a_classifier_cuts_long_texts_and_its_batches_change_nothing(task):
    train = task.train.take(np.arange(400))
    tokenizer = whole_words(train.texts, most=50, longest=12)
    model = pretrain(train.texts, tokenizer, steps=3)
    classifier = Classifier(model, tokenizer, train, epochs=1)
    texts = [" ".join(["pay", "my", "bill"] * n) for n in (1, 3, 40, 41)]
    alone = [classifier.scores([text])[0] for text in texts]
    np.testing.assert_allclose(classifier.scores(texts), alone, rtol=1e-5)
    assert alone[2] == pytest.approx(alone[3], rel=1e-6)  # their first ten words are the same
    assert len(tokenizer) == 5 + 50


# Metrics


def test_the_worst_group_is_the_one_whose_difference_is_against_it():
    truth = np.tile([False, True], 60)
    names = np.repeat(["first", "second", "third"], 40)
    scores = np.where(names == "second", 0.9, np.where(names == "third", 0.1, truth))  # flagged all, flagged none
    texts = GroupedTexts(tuple(f"text {i}" for i in range(120)), truth, Groups.by(names))
    lookup = dict(zip(texts.texts, scores, strict=True))
    row = extrinsic_columns("task", texts, Trained(lambda asked: np.array([lookup[text] for text in asked])))
    assert row["task worst fpr minus rest group"] == "second" and row["task worst tpr minus rest group"] == "third"
    assert row["task worst fpr minus rest"] == 1 and row["task worst tpr minus rest"] == -1
    assert row["task worst bpsn auc group"] == "second"
    assert row["task equalized odds gap"] == 1 and "task flip rate" not in row
    bounded = [name for name in row if f"{name} low" in row]
    level_and_spread = [f"task {rate} gap {what}" for rate in ("accuracy", "selection", "tpr", "fpr")
                        for what in ("blind", "spread")]  # fmt: skip
    assert len(bounded) == 2 + len(real_metrics.GAPS) + len(real_metrics.WORST) + len(level_and_spread)
    assert set(level_and_spread) <= set(bounded)
    assert row["task worst fpr minus rest probability"] > 0.99 and row["task fpr gap p"] < 0.001
    assert row["task fpr gap blind high"] < row["task fpr gap low"] < row["task fpr gap corrected"]
    assert all(row[f"{name} low"] <= row[name] <= row[f"{name} high"] for name in bounded)


def test_where_groups_are_equal_nobody_is_worst_off():
    truth = np.tile([False, True], 40)
    texts = GroupedTexts(("text",) * 80, truth, Groups.by(np.repeat(["first", "second"], 40)))
    row = extrinsic_columns("task", texts, Trained(lambda asked: np.full(len(asked), 0.7)))
    assert {row[f"task worst {metric} group"] for metric, _ in real_metrics.WORST.values()} == {real_metrics.NOBODY}


class _Scorer:
    """A language model that likes "she" by so many nats."""

    noise = 1e-6

    def __init__(self, likes):
        self.likes = likes

    def token_log_probabilities(self, texts):
        return [np.array([self.likes(text), -1.0]) for text in texts]


@pytest.fixture
def occupations(monkeypatch):
    """Both pronoun tasks, about a nurse, a tailor, a welder and a pilot."""
    jobs = np.array(["nurse", "tailor", "welder", "pilot"])
    women = np.array([90.0, 60.0, 20.0, 5.0])
    groups = Groups(("mostly men", "mostly women"), np.stack([women < 50, women > 50], axis=1))
    he, she = (tuple(f"the {job} said {pronoun} came" for job in jobs) for pronoun in ("he", "she"))
    pro = tuple(b if share > 50 else a for a, b, share in zip(he, she, women, strict=True))
    anti = tuple(a if share > 50 else b for a, b, share in zip(he, she, women, strict=True))
    units = np.arange(4)
    wino = GroupedTexts(pro, None, groups, anti, units)
    facts = {"occupation": jobs, "bls_female": women}
    gender = GroupedTexts(he, None, groups, she, units, facts)
    texts = {"winobias": wino, "winogender": gender}
    monkeypatch.setattr(real_metrics, "load_task", lambda name: Task(name, "Is it?", "-", texts[name]))


def test_a_model_that_follows_statistics_is_wholly_stereotyped(occupations):
    share = {"nurse": 90, "tailor": 60, "welder": 20, "pilot": 5}
    row = pronoun_columns(_Scorer(lambda text: (share[text.split()[1]] - 50) * (1 if " she " in text else -1)))
    assert row["winobias stereotype"] == 1 and row["winobias stereotype gap"] == 0
    assert row["winogender she"] == 0.5 and row["winogender she gap"] == 1
    assert row["winogender correlation with statistics"] == pytest.approx(1)


def test_a_model_that_likes_one_pronoun_has_a_gap_and_no_stereotype(occupations):
    row = pronoun_columns(_Scorer(lambda text: (1 + len(text) / 100) * (" he " in text)))
    assert row["winobias stereotype"] == 0.5 and row["winobias stereotype gap"] == 1
    assert row["winogender she"] == 0


@pytest.fixture
def word_sets(monkeypatch):
    sets = {"female_terms": ["she", "her"], "male_terms": ["he", "him"], "unpleasant_9": ["war", "awful"],
            "pleasant_9": ["joy", "happy"], "family": ["home", "family"], "career": ["office", "salary"]}  # fmt: skip
    names = list(sets)
    rows = [{"X_name": a, "Y_name": b, "A_name": c, "B_name": d, "X": sets[a], "Y": sets[b], "A": sets[c], "B": sets[d]}
            for a, b, c, d in (names[:4], [*names[4:], *names[2:4]])]  # fmt: skip
    monkeypatch.setattr(real_metrics, "load", lambda name: {"test": rows})


def test_words_that_a_corpus_hardly_has_are_left_out(word_sets):
    said = ["she and her and he and him in office and family and home and salary"] * real_metrics.MIN_COUNT
    found = gender_words("career", [*said[1:], said[0].replace("salary", "")])
    assert (found.first, found.second) == (("she", "her"), ("he", "him"))
    assert (found.pole_a, found.pole_b) == (("home", "family"), ("office",))
    assert real_metrics.intrinsic_columns(None, None, "career", said[1:]) == {}


def test_terms_whose_association_orders_their_scores_correlate_wholly(word_sets, monkeypatch):
    angle = {"oak": 0.2, "elm": 0.6, "fir": 1.0, "ash": 1.4, "war": 1.5, "awful": 1.55, "joy": 0.0, "happy": 0.05}
    place = np.array([[math.cos(a), math.sin(a)] for a in angle.values()])
    lookup = dict(zip(angle, place, strict=True))
    monkeypatch.setattr(real_metrics, "ContextEncoder", lambda *_: None)
    monkeypatch.setattr(real_metrics, "_word_vectors", lambda encoder, words: np.stack([lookup[w] for w in words]))
    terms = ("ash", "elm", "fir", "oak")
    texts = GroupedTexts(tuple(terms) * 2, np.repeat([False, True], 4), Groups.by(terms * 2))
    row = term_columns(Trained(lambda asked: np.array([angle[text] / 2 for text in asked])), texts)
    assert row["terms association and score"] == pytest.approx(1)
    assert row["terms association and score needed"] == pytest.approx(0.95, abs=0.001)  # of four


# Cells and rows


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_grid_has_every_model_that_the_corpus_allows(corpus):
    cells = grid(corpus, seeds=range(3))
    expected = {("small", NONE)} if corpus == READING else {
        (name, OFFLINE if name in real_models.PRETRAINED else NONE)
        for name in CLASSIFIERS
        if name != "tuned"
    }  # fmt: skip
    assert {(cell.model, cell.encoder) for cell in cells} == expected
    one_seed = 2 * (corpus != READING)  # the majority is the same for every seed
    assert len(cells) == len(set(cells)) == 3 * len(expected) - one_seed
    assert all(real_tasks.recipe(cell) for cell in cells)


def test_the_name_of_a_pretrained_model_is_one_more_value():
    assert {(cell.model, cell.encoder) for cell in grid("hatexplain", encoders=["some/encoder"])} == {
        ("tuned", "some/encoder"),
        ("head", "some/encoder"),
    }
    (given,) = grid(READING, encoders=["some/model"])
    assert (given.model, given.encoder, real_tasks.recipe(given)) == ("given", "some/model", {})


def test_a_row_names_its_cell_and_the_planted_group_is_worst_off(monkeypatch):
    monkeypatch.setitem(real_models.RECIPES, "words", {"rows": 1500})
    (row,) = run(Setting("assistant", "words"), None)
    assert {name: row[name] for name in Setting().key()} == Setting("assistant", "words").key()
    assert row["quality"] == row["assistant auc"] > 0.95
    assert row["assistant worst tpr minus rest group"] == "valley"
    assert row["seconds"] > 0


def test_a_cell_outside_its_range_is_refused_before_anything_is_trained():
    with pytest.raises(ValueError, match="Expected model='forest'"):
        next(run(Setting(model="forest"), None))


def test_the_same_seed_gives_the_same_row(monkeypatch):
    monkeypatch.setitem(real_models.RECIPES, "words", {"rows": 500})
    for name in ("RESAMPLES", "DRAWS"):
        monkeypatch.setattr(real_metrics, name, 50)
    first, second, other = (measure("assistant", "words", seed=seed) for seed in (0, 0, 1))
    assert first == second != other
