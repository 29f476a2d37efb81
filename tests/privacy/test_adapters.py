"""Adapters of peft under the fast engine: the gradients of single examples, as autograd has them."""

import peft
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from trustlab.privacy import private_gradients
from trustlab.privacy.labelled_loss import labelled_loss

WORDS, EXAMPLES = 30, 4
AROUND = dict(target_modules=["q_proj", "v_proj"])
PROMPTS = dict(task_type="CAUSAL_LM", num_virtual_tokens=3)
MLP = dict(encoder_reparameterization_type="MLP", encoder_hidden_size=8)
# One of each way in which an adapter reaches the loss: through layers, through vectors, through functions of weights,
# before the words.
ADAPTERS = {
    "LoRA": peft.LoraConfig(r=2, lora_dropout=0.2, **AROUND),
    "DoRA": peft.LoraConfig(r=2, use_dora=True, **AROUND),
    "IA3": peft.IA3Config(target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"]),
    "VeRA": peft.VeraConfig(r=2, **AROUND),
    "AdaLoRA": peft.AdaLoraConfig(init_r=3, target_r=2, total_step=10, **AROUND),
    "LoHa": peft.LoHaConfig(r=2, **AROUND),
    "SHiRA": peft.ShiraConfig(r=2, **AROUND),
    "prompt tuning": peft.PromptTuningConfig(**PROMPTS),
    "prefix tuning": peft.PrefixTuningConfig(**PROMPTS),
    "P-tuning": peft.PromptEncoderConfig(**MLP, **PROMPTS),
}


def adapted(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=WORDS, hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=2, max_position_embeddings=32, pad_token_id=0,
        )  # fmt: skip
        model = peft.get_peft_model(LlamaForCausalLM(config), ADAPTERS[name]).double().eval()
        with torch.no_grad():
            for parameter in model.parameters():  # adapters begin where many gradients are zero
                if parameter.requires_grad:
                    parameter += 0.1 * torch.randn_like(parameter)
        return model


def loss(model, ids):
    mask = (ids != 0).long()
    return labelled_loss(model, {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(ids == 0, -100)})


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_has_the_gradients_of_single_examples(name):
    model, ids = adapted(name), torch.randint(1, WORDS, (EXAMPLES, 6), generator=torch.Generator().manual_seed(1))
    ids[1, 4:] = 0
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    alone = []
    for i in range(EXAMPLES):
        alone.append(torch.autograd.grad(loss(model, ids[i : i + 1]).sum(), trained, materialize_grads=True))
    norms = torch.stack([torch.stack([part.norm() for part in each]).norm() for each in alone])
    clip_norm = norms.median().item()  # some are clipped, some are not
    found = private_gradients(model, loss, ids, method="dp-sgd", clip_norm=clip_norm, expected_batch_size=1.0)
    torch.testing.assert_close(found.norms.double(), norms, rtol=1e-5, atol=0)
    scales = (clip_norm / norms).clamp(max=1)
    for parameter, *each in zip(trained, *alone, strict=True):
        expected = sum(scale * part for scale, part in zip(scales, each, strict=True))
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-6, atol=1e-9)
    assert all(parameter.grad is None for parameter in model.parameters() if not parameter.requires_grad)
