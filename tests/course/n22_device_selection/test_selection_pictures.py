"""What notebook 22's pictures say is in the committed table, and no more than its seeds show."""

import pytest
from scipy import stats

from trustlab.course.n22_device_selection import EXPERIMENT, selection_pictures


@pytest.mark.parametrize("corpus", ["assistant", "shakespeare_roles", "20newsgroups"])
def test_heavy_devices_are_said_to_gain_more_only_where_the_interval_of_the_difference_says_so(corpus):
    table = EXPERIMENT.saved(corpus)[0]
    table = table[(table["fleet"] == "as it is") & (table["aggregation"] == "examples")]
    table = table[table["cohort"] == table["cohort"].max()].sort_values("seed")
    even, active = (table[table["selection"] == f"β = {beta}"] for beta in (0, 1))
    names = ("accuracy_heavy", "accuracy_light")
    gained = [active[name].to_numpy() - even[name].to_numpy() for name in names]
    p = stats.ttest_rel(*gained).pvalue
    said = selection_pictures.who_gains(corpus).verdict
    assert ("do not show whether heavy or light devices gain more" in said) == (p > 0.05)
    if p < 0.05:
        ahead = "Heavy" if gained[0].mean() > gained[1].mean() else "Light"
        assert f"{ahead} devices gain {100 * abs(gained[0].mean() - gained[1].mean()):.0f} point" in said


def test_a_picture_without_intervals_does_not_say_that_it_has_them():
    for shown in (selection_pictures.who_gains("assistant"), selection_pictures.who_pays()):
        assert shown.provenance == "saved, means over seeds 0–4; their 95 % intervals are among the numbers"
        assert any(" to " in str(value) for value in shown.rows[0].values())


@pytest.mark.parametrize("way", ["examples", "equal"])
def test_a_fleet_is_said_to_gain_only_where_its_seeds_show_it(way):
    said = selection_pictures.real_fleets(way).verdict
    for corpus, fleet in selection_pictures.CORPUS_NAMES.items():
        if corpus not in EXPERIMENT.corpora():
            continue
        table = EXPERIMENT.saved(corpus)[0]
        table = table[(table["fleet"] == "as it is") & (table["aggregation"] == way)]
        even, active = (table[table["selection"] == f"β = {beta}"].sort_values("seed")["accuracy"] for beta in (0, 1))
        p = stats.ttest_rel(active, even).pvalue
        kind = "not told apart" if p > 0.05 else "ahead" if active.mean() > even.mean() else "behind"
        before = said[: said.find(fleet)]
        assert max(("ahead on", "behind on", "not told apart"), key=before.rfind).startswith(kind)
