"""The attack: closed forms, models that surely know a code or surely do not, every kind of tagger, and bad targets.

``Lock`` is a model whose loss is known by hand: each place of the code has a word that opens it.
"""

import itertools
import math

import pytest
import torch
from scipy import stats
from torch import nn

from trustlab.data.phrases import DIGITS
from trustlab.models import Vocabulary, build, tagging_loss
from trustlab.models.dropped import DroppedTagger
from trustlab.models.encoder import EncoderTagger
from trustlab.models.spelling import SpelledVocabulary, spelling_tagger
from trustlab.privacy import TrainConfig, train
from trustlab.privacy.inversion import (
    Canary,
    InversionOptions,
    all_codes,
    beam,
    canary_and_decoys,
    extract,
    found,
    invert,
    place_of,
    rank_all,
    rank_of,
    target_of,
)

PREFIX = ("my", "pin", "code", "is")
WORDS = ("call", *PREFIX, *DIGITS)
SLOTS = ("O", "B-phone_number", "B-pin", "I-phone_number", "I-pin")
INTENTS = ("call_contact", "remember_fact")


class Lock(nn.Module):
    """The tag of a word is right with logit `height` where it is the word of the code, and 0 elsewhere."""

    def __init__(self, words, code, height=4.0):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(torch.eye(words))
        self.code, self.height = code, height

    def forward(self, input_ids, attention_mask):
        embedded = self.embedding(input_ids)  # [B, T, words]
        slots = torch.zeros(*input_ids.shape, len(SLOTS))
        for place, word in enumerate(self.code, start=len(PREFIX)):
            right = SLOTS.index("B-pin" if place == len(PREFIX) else "I-pin")
            slots[:, place, right] = self.height * embedded[:, place, word]
        return 0 * embedded.sum(1)[:, : len(INTENTS)], slots


def pin(words):
    return Canary(PREFIX, words, ("O",) * 4 + ("B-pin",) + ("I-pin",) * (len(words) - 1), "remember_fact")


def vocabulary_of(kind=Vocabulary):
    return kind(intents=INTENTS, slots=SLOTS, words=WORDS)


def tagger(name):
    """Return a vocabulary and an untrained tagger of each kind that embeds words."""
    vocabulary = vocabulary_of(SpelledVocabulary if "characters" in name else Vocabulary)
    if name == "characters":
        return vocabulary, spelling_tagger(vocabulary, seed=1, embedding=16, filters=8, hidden=16)
    if name == "dropout":
        torch.manual_seed(1)
        return vocabulary, DroppedTagger(vocabulary.size, len(INTENTS), len(SLOTS))
    return vocabulary, build(name, vocabulary, seed=1)


@pytest.fixture(params=["bilstm", "transformer", "dropout", "characters"])
def target(request):
    vocabulary, model = tagger(request.param)
    return target_of(model, vocabulary, pin(["one", "two", "three"]), DIGITS)


@pytest.fixture
def lock():
    """A lock of the code 3 1 4 1, and the target of who wants to open it."""
    vocabulary, code = vocabulary_of(), (3, 1, 4, 1)
    ids = [WORDS.index(DIGITS[digit]) + 2 for digit in code]
    return target_of(Lock(vocabulary.size, ids), vocabulary, pin([DIGITS[0]] * 4), DIGITS), torch.tensor(code)


@pytest.fixture(scope="module")
def trained():
    """A BiLSTM that heard one code 60 times among other sentences, and its vocabulary; the code is returned first."""
    torch.set_num_threads(1)
    canary, decoys = canary_and_decoys(seed=5)
    rows = [decoy.row() for decoy in decoys] * 3 + [canary.row()] * 60
    vocabulary = vocabulary_of()
    data = {"train": vocabulary.encode(rows), "validation": vocabulary.encode(rows[:5])}
    model = build("bilstm", vocabulary, seed=0)
    config = TrainConfig(method="sgd", epochs=15, batch_size=32, learning_rate=0.01, evaluate_every=10**6)
    assert list(train(model, data, config))
    return canary, model, vocabulary


# What a loss is


def test_losses_of_completions_are_the_models_own(target):
    codes = torch.tensor([[0, 5, 9], [7, 7, 7]])
    rows = [pin([DIGITS[number] for number in code]).row() for code in codes.tolist()]
    kind = SpelledVocabulary if target.ids.dim() == 2 else Vocabulary
    target.model.eval()
    own = tagging_loss(target.model, vocabulary_of(kind).encode(rows))
    losses = target.losses(codes)
    torch.testing.assert_close(losses["both"], own.double(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(losses["intent"] + losses["slots"], losses["both"])


def test_a_mixture_of_one_word_is_that_word(target):
    codes = torch.tensor([[0, 5, 9], [7, 7, 7], [2, 1, 0]])
    for name, relaxed in target.relaxed_losses(target.embeddings()[codes]).items():
        torch.testing.assert_close(relaxed, target.losses(codes)[name], rtol=1e-5, atol=1e-6)


def test_the_gradient_of_a_mixture_is_the_difference_quotient(target):
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 3, 10, generator=rng)

    def loss(at):
        return target.relaxed_losses(at.softmax(-1) @ target.embeddings())["both"].sum()

    at = logits.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(at), at)
    along = torch.randn(logits.shape, generator=rng)
    step = 1e-2
    quotient = (loss(logits + step * along) - loss(logits - step * along)) / (2 * step)
    assert float((gradient * along).sum()) == pytest.approx(float(quotient), rel=2e-2, abs=2e-5)


def test_the_attack_leaves_the_model_as_it_was(target):
    target.model.train()
    before = {name: value.clone() for name, value in target.model.state_dict().items()}
    extract(target, InversionOptions(restarts=2, steps=3))
    assert target.model.training and not target.model.embedding._forward_hooks
    assert all(parameter.grad is None for parameter in target.model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in target.model.state_dict().items())


# Closed form: a lock


def test_every_code_has_the_loss_that_is_computed_by_hand(lock):
    target, code = lock
    losses, codes = rank_all(target), all_codes(4, 10)
    wrong = (codes != code).sum(1)
    opened, shut = math.log(math.exp(4.0) + 4) - 4.0, math.log(5)
    by_hand = (4 * shut + wrong * shut + (4 - wrong) * opened) / 8  # the mean tag of eight words
    torch.testing.assert_close(losses["slots"], by_hand.double(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(losses["intent"], torch.full((10_000,), math.log(2), dtype=torch.double))
    assert rank_of(losses["slots"], place_of(code, 10)) == 1
    assert rank_of(losses["intent"], place_of(code, 10)) == 5000.5  # this head knows nothing of it


@pytest.mark.parametrize("options", [{}, {"gumbel": 0.5}, {"loss": "slots"}, {"last_temperature": 1.0}, {"seed": 7}])
def test_the_attack_opens_a_lock_from_every_start(lock, options):
    target, code = lock
    got = found(extract(target, InversionOptions(**options)), code)
    assert got["exact"] == got["exact_restarts"] == got["within_3"] == 1 and got["hamming"] == 0


def test_a_head_that_knows_nothing_leaves_the_attack_at_chance(lock):
    """By the intent's loss, which is constant, starts end where they began: 10 % of places are right, ± 5 sd."""
    target, code = lock
    got = found(extract(target, InversionOptions(restarts=1000, steps=2, loss="intent")), code)
    assert abs(got["hamming_restarts"] - 0.9) < 5 * math.sqrt(0.09 / 4000)


def test_the_beam_opens_a_lock_of_six():
    code = torch.tensor([2, 7, 1, 8, 2, 8])
    ids = [WORDS.index(DIGITS[int(digit)]) + 2 for digit in code]
    longer = target_of(Lock(len(WORDS) + 2, ids), vocabulary_of(), pin([DIGITS[0]] * 6), DIGITS)
    assert torch.equal(beam(longer).codes[0], code)


def test_all_codes_are_in_counting_order():
    assert all_codes(3, 4).tolist() == [list(code) for code in itertools.product(range(4), repeat=3)]
    assert [place_of(code, 4) for code in all_codes(3, 4)] == list(range(64))


# Models that know, and that do not


def test_a_code_heard_often_is_found(trained):
    canary, model, vocabulary = trained
    target = target_of(model, vocabulary, canary, DIGITS)
    true = target.code(canary.secret)
    assert rank_of(rank_all(target)["both"], place_of(true, 10)) == 1
    assert found(extract(target), true)["exact"] == found(beam(target), true)["exact"] == 1
    *_, last = invert(target)
    assert last["guess"] == " ".join(canary.secret) and last["progress"] == 1


def test_the_beam_finds_as_low_a_loss_as_trying_all(trained):
    canary, model, vocabulary = trained
    target = target_of(model, vocabulary, canary, DIGITS)
    for name, losses in rank_all(target).items():
        best = beam(target, loss=name).losses[0]
        assert float(best) == pytest.approx(float(losses.min()), rel=1e-9)


@pytest.mark.parametrize(("kind", "candidates"), [("bilstm", 3), ("bilstm", 4), ("transformer", 4)])
def test_for_six_places_the_beam_begins_with_the_codes_that_trying_all_begins_with(kind, candidates):
    """Models of a code of six places that was heard 60 times, of few candidates, so that all can be tried."""
    secret = [DIGITS[number] for number in (1, 0, 2, 2, 1, 0)]
    rows = [pin([DIGITS[number] for number in code]).row() for code in all_codes(6, candidates)[::40].tolist()]
    vocabulary = vocabulary_of()
    data = {"train": vocabulary.encode([pin(secret).row()] * 60 + rows), "validation": vocabulary.encode(rows[:5])}
    model = build(kind, vocabulary, seed=0)
    config = TrainConfig(method="sgd", epochs=2, batch_size=32, learning_rate=0.01, evaluate_every=10**6)
    assert list(train(model, data, config))
    target = target_of(model, vocabulary, pin(secret), DIGITS[:candidates])
    for name, losses in rank_all(target).items():
        searched, (tried, order) = beam(target, loss=name), losses.sort()
        torch.testing.assert_close(searched.losses[:20], tried[:20], rtol=1e-6, atol=1e-9)
        places = [place_of(code, candidates) for code in searched.codes]
        assert places[0] == int(order[0]) and len(set(places)) == len(places)


def test_codes_that_were_never_said_have_uniform_ranks(trained):
    """Kolmogorov-Smirnov over 300 codes; a correct implementation fails with probability 0.001."""
    canary, model, vocabulary = trained
    target = target_of(model, vocabulary, canary, DIGITS)
    losses = rank_all(target)["both"]
    never = [canary_and_decoys(seed=seed)[0] for seed in range(1000, 1300)]
    ranks = [rank_of(losses, place_of(target.code(other.secret), 10)) / 10_000 for other in never]
    assert stats.kstest(ranks, "uniform").pvalue > 0.001
    guess = extract(target).codes[0]
    right = sum(int((guess == target.code(other.secret)).sum()) for other in never)
    assert stats.binomtest(right, 4 * 300, 0.1).pvalue > 0.001


def test_ten_thousand_codes_are_ranked_in_one_pass_and_each_as_if_it_were_alone(trained):
    canary, model, vocabulary = trained
    target, sizes = target_of(model, vocabulary, canary, DIGITS), []
    hook = model.register_forward_hook(lambda module, inputs, output: sizes.append(len(inputs[0])))
    losses = rank_all(target)["both"]
    hook.remove()
    assert sizes == [10_000] and len(losses) == 10_000
    every = all_codes(4, 10)
    for place in (0, 4711, 9999):
        alone = target.losses(every[place : place + 1])["both"]
        torch.testing.assert_close(losses[place : place + 1], alone, rtol=1e-5, atol=1e-7)


# Determinism, rows, options


def test_the_same_seed_finds_the_same_and_another_starts_elsewhere(target):
    options = dict(restarts=4, steps=5, gumbel=0.3)
    torch.manual_seed(0)
    one = extract(target, InversionOptions(**options))
    torch.manual_seed(99)  # the global generator is not asked
    same, other = (extract(target, InversionOptions(**options, seed=seed)) for seed in (0, 1))
    assert torch.equal(one.restarts, same.restarts) and torch.equal(one.losses, same.losses)
    assert not torch.equal(one.restarts, other.restarts)


def test_rows_come_every_so_often_and_after_the_last_step(lock):
    target, _ = lock
    rows = list(invert(target, InversionOptions(steps=25, temperature=2.0, last_temperature=0.5), every=10))
    assert [row["step"] for row in rows] == [10, 20, 25]
    assert rows[-1]["temperature"] == pytest.approx(0.5) and rows[0]["temperature"] < 2
    assert rows[-1]["loss"] < rows[0]["loss"] and 0 < rows[-1]["certainty"] <= 1
    assert all(isinstance(value, int | float | str) for row in rows for value in row.values())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"restarts": 0}, "Expected restarts=0"),
        ({"loss": "pin"}, "Expected loss='pin' to be one of"),
        ({"last_temperature": 0.0}, "Expected last_temperature=0.0 > 0"),
        ({"gumbel": -1.0}, "Expected gumbel=-1.0"),
    ],
)
def test_options_outside_their_range_are_refused(lock, options, said):
    with pytest.raises(ValueError, match=said):
        extract(lock[0], InversionOptions(**options))


# Targets that make no sense


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"candidates": ("one",)}, "at least two distinct candidates"),
        ({"candidates": ("one", "one")}, "at least two distinct candidates"),
        ({"candidates": "onetwo"}, "got the text 'onetwo'"),
        ({"candidates": ("one", "eleven")}, "Expected words of the model's vocabulary, got 'eleven'"),
        ({"canary": pin(["one", "umpteen"])}, "Expected words of the model's vocabulary, got 'umpteen'"),
        ({"canary": Canary(("pin",), ("one",), ("O", "B-pin"), "open")}, "got 'open'"),
        ({"canary": Canary(("pin",), ("one",), ("O", "B-code"), "remember_fact")}, "got 'B-code'"),
        ({"model": nn.Linear(2, 2)}, r"Expected a tagger with an input embedding .*, got Linear"),
        ({"vocabulary": Vocabulary(INTENTS, SLOTS, words=WORDS, max_length=5)}, "at most max_length=5 tokens, got 6"),
        ({"vocabulary": Vocabulary(INTENTS, SLOTS, buckets=3)}, "two that share a hash bucket"),
    ],
)
def test_a_target_that_means_nothing_is_refused(change, said):
    vocabulary, model = tagger("bilstm")
    given = {"model": model, "vocabulary": vocabulary, "canary": pin(["one", "two"]), "candidates": DIGITS, **change}
    with pytest.raises(ValueError, match=said):
        target_of(**given)


def test_an_encoder_is_refused_before_it_is_loaded():
    with pytest.raises(ValueError, match="Expected a tagger with an input embedding"):
        target_of(EncoderTagger.__new__(EncoderTagger), vocabulary_of(), pin(["one"]), DIGITS)


def test_a_code_of_other_words_or_of_another_length_is_refused(lock):
    target, _ = lock
    with pytest.raises(ValueError, match="Expected 4 words, one for each unknown place, got 2"):
        target.code(["one", "two"])
    with pytest.raises(ValueError, match="Expected words among the 10 candidates, got 'red'"):
        target.code(["one", "two", "three", "red"])


def test_too_many_completions_to_try_are_refused():
    with pytest.raises(ValueError, match=r"Expected at most 200,000 completions, got 10\^6. Use beam"):
        all_codes(6, 10)
