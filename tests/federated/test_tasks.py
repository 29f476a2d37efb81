import copy
import dataclasses
import itertools
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trustlab.data import assistant
from trustlab.federated.simulation import FederatedConfig, simulate
from trustlab.federated.tasks import FAMILIES, Example, protocol, read
from trustlab.federated.tasks.answering import Answering
from trustlab.federated.tasks.metrics import exact_match, normalised, rouge_l, token_f1
from trustlab.federated.tasks.sequence_to_sequence import Generation
from trustlab.models.evaluation import entities
from trustlab.models.vocabulary import IGNORE

CLIENTS = [range(0, 7), range(7, 10), range(10, 24)]


@pytest.fixture(scope="module")
def corpus():
    return assistant(600, devices=10)


@pytest.fixture(scope="module", params=FAMILIES)
def problem(request, corpus):
    """A family, its examples, and the problem made of them."""
    family = FAMILIES[request.param]
    train, test = (read("assistant", request.param, corpus[split], most=40) for split in ("train", "test"))
    return family, train, test, family.task(train, test, seed=1)


# One protocol


def test_a_loss_is_its_examples_own(problem):
    *_, task = problem
    task.model.eval()
    together = task.per_example_loss(task.model, task.train[torch.arange(12)])
    assert together.shape == (12,)
    for i in range(12):
        alone = task.per_example_loss(task.model, task.train[torch.tensor([i])])
        torch.testing.assert_close(alone, together[i : i + 1], rtol=1e-4, atol=1e-5)


def test_devices_trained_at_once_take_the_steps_they_take_alone(problem):
    *_, task = problem
    ends = []
    for engine in ("stacked", "sequential"):
        model = copy.deepcopy(task.model)
        config = FederatedConfig(rounds=1, clients_per_round=3, batch_size=4, learning_rate=0.05, engine=engine)
        list(simulate(task, CLIENTS, config, model=model))
        ends.append(model.state_dict())
    moved = 0.0
    for name, first in task.model.state_dict().items():
        torch.testing.assert_close(ends[0][name], ends[1][name], rtol=1e-3, atol=1e-5)
        moved += (ends[0][name] - first).abs().sum().item()
    assert moved > 0


def test_the_right_answers_score_1_and_wrong_ones_less(problem):
    family, _, test, _ = problem
    assert family.scores(test, [example.target for example in test]) == {"score": 1.0, "exact": 1.0}
    turned = [test[(i + 7) % len(test)].target for i in range(len(test))]
    if isinstance(family, type(FAMILIES["tagging"])):
        turned = [("O",) * len(example.source) for example in test]
    assert family.scores(test, turned)["score"] < 0.7


def test_a_part_is_measured_against_its_own_examples(problem, monkeypatch):
    monkeypatch.setattr(protocol, "AT_ONCE", 2)
    family, _, test, task = problem
    index = torch.tensor([5, 2, 9])
    part = task.evaluate(task.model, task.test[index])
    said = family.answers(task.model, task.test[index], [test[i] for i in index])
    assert part == family.scores([test[i] for i in index], said)
    assert set(part) == {"score", "exact"}


def test_the_seed_decides_the_first_weights_and_leaves_torchs_alone(problem):
    family, train, test, task = problem
    before = torch.random.get_rng_state()
    same, other = (family.task(train, test, seed=seed).model.state_dict() for seed in (1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    first = task.model.state_dict()
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_a_family_learns(corpus):
    """A few examples by heart: the loss, the batches and the answers belong together."""
    for name, family in FAMILIES.items():
        few = read("assistant", name, corpus["train"], most=12)
        task = family.task(few, few)
        rounds = 60 if name != "seq2seq" else 150
        config = FederatedConfig(
            rounds=rounds, clients_per_round=1, batch_size=12, optimizer="adam", learning_rate=0.01,
            local_epochs=2, evaluate_every=rounds,
        )  # fmt: skip
        *_, last = simulate(task, [range(12)], config)
        assert last["score"] > 0.9, name


def test_nothing_to_learn_or_to_measure_is_refused():
    with pytest.raises(ValueError, match="Expected examples to train and to test on, got 1 and 0"):
        FAMILIES["qa"].task([Example(("a",), (0, 0), "x", question=("b",))], [])


# Sources


def test_questions_ask_for_what_the_slots_say(corpus):
    asked = read("assistant", "qa", corpus["train"])
    by_text = {tuple(row["tokens"]): row for row in corpus["train"]}
    for example in asked:
        row, (first, last) = by_text[example.source], example.target
        kind = "_".join(example.question[1:])
        assert (kind, first, last) in entities(row["slots"])
        assert sum(other == kind for other, _, _ in entities(row["slots"])) == 1


def test_what_is_to_be_said_has_all_that_is_read(corpus):
    for example in read("assistant", "seq2seq", corpus["test"]):
        assert {word for word in example.source if not word.startswith("<")} <= set(example.target)


def test_a_question_is_asked_about_its_whole_paragraph():
    context = [f"W{i}" for i in range(400)]
    row = {"context": context, "answer": (389, 399), "question": ["Who", "Is"], "article": 3}
    (example,) = read("xquad", "qa", [row])
    assert example == Example(tuple(context), (389, 399), "who", 3, ("Who", "Is"))


def test_rows_of_the_other_corpora_become_examples():
    tagged = {"tokens": ["In", "New", "York"], "tags": ["O", "B-place", "I-place"]}
    (example,) = read("wnut17", "tagging", [tagged])
    assert example == Example(("In", "New", "York"), ("O", "B-place", "I-place"), frozenset({"place"}))
    post = {"tokens": ["Hello"], "group": "sci.med", "user": "ann"}
    (example,) = read("20newsgroups", "classification", [post, post | {"tokens": []}])  # nothing said is no example
    assert (example.source, example.target, example.holder) == (("hello",), "sci.med", "ann")
    meaning = {"kinds": ["name", "food"], "values": [["Blue", "Inn"], ["Thai"]], "tokens": ["Eat", "Thai"]}
    (example,) = read("e2e_nlg", "seq2seq", [meaning])
    assert example.source == ("<name>", "Blue", "Inn", "<food>", "Thai") and example.target == ("Eat", "Thai")
    assert example.label == {"food", "name"} and example.holder == "Blue Inn"


def test_an_unknown_pair_is_answered_with_the_known_ones(corpus):
    with pytest.raises(ValueError, match=re.escape("Expected a corpus and a family of assistant classification")):
        read("wnut17", "qa", corpus["test"])


# Metrics


def brute_force(one, two):
    """The longest common subsequence by trying all."""
    for size in range(min(len(one), len(two)), 0, -1):
        if set(itertools.combinations(one, size)) & set(itertools.combinations(two, size)):
            return size
    return 0


@given(st.lists(st.sampled_from("abc"), max_size=7), st.lists(st.sampled_from("abc"), max_size=7))
def test_rouge_l_is_the_f1_of_the_longest_common_subsequence(one, two):
    found = rouge_l(one, two)
    if one and two:
        common = brute_force(one, two)
        precision, recall = common / len(two), common / len(one)
        assert found == pytest.approx(2 * precision * recall / (precision + recall) if common else 0.0)
    assert found == rouge_l(two, one)
    assert (found == 1) == (one == two)


@pytest.mark.parametrize(
    ("truth", "said", "exact", "f1"),
    [
        ("The Beatles", "beatles", True, 1.0),  # worked by hand from SQuAD's rules
        ("the", "a", True, 1.0),  # articles are nothing, and nothing is nothing
        ("", "x", False, 0.0),
        ("a b b", "b a b c", False, 0.8),  # the article goes: {b, b} and {b, b, c}
        ("U.S. 1,000", "us 1000", True, 1.0),
        ("one two", "two three", False, 0.5),
        ("théâtre", "theatre", False, 0.0),
        ("theatre-going", "theatregoing", True, 1.0),
        ("an apple", "the apple", True, 1.0),
    ],
)
def test_exact_match_and_token_f1_are_squads(truth, said, exact, f1):
    assert exact_match(truth, said) is exact
    assert token_f1(truth, said) == token_f1(said, truth) == pytest.approx(f1)
    assert normalised(normalised(truth)) == normalised(truth)


@given(st.lists(st.sampled_from(["the", "a", "red", "house", "is"]), max_size=6))
def test_token_f1_of_a_text_with_itself_is_1(words):
    assert token_f1(" ".join(words), " ".join(words)) == 1


# Question answering


def test_a_span_is_scored_where_it_stands_and_nowhere_in_the_question():
    family = Answering()
    example = Example(("call", "ann", "lee", "now"), (1, 2), "name", question=("which", "name"))
    task = family.task([example], [example])
    marks = task.train.targets[0].tolist()
    assert marks == [IGNORE] * 3 + [0, 1, 2, 0]

    class Says(torch.nn.Module):
        def forward(self, ids, mask):
            first, last = torch.zeros(1, 7), torch.zeros(1, 7)
            first[0, 0], last[0, 1] = 99.0, 99.0  # in the question: never an answer
            first[0, 5], last[0, 4] = 9.0, 8.0  # the end before the beginning: not allowed
            last[0, 6] = 7.0
            return None, torch.stack([first, last], dim=-1)

    assert family.answers(Says(), task.test, [example]) == [(2, 3)]
    first, last = (torch.log_softmax(torch.tensor(x), 0) for x in ([0.0, 0, 9, 0], [0.0, 8, 0, 7]))
    loss = family.per_example_loss(Says(), task.test)
    assert loss.item() == pytest.approx(-(first[1] + last[2]).item() / 2, rel=1e-5)


@pytest.mark.parametrize(("last", "answer"), [(29, (0, 29)), (30, (30, 30))])
def test_an_answer_has_at_most_thirty_words(last, answer):
    family, example = Answering(), Example(tuple(f"w{i}" for i in range(40)), (0, 0), "x", question=("which",))
    task = family.task([example], [example])

    class Says(torch.nn.Module):
        def forward(self, ids, mask):
            scores = torch.zeros(1, 42, 2)  # a word, a separator and the context
            scores[0, 2, 0], scores[0, 2 + last, 0], scores[0, 2 + last, 1] = 9.0, 1.0, 99.0
            return None, scores

    assert family.answers(Says(), task.test, [example]) == [answer]


def test_entities_count_alike_whichever_text_they_are_in():
    texts = [("B-a",), ("B-a", "B-b", "B-c")]
    asked = [Example(tags, tags, "x") for tags in texts]
    assert FAMILIES["tagging"].scores(asked, [("B-a",), ("O", "O", "O")]) == {"score": 2 / 5, "exact": 0.5}


@pytest.mark.parametrize("name", ["tagging", "seq2seq"])
def test_texts_longer_than_the_model_reads_are_cut(name):
    target = ("B-a",) * 60 if name == "tagging" else tuple(f"w{i}" for i in range(60))
    family, example = FAMILIES[name], Example(tuple(f"w{i}" for i in range(60)), target, "x")
    task = family.task([example], [example])
    assert task.train.input_ids.shape == (1, 48) and task.per_example_loss(task.model, task.train).isfinite().all()
    (said,) = family.answers(task.model, task.test, [example])
    assert name == "seq2seq" or (len(said) == 60 and said[48:] == ("O",) * 12)


def test_an_answer_that_is_cut_off_teaches_nothing_and_counts_as_wrong():
    family = Answering()
    long = Example(tuple(f"w{i}" for i in range(300)), (290, 291), "x", question=("which",))
    task = family.task([long], [long])
    assert task.per_example_loss(task.model, task.train).item() == 0
    assert task.evaluate(task.model, task.test)["score"] == 0


# Sequence to sequence


def test_words_are_said_until_the_stop_and_the_list_comes_from_train_alone():
    family = Generation()
    known, new = Example(("a",), ("b", "c"), "x"), Example(("z",), ("c", "z"), "x")
    task = family.task([known], [new])
    assert task.train.named(task.train.targets[0].tolist()) == ["b", "c", "</s>"]
    assert task.test.named(task.test.targets[0].tolist()) == ["c", "?", "</s>"]
    said = task.model.say(task.test.input_ids, task.test.attention_mask, longest=5)
    assert len(said) == 1 and len(said[0]) <= 5 and task.model.stop not in said[0]


def test_each_word_said_comes_from_those_before_it():
    family = Generation()
    example = Example(("a", "b"), ("b", "c", "a", "b"), "x")
    task = family.task([example], [example])
    model, (ids, mask, targets) = task.model, (task.train.input_ids, task.train.attention_mask, task.train.targets)
    found = model(ids, mask, targets)
    said = torch.cat([torch.tensor([[model.start]]), targets[:, :-1]], dim=1)
    states = model.read(ids, mask)
    for place in range(5):
        law = model.next_token(states, ids, mask, said[:, : place + 1])  # after all said so far, over all words
        assert law.sum().item() == pytest.approx(1, abs=1e-5)
        assert law[0, targets[0, place]].log().item() == pytest.approx(found[0, place].item(), abs=1e-4)
    changed = targets.clone()
    changed[0, 3] = changed[0, 1]
    other = model(ids, mask, changed)
    torch.testing.assert_close(other[:, :3], found[:, :3])
    assert not torch.allclose(other[:, 3:], found[:, 3:])


# Pretrained models, by the same code


@pytest.fixture(scope="module")
def folders(tmp_path_factory, corpus):
    """Tiny DistilBERT and BART of random weights, each with a tokenizer, in folders."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        BartConfig,
        BartForConditionalGeneration,
        DistilBertConfig,
        DistilBertModel,
        PreTrainedTokenizerFast,
    )

    words = {word for split in corpus.values() for tokens in split["tokens"] for word in tokens}
    words |= {word for e in read("assistant", "seq2seq", corpus["train"]) for word in e.source}
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate([*marks, *sorted(words)])}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        eos_token="[SEP]",
    )  # fmt: skip
    size, root = len(fast), tmp_path_factory.mktemp("pretrained")
    bert = DistilBertConfig(vocab_size=size, dim=16, n_layers=2, n_heads=2, hidden_dim=16)
    bart = BartConfig(
        vocab_size=size, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, pad_token_id=0, eos_token_id=3,
        bos_token_id=2, decoder_start_token_id=3, forced_eos_token_id=None,
    )  # fmt: skip
    for name, model in {"bert": DistilBertModel(bert), "bart": BartForConditionalGeneration(bart)}.items():
        model.save_pretrained(root / name)
        fast.save_pretrained(root / name)
    return root


@pytest.mark.parametrize("name", FAMILIES)
def test_a_pretrained_model_of_a_folder_is_trained_by_the_same_code(name, folders, corpus):
    family = FAMILIES[name]
    train, test = (read("assistant", name, corpus[split], most=24) for split in ("train", "test"))
    folder = folders / ("bart" if name == "seq2seq" else "bert")
    task = family.task(train, test, model=str(folder))
    assert 0 <= task.evaluate(task.model, task.test)["score"] <= 1
    config = FederatedConfig(rounds=4, clients_per_round=3, batch_size=8, optimizer="adam", learning_rate=5e-3)
    rows = list(simulate(task, CLIENTS, config))
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    assert family.scores(test, [example.target for example in test])["exact"] == 1


def test_a_span_in_subwords_is_that_of_the_words(folders):
    family = Answering()
    example = Example(("call", "ann", "lee"), (1, 2), "name", question=("which",))
    task = family.task([example], [example], model=str(folders / "bert"))

    class Says(torch.nn.Module):
        def forward(self, ids, mask):
            marks = task.test.targets
            return None, torch.stack([(marks & 1 > 0) & (marks > 0), (marks & 2 > 0) & (marks > 0)], -1).float()

    assert family.answers(Says(), task.test, [example]) == [(1, 2)]


def test_frozen_layers_are_neither_trained_nor_sent(folders, corpus):
    family = FAMILIES["classification"]
    train, test = (read("assistant", "classification", corpus[split], most=24) for split in ("train", "test"))
    sent = []
    for layers in (0, 1, 2):
        task = family.task(train, test, model=str(folders / "bert"), trained_layers=layers)
        trained = {
            name.split(".")[3] for name, p in task.model.named_parameters() if p.requires_grad and ".layer." in name
        }
        assert trained == {str(i) for i in range(2 - layers, 2)}
        (row,) = simulate(task, CLIENTS, FederatedConfig(rounds=1, clients_per_round=3))
        sent.append(row["bytes_up"])
    assert sent[0] < sent[1] < sent[2]
    with pytest.raises(ValueError, match="Expected layers=3 between 0 and 2"):
        family.task(train, test, model=str(folders / "bert"), trained_layers=3)


def test_an_example_says_what_is_embedded():
    assert Example(("a", "b"), "x", "x").text == "a b"
    assert {field.name for field in dataclasses.fields(Example)} >= {"source", "target", "label", "holder"}


# What is no example


WORDS = ("call", "ann", "lee")


@pytest.mark.parametrize(
    ("family", "slip", "message"),
    [
        (
            "classification",
            Example("stop it", "x", "x"),
            "source of train example 1 to be a list of words, got the text",
        ),
        ("classification", Example((), "x", "x"), "words in train example 1, got an empty one or none"),
        ("classification", Example(("a", ""), "x", "x"), "words in train example 1, got an empty one or none"),
        ("classification", Example(("a", 3), "x", "x"), "source of train example 1 to be words, got 3"),
        (
            "classification",
            Example(WORDS, torch.tensor(1), "x"),
            "label of train example 1 as a string or an int, got T",
        ),
        ("tagging", Example(WORDS, ("O", "O"), "x"), "a tag for each of the 3 words of train example 1, got 2"),
        ("tagging", Example(WORDS, ("O",) * 4, "x"), "a tag for each of the 3 words of train example 1, got 4"),
        ("tagging", Example(WORDS, ("O", "", "O"), "x"), "a tag for each of the 3 words of train example 1, got 2"),
        ("tagging", Example(WORDS, "OOO", "x"), "tags of train example 1 to be a list of words, got the text 'OOO'"),
        ("qa", Example(WORDS, (1, 3), "x", question=("who",)), r"first <= last < 3.*train example 1, got \(1, 3\)"),
        ("qa", Example(WORDS, (-1, -1), "x", question=("who",)), r"got \(-1, -1\)"),
        ("qa", Example(WORDS, (2, 1), "x", question=("who",)), r"got \(2, 1\)"),
        ("qa", Example(WORDS, (0.0, 1.0), "x", question=("who",)), r"the places \(first, last\) of two words"),
        ("qa", Example(WORDS, 1, "x", question=("who",)), r"the places \(first, last\) of two words"),
        ("qa", Example(WORDS, (0, 1), "x", question="who"), "question of train example 1 to be a list of words"),
        ("seq2seq", Example(WORDS, "call ann", "x"), "target of train example 1 to be a list of words"),
        ("seq2seq", Example("call ann", WORDS, "x"), "source of train example 1 to be a list of words"),
    ],
)
def test_an_example_that_would_be_read_as_another_is_refused_with_its_place(family, slip, message, corpus):
    good = read("assistant", family, corpus["train"], most=2)
    with pytest.raises(ValueError, match=message):
        FAMILIES[family].task([good[0], slip], good)
    with pytest.raises(ValueError, match=message.replace("train example 1", "test example 0")):
        FAMILIES[family].task(good, [slip])
