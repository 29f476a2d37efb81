"""The code that decides a result is found by following names; here it is compared with the code that really runs."""

import ast
import functools
import importlib
import inspect
import pkgutil
import shutil
import sys
import textwrap
import threading
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch

import trustlab
from trustlab.closure import trace
from trustlab.course.experiment import OLD_NAMES
from trustlab.course.n23_continual_learning import experiment as drift
from trustlab.course.n24_fednlp_benchmark import experiment as fednlp
from trustlab.course.n31_fairness_metrics import experiment as population
from trustlab.course.n32_prediction_sensitivity import identity_templates, winogender_sentences
from trustlab.course.n32_prediction_sensitivity.identity_templates import Templates
from trustlab.course.n33_role_reversal import elsewhere, whole_word_models
from trustlab.course.n33_role_reversal import experiment as role_reversal
from trustlab.course.registry import EXPERIMENTS
from trustlab.data import assistant
from trustlab.fairness.tasks.dialect import DialectModel
from trustlab.meaning import meaning
from trustlab.provenance import code_version

PACKAGE = Path(trustlab.__file__).parent
# Code that reading cannot see, or a file of the package: each place is known, with why it decides no row unseen.
UNSEEN = {
    "trustlab.models.encoder.offline_encoder: importlib.util.find_spec": "finds weights, whose sha256 the code names",
    "trustlab.models.smollm2.smollm2_file: importlib.util.find_spec": "finds weights, whose sha256 the code names",
    "trustlab.models.smollm2.load_smollm2: importlib.util.find_spec": "asks whether the file's reader is there",
    "trustlab.data.corpus.registry: importlib.resources.files": "hashes of files; a result's key has the data's own",
    "trustlab.checkpoint.Checkpoint: torch.load": "reads tensors and numbers only, and the experiments leave it out",
}


# Following names, in small packages


@pytest.fixture
def package(tmp_path):
    """Write modules of a package ``p`` and return what is reached from one of its functions."""

    def write(modules, root=("p.main", "run"), **options):
        for name, text in modules.items():
            file = tmp_path / "p" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text))
            for folder in file.parents[: len(Path(name).parts)]:
                (folder / "__init__.py").touch()
        return trace([root], {"p": tmp_path / "p"}, **options)

    return write


def reached(found):
    return {name.removeprefix("p.") for name in found.units}


@pytest.mark.parametrize(
    "main",
    [
        "from p.a.b import f\ndef run(): return f()",
        "import p.a.b\ndef run(): return p.a.b.f()",
        "import p.a.b as m\ndef run(): return m.f()",
        "from p.a import b\ndef run(): return b.f()",
        "from .a.b import f as g\ndef run(): return g()",
        "from .a import b\ndef run(): return [b.f for _ in range(2)]",
        "def run():\n  from p.a.b import f\n  return f()",
        "def run():\n  def inner():\n    from .a import b\n    return b.f()\n  return inner()",
        "from p.a.b import *\ndef run(): return f()",
        "from p.a.b import f\nTABLE = {'f': f}\ndef run(): return TABLE['f']()",
        "from p.a.b import f\nrun = f",
        "from p.a import b\nclass C:\n  def m(self): return b.f()\ndef run(x: C): return x.m()",
        "from p.a import b\nclass A:\n  g = b.f\nclass B(A): pass\ndef run(): return B().g()",
        "from p.a.b import f\ndef wraps(g): return f\n@wraps\ndef run(): return 1",
        "from p.a.b import f\ndef run(g=f): return g()",
        "try:\n  from p.a.b import f\nexcept ImportError:\n  f = None\ndef run(): return f()",
        "if True:\n  from p.a.b import f\ndef run(): return f()",
        "from p.a import b\ndef run(): return getattr(b, 'f')()",
        "from p.a import passed_on\ndef run(): return passed_on()",
        "from p import a\ndef run(): return a.passed_on()",
    ],
)
def test_a_definition_is_found_however_it_is_imported(main, package):
    found = package({
        "a/__init__.py": "from p.a.b import f as passed_on\nfrom p.a.c import unused",
        "a/b.py": "DEEP = 1\ndef f(): return DEEP",
        "a/c.py": "def unused(): return 0",
        "main.py": main,
    })  # fmt: skip
    assert {"a.b.f", "a.b.DEEP"} <= reached(found)
    assert "a.c.unused" not in reached(found)  # who takes one name from a package does not depend on the others


@pytest.mark.parametrize("own", ["from p.a import b", "from . import b", "from . import b\nfrom p.a import b"])
def test_a_package_that_imports_its_own_module_hands_on_that_module(own, package):
    found = package({
        "a/__init__.py": f"{own}\nshown = b.f",
        "a/b.py": "def f(): return 1\ndef g(): return 2",
        "main.py": "from p.a import b\ndef run(): return b.f()",
    })  # fmt: skip
    assert {"main.run", "a.b.f"} <= reached(found) and "a.b.g" not in reached(found)


def test_what_only_type_checkers_import_and_what_only_has_the_name_is_no_part(package):
    found = package({
        "types.py": "class T: pass",
        "other.py": "def f(): return 0",
        "main.py": """
            from __future__ import annotations
            from typing import TYPE_CHECKING
            from p import other
            if TYPE_CHECKING:
                from p.types import T
            def run(x: T, other=1):
                f = other
                return f
            """,
    })  # fmt: skip
    assert reached(found) == {"main.run"}


def test_what_an_import_does_beyond_names_counts_for_all_who_load_the_file(package):
    modules = {
        "table.py": "TABLE = {}\ndef enter(name, f): TABLE[name] = f",
        "entered.py": "from p.table import enter\ndef f(): return 1\nenter('f', f)",
        "main.py": "from p import entered\nfrom p.table import TABLE\ndef run(): return TABLE['f']()",
    }
    assert {"entered.import", "entered.f", "table.enter"} <= reached(package(modules))


def test_the_same_code_under_other_names_is_other_code(package):
    pieces = {"m.py": "def f(): return 1\ndef g(): return 2"}
    lines = ["from p.m import f, g", "from p.m import f as g, g as f", "from math import floor as f, ceil as g"]
    lines += ["from math import floor as g, ceil as f", "from numpy import floor as f, ceil as g"]
    runs = [f"{line}\ndef run(): return f() - g()" for line in lines]
    assert len({package({**pieces, "main.py": run}).version for run in runs}) == len(lines)


def test_other_peoples_packages_are_named_as_they_are_installed(package):
    found = package({
        "used.py": "import yaml\nfrom sklearn.cluster import KMeans\ndef f(): return KMeans, yaml.safe_load",
        "unused.py": "import scipy",
        "main.py": "import os\nfrom p import used, unused\ndef run(): return used.f(), os",
    })  # fmt: skip
    assert found.packages == ("PyYAML", "scikit-learn")


@pytest.mark.parametrize(
    "hidden",
    ["import importlib\ndef run(n): return importlib.import_module(n)", "def run(n): return __import__(n)",
     "from importlib import import_module as load\ndef run(n): return load(n)", "def run(n): exec(n)",
     "import sys\ndef run(n): return sys.modules[n]", "def run(n): return globals()[n]", "def run(n): return eval(n)",
     "def run(c): return c.__subclasses__()", "import pickle\ndef run(n): return pickle.loads(n)",
     "class C:\n  def __init_subclass__(cls): pass\ndef run(): return C", "def run(): return __file__",
     "import torch\ndef run(n): return torch.load(n)"],
)  # fmt: skip
def test_what_reading_cannot_see_is_said(hidden, package):
    assert len(package({"main.py": hidden}).unseen) == 1


def test_where_the_search_is_told_to_stop_it_stops_and_says_so(package):
    modules = {"m.py": "def f(): return g()\ndef g(): return 2", "main.py": "from p.m import f\ndef run(): return f()"}
    found = package(modules, without=["p.m"])
    assert (reached(found), found.left_out) == ({"main.run"}, {"p.m.f"})
    assert reached(package(modules, without=["p.m.g"])) == {"main.run", "m.f"}


@pytest.mark.parametrize("code", [3, [1], functools.partial(print), object()])
def test_what_is_no_code_is_refused(code):
    with pytest.raises(TypeError, match="Expected functions, classes or modules that compute the result, got"):
        code_version(code)


def test_code_without_a_file_is_refused_with_the_way_out():
    made = {}
    exec("def typed_in(): return 1", {"__name__": "nowhere_at_all"}, made)
    with pytest.raises(TypeError, match='a text that names its version, as code="2024-05"'):
        code_version(made["typed_in"])


# What code means

CODE = '''
@dataclass
class C:
    """Docstring."""

    x: int = 1  # comment


def f(a, b=2):
    """Docstring."""
    total: float = a + b
    return [total * each for each in range(3)]
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [('"""Docstring."""', '"""Other prose."""'), ('    """Docstring."""\n', ""), ("  # comment", ""), ("\n\n\n", "\n"),
     ("a + b", "(a  +\n b)"), ("total: float", "total: int"), ("f(a, b=2)", "f(a: int, b: int = 2) -> list[float]"),
     ('"""Docstring."""\n    total', '"""D."""\n    "note"\n    total')],
)  # fmt: skip
def test_prose_and_layout_mean_nothing(old, new):
    assert old in CODE
    assert meaning(ast.parse(CODE.replace(old, new))) == meaning(ast.parse(CODE))


@pytest.mark.parametrize(
    ("old", "new"),
    [("b=2", "b=3"), ("b=2", "b=2.0"), ("a + b", "a - b"), ("a + b", "b + a"), ("x: int", "x: ClassVar[int]"),
     ("= 1 ", "= -1 "), ("x: int = 1", "x = 1"), ("range(3)", "range(4)"), ("@dataclass", "@other"),
     ("total * each", "total"), ("f(a, b", "f(b, a"), ("(a, b=2)", "(a, *, b=2)"),
     ("return [total", "return (total"), ("b=2", "b='2'"), ("b=2", "b=None")],
)  # fmt: skip
def test_whatever_may_change_what_runs_means_something(old, new):
    changed = CODE.replace(old, new).replace("range(3)]", "range(3))" if "(total" in new else "range(3)]")
    assert changed != CODE and meaning(ast.parse(changed)) != meaning(ast.parse(CODE))


# The experiments: what really runs

CODES = {}


def code_of(name, kind=None):
    """Return the code of an experiment's settings; kinds of which the same is left out have the same code."""
    known = EXPERIMENTS[name]
    left_out = tuple(known.left_out(kind)) if kind is not None else ()
    if (name, left_out) not in CODES:
        CODES[name, left_out] = known.code(kind)
    return CODES[name, left_out]


@pytest.fixture(scope="session")
def loaded():
    """Import the whole package before: what runs while it is imported is another matter."""
    for module in pkgutil.walk_packages([str(PACKAGE)], "trustlab."):
        if not module.name.startswith(("trustlab.lab", "trustlab.__main__")):
            importlib.import_module(module.name)


@functools.cache
def statements(file):
    """The top level of a file: first and last line of each statement, and the names that it binds."""
    found = []
    for each in ast.parse(Path(file).read_text(encoding="utf-8")).body:
        stored = [part.id for part in ast.walk(each) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]
        first = min([each.lineno, *(part.lineno for part in getattr(each, "decorator_list", []))])
        found.append((first, each.end_lineno, [each.name] if hasattr(each, "name") else stored))
    return found


def what_runs(generator):
    """Exhaust `generator` and return every definition of the package of which a line was run."""
    called = set()

    def note(frame, event, _):
        if event == "call":
            called.add((frame.f_code.co_filename, frame.f_code.co_firstlineno))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        list(generator)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    found = set()
    for file, line in called:
        if file.startswith(str(PACKAGE)) and file != str(PACKAGE / "deprecation.py"):  # hands on to what is followed
            module = ".".join(["trustlab", *Path(file).relative_to(PACKAGE).with_suffix("").parts])
            names = (names for first, last, names in statements(file) if first <= line <= last)
            found |= {f"{module.removesuffix('.__init__')}.{name}" for each in names for name in each}
    return found


def small(experiment, monkeypatch):
    """Make an experiment's cells quick: they run the same code for a shorter time."""
    short = {name: {**recipe, "steps": 10} for name, recipe in population.RECIPES.items()}
    few = [("RECIPES", short), ("DESCRIBED", 120), ("EXPLAINED", 90), ("CONTEXTS", 600)]
    few_sentences = [(population, name, n) for name, n in few]
    smaller = {
        "non-iid-partitioning": [("trustlab.course.n21_non_iid_partitioning.experiment", "ROUNDS", 10)],
        "fednlp-benchmark": [(fednlp, "ROUNDS", 10)],
        "continual-learning": [(drift, "ROUNDS", 6)],
        "private-text": [("trustlab.course.n14_private_text.experiment", name, 60) for name in ("TRAIN", "CANDIDATES")],
        "private-text-adept": [("trustlab.course.n14_private_text.adept_experiment", "PUBLIC", 100)],
        "private-text-tuning": [("trustlab.course.n14_private_text.shape_search", "TRAIN", 60)],
        "role-reversal": [
            *((whole_word_models, name, n) for name, n in [("STEPS", 10), ("TRAIN", 300), ("HELD_OUT", 60)]),
            *((elsewhere, name, n) for name, n in [("CONTEXT_TEXTS", 400), ("BIOGRAPHIES", 240), ("TESTED", 144)]),
            *((role_reversal, name, n) for name, n in [("EACH", 12), ("KEPT", 3), ("PROJECTED", 2)]),
            (role_reversal, "STUDENT", {**role_reversal.STUDENT, "steps": 3}),
        ],
        "fairness-metrics": [*few_sentences, (population, "TASK_TRAIN", 80), (population, "TASK_TEST", 100)],
        "fairness-metrics-sensitivity": few_sentences,
    }
    if experiment in MADE:
        made_small(monkeypatch)
    for module, name, value in smaller.get(experiment, []):
        monkeypatch.setattr(importlib.import_module(module) if isinstance(module, str) else module, name, value)


def posts(rows, seed):
    """Return posts that name one of two communities, kind or not; annotators marked the verb and the name."""
    rng, found = np.random.default_rng(seed), []
    for place in range(rows):
        target, word = (("Islam", "muslims"), ("Women", "women"))[place % 2]
        kind = bool(rng.random() < 0.5)
        tokens = ["they", "greet" if kind else "mock", word, *["today"] * int(rng.integers(1, 3))]
        label = "normal" if kind else "offensive"
        marks = [] if kind else [0.0, 1.0, float(place % 3 == 0), *[0.0] * (len(tokens) - 3)]
        said = {"text": " ".join(tokens), "tokens": tokens, "targets": [target], "rationale": marks}
        found.append({**said, "label": label, "labels": [label, label, "normal" if place % 5 else label]})
    return datasets.Dataset.from_list(found)


def tweets(rows, seed):
    """Return tweets in two dialects, each with a word of its own."""
    rng = np.random.default_rng(seed)
    labels = ["offensive" if rng.random() < 0.4 else "neither" for _ in range(rows)]
    said = [f"{('yonder', 'over')[i % 2]} {label}{' day' * (i % 3)}" for i, label in enumerate(labels)]
    return datasets.Dataset.from_dict({"text": said, "label": labels})


def made_small(monkeypatch):
    """Give the experiments of real posts and tweets made ones, and what else they read."""
    words = [f"they {verb} {term} today".split() for verb in ("mock", "greet") for term in ("muslims", "women", "men")]
    made = Templates(words, np.tile([False, False, True, False], (6, 1)), (2, 3))
    dialects = DialectModel(("yonder", "over"), np.array([[90, 9, 9, 1], [1, 9, 9, 90]]))
    monkeypatch.setattr(identity_templates, "templates", lambda: made)
    monkeypatch.setattr(winogender_sentences, "sentences", lambda: made._replace(shape=(3, 2)))
    monkeypatch.setattr(DialectModel, "load", classmethod(lambda cls, directory=None: dialects))


MADE = {"prediction-sensitivity-real": posts, "prediction-sensitivity-dialect": tweets}
SPLITS = {"train": 200, "validation": 80, "test": 80}
ROWS = {  # of the corpus, for the experiments whose names begin so
    **dict.fromkeys(("dp-sgd-vs-edp-sgd", "membership-inference-encoder"), 800),
    # fewer rows would run other code
    **dict.fromkeys(("membership-inference", "fairness-metrics-tasks", "prediction-sensitivity"), 4000),
}
CELLS = [
    ("dp-sgd-vs-edp-sgd", dict(method="edp-sgd", epsilon=8.0, micro_batches=64, epochs=1)),
    ("dp-sgd-vs-edp-sgd", dict(method="fast", epsilon=8.0, epochs=1)),
    ("dp-sgd-vs-edp-sgd", dict(method="sgd", epochs=1)),
    ("dp-sgd-vs-edp-sgd", dict(method="tf-idf")),
    ("dp-sgd-vs-edp-sgd-tuning", dict(method="fast", epsilon=8.0, epochs=1)),
    *(("dp-sgd-vs-edp-sgd-encoder", dict(method=method, clip_norm=c)) for method, c in (("sgd", 0.0), ("fast", 1.0))),
    ("membership-inference", dict(method="edp-sgd", size=100, micro_batches=16, epochs=1)),
    ("membership-inference", dict(method="sgd", epsilon=float("inf"), size=100, epochs=1, clip_norm=0.0)),
    ("membership-inference", dict(method="majority", size=100)),
    ("membership-inference-tuning", dict(method="dp-sgd", size=100, seed=100, epochs=1)),
    ("membership-inference-encoder", dict(method="dp-sgd", size=100, epochs=1)),
    ("membership-inference-encoder-tuning", dict(method="dp-sgd", size=100, seed=100, epochs=1)),
    *(("non-iid-partitioning", dict(scheme=scheme, alpha=0.1)) for scheme in ("fednlp", "iid")),
    ("non-iid-partitioning", dict(scheme="centralised")),
    *(("fednlp-benchmark", dict(task=task)) for task in ("classification", "tagging", "seq2seq")),
    ("continual-learning", dict(setting="continual", replay=20, labels="feedback")),
    ("device-selection", dict(strategy="oort", aggregation="equal", cohort=3)),
    ("device-selection-harm", dict(beta=0.5)),
    ("device-selection-rounds", dict(beta=0.5)),
    *(
        ("private-text", dict(mechanism=each, epsilon=e))
        for each, e in (("exponential", 20.0), ("truncated Gumbel", 1e5))
    ),
    ("private-text-adept", dict(noise="corrected")),
    ("private-text-tuning", dict(shape=0.25, seed=100)),
    ("fairness-metrics", dict(recipe="augmented", region_dose=0.5)),
    ("fairness-metrics-tasks", dict(corpus="assistant", model="words")),
    ("fairness-metrics-sensitivity", dict(region_dose=0.5)),
    ("prediction-sensitivity", dict(dose=0.5)),
    *((name, {}) for name in MADE),
    ("role-reversal", dict(reversal="mean", augmentation=0.5)),
]


@pytest.mark.parametrize(("name", "dials"), CELLS)
def test_all_code_that_a_cell_runs_is_in_its_closure_and_nothing_that_is_left_out(name, dials, loaded, monkeypatch):
    known = EXPERIMENTS[name]
    small(name, monkeypatch)
    cell = known.module.Setting(**dials)
    kind, threads = getattr(cell, known.varied), torch.get_num_threads()
    torch.set_num_threads(1)
    corpus = assistant(next((rows for start, rows in ROWS.items() if name.startswith(start)), 1600), seed=0)
    if name in MADE:
        corpus = {split: MADE[name](rows, seed) for seed, (split, rows) in enumerate(SPLITS.items())}
    try:
        ran = what_runs(known.module.run(cell, corpus))
    finally:
        torch.set_num_threads(threads)
    code = code_of(name, kind)
    assert len(ran) > 10
    assert ran - set(code.units) == set()  # also: no definition at which the search was told to stop


def kinds():
    return [(name, kind) for name, known in EXPERIMENTS.items() for kind in known.slowest_first]


@pytest.mark.parametrize(("name", "kind"), kinds())
def test_each_thing_left_out_has_a_reason_and_would_be_reached(name, kind):
    known = EXPERIMENTS[name]
    whole, code = code_of(name).units, code_of(name, kind)
    for part, reason in known.left_out(kind).items():
        assert reason.endswith(".") and len(reason) > 20
        assert [each for each in whole if f"{each}.".startswith(f"{part}.")], f"{part} is not reached: do not list it"
    # What is left out by name is code: that it does not run is seen above, that a constant is not read could not be.
    for each in (each for each in code.left_out if not each.startswith(f"{OLD_NAMES}.")):
        module, _, definition = each.rpartition(".")
        assert callable(getattr(importlib.import_module(module), definition)), f"{each} is a value, and may be read"


def test_no_experiment_has_code_that_reading_cannot_see_but_the_known():
    unseen = {each for name in EXPERIMENTS for each in code_of(name).unseen}
    assert unseen == set(UNSEEN), "A new way to code that is named by a text: follow it, or say why it decides nothing."


# Edits


def edited(source, name):
    """Return `source` with something else done in its definition `name`, and with other prose there."""
    (node,) = (each for each in ast.parse(source).body if getattr(each, "name", "") == name)
    lines = source.splitlines(keepends=True)
    line = node.body[0].end_lineno if ast.get_docstring(node) else node.body[0].lineno - 1
    indent = " " * node.body[0].col_offset

    def plus(text):
        return "".join([*lines[:line], f"{indent}{text}\n", *lines[line:]])

    return plus("edited = 1"), plus("# edited")


def units_of(folder, name):
    """Return the units of an experiment's code in a copy of the package."""
    roots = [(EXPERIMENTS[name].module.__name__, each) for each in ("run", "Setting")]
    return trace(roots, {"trustlab": folder}, without=[OLD_NAMES]).units


def modules():
    """Every file of the mechanisms that an experiment uses, and a definition of it."""
    found = {}
    for unit in sorted({unit for name in EXPERIMENTS for unit in code_of(name).units}):
        module, _, name = unit.rpartition(".")
        value = getattr(importlib.import_module(module), name, None)
        if not (inspect.isfunction(value) or inspect.isclass(value)):
            continue
        if (value.__module__, value.__name__) == (module, name):
            found.setdefault(module, name)
    return found


@pytest.fixture(scope="session")
def copied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("copy") / "trustlab"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__", "lab"))
    return folder


def test_an_edit_of_any_mechanisms_file_is_another_code_of_whoever_uses_it_and_prose_is_not(copied):
    before = {name: code_of(name).units for name in EXPERIMENTS}
    chosen, sources = modules(), {}
    assert {"privacy", "federated", "fairness", "models", "data"} <= {module.split(".")[1] for module in chosen}
    assert len(chosen) > 100
    for module, name in chosen.items():
        file = copied.joinpath(*module.split(".")[1:])
        file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        sources[file] = edited(file.read_text(encoding="utf-8"), name)
    for file, (_, prose) in sources.items():
        file.write_text(prose, encoding="utf-8")
    assert {name: units_of(copied, name) for name in EXPERIMENTS} == before  # wherever the package lies, too
    for file, (other, _) in sources.items():
        file.write_text(other, encoding="utf-8")
    names = {f"{module}.{name}" for module, name in chosen.items()}
    for name, units in before.items():
        after = units_of(copied, name)
        assert {each for each in units if after[each] != units[each]} == names & set(units), name
        assert after.keys() == units.keys()
