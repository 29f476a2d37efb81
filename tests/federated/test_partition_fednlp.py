"""FedNLP's public code, its steps written down again, beside the paper's formula that our scheme follows."""

import math

import numpy as np
import pytest

from trustlab.federated.partition import effective_labels, jensen_shannon, label_counts, partition

LABELS = np.random.default_rng(7).permutation(np.repeat(np.arange(8), [600, 400, 300, 200, 150, 100, 50, 20]))
CLIENTS = 20


def by_its_code(alpha, rng):
    """Client × label counts by the steps of FedNLP's ``data/advanced_partition/niid_label.py`` (commit 186a5c0).

    Clients are served in order, a client's labels in order. What a label that is used up cannot give is taken from all
    other labels, in proportion to what is left of them, the rarest first.
    """
    left = np.bincount(LABELS)
    of_all, size = left / left.sum(), len(LABELS) // CLIENTS
    counts = np.zeros((CLIENTS, len(left)), dtype=int)
    for own in counts:
        room = size
        for label, share in enumerate(rng.dirichlet(alpha * of_all)):
            asked = room if label == len(left) - 1 else min(round(share * size), room)
            room -= asked
            got = min(asked, left[label])
            own[label], left[label] = own[label] + got, left[label] - got
            _fill(own, left, asked - got)
    counts[-1] += left
    return counts


def _fill(own, left, missing):
    whole, places = left.copy(), missing
    while missing and left.any():
        for label in np.argsort(whole, kind="stable"):
            got = min(math.ceil(whole[label] / whole.sum() * places), left[label], missing)
            own[label], left[label], missing = own[label] + got, left[label] - got, missing - got
        places = missing


def by_its_formula(alpha, seed):
    options = dict(scheme="label-dirichlet-fednlp", clients=CLIENTS, alpha=alpha, seed=seed)
    return label_counts(partition(LABELS, **options), LABELS)[0]


def skews(alpha, seeds=20):
    """The mean distance of two clients and their mean effective number of labels, by formula and by code."""
    of = lambda counts: (jensen_shannon(counts)[np.triu_indices(CLIENTS, 1)].mean(), effective_labels(counts).mean())  # noqa: E731
    ours = np.mean([of(by_its_formula(alpha, seed)) for seed in range(seeds)], axis=0)
    return ours, np.mean([of(by_its_code(alpha, np.random.default_rng(seed))) for seed in range(seeds)], axis=0)


@pytest.mark.parametrize("alpha", [30.0, 100.0])
def test_with_a_large_alpha_the_formula_and_the_code_make_the_same_fleets(alpha):
    ours, theirs = skews(alpha)
    assert ours == pytest.approx(theirs, rel=0.1)


def test_with_a_small_alpha_the_code_fills_up_with_other_labels_and_its_clients_are_more_alike():
    """The difference that `label_fednlp` documents, and the reason that the course names the formula."""
    ours, theirs = skews(0.1)
    assert theirs[0] < ours[0] - 0.02 and theirs[1] > 1.2 * ours[1]
    assert by_its_code(0.1, np.random.default_rng(0)).sum() == len(LABELS)
