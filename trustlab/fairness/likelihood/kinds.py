"""Masked or causal: the kind of a language model, and loading one by name as its kind."""

from __future__ import annotations

import os
from typing import Any

from trustlab.models.pretrained import load_whole
from trustlab.places import model_name

KINDS = ("masked", "causal")


def kind_of(model: Any) -> str | None:
    """Return "masked" or "causal", None for neither, by the lists ``transformers`` keeps of its classes.

    Parameters
    ----------
    model
        A model, or the name of its class, as its configuration's ``architectures`` has it.

    Examples
    --------
    >>> kind_of("BertForMaskedLM"), kind_of("GPT2LMHeadModel"), kind_of("BertModel")
    ('masked', 'causal', None)
    """
    return next((kind for kind in KINDS if _is_among(model, kind)), None)


def checked_kind(model: Any, asked: str | None) -> str:
    """Return the kind of `model`, which is `asked` where its class does not determine it; refuse a wrong one."""
    from transformers.models.auto import modeling_auto

    known = {kind for kind in KINDS if _is_among(model, kind)}
    if not known and asked is None:
        raise ValueError(
            f"Expected a masked or causal language model of transformers, got {type(model).__name__}. An encoder "
            'without its language head predicts no words; for a class of your own pass kind="masked" or "causal".'
        )
    if asked is not None and known and asked not in known:
        raise ValueError(
            f"Expected kind={asked!r} to be that of the model, got {type(model).__name__}, which is the other."
        )
    kind = asked or kind_of(model)
    config = getattr(model, "config", None)
    reads_both_ways = getattr(config, "model_type", "") in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if kind == "causal" and known and reads_both_ways and getattr(config, "is_decoder", True) is False:
        raise ValueError(
            f"Expected a model that reads from left to right, got {type(model).__name__} with is_decoder=False. It "
            'sees the token that it should predict: pass kind="masked", or set is_decoder=True if it was trained so.'
        )
    return kind


def _is_among(model: Any, kind: str) -> bool:
    """Return whether the class of `model`, or one that it is made of, is in the list of `kind`."""
    from transformers.models.auto import modeling_auto

    lists = {
        "masked": modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        "causal": modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    }
    names = {model} if isinstance(model, str) else {each.__name__ for each in type(model).__mro__}
    return bool(names & set(lists[kind].values()))


def pretrained(name: str | os.PathLike[str], kind: str | None) -> tuple[Any, Any]:
    """Return the language model called `name`, of `kind` or of the kind it was saved as, and its tokenizer."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer
    from transformers.models.auto import modeling_auto

    name = model_name(name)
    config = AutoConfig.from_pretrained(name)
    made_as = kind_of((getattr(config, "architectures", None) or [""])[0])
    by_type = "masked" if config.model_type in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES else "causal"
    auto = AutoModelForMaskedLM if (kind or made_as or by_type) == "masked" else AutoModelForCausalLM
    return load_whole(auto, name), AutoTokenizer.from_pretrained(name)
