import itertools
import math
import re

import numpy as np
import pytest
from matplotlib.colors import to_hex

from trustlab.course.n21_non_iid_partitioning.experiment import ALPHAS
from trustlab.course.n21_non_iid_partitioning.toy import ALPHAS as TOY_ALPHAS
from trustlab.course.n21_non_iid_partitioning.toy import CORNERS, LABELS, SHARES, dirichlet_toy
from trustlab.course.partition_drawing import DOTS, PartitionAnswer, PartitionDrawing, label_strips
from trustlab.course.partition_panel import (
    FLEETS,
    MEANT,
    WAYS,
    divided,
    partition_panel,
    side_by_side,
)
from trustlab.data import assistant
from trustlab.federated.partition import jensen_shannon, label_counts, partition, skew


@pytest.fixture(scope="module")
def labels():
    return assistant(2000)["train"]["intent"]


@pytest.fixture(scope="module")
def panel(labels):
    return partition_panel(labels, "a small corpus")


def bars_of(counts):
    drawing = PartitionDrawing()
    drawing.draw(PartitionAnswer([], "words", "here", counts=np.asarray(counts)))
    return drawing


# The picture


def test_a_bar_has_each_label_for_as_long_as_the_client_has_examples_of_it():
    counts = np.array([[60, 0, 60], [0, 30, 0], [0, 0, 0]])
    drawing = bars_of(counts)
    pieces, blank = drawing.shown()["bars"], label_strips(drawing.bars).cmap.N - 1
    assert pieces.shape == (3, DOTS)
    for row, bar in zip(
        counts[[0, 2, 1]], pieces, strict=True
    ):  # in the order of the commonest label, ties as they were
        expected = [label for label, n in enumerate(row) for _ in range(n * DOTS // 120)]
        assert bar.tolist() == expected + [blank] * (DOTS - len(expected))


def test_neighbouring_labels_have_different_colours_and_no_label_is_white():
    drawing = PartitionDrawing()
    colours = [to_hex(colour) for colour in label_strips(drawing.bars).cmap.colors]
    assert len(set(colours)) == len(colours)
    assert colours[-1] == "#ffffff"


def test_distances_and_sizes_are_those_of_the_clients_shown():
    counts = np.random.default_rng(0).integers(0, 9, size=(30, 5))
    drawing = bars_of(counts)
    ordered = counts[np.lexsort((-counts.max(axis=1), counts.argmax(axis=1)))]
    np.testing.assert_allclose(drawing.shown()["distances"], jensen_shannon(ordered))
    assert drawing.distances.images[0].get_clim() == (0, 1)  # fixed: readers compare pictures
    heights, edges = drawing.shown()["sizes"]
    assert heights.sum() == 30
    np.testing.assert_array_equal(heights, np.histogram(counts.sum(axis=1), edges)[0])


def test_a_client_without_examples_is_drawn_as_one_and_breaks_nothing():
    drawing = bars_of([[3, 0], [0, 0], [0, 3]])
    assert np.isnan(drawing.shown()["distances"]).sum() == 5  # its row and its column
    drawing.figure.canvas.draw()


def test_the_drawing_keeps_its_artists_and_shows_the_last_answer():
    drawing = bars_of([[1, 2]] * 3)
    artists = [len(axes.get_children()) for axes in drawing.figure.axes]
    drawing.draw(PartitionAnswer([], "words", "here", counts=np.array([[5, 0], [0, 7]])))
    assert [len(axes.get_children()) for axes in drawing.figure.axes] == artists
    assert drawing.distances.get_xlim() == (0, 2)


def test_an_answer_without_counts_is_refused():
    with pytest.raises(ValueError, match="Expected counts"):
        PartitionDrawing().draw(PartitionAnswer([], "words", "here"))


# The panel


def test_there_are_four_controls(panel):
    offered = {name: [value for _, value in control.options] for name, control in panel.controls.items()}
    assert offered == {"way": list(WAYS), "alpha": list(ALPHAS), "clients": list(FLEETS), "seed": list(range(5))}


@pytest.mark.parametrize("way", WAYS)
def test_every_position_tells_the_numbers_of_its_partition(way, panel, labels):
    seen = set()
    for alpha, clients in itertools.product((0.01, 1.0, 100.0), (10, 100)):
        panel.set(way=way, alpha=alpha, clients=clients, seed=1)
        verdict = panel.answer.verdict
        own = skew(divided(labels, way, alpha, clients, 1), labels)
        assert verdict.startswith(MEANT[way])
        assert f"With α = {alpha:g}, two of {clients} clients are {own['JS distance']:.2f} apart" in verdict
        assert f"has {own['effective labels']:.1f} of {len(set(labels))} labels" in verdict
        if own["largest"] - own["smallest"] > 1:
            assert f"from {own['smallest']:,} to {own['largest']:,} examples (Gini {own['size Gini']:.2f})" in verdict
        else:
            assert f"about {own['largest']:,} examples" in verdict
        assert panel.picture not in seen
        seen.add(panel.picture)


def test_another_seed_is_another_draw_and_reset_is_the_first(panel):
    first = panel.reset().summary, panel.picture
    panel.set(seed=3)
    assert (panel.summary, panel.picture) != first
    assert (panel.reset().summary, panel.picture) == first


def test_what_is_drawn_is_the_partition_at_the_dials(panel, labels):
    panel.set(way="flower", alpha=0.1, clients=30, seed=2)
    made = divided(labels, "flower", 0.1, 30, 2)
    np.testing.assert_array_equal(panel.answer.counts, label_counts(made, labels)[0])


def test_flowers_fleets_can_be_cut_by_the_readers_function(labels):
    calls = []

    def divide(codes, shares):
        calls.append(shares.shape)
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        ends = np.floor(shares.cumsum(axis=1) * np.bincount(codes)[:, None] + 1e-12)
        ends[:, -1] = np.bincount(codes)
        owners = np.empty(len(codes), dtype=int)
        for label, counts in enumerate(np.diff(ends, prepend=0, axis=1).astype(int)):
            owners[codes == label] = np.repeat(np.arange(len(counts)), counts)
        return owners.tolist()

    own, ours = (partition_panel(labels, "here", divide=each).set(way="flower", clients=30) for each in (divide, None))
    np.testing.assert_array_equal(own.answer.counts, ours.answer.counts)  # the same shares, cut alike
    assert calls[-1] == (len(set(labels)), 30)
    assert own.answer.provenance.endswith("Flower's fleets by your function")
    assert "your function" not in ours.answer.provenance
    known = {"labels": labels, "divide": divide, "partition_panel": partition_panel}
    for panel in (own, ours):  # the copied code makes the same panel again
        assert eval(panel.code, known).summary == panel.summary


def test_a_move_is_drawn_once_and_reuses_what_is_there(panel, assert_moves_are_cheap):
    assert_moves_are_cheap(panel, [{"alpha": alpha, "way": "flower"} for alpha in ALPHAS[:6]])


def test_one_alpha_is_most_skewed_in_fednlp_and_no_skew_is_not_distance_0(labels):
    rows = {row["α of"]: row for row in side_by_side(labels, 0.1, clients=30)}
    assert list(rows) == [*WAYS.values(), "no skew"]
    assert rows["FedNLP"]["effective labels"] < 0.5 * rows["Flower"]["effective labels"]
    assert rows["FedNLP"]["JS distance"] > rows["pfl"]["JS distance"] > rows["no skew"]["JS distance"] > 0.1
    assert rows["FedNLP"]["size Gini"] < 0.01 < rows["Flower"]["size Gini"]
    even = partition(labels, scheme="iid", clients=30)
    assert rows["no skew"]["JS distance"] == skew(even, labels)["JS distance"]


def test_two_libraries_meet_where_alpha_is_large_and_pfls_clients_stay_apart(labels):
    rows = {row["α of"]: row for row in side_by_side(labels, 1e5, clients=10)}
    assert rows["FedNLP"]["effective labels"] == pytest.approx(rows["Flower"]["effective labels"], abs=0.5)
    assert rows["pfl"]["JS distance"] > 1.4 * rows["no skew"]["JS distance"]
    assert rows["no skew"]["JS distance"] > 2 * rows["FedNLP"]["JS distance"]


# The toy


@pytest.mark.parametrize("shares", SHARES)
def test_the_toys_laws_are_dirichlet(shares):
    """E Σ q² in closed form, (Σ α·p (α·p + 1)) / (α (α + 1)), and the mean p."""
    toy, p = dirichlet_toy(), np.array(SHARES[shares])
    for alpha in TOY_ALPHAS:
        laws = []
        for seed in (0, 1, 2):
            laws.append(toy.set(alpha=alpha, shares=shares, seed=seed).numbers[list(LABELS)].to_numpy())
        laws = np.concatenate(laws)
        np.testing.assert_allclose(laws.sum(axis=1), 1)
        spread = math.sqrt(p.max() * (1 - p.max()) / (alpha + 1) / len(laws))
        assert np.abs(laws.mean(axis=0) - p).max() < 4.5 * spread + 1e-9
        expected = (alpha * p * (alpha * p + 1)).sum() / (alpha * (alpha + 1))
        assert (laws**2).sum(axis=1).mean() == pytest.approx(expected, abs=0.05)


def test_the_toy_says_and_shows_what_it_drew():
    toy = dirichlet_toy().set(alpha=0.3, shares="one common")
    laws = toy.numbers[list(LABELS)].to_numpy()
    alone = re.search("(\\d+)\u00a0% of the clients have more than 90\u00a0%", toy.answer.verdict)
    assert int(alone[1]) == round(100 * (laws.max(axis=1) > 0.9).mean())
    np.testing.assert_allclose(toy.drawing.shown()["cloud"], laws @ CORNERS)
