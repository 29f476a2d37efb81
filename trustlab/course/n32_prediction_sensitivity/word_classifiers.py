"""How the recurrent networks of real posts and tweets are made: their words, their vocabulary, their training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from trustlab.fairness.sensitivity import TextClassifier
from trustlab.models import Vocabulary, build
from trustlab.models.fitting import FitOptions, fit


def classifier_of(
    said: Mapping[str, Sequence[list[str]]],
    labels: Mapping[str, Sequence[str]],
    *,
    least: int,
    longest: int,
    options: FitOptions,
) -> TextClassifier:
    """Train a recurrent network on the words and labels of both splits; texts without words are left out.

    Parameters
    ----------
    said, labels
        Words of each text, and its label, under ``"train"`` and ``"validation"``.
    least
        How often a word is in the training texts for the network to know it.
    longest
        Words that are read of a text.
    options
        Of the training; its seed is that of the first weights, too.
    """
    counts = Counter(word for words in said["train"] for word in words)
    known = tuple(sorted(word for word, count in counts.items() if count >= least))
    classes = tuple(sorted(set(labels["train"])))
    vocabulary = Vocabulary(intents=classes, slots=("O",), words=known, max_length=longest)
    splits = {}
    for split in ("train", "validation"):
        labelled = zip(said[split], labels[split], strict=True)
        rows = [{"tokens": words, "slots": ["O"] * len(words), "intent": label} for words, label in labelled if words]
        splits[split] = vocabulary.encode(rows)
    model = build("bilstm", vocabulary, seed=options.seed)
    for _ in fit(model, splits, options):
        pass
    return TextClassifier(model, vocabulary)
