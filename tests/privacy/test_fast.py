"""The engine against the definition: whatever the layer, engine "fast" gives the loop's norms and the loop's sum."""

import copy
import functools
import inspect
import math
from collections import deque

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint
from transformers import BertConfig, BertModel
from transformers.pytorch_utils import Conv1D

from trustlab.models import EncoderTagger, SubwordVocabulary, Vocabulary, build, tagging_loss
from trustlab.models.language import LanguageModel, next_token_loss
from trustlab.privacy import SENSITIVITY, private_gradients
from trustlab.privacy.fast import apart, engine, factors
from trustlab.privacy.fast.randomness import Draws

STEPS = {
    "loop": dict(method="dp-sgd", engine="loop"),
    "fast": dict(method="dp-sgd", engine="fast"),
    "micro-batch": dict(method="edp-sgd"),
}
WORDS, WIDTH, TIMES, EXAMPLES = 11, 6, 5, 7


def flat(model):
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])


def squares(model, batch):
    """A loss [B] that depends on every output, and differently on each."""
    outputs = model(batch).flatten(1)
    return (outputs * torch.linspace(0.5, 1.5, outputs.shape[1])).square().sum(1)


def assert_equal_to_the_loop(model, loss, batch, *, tolerance=1e-5, norms_within=1e-5, **options):
    """Compare norms, shares and sums with one backward per unit."""
    options = dict(clip_norm=1.0, expected_batch_size=3.0) | options
    start = private_gradients(
        model, loss, batch, method="dp-sgd", engine="loop", clip_norm=1.0, expected_batch_size=3.0
    ).norms
    options["clip_norm"] = 0.8 * start.median().item()  # some are clipped, some are not
    loop = private_gradients(model, loss, batch, method="dp-sgd", engine="loop", **options)
    expected = flat(model).clone()
    model.zero_grad(set_to_none=True)
    found = private_gradients(model, loss, batch, method="dp-sgd", **options)
    assert loop.clipped == found.clipped
    torch.testing.assert_close(found.norms, loop.norms, rtol=norms_within, atol=1e-6)
    assert (flat(model) - expected).norm() <= tolerance * expected.norm()


def ids():
    # Words said twice in one utterance, and padding at the end of some.
    found = torch.randint(1, WORDS, (EXAMPLES, TIMES), generator=torch.Generator().manual_seed(1))
    found[:, 1] = found[:, 0]
    found[::2, -2:] = 0
    return found


def states(*shape):
    return torch.randn(EXAMPLES, *(shape or (TIMES, WIDTH)), generator=torch.Generator().manual_seed(2))


class Tied(nn.Module):
    """A layer used twice in one forward, and an embedding whose weight is also the output's."""

    def __init__(self, bias=True):
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.twice = nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, WORDS, bias=bias)
        self.out.weight = self.words.weight

    def forward(self, batch):
        return self.out(self.twice(self.twice(self.words(batch)).tanh()) + self.words(batch.flip(1)))


class Scaled(nn.Module):
    """A parameter of its own beside a layer: no rule knows it."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(WIDTH))
        self.inner = nn.Linear(WIDTH, WIDTH)

    def forward(self, batch, *, shift=0.0):
        return self.inner(batch * self.scale + shift).tanh()


class Shared(nn.Module):
    """BERT's positions: one row of ids for all examples."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH, padding_idx=0)
        self.positions = nn.Embedding(TIMES, WIDTH)
        self.out = nn.Linear(WIDTH, 2)

    def forward(self, batch):
        return self.out(self.words(batch) + self.positions(torch.arange(TIMES)[None]))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)

    def forward(self, batch):
        return self.attention(batch, batch, batch, need_weights=False)[0]


class InPlace(nn.Module):
    """An embedding whose output is changed in place, as some models scale it."""

    def __init__(self):
        super().__init__()
        self.words, self.out = nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, 2)

    def forward(self, batch):
        return self.out(self.words(batch).mul_(3.0))


class Recurrent(nn.Module):
    """An LSTM over padded, packed or time-first input, of which the last state is read as well."""

    def __init__(self, packed=False, **options):
        super().__init__()
        self.packed, self.lstm = packed, nn.LSTM(WIDTH, 4, **options)

    def forward(self, batch):
        if not self.lstm.batch_first:
            batch = batch.transpose(0, 1)
        if self.packed:
            first = batch.select(1 if self.lstm.batch_first else 0, 0)[:, 0].nan_to_num(0.0, 0.0)  # decides the length
            lengths = 1 + (first * 10).long().abs() % TIMES
            batch = pack_padded_sequence(batch, lengths, self.lstm.batch_first, enforce_sorted=False)
        output, (hidden, cell) = self.lstm(batch)
        if self.packed:
            output, _ = pad_packed_sequence(output, self.lstm.batch_first, total_length=TIMES)
        output = output if self.lstm.batch_first else output.transpose(0, 1)
        return torch.cat([output.flatten(1), hidden.transpose(0, 1).flatten(1), cell.transpose(0, 1).flatten(1)], 1)


LAYERS = {
    "linear on vectors": (lambda: nn.Linear(WIDTH, 3), states(WIDTH)),
    "linear on tokens": (lambda: nn.Linear(WIDTH, 3), states()),
    "linear on a grid": (lambda: nn.Linear(WIDTH, 3, bias=False), states(2, TIMES, WIDTH)),
    "wide linear, by ghost norm": (lambda: nn.Linear(WIDTH, 60), states(2, WIDTH)),
    "narrow linear, formed": (lambda: nn.Linear(WIDTH, 2), states(20, WIDTH)),
    "two layers": (lambda: nn.Sequential(nn.Linear(WIDTH, 4), nn.GELU(), nn.Linear(4, 2)), states()),
    "Conv1D of transformers": (lambda: nn.Sequential(Conv1D(9, WIDTH), nn.Tanh(), Conv1D(4, 9)), states()),
    "embedding": (lambda: nn.Embedding(WORDS, WIDTH), ids()),
    "embedding with padding": (lambda: nn.Embedding(WORDS, WIDTH, padding_idx=0), ids()),
    "layer norm": (lambda: nn.LayerNorm(WIDTH), states()),
    "layer norm over two dimensions": (lambda: nn.LayerNorm((TIMES, WIDTH), bias=False), states(3, TIMES, WIDTH)),
    "RMS norm": (lambda: nn.RMSNorm(WIDTH), states()),
    "group norm, no rule": (lambda: nn.GroupNorm(2, WIDTH), states(WIDTH, TIMES)),
    "convolution": (lambda: nn.Conv1d(WIDTH, 4, 3, stride=2, padding=2, dilation=2), states(WIDTH, 12)),
    "grouped convolution, no rule": (lambda: nn.Conv1d(WIDTH, 4, 3, groups=2), states(WIDTH, 12)),
    "image convolution, no rule": (lambda: nn.Conv2d(2, 3, 3), states(2, 5, 6)),
    "bilinear, two weights": (Scaled, states()),
    "a layer used twice, and a tied embedding": (Tied, ids()),
    "a tied embedding without bias": (functools.partial(Tied, bias=False), ids()),
    "one row of positions for all": (Shared, ids()),
    "changed in place": (InPlace, ids()),
    "multi-head attention": (Attention, states()),
    "transformer encoder layer": (
        lambda: nn.TransformerEncoderLayer(WIDTH, 2, dim_feedforward=9, dropout=0.0, batch_first=True),
        states(),
    ),
    "LSTM": (functools.partial(Recurrent, batch_first=True), states()),
    "LSTM, time first": (Recurrent, states()),
    "LSTM, two layers, both directions": (
        functools.partial(Recurrent, batch_first=True, num_layers=2, bidirectional=True),
        states(),
    ),
    "LSTM with dropout, in evaluation": (
        lambda: Recurrent(batch_first=True, num_layers=2, dropout=0.5).eval(),
        states(),
    ),
    "LSTM, packed": (functools.partial(Recurrent, packed=True, batch_first=True, bidirectional=True), states()),
    "LSTM, packed, time first, no bias": (functools.partial(Recurrent, packed=True, bias=False), states()),
}


@pytest.fixture(params=LAYERS)
def layer(request):
    make, batch = LAYERS[request.param]
    torch.manual_seed(0)
    return make(), batch


def test_every_layer_equals_the_loop(layer):
    model, batch = layer
    assert_equal_to_the_loop(model, squares, batch)


@pytest.mark.parametrize("layerwise", ["equal", "dimension", "named"])
@pytest.mark.parametrize("automatic", [False, True])
def test_every_layer_equals_the_loop_with_thresholds_of_its_own(layer, layerwise, automatic):
    model, batch = layer
    if layerwise == "named":
        layerwise = {name: 1.0 + i for i, (name, _) in enumerate(model.named_parameters())}
    assert_equal_to_the_loop(model, squares, batch, layerwise=layerwise, automatic=automatic)


def test_every_layer_keeps_micro_batches_whole(layer):
    """Units of several examples, of equal and unequal size: each one's mean gradient is clipped."""
    model, batch = layer
    dealt = dict(method="edp-sgd", clip_norm=0.5, micro_batches=3, expected_batch_size=1.0)
    found = private_gradients(model, squares, batch, generator=torch.Generator().manual_seed(4), **dealt)
    dice = torch.randint(3, (len(batch),), generator=torch.Generator().manual_seed(4))
    groups = sorted((dice == k).nonzero()[:, 0].tolist() for k in range(3))
    expected, norms = torch.zeros_like(flat(model)), []
    for group in groups:
        if group:
            gradient = torch.autograd.grad(squares(model, batch[group]).mean(), list(model.parameters()))
            gradient = torch.cat([part.flatten() for part in gradient])
            norms.append(gradient.norm())
            expected += gradient * min(1.0, 0.5 / norms[-1].item())
    torch.testing.assert_close(found.norms.sort().values, torch.stack(norms).sort().values, rtol=1e-5, atol=1e-6)
    assert (flat(model) - expected).norm() <= 1e-5 * expected.norm()


def test_the_gradients_are_right_on_the_real_taggers(task):
    model, batch = task
    # Single precision leaves a few digits of a norm to the order of its sums; double shows that they are the same.
    assert_equal_to_the_loop(model, tagging_loss, batch, norms_within=1e-4)
    model.double()
    assert_equal_to_the_loop(model, tagging_loss, batch, norms_within=1e-6, tolerance=1e-9)
    assert_equal_to_the_loop(model, tagging_loss, batch[:1])
    assert_equal_to_the_loop(model, tagging_loss, batch, automatic=True, layerwise="dimension")


def test_a_language_model_with_tied_weights_and_transposed_layers(vocabulary, utterances):
    torch.manual_seed(0)
    model = LanguageModel(vocabulary.size, width=16, heads=2, layers=2, max_length=12)
    assert_equal_to_the_loop(model, next_token_loss, vocabulary.encode(utterances(12)))


@pytest.mark.parametrize("options", [dict(frozen=True), dict(lora=4)])
def test_probes_and_adapters_come_for_free(options, vocabulary, utterances):
    words = SubwordVocabulary(vocabulary.intents, vocabulary.slots)
    model = build("encoder", words, seed=1, **options)
    assert isinstance(model, EncoderTagger)
    frozen = [p.clone() for p in model.parameters() if not p.requires_grad]
    assert_equal_to_the_loop(model, tagging_loss, words.encode(utterances(8)))
    assert all(p.grad is None for p in model.parameters() if not p.requires_grad)
    left = [p for p in model.parameters() if not p.requires_grad]
    assert all(torch.equal(before, after) for before, after in zip(frozen, left, strict=True))


def test_bert_with_its_own_positions(utterances):
    """transformers' default position ids have one row for the whole batch; Opacus cannot take them."""
    torch.manual_seed(0)
    sizes = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12)
    bert = BertModel(
        BertConfig(vocab_size=40, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **sizes),
        add_pooling_layer=False,
    )
    loss = lambda model, batch: model(input_ids=batch).last_hidden_state[:, :, :3].square().sum((1, 2))  # noqa: E731
    assert_equal_to_the_loop(bert, loss, ids() + 1)


class Masked(Attention):
    """A mask of T times and T times."""

    def forward(self, batch):
        mask = torch.ones(batch.shape[1], batch.shape[1]).triu(1).bool()
        return self.attention(batch, batch, batch, attn_mask=mask, need_weights=False)[0]


class TiedToItsChild(nn.Module):
    """The head of BERT's masked language model: its bias is also its decoder's."""

    def __init__(self):
        super().__init__()
        self.inner, self.decoder = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 4)
        self.bias = self.decoder.bias

    def forward(self, batch):
        return self.decoder(self.inner(batch))


@pytest.mark.parametrize("examples", [TIMES, EXAMPLES])
@pytest.mark.parametrize("make", [Masked, lambda: WithPlaces()])
def test_as_many_times_as_examples_are_still_times(make, examples):
    """The first batch as large as its sequences are long, and a later one."""
    model, batch = make(), states(examples, WIDTH)
    assert_equal_to_the_loop(model, squares, batch[:TIMES])
    assert_equal_to_the_loop(model, squares, batch[:examples])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_parameter_that_a_module_shares_with_its_child_counts_once(dtype):
    torch.manual_seed(0)
    tolerance = 1e-5 if dtype == torch.float32 else 0.02
    model = TiedToItsChild().to(dtype)
    assert_equal_to_the_loop(model, squares, states().to(dtype), tolerance=tolerance, norms_within=tolerance)


def test_a_layer_with_dropout_inside_gives_the_gradients_of_the_masks_that_it_drew():
    model = nn.TransformerEncoderLayer(WIDTH, 2, dim_feedforward=9, dropout=0.3, batch_first=True)
    options = dict(method="dp-sgd", expected_batch_size=1.0, clip_norm=1e9)
    torch.manual_seed(5)
    with Draws():  # all of the model's draws as they are written out there
        private_gradients(model, squares, states(), **options)
    found = flat(model).clone()
    torch.manual_seed(5)
    with Draws():  # the order of drawing, with attention written out
        losses = squares(model, states())
    expected = torch.autograd.grad(losses.sum(), list(model.parameters()))
    torch.testing.assert_close(found, torch.cat([part.flatten() for part in expected]), rtol=1e-4, atol=1e-5)


class DetachedStatistics(nn.Module):
    """In training only, and beside a dropout."""

    def __init__(self):
        super().__init__()
        self.linear, self.dropout = nn.Linear(WIDTH, 2), nn.Dropout(0.5)

    def forward(self, batch):
        return self.linear(self.dropout(batch - batch.detach().mean(0) if self.training else batch))


def test_dropout_does_not_hide_what_only_training_does():
    with pytest.raises(ValueError, match="that it has alone, but other examples change it"):
        private_gradients(
            DetachedStatistics(), squares, states(WIDTH), method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0
        )


@pytest.mark.parametrize("kept", ["weight", "bias"])
def test_what_is_frozen_in_a_layer_is_left_alone(kept):
    model = nn.Sequential(nn.Linear(WIDTH, 4), nn.LSTM(4, 3, batch_first=True))
    loss = lambda model, batch: model(batch)[0].square().sum((1, 2))  # noqa: E731
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(kept in name)
    assert_equal_to_the_loop(model, loss, states())


def test_dropout_is_one_and_the_same_forward():
    """Two forwards would have drawn two masks: norms of one model and gradients of another."""
    model = nn.Sequential(nn.Linear(WIDTH, 30), nn.Dropout(0.5), nn.Linear(30, 2))
    options = dict(method="dp-sgd", expected_batch_size=1.0, clip_norm=1e9)
    torch.manual_seed(5)
    private_gradients(model, squares, states(), **options)
    found = flat(model).clone()
    torch.manual_seed(5)
    expected = torch.autograd.grad(squares(model, states()).sum(), list(model.parameters()))
    torch.testing.assert_close(found, torch.cat([part.flatten() for part in expected]), rtol=1e-5, atol=1e-6)


def test_one_forward_and_one_backward(task, monkeypatch):
    model, batch = task
    options = dict(method="dp-sgd", clip_norm=1.0, expected_batch_size=4.0)
    private_gradients(model, tagging_loss, batch, **options)  # the first step also looks whether examples mix
    calls = {"forward": 0, "backward": 0}
    monkeypatch.setattr(
        torch.autograd, "grad", lambda *args, real=torch.autograd.grad, **kw: (count("backward"), real(*args, **kw))[1]
    )

    def count(what):
        calls[what] += 1

    handle = model.register_forward_hook(lambda *_: count("forward"))
    private_gradients(model, tagging_loss, batch, **options)
    handle.remove()
    assert calls == {"forward": 1, "backward": 1}


class Largest(TorchDispatchMode):
    """Remember the largest tensor that any operation makes."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        found = [value for value in tree_leaves(out) if isinstance(value, torch.Tensor)]
        self.numbers = max([self.numbers, *(tensor.numel() for tensor in found)])
        return out


def test_memory_does_not_grow_with_examples_times_parameters():
    """No tensor of the step is larger than the largest weight, or than the largest activation."""
    vocabulary = Vocabulary(intents=tuple("abc"), slots=("O",), buckets=5000)
    model = build("transformer", vocabulary, width=64)
    rows = [{"tokens": ["w"] * 12, "slots": ["O"] * 12, "intent": "a"}] * 64
    batch = vocabulary.encode(rows)
    options = dict(clip_norm=1.0, expected_batch_size=64.0, noise_multiplier=1.0)
    private_gradients(model, tagging_loss, batch, method="dp-sgd", **options)
    with Largest() as largest:
        private_gradients(model, tagging_loss, batch, method="dp-sgd", **options)
    weight = max(parameter.numel() for parameter in model.parameters())
    assert largest.numbers <= weight  # 64 examples' gradients of it would be 64 times that
    assert weight < factors.DENSE_NUMBERS


# ---- cancelling, overflowing, empty --------------------------------------------------------------------------------


def test_a_norm_that_cancels_is_not_mistaken():
    """Tokens of opposite gradients: the terms are 1e10 times what is left, and float32 keeps 7 digits."""
    model = nn.Linear(40, 60, bias=False)
    token = 1e3 * torch.randn(40, generator=torch.Generator().manual_seed(0))
    batch = torch.stack([torch.stack([token, -token + 1e-2]), torch.stack([token, token])])
    loss = lambda model, batch: model(batch).sum((1, 2))  # noqa: E731
    found = private_gradients(model, loss, batch, method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0).norms
    exact = (batch.double().sum(1).norm(dim=1) * 60**0.5).float()
    torch.testing.assert_close(found, exact, rtol=1e-2, atol=0)


@pytest.mark.parametrize("name", [name for name, (_, batch) in LAYERS.items() if batch.is_floating_point()])
def test_examples_without_a_finite_norm_are_left_out_and_counted(name):
    make, batch = LAYERS[name]
    model = make()
    options = dict(method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
    poisoned = batch.clone()
    poisoned[2], poisoned[4] = float("inf"), float("nan")
    healthy = torch.tensor([0, 1, 3, 5, 6])
    private_gradients(model, squares, batch[healthy], **options)
    expected = flat(model).clone()
    norms = private_gradients(model, squares, poisoned, **options)
    assert norms.dropped == 2
    torch.testing.assert_close(flat(model), expected, rtol=1e-4, atol=1e-6)


def test_an_empty_batch_is_noise_alone():
    model = nn.Linear(200, 300)
    norms = private_gradients(
        model,
        squares,
        torch.zeros(0, 200),
        method="dp-sgd",
        clip_norm=2.0,
        noise_multiplier=3.0,
        expected_batch_size=10.0,
    )
    assert len(norms.norms) == 0 and norms.dropped == 0
    assert flat(model).std().item() == pytest.approx(0.6, rel=0.02)


@pytest.mark.parametrize("way", ["loop", "fast", "micro-batch"])
@pytest.mark.parametrize("physical_batch", [1, 3, 100])
def test_virtual_steps_give_the_step_of_the_whole_batch(task, way, physical_batch):
    model, batch = task
    options = dict(STEPS[way], clip_norm=1.0, noise_multiplier=0.3, expected_batch_size=4.0)
    options |= dict(micro_batches=5) if way == "micro-batch" else {}

    def step(physical_batch):
        generator = torch.Generator().manual_seed(3)
        norms = private_gradients(
            model, tagging_loss, batch, physical_batch=physical_batch, generator=generator, **options
        )
        return norms.norms, flat(model).clone()

    (norms, whole), (parts_norms, parts) = step(None), step(physical_batch)
    torch.testing.assert_close(parts_norms, norms, rtol=1e-4, atol=1e-6)
    assert (parts - whole).norm() <= 1e-5 * whole.norm()


def test_virtual_steps_hold_no_more_examples_than_asked():
    seen = []

    def loss(model, batch):
        seen.append(len(batch))
        return squares(model, batch)

    model, options = (
        nn.Linear(WIDTH, 2),
        dict(method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0, physical_batch=4),
    )
    private_gradients(model, loss, states(), **options)
    assert max(seen) <= 4
    seen.clear()  # the first step looked for mixing
    private_gradients(model, loss, states(), **options)
    assert seen == [4, 3] and sum(seen) == EXAMPLES


# ---- the guarantee -------------------------------------------------------------------------------------------------

numbers = st.floats(-1e3, 1e3, width=32)
sequences = st.lists(
    st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=2, max_size=2), min_size=2, max_size=6
).map(torch.tensor)


@settings(max_examples=100, deadline=None)
@given(batch=sequences, clip_norm=st.floats(0.1, 10), seed=st.integers(0, 9), rule=st.sampled_from(["flat", "equal"]))
@pytest.mark.parametrize("automatic", [False, True])
def test_one_example_moves_the_sum_by_at_most_the_clipping_norm(automatic, batch, clip_norm, seed, rule):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5), nn.Linear(5, 2))

    def released(batch):
        options = dict(
            method="dp-sgd", clip_norm=clip_norm, expected_batch_size=1.0, layerwise=rule, automatic=automatic
        )
        private_gradients(model, squares, batch, **options)
        return flat(model).double()

    whole = released(batch).clone()
    assert (whole - released(batch[:-1])).norm().item() <= SENSITIVITY["dp-sgd"] * clip_norm * (1 + 1e-4)


@settings(max_examples=100, deadline=None)
@given(direction=st.lists(numbers, min_size=3, max_size=3), size=st.integers(1, 12), rows=st.integers(2, 40))
def test_tokens_that_nearly_cancel_do_not_slip_through(direction, size, rows):
    """The ghost norm is a sum of large terms of both signs: an example built to cancel must still be clipped."""
    model = nn.Linear(3, 80, bias=False)
    token = torch.tensor(direction) * 10.0 ** (size % 4)
    batch = torch.stack([torch.stack([token, -token] * rows + [torch.tensor([1.0, 2.0, 3.0]) * size])])
    loss = lambda model, batch: model(batch).sum((1, 2))  # noqa: E731
    private_gradients(model, loss, batch, method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
    # What float32 leaves of the cancelling sum itself is no gradient's fault: up to 2·rows roundings of it.
    rounding = 2 * rows * token.abs().max().item() * 2**-23 * 80**0.5
    assert flat(model).double().norm().item() <= 1 + 1e-4 + rounding


# ---- refusals ------------------------------------------------------------------------------------------------------


class Mixing(nn.Module):
    """Subtracts the batch's mean: no layer of it looks suspicious."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(WIDTH, 4), nn.Linear(4, 2)

    def forward(self, batch):
        hidden = self.first(batch)
        return self.second(hidden - hidden.mean(0))


class BehindTheLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)

    def forward(self, batch):
        return F.linear(self.words(batch), self.words.weight)


class OwnGru(nn.GRU):
    def forward(self, input):
        return super().forward(2 * input)[0]


class TimeFirst(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(WIDTH, 2)

    def forward(self, batch):
        return self.linear(batch.transpose(0, 1)).transpose(0, 1)


class FirstState(Recurrent):
    def __init__(self):
        super().__init__(batch_first=True)

    def forward(self, batch):
        state = torch.ones(1, len(batch), 4)
        return self.lstm(batch, (state, state))[0]


class ChangesItsInput(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(WIDTH, 4), nn.Linear(4, 2)

    def forward(self, batch):
        hidden = self.first(batch)
        out = self.second(hidden)
        hidden.detach().mul_(2.0)
        return out


class Standardised(nn.Module):
    """Statistics of the inputs, which no gradient passes."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(WIDTH, 2)

    def forward(self, batch):
        return self.linear((batch - batch.mean(0)) / (batch.std(0, correction=0) + 0.1))


class AfterFrozen(nn.Module):
    """torch's function for batch normalisation, behind what is not trained."""

    def __init__(self):
        super().__init__()
        self.frozen, self.linear = nn.Linear(WIDTH, 4).requires_grad_(False), nn.Linear(4, 2)

    def forward(self, batch):
        return self.linear(F.batch_norm(self.frozen(batch), None, None, training=True))


class AddsInPlace(nn.Module):
    """A linear layer's output over tokens is a view: changed in place, it leads the gradient around its tap."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(WIDTH, 4), nn.Linear(4, 4)

    def forward(self, batch):
        hidden = self.first(batch)
        out = self.second(hidden)
        out += hidden
        return out


class Checkpointed(nn.Module):
    def __init__(self, reentrant):
        super().__init__()
        self.words, self.reentrant = nn.Embedding(WORDS, WIDTH).requires_grad_(False), reentrant
        self.inner = nn.Sequential(nn.Linear(WIDTH, 4), nn.Tanh(), nn.Linear(4, 4))

    def forward(self, batch):
        states = self.words(batch).requires_grad_()
        return checkpoint(self.inner, states, use_reentrant=self.reentrant)


class Unsteady(Checkpointed):
    """Computes something else the second time."""

    def __init__(self):
        super().__init__(reentrant=False)

    def forward(self, batch):
        calls = []

        def inner(states):
            calls.append(1)
            return self.inner(states if len(calls) == 1 else torch.cat([states, states], 1))[:, :TIMES]

        return checkpoint(inner, self.words(batch).requires_grad_(), use_reentrant=False)


class WithoutGradients(Checkpointed):
    def __init__(self):
        super().__init__(reentrant=False)
        self.outer = nn.Linear(WIDTH, 4)

    def forward(self, batch):
        with torch.no_grad():
            hidden = self.inner(self.words(batch))
        return hidden + self.outer(self.words(batch))


class Places(nn.Module):
    """A parameter of its own, and an argument with a row for each time."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(WIDTH))

    def forward(self, batch, places):
        return batch * places * self.scale


class WithPlaces(nn.Module):
    def __init__(self):
        super().__init__()
        self.places = Places()

    def forward(self, batch):
        return self.places(batch, torch.arange(1.0, batch.shape[1] + 1)[:, None].expand(-1, WIDTH))


class Rooted(nn.Module):
    """A parameter at the root, which reads a batch that is no tensor."""

    def __init__(self):
        super().__init__()
        self.linear, self.scale = nn.Linear(WIDTH, 2), nn.Parameter(torch.ones(2))

    def forward(self, batch):
        return self.linear(batch.states) * self.scale


class Wrapped:
    def __init__(self, states):
        self.states = states

    def __len__(self):
        return len(self.states)

    def __getitem__(self, index):
        return Wrapped(self.states[index])


class ReturnsAnObject(Rooted):
    def forward(self, batch):
        return Wrapped(self.linear(batch) * self.scale)


@pytest.mark.parametrize(
    ("make", "batch", "message"),
    [
        (Standardised, states(WIDTH), "to have the loss that it has alone, but other examples change it"),
        (
            AfterFrozen,
            states(WIDTH),
            "to be computed alone as well as among others, got: Expected more than",
        ),
        (AddsInPlace, states(), "output of 'second' unchanged after the layer"),
        (
            lambda: nn.Sequential(nn.Linear(WIDTH, 4), nn.Linear(4, 4), nn.ReLU(inplace=True)),
            states(),
            "of '1' unchanged",
        ),
        (Unsteady, ids(), "checkpointed activations to be computed again as they were"),
        (WithoutGradients, ids(), "'inner.0' to be called where torch records"),
        (Rooted, Wrapped(states(WIDTH)), "'Rooted' .* to give every example the output that it gets alone"),
        (ReturnsAnObject, states(WIDTH), "'ReturnsAnObject' .* to return tensors, .* got Wrapped"),
        (lambda: nn.Sequential(nn.Linear(WIDTH, 4), nn.BatchNorm1d(4)), states(WIDTH), "BatchNorm1d in training .*'1'"),
        (lambda: nn.Sequential(nn.Linear(WIDTH, 4), nn.BatchNorm1d(4).requires_grad_(False)), states(WIDTH), "BatchN"),
        (Mixing, states(WIDTH), "stay apart in 'first'"),
        (BehindTheLayer, ids(), "'words.weight' to be used by calling its layer only"),
        (ChangesItsInput, states(WIDTH), "input of 'second' unchanged"),
        (functools.partial(Recurrent, proj_size=2), states(), "'lstm' to be an nn.LSTM without proj_size"),
        (lambda: OwnGru(WIDTH, 4), states(), "an nn.GRU or an nn.RNN, got OwnGru"),
        (lambda: FirstState(), states(), "no first state for 'lstm'"),
    ],
)
def test_what_cannot_be_done_exactly_is_refused_by_name(make, batch, message):
    model = make()
    with pytest.raises(ValueError, match=message):
        private_gradients(model, squares, batch, method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
    assert "forward" not in vars(model) and all("forward" not in vars(part) for part in model.modules())


@pytest.mark.parametrize("shape", [(TIMES, WIDTH), (3, WIDTH), (1, WIDTH)], ids=str)
def test_batches_in_another_dimension_are_right_also_where_times_and_examples_look_alike(shape):
    model = TimeFirst()
    for examples in (EXAMPLES, 3, 1):
        assert_equal_to_the_loop(model, squares, states(*shape)[:examples])


@pytest.mark.parametrize("reentrant", [False, True], ids=["within the backward", "reentrant"])
@pytest.mark.parametrize("engine", ["fast", "loop"])
def test_checkpointed_activations_have_the_gradients_of_kept_ones(engine, reentrant):
    torch.manual_seed(0)
    model, options = Checkpointed(reentrant), dict(method="dp-sgd", clip_norm=0.7, expected_batch_size=1.0)
    kept = nn.Sequential(model.words, model.inner)
    private_gradients(kept, squares, ids(), **options)
    expected = flat(model).clone()
    private_gradients(model, squares, ids(), engine=engine, **options)
    torch.testing.assert_close(flat(model), expected)
    assert model.inner[0].weight.grad.norm() > 0


def test_a_checkpoint_is_reentrant_again_after_the_step():
    before = torch.utils.checkpoint.CheckpointFunction
    with pytest.raises(ZeroDivisionError):
        private_gradients(
            nn.Linear(WIDTH, 2), lambda model, batch: 1 / 0, states(WIDTH), method="dp-sgd", clip_norm=1.0,
            expected_batch_size=1.0,
        )  # fmt: skip
    assert torch.utils.checkpoint.CheckpointFunction is before


def test_a_loss_that_is_a_mean_is_refused():
    with pytest.raises(ValueError, match=r"shape \(3,\), one loss per example, got \(\)"):
        private_gradients(
            nn.Linear(WIDTH, 2),
            lambda model, batch: model(batch).mean(),
            states(WIDTH),
            method="dp-sgd",
            clip_norm=1.0,
            expected_batch_size=1.0,
        )


def test_batch_norm_with_statistics_from_elsewhere_is_welcome():
    model = nn.Sequential(nn.Linear(WIDTH, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).eval()
    assert_equal_to_the_loop(model, squares, states(WIDTH))


@pytest.mark.parametrize("way", ["loop", "micro-batch"])
def test_no_method_takes_batch_norm(way):
    model = nn.Sequential(nn.Linear(WIDTH, 4), nn.BatchNorm1d(4))
    own = dict(micro_batches=2) if way == "micro-batch" else dict(expected_batch_size=1.0)
    with pytest.raises(ValueError, match="Expected no BatchNorm1d in training mode, got '1'"):
        private_gradients(model, squares, states(WIDTH), **STEPS[way], clip_norm=1.0, **own)
    assert torch.equal(model[1].running_mean, torch.zeros(4))  # nothing was read before


class Remembers(nn.Module):
    """A moving average of its input: in a buffer, by way of .data, or in an attribute."""

    def __init__(self, how):
        super().__init__()
        self.how, self.linear = how, nn.Linear(WIDTH, 2)
        self.register_buffer("mean", torch.zeros(WIDTH))
        self.register_buffer("steps", torch.zeros(()))
        self.last = torch.zeros(WIDTH)

    def forward(self, batch):
        self.steps += 1  # of no example
        mean = batch.detach().mean(0)
        if self.how == "buffer":
            self.mean.lerp_(mean, 0.1)
        elif self.how == "data":
            self.mean.data.mul_(0.9).add_(mean)
        elif self.how == "attribute":
            self.last = 0.9 * self.last + mean
        return self.linear(batch)


@pytest.mark.parametrize("how", ["buffer", "data", "attribute"])
@pytest.mark.parametrize("way", ["loop", "fast", "micro-batch"])
def test_no_method_takes_a_layer_that_writes_down_what_it_reads(way, how):
    model = Remembers(how)
    own = dict(micro_batches=2) if way == "micro-batch" else dict(expected_batch_size=1.0)
    with pytest.raises(ValueError, match="writes into 'last'" if how == "attribute" else "writes into 'mean'"):
        private_gradients(model, squares, states(WIDTH), **STEPS[way], clip_norm=1.0, **own)
    assert not model.mean.any() and not model.last.any() and not model.steps


class Notes:
    """An object that is no module and no container."""

    def __init__(self):
        self.last = None


KEEPERS = {
    "count": lambda model, batch: setattr(model, "total", getattr(model, "total", 0) + int((batch > 0).sum())),
    "text": lambda model, batch: setattr(model, "text", str(batch[0, 0].item())),
    "set": lambda model, batch: model.seen.add(batch[0, 0].item()),
    "list": lambda model, batch: model.log.append(batch[0, 0].item()),
    "deque": lambda model, batch: model.recent.append(batch[0, 0].item()),
    "nested": lambda model, batch: model.nested["by"]["name"].append(batch.detach().mean()),
    "array": lambda model, batch: np.add(model.array, batch[0].detach().numpy(), out=model.array),
    "number of NumPy's": lambda model, batch: setattr(model, "number", np.float32(batch[0, 0].item())),
    "object": lambda model, batch: setattr(model.notes, "last", batch[0].detach()),
    "only the third example": lambda model, batch: batch[0, 0] > 2 and model.seen.add("large"),
}


class Keeper(nn.Linear):
    def __init__(self, keep):
        super().__init__(WIDTH, 2)
        self.keep, self.seen, self.log, self.notes, self.array = keep, {0.5}, [], Notes(), np.zeros(WIDTH, np.float32)
        self.recent, self.nested = deque([0.0], maxlen=3), {"by": {"name": []}}

    def forward(self, batch):
        self.keep(self, batch)
        return super().forward(batch)


@pytest.mark.parametrize("name", KEEPERS)
@pytest.mark.parametrize("way", ["loop", "fast"])
def test_no_method_takes_a_layer_that_keeps_its_input_in_python_objects(way, name):
    model = Keeper(KEEPERS[name])
    parts = (model.seen, model.log, model.recent, model.nested["by"]["name"], model.notes, model.array)
    batch = 0.1 * states(WIDTH)[:3] + torch.tensor([[-1.0], [1.0], [3.0]])
    with pytest.raises(ValueError, match="Expected a forward that keeps nothing of its examples, but it writes into"):
        private_gradients(model, squares, batch, **STEPS[way], clip_norm=1.0, expected_batch_size=1.0)
    assert not {"total", "text", "number"} & vars(model).keys()
    after = (model.seen, model.log, model.recent, model.nested["by"]["name"], model.notes, model.array)
    assert all(one is other for one, other in zip(parts, after, strict=True))
    assert parts[0] == {0.5} and not parts[1] and list(parts[2]) == [0.0] and not parts[3]
    assert parts[4].last is None and not parts[5].any()


@pytest.mark.parametrize("name", sorted(set(KEEPERS) - {"count", "only the third example"}))
def test_a_single_example_that_is_kept_in_a_python_object_is_seen_too(name):
    with pytest.raises(ValueError, match="it writes into"):
        private_gradients(
            Keeper(KEEPERS[name]),
            squares,
            states(WIDTH)[:1],
            method="dp-sgd",
            engine="loop",
            clip_norm=1.0,
            expected_batch_size=1.0,
        )


@pytest.mark.parametrize("examples", [1, 3])
def test_the_length_of_a_cache_and_a_count_of_calls_are_welcome(examples):
    def keep(model, batch):
        model.calls = getattr(model, "calls", 0) + 1
        model.longest = max(getattr(model, "longest", 0), batch.shape[1])

    model = Keeper(keep)
    private_gradients(
        model, squares, states(WIDTH)[:examples], method="dp-sgd", engine="loop", clip_norm=1.0, expected_batch_size=1.0
    )
    assert model.longest == WIDTH


def test_a_count_that_a_single_example_hid_is_found_at_the_next_batch():
    model, options = (
        Keeper(KEEPERS["count"]),
        dict(method="dp-sgd", engine="loop", clip_norm=1.0, expected_batch_size=1.0),
    )
    batch = torch.tensor([[-1.0], [1.0], [3.0]]).expand(3, WIDTH)
    private_gradients(model, squares, batch[:1], **options)
    with pytest.raises(ValueError, match="writes into 'total'"):
        private_gradients(model, squares, batch, **options)


def test_a_counter_of_steps_is_welcome():
    model = Remembers("nothing")
    private_gradients(model, squares, states(WIDTH), method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
    assert model.steps > 0


@pytest.mark.parametrize("physical_batch", [None, 3, 2])
def test_small_physical_batches_are_looked_at_too(physical_batch):
    options = dict(method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0, physical_batch=physical_batch)
    with pytest.raises(ValueError, match="stay apart in 'first'"):
        private_gradients(Mixing(), squares, states(WIDTH), **options)


def test_another_loss_is_looked_at_also_behind_the_same_wrapper():
    def apart_in(scale, model, batch):
        return scale * model(batch).square().sum(1)

    def together_in(scale, model, batch):
        losses = apart_in(scale, model, batch)
        return losses + losses.mean()

    def wrapped(loss):
        return lambda model, batch: loss(1.0, model, batch)

    model, options = nn.Linear(WIDTH, 2), dict(method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
    for wrap in (wrapped, lambda loss: functools.partial(loss, 1.0)):
        private_gradients(model, wrap(apart_in), states(WIDTH), **options)
        with pytest.raises(ValueError, match="stay apart"):
            private_gradients(model, wrap(together_in), states(WIDTH), **options)


def test_a_loss_made_anew_at_each_step_is_looked_at_once(monkeypatch):
    looks = []
    look = apart.Proof._check_alone
    monkeypatch.setattr(apart.Proof, "_check_alone", lambda *args: looks.append(1) or look(*args))
    model = nn.Linear(WIDTH, 2)
    for step in range(3):
        weights = torch.full((2,), 1.0 + step)
        loss = lambda model, batch: (model(batch).square() * weights).sum(1)  # noqa: B023, E731
        private_gradients(model, loss, states(WIDTH), method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
    assert looks == [1]


def test_a_batch_that_shows_nothing_puts_the_look_off():
    batch = states(WIDTH)
    batch[0] = math.inf
    model, options = Mixing(), dict(method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
    private_gradients(model, squares, batch, **options)
    with pytest.raises(ValueError, match="stay apart"):
        private_gradients(model, squares, states(WIDTH), **options)


def test_autocast_around_the_step_lets_nothing_past_the_clipping_norm():
    """Tokens that nearly cancel: bf16 norms would be 0 where the gradient is hundreds of C."""
    generator = torch.Generator().manual_seed(0)
    batch = 1 + 0.003 * torch.rand(4, 64, 256, generator=generator)
    signs = torch.tensor([1.0, -1.0]).repeat(32)[:, None]
    model, options = nn.Linear(256, 256, bias=False), dict(method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
    for around in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=around):
            norms = private_gradients(model, lambda m, b: (m(b) * signs).sum((1, 2)) * 100, batch[:2], **options)
        assert norms.clipped == 1.0 and norms.norms.min() > 10
        assert flat(model).norm() <= 2 * 1.001


@pytest.mark.parametrize("kind", ["lstm", "convolution", "norm"])
def test_half_precision_reaches_every_kind_of_layer(kind):
    model, batch = {
        "lstm": (Recurrent(batch_first=True), states()),
        "convolution": (nn.Sequential(nn.Conv2d(1, 3, 2), nn.Flatten()), states(1, TIMES, WIDTH)),
        "norm": (nn.Sequential(nn.Linear(WIDTH, 6), nn.GroupNorm(2, 6)), states(WIDTH)),
    }[kind]
    model, batch = model.bfloat16(), batch.bfloat16()
    options = dict(clip_norm=1.0, expected_batch_size=1.0)
    expected = private_gradients(model, squares, batch, method="dp-sgd", engine="loop", **options).norms
    found = private_gradients(model, squares, batch, method="dp-sgd", **options).norms
    torch.testing.assert_close(found, expected, rtol=0.05, atol=1e-3)


def test_somebodys_own_forward_is_computed_as_it_is():
    model = nn.Sequential(nn.Linear(WIDTH, 4), nn.Linear(4, 2))
    first = model[0]
    first.forward = lambda x: 3 * F.linear(x, first.weight, first.bias)
    assert_equal_to_the_loop(model, squares, states(WIDTH))


def test_attention_of_which_only_the_output_is_trained():
    model = Attention()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("out_proj" in name)
    assert_equal_to_the_loop(model, squares, states())


def test_looking_for_mixing_leaves_the_random_numbers_alone():
    model = nn.Sequential(nn.Linear(WIDTH, 4), nn.Dropout(0.5))
    torch.manual_seed(3)
    private_gradients(model, squares, states(), method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
    first = flat(model).clone()
    torch.manual_seed(3)
    private_gradients(model, squares, states(), method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
    assert torch.equal(first, flat(model))


def test_a_model_is_looked_at_again_when_its_mode_changes():
    class Moody(Mixing):
        def forward(self, batch):
            return super().forward(batch) if self.training else self.second(self.first(batch))

    model = Moody().eval()
    options = dict(method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
    private_gradients(model, squares, states(WIDTH), **options)
    with pytest.raises(ValueError, match="stay apart"):
        private_gradients(model.train(), squares, states(WIDTH), **options)


CLIPPED = dict(method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)


class Centred(nn.Module):
    """Subtracts the mean over the batch, once that is switched on."""

    def __init__(self, on):
        super().__init__()
        self.on = on

    def forward(self, x):
        return x - x.mean(0) if self.on else x


@pytest.mark.parametrize("first", [Centred(False), nn.Identity()], ids=["switched on", "put in"])
def test_a_model_is_looked_at_again_when_a_layer_is_another(first):
    """What was proved of a model once held for what was put into it later, too."""
    model = nn.Sequential(nn.Linear(3, 4), first, nn.Linear(4, 1))
    step = functools.partial(
        private_gradients, model, lambda model, x: model(x).squeeze(1), torch.randn(4, 3), **CLIPPED
    )
    step()
    if isinstance(first, Centred):
        first.on = True
    else:
        model[1] = Centred(True)
    with pytest.raises(ValueError, match="stay apart"):
        step()


@pytest.mark.parametrize("whole", ["model", "layer", "in place", "loss"])
def test_what_torch_compiled_is_refused_by_name_and_the_loop_takes_it(whole):
    """It ended in "__bool__ should return bool, returned Tensor"."""
    model, x = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1)), torch.ones(2, 3)
    loss = lambda model, x: model(x).squeeze(1)  # noqa: E731
    private_gradients(model, loss, x, **CLIPPED, engine="loop")
    expected, kept = model[0].weight.grad, model
    if whole == "model":
        model = torch.compile(model, backend="eager")
    elif whole == "layer":
        model[0] = torch.compile(model[0], backend="eager")
    elif whole == "in place":
        model[0].compile(backend="eager")
    else:
        loss = torch.compile(loss, backend="eager")
    name = {"model": "the model", "loss": "per_example_loss"}.get(whole, "'0'")
    with pytest.raises(ValueError, match=f"got {name} compiled.*engine='loop'"):
        private_gradients(model, loss, x, **CLIPPED)
    private_gradients(model, loss, x, **CLIPPED, engine="loop")
    torch.testing.assert_close(next(kept.parameters()).grad, expected)


def test_a_step_leaves_the_model_as_it_was(task):
    model, batch = task
    before = copy.deepcopy(model.state_dict())
    kinds = {name: type(p) for name, p in model.named_parameters()}
    private_gradients(
        model, tagging_loss, batch, method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0, noise_multiplier=1.0
    )
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert {name: type(p) for name, p in model.named_parameters()} == kinds
    assert all("forward" not in vars(part) for part in model.modules())
    with pytest.raises(RuntimeError, match="boom"):
        private_gradients(model, boom, batch, method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
    assert all("forward" not in vars(part) for part in model.modules())


def boom(model, batch):
    model(batch.input_ids, batch.attention_mask)
    raise RuntimeError("boom")


def test_the_engine_and_its_check_are_reached():
    """The tests above would mean little if "fast" were computed some other way."""
    assert engine.Proof is apart.Proof
    assert inspect.unwrap(private_gradients).__globals__["fast"].add_clipped is engine.add_clipped


@pytest.mark.parametrize("seed", range(12))
def test_a_gradient_that_is_rounding_alone_is_no_fault(seed):
    """What is added to all scores leaves the probabilities as they are: its layer's gradient is 0, but for rounding."""

    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.scores, self.shift = (
                nn.Sequential(nn.Linear(16, 64), nn.LayerNorm(64), nn.Linear(64, 3)),
                nn.Linear(16, 1),
            )

        def forward(self, batch):
            return self.scores(batch) + self.shift(batch)

    torch.manual_seed(seed)
    batch = torch.randn(6, 16)
    private_gradients(
        Shifted(),
        lambda m, b: F.cross_entropy(m(b), torch.ones(len(b)).long(), reduction="none"),
        batch,
        method="dp-sgd",
        clip_norm=1.0,
        expected_batch_size=1.0,
    )


def test_gradients_with_fewer_digits_than_usual_are_no_fault():
    def faint(model, batch):
        return 1e-42 * model(batch).square().sum(1)

    torch.manual_seed(0)
    private_gradients(
        nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 3)),
        faint,
        torch.randn(5, 4),
        method="dp-sgd",
        clip_norm=1.0,
        expected_batch_size=1.0,
    )
