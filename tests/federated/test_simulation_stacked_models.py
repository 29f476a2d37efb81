"""Recurrent layers and transformers of transformers, stacked: each client's steps are those that it takes alone."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.data import TensorDataset

from trustlab.federated.simulation import FederatedConfig, Task, simulate
from trustlab.federated.simulation.recurrent_layers import run_recurrent

SIZES, WORDS, LENGTH, LABELS = (12, 3, 1, 9), 40, 7, 3


def texts():
    """Words, and zeros after the end of each text."""
    ids = torch.randint(1, WORDS, (sum(SIZES), LENGTH), generator=torch.Generator().manual_seed(0))
    for row, length in zip(ids, itertools.cycle((7, 2, 5, 1)), strict=False):
        row[length:] = 0
    return TensorDataset(ids, torch.arange(len(ids)) % LABELS)


def classified(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1], reduction="none")


def continued(model, batch):
    ids = batch[0]
    logits = model(input_ids=ids, attention_mask=(ids > 0).long()).logits[:, :-1]
    return F.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none").mean(1)


class Reader(nn.Module):
    """Words through a recurrent layer, whose outputs and last states are both read."""

    def __init__(self, kind, packed=True, width=LENGTH, **options):
        super().__init__()
        self.width = width
        self.packed, self.first = packed, options.setdefault("batch_first", True)
        self.embedding = nn.Embedding(WORDS, 5, padding_idx=0)
        self.body = kind(5, 4, **options)
        states = 4 * (2 if options.get("bidirectional") else 1)
        self.head = nn.Linear(states + states * options.get("num_layers", 1), LABELS)

    def forward(self, ids):
        x = self.embedding(ids)
        x = x if self.first else x.transpose(0, 1)
        if self.packed:
            lengths = (ids > 0).sum(1).cpu()
            x = pack_padded_sequence(x, lengths, batch_first=self.first, enforce_sorted=False)
        states, last = self.body(x)
        if self.packed:
            states, _ = pad_packed_sequence(states, batch_first=self.first, total_length=self.width)
        states = states.mean(1 if self.first else 0)
        last = last[0] + last[1] if isinstance(last, tuple) else last
        return self.head(torch.cat([states, last.transpose(0, 1).flatten(1)], dim=1))


class Encoder(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.body, self.head = body, nn.Linear(16, LABELS)

    def forward(self, ids):
        return self.head(self.body(input_ids=ids, attention_mask=(ids > 0).long()).last_hidden_state.mean(1))


def transformers_of(kind, config, **options):
    import transformers

    small = dict(vocab_size=WORDS, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    small |= dict(max_position_embeddings=16, bos_token_id=None, eos_token_id=None)
    return getattr(transformers, kind)(getattr(transformers, config)(**small, **options))


NO_DROPOUT = dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), 0.0)
NO_DROPOUT |= dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
CASES = {
    "LSTM": lambda: Reader(nn.LSTM),
    "BiLSTM of two layers": lambda: Reader(nn.LSTM, num_layers=2, bidirectional=True),
    "LSTM, not packed": lambda: Reader(nn.LSTM, packed=False, bidirectional=True),
    "LSTM, time first": lambda: Reader(nn.LSTM, batch_first=False, num_layers=2),
    "LSTM, time first, not packed": lambda: Reader(nn.LSTM, packed=False, batch_first=False),
    "GRU": lambda: Reader(nn.GRU, bidirectional=True),
    "GRU without bias": lambda: Reader(nn.GRU, bias=False, num_layers=2),
    "RNN of ReLU": lambda: Reader(nn.RNN, nonlinearity="relu", bidirectional=True),
    "BERT": lambda: Encoder(transformers_of("BertModel", "BertConfig", **NO_DROPOUT)),
    "GPT-2, tied": lambda: transformers_of("GPT2LMHeadModel", "GPT2Config", **NO_DROPOUT),
    "Llama": lambda: transformers_of("LlamaForCausalLM", "LlamaConfig"),
}


def trained(name, engine, **options):
    torch.manual_seed(1)
    model, data = CASES[name](), texts()
    loss = continued if name in ("GPT-2, tied", "Llama") else classified
    task = Task(model, data, data, loss, lambda model, batch: {})
    clients = np.split(np.arange(sum(SIZES)), np.cumsum(SIZES)[:-1])
    given = (
        dict(rounds=2, clients_per_round=4, local_epochs=2, batch_size=4, learning_rate=0.2, engine=engine) | options
    )
    start = weights(model)
    rows = list(simulate(task, clients, FederatedConfig(**given), model=model))
    return start, weights(model), rows


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("name", CASES)
def test_stacked_steps_are_those_taken_alone(name):
    start, alone, expected = trained(name, "sequential")
    _, stacked, rows = trained(name, "stacked")
    assert (stacked - alone).norm() <= 1e-5 * (alone - start).norm()
    for row, wanted in zip(rows, expected, strict=True):
        assert row["train_loss"] == pytest.approx(wanted["train_loss"], rel=1e-4)


def test_each_client_reads_by_its_own_weights():
    torch.manual_seed(0)
    layers = [nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True) for _ in range(3)]
    own = [dict(layer.named_parameters()) for layer in layers]
    names = {id(parameter): name for name, parameter in own[0].items()}
    x = torch.randn(6, 5, 3)
    found, ends = run_recurrent(layers[0], lambda p: torch.stack([each[names[id(p)]] for each in own]), x)
    for k, layer in enumerate(layers):
        output, last = layer(x[2 * k : 2 * k + 2])
        torch.testing.assert_close(found[2 * k : 2 * k + 2], output)
        torch.testing.assert_close([each[:, 2 * k : 2 * k + 2] for each in ends], list(last))


class Started(Reader):
    """Begins with a state that is trained."""

    def __init__(self):
        super().__init__(nn.GRU, packed=False)
        self.state = nn.Parameter(torch.zeros(1, 1, 4))

    def forward(self, ids):
        _, last = self.body(self.embedding(ids), self.state.expand(1, len(ids), 4).contiguous())
        return self.head(torch.cat([last[0], last[0]], dim=1))


@pytest.mark.parametrize("make", [Started, lambda: Reader(nn.LSTM, width=None)])
def test_what_depends_on_more_than_the_clients_texts_is_not_stacked_and_the_row_says_why(make, monkeypatch):
    """A mean over a length that the longest text of a batch decides is one of other clients' texts, once stacked."""
    monkeypatch.setitem(CASES, "unlike", make)
    _, _, rows = trained("unlike", "auto")
    assert rows[0]["engine"] == "sequential" and rows[0]["engine_note"]
