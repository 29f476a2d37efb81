"""Which architectures the fast engine trains exactly, on small models with random weights, in three ways.

``python -m benchmarks architectures`` prints a table, and with ``--write`` stores it and writes it into
``docs/architectures.md``.
A model is right where the clipped sum of ``private_gradients`` is that of autograd, example by example, from one
forward with the same random numbers: in single precision and evaluation mode (``fp32``), under bfloat16 autocast
(``bf16``, where rounding may do three times as much as it does to autograd), and in training mode with its own dropout
(``train``). A difference is reported as one; a refusal with its reason.

``transformers`` builds the models from configurations: no weights are downloaded.
"""

from __future__ import annotations

import argparse
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from benchmarks.adapters import ADAPTERS, adapted, biases_only
from benchmarks.turns import store
from trustlab.lab.display import table
from trustlab.privacy import private_gradients
from trustlab.privacy.labelled_loss import labelled_loss
from trustlab.privacy.recomputation import not_reentrant
from trustlab.results import read_results
from trustlab.versions import ROOT

NAME, PAGE = "architectures", ROOT / "docs" / "architectures.md"
WORDS, TOKENS, EXAMPLES, LABELS, CLIP_NORM = 40, 6, 3, 3, 0.1
WAYS = ("fp32", "bf16", "train")
NEAR = 1e-3  # of the length of a parameter's gradient; and three times what bfloat16 does to autograd's
STEP: dict[str, Any] = dict(method="dp-sgd", clip_norm=CLIP_NORM, expected_batch_size=EXAMPLES)
CAUSAL, CLASSIFIER, SEQ2SEQ = "causal", "classifier", "seq2seq"
TRANSFORMERS: dict[str, str] = {
    CAUSAL: "GPT2 GPTNeo GPTNeoX GPTJ OPT Bloom Mpt Falcon Llama Mistral Mixtral Qwen2 Qwen2Moe Qwen3 Gemma Gemma2 Phi "
    "Phi3 Olmo Olmo2 StableLm Starcoder2 SmolLM3 Granite Cohere Glm Helium Ernie4_5 Persimmon XGLM BioGpt Mamba Jamba",
    CLASSIFIER: "Bert Roberta DistilBert Albert Electra MPNet Deberta DebertaV2 XLNet ConvBert SqueezeBert "
    "Nystromformer FNet RoFormer XLMRoberta Camembert Ernie ModernBert RemBert Longformer BigBird Funnel",
    SEQ2SEQ: "T5 MT5 UMT5 SwitchTransformers LongT5 Bart MBart Pegasus Marian Blenderbot ProphetNet LED",
}
# What configurations call their sizes; each takes those that it knows.
SIZES: dict[str, Any] = dict(
    vocab_size=WORDS, hidden_size=16, d_model=16, n_embd=16, dim=16, embedding_size=16, word_embed_proj_dim=16,
    num_hidden_layers=2, num_layers=2, n_layer=2, n_layers=2, encoder_layers=2, decoder_layers=2, num_decoder_layers=2,
    num_encoder_layers=2, num_attention_heads=2, num_heads=2, n_head=2, n_heads=2, encoder_attention_heads=2,
    decoder_attention_heads=2, num_encoder_attention_heads=2, num_decoder_attention_heads=2, num_key_value_heads=2,
    head_dim=8, d_kv=8, d_head=8, rotary_dim=8, intermediate_size=24, d_ff=24, d_inner=24, n_inner=24, hidden_dim=24,
    encoder_ffn_dim=24, decoder_ffn_dim=24, ffn_dim=24, max_position_embeddings=32, n_positions=32, n_ctx=32,
    max_seq_len=32, state_size=4, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=0,
    num_experts=4, num_local_experts=4, moe_intermediate_size=16, shared_expert_intermediate_size=16,
    attention_window=4,
    attention_types=[[["global", "local"], 1]], local_attention=4, num_labels=LABELS, block_sizes=[1, 1],
)  # fmt: skip
Loss = Callable[[nn.Module, Tensor], Tensor]


class Recurrent(nn.Module):
    """A classifier that reads by a recurrent layer."""

    def __init__(self, layer: type[nn.RNNBase]) -> None:
        super().__init__()
        self.words, self.layer, self.out = (
            nn.Embedding(WORDS, 16),
            layer(16, 16, batch_first=True),
            nn.Linear(16, LABELS),
        )

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits [B, L]."""
        return self.out(self.layer(self.words(ids))[0].mean(1))


class Nano(nn.Module):
    """A language model with nanoGPT's positions: one row of numbers for all examples, added to the words."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(WORDS, 16), nn.Embedding(32, 16)
        self.block = nn.TransformerEncoderLayer(16, 2, 24, batch_first=True, norm_first=True)
        self.out = nn.Linear(16, WORDS, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits [B, T, V]."""
        hidden = self.words(ids) + self.positions(torch.arange(ids.shape[1]))
        return self.out(self.block(hidden))


class Recomputed(nn.Module):
    """A classifier whose activations are checkpointed: dropped, and computed again in the backward."""

    def __init__(self, *, reentrant: bool) -> None:
        super().__init__()
        self.reentrant, self.words, self.out = reentrant, nn.Embedding(WORDS, 16), nn.Linear(16, LABELS)
        self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(16, 2, 24, batch_first=True) for _ in range(2))

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits [B, L]."""
        hidden = self.words(ids)
        for block in self.blocks:
            hidden = checkpoint(block, hidden, use_reentrant=self.reentrant)
        return self.out(hidden.mean(1))


class AlwaysTraining(nn.Module):
    """A language model of ``transformers`` with checkpointed activations, which it has in training mode only."""

    def __init__(self) -> None:
        super().__init__()
        self.model = built(CAUSAL, "Llama")
        self.model.gradient_checkpointing_enable()

    def train(self, mode: bool = True) -> AlwaysTraining:
        """Stay in training mode."""
        return super().train()

    def forward(self, **inputs: Any) -> Any:
        """Return what the model returns."""
        return self.model(**inputs)


def _weight_norm(normalise: Callable[[nn.Module], nn.Module]) -> nn.Module:
    model = nn.Sequential(nn.Embedding(WORDS, 16), nn.Flatten(), nn.Linear(16 * TOKENS, LABELS))
    model[2] = normalise(model[2])
    return model


def of_words(model: nn.Module, ids: Tensor) -> Tensor:
    """Return the cross-entropy [B] of the next words."""
    logits = model(ids[:, :-1])
    return F.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none").mean(1)


def of_own_words(model: nn.Module, ids: Tensor) -> Tensor:
    """Return the cross-entropy [B] of the next words of a model that is given its labels, as in Trainer."""
    return labelled_loss(model, {"input_ids": ids, "labels": ids})


def of_labels(model: nn.Module, ids: Tensor) -> Tensor:
    """Return the cross-entropy [B] of a label that the first word decides."""
    return F.cross_entropy(model(ids), ids[:, 0] % LABELS, reduction="none")


OWN: dict[str, tuple[Callable[[], nn.Module], Loss]] = {
    "LSTM": (lambda: Recurrent(nn.LSTM), of_labels),
    "GRU": (lambda: Recurrent(nn.GRU), of_labels),
    "RNN": (lambda: Recurrent(nn.RNN), of_labels),
    "nanoGPT's positions": (Nano, of_words),
    "weight_norm, parametrizations": (lambda: _weight_norm(nn.utils.parametrizations.weight_norm), of_labels),
    "weight_norm, torch.nn.utils": (lambda: _weight_norm(nn.utils.weight_norm), of_labels),
    "checkpoint": (lambda: Recomputed(reentrant=False), of_labels),
    "checkpoint, reentrant": (lambda: Recomputed(reentrant=True), of_labels),
    "gradient_checkpointing_enable": (AlwaysTraining, lambda model, ids: of_transformers(CAUSAL)(model, ids)),
    "biases only": (lambda: biases_only(built(CLASSIFIER, "Bert")), lambda *each: of_transformers(CLASSIFIER)(*each)),
}


def of_transformers(kind: str) -> Loss:
    """Return the loss [B] of a kind of models: next words, a label, or the words again."""

    def loss(model: Any, ids: Tensor) -> Tensor:
        if kind == CAUSAL:
            return of_words(lambda seen: model(input_ids=seen, use_cache=False).logits, ids)
        mask = torch.ones_like(ids)
        if kind == CLASSIFIER:
            return of_labels(lambda seen: model(input_ids=seen, attention_mask=mask).logits, ids)
        logits = model(input_ids=ids, attention_mask=mask, decoder_input_ids=ids, use_cache=False).logits
        return F.cross_entropy(logits.transpose(1, 2), ids, reduction="none").mean(1)

    return loss


def built(kind: str, name: str) -> nn.Module:
    """Return a small model of ``transformers`` with random weights."""
    import transformers

    config = getattr(transformers, f"{name}Config")
    known = set(inspect.signature(config.__init__).parameters) | set(getattr(config, "__annotations__", {}))
    sizes = {name: value for name, value in SIZES.items() if name in known}
    options = config(**sizes) if kind != CLASSIFIER else config(**sizes, id2label={i: str(i) for i in range(LABELS)})
    auto = {
        CAUSAL: transformers.AutoModelForCausalLM,
        CLASSIFIER: transformers.AutoModelForSequenceClassification,
        SEQ2SEQ: transformers.AutoModelForSeq2SeqLM,
    }[kind]
    return auto.from_config(options)


def architectures() -> Iterator[tuple[str, str, Callable[[], nn.Module], Loss]]:
    """Yield the kind and the name of each, what makes it, and its loss."""
    for kind, names in TRANSFORMERS.items():
        for name in names.split():
            yield kind, name, lambda kind=kind, name=name: built(kind, name), of_transformers(kind)
    for name, (make, loss) in OWN.items():
        yield "torch", name, make, loss
    for name in ADAPTERS:
        yield "adapter", name, lambda name=name: adapted(lambda: built(CAUSAL, "Llama"), name), of_own_words


def verdict(model: nn.Module, loss: Loss, way: str) -> str:
    """Return "right", or how far from it, or why it was refused."""
    model.train(way == "train")
    ids = torch.randint(3, WORDS, (EXAMPLES, TOKENS), generator=torch.Generator().manual_seed(0))
    exact = _after(1, lambda: by_autograd(model, loss, ids))
    with torch.autocast("cpu", torch.bfloat16, enabled=way == "bf16"):
        try:
            rounded = _after(1, lambda: by_autograd(model, loss, ids))
        except RuntimeError as error:
            return f"fails without us: {str(error).splitlines()[0]}"
        try:
            _after(1, lambda: private_gradients(model, loss, ids, **STEP))
        except (ValueError, RuntimeError) as error:
            return f"refused: {str(error).splitlines()[0]}"
    found = [parameter.grad for parameter in model.parameters() if parameter.requires_grad]
    largest = max(part.norm() for part in exact)
    off = [
        float((one - true).norm() / (NEAR * true.norm() + 3 * (other - true).norm() + 1e-6 * largest))
        for one, other, true in zip(found, rounded, exact, strict=True)
    ]
    return "right" if max(off) < 1 else f"WRONG, {max(off):.2g} times what rounding explains"


def _after(seed: int, compute: Callable[[], Any]) -> Any:
    torch.manual_seed(seed)
    return compute()


def by_autograd(model: nn.Module, loss: Loss, ids: Tensor) -> list[Tensor]:
    """Return the clipped sum over the batch size from one forward, and a backward for each example."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with not_reentrant():
        losses, total = loss(model, ids), [torch.zeros_like(parameter) for parameter in trained]
        for i in range(len(ids)):
            own = torch.autograd.grad(losses[i], trained, retain_graph=True, materialize_grads=True, allow_unused=True)
            norm = float(torch.stack([part.norm() for part in own]).norm())
            for summed, part in zip(total, own, strict=True):
                summed += part * min(1.0, CLIP_NORM / max(norm, 1e-12)) / len(ids)
    return total


def measure() -> Iterator[dict[str, Any]]:
    """Yield a row for each architecture."""
    for kind, name, make, loss in architectures():
        with warnings.catch_warnings(), torch.random.fork_rng():
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            model = make()
            yield {"kind": kind, "architecture": name, **{way: verdict(model, loss, way) for way in WAYS}}


def page(rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> str:
    """Return ``docs/architectures.md``: what is right, and why the others are not."""
    right = sum(all(row[way] == "right" for way in WAYS) for row in rows)
    lines = [
        f"| {row['kind']} | {row['architecture']} | " + " | ".join(map(_cell, _verdicts(row))) + " |" for row in rows
    ]
    said = {}
    for row in rows:
        said.setdefault(next((v for v in _verdicts(row) if v != "right"), "right"), []).append(row["architecture"])
    reasons = [f"- {', '.join(names)}: {reason}" for reason, names in said.items() if reason != "right"]
    return TEXT.format(
        right=right, all=len(rows), table="\n".join(lines), reasons="\n".join(reasons),
        peers=about["config"]["peers"], command="python -m benchmarks architectures --write",
    )  # fmt: skip


def _verdicts(row: Mapping[str, Any]) -> list[str]:
    return [str(row[way]) for way in WAYS]


def _cell(verdict: str) -> str:
    return verdict.partition(":")[0]


TEXT = """# Architectures under the fast method

`private_gradients(..., engine="fast")` clips every example exactly, or refuses the model by name. {right} of {all}
architectures here are right in all three ways: in single precision (*fp32*), under bfloat16 autocast (*bf16*), and in
training mode with their dropout (*train*). Right means: the clipped sum is that of autograd, example by example, from
one forward with the same random numbers. What is refused trains with `engine="loop"`.

Models are small and have random weights; classifiers and language models of `transformers` are made from their
configurations, and adapters of `peft` are around a small Llama. `{command}` measures again ({peers}).

| kind | architecture | fp32 | bf16 | train |
| --- | --- | --- | --- | --- |
{table}

## Why not

{reasons}
"""


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    rows = list(measure())
    print(table(rows))
    if asked.write:
        print("wrote", store(NAME, rows, [measure], ("transformers", "peft")))
        PAGE.write_text(page(*read_rows()), encoding="utf-8")


def read_rows() -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
    """Return the committed rows, and what they were measured with."""
    found, about = read_results(NAME)
    return found.to_dict("records"), about
