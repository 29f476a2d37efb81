"""Models that read words and generate words: a small encoder–decoder, and pretrained ones by name.

Both have one interface: ``model(input_ids [B, T], attention_mask [B, T], targets [B, S])`` is the log probability
[B, S] of each target after those before it, and ``model.say(input_ids, attention_mask, longest=…)`` what the model
would generate. Padding never changes what a real token gets, and no operation mixes examples. B batch, T tokens read,
S tokens generated, V vocabulary, D width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trustlab.models.pretrained import load_whole
from trustlab.models.taggers import Block, check_heads, token_positions
from trustlab.models.vocabulary import IGNORE, PADDING
from trustlab.places import model_name

SMALLEST = 1e-9  # a probability is never 0: its logarithm is a loss


class _Speaker(nn.Module):
    """What both models share: targets moved by one, and saying the most probable token until the end."""

    start: int
    stop: int

    def read(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the states of what is read [B, T, D]."""
        raise NotImplementedError

    def of_targets(
        self, states: Tensor, input_ids: Tensor, attention_mask: Tensor, said: Tensor, targets: Tensor
    ) -> Tensor:
        """Return the log probability [B, S] of `targets`, each after those `said` up to its place."""
        raise NotImplementedError

    def next_token(self, states: Tensor, input_ids: Tensor, attention_mask: Tensor, said: Tensor) -> Tensor:
        """Return scores [B, V] of the token after all of those `said` [B, S]; the largest is the most probable."""
        raise NotImplementedError

    def forward(self, input_ids: Tensor, attention_mask: Tensor, targets: Tensor) -> Tensor:
        """Return the log probability [B, S] of each target after those before it; 0 where targets are ``IGNORE``."""
        asked = targets != IGNORE
        targets = targets.masked_fill(~asked, PADDING)
        said = torch.cat([torch.full_like(targets[:, :1], self.start), targets[:, :-1]], dim=1)
        found = self.of_targets(self.read(input_ids, attention_mask), input_ids, attention_mask, said, targets)
        return torch.where(asked, found, 0.0)

    @torch.no_grad()
    def say(self, input_ids: Tensor, attention_mask: Tensor, *, longest: int) -> list[list[int]]:
        """Return the most probable token after the most probable ones, up to the stop, for each example."""
        states = self.read(input_ids, attention_mask)
        said = torch.full_like(input_ids[:, :1], self.start)
        ended = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        while said.shape[1] <= longest and not ended.all():
            token = self.next_token(states, input_ids, attention_mask, said).argmax(-1)
            said = torch.cat([said, token[:, None]], dim=1)
            ended |= token == self.stop
        rows = said[:, 1:].tolist()
        return [row[: row.index(self.stop)] if self.stop in row else row for row in rows]


class EncoderDecoder(_Speaker):
    """A small pre-norm transformer that reads and generates words of one list, trained from scratch.

    It may copy a word that it reads instead of choosing one of the list, with a gate g that it learns too: p = g·p_list
    + (1 − g)·p_copied (the pointer-generator of See, Liu and Manning 2017). The targets are mostly names and times
    from the input, and a few thousand examples are not enough to learn copying from nothing.

    Parameters
    ----------
    words
        Size of the word list; the output's weights are the embedding's.
    start, stop
        Ids of the word before the first and after the last.
    width, heads, layers
        State width D, attention heads (dividing D), and blocks on either side.
    max_length
        Longest input or output in tokens.

    Examples
    --------
    >>> model = EncoderDecoder(words=20, start=2, stop=3, width=8, heads=2, layers=1)
    >>> ids = torch.tensor([[5, 6, 3]])
    >>> model(ids, ids > 0, torch.tensor([[7, 3]])).shape
    torch.Size([1, 2])
    """

    def __init__(
        self,
        words: int,
        *,
        start: int,
        stop: int,
        width: int = 64,
        heads: int = 4,
        layers: int = 2,
        max_length: int = 48,
    ) -> None:
        super().__init__()
        check_heads(width, heads)
        self.start, self.stop, self.max_length = start, stop, max_length
        self.embedding = nn.Embedding(words, width, padding_idx=PADDING)
        # The output reads the same table: entries of scale 1 would make the first logits as large as √D.
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.position = nn.Embedding(max_length, width)
        nn.init.normal_(self.position.weight, std=0.1)
        self.encoder = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.decoder = nn.ModuleList(DecoderBlock(width, heads) for _ in range(layers))
        self.norm_read, self.norm_said = nn.LayerNorm(width), nn.LayerNorm(width)
        self.pointer, self.gate = nn.Linear(width, width), nn.Linear(width, 1)

    def read(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the encoder's states [B, T, D]."""
        states = self._embed(input_ids)
        for block in self.encoder:
            states = block(states, attention_mask)
        return self.norm_read(states)

    def of_targets(
        self, states: Tensor, input_ids: Tensor, attention_mask: Tensor, said: Tensor, targets: Tensor
    ) -> Tensor:
        """Return log probabilities [B, S]."""
        own, looks, gate = self._choices(states, attention_mask, said)
        scores = F.linear(own, self.embedding.weight)  # [B, S, V]
        of_target = (own * F.embedding(targets, self.embedding.weight)).sum(-1, keepdim=True)
        chosen = (of_target - scores.logsumexp(-1, keepdim=True)).exp()  # [B, S, 1]
        copied = (looks * (input_ids[:, None, :] == targets[..., None])).sum(-1, keepdim=True)
        return (gate * chosen + (1 - gate) * copied + SMALLEST).log()[..., 0]

    def next_token(self, states: Tensor, input_ids: Tensor, attention_mask: Tensor, said: Tensor) -> Tensor:
        """Return probabilities [B, V]."""
        own, looks, gate = (part[:, -1] for part in self._choices(states, attention_mask, said))
        chosen = F.linear(own, self.embedding.weight).softmax(-1)
        return (gate * chosen).scatter_add(1, input_ids, (1 - gate) * looks)

    def _choices(self, states: Tensor, attention_mask: Tensor, said: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the decoder's states [B, S, D], where it would copy from [B, S, T], and the gate [B, S, 1]."""
        own = self._embed(said)
        for block in self.decoder:
            own = block(own, states, attention_mask)
        own = self.norm_said(own)
        looks = self.pointer(own) @ states.transpose(1, 2) / states.shape[-1] ** 0.5
        looks = looks.masked_fill(~attention_mask[:, None, :], -torch.inf).softmax(-1)
        return own, looks, self.gate(own).sigmoid()

    def _embed(self, ids: Tensor) -> Tensor:
        return self.embedding(ids) + self.position(token_positions(ids, self.max_length))


class DecoderBlock(nn.Module):
    """Attention to the generated tokens, attention to the input, and a feed-forward layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_own, self.norm_read, self.norm_feed = (nn.LayerNorm(width) for _ in range(3))
        self.own, self.out_own = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.query, self.read, self.out_read = (
            nn.Linear(width, width),
            nn.Linear(width, 2 * width),
            nn.Linear(width, width),
        )
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, own: Tensor, states: Tensor, mask: Tensor) -> Tensor:
        """Map `own` [B, S, D] to the same shape; each looks at those before it and at `states` [B, T, D]."""
        q, k, v = self.own(self.norm_own(own)).chunk(3, dim=-1)
        own = own + self.out_own(self._attend(q, k, v, causal=True))
        k, v = self.read(states).chunk(2, dim=-1)
        own = own + self.out_read(self._attend(self.query(self.norm_read(own)), k, v, mask=mask[:, None, None, :]))
        return own + self.down(F.gelu(self.up(self.norm_feed(own))))

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, *, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """Mix `v` [B, T, D] by the scores of `q` [B, S, D] and `k` [B, T, D]: [B, S, D]."""
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))  # [B, H, ·, D/H]
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
        return mixed.transpose(1, 2).flatten(2)


class PretrainedSeq2Seq(_Speaker):
    """A pretrained encoder–decoder such as BART, with its own tokens.

    Parameters
    ----------
    name
        A ``transformers`` name or a folder.
    longest
        Texts are cut to this many tokens.
    """

    def __init__(self, name: str, *, longest: int) -> None:
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        super().__init__()
        self.longest = longest
        self.tokenizer = AutoTokenizer.from_pretrained(model_name(name))
        self.network = load_whole(AutoModelForSeq2SeqLM, model_name(name))
        for module in self.network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # a run is to depend on its seed alone
        self.start, self.stop = self.network.config.decoder_start_token_id, self.network.config.eos_token_id

    def encode_words(self, texts: Sequence[Sequence[str]]) -> list[list[int]]:
        """Return the ids of texts in words, the stop last."""
        content = [ids[: self.longest - 1] for ids in self._plain(texts)]
        return [[*ids, self.stop] for ids in content]

    def words(self, ids: Sequence[int]) -> list[str]:
        """Return `ids` in words."""
        return self.tokenizer.decode(ids, skip_special_tokens=True).split()

    def read(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the encoder's states [B, T, D]."""
        return self.network.get_encoder()(input_ids=input_ids, attention_mask=attention_mask.long()).last_hidden_state

    def of_targets(
        self, states: Tensor, input_ids: Tensor, attention_mask: Tensor, said: Tensor, targets: Tensor
    ) -> Tensor:
        """Return log probabilities [B, S]."""
        logits = self._logits(states, attention_mask, said)
        return logits.log_softmax(-1).gather(-1, targets[..., None])[..., 0]

    def next_token(self, states: Tensor, input_ids: Tensor, attention_mask: Tensor, said: Tensor) -> Tensor:
        """Return logits [B, V]."""
        return self._logits(states, attention_mask, said)[:, -1]

    def _logits(self, states: Tensor, attention_mask: Tensor, said: Tensor) -> Tensor:
        return self.network(
            encoder_outputs=(states,),
            attention_mask=attention_mask.long(),
            decoder_input_ids=said,
            use_cache=False,
        ).logits

    def _plain(self, texts: Sequence[Sequence[str]]) -> list[list[int]]:
        """Return ids without the tokenizer's own marks at either end."""
        return self.tokenizer([" ".join(text) for text in texts], add_special_tokens=False)["input_ids"]
