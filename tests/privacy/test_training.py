import math

import datasets
import pytest
import torch
from torch import nn

from trustlab.models import build, evaluate
from trustlab.privacy import Norms, TrainConfig, epsilon, private_gradients, train, training

WAYS = {
    "sgd": dict(method="sgd", epsilon=math.inf),
    "loop": dict(method="dp-sgd", engine="loop"),
    "fast": dict(method="dp-sgd", engine="fast"),
    "opacus": dict(method="dp-sgd", engine="opacus"),
    "edp-sgd": dict(method="edp-sgd"),
}


@pytest.fixture
def data(vocabulary, utterances):
    return {"train": vocabulary.encode(utterances(200)), "validation": vocabulary.encode(utterances(30))}


def config(way, **changes):
    basis = {**dict(epsilon=8.0, delta=1e-3, epochs=2, batch_size=20), **WAYS[way]}
    return TrainConfig(**{**basis, "micro_batches": 5, "accountant": "rdp", **changes})


@pytest.mark.parametrize("way", WAYS)
def test_rows_are_flat_and_tell_what_happened(way, vocabulary, data):
    rows = list(train(build("bilstm", vocabulary), data, config(way)))
    assert [row["step"] for row in rows] == [10, 20]
    assert [row["epoch"] for row in rows] == [1.0, 2.0]
    assert rows[-1]["progress"] == 1.0
    assert {"loss", "accuracy", "slot_f1", "seconds", "epsilon", "noise_multiplier", "clipped"} <= set(rows[0])
    assert all(isinstance(value, int | float | str) for row in rows for value in row.values())
    assert rows[0]["epsilon"] <= rows[1]["epsilon"]
    assert rows[1]["epsilon"] == math.inf if way == "sgd" else 7.9 < rows[1]["epsilon"] <= 8.0


@pytest.mark.parametrize("way", WAYS)
def test_the_same_seed_gives_the_same_run(way, vocabulary, data):
    def final(seed):
        model = build("bilstm", vocabulary, seed=4)
        list(train(model, data, config(way, epochs=1, seed=seed)))
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    first = final(0)
    assert torch.equal(first, final(0))
    assert not torch.equal(first, final(1))


@pytest.mark.parametrize("other", ["fast", "opacus"])
def test_dp_sgd_trains_as_its_other_implementations_do(other, vocabulary, data):
    """The same batches through two implementations of the step; ours share the noise too, Opacus draws its own."""
    noise = {"epsilon": math.inf} if other == "opacus" else {}
    ends = [list(train(build("bilstm", vocabulary, seed=4), data, config(way, **noise)))[-1] for way in ("loop", other)]
    # Adam follows the sign of coordinates that are all but zero, so rounding does show after some steps.
    assert ends[0]["loss"] == pytest.approx(ends[1]["loss"], rel=1e-3)
    assert ends[0]["epsilon"] == ends[1]["epsilon"]


def test_every_method_learns_without_noise(vocabulary, data):
    for way in WAYS:
        model = build("bilstm", vocabulary, seed=0)
        untrained = evaluate(model, data["validation"])["accuracy"]
        rows = list(train(model, data, config(way, epsilon=math.inf, epochs=3, learning_rate=0.02)))
        assert rows[-1]["accuracy"] > 0.9 > untrained, way


def test_what_a_row_says_is_spent_is_what_the_accountant_says(vocabulary, data):
    options = config("edp-sgd", noise_decay=0.5, epochs=3, evaluate_every=5)
    rows = list(train(build("bilstm", vocabulary), data, options))
    sigma = rows[0]["noise_multiplier"]
    assert [row["step"] for row in rows] == [5, 10, 15, 20, 25, 30]
    assert [row["noise_multiplier"] / sigma for row in rows] == pytest.approx([1, 1, 0.5, 0.5, 0.25, 0.25])
    taken = [(sigma, 10), (sigma / 2, 5)]
    expected = epsilon(noise_multiplier=taken, sample_rate=0.1, delta=1e-3, sensitivity=2.0, accountant="rdp")
    assert rows[2]["epsilon"] == pytest.approx(expected)
    assert 7.9 < rows[-1]["epsilon"] <= 8.0


def test_edp_sgd_needs_twice_the_noise_of_dp_sgd_for_the_same_promise(vocabulary, data):
    first = {
        way: next(train(build("bilstm", vocabulary), data, config(way)))["noise_multiplier"]
        for way in ("loop", "edp-sgd")
    }
    assert first["edp-sgd"] == pytest.approx(2 * first["loop"], rel=2e-3)


class Dealer:
    """Training examples of which only the places drawn are kept: every batch that is handed out is empty."""

    def __init__(self, examples, count):
        self.empty, self.count, self.drawn = examples[:0], count, []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.drawn.append(torch.zeros(self.count).index_fill_(0, index, 1.0))
        assert len(index.unique()) == len(index)
        return self.empty


def test_batches_are_poisson_samples(vocabulary, data):
    """What the accountant assumes: each example enters each batch by a throw of its own."""
    dealer, q = Dealer(data["train"], 50), 0.2
    options = config("sgd", batch_size=10, epochs=200, evaluate_every=1000)
    list(train(build("bilstm", vocabulary), {**data, "train": dealer}, options))
    drawn = torch.stack(dealer.drawn)  # [steps, N], 1 where an example is in the batch
    steps, examples = drawn.shape
    assert (steps, examples) == (1000, 50)

    def close(share, expected, throws):
        return (share - expected).abs().max().item() < 5 * math.sqrt(expected * (1 - expected) / throws)

    assert close(drawn.mean(0), q, steps)  # every example alike
    assert close((drawn[:, 1:] * drawn[:, :-1]).mean(), q**2, steps * 49)  # whatever its neighbours do
    assert close((drawn[1:] * drawn[:-1]).mean(), q**2, 999 * examples)  # and whatever the step before did
    sizes = drawn.sum(1)  # binomial: a batch of fixed size would vary by nothing
    assert sizes.mean().item() == pytest.approx(10, abs=5 * math.sqrt(8 / steps))
    assert sizes.var().item() == pytest.approx(50 * q * (1 - q), rel=5 * math.sqrt(2 / steps))


@pytest.mark.parametrize("way", list(WAYS)[1:])
def test_an_empty_batch_releases_fresh_noise_of_the_declared_size_on_every_weight(way, vocabulary, data, monkeypatch):
    released, gradients = [], training.step_gradients

    def watched(model, *options):
        step = gradients(model, *options)

        def take(batch, **noise):
            norms = step(batch, **noise)
            released.append([parameter.grad.flatten().clone() for parameter in model.parameters()])
            return norms

        return take

    monkeypatch.setattr(training, "step_gradients", watched)
    options = config(way, clip_norm=0.5, epochs=1)
    rows = list(train(build("bilstm", vocabulary), {**data, "train": Dealer(data["train"], 200)}, options))
    # Divided by a number that no batch decides: the expected batch size, or K.
    expected = rows[0]["noise_multiplier"] * 0.5 / (5 if way == "edp-sgd" else 20)
    assert len(released) == 10
    for step in released:
        for part in step:
            assert part.ne(0).all()
            assert (part**2).mean().item() == pytest.approx(expected**2, rel=6 * math.sqrt(2 / len(part)))
    first, second = (torch.cat(step) for step in released[:2])
    assert abs(torch.corrcoef(torch.stack([first, second]))[0, 1].item()) < 5 / math.sqrt(len(first))


@pytest.mark.parametrize(("examples", "steps"), [(200, 10), (196, 10), (204, 10), (211, 11)])
def test_an_epoch_is_n_over_batch_size_rounded(examples, steps, vocabulary, data):
    dealer = Dealer(data["train"], examples)
    rows = list(train(build("bilstm", vocabulary), {**data, "train": dealer}, config("sgd")))
    assert [row["step"] for row in rows] == [steps, 2 * steps]
    assert len(dealer.drawn) == 2 * steps


# The options of a step, and what is the user's own


@pytest.mark.parametrize("way", ["loop", "fast", "edp-sgd"])
def test_the_options_of_a_step_reach_it(way, vocabulary, data, monkeypatch):
    given = []

    def step(model, loss, batch, **options):
        given.append(options)
        return private_gradients(model, loss, batch, **options)

    monkeypatch.setattr(training, "private_gradients", step)
    own = dict(noise_by="worker") if way == "edp-sgd" else {}
    options = config(way, clip_norm=0.5, layerwise="equal", automatic=True, physical_batch=7, epochs=1, **own)
    list(train(build("bilstm", vocabulary), data, options))
    expected = dict(clip_norm=0.5, layerwise="equal", automatic=True, physical_batch=7, **own)
    expected |= dict(micro_batches=5) if way == "edp-sgd" else dict(expected_batch_size=20)
    assert all(expected.items() <= step.items() for step in given)
    assert len(given) == 10


@pytest.mark.parametrize("way", ["sgd", "loop", "fast"])
def test_a_batch_in_pieces_trains_as_a_whole_one(way, vocabulary, data):
    def first(physical_batch):
        model = build("bilstm", vocabulary, seed=4)
        next(train(model, data, config(way, physical_batch=physical_batch, evaluate_every=1)))
        return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])

    assert torch.allclose(first(3), first(None), rtol=1e-4, atol=1e-7)


def test_the_optimizer_and_its_schedule_are_the_users_own(vocabulary, data):
    made = []

    def optimizer(parameters):
        made.append(torch.optim.AdamW(parameters, lr=0.5, weight_decay=0.1))
        return made[-1]

    def scheduler(given):
        assert given is made[-1]
        return torch.optim.lr_scheduler.LambdaLR(given, lambda step: 1 / (1 + step))

    rates = []
    model = build("bilstm", vocabulary)
    model.embedding.weight.requires_grad_(False)
    for _ in train(model, data, config("fast", evaluate_every=5), optimizer=optimizer, scheduler=scheduler):
        rates.append(made[0].param_groups[0]["lr"])
    assert rates == pytest.approx([0.5 / (1 + step) for step in (5, 10, 15, 20)])
    assert len(made[0].state) == sum(parameter.requires_grad for parameter in model.parameters())


def test_an_optimizer_of_other_parameters_is_refused(vocabulary, data):
    other = build("bilstm", vocabulary)
    with pytest.raises(ValueError, match=r"Expected an optimizer of the model's .* trainable parameters"):
        train(
            build("bilstm", vocabulary), data, config("fast"), optimizer=lambda _: torch.optim.SGD(other.parameters())
        )


def test_an_optimizer_that_computes_the_loss_again_is_refused(vocabulary, data):
    """Its first step ended in a TypeError of torch's: a closure was missing."""
    with pytest.raises(ValueError, match=r"got LBFGS\. It computes the loss again"):
        train(build("bilstm", vocabulary), data, config("fast"), optimizer=torch.optim.LBFGS)


def test_a_model_of_which_nothing_is_trained_is_refused(vocabulary, data):
    with pytest.raises(ValueError, match="that are all frozen"):
        train(build("bilstm", vocabulary).requires_grad_(False), data, config("fast"))


def test_a_schedule_that_waits_for_a_measurement_is_refused(vocabulary, data):
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau
    with pytest.raises(ValueError, match="got ReduceLROnPlateau"):
        train(build("bilstm", vocabulary), data, config("fast"), scheduler=plateau)


def test_dropout_throws_the_seeds_dice_and_leaves_the_global_ones(vocabulary, data):
    def final(seed, global_seed):
        model = build("bilstm", vocabulary, seed=4)
        model.embedding = nn.Sequential(model.embedding, nn.Dropout(0.5))
        torch.manual_seed(global_seed)
        before = torch.get_rng_state()
        list(train(model, data, config("sgd", batch_size=200, seed=seed)))  # every example in every batch
        assert torch.equal(torch.get_rng_state(), before)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    assert torch.equal(final(0, 1), final(0, 2))
    assert not torch.equal(final(0, 1), final(1, 1))


def test_units_of_no_finite_norm_are_counted_since_the_last_row(vocabulary, data, monkeypatch):
    monkeypatch.setattr(
        training, "step_gradients", lambda model, *how: lambda batch, **noise: Norms(torch.empty(0), 0.5, dropped=2)
    )
    rows = list(train(build("bilstm", vocabulary), data, config("fast")))
    assert [row["dropped"] for row in rows] == [20, 20]


def test_closing_the_generator_keeps_what_was_learned(vocabulary, data):
    model = build("bilstm", vocabulary, seed=0)
    before = model.heads.intent.weight.detach().clone()
    run = train(model, data, config("loop"))
    assert next(run)["step"] == 10
    run.close()
    assert not torch.equal(before, model.heads.intent.weight)
    assert list(run) == []


def test_tiny_expected_batches_are_often_empty_and_do_no_harm(vocabulary, data):
    for way in WAYS:
        small = {"train": data["train"][:10], "validation": data["validation"]}
        rows = list(train(build("bilstm", vocabulary), small, config(way, batch_size=1, epochs=2, delta=1e-2)))
        assert all(math.isfinite(row["loss"]) for row in rows), way


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(method="sgd", epsilon=1.0), "Plain SGD guarantees nothing: choose 'dp-sgd' or 'edp-sgd'"),
        (dict(epsilon=-1.0), "Expected epsilon=-1.0 > 0. Smaller ε means stronger privacy"),
        (dict(delta=0.01), "Expected delta=0.01 < 1/N"),
        (dict(batch_size=500), "Expected batch_size=500 <= the 200 training examples"),
        (dict(method="adam"), "Expected method='adam' to be one of"),
        (
            dict(method="sgd", epsilon=math.inf, noise_decay=0.5),
            "Expected noise_decay=1.0 with method='sgd', got 0.5. It is an option of",
        ),
        (dict(method="sgd", epsilon=math.inf, automatic=True), "Expected automatic=False with method='sgd', got True"),
        (dict(engine="opacus", layerwise="equal"), "Expected layerwise='flat' with engine='opacus', got 'equal'"),
        (dict(engine="opacus", physical_batch=4), "Expected physical_batch=None with engine='opacus', got 4"),
        (dict(engine="opacus", method="edp-sgd"), "Expected method='dp-sgd' with engine='opacus', got 'edp-sgd'"),
        (dict(engine="ghost"), "Expected engine='ghost' to be one of 'fast', 'loop', 'opacus'"),
        (dict(method="sgd", epsilon=math.inf, engine="loop"), "Expected engine='fast' with method='sgd', got 'loop'"),
        (dict(noise_by="worker"), "It is an option of 'edp-sgd'"),
        (dict(physical_batch=0), "Expected physical_batch=0 >= 1"),
        (dict(clip_norm=0.0), "Expected clip_norm=0.0 > 0"),
        (dict(epochs=0), "Expected epochs=0 >= 1"),
    ],
)
def test_bad_options_are_refused_before_any_step(options, message, vocabulary, data):
    model = build("bilstm", vocabulary)
    before = model.heads.intent.weight.detach().clone()
    with pytest.raises(ValueError, match=message):
        train(model, data, config("fast", **options))
    assert torch.equal(before, model.heads.intent.weight)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_split_that_is_missing_or_empty_is_said_before_any_step(split, vocabulary, data):
    for without in ({**data, split: data[split][:0]}, {name: rows for name, rows in data.items() if name != split}):
        with pytest.raises(ValueError, match=f"Expected examples under '{split}'"):
            train(build("bilstm", vocabulary), without, config("sgd"))


def test_a_corpus_that_was_not_encoded_is_told_from_one_that_was(vocabulary, utterances):
    corpus = datasets.DatasetDict(
        {split: datasets.Dataset.from_list(utterances(30)) for split in ("train", "validation")}
    )
    with pytest.raises(TypeError, match=r"Pass vocabulary\.encode_corpus\(corpus\)"):
        train(build("bilstm", vocabulary), corpus, config("sgd"))
