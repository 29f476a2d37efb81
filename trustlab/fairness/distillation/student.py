"""A student with fewer layers than its teacher, which begins as some of the teacher's layers."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import torch
from torch import nn

from trustlab.fairness.likelihood.kinds import checked_kind

LAYERS = ("even", "first")


def half_depth(config: Any) -> Any:
    """Return a copy of a ``transformers`` configuration with half of its layers, rounded up.

    Examples
    --------
    >>> from transformers import GPT2Config
    >>> half_depth(GPT2Config(n_layer=5)).num_hidden_layers
    3
    """
    found = copy.deepcopy(config)
    found.num_hidden_layers = (config.num_hidden_layers + 1) // 2
    if getattr(found, "layer_types", None):  # of models whose layers are not all alike
        found.layer_types = [config.layer_types[i] for i in taken(config, found, "even")]
    return found


def taken(teacher_config: Any, student_config: Any, layers: str) -> list[int]:
    """Return which of the teacher's layers become the student's, in order.

    "even" is evenly spaced, the first and the last among them; "first" the lowest. Ours: that the last one is among
    them keeps the output layer's input what it was trained for.

    Examples
    --------
    >>> from transformers import GPT2Config
    >>> teacher, student = GPT2Config(n_layer=12), GPT2Config(n_layer=6)
    >>> taken(teacher, student, "even"), taken(teacher, student, "first")
    ([0, 2, 4, 7, 9, 11], [0, 1, 2, 3, 4, 5])
    """
    count, most = student_config.num_hidden_layers, teacher_config.num_hidden_layers
    if layers == "first":
        return list(range(count))
    return [most - 1] if count == 1 else np.linspace(0, most - 1, count).round().astype(int).tolist()


def student_of(teacher: Any, student_config: Any, *, layers: str = "even") -> Any:
    """Return a new model of `student_config` with the teacher's embeddings, output layer and some of its layers.

    Parameters
    ----------
    teacher
        A causal language model of ``transformers``.
    student_config
        Of the same family and widths, with at most as many layers, such as ``half_depth(teacher.config)``.
    layers
        See :func:`taken`.

    Raises
    ------
    ValueError
        For a teacher without a language head or one that reads both ways; a student of another family, with more
        layers, another vocabulary or other widths.

    Examples
    --------
    >>> from transformers import GPT2Config, GPT2LMHeadModel
    >>> teacher = GPT2LMHeadModel(GPT2Config(vocab_size=20, n_embd=8, n_head=2, n_layer=4))
    >>> student = student_of(teacher, half_depth(teacher.config))
    >>> bool((student.transformer.h[1].mlp.c_fc.weight == teacher.transformer.h[3].mlp.c_fc.weight).all())
    True
    """
    check_student(teacher, student_config)
    chosen = taken(teacher.config, student_config, layers)
    prefix = _layers_name(teacher)
    with torch.random.fork_rng(devices=[]):  # its first weights are all replaced
        student = type(teacher)(copy.deepcopy(student_config))
    weights = teacher.state_dict()
    inside = re.compile(rf"{re.escape(prefix)}\.(\d+)\.")
    given = {}
    for name, own in student.state_dict().items():
        source = inside.sub(lambda found: f"{prefix}.{chosen[int(found[1])]}.", name)
        if source not in weights or weights[source].shape != own.shape:
            there = tuple(weights[source].shape) if source in weights else "nothing"
            raise ValueError(
                f"Expected a student as wide as its teacher, got {name} of {tuple(own.shape)} for {there}. It begins "
                "with the teacher's layers: change nothing but their number, as half_depth does."
            )
        given[name] = weights[source]
    student.load_state_dict(given)
    student.tie_weights()
    return student.to(next(teacher.parameters()).device).eval()


def check_student(teacher: Any, config: Any) -> None:
    """Refuse what cannot be a teacher and its student, see :func:`student_of`."""
    if getattr(teacher, "get_output_embeddings", lambda: None)() is None:
        raise ValueError(
            f"Expected a teacher with a language head, got {type(teacher).__name__}. Without one it predicts no words: "
            "load it by AutoModelForCausalLM."
        )
    checked_kind(teacher, "causal")
    own = teacher.config
    if getattr(config, "model_type", None) != own.model_type:
        raise ValueError(
            f"Expected a student configuration of the teacher's family {own.model_type!r}, got "
            f"{getattr(config, 'model_type', type(config).__name__)!r}. Its layers could not begin as the teacher's."
        )
    if config.vocab_size != own.vocab_size:
        raise ValueError(
            f"Expected a student with the teacher's vocabulary of {own.vocab_size} words, got {config.vocab_size}. "
            "Their predictions could not be compared."
        )
    if not 1 <= config.num_hidden_layers <= own.num_hidden_layers:
        raise ValueError(
            f"Expected a student of 1 to {own.num_hidden_layers} layers, got {config.num_hidden_layers}. It begins "
            "with some of the teacher's layers and cannot be larger."
        )


def _layers_name(model: Any) -> str:
    """Return the name of the list of layers within the model's weights."""
    count = model.config.num_hidden_layers
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return name
    raise ValueError(
        f"Expected a model with a list of its {count} layers, got none in {type(model).__name__}. Which weights belong "
        "to which layer is not known."
    )
