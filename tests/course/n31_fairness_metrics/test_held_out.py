"""The models of known bias, asked in frames in which it was not planted."""

import numpy as np
import pytest

from trustlab.course.n31_fairness_metrics import held_out
from trustlab.course.n31_fairness_metrics.claims import claims_of
from trustlab.course.n31_fairness_metrics.experiment import column, readings
from trustlab.course.n31_fairness_metrics.held_out import Setting, frames, grid
from trustlab.course.n31_fairness_metrics.intrinsic import LIKELIHOOD, PLANTED, likelihood_metrics, over_words
from trustlab.course.n31_fairness_metrics.notions import NOTIONS, REGION
from trustlab.data import assistant
from trustlab.fairness.likelihood import ilps
from trustlab.results import read_results


@pytest.fixture(scope="module")
def table():
    return read_results(held_out.result_name("assistant"))[0]


def test_the_committed_models_are_those_of_the_base_recipe(table):
    asked = [each.key() for each in grid("assistant")]
    assert table[list(asked[0])].to_dict("records") == asked and len(asked) == 25


def test_no_frame_is_one_that_a_member_of_a_group_was_described_in():
    said = readings(Setting(region_dose=1.0, gender_dose=1.0), assistant(2000))
    people = [notion.who(word) for notion in NOTIONS.values() for word in (*notion.first, *notion.second)]
    for notion in NOTIONS.values():
        starts = [frame.split(" and is ")[0] for frame in frames(notion)]
        assert len(set(starts)) == 12 and all(start.startswith("{who} ") for start in starts)
        assert not any(start.format(who=who) in text for start in starts for who in people for text in said)


def test_the_cues_of_a_frame_favour_no_pole():
    for notion in NOTIONS.values():
        for frame in frames(notion):
            cues = set(frame.replace("{who} ", "").replace(" and is {what}", "").split(" and "))
            assert len(cues & set(notion.cues_a)) == len(cues & set(notion.cues_b)) == 1


class _Scorer:
    """A masked model that follows one sentence only: what it adds to "kind" depends on who and on the frame."""

    kind, noise = "masked", 1e-6


def test_a_frame_decides_in_which_sentences_lpbs_is_asked(monkeypatch):
    asked = []

    def likely(scorer, templates, targets, attributes):
        asked.extend(templates)
        for target in targets:
            for attribute in attributes:
                agree = (target in REGION.first) == (attribute in REGION.pole_a)
                yield {"target": target, "attribute": attribute, "ilps": 1.0 if agree else -1.0}

    monkeypatch.setattr("trustlab.course.n31_fairness_metrics.intrinsic.ilps", likely)

    def once(test, words):
        return over_words(test, words, rng=np.random.default_rng(0), resamples=0)

    for frame in (PLANTED, frames(REGION)[0]):
        name, found = next(likelihood_metrics(_Scorer(), REGION, (), once, frame))
        assert (name, found.value) == ("LPBS", 4.0)
    assert asked == ["{target} is {attribute}", "{target} helps and shouts and is {attribute}"]
    assert ilps.__module__ == "trustlab.fairness.likelihood.templates"


def test_the_claims_of_held_out_frames_are_the_tables(table):
    rows = {row["claim"]: row["measured"] for row in claims_of() if "held-out" in row["claim"]}
    assert len(rows) == len(LIKELIHOOD)
    for claim, found in rows.items():
        name = next(each for each in LIKELIHOOD if each in claim)
        highest = max(table[column(notion, name)].corr(table[f"{notion}_dose"], "kendall") for notion in NOTIONS)
        assert found.mean <= highest + 1e-9 and found.n == 25
