"""What is learnt at each place, against the teacher asked text by text; kept, cut to the likeliest, bounded."""

from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from trustlab.fairness.distillation import DistillOptions, Exchange, read_roles, reverse, targets
from trustlab.fairness.distillation.targets import Targets, target_of

TEXTS = ["the nurse said that she saw her home", "he flew", "it rained .", "the queen saw him .", "Ms queen sang"]


def roles_of(tokenizer):
    return read_roles(TEXTS, tokenizer, augmentation=1)


def predicted(teacher, ids):
    return teacher(torch.tensor([ids])).logits[0].double().log_softmax(-1).detach()


@pytest.mark.parametrize("reversal", ["none", "swap", "max", "expectation"])
@pytest.mark.parametrize("exchange", [True, False])
def test_in_one_pass_as_text_by_text(teacher, tokenizer, reversal, exchange):
    roles, exchanged = roles_of(tokenizer), Exchange(tokenizer)
    options = DistillOptions(reversal=reversal, exchange=exchange)
    found, expected = target_of(teacher, roles, options, exchanged if exchange else None), []
    for role in roles:
        there = role.ids if role.partner is None else role.partner
        for here, place in role.places.tolist():
            if here < len(role.ids) - 1:
                p, q = predicted(teacher, role.ids)[here], predicted(teacher, there)[place]
                q = exchanged(p[None], q[None])[0] if exchange else q
                expected.append(reverse(p, q, reversal))
    torch.testing.assert_close(found.log_p.double(), torch.stack(expected), rtol=1e-4, atol=1e-4)
    assert found.words is None and not found.log_p.requires_grad


@pytest.mark.parametrize("top", [0, 4])
def test_kept_it_is_what_it_is_computed_again(teacher, tokenizer, top):
    batches = [roles_of(tokenizer)[:3], roles_of(tokenizer)[3:]]
    options = [DistillOptions(reversal="mean", predictions=how, top=top) for how in ("kept", "computed again")]
    once, each_time = (Targets(teacher, batches, each, Exchange(tokenizer)) for each in options)
    for number in (1, 0, 1):
        assert once[number] is once[number]
        assert each_time[number] is not each_time[number]
        assert (once[number].log_p == each_time[number].log_p).all()


def test_the_divergence_of_the_likeliest_words_is_below_that_of_all_and_comes_near_it(teacher, tokenizer):
    roles = roles_of(tokenizer)
    log_q = (3 * torch.randn(40, teacher.config.vocab_size, generator=torch.Generator().manual_seed(3))).log_softmax(-1)
    found = []
    for top in (2, 4, 8, 16, 0):
        target = target_of(teacher, roles, DistillOptions(reversal="expectation", top=top), Exchange(tokenizer))
        index = torch.arange(len(target.rows))
        found.append(target.divergence(log_q, index).detach())
    whole = found[-1]
    expected = F.kl_div(log_q[: len(whole)], target.log_p, log_target=True, reduction="none").sum(1)
    torch.testing.assert_close(whole, expected)
    for fewer, more in pairwise(found):
        assert (fewer >= -1e-6).all() and (fewer <= more + 1e-5).all()
    missing = [(whole - each).mean().item() for each in found]
    assert sorted(missing, reverse=True) == missing and missing[3] < missing[0] / 2


def test_the_temperature_divides_logits(teacher, tokenizer):
    (role,) = read_roles(["it rained ."], tokenizer)
    target = target_of(teacher, [role], DistillOptions(temperature=3.0), None)
    expected = (teacher(torch.tensor([role.ids])).logits[0, :-1] / 3).log_softmax(-1)
    torch.testing.assert_close(target.log_p, expected)


def test_more_than_may_be_kept_is_refused(teacher, tokenizer, monkeypatch):
    batches = [roles_of(tokenizer)]
    monkeypatch.setattr(targets, "KEPT_BYTES", 3000)
    with pytest.raises(ValueError, match=r"Keep the likeliest words only \(top=64\), or compute them again"):
        Targets(teacher, batches, DistillOptions(), None)
    Targets(teacher, batches, DistillOptions(top=2), None)
    Targets(teacher, batches, DistillOptions(predictions="computed again"), None)
