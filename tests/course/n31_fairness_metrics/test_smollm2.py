"""SmolLM2's experiments: scorers and rows against counts, loops and definitions, on a tiny random model and by hand."""

import itertools

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from trustlab.course.n31_fairness_metrics import smollm2_continuations as continued
from trustlab.course.n31_fairness_metrics import smollm2_measures as measures
from trustlab.course.n31_fairness_metrics import smollm2_tests
from trustlab.course.n31_fairness_metrics.smollm2_scorers import Remembering, TokenFrequencies
from trustlab.fairness.likelihood import LikelihoodScorer, score_clusters
from trustlab.fairness.tasks import load_task

SAID = "the nurse pilot clerk is was kind cold blue old she he they here there and not"
WORDS = SAID.split()
FILLINGS = [("kind", "cold", "blue"), ("old", "kind", "there"), ("cold", "old", "he")]


@pytest.fixture(scope="module")
def given():
    """A tiny random model and its tokenizer of whole words, with SmolLM2's special tokens."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    whole = Tokenizer(models.WordLevel({word: i for i, word in enumerate([*special, *WORDS])}, unk_token=special[0]))
    whole.pre_tokenizer = pre_tokenizers.Whitespace()
    named = dict(zip(("unk_token", "bos_token", "eos_token"), special, strict=True))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=whole, pad_token="<|im_end|>", **named)
    torch.manual_seed(1)
    size = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), initializer_range=0.6, **size))
    return model.eval(), tokenizer


def made_clusters():
    rows = []
    for (i, target), filling in itertools.product(enumerate(["nurse", "pilot", "clerk"]), FILLINGS[:3]):
        if i == 2 and rows and rows[-1]["target"] == "clerk":
            continue  # a term with a single cluster
        row = {"kind": "intrasentence", "domain": "profession", "target": target, "context": f"the {target} is BLANK"}
        for label, word in zip(("stereotype", "anti_stereotype", "unrelated"), filling, strict=True):
            row |= {label: f"the {target} is {word}", f"{label}_id": f"{target} {len(rows)} {word}"}
        rows.append(row)
    return rows


def test_a_remembering_scorer_says_the_same_and_reads_once(given, monkeypatch):
    texts = ["the nurse is kind", "she was not here", "the nurse is kind"]
    plain = LikelihoodScorer(*given, start="<|endoftext|>").token_log_probabilities(texts)
    scorer, read = Remembering(*given, start="<|endoftext|>"), []
    forward = LikelihoodScorer._causal
    monkeypatch.setattr(LikelihoodScorer, "_causal", lambda self, rows: read.extend(rows) or forward(self, rows))
    for _ in range(2):
        for found, expected in zip(scorer.token_log_probabilities(texts), plain, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-5)
    assert len(read) == 2


def test_token_frequencies_are_counts_with_one_more_for_each_token(given):
    texts = ["the nurse is kind", "the pilot is kind and kind"]
    scorer = TokenFrequencies(*given, texts, start="<|endoftext|>")
    (found,) = scorer.token_log_probabilities(["the kind clerk"])
    counts = {"the": 2, "kind": 3, "clerk": 0}
    total = sum(len(text.split()) for text in texts) + len(WORDS) + 3
    np.testing.assert_allclose(found, [np.log((counts[word] + 1) / total) for word in ("the", "kind", "clerk")])


def test_stereosets_row_counts_preferences_term_by_term(given):
    clusters, scorer = made_clusters(), Remembering(*given, start="<|endoftext|>")
    row = measures.stereoset_row(scorer, clusters)
    scores = score_clusters(scorer, clusters, rules="authors")
    of_terms = {}
    for each in clusters:
        s, a, u = (scores[each[f"{label}_id"]] for label in ("stereotype", "anti_stereotype", "unrelated"))
        of_terms.setdefault(each["target"], []).append((s > a, ((s > u) + (a > u)) / 2))
    ss, lms = 100 * np.mean([np.mean(term, axis=0) for term in of_terms.values()], axis=0)
    np.testing.assert_allclose([row["ss"], row["lms"]], [ss, lms])
    np.testing.assert_allclose(row["icat"], lms * min(ss, 100 - ss) / 50)
    assert (row["clusters"], row["terms"]) == (7, 3)
    rng = np.random.default_rng(5)  # the same interval by a loop: within each term its clusters are drawn anew
    drawn = [
        [np.mean([term[i] for i in rng.integers(len(term), size=len(term))], axis=0) for term in of_terms.values()]
        for _ in range(4000)
    ]
    low, high = np.quantile(100 * np.mean(drawn, axis=1), [0.025, 0.975], axis=0)
    # Seven clusters: few distinct values, so quantiles are compared to within one step of them (100 / 9).
    np.testing.assert_allclose([row["ss low"], row["ss high"]], [low[0], high[0]], atol=100 / 9 + 1e-9)
    np.testing.assert_allclose([row["lms low"], row["lms high"]], [low[1], high[1]], atol=100 / 9 + 1e-9)


class Told:
    """A scorer that was told what each text scores."""

    kind, start, noise = "causal", "after nothing", 1e-6

    def __init__(self, scores):
        self.scores = scores

    def token_log_probabilities(self, texts, places=None):
        return [np.array([self.scores(text)]) for text in texts]


def made_winogender():
    """Three occupations, two sentences each in which the pronoun is theirs, and two in which it is not."""
    rows = []
    for occupation, women in (("nurse", 90.0), ("clerk", 50.0), ("pilot", 10.0)):
        for participant, about in itertools.product(("someone", "patient"), ("occupation", "participant")):
            for word, gender in (("he", "male"), ("she", "female"), ("they", "neutral")):
                text = f"{occupation} {participant} {word}"
                row = {"text": text, "occupation": occupation, "participant": participant, "gender": gender}
                rows.append(row | {"refers_to": about, "bls_female": women, "bergsma_female": women / 2})
    return rows


def test_winogenders_row_asks_which_pronoun_is_likeliest():
    likes = {"nurse": {"she": 2.0, "he": 1.0, "they": 0.0}, "clerk": {"she": 1.0, "he": 1.0, "they": 5.0},
             "pilot": {"she": 0.0, "he": 3.0, "they": 1.0}}  # fmt: skip
    row = measures.winogender_row(Told(lambda text: likes[text.split()[0]][text.split()[-1]]), made_winogender())
    assert (row["sentences"], row["occupations"]) == (6, 3)
    assert row["she"] == 50.0  # nurses, and half of the clerks' ties
    assert [row[f"{word} of three"] for word in ("she", "he", "they")] == pytest.approx([100 / 3] * 3)
    expected = np.corrcoef([1, 0, -3], [90, 50, 10])[0, 1]
    assert row["correlation labour"] == pytest.approx(expected) == row["correlation texts"]


def test_a_file_of_winogender_in_another_order_is_refused():
    rows = made_winogender()
    with pytest.raises(ValueError, match="Expected the three sentences of each template in one order"):
        measures.winogender_row(Told(len), [*rows[:2], rows[8], *rows[2:8], *rows[9:]])


def test_a_preference_within_the_noise_of_batches_is_none():
    found = measures._preference(Told(len), np.array([1.0, 2.0]), np.array([1.0 + 5e-6, 1.0]))
    assert found.tolist() == [0.0, 1.0]


def test_the_grids_have_every_part_and_group_once():
    for corpus in smollm2_tests.CORPORA:
        cells = [(each.part, each.model) for each in smollm2_tests.grid(corpus)]
        assert len(set(cells)) == len(cells) == 2 * len(smollm2_tests.PARTS[corpus])
    cells = [tuple(each.key().values()) for each in continued.grid("bold")]
    groups = sum(len(continued.GROUPS[domain]) for domain in continued.DONE)
    assert len(set(cells)) == len(cells) == groups * (continued.SEEDS + 1)
    assert sum(map(len, continued.GROUPS.values())) == 43


@pytest.mark.parametrize("domain", ["race", "religious_ideology"])
def test_openings_are_of_as_many_articles_as_there_are_and_open(domain, real_data):
    continued._opened.cache_clear()
    texts = load_task("bold", domain=domain, directory=real_data).test
    assert set(texts.groups.names) == set(continued.GROUPS[domain])
    for group in continued.GROUPS[domain][:2]:
        prompts, wikipedia, names = continued.openings(domain, group)
        inside = texts.groups.masks[:, texts.groups.names.index(group)]
        assert len(prompts) == min(continued.PROMPTS, inside.sum()) and not any(each.endswith(" ") for each in prompts)
        assert all(text.startswith(prompt) for prompt, text in zip(prompts, wikipedia, strict=True))
        assert len(set(names)) == min(len(prompts), len(set(texts.facts["name"][inside])))


class Rater:
    def score(self, texts):
        return np.arange(len(texts)) / 4


def test_a_group_of_bold_becomes_a_row_of_scores_and_no_text(given, monkeypatch):
    opened = (["the nurse is", "the pilot was not"], ["the nurse is she", "the pilot was not he and he"], ["n", "p"])
    monkeypatch.setattr(continued, "openings", lambda domain, group: opened)
    monkeypatch.setattr(continued, "language_model", lambda: given)
    monkeypatch.setattr(
        continued, "scorer", lambda measures: type("Rater", (), {"score": lambda self, t: np.arange(2) / 4})()
    )
    monkeypatch.setattr(continued, "TOKENS", 3)
    (row,) = continued.run(continued.Setting(writer=continued.WIKIPEDIA), None)
    assert (row["polarity of each"], row["female"], row["male"], row["tokens"]) == ("1|-1", 50.0, 50.0, 2.0)
    assert row["sentiment of each"] == "0|0.25" and row["toxicity"] == 0.125
    first, again, other = (next(continued.run(continued.Setting(seed=seed), None)) for seed in (0, 0, 1))
    assert {**first, "seconds": 0} == {**again, "seconds": 0} and (first["prompts"], first["names"]) == (2, 2)
    assert set(first) == set(row) and not [value for value in first.values() if "nurse" in str(value)]
    assert other["seed"] == 1
