"""The benchmark of continuing texts on a tiny model: all methods do the same work, and the rows say how fast."""

from benchmarks import continuing
from trustlab.models.continuation import continuations

TINY = dict(
    vocab_size=50, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
    num_key_value_heads=1, head_dim=8, max_position_embeddings=64,
)  # fmt: skip


def test_generate_and_ours_write_as_many_tokens_after_the_same_openings(monkeypatch):
    monkeypatch.setattr(continuing, "PROMPTS", 6)
    model, prompts = continuing.made(**TINY)
    assert {len(prompt) for prompt in prompts} <= set(range(6, 15)) and len(prompts) == 6
    written = continuing.generated(model, prompts), continuations(model, prompts, tokens=continuing.TOKENS)
    assert [list(map(len, each)) for each in written] == [[continuing.TOKENS] * 6] * 2


def test_a_row_for_each_method(monkeypatch):
    monkeypatch.setattr(continuing, "PROMPTS", 6)
    rows = list(continuing.measure(1, **TINY))
    assert [row["method"] for row in rows] == [continuing.OURS, continuing.ONE_BY_ONE, continuing.BATCH]
    assert rows[0]["times ours"] == 1 and all(row["tokens a CPU second"] > 0 for row in rows)
