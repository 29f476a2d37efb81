import pytest
import torch
from torch import nn

from trustlab.models import LoRALinear, SubwordVocabulary, add_lora, build, load, save, tagging_loss


def test_it_is_the_paper_s_equation():
    layer = LoRALinear(nn.Linear(6, 5), rank=2, alpha=3.0)
    nn.init.normal_(layer.up.weight)
    x = torch.randn(4, 6)
    weight = layer.base.weight + 3.0 / 2 * layer.up.weight @ layer.down.weight
    torch.testing.assert_close(layer(x), nn.functional.linear(x, weight, layer.base.bias))


def test_an_adapted_encoder_starts_as_it_was_and_learns_through_its_adapters(rows):
    vocabulary = SubwordVocabulary(("alarm", "play", "stop"), ("O", "B-song", "I-song", "B-time"))
    plain, adapted = build("encoder", vocabulary, seed=1), build("encoder", vocabulary, seed=1, lora=4)
    adapted.heads.load_state_dict(plain.heads.state_dict())
    batch = vocabulary.encode(rows)
    before = tagging_loss(adapted, batch)
    torch.testing.assert_close(before, tagging_loss(plain, batch))

    trained = {name: p for name, p in adapted.named_parameters() if p.requires_grad}
    assert {name.split(".")[-2] for name in trained} == {"down", "up", "intent", "slots"}
    assert sum(".down." in name for name in trained) == 2 * adapted.encoder.config.num_hidden_layers
    frozen = {name: p.clone() for name, p in adapted.named_parameters() if name not in trained}
    optimizer = torch.optim.SGD(trained.values(), lr=0.1)
    for _ in range(2):  # A has no gradient while B is still zero
        optimizer.zero_grad()
        tagging_loss(adapted, batch).mean().backward()
        optimizer.step()
    assert all(p.grad.any() for p in trained.values())
    assert all(torch.equal(p, frozen[name]) for name, p in adapted.named_parameters() if name in frozen)
    assert tagging_loss(adapted, batch).mean() < before.mean()


def test_an_adapted_encoder_is_saved_and_loaded(tmp_path):
    vocabulary = SubwordVocabulary(("x",), ("O",))
    model = build("encoder", vocabulary, lora=2, seed=3)
    nn.init.normal_(model.encoder.encoder.layer[0].attention.self.query.up.weight)
    again, _ = load(save(model, vocabulary, tmp_path))
    assert again.settings["lora"] == 2
    for (name, one), (other_name, other) in zip(model.named_parameters(), again.named_parameters(), strict=True):
        assert name == other_name and one.requires_grad == other.requires_grad and torch.equal(one, other), name


def test_wrong_requests_are_refused_and_change_nothing():
    with pytest.raises(ValueError, match="Expected rank=7 from 1 to 5"):
        LoRALinear(nn.Linear(6, 5), rank=7)
    with pytest.raises(ValueError, match="Expected 0 < alpha=0"):
        LoRALinear(nn.Linear(8, 8), alpha=0)
    model = nn.ModuleDict({"query": nn.Linear(4, 4)})
    with pytest.raises(ValueError, match=r"got no 'value'. This model has query"):
        add_lora(model)
    assert type(model["query"]) is nn.Linear and model["query"].weight.requires_grad
    vocabulary = SubwordVocabulary(("x",), ("O",))
    with pytest.raises(ValueError, match="Expected lora=0 with frozen=True, got lora=2"):
        build("encoder", vocabulary, frozen=True, lora=2)
