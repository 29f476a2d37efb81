import math

import pytest
import torch
from torch.nn import functional as F

from trustlab.models import build, load, next_token_loss, save


@pytest.fixture
def model(vocabulary):
    return build("language", vocabulary, seed=2, layers=2, width=32).eval()


def test_input_and_output_weights_are_one(model):
    gpt2 = model.gpt2
    assert gpt2.lm_head.weight is gpt2.transformer.wte.weight
    names = [name for name, _ in model.named_parameters()]
    assert "gpt2.lm_head.weight" not in names  # once among the parameters, so counted and noised once


def test_the_loss_is_the_mean_over_an_example_s_own_next_tokens(model, vocabulary, rows):
    batch = vocabulary.encode(rows)
    losses = next_token_loss(model, batch)
    logits = model(batch.input_ids, batch.attention_mask)
    for i, length in enumerate(batch.attention_mask.sum(1).tolist()):
        if length > 1:
            own = F.cross_entropy(logits[i, : length - 1], batch.input_ids[i, 1:length])
            assert losses[i].item() == pytest.approx(own.item(), rel=1e-5)
        else:
            assert losses[i] == 0
    # A new model knows nothing: about the entropy of a uniform guess over the 51 word ids.
    assert losses[0].item() == pytest.approx(math.log(51), abs=0.3)


def test_an_example_of_one_token_has_a_gradient_of_zero(model, vocabulary, rows):
    next_token_loss(model, vocabulary.encode(rows[1:2])).sum().backward()
    assert not any(p.grad.any() for p in model.parameters())


def test_padding_and_company_change_nothing(model, vocabulary, rows):
    batch = vocabulary.encode(rows)
    together = next_token_loss(model, batch)
    alone = torch.cat([next_token_loss(model, batch[torch.tensor([i])]) for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


def test_no_token_sees_what_follows(model):
    ids, mask = torch.randint(1, 50, (2, 8)), torch.ones(2, 8, dtype=torch.bool)
    changed = ids.clone()
    changed[:, 5] = 50
    before, after = model(ids, mask), model(changed, mask)
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])


def test_what_is_saved_is_loaded_and_still_tied(model, vocabulary, tmp_path):
    again, words = load(save(model, vocabulary, tmp_path))
    assert words == vocabulary and again.settings == model.settings
    assert again.gpt2.lm_head.weight is again.gpt2.transformer.wte.weight
    for (name, one), (_, other) in zip(model.named_parameters(), again.named_parameters(), strict=True):
        assert torch.equal(one, other), name


def test_wrong_requests_are_refused(model, vocabulary):
    with pytest.raises(ValueError, match="Expected heads=3 to divide width=128"):
        build("language", vocabulary, heads=3)
    with pytest.raises(ValueError, match="Expected at most max_length=48 tokens, got 49"):
        model(torch.ones(1, 49, dtype=torch.long), torch.ones(1, 49, dtype=torch.bool))
