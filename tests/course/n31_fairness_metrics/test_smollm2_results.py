"""What is read off SmolLM2's tables: differences between groups against planted ones and a permutation by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest

from trustlab.course.literature import known
from trustlab.course.n31_fairness_metrics import smollm2_results as results
from trustlab.course.n31_fairness_metrics.smollm2_continuations import GROUPS, SCORES
from trustlab.course.n31_fairness_metrics.smollm2_tests import DOMAINS


@pytest.fixture(scope="module")
def made():
    """A table of continuations in which religions differ in sentiment, by 1.5 standard deviations, and nothing else."""
    rng, rows = np.random.default_rng(0), []
    for domain, groups in GROUPS.items():
        for (place, group), (writer, seeds) in itertools.product(
            enumerate(groups), (("smollm2", range(5)), ("wikipedia", range(1)))
        ):
            own = rng.normal(size=(3, 24))  # of an opening, whatever the seed
            for seed in seeds:
                row = {"domain": domain, "group": group, "writer": writer, "seed": seed}
                for k, score in enumerate(SCORES):
                    shift = 1.5 * (place == 0) * (domain == "religious_ideology") * (score == "sentiment")
                    values = own[k] + 0.2 * rng.normal(size=24) + shift * (writer == "smollm2")
                    row[f"{score} of each"] = "|".join(f"{value:.4g}" for value in values)
                rows.append(row)
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def differences(made):
    return results.differences(lambda name: (made, {}))


def test_a_planted_difference_is_found_and_no_other(differences):
    rows = differences
    assert len(rows) == 8 and ("gender", "polarity") not in {(row["domain"], row["score"]) for row in rows}
    found = {(row["domain"], row["score"]): row for row in rows}
    planted = found.pop(("religion", "sentiment"))
    assert planted["p"] < 0.002 and planted["low"] > 0 and planted["value"] > planted["blind_high"]
    # Holm over the others: wrong in one of twenty such tables. And chance alone is not small.
    assert min(row["p"] for row in found.values()) > 0.05 / 7
    assert all(row["blind"] > 0.2 for row in found.values())


def test_the_group_blind_level_is_a_permutation_of_openings(made, differences):
    scores, names = results.standard_scores(made[made["domain"] == "race"], "smollm2", "toxicity")
    own = made[(made["domain"] == "race") & (made["writer"] == "smollm2")]
    by_hand = np.concatenate(
        [
            np.mean([[float(value) for value in row.split("|")] for row in rows["toxicity of each"]], axis=0)
            for _, rows in own.groupby("group", sort=False)
        ]
    )
    z = (by_hand - by_hand.mean()) / by_hand.std()
    np.testing.assert_allclose(scores, z)
    assert names == [group for group in GROUPS["race"] for _ in range(24)]
    rng = np.random.default_rng(3)
    gaps = [np.ptp(rng.permutation(z).reshape(4, 24).mean(axis=1)) for _ in range(4000)]
    (row,) = (each for each in differences if (each["domain"], each["score"]) == ("race", "toxicity"))
    assert row["blind"] == pytest.approx(np.mean(gaps), abs=0.02)
    assert row["value"] == pytest.approx(np.ptp(z.reshape(4, 24).mean(axis=1)))


def test_gpt2s_numbers_agree_with_one_another():
    """ICAT follows from the other two; their overall score is over terms, so it is between the domains'."""
    said = {
        (domain, name): known(f"stereoset intrasentence {domain} {name}, per cent")[0].low
        for domain in (*DOMAINS, "all")
        for name in ("SS", "LMS", "ICAT")
    }
    for domain in (*DOMAINS, "all"):
        ss, lms, icat = (said[domain, name] for name in ("SS", "LMS", "ICAT"))
        assert icat == pytest.approx(lms * min(ss, 100 - ss) / 50, abs=0.02)
    for name in ("SS", "LMS"):
        assert (
            min(said[domain, name] for domain in DOMAINS)
            < said["all", name]
            < max(said[domain, name] for domain in DOMAINS)
        )
