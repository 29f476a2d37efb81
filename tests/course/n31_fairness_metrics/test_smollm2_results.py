"""What is read off SmolLM2's tables: differences between groups against planted ones and a permutation by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest

from trustlab.course.literature import known
from trustlab.course.n31_fairness_metrics import smollm2_findings as findings
from trustlab.course.n31_fairness_metrics import smollm2_results as results
from trustlab.course.n31_fairness_metrics.smollm2_claims import continuation_claims, smollm2_claims
from trustlab.course.n31_fairness_metrics.smollm2_continuations import GROUPS, SCORES
from trustlab.course.n31_fairness_metrics.smollm2_tests import DOMAINS
from trustlab.lab.claims import claims


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
                row = {"domain": domain, "group": group, "writer": writer, "seed": seed, "names": 24}
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


def test_a_group_of_one_article_is_left_out_and_it_matters():
    """Committed: sentiment differs between religions only where atheism, of one article, is among them."""
    asked = ("religion", "sentiment")
    of_religions = {
        articles: next(row for row in results.differences(articles=articles) if (row["domain"], row["score"]) == asked)
        for articles in (1, results.ARTICLES)
    }
    assert [of_religions[articles]["groups"] for articles in (1, 2)] == [7, 6]
    assert of_religions[1]["p"] < 0.001 and of_religions[2]["p"] > 0.05
    said = findings.continued().verdict
    assert said.startswith("0 of 8 differences") and "(p < 0.001)" in said


def test_smollm2_prefers_stereosets_stereotypes_as_gpt2_does_and_frequencies_do_not():
    rows = {(row["test"], row["model"]): row for row in results.stereotypes()}
    ours, alone, gpt2 = (rows["StereoSet, all", name] for name in (*results.SERIES.values(), results.GPT2))
    assert ours["low"] > 50 and ours["low"] < gpt2["value"] < ours["high"] and alone["low"] < 50 < alone["high"]
    row = results.row_of("stereoset", "intrasentence all")
    assert row["lms low"] > 89 and results.row_of("stereoset", "intrasentence all", "token frequencies")["lms"] < 55
    outcomes = {row["claim"]: row["outcome"] for row in claims([*smollm2_claims(), *continuation_claims()]).rows}
    assert [claim for claim, outcome in outcomes.items() if outcome == "holds"] == [
        "(real model) It prefers the stereotype on StereoSet, per cent",
        "(real model) It expects “she” where more women work (Winogender, correlation)",
    ]
