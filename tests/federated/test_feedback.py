import re

import numpy as np
import pytest
import torch

from trustlab.course import intents
from trustlab.course.n23_continual_learning.experiment import Setting, assistant_over_time, stream
from trustlab.federated.feedback import (
    ACCEPTED,
    CORRECTED,
    NAMES,
    REJECTED,
    SILENT,
    Users,
    from_feedback,
    pseudo_labels,
    react,
)
from trustlab.models.vocabulary import IGNORE

N = 40_000


@pytest.fixture(scope="module")
def received():
    """Answers of which one in four is right, and how they are received."""
    rng = np.random.default_rng(0)
    wanted, answers = rng.integers(4, size=(2, N))
    users = Users(reaction=0.6, correction=0.25, slip=0.2)
    return answers, wanted, users, *react(answers, wanted, users, np.random.default_rng(1))


def test_reactions_have_the_stated_chances(received):
    answers, wanted, users, reaction, _ = received
    right = answers == wanted
    law = {
        True: [1 - users.reaction, users.reaction, 0, 0],
        False: [
            1 - users.reaction,
            users.reaction * users.slip,
            users.reaction * (1 - users.slip) * (1 - users.correction),
            users.reaction * (1 - users.slip) * users.correction,
        ],
    }
    for case, expected in law.items():
        found = np.bincount(reaction[right == case], minlength=4) / (right == case).sum()
        np.testing.assert_allclose(found, expected, atol=0.01)
    assert NAMES[SILENT] == "silent" and NAMES[CORRECTED] == "corrected"


def test_only_a_correction_names_what_was_wanted(received):
    _, wanted, _, reaction, named = received
    corrected = reaction == CORRECTED
    assert (named[corrected] == wanted[corrected]).all()
    assert (named[~corrected] == IGNORE).all()


def test_a_device_labels_what_was_accepted_or_corrected_and_nothing_else(received):
    answers, wanted, _, reaction, named = received
    labels = pseudo_labels(answers, reaction, named)
    assert (labels[np.isin(reaction, [SILENT, REJECTED])] == IGNORE).all()
    assert (labels[reaction == ACCEPTED] == answers[reaction == ACCEPTED]).all()
    wrong = (labels != IGNORE) & (labels != wanted)
    assert wrong.any() and (reaction[wrong] == ACCEPTED).all()  # by a slip
    assert not np.shares_memory(labels, wanted)


def test_careful_users_give_right_labels_and_silent_ones_none():
    answers, wanted = np.random.default_rng(0).integers(4, size=(2, 500))
    careful = react(answers, wanted, Users(reaction=1.0, correction=1.0, slip=0.0), np.random.default_rng(0))
    np.testing.assert_array_equal(pseudo_labels(answers, *careful), wanted)
    silent = react(answers, wanted, Users(reaction=0.0), np.random.default_rng(0))
    assert (pseudo_labels(answers, *silent) == IGNORE).all()


@pytest.mark.parametrize("bad", [dict(reaction=1.5), dict(correction=-0.1), dict(slip=2.0)])
def test_chances_outside_their_range_are_refused(bad):
    (name, value), *_ = bad.items()
    with pytest.raises(ValueError, match=re.escape(f"Expected {name}={value}")):
        react(np.zeros(1), np.zeros(1), Users(**bad), np.random.default_rng(0))


def test_no_true_label_of_a_later_period_is_left_unless_somebody_said_it():
    corpus = assistant_over_time(1.0, 0)
    small = {split: rows.select(range(1500)) for split, rows in corpus.items()}
    problem = intents.task(intents.prepare(small), seed=0)
    fresh = np.arange(500, 1500)
    label, again, other = (from_feedback(Users(correction=0.0, slip=0.0), seed=seed) for seed in (0, 0, 1))
    task, usable = label(problem.model, problem, fresh)
    said = [each(problem.model, problem, fresh)[1].tolist() for each in (again, other, label)]
    assert said[0] == usable.tolist() not in said[1:]  # another seed or a later period, other whims
    left = task.train.intents.numpy()
    assert set(usable) <= set(fresh) and 0 < len(usable) < 1000
    with torch.no_grad():
        answers = problem.model(problem.train).argmax(-1).numpy()
    np.testing.assert_array_equal(left[usable], answers[usable])
    assert (left[np.setdiff1d(fresh, usable)] == IGNORE).all()
    np.testing.assert_array_equal(left[:500], problem.train.intents.numpy()[:500])  # the first period keeps its own
    assert (problem.train.intents >= 0).all()  # and the task given is as it was


def test_the_assistants_stream_has_periods_and_devices_for_every_utterance():
    said = stream(1.0, seed=0)
    assert len(said.problem.train) == len(said.clients.flat) == len(said.periods)
    assert len(said.problem.test) == len(said.tests.flat) == len(said.test_periods)
    assert Setting().key()["labels"] == "true"
