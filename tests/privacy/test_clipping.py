import contextlib
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from trustlab.models import tagging_loss
from trustlab.privacy import SENSITIVITY, private_gradients
from trustlab.privacy.reference import opacus_gradients

STEPS = {
    "loop": dict(method="dp-sgd", engine="loop"),
    "fast": dict(method="dp-sgd", engine="fast"),
    "micro-batch": dict(method="edp-sgd"),
}


def linear(size=4):
    """A model whose gradient for example x is x itself, so that gradients can be chosen at will."""
    model = nn.Linear(size, 1, bias=False)
    return model, lambda model, batch: model(batch).squeeze(-1)


def released(batch, seed=0, **options):
    """Return the sum that is released for `batch` [B, D] before the division, without noise."""
    model, loss = linear(batch.shape[1])
    generator = torch.Generator().manual_seed(seed)
    private_gradients(model, loss, batch, expected_batch_size=1.0, generator=generator, **options)
    return model.weight.grad[0]


def flat(model):
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])


def test_the_loop_is_the_definition():
    batch = torch.tensor([[3.0, 4.0], [0.3, 0.4], [-30.0, 40.0]])
    expected = sum(x * min(1.0, 1.0 / x.norm().item()) for x in batch)
    torch.testing.assert_close(released(batch, method="dp-sgd", engine="loop", clip_norm=1.0), expected)


@pytest.mark.parametrize("way", ["loop", "fast"])
def test_clipped_examples_equal_opacus_on_every_tagger(task, way):
    model, batch = task
    clip = (
        0.7
        * private_gradients(
            model, tagging_loss, batch, method="dp-sgd", engine="loop", clip_norm=1.0, expected_batch_size=4
        ).norms.median()
    )
    own = private_gradients(model, tagging_loss, batch, **STEPS[way], clip_norm=clip.item(), expected_batch_size=4)
    ours = flat(model)
    step = opacus_gradients(model, tagging_loss, clip_norm=clip.item(), expected_batch_size=4)
    theirs = step(batch)
    assert 0 < own.clipped <= 1
    assert own.clipped == pytest.approx(theirs.clipped)
    torch.testing.assert_close(own.norms, theirs.norms, rtol=1e-4, atol=1e-5)
    assert (ours - flat(model)).norm() <= 1e-5 * ours.norm()


@pytest.mark.parametrize("way", ["loop", "fast"])
def test_the_noise_is_opacus_too(task, way):
    """The same spread, on the same scale, added to the same sum."""
    model, batch = task

    def spread(step):
        clean = step(noise_multiplier=0.0) or flat(model).clone()
        step(noise_multiplier=0.5, generator=torch.Generator().manual_seed(3))
        return (flat(model) - clean).std().item()

    def ours(**noise):
        private_gradients(model, tagging_loss, batch, **STEPS[way], clip_norm=1.0, expected_batch_size=4, **noise)

    opacus = opacus_gradients(model, tagging_loss, clip_norm=1.0, expected_batch_size=4)

    def theirs(**noise):
        opacus(batch, **noise)

    numbers = sum(parameter.numel() for parameter in model.parameters())
    assert spread(ours) == pytest.approx(spread(theirs), rel=7 / math.sqrt(2 * numbers))
    assert spread(ours) == pytest.approx(0.5 / 4, rel=5 / math.sqrt(2 * numbers))


def test_opacus_as_reference_takes_several_steps_and_empty_batches(task):
    model, batch = task
    step = opacus_gradients(model, tagging_loss, clip_norm=1.0, expected_batch_size=4)
    step(batch)
    first = flat(model)
    step(batch[torch.tensor([], dtype=torch.long)])
    assert not flat(model).any()
    step(batch)
    torch.testing.assert_close(flat(model), first)


def test_without_clipping_both_mechanisms_are_the_ordinary_gradient(task):
    model, batch = task
    gradient = torch.autograd.grad(tagging_loss(model, batch).mean(), list(model.parameters()), allow_unused=True)
    expected = torch.cat(
        [
            torch.zeros_like(p).flatten() if g is None else g.flatten()
            for p, g in zip(model.parameters(), gradient, strict=True)
        ]
    )
    for way in ("loop", "fast"):
        private_gradients(model, tagging_loss, batch, **STEPS[way], clip_norm=1e6, expected_batch_size=len(batch))
        assert (flat(model) - expected).norm() <= 1e-5 * expected.norm()
    private_gradients(model, tagging_loss, batch, method="edp-sgd", clip_norm=1e6, micro_batches=1)
    assert (flat(model) - expected).norm() <= 1e-5 * expected.norm()


vectors = st.lists(st.lists(st.floats(-1e3, 1e3, width=32), min_size=3, max_size=3), min_size=1, max_size=9).map(
    torch.tensor
)


@settings(max_examples=150, deadline=None)
@given(batch=vectors, clip_norm=st.floats(0.1, 10), seed=st.integers(0, 99))
def test_removing_one_example_moves_the_loop_by_at_most_the_clipping_norm(batch, clip_norm, seed):
    options = dict(method="dp-sgd", engine="loop", clip_norm=clip_norm)
    distance = (released(batch, **options) - released(batch[:-1], **options)).norm().item()
    assert distance <= SENSITIVITY["dp-sgd"] * clip_norm * (1 + 1e-4)


@settings(max_examples=150, deadline=None)
@given(
    batch=vectors,
    clip_norm=st.floats(0.1, 10),
    seed=st.integers(0, 99),
    micro_batches=st.integers(1, 4),
    layerwise=st.sampled_from(["flat", "equal", "dimension"]),
)
def test_removing_one_example_moves_micro_batches_by_at_most_twice_that(
    batch, clip_norm, seed, micro_batches, layerwise
):
    options = dict(method="edp-sgd", clip_norm=clip_norm, micro_batches=micro_batches, layerwise=layerwise)
    # The last example's die is thrown last, so removing it leaves the others' dice as they were: real neighbours.
    distance = (released(batch, seed, **options) - released(batch[:-1], seed, **options)).norm().item()
    assert distance <= SENSITIVITY["edp-sgd"] * clip_norm * (1 + 1e-4)


def test_the_factor_two_of_micro_batches_is_reached():
    options = dict(method="edp-sgd", clip_norm=1.0, micro_batches=1)
    batch = torch.tensor([[-1.0], [1000.0]])  # a witness: the mean turns from +499.5 to -1
    assert (released(batch, **options) - released(batch[:-1], **options)).norm().item() == pytest.approx(2.0)


def test_repacking_in_order_would_exceed_the_factor_two():
    """Why each example has a die of its own: cut in order, one example moves every later micro-batch."""

    def repacked(batch, size):
        return sum((mean / mean.norm().clamp(min=1.0)) for mean in (part.mean(0) for part in batch.split(size)))

    ramp = torch.tensor([[1.0], [1000.0], [-1e6], [1e9], [-1e12]], dtype=torch.float64)
    distance = (repacked(ramp, 2) - repacked(ramp[1:], 2)).norm().item()
    assert distance > SENSITIVITY["edp-sgd"]


def test_every_example_is_in_exactly_one_micro_batch():
    batch = torch.eye(50)
    total = released(batch, method="edp-sgd", clip_norm=1e6, micro_batches=7)
    # The mean of a micro-batch of n gives each of its examples 1/n, so the entries of a micro-batch sum to one.
    sizes = (1 / total).round()
    assert (total > 0).all() and total.sum().item() == pytest.approx(7)
    assert sum(1 / size for size in sizes.tolist()) == pytest.approx(7, rel=1e-4)


def dealt(count, micro_batches, generator):
    """Return the micro-batches that `count` examples were dealt into, each a list of places in the batch."""
    model, _ = linear(1)
    groups = []

    def loss(model, batch):
        groups.append([int(place) for place in batch[:, 0]])
        return model(batch).squeeze(-1)

    # One micro-batch at a time, after a first call in which the engine looks at three examples of the model.
    options = dict(method="edp-sgd", clip_norm=1.0, physical_batch=1)
    private_gradients(model, loss, torch.ones(3, 1), micro_batches=1, generator=torch.Generator(), **options)
    groups.clear()
    batch = torch.arange(float(count))[:, None]
    private_gradients(model, loss, batch, micro_batches=micro_batches, generator=generator, **options)
    return sorted(groups)


def test_each_example_throws_a_die_of_its_own():
    """Neither order nor the number of the others decides where an example goes: the factor two rests on that."""
    draws, count, micro_batches = 1500, 6, 2
    generator = torch.Generator().manual_seed(5)
    together = torch.zeros(count, count)
    all_in_one = 0
    for _ in range(draws):
        groups = dealt(count, micro_batches, generator)
        assert sorted(place for group in groups for place in group) == list(range(count))
        all_in_one += len(groups) == 1
        for group in groups:
            together[torch.tensor(group)[:, None], torch.tensor(group)] += 1

    def close(measured, expected):
        return abs(measured / draws - expected) < 5 * math.sqrt(expected * (1 - expected) / draws)

    # Cut in order, neighbours would nearly always be together; dealt in turn, never; shuffled into halves, 2 in 5.
    assert all(close(together[i, j].item(), 1 / micro_batches) for i in range(count) for j in range(i))
    assert close(all_in_one, micro_batches * micro_batches**-count)


@pytest.mark.parametrize("seed", range(5))
def test_who_leaves_moves_nobody_else(seed):
    whole, fewer = (dealt(count, 4, torch.Generator().manual_seed(seed)) for count in (12, 11))
    # The last example throws last, so with the same seed everybody else's die falls as before.
    assert sorted(kept for group in whole if (kept := [place for place in group if place != 11])) == fewer


@pytest.mark.parametrize("layerwise", ["equal", "dimension"])
def test_layerwise_thresholds_hold_in_each_tensor_and_sum_to_the_whole(layerwise):
    model = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 1))
    loss = lambda model, batch: 1e4 * model(batch).squeeze(-1)  # noqa: E731
    private_gradients(
        model, loss, torch.randn(4, 3), method="edp-sgd", clip_norm=2.0, micro_batches=1, layerwise=layerwise
    )
    norms = torch.stack([p.grad.norm() for p in model.parameters()])
    sizes = torch.tensor([p.numel() for p in model.parameters()], dtype=torch.float)
    shares = torch.full((4,), 0.25) if layerwise == "equal" else sizes / sizes.sum()
    torch.testing.assert_close(norms, 2.0 * shares.sqrt())


@pytest.mark.parametrize("way", ["loop", "fast", "micro-batch"])
def test_noise_has_the_declared_spread_is_fresh_and_is_seeded(way):
    model, loss = linear(40_000)
    options = dict(STEPS[way], clip_norm=0.5, noise_multiplier=3.0, expected_batch_size=10.0)
    options |= dict(micro_batches=4) if way == "micro-batch" else {}
    empty = torch.zeros(0, 40_000)

    def draw(generator):
        private_gradients(model, loss, empty, generator=generator, **options)
        return model.weight.grad[0].clone()

    generator = torch.Generator().manual_seed(7)
    first, second = draw(generator), draw(generator)
    expected = 3.0 * 0.5 / 10
    # Standard error of a standard deviation from n draws: σ/√(2n) = 0.35 % of σ; 5 of them are allowed.
    assert first.std().item() == pytest.approx(expected, rel=5 / math.sqrt(80_000))
    assert abs(first.mean().item()) < 5 * expected / math.sqrt(40_000)
    assert abs(torch.corrcoef(torch.stack([first, second]))[0, 1].item()) < 5 / math.sqrt(40_000)
    assert torch.equal(first, draw(torch.Generator().manual_seed(7)))


@pytest.mark.parametrize("way", ["loop", "fast"])
@pytest.mark.parametrize("layerwise", ["flat", "equal"])
def test_an_overflowing_example_does_not_spread(way, layerwise):
    batch = torch.tensor([[math.inf, 0.0], [0.3, 0.0], [math.nan, 1.0]])
    assert released(batch, **STEPS[way], clip_norm=1.0, layerwise=layerwise).tolist() == pytest.approx([0.3, 0.0])
    model, loss = linear(2)
    assert private_gradients(model, loss, batch, **STEPS[way], clip_norm=1.0, expected_batch_size=1.0).dropped == 2


def test_each_worker_adds_its_share_of_the_noise():
    """Four shares of half the spread: the sum has the declared one, and no share is the whole."""
    model, loss = linear(40_000)
    options = dict(method="edp-sgd", clip_norm=0.5, noise_multiplier=3.0, expected_batch_size=10.0, micro_batches=4)
    batch = torch.zeros(0, 40_000)
    private_gradients(model, loss, batch, noise_by="worker", generator=torch.Generator().manual_seed(1), **options)
    assert model.weight.grad.std().item() == pytest.approx(0.15, rel=5 / math.sqrt(80_000))
    # One generator serves all four: their draws follow one another.
    generator = torch.Generator().manual_seed(1)
    shares = [torch.empty(40_000).normal_(0.0, 0.075, generator=generator) for _ in range(4)]
    torch.testing.assert_close(model.weight.grad[0], sum(shares))


def test_automatic_clipping_scales_every_example_to_nearly_the_clipping_norm():
    batch = torch.tensor([[300.0, 400.0], [0.03, 0.04]])
    found = released(batch, method="dp-sgd", engine="loop", clip_norm=2.0, automatic=True)
    expected = 2.0 * (batch[0] / 500.01 + batch[1] / 0.06)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("way", ["loop", "fast"])
def test_a_limit_of_zero_lets_nothing_through_and_makes_no_nan(way):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    nn.init.zeros_(model[1].weight)  # the first layer's gradients are exactly zero
    weights = {name: float(name != "0.weight") for name, _ in model.named_parameters()}
    loss, options = (
        lambda model, batch: model(batch)[:, 0],
        dict(clip_norm=1.0, expected_batch_size=1.0, layerwise=weights),
    )
    norms = private_gradients(model, loss, torch.ones(3, 2), **STEPS[way], **options)
    assert norms.dropped == 0 and not model[0].weight.grad.any()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_the_last_step_leaves_no_trace_in_the_next():
    model, loss = linear(2)
    model.weight.grad = torch.full_like(model.weight, 1e9)
    private_gradients(model, loss, torch.ones(1, 2), method="dp-sgd", clip_norm=9.0, expected_batch_size=1.0)
    assert model.weight.grad.tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize("way", STEPS)
def test_a_layer_that_is_frozen_between_two_steps_stays_where_it_is(way):
    """Without zero_grad(), which is not needed here, an optimizer would step on the gradient of the step before."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    options = dict(clip_norm=1.0, expected_batch_size=1.0, noise_multiplier=1.0, **STEPS[way])
    options |= {"micro_batches": 2} if way == "micro-batch" else {}

    def step():
        private_gradients(model, lambda model, batch: model(batch).squeeze(-1), torch.ones(3, 2), **options)
        optimizer.step()

    step()
    model[0].requires_grad_(False)
    kept = model[0].weight.clone()
    step()
    assert torch.equal(model[0].weight, kept)


@pytest.mark.parametrize("way", STEPS)
def test_a_model_of_which_nothing_is_trained_is_refused(way):
    model, loss = linear(2)
    options = dict(clip_norm=1.0, expected_batch_size=1.0, micro_batches=2 if way == "micro-batch" else None)
    with pytest.raises(ValueError, match=r"1 that are all frozen.*is_trainable=True"):
        private_gradients(model.requires_grad_(False), loss, torch.ones(1, 2), **options, **STEPS[way])


def test_low_precision_parameters_get_their_gradient_from_single_precision_sums():
    torch.manual_seed(0)
    model = nn.Linear(8, 3)
    batch, options = torch.randn(40, 8), dict(clip_norm=0.5, expected_batch_size=40.0)
    loss = lambda model, batch: model(batch.to(model.weight.dtype)).float().square().sum(1)  # noqa: E731
    private_gradients(model, loss, batch, method="dp-sgd", engine="loop", **options)
    expected = flat(model).clone()
    half = nn.Linear(8, 3)
    half.load_state_dict(model.state_dict())
    for way in ("loop", "fast"):
        private_gradients(half.bfloat16(), loss, batch, **STEPS[way], **options)
        assert half.weight.grad.dtype == torch.bfloat16
        assert (flat(half).float() - expected).norm() <= 0.02 * expected.norm()  # bfloat16 keeps 8 bits


@pytest.mark.parametrize("way", ["loop", "fast"])
def test_low_precision_does_not_let_gradients_slip_past_the_clipping_norm(way):
    """A norm kept in bfloat16 would be wrong by up to 0.4 %, and one example could be that much too long."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(30, 40), nn.Linear(40, 1)).bfloat16()
    loss = lambda model, batch: 9.0 * model(batch).squeeze(1)  # noqa: E731
    for example in torch.randn(20, 1, 30, dtype=torch.bfloat16):
        private_gradients(model, loss, example, **STEPS[way], clip_norm=1.0, expected_batch_size=1.0)
        total = torch.cat([p.grad.flatten() for p in model.parameters()]).double()
        # The gradient handed out is rounded to bfloat16, each number on its own: that averages out to about 0.1 %.
        assert total.norm().item() <= 1.0015


def test_frozen_parameters_get_no_gradient():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    model[0].requires_grad_(False)
    loss = lambda model, batch: model(batch).squeeze(-1)  # noqa: E731
    private_gradients(
        model,
        loss,
        torch.ones(3, 2),
        method="dp-sgd",
        engine="loop",
        clip_norm=1.0,
        expected_batch_size=1.0,
        noise_multiplier=1.0,
    )
    assert model[0].weight.grad is None and model[1].weight.grad is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(method="ghost"), "Expected method='ghost' to be one of 'dp-sgd', 'edp-sgd'"),
        (dict(engine="ghost"), "Expected engine='ghost' to be one of 'fast', 'loop'"),
        (dict(physical_batch=0), "Expected physical_batch=0 >= 1"),
        (dict(noise_by="worker"), "noise_by='sum' with method='dp-sgd'"),
        (dict(method="edp-sgd", micro_batches=2, noise_by="all"), "Expected noise_by='all'"),
        (dict(method="dp-sgd", expected_batch_size=None), "Give q·N"),
        (dict(secure=True, generator=torch.Generator()), "Expected generator=None with secure=True"),
        (dict(layerwise={"weights": 1.0}), "these differ: weight, weights"),
        (dict(layerwise={"weight": -1.0}), "Expected finite weights >= 0"),
        (dict(clip_norm=0.0), "Expected 0 < clip_norm=0.0"),
        (dict(clip_norm=math.inf), "Expected 0 < clip_norm=inf"),
        (dict(noise_multiplier=-1.0), "Expected 0 <= noise_multiplier=-1.0 < inf"),
        (dict(noise_multiplier=math.inf), "Expected 0 <= noise_multiplier=inf < inf"),
        (dict(expected_batch_size=-3.0), "Expected expected_batch_size=-3.0 > 0"),
        (dict(method="edp-sgd", micro_batches=2, expected_batch_size=0.0), "Expected expected_batch_size=0.0 > 0"),
        (dict(expected_batch_size=None), "dividing by the size of the batch drawn would publish it"),
        (dict(micro_batches=4), "Expected micro_batches=None"),
        (dict(method="edp-sgd"), "Expected micro_batches=None >= 1"),
        (dict(method="edp-sgd", micro_batches=2, layerwise="lots"), "Expected layerwise='lots'"),
    ],
)
def test_options_that_void_the_guarantee_are_refused(change, message):
    model, loss = linear()
    with pytest.raises(ValueError, match=message):
        private_gradients(
            model,
            loss,
            torch.ones(2, 4),
            **{**dict(method="dp-sgd", engine="loop", clip_norm=1.0, expected_batch_size=1.0), **change},
        )
    assert model.weight.grad is None


def test_the_expected_batch_size_answers_to_its_old_name():
    model, loss = linear()
    options, gradients = dict(method="dp-sgd", engine="loop", clip_norm=1.0), []
    for name in ("expected_batch_size", "normalizer"):
        old = pytest.warns(DeprecationWarning, match="'normalizer' of private_gradients is now 'expected_batch_size'")
        with old if name == "normalizer" else contextlib.nullcontext():
            private_gradients(model, loss, torch.ones(2, 4), **options, **{name: 4.0})
        gradients.append(model.weight.grad)
    torch.testing.assert_close(*gradients, rtol=0, atol=0)
    with pytest.warns(DeprecationWarning, match="'normalizer' of opacus_gradients"):
        opacus_gradients(model, loss, clip_norm=1.0, normalizer=4)
