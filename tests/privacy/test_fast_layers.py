"""Custom layers, numbers without a dimension, autocast, one row for all: the loop's gradients, or a refusal."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import ConvNextConfig, ConvNextModel, DebertaV2Config, DebertaV2Model, ResNetConfig, ResNetModel
from transformers.models.bart.modeling_bart import BartLearnedPositionalEmbedding, BartScaledWordEmbedding
from transformers.models.gemma3.modeling_gemma3 import Gemma3TextScaledWordEmbedding

from trustlab.privacy import private_gradients
from trustlab.privacy.reference import OpacusCopy

WORDS, WIDTH, TIMES, EXAMPLES, PROMPTS = 11, 6, 5, 7, 3


def ids():
    found = torch.randint(1, WORDS, (EXAMPLES, TIMES), generator=torch.Generator().manual_seed(1))
    found[:, 1] = found[:, 0]  # a word said twice
    found[::2, -2:] = 0  # padding
    return found


def states(*shape):
    return torch.randn(EXAMPLES, *(shape or (TIMES, WIDTH)), generator=torch.Generator().manual_seed(2))


def squares(model, batch):
    outputs = model(batch).flatten(1)
    return (outputs * torch.linspace(0.5, 1.5, outputs.shape[1])).square().sum(1)


def by_hand(model, loss, batch, clip_norm):
    """Clip and add each example's gradient, by torch's own backward of that example alone."""
    trained = [p for p in model.parameters() if p.requires_grad]
    total, norms = [torch.zeros_like(p) for p in trained], []
    for i in range(len(batch)):
        gradient = torch.autograd.grad(loss(model, batch[i : i + 1]).sum(), trained, materialize_grads=True)
        norms.append(torch.stack([part.norm() for part in gradient]).norm())
        for into, part in zip(total, gradient, strict=True):
            into += part * min(1.0, clip_norm / norms[-1].item())
    return torch.stack(norms), total


def assert_equal_to_single_examples(model, batch, loss=squares, tolerance=1e-9):
    norms, total = by_hand(model, loss, batch, 1.0)
    for engine in ("loop", "fast"):
        found = private_gradients(
            model, loss, batch, method="dp-sgd", engine=engine, clip_norm=1.0, expected_batch_size=1.0
        )
        torch.testing.assert_close(found.norms, norms.float(), rtol=max(tolerance, 1e-6), atol=1e-6)
        for parameter, expected in zip([p for p in model.parameters() if p.requires_grad], total, strict=True):
            assert (parameter.grad - expected).norm() <= tolerance * expected.norm() + 1e-12


class Temperature(nn.Module):
    """A trainable number without a dimension, alone or beside layers."""

    def __init__(self, inner=None):
        super().__init__()
        self.log_scale, self.inner = nn.Parameter(torch.tensor(0.3)), inner or nn.Identity()

    def forward(self, batch):
        return self.inner(batch) * self.log_scale.exp()


class Embedded(nn.Module):
    """Some embedding of words before one layer that reads it."""

    def __init__(self, words, tied=False):
        super().__init__()
        self.words, self.out = words, nn.Linear(WIDTH, WORDS)
        if tied:
            self.out.weight = words.weight

    def forward(self, batch):
        return self.out(self.words(batch).tanh())


class Scaled(nn.Embedding):
    def forward(self, batch):
        return 2.0 * super().forward(batch)


class Table(nn.Module):
    """Rows of the layer's own parameter, picked by F.embedding or by index."""

    def __init__(self, by_index):
        super().__init__()
        self.weight, self.by_index = nn.Parameter(torch.randn(WORDS, WIDTH)), by_index

    def forward(self, batch):
        return 3.0 * (self.weight[batch - 1] if self.by_index else F.embedding(batch, self.weight, padding_idx=-WORDS))


class Lora(nn.Linear):
    """A layer of torch with two more weights, through the same function."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.down, self.up = nn.Parameter(torch.randn(2, inputs)), nn.Parameter(torch.randn(outputs, 2))

    def forward(self, batch):
        return super().forward(batch) + F.linear(F.linear(batch, self.down), self.up)


class Standardised(nn.Linear):
    """The weight itself is changed on the way: no known function reads it."""

    def forward(self, batch):
        return F.linear(batch, self.weight - self.weight.mean(1, keepdim=True), self.bias)


class TwoUses(nn.Embedding):
    """Known at first sight, and then not: what was recorded by then has to be forgotten."""

    def forward(self, batch):
        return F.dropout(super().forward(batch), 0.0) * self.weight.norm()


class Positions(nn.Module):
    """nanoGPT's positions: no dimension of examples at all."""

    def __init__(self):
        super().__init__()
        self.words, self.positions = nn.Embedding(WORDS, WIDTH), nn.Embedding(TIMES, WIDTH)

    def forward(self, batch):
        return self.words(batch) + self.positions(torch.arange(batch.shape[1]))


class InOneDimension(nn.Module):
    """OPT and mixtures of experts compute the tokens of all examples as rows of one matrix."""

    def __init__(self, first):
        super().__init__()
        self.first, self.second, self.norm = first, nn.Linear(4, 3), Scale(3)

    def forward(self, batch):
        rows = self.first(batch.flatten(0, 1) if batch.is_floating_point() else batch.flatten())
        return self.norm(self.second(rows).tanh()).unflatten(0, batch.shape[:2])


class Scale(nn.Module):
    """A layer that no rule knows."""

    def __init__(self, width):
        super().__init__()
        self.gain = nn.Parameter(torch.linspace(0.5, 2, width))

    def forward(self, rows):
        return rows * self.gain


class Biased(nn.Module):
    """T5's attention looks up one bias for the places of all examples, [1, heads, T, T]."""

    def __init__(self):
        super().__init__()
        self.attention = Attention()

    def forward(self, batch):
        return self.attention(batch)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.bias = nn.Linear(WIDTH, 4), nn.Embedding(2 * TIMES, 2)

    def forward(self, batch):
        places = torch.arange(batch.shape[1])
        bias = self.bias(places[:, None] - places + TIMES).permute(2, 0, 1)[None]  # [1, heads, T, T]
        query = self.query(batch).unflatten(2, (2, 2)).transpose(1, 2)  # [B, heads, T, 2]
        return ((query @ query.mT + bias).softmax(-1) @ query).flatten(1)


class Outside(nn.Module):
    """Mamba computes with its convolution's weight, without a call of the convolution."""

    def __init__(self):
        super().__init__()
        self.mixer, self.out = Mixer(), nn.Linear(TIMES - 1, 2)

    def forward(self, batch):
        return self.out(self.mixer(batch))


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(WIDTH, WIDTH, 2, groups=WIDTH)

    def forward(self, batch):
        return nn.functional.conv1d(batch.mT, self.conv.weight, self.conv.bias, groups=WIDTH)


class Read(nn.Module):
    """The outputs and the last state of a recurrent layer."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, batch):
        output, last = self.layer(batch)
        return torch.cat([output.flatten(1), last.transpose(0, 1).flatten(1)], dim=1)


LAYERS = {
    "one output for all examples": (Positions, ids()),
    "tokens in one dimension": (lambda: InOneDimension(nn.Linear(WIDTH, 4)), states()),
    "words in one dimension": (lambda: InOneDimension(nn.Embedding(WORDS, 4)), ids()),
    "one bias for all examples": (Biased, states()),
    "a weight outside its layer": (Outside, states()),
    "GRU": (lambda: Read(nn.GRU(WIDTH, 3, batch_first=True)), states()),
    "GRU, two layers, both directions": (
        lambda: Read(nn.GRU(WIDTH, 3, 2, batch_first=True, bidirectional=True)),
        states(),
    ),
    "GRU without bias": (lambda: Read(nn.GRU(WIDTH, 3, bias=False, batch_first=True)), states()),
    "RNN": (lambda: Read(nn.RNN(WIDTH, 3, batch_first=True)), states()),
    "RNN of ReLUs": (lambda: Read(nn.RNN(WIDTH, 3, nonlinearity="relu", batch_first=True)), states()),
    "scalar at the root": (lambda: Temperature(nn.Linear(WIDTH, 3)), states()),
    "scalar of a layer": (lambda: nn.Sequential(nn.Linear(WIDTH, 3), Temperature()), states()),
    "scalar used twice": (lambda: (lambda own: nn.Sequential(own, nn.Linear(WIDTH, 3), own))(Temperature()), states()),
    "scaled embedding": (lambda: Embedded(Scaled(WORDS, WIDTH, padding_idx=0)), ids()),
    "scaled embedding, tied": (lambda: Embedded(Scaled(WORDS, WIDTH, padding_idx=0), tied=True), ids()),
    "embedding with padding, tied": (lambda: Embedded(nn.Embedding(WORDS, WIDTH, padding_idx=0), tied=True), ids()),
    "embedding": (lambda: Embedded(nn.Embedding(WORDS, WIDTH)), ids()),
    "BART's words": (lambda: Embedded(BartScaledWordEmbedding(WORDS, WIDTH, 0, embed_scale=4.0)), ids()),
    "BART's positions": (lambda: Embedded(BartLearnedPositionalEmbedding(9, WIDTH)), ids()),
    "Gemma's words": (lambda: Embedded(Gemma3TextScaledWordEmbedding(WORDS, WIDTH, 0, embed_scale=3.0)), ids()),
    "table by function": (lambda: Table(by_index=False), ids()),
    "table by index, negative ones too": (lambda: Table(by_index=True), ids()),
    "LoRA in a subclass": (lambda: Lora(WIDTH, 4), states()),
    "weight changed on the way": (lambda: Standardised(WIDTH, 4), states()),
    "two uses": (lambda: TwoUses(WORDS, WIDTH), ids()),
    "weight norm": (lambda: nn.Sequential(nn.Tanh(), parametrizations.weight_norm(nn.Linear(WIDTH, 3))), states()),
    "weight norm of a convolution": (lambda: parametrizations.weight_norm(nn.Conv1d(TIMES, 3, 2)), states()),
    "orthogonal weight": (lambda: parametrizations.orthogonal(nn.Linear(WIDTH, 3)), states()),
    "grouped, dilated convolution": (lambda: nn.Conv2d(4, 8, 3, groups=2, dilation=2, stride=2), states(4, 9, 9)),
    "transposed convolution": (lambda: nn.ConvTranspose2d(4, 6, 3, groups=2, dilation=2), states(4, 5, 5)),
    "convolution in space": (lambda: nn.Conv3d(2, 3, 2), states(2, 3, 3, 3)),
    "circular convolution": (lambda: nn.Conv1d(4, 4, 3, padding=1, padding_mode="circular"), states(4, 9)),
    "instance norm": (lambda: nn.InstanceNorm2d(4, affine=True), states(4, 5, 5)),
    "PReLU": (lambda: nn.PReLU(TIMES), states()),
    "bag of words": (lambda: nn.EmbeddingBag(WORDS, WIDTH, mode="sum", padding_idx=0), ids()),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_every_kind_give_the_gradients_of_single_examples(name):
    make, batch = LAYERS[name]
    torch.manual_seed(0)
    model = make().double()
    batch = batch.double() if batch.is_floating_point() else batch
    assert_equal_to_single_examples(model, batch)
    model.requires_grad_(True)
    first = next(iter(model.parameters()))
    if sum(1 for _ in model.parameters()) > 1:  # what is trained may change between two steps
        first.requires_grad_(False)
        assert_equal_to_single_examples(model, batch)


@pytest.mark.parametrize("examples", [0, 1])
@pytest.mark.parametrize("name", ["scalar at the root", "scaled embedding", "weight norm"])
def test_an_empty_batch_and_a_single_example(name, examples):
    make, batch = LAYERS[name]
    model = make().double()
    batch = (batch.double() if batch.is_floating_point() else batch)[:examples]
    if examples:
        assert_equal_to_single_examples(model, batch)
    else:
        norms = private_gradients(model, squares, batch, method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
        assert len(norms.norms) == 0 and not any(p.grad.any() for p in model.parameters())


@pytest.mark.parametrize("kind", ["hooks", "functorch"])
def test_opacus_norms_count_a_number_without_a_dimension(kind):
    class Batch:
        def __init__(self, states):
            self.states, self.attention_mask = states, torch.ones(len(states), 1)

        def __len__(self):
            return len(self.states)

        def __getitem__(self, index):
            return Batch(self.states[index])

    model, batch = nn.Sequential(nn.Linear(WIDTH, 3), Temperature()), states(WIDTH)
    loss = lambda model, batch: squares(model, batch.states)  # noqa: E731
    copy = OpacusCopy(model, loss, clip_norm=1.0, expected_batch_size=1, engine=kind)
    copy.backward(Batch(batch))
    torch.testing.assert_close(copy.norms(), by_hand(model, squares, batch, 1.0)[0], rtol=1e-5, atol=1e-6)


class Largest(TorchDispatchMode):
    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self.numbers = max(self.numbers, leaf.numel())
        return result


@pytest.mark.parametrize(
    "make",
    [
        lambda: Scaled(5000, 8),
        lambda: BartScaledWordEmbedding(5000, 8, 0, embed_scale=4.0),
        lambda: Gemma3TextScaledWordEmbedding(5000, 8, 0, embed_scale=3.0),
        lambda: nn.Sequential(nn.Embedding(5000, 8), Lora(8, 5000)),
    ],
)
def test_no_gradient_of_every_example_is_held_for_a_large_table(make):
    model, batch = make(), torch.randint(1, 5000, (64, 3))
    options = dict(method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
    private_gradients(model, squares, batch, **options)  # the first step also looks whether examples mix
    with Largest() as largest:
        private_gradients(model, squares, batch, **options)
    assert largest.numbers <= 64 * 3 * 5000  # the outputs of the last; 64 tables would be 64 × 40,000 = 2.56 million


def test_a_layer_that_changes_its_input_in_place_is_refused():
    class Overwrites(nn.Linear):
        def forward(self, batch):
            batch.mul_(2.0)
            return F.linear(batch, self.weight + 0.0, self.bias)

    model = nn.Sequential(nn.Linear(WIDTH, WIDTH), Overwrites(WIDTH, 2))
    with pytest.raises(ValueError, match=r"'1' .Overwrites. to leave its inputs alone"):
        private_gradients(model, squares, states(), method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)


# ---- autocast ------------------------------------------------------------------------------------------------------


def convnext():
    sizes = dict(patch_size=2, hidden_sizes=[4, 8], depths=[1, 1], num_stages=2, drop_path_rate=0.0)
    return ConvNextModel(ConvNextConfig(num_channels=3, layer_scale_init_value=1.0, **sizes))


def resnet():
    model = ResNetModel(ResNetConfig(embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type="basic")).eval()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("convolution" in name)
    return model


def pooled(model, batch):
    return model(pixel_values=batch).pooler_output.flatten(1).float().square().sum(1)


AUTOCAST = {
    "two convolutions": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)), squares),
    "a trained norm of frozen statistics": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3)).eval(),
        squares,
    ),
    "ConvNeXt": (convnext, pooled),
    "ResNet": (resnet, pooled),
}


@pytest.mark.parametrize("name", AUTOCAST)
def test_autocast_reaches_layers_without_a_rule(name):
    make, loss = AUTOCAST[name]
    torch.manual_seed(0)
    model, batch = make(), states(3, 16, 16)
    exact_norms, exact = by_hand(model, loss, batch, 1.0)
    with torch.autocast("cpu", torch.bfloat16):
        found = private_gradients(model, loss, batch, method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
    torch.testing.assert_close(found.norms, exact_norms, rtol=0.05, atol=0)  # bfloat16 keeps 8 bits
    ours = torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])
    exact = torch.cat([part.flatten() for part in exact])
    assert (ours - exact).norm() <= 0.05 * exact.norm()


def test_autocast_in_evaluation_mode_sees_every_gradient():
    """The look at a model runs it without a graph; autocast then kept weights from which no gradient comes."""
    torch.manual_seed(0)
    model = nn.TransformerEncoderLayer(WIDTH, 2, dim_feedforward=9, batch_first=True).eval()
    with torch.autocast("cpu", torch.bfloat16):
        private_gradients(model, squares, states(), method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
    assert all(parameter.grad.any() for parameter in model.parameters())


# ---- one row for all -----------------------------------------------------------------------------------------------


class Prompted(nn.Module):
    """Prompt tuning and P-tuning: learned vectors before the words, made in `prompts(model, examples)`."""

    def __init__(self, prompts):
        super().__init__()
        self.prompts = prompts
        self.words, self.vectors = nn.Embedding(WORDS, WIDTH), nn.Embedding(PROMPTS, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 8), nn.ReLU(), nn.Linear(8, WIDTH))
        self.out = nn.Linear(WIDTH, 2)

    def forward(self, batch):
        return self.out(torch.cat([self.prompts(self, len(batch)), self.words(batch)], 1).tanh())


NUMBERS = torch.arange(PROMPTS)
RIGHT = {
    "a row of ids for each example": lambda m, n: m.mlp(m.vectors(NUMBERS.expand(n, -1))),
    "one row of ids, expanded": lambda m, n: m.mlp(m.vectors(NUMBERS[None])).expand(n, -1, -1),
    "one row, repeated": lambda m, n: m.mlp(m.vectors(NUMBERS[None])).repeat(n, 1, 1),
    "one row, its order changed": lambda m, n: m.mlp(m.vectors(NUMBERS[None])[0]).flip(0)[None].expand(n, -1, -1),
    "no row at all": lambda m, n: m.mlp(m.vectors(NUMBERS)).expand(n, -1, -1),
    "no row, repeated": lambda m, n: m.vectors(NUMBERS).repeat(n, 1, 1),
    "no row, turned": lambda m, n: m.vectors(NUMBERS).T.unsqueeze(0).mT.expand(n, -1, -1),
    "as many copies as examples": lambda m, n: m.vectors(NUMBERS[None]).repeat(3, 1, 1)[0].expand(n, -1, -1),
    "one row of ids, broadcast": lambda m, n: m.mlp(m.vectors(NUMBERS[None])) + torch.zeros(n, 1, 1).double(),
}
REFUSED = {
    "one row, put together": (
        lambda m, n: torch.cat([m.mlp(m.vectors(NUMBERS[None]))] * n),
        r"a row for each of 3 examples from 'vectors', got one row for all.* ids.expand\(len\(batch\), -1\)",
    ),
    "the weight itself": (lambda m, n: m.vectors.weight.repeat(n, 1, 1), "'vectors.weight' to be used by calling"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_prompts_are_right_where_each_example_has_its_row(name):
    torch.manual_seed(0)
    assert_equal_to_single_examples(Prompted(RIGHT[name]).double(), ids())


@pytest.mark.parametrize("name", REFUSED)
def test_prompts_that_cannot_be_told_apart_are_refused_with_a_way_out(name):
    prompts, message = REFUSED[name]
    model = Prompted(prompts)
    with pytest.raises(ValueError, match=message):
        private_gradients(model, squares, ids(), method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
    private_gradients(model, squares, ids(), method="dp-sgd", engine="loop", clip_norm=1.0, expected_batch_size=1.0)


def test_deberta_is_refused_by_name():
    sizes = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12)
    own = dict(relative_attention=True, pos_att_type=["p2c", "c2p"], max_position_embeddings=12)
    model = DebertaV2Model(DebertaV2Config(vocab_size=40, **sizes, **own)).eval()
    loss = lambda model, batch: model(input_ids=batch).last_hidden_state[:, :, :3].square().sum((1, 2))  # noqa: E731
    with pytest.raises(ValueError, match=r"a row for each of 3 examples from .*pos_key_proj"):
        private_gradients(model, loss, ids() + 1, method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)


def test_an_error_of_the_users_own_is_shown_as_it_is():
    def loss(model, batch):
        model(batch)
        raise RuntimeError("of my own")

    model = Prompted(RIGHT["one row of ids, expanded"])
    with pytest.raises(RuntimeError, match="of my own"):
        private_gradients(model, loss, ids(), method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)


def test_texts_of_another_length_follow_in_one_dimension_too():
    """What a first batch shows of its five tokens is not taken for a rule: the next has three, or one."""
    torch.manual_seed(0)
    model = InOneDimension(nn.Embedding(WORDS, 4)).double()
    for length in (TIMES, 3, 1, TIMES):
        assert_equal_to_single_examples(model, ids()[:, :length])


def test_rows_in_one_dimension_that_are_not_examples_in_turn_are_refused():
    class TimeFirst(InOneDimension):
        def forward(self, batch):
            return super().forward(batch.transpose(0, 1).contiguous()).transpose(0, 1)

    with pytest.raises(ValueError, match=r"stay apart in|rows are not the examples"):
        private_gradients(
            TimeFirst(nn.Linear(WIDTH, 4)), squares, states(), method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0
        )
