"""The audit of public packages: what it computes, what it exports from code of their form, and the committed table."""

import sys
import textwrap

import numpy as np
import pytest
import scipy.stats

from benchmarks import peers_promises, text_peers
from benchmarks.peer_process import Peer, python_of
from benchmarks.peers_promises import (
    KINDS,
    MAP,
    MLDP,
    OURS,
    PANTERA,
    WORDS,
    Exported,
    Rescaled,
    Shaped,
    agreement,
    noise_of,
    of_gumbel,
    said_on_a_map,
    turned,
)  # fmt: skip
from trustlab.course.n14_private_text.toy import PLACES
from trustlab.course.n14_private_text.word_mechanisms import EXPONENTIAL, GUMBEL, LAPLACE, SHAPED, public_table
from trustlab.privacy.text import NoisyVectors, TruncatedExponential, WordTable, audit_words
from trustlab.results import read_results
from trustlab.versions import ROOT

TOYS = WordTable.of(PLACES)


def on_map(noise, directions):
    return Exported(TOYS, noise.epsilon, said_on_a_map(TOYS, noise.epsilon, directions), noise)


@pytest.mark.parametrize("make", [NoisyVectors, Rescaled])
def test_what_noise_says_on_the_map_is_what_is_drawn(make):
    noise = make(TOYS, 2.0, shape=1.0)
    directions = noise.directions(turned()) if make is Rescaled else turned() @ noise._root
    expected = 40_000 * np.exp(on_map(noise, directions).log_probabilities([1])[0])
    assert expected.sum() == pytest.approx(40_000, rel=1e-6)
    said = noise.draw(np.ones(40_000, dtype=int), np.random.default_rng(0))
    assert agreement(np.bincount(said, minlength=len(TOYS)), expected) > 1e-4


@pytest.mark.parametrize("epsilon", peers_promises.ON_MAP)
def test_on_the_map_honest_noise_keeps_its_promise_and_a_rescaled_direction_breaks_it(epsilon):
    honest = NoisyVectors(TOYS, epsilon, shape=1.0)
    assert 0.95 < audit_words(on_map(honest, turned() @ honest._root)).ratio <= 1
    rescaled = Rescaled(TOYS, epsilon, shape=1.0)
    assert audit_words(on_map(rescaled, rescaled.directions(turned()))).ratio > 1.1


def test_twice_as_many_directions_change_little():
    noise = NoisyVectors(TOYS, 5.0, shape=1.0)
    few, many = (said_on_a_map(TOYS, 5.0, turned(n) @ noise._root) for n in (20_000, 40_000))
    assert np.abs(few - many).max() < 0.01


def test_agreement_sees_another_distribution_and_pools_rare_words():
    expected = np.array([500.0, 300.0, 199.0, 0.6, 0.4])
    assert agreement(np.array([500, 300, 199, 1, 0]), expected) == pytest.approx(1, abs=0.01)
    assert agreement(np.array([400, 400, 199, 1, 0]), expected) < 1e-6
    assert agreement(np.array([600, 400]), np.array([600.0, 400.0])) == 1  # nothing is rare
    assert agreement(np.array([600, 400, 0]), np.array([600.0, 400.0, 0.0])) == 1
    assert agreement(np.array([600, 399, 1]), np.array([600.0, 400.0, 0.0])) == 0


# Exports, from stand-ins written the way that the packages are

GENSIM = """
class KeyedVectors:
    def __init__(self, width): pass
    def add_vectors(self, words, vectors):
        self.vectors, self.index_to_key = vectors, words
        self.key_to_index = {word: i for i, word in enumerate(words)}
    def __contains__(self, word): return word in self.key_to_index
    def __getitem__(self, word): return self.vectors[self.key_to_index[word]]
"""
MLDP_LIKE = """
import math
import numpy as np
class TEM:
    def __init__(self, epsilon, embedding_matrix, dim, vocab, use_faiss, wrong=False):
        self.epsilon, self.embedding_matrix, self.wrong = epsilon, embedding_matrix, wrong
    def replace_word(self, word):
        if word not in self.embedding_matrix: return word
        all, n = self.embedding_matrix, len(self.embedding_matrix.key_to_index)
        d = np.linalg.norm(all.vectors - all[word], axis=1)
        limit = 2 / self.epsilon * math.log((1 - .001) * (n - 1) / .001)
        f = {w: -x for w, x in zip(all.index_to_key, d) if x <= limit}
        rest = n / len(f) if self.wrong else n - len(f)
        f["⊥"] = -limit + 2 / self.epsilon * math.log(rest) if rest else -1e9
        f = {w: x + np.random.gumbel(0, 2 / self.epsilon) for w, x in f.items()}
        best = max(f, key=f.get)
        return np.random.choice([w for w in all.index_to_key if w not in f]) if best == "⊥" else best
class Laplace:
    def __init__(self, epsilon, embedding_matrix, dim, vocab, use_faiss):
        self.epsilon = epsilon
    def get_perturbed_vector(self, x, n):
        z = np.random.multivariate_normal(np.zeros(n), np.identity(n))
        z = np.random.gamma(n, 1 / self.epsilon) * z / np.linalg.norm(z)
        return x + z, z
"""
PANTERA_LIKE = """
import numpy as np
import numpy.random as npr
class TEM:
    def __init__(self, options):
        rows = [line.split() for line in open(options["embPath"], encoding="utf-8")]
        self.words, self.vectors = [r[0] for r in rows], np.array([r[1:] for r in rows], float)
        self.epsilon = options["epsilon"]
        n = len(rows)
        self.gamma = 2 / self.epsilon * np.log((1 - options["beta"]) * (n - 1) / options["beta"])
    def processText(self, text):
        out = []
        for word in text:
            d = np.linalg.norm(self.vectors - self.vectors[self.words.index(word)], axis=1)
            near = [(w, -x) for w, x in zip(self.words, d) if x <= self.gamma]
            far = [w for w, x in zip(self.words, d) if x > self.gamma]
            bottom = -self.gamma + 2 * np.log(len(far)) / self.epsilon if far else -np.inf
            near.append(("PLACEHOLDERWORD", bottom))
            near = [(w, x + npr.gumbel(0, 2 / self.epsilon, 1)) for w, x in near]
            best = max(near, key=lambda each: each[1])[0]
            out.append(word if best == "PLACEHOLDERWORD" else best)
        return " ".join(out)
"""


@pytest.fixture
def standins(tmp_path, monkeypatch):
    """Packages of the same names and forms, and tables for them."""
    files = {
        "gensim/__init__.py": "", "gensim/models.py": GENSIM, "mldp_text/__init__.py": "from .mechanisms import *",
        "mldp_text/mechanisms.py": MLDP_LIKE, "src/__init__.py": "", "src/utils/__init__.py": "",
        "src/utils/helper.py": "from ..SamplingPerturbationMechanism.tem import TEM",
        "src/SamplingPerturbationMechanism/__init__.py": "", "src/SamplingPerturbationMechanism/tem.py": PANTERA_LIKE,
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "site" / name).write_text(textwrap.dedent(text), encoding="utf-8")
    for name in [each for each in sys.modules if each.split(".")[0] in ("gensim", "mldp_text", "src")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(text_peers, "FOLDER", tmp_path)
    np.savez(tmp_path / "map.npz", words=np.array(TOYS.words), vectors=TOYS.vectors)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("gensim", "mldp_text", "src"):
            del sys.modules[name]


def test_exported_probabilities_are_those_of_the_mechanism(standins):
    text_peers.probabilities("mldp-text", "TEM", "map", "found", epsilon=10.0)
    expected = TruncatedExponential(TOYS, 10.0).log_probabilities(np.arange(12))
    np.testing.assert_allclose(np.load(standins / "found.npy"), expected, rtol=1e-9)
    assert np.random.gumbel.__self__ is np.random.mtrand._rand  # given back


def test_a_wrong_entry_for_all_beyond_is_found_in_what_is_exported(standins):
    text_peers.probabilities("mldp-text", "TEM", "map", "found", epsilon=3.0, wrong=True)
    right = TruncatedExponential(TOYS, 3.0).log_probabilities(np.arange(12))
    assert np.abs(np.load(standins / "found.npy") - right).max() > 1e-6


def test_a_word_that_is_said_instead_of_all_beyond_is_seen(standins):
    text_peers.probabilities("pypantera", "TEM", "map", "found", epsilon=10.0, beta=0.001)
    found = np.load(standins / "found.npy")
    distances = TOYS.distances(TOYS.vectors)
    far = distances > TruncatedExponential(TOYS, 10.0).threshold
    assert far.any() and (found[far] == -np.inf).all() and np.isfinite(found[~far]).all()
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, rtol=1e-9)
    assert audit_words(Exported(TOYS, 10.0, found)).ratio == np.inf


def test_draws_of_a_standin_agree_with_its_export(standins):
    text_peers.probabilities("mldp-text", "TEM", "map", "found", epsilon=5.0)
    counts = text_peers.draws("mldp-text", "TEM", "map", "tea", 5000, epsilon=5.0)["counts"]
    assert agreement(np.array(counts), 5000 * np.exp(np.load(standins / "found.npy")[0])) > 1e-4


def test_unknown_words_that_pass_are_counted(standins):
    assert text_peers.unknown("mldp-text", "TEM", "map", 7, epsilon=5.0) == {"unchanged": 7}


class Here:
    """A peer in this process."""

    def __init__(self, folder):
        self.folder = folder

    def ask(self, do, **options):
        return text_peers.COMMANDS[do](**options)

    def array(self, name):
        return np.load(self.folder / f"{name}.npy")


def test_noise_is_told_from_what_code_makes_of_normal_vectors(standins, monkeypatch):
    monkeypatch.setitem(KINDS, (MLDP, LAPLACE), ("Laplace", {}))
    found = noise_of(Here(standins), TOYS, "map", (MLDP, LAPLACE), 2.0)
    assert isinstance(found, Shaped) and audit_words(found).ratio == pytest.approx(1, abs=1e-9)
    assert found.log_density(np.array([0.3, 0.4])) == pytest.approx(-2.0 * 0.5)


def test_noise_of_another_form_is_refused(standins, monkeypatch):
    monkeypatch.setitem(KINDS, (MLDP, SHAPED), ("Laplace", {}))
    peer = Here(standins)
    peer.array = lambda name: np.load(standins / f"{name}.npy") ** 3
    with pytest.raises(RuntimeError, match="Its density is not known here"):
        noise_of(peer, TOYS, "map", (MLDP, SHAPED), 2.0)


class Counting:
    """Answers as mldp-text's truncated Gumbel noise does."""

    def __init__(self, no_candidate=True):
        self.answer = {"mean": float(np.log(1999)), "most": 1999, "no candidate": no_candidate, "scale": 3.7}

    def ask(self, do, **options):
        return self.answer


def test_the_bound_of_truncated_gumbel_noise_is_of_its_numbers_of_candidates():
    table = public_table()
    row = of_gumbel(Counting(), table, (MLDP, GUMBEL), 250.0)
    word, other = table.ids([row["word"], row["other"]])
    distances = table.distances(table.vectors[[other]])[0]
    count, rank = scipy.stats.poisson(np.log(1999)), 1 + int((distances < distances[word]).sum())
    above = np.logaddexp.reduce(count.logpmf(np.arange(rank, rank + 200)))  # P(K ≥ rank), what is left is nothing
    loss = np.log(count.pmf(0) + count.pmf(1)) - above
    found = row["loss / promise"] * 250.0 * distances[word]
    assert np.isfinite(found) and loss - 0.1 < found <= loss + 1e-9  # a bound, and close
    assert row["promise"] == "broken"
    with pytest.raises(RuntimeError, match="The bound is of another mechanism"):
        of_gumbel(Counting(no_candidate=False), table, (MLDP, GUMBEL), 250.0)


# The process


def test_a_peer_answers_in_its_own_process_and_its_end_is_an_error(tmp_path):
    script = tmp_path / "peer.py"
    script.write_text(
        "import json, os, sys\n"
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n"
        "    if asked['do'] == 'fall': sys.exit(3)\n"
        "    answer = {'got': asked, 'threads': os.environ['OMP_NUM_THREADS'], 'in': sys.argv[1]}\n"
        "    print(json.dumps(answer), flush=True)\n"
    )
    with Peer(sys.executable, script) as peer:
        answer = peer.ask("say", n=3)
        assert answer == {"got": {"do": "say", "n": 3}, "threads": "1", "in": str(peer.folder)}
        peer.give("t", TOYS.words, TOYS.vectors)
        assert np.load(peer.folder / "t.npz")["words"].tolist() == list(TOYS.words)
        with pytest.raises(RuntimeError, match="Expected an answer to 'fall', the peer's process ended"):
            peer.ask("fall")
    assert not peer.folder.exists()


def test_a_missing_environment_is_said_and_a_wrong_one_refused(monkeypatch, capsys):
    monkeypatch.delenv(peers_promises.VARIABLE, raising=False)
    assert python_of(peers_promises.VARIABLE) is None
    peers_promises.main(None)  # measures nothing
    assert capsys.readouterr().err.count("LEFT OUT") == 2
    monkeypatch.setenv(peers_promises.VARIABLE, "/no/python")
    with pytest.raises(FileNotFoundError, match="There is no such file"):
        python_of(peers_promises.VARIABLE)


# The committed table


@pytest.fixture(scope="module")
def committed():
    return read_results(ROOT / "data" / "results" / peers_promises.NAME)


def test_the_table_has_the_versions_and_every_mechanism(committed):
    rows, about = committed
    assert "mldp-text 0.1.2, pypantera 1.0.2" in about["config"]["peers"]
    assert set(zip(rows["package"], rows["mechanism"], strict=True)) >= set(KINDS)
    assert (rows[rows["table"] == WORDS]["pairs"] >= 10_000).all()
    assert (rows[rows["table"] == MAP]["pairs"] == 66).all()  # all that there are


def test_every_draw_of_a_package_agrees_with_what_was_exported(committed):
    drawn = committed[0].dropna(subset=["draws p"])
    assert len(drawn) and (drawn["draws p"] > 1e-3).all()
    known = drawn[drawn["package"] != OURS]
    assert set(zip(known["package"], known["mechanism"], strict=True)) == {k for k in KINDS if k[1] != GUMBEL}


def test_ours_keep_their_promise_and_theirs_are_as_the_notebook_says(committed):
    rows = committed[0]
    own = rows[(rows["package"] == OURS) & (rows["mechanism"] != GUMBEL)]
    assert (own["promise"] == "kept").all()
    theirs = rows[(rows["package"] != OURS) & (rows["promise"] == "broken")]
    broken = set(zip(theirs["package"], theirs["mechanism"], strict=True))
    assert broken == {(MLDP, EXPONENTIAL), (PANTERA, EXPONENTIAL), (PANTERA, SHAPED), (MLDP, GUMBEL)}
