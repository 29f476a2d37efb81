"""The pictures' sentences say the numbers of the committed tables and of partitions made here."""

import numpy as np
import pytest

from trustlab.course.n21_non_iid_partitioning import skew_pictures
from trustlab.course.n21_non_iid_partitioning.experiment import tuned
from trustlab.data import assistant
from trustlab.federated.partition import effective_labels, gini, jensen_shannon, label_counts, partition, skew
from trustlab.results import read_results, results_directory


def accuracy(corpus, scheme, alpha=None, measure="accuracy"):
    rows = read_results(results_directory() / f"non_iid_partitioning_{corpus}")[0]
    rows = rows[rows.scheme == scheme]
    return 100 * (rows if alpha is None else rows[rows.alpha == alpha])[measure].mean()


def test_what_one_alpha_costs_is_the_tables():
    finding = skew_pictures.cost(0.1)
    said = finding.verdict.replace("\u00a0", "")
    assert f"{accuracy('assistant', 'fednlp', 0.1):.0f}% of the intents right in FedNLP's fleet" in said
    assert f"{accuracy('assistant', 'flower', 0.1):.0f}% in Flower's" in said
    assert f"without skew it is {accuracy('assistant', 'iid'):.0f}%, and counted words" in said
    assert said.endswith(f"in one place reach {accuracy('assistant', 'tf-idf'):.0f}%.")
    clinc = {row["fleet"]: row["% right"] for row in finding.rows if row["corpus"] == "CLINC150"}
    assert clinc["pfl"] == pytest.approx(accuracy("clinc150", "pfl", 0.1))
    assert clinc["all data in one place"] == pytest.approx(accuracy("clinc150", "centralised"))


@pytest.mark.parametrize("corpus", ["assistant", "clinc150"])
def test_who_pays_says_the_fall_of_all_and_of_rare_intents(corpus):
    said = skew_pictures.who_pays(corpus).verdict.replace("\u00a0", "")
    for words, measure in (("all intents fall", "accuracy"), ("the rare ones", "accuracy_rare")):
        mild, strong = (accuracy(corpus, "fednlp", alpha, measure) for alpha in (100, 0.1))
        assert f"{words} from {mild:.0f}% to {strong:.0f}%" in said


def test_the_same_alphas_say_the_effective_labels_and_the_distance_by_chance():
    labels = np.array(assistant(2000)["train"]["intent"])
    numbers, distances = skew_pictures.same_alphas(labels, (0.1, 100.0))
    made = partition(labels, scheme="label-dirichlet-flower", clients=100, alpha=0.1, seed=0)
    flower = np.median(effective_labels(label_counts(made, labels)[0]))
    assert f"{flower:.1f} (Flower)" in numbers.verdict
    even = label_counts(partition(labels, scheme="iid", clients=100, seed=0), labels)[0]
    pairs = jensen_shannon(even)[np.triu_indices(100, 1)]
    assert f"are {pairs.mean():.2f} apart, by chance alone" in distances.verdict
    assert len(numbers.rows) == len(distances.rows) == 2 * 5


def test_two_skews_are_told_apart_for_natural_fleets_and_schemes():
    train = assistant(2000)["train"]
    labels = np.array(train["intent"])
    schemes = ("iid", "label-dirichlet-fednlp", "sizes-square")
    made = [{"fleet": scheme, **skew(partition(labels, scheme=scheme, clients=20), labels)} for scheme in schemes]
    natural = [{"fleet": "by persona", **skew(partition(train["persona"], scheme="natural"), labels)}]
    finding = skew_pictures.two_skews(natural, made)
    sizes = np.unique(train["persona"], return_counts=True)[1]
    assert f"The natural fleet by persona: Gini {gini(sizes):.2f}, distance " in finding.verdict
    assert "leaves the sizes equal (Gini 0.00, distance 0." in finding.verdict
    assert {row["fleet"] for row in finding.rows} == {"by persona", *schemes}
    assert len(finding.rows) == 2 * 4


def test_the_search_is_drawn_with_what_skew_seems_to_cost_and_what_it_costs():
    finding = skew_pictures.over_the_rate("assistant")
    search = read_results(results_directory() / "tuning" / "non_iid_partitioning_assistant")[0]
    fleets = (
        search[search.scheme == "fednlp"]
        .groupby(["alpha", "learning_rate"])["score"]
        .agg(lambda runs: runs.mean(skipna=False))
    )
    rate = {alpha: tuned("assistant", "fednlp", alpha).learning_rate for alpha in (0.1, 100.0)}
    own = {alpha: fleets[alpha, rate[alpha]] for alpha in rate}
    said = finding.verdict.replace("\u00a0", "")
    assert f"seems to cost {100 * (fleets[100.0, 4.0] - fleets[0.1, 4.0]):.0f}% of the intents" in said
    assert f"it costs {100 * (own[100.0] - own[0.1]):.0f}%" in said
    assert f"own rate, {rate[100.0]:g} and {rate[0.1]:g}," in said
    assert len(finding.rows) == 3 * 3 * search["learning_rate"].nunique()
    assert sum(bool(row["chosen"]) for row in finding.rows) == 9
