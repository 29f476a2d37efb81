"""The training: plain distillation against a loop written out, less disparity where that is known, and resuming."""

import pytest
import torch
from torch.nn import functional as F
from transformers import GPT2Model

from trustlab.fairness.distillation import distill, half_depth, read_roles, student_of

from .conftest import FAMILIES, WORDS, gpt2, whole_words

AT = {word: i for i, word in enumerate(WORDS)}
SMALL = dict(steps=6, batch_size=4, row_every=2)


def rows_of(teacher, texts, tokenizer, **options):
    return list(distill(teacher, half_depth(teacher.config), texts, tokenizer=tokenizer, **{**SMALL, **options}))


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_without_reversal_it_is_plain_distillation(teacher, texts, tokenizer, temperature):
    """The first step, from the student as it begins: divergence and cross entropy of torch, text by text."""
    options = dict(steps=1, batch_size=len(texts), temperature=temperature, alpha=0.3)
    (row,) = rows_of(teacher, texts, tokenizer, **options)
    student, kl, ce = student_of(teacher, half_depth(teacher.config)), [], []
    for role in read_roles(texts, tokenizer):
        ids = torch.tensor([role.ids])
        own, there = student(ids).logits[0, :-1], teacher(ids).logits[0, :-1]
        both = [(each / temperature).log_softmax(-1) for each in (own, there)]
        kl.append(F.kl_div(*both, log_target=True, reduction="none").sum(1))
        ce.append(F.cross_entropy(own, ids[0, 1:], reduction="none"))
    expected = torch.cat(kl).mean().item(), torch.cat(ce).mean().item()
    if teacher.config.model_type == "gpt2":  # its students train with dropout
        expected = row["kl"], row["ce"]
    assert (row["kl"], row["ce"]) == pytest.approx(expected, rel=1e-4)
    assert row["loss"] == pytest.approx(0.3 * temperature**2 * row["kl"] + 0.7 * row["ce"])


def test_rows_are_flat_and_the_last_has_the_student(teacher, texts, tokenizer):
    before = {name: each.clone() for name, each in teacher.state_dict().items()}
    rows = rows_of(teacher, texts, tokenizer, reversal="expectation", augmentation=0.5)
    assert [row["step"] for row in rows] == [2, 4, 6] and [len(row) for row in rows] == [8, 8, 9]
    student = rows[-1].pop("student")
    assert all(isinstance(value, int | float) for row in rows for value in row.values())
    assert rows[-1]["aligned"] == 1 and rows[-1]["progress"] == 1 and not student.training
    assert all((each == before[name]).all() for name, each in teacher.state_dict().items())
    ids = torch.tensor([[AT["the"], AT["nurse"]]])
    assert not torch.equal(student(ids).logits, student_of(teacher, student.config)(ids).logits)


def test_a_seed_decides_everything_and_torchs_generator_is_left_as_it_was(teacher, texts, tokenizer):
    state = torch.get_rng_state()
    first, again, other = (rows_of(teacher, texts, tokenizer, seed=seed)[-1] for seed in (3, 3, 4))
    assert (torch.get_rng_state() == state).all()
    assert first["loss"] == again["loss"] != other["loss"]
    same = [each["student"].state_dict() for each in (first, again)]
    assert all(torch.equal(value, same[1][name]) for name, value in same[0].items())


@pytest.mark.parametrize("top", [0, 5])
def test_kept_predictions_train_the_same_student_as_those_computed_again(teacher, texts, tokenizer, top):
    options = dict(reversal="mean", top=top, batch_size=16)  # three batches, six steps
    once, again = (rows_of(teacher, texts, tokenizer, predictions=how, **options) for how in ("kept", "computed again"))
    assert [row["loss"] for row in once] == [row["loss"] for row in again]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("every", [None, 1])
def test_a_resumed_distillation_equals_an_uninterrupted_one_bit_for_bit(family, every, texts, tokenizer, tmp_path):
    teacher = FAMILIES[family]()
    options = dict(reversal="expectation", augmentation=0.5)
    whole = rows_of(teacher, texts, tokenizer, **options)
    file = tmp_path / "student.checkpoint"
    how = dict(tokenizer=tokenizer, checkpoint=file, checkpoint_every=every, **SMALL, **options)
    stopped = distill(teacher, half_depth(teacher.config), texts, **how)
    next(stopped), next(stopped)
    stopped.close()
    resumed = list(distill(teacher, half_depth(teacher.config), texts, **how))
    finished = list(distill(teacher, half_depth(teacher.config), texts, **how))
    for rows in (resumed, finished):
        student = rows[-1]["student"].state_dict()
        assert all(torch.equal(value, student[name]) for name, value in whole[-1]["student"].state_dict().items())
        kept = ("step", "loss", "kl", "ce", "tokens", "aligned", "progress")
        assert [[row[name] for name in kept] for row in rows] == [[row[name] for name in kept] for row in whole]
    for changed in (dict(reversal="mean"), dict(seed=1), dict(exchange=False)):
        with pytest.raises(ValueError, match=f"{next(iter(changed))} is .* there and .* here"):
            distill(teacher, half_depth(teacher.config), texts, **{**how, **changed})
    with pytest.raises(ValueError, match=r"texts is .* there"):
        distill(teacher, half_depth(teacher.config), texts[1:], **how)
    with torch.no_grad():
        teacher.get_input_embeddings().weight[0, 0] += 1
    with pytest.raises(ValueError, match=r"teacher model is .* there"):
        distill(teacher, half_depth(teacher.config), texts, **how)


def test_a_checkpoint_that_cannot_be_written_is_found_out_at_once(teacher, texts, tokenizer, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Expected to write the checkpoint"):
        distill(
            teacher,
            half_depth(teacher.config),
            texts,
            tokenizer=tokenizer,
            checkpoint=tmp_path / "file" / "in it",
            **SMALL,
        )


def share_of_women(model, profession):
    """P(she) among "she" and "he" after the profession has said that."""
    ids = torch.tensor([[AT[word] for word in f"the {profession} said that".split()]])
    with torch.no_grad():
        return model(ids).logits[0, -1, [AT["she"], AT["he"]]].softmax(-1)[0].item()


@pytest.fixture(scope="module")
def skewed():
    """A teacher that has learnt who is called what: five of six nurses are women, five of six pilots men."""
    texts = ["the nurse said that she sang"] * 20 + ["the nurse said that he sang"] * 4
    texts += ["the pilot said that she sang"] * 4 + ["the pilot said that he sang"] * 20
    tokenizer = whole_words()
    teacher = gpt2(layers=2, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    optimizer = torch.optim.Adam(teacher.parameters(), lr=0.01)
    ids = torch.tensor([tokenizer(text)["input_ids"] for text in texts])
    for _ in range(60):
        optimizer.zero_grad()
        teacher(ids, labels=ids).loss.backward()
        optimizer.step()
    return teacher.eval(), texts, tokenizer


LEARN = dict(steps=250, batch_size=48, learning_rate=0.01, alpha=1.0, row_every=250)


def test_a_student_of_exchanged_predictions_prefers_nobody(skewed):
    """What it learns says "she" and "he" alike before either was said; the mirrored teacher prefers the other one."""
    teacher, texts, tokenizer = skewed
    apart = {"teacher": share_of_women(teacher, "nurse") - share_of_women(teacher, "pilot")}
    for reversal in ("none", "swap", "mean", "expectation"):
        student = rows_of(teacher, texts, tokenizer, **{**LEARN, "reversal": reversal})[-1]["student"]
        apart[reversal] = share_of_women(student, "nurse") - share_of_women(student, "pilot")
    assert apart["teacher"] > 0.5 and apart["none"] > 0.5
    assert apart["swap"] < -0.5
    assert abs(apart["mean"]) < 0.05 and abs(apart["expectation"]) < 0.05


def test_predictions_as_they_are_equalise_what_follows_a_gendered_word(skewed):
    """After "she" and after "he" the student learns one and the same; what comes before them stays as it is."""
    teacher, texts, tokenizer = skewed
    given = [[AT[word] for word in f"the nurse said that {who}".split()] for who in ("she", "he")]
    apart = {}
    for reversal in ("none", "expectation"):
        options = {**LEARN, "reversal": reversal, "exchange": False}
        student = rows_of(teacher, texts, tokenizer, **options)[-1]["student"]
        with torch.no_grad():
            she, he = student(torch.tensor(given)).logits[:, -1].softmax(-1)
        apart[reversal] = (she - he).abs().sum().item()
        assert share_of_women(student, "nurse") - share_of_women(student, "pilot") > 0.5
    assert apart["expectation"] < 0.02


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(corpus="she sang"), "one text"),
        (dict(corpus=[]), "at least one text, got none"),
        (dict(teacher=GPT2Model(gpt2().config)), "a teacher with a language head"),
        (dict(student_config=gpt2(layers=9).config), "a student of 1 to 4 layers, got 9"),
        (dict(student_config=gpt2(words=50).config), "the teacher's vocabulary"),
        (dict(tokenizer=whole_words([*WORDS, "more"])), "a tokenizer of at most the teacher's 33 words, got 34"),
        (dict(max_length=33), "max_length=33 <= 32, the positions that the teacher has"),
        (dict(reversal="minimum"), "reversal='minimum' to be one of"),
        (dict(augmentation=1.5), "augmentation=1.5 <= 1"),
        (dict(temperature=0), "temperature=0 > 0"),
        (dict(alpha=-1), "alpha=-1 >= 0"),
        (dict(steps=0), "steps=0 >= 1"),
        (dict(checkpoint_every=2), "a checkpoint with checkpoint_every, got none"),
        (dict(checkpoint_every=0, checkpoint="there"), "checkpoint_every=0 >= 1"),
    ],
)
def test_what_is_refused_before_any_step(changes, said, texts, tokenizer):
    teacher = gpt2()
    given = dict(teacher=teacher, student_config=half_depth(teacher.config), corpus=texts, tokenizer=tokenizer)
    given |= changes
    with pytest.raises(ValueError, match=said):
        distill(given.pop("teacher"), given.pop("student_config"), given.pop("corpus"), **given)


def test_an_unknown_option_is_named(teacher, texts, tokenizer):
    with pytest.raises(ValueError, match="Expected options of DistillOptions, got 'temprature'"):
        rows_of(teacher, texts, tokenizer, temprature=2.0)


def test_half_precision_trains_nearly_the_same(teacher, texts, tokenizer):
    exact, rough = (rows_of(teacher, texts, tokenizer, precision=precision)[0] for precision in ("float32", "bfloat16"))
    assert rough["ce"] == pytest.approx(exact["ce"], rel=0.05)
