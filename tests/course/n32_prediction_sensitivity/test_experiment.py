"""Models of known bias: what recorders write down, how a group says it, and the row that a model leaves."""

import numpy as np
import pytest

from trustlab.course.n32_prediction_sensitivity import EXPERIMENT, experiment
from trustlab.course.n32_prediction_sensitivity.experiment import AREA, DOSES, HELD, LEARNT, Setting, grid, made, run
from trustlab.course.n32_prediction_sensitivity.sensitivity_measures import (
    EVEN,
    HARD,
    RIVALS,
    TOKEN_WEIGHTS,
    TRIVIAL,
    VARIANTS,
    Variant,
    token_weights,
    variants,
)
from trustlab.course.n32_prediction_sensitivity.spoken_requests import (
    BIASED,
    BLIND,
    CLASSES,
    PHRASES,
    drawn,
    marked,
    masks,
    said_by,
)
from trustlab.data import assistant
from trustlab.data.planted import DISADVANTAGED, RECORDED, SENSITIVE
from trustlab.fairness.sensitivity import accumulated_prediction_sensitivity


@pytest.fixture(scope="module")
def corpus():
    return assistant(8000)


@pytest.fixture(scope="module")
def small(corpus):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(experiment.RECIPE, "epochs", 3)
        yield made(Setting(dose=0.5), corpus)


def test_the_grid_has_every_dose_of_both_recorders_and_honest_records_once():
    settings = grid("assistant", seeds=range(2))
    assert len(settings) == 2 * (2 * len(DOSES) - 1)
    assert len({tuple(each.key().values()) for each in settings}) == len(settings)
    assert {each.dose for each in grid("assistant", recorders=[BLIND])} == set(DOSES) - {0.0}


def test_a_biased_recorder_wrongs_one_group_and_a_blind_one_as_many_of_all(corpus):
    biased, blind = (drawn(corpus, recorder, 1.0, 0) for recorder in (BIASED, BLIND))
    for found, groups in ((biased["train"], {DISADVANTAGED}), (blind["train"], set(PHRASES))):
        wrong = found.truth != found.recorded
        assert set(found.group[wrong]) == groups and set(found.recorded[wrong]) == {RECORDED}
        assert set(found.truth[wrong]) <= set(SENSITIVE)
    shares = [(each["train"].truth != each["train"].recorded).mean() for each in (biased, blind)]
    assert shares[0] == pytest.approx(shares[1], abs=0.03)
    assert all((each[split].planted == np.isin(each[split].truth, SENSITIVE)).all() for each in (biased, blind)
               for split in each)  # fmt: skip
    assert biased["train"].words == blind["train"].words and set(biased["train"].truth) <= set(CLASSES)


def test_a_request_is_said_as_each_group_says_it_and_nothing_else_changes(corpus):
    for words in drawn(corpus, BIASED, 0.0, 0)["test"].words[:60]:
        core = [word for word, own in zip(words, marked(words), strict=True) if not own]
        for group in PHRASES:
            said = said_by(words, group)
            assert [word for word, own in zip(said, marked(said), strict=True) if not own] == core
            assert said_by(said, group) == said
            assert bool(marked(said).any()) == bool(marked(words).any())


def test_variants_are_what_the_package_returns(small):
    texts = small.requests["test"].words[:20]
    protected = masks(small.requests["test"].take(np.arange(20)))
    weights = token_weights(small.classifier, texts, small.status, protected)
    assert tuple(weights) == TOKEN_WEIGHTS
    np.testing.assert_allclose(weights[EVEN].sum(axis=1), 1)
    assert ((weights[HARD].sum(axis=1) > 0) == protected.any(axis=1)).all()
    found = dict(variants(small.classifier, texts, weights))
    assert set(found) == set(VARIANTS) and len(VARIANTS) == 72
    for variant in (Variant(), Variant("uniform", "|IG|", float("inf"), "log_odds"), Variant(v="soft", norm=1)):
        package = accumulated_prediction_sensitivity(
            small.classifier, texts, class_weights=variant.w, norm=variant.norm, of=variant.of,
            token_weights=weights[variant.v],
        )  # fmt: skip
        np.testing.assert_allclose(found[variant], np.nan_to_num(package.score), rtol=1e-5, atol=1e-12)


def test_a_model_leaves_a_row_with_every_measure(corpus, monkeypatch):
    monkeypatch.setitem(experiment.RECIPE, "epochs", 3)
    (row,) = run(Setting(dose=0.5), corpus)
    means = [*(each.name for each in VARIANTS), *RIVALS, *TRIVIAL, Variant(v=LEARNT).name]
    assert set(means) <= set(row) and all(np.isfinite(row[name]) for name in means)
    assert all(0 <= row[AREA + name] <= 1 for name in (*RIVALS, *TRIVIAL, Variant().name))
    assert row[f"{HARD}{HELD}"] == pytest.approx(1) and 0 < row[f"{EVEN}{HELD}"] < 1
    assert 0 <= row["wrong"] < 0.1 and row["status"] > 1 / 3


def test_the_recipe_is_in_the_provenance():
    assert EXPERIMENT.recipes("assistant")["all"] == experiment.RECIPE
