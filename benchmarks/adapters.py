"""Adapters of ``peft`` on a small language model: what is trained is a few numbers next to frozen weights.

Every adapter begins where the model is unchanged, and many of its gradients are zero there. So its numbers are moved a
little before its gradients are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

LAYERS = ["q_proj", "v_proj"]
AROUND: dict[str, Any] = dict(target_modules=LAYERS)
WORDS = dict(task_type="CAUSAL_LM", num_virtual_tokens=3)
# Name: the configuration's class and its options.
ADAPTERS: dict[str, tuple[str, dict[str, Any]]] = {
    "LoRA": ("LoraConfig", dict(r=2, lora_dropout=0.1, **AROUND)),
    "LoRA of embeddings": ("LoraConfig", dict(r=2, target_modules=["embed_tokens", "q_proj"])),
    "rsLoRA with biases": ("LoraConfig", dict(r=2, use_rslora=True, lora_bias=True, **AROUND)),
    "DoRA": ("LoraConfig", dict(r=2, use_dora=True, **AROUND)),
    "AdaLoRA": ("AdaLoraConfig", dict(init_r=3, target_r=2, total_step=10, **AROUND)),
    "IA³": ("IA3Config", dict(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"])),
    "VeRA": ("VeraConfig", dict(r=2, **AROUND)),
    "LoHa": ("LoHaConfig", dict(r=2, **AROUND)),
    "LoKr": ("LoKrConfig", dict(r=2, **AROUND)),
    "OFT": ("OFTConfig", dict(oft_block_size=4, use_cayley_neumann=False, **AROUND)),
    "BOFT": ("BOFTConfig", dict(boft_block_size=4, **AROUND)),
    "HRA": ("HRAConfig", dict(r=2, **AROUND)),
    "FourierFT": ("FourierFTConfig", dict(n_frequency=8, **AROUND)),
    "VB-LoRA": ("VBLoRAConfig", dict(r=2, topk=2, num_vectors=8, vector_length=4, **AROUND)),
    "RandLoRA": ("RandLoraConfig", dict(r=2, **AROUND)),
    "MiSS": ("MissConfig", dict(r=2, **AROUND)),
    "C3A": ("C3AConfig", dict(block_size=4, **AROUND)),
    "RoAd": ("RoadConfig", dict(group_size=2, **AROUND)),
    "DeLoRA": ("DeloraConfig", dict(r=2, **AROUND)),
    "GraLoRA": ("GraloraConfig", dict(r=2, gralora_k=2, **AROUND)),
    "SHiRA": ("ShiraConfig", dict(r=2, **AROUND)),
    "WaveFT": ("WaveFTConfig", dict(n_frequency=8, **AROUND)),
    "norms only": ("LNTuningConfig", dict(target_modules=["input_layernorm", "norm"])),
    "trained tokens": (
        "TrainableTokensConfig",
        dict(token_indices=list(range(3, 20)), target_modules=["embed_tokens"]),
    ),
    "prompt tuning": ("PromptTuningConfig", WORDS),
    "prefix tuning": ("PrefixTuningConfig", WORDS),
    "prefix tuning, projected": ("PrefixTuningConfig", dict(prefix_projection=True, encoder_hidden_size=8, **WORDS)),
    "P-tuning": ("PromptEncoderConfig", dict(encoder_hidden_size=8, encoder_reparameterization_type="MLP", **WORDS)),
    "P-tuning, LSTM": (
        "PromptEncoderConfig",
        dict(encoder_hidden_size=8, encoder_reparameterization_type="LSTM", encoder_num_layers=1, **WORDS),
    ),
}


def adapted(base: Callable[[], nn.Module], name: str) -> nn.Module:
    """Return the model that `base` makes with an adapter around it, whose numbers are not those it begins with."""
    import peft

    kind, options = ADAPTERS[name]
    model = peft.get_peft_model(base(), getattr(peft, kind)(**options))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn_like(parameter)
    return model


def biases_only(model: nn.Module) -> nn.Module:
    """Freeze all but the biases (BitFit)."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.endswith("bias"))
    return model
