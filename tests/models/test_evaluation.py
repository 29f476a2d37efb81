import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score
from seqeval.metrics.sequence_labeling import get_entities

from trustlab.models import build, entities, entity_f1, evaluate, predict, tagging_loss

TAGS = ["O", "B-a", "I-a", "B-b", "I-b"]


@given(st.lists(st.sampled_from(TAGS), max_size=8))
def test_entities_are_seqevals(sequence):
    assert entities(sequence) == set(get_entities(sequence))


pairs = st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), min_size=1, max_size=6)


@pytest.mark.filterwarnings("ignore::seqeval.metrics.v1.UndefinedMetricWarning", "ignore::UserWarning")
@given(st.lists(pairs, min_size=1, max_size=5))
def test_f1_is_seqevals(utterances):
    truth = [[true for true, _ in pairs] for pairs in utterances]
    guess = [[guess for _, guess in pairs] for pairs in utterances]
    assert entity_f1(truth, guess) == pytest.approx(f1_score(truth, guess))


def test_no_entity_anywhere_scores_zero_and_a_lost_boundary_is_wrong():
    assert entity_f1([["O"]], [["O"]]) == 0.0
    assert entity_f1([["B-a", "I-a"]], [["B-a", "O"]]) == 0.0
    assert entity_f1([["B-a", "I-a", "B-b"]], [["B-a", "O", "B-b"]]) == 0.5


def test_a_text_is_no_list_of_tags():
    """A "BIO" would be three entities without a type, and a perfect score."""
    for truth, guess in ((["BIO"], ["BIO"]), (["B-a", "O"], ["B-a", "O"]), ([["B-a"]], ["O"])):
        with pytest.raises(ValueError, match="an utterance's tags to be a list of words, got the text"):
            entity_f1(truth, guess)


def test_evaluation_counts_what_predict_says(vocabulary, rows):
    model = build("bilstm", vocabulary).train()
    examples = vocabulary.encode(rows)
    intents, tags = predict(model, examples, batch_size=2)
    measured = evaluate(model, examples, batch_size=2)
    assert measured["accuracy"] == sum(a == row["intent"] for a, row in zip(intents, rows, strict=True)) / 3
    assert measured["slot_f1"] == entity_f1([row["slots"] for row in rows], tags)
    assert measured["loss"] == pytest.approx(tagging_loss(model, examples).mean().item())
    assert model.training  # left as it was found


def test_a_perfect_model_scores_one(vocabulary, rows):
    examples = vocabulary.encode(rows)

    class Oracle(torch.nn.Module):
        def forward(self, input_ids, attention_mask):
            one_hot = torch.nn.functional.one_hot
            return one_hot(examples.intents, 3).float(), one_hot(examples.slots.clamp(min=0), 4).float()

    measured = evaluate(Oracle(), examples)
    assert (measured["accuracy"], measured["slot_f1"]) == (1.0, 1.0)
