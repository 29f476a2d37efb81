"""The BiLSTM with dropout: drops in training only, and is the plain one otherwise."""

import torch

from trustlab.models import BiLSTMTagger
from trustlab.models.dropped import DroppedTagger

IDS, MASK = torch.tensor([[2, 3, 4], [5, 6, 0]]), torch.tensor([[True, True, True], [True, True, False]])


def test_without_training_it_answers_as_the_bilstm_of_the_same_weights():
    dropped = DroppedTagger(10, 2, 3).eval()
    plain = BiLSTMTagger(10, 2, 3)
    plain.load_state_dict({name.replace("embedding.0.", "embedding."): v for name, v in dropped.state_dict().items()})
    for one, other in zip(dropped(IDS, MASK), plain(IDS, MASK), strict=True):
        assert torch.equal(one, other)


def test_in_training_it_drops_and_with_a_share_of_zero_it_does_not():
    for share, differs in ((0.5, True), (0.0, False)):
        model = DroppedTagger(10, 2, 3, dropout=share).train()
        assert torch.equal(model(IDS, MASK)[0], model(IDS, MASK)[0]) is not differs
