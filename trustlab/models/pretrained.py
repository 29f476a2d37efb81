"""Models by name or folder: all weights that are used come from the checkpoint, or the model is refused by name.

``transformers`` fills what a checkpoint lacks with random numbers and only logs a warning: a language head that was
never saved then gives other probabilities at every call, and half an encoder other vectors.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from trustlab.places import model_name

if TYPE_CHECKING:
    import torch

POOLER = "pooler."  # the sentence head of BERT's pretraining: nothing here uses its output


def load_whole(auto: Any, name: str | os.PathLike[str]) -> torch.nn.Module:
    """Load a model all of whose weights are in the checkpoint, or tied to one that is.

    Parameters
    ----------
    auto
        A class with ``from_pretrained``, such as ``transformers.AutoModelForMaskedLM``.
    name
        A ``transformers`` name or a folder.

    Raises
    ------
    ValueError
        If the checkpoint lacks weights of the model, or has them in another shape; some of them are named.
    """
    model, lacking = _loaded(auto, name)
    _refuse(model, name, lacking)
    return model


def load_encoder(name: str | os.PathLike[str]) -> torch.nn.Module:
    """Load an encoder without a head; a pooler that the checkpoint lacks is taken out and not drawn at random.

    Masked language models are saved without one. Its output is not used here, but random weights would change the
    model's fingerprint, by which vectors are kept, at every call.

    Raises
    ------
    ValueError
        As :func:`load_whole`.

    Examples
    --------
    >>> from trustlab.models import offline_encoder
    >>> type(load_encoder(offline_encoder())).__name__
    'BertModel'
    """
    from transformers import AutoModel

    model, lacking = _loaded(AutoModel, name)
    _refuse(model, name, [weight for weight in lacking if not weight.startswith(POOLER)])
    if any(weight.startswith(POOLER) for weight in lacking):
        model.pooler = None
    return model


def encoder_and_tokenizer(encoder: str | os.PathLike[str] | None = None) -> tuple[torch.nn.Module, Any]:
    """Load an encoder without a head, see :func:`load_encoder`, and its tokenizer.

    Parameters
    ----------
    encoder
        A ``transformers`` name or a folder; None is the offline encoder, see :func:`trustlab.models.offline_encoder`.

    Examples
    --------
    >>> model, tokenizer = encoder_and_tokenizer()
    >>> model.config.hidden_size, tokenizer.is_fast
    (384, True)
    """
    from transformers import AutoTokenizer

    from trustlab.models.encoder import offline_encoder

    source = model_name(encoder) if encoder else offline_encoder()
    return load_encoder(source), AutoTokenizer.from_pretrained(source)


def _loaded(auto: Any, name: str | os.PathLike[str]) -> tuple[torch.nn.Module, list[str]]:
    """Return the model, and its weights that were drawn at random. Tied weights are none of them."""
    # Of another shape is as good as missing; without the flag transformers' own error names neither model nor weight.
    with _no_progress_bar():
        model, info = auto.from_pretrained(name, output_loading_info=True, ignore_mismatched_sizes=True)
    shapes = [f"{weight} (saved {list(saved)}, expected {list(own)})" for weight, saved, own in info["mismatched_keys"]]
    return model, [*sorted(info["missing_keys"]), *sorted(shapes)]


@contextlib.contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Keep transformers' bar of weights out of what a reader sees: it is over in a second."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _refuse(model: torch.nn.Module, name: str | os.PathLike[str], lacking: list[str]) -> None:
    if lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise ValueError(
            f"Expected a checkpoint with every weight of {type(model).__name__}, got {str(name)!r} without "
            f"{', '.join(lacking[:3])}{more}. They would be random, and every call would give other results: "
            "name a checkpoint that was saved with this head, or train one and pass the model itself."
        )
