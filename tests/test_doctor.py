import importlib
import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from trustlab import __main__ as command
from trustlab import doctor, versions
from trustlab.doctor import Check
from trustlab.models import smollm2

PYPROJECT = """
[project]
dependencies = ["alpha>=1.2,<2", "Beta_B>=3"]
[project.optional-dependencies]
extra = ["gamma>=1"]
"""


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """A checkout with two dependencies and one extra, and an environment whose versions the test chooses."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "requirements.lock").write_text("# comment == no pin\nalpha==1.5\nbeta-b==3.1\ngamma==1.0\n")
    monkeypatch.setattr(versions, "ROOT", tmp_path)
    present = {"alpha": "1.5", "Beta_B": "3.1", "gamma": "1.0"}
    monkeypatch.setattr(versions, "installed", lambda name: present.get(name, ""))
    monkeypatch.setattr(doctor, "installed", versions.installed)
    return present


@pytest.mark.parametrize(("version", "ok"), [((3, 10, 13), False), ((3, 11, 0), True), ((3, 14, 1), True)])
def test_python(monkeypatch, version, ok):
    monkeypatch.setattr(sys, "version_info", version)
    check = doctor.python()
    assert check.ok is ok and check.found.startswith(".".join(map(str, version)))
    assert bool(check.fix) is not ok


@pytest.mark.parametrize(
    ("alpha", "ok", "found"),
    [
        ("1.5", True, "2 as declared, versions of the lock"),
        ("1.5+cpu", True, "2 as declared, versions of the lock"),
        ("1.9", True, "2 as declared, other than the lock: alpha 1.9 (lock: 1.5)"),
        ("2.0", False, "alpha is 2.0, expected <2,>=1.2"),
        ("", False, "alpha is missing"),
    ],
)
def test_packages(environment, alpha, ok, found):
    environment["alpha"] = alpha
    check = doctor.packages()
    assert (check.ok, check.found) == (ok, found)
    assert ("make setup" in check.fix) is not ok


def test_packages_without_a_lock(environment, tmp_path):
    (tmp_path / "requirements.lock").unlink()
    assert doctor.packages() == Check("Packages", True, "2 as declared, no lock here")


def test_packages_of_an_installation_without_a_checkout(environment, tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").unlink()
    lines = ["alpha>=1.2", 'Beta_B>=3; python_version > "3"', 'gamma>=1; extra == "extra"']
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    monkeypatch.setattr(metadata, "metadata", lambda name: SimpleNamespace(get_all=lambda field: ["extra"]))
    names = {extra: [each.name for each in wanted] for extra, wanted in versions.declared().items()}
    assert names == {"": ["alpha", "Beta_B"], "extra": ["gamma"]}


@pytest.mark.parametrize(
    ("gamma", "ok", "found"),
    [
        ("1.0", True, "1 as declared, versions of the lock"),
        ("0.9", False, "gamma is 0.9, expected >=1"),
        ("", None, "extra lacks gamma"),
    ],
)
def test_extras(environment, gamma, ok, found):
    environment["gamma"] = gamma
    assert (doctor.extras().ok, doctor.extras().found) == (ok, found)


@pytest.fixture
def jupyter(monkeypatch):
    """Choose the kernel's interpreter and the `jupyter` on the PATH."""

    def choose(program, server):
        kernelspec = importlib.import_module("jupyter_client.kernelspec")
        spec = SimpleNamespace(argv=[program, "-m", "ipykernel_launcher"])
        monkeypatch.setattr(kernelspec.KernelSpecManager, "get_kernel_spec", lambda self, name: spec)
        monkeypatch.setattr(doctor.shutil, "which", lambda name: server)
        return doctor.kernel()

    return choose


def test_kernel_and_server_agree(jupyter):
    scripts = Path(doctor.sysconfig.get_path("scripts"))
    assert jupyter("python", str(scripts / "jupyter")).ok
    assert jupyter(sys.executable, None).ok
    assert "no `jupyter` on the PATH" in jupyter("python3", None).found


def test_kernel_of_another_environment(jupyter):
    check = jupyter("/elsewhere/bin/python", None)
    assert check.ok is False and "notebooks run in /elsewhere/bin" in check.found and "ipykernel install" in check.fix


def test_server_of_another_environment(jupyter):
    check = jupyter("python", "/elsewhere/bin/jupyter")
    assert check.ok is False and "`jupyter` is /elsewhere/bin/jupyter" in check.found and "make lab" in check.fix


def test_widgets(monkeypatch, tmp_path):
    paths = importlib.import_module("jupyter_core.paths")
    monkeypatch.setattr(paths, "jupyter_path", lambda kind: [str(tmp_path / "none"), str(tmp_path)])
    for package, extension, version in (
        ("jupyterlab_widgets", "@jupyter-widgets/jupyterlab-manager", "5.0.15"),
        ("anywidget", "anywidget", "0.11.0"),
    ):
        check = doctor.widgets()
        assert check.ok is False and package in check.fix
        (tmp_path / extension).mkdir(parents=True)
        (tmp_path / extension / "package.json").write_text(json.dumps({"version": version}))
    check = doctor.widgets()
    assert check.ok and "5.0.15" in check.found and "anywidget 0.11.0" in check.found


def test_write_access(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(doctor, "_places", lambda: {"runs": tmp_path / "not" / "yet", "cache": tmp_path})
    assert doctor.write_access() == Check("Write access", True, "runs, cache")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]

    def refused(dir):
        raise PermissionError(dir)

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refused)
    check = doctor.write_access()
    assert check.ok is False and f"runs ({tmp_path}" in check.found and check.fix


def test_the_places_written_to(monkeypatch, tmp_path):
    monkeypatch.setenv("TRUSTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path / "runs"))
    places = doctor._places()
    assert (places["cache"], places["runs"]) == (tmp_path / "cache", tmp_path / "runs")
    assert places["notebooks"].is_dir() and not list(tmp_path.iterdir())


@pytest.fixture
def corpora(monkeypatch, tmp_path):
    """Two corpora, of which `located` decides what their folders hold, under TRUSTLAB_DATA and an empty cache."""
    catalogue, fetching = map(importlib.import_module, ("trustlab.data.catalogue", "trustlab.data.fetching"))
    monkeypatch.setattr(catalogue, "CORPORA", {"one": None, "two": None})
    monkeypatch.setenv("TRUSTLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TRUSTLAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data" / "one").mkdir(parents=True)

    def located(answer):
        def locate(name, directory):
            assert directory, "without a folder locate would download"
            if isinstance(answer, Exception):
                raise answer
            return {"file": directory}

        monkeypatch.setattr(fetching, "locate", locate)
        return tmp_path

    return located


def test_data_partly_here(corpora):
    corpora("found")
    check = doctor.data()
    assert check.ok is None and check.found == "the embedded corpus, one; not here: two"
    assert "TRUSTLAB_DATA" in check.fix


def test_data_all_here_one_in_the_cache(corpora):
    (corpora("found") / "cache" / "two").mkdir(parents=True)
    assert doctor.data() == Check("Data", True, "the embedded corpus, one, two")


def test_data_incomplete_is_not_here_and_damaged_fails(corpora):
    corpora(FileNotFoundError("lacks a file"))
    assert doctor.data().found == "the embedded corpus; not here: one, two"
    corpora(ValueError("Expected sha256 a, it has b."))
    check = doctor.data()
    assert check.ok is False and "it has b" in check.found and "remove" in check.fix


def test_data_variable_that_names_no_folder(corpora, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_DATA", "nowhere")
    assert doctor.data().ok is False


@pytest.mark.parametrize(
    ("raised", "ok", "found"),
    [
        (None, True, "sha256 53aa51172d14… as published"),
        (FileNotFoundError("no package"), None, "not installed"),
        (ValueError("Expected the encoder's weights to have"), False, "Expected the encoder's weights"),
    ],
)
def test_encoder(monkeypatch, tmp_path, raised, ok, found):
    def offline_encoder():
        if raised:
            raise raised
        return tmp_path

    monkeypatch.setattr(importlib.import_module("trustlab.models.encoder"), "offline_encoder", offline_encoder)
    check = doctor.encoder()
    assert check.ok is ok and found in check.found and bool(check.fix) is (ok is not True)


@pytest.mark.parametrize(
    ("raised", "gguf", "ok", "found"),
    [
        (None, "0.19.0", True, "sha256 b179c9523d0e… as known"),
        (None, "", None, "no gguf to read it"),
        (FileNotFoundError("no package"), "0.19.0", None, "not installed"),
        (ValueError("Expected SmolLM2's file"), "0.19.0", False, "Expected SmolLM2's file"),
    ],
)
def test_language_model(monkeypatch, tmp_path, raised, gguf, ok, found):
    def smollm2_file():
        if raised:
            raise raised
        return tmp_path / "model.gguf"

    monkeypatch.setattr(smollm2, "smollm2_file", smollm2_file)
    monkeypatch.setattr(doctor, "installed", lambda name: gguf)
    check = doctor.language_model()
    assert check.ok is ok and found in check.found and ("make smollm2" in check.fix) is (ok is not True)


def test_cores(monkeypatch):
    monkeypatch.setattr(doctor, "usable_cores", lambda: 2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert doctor.cores() == Check("Cores", True, "2 cores, torch computes on 2 threads")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 16)
    assert doctor.cores().ok is None and "OMP_NUM_THREADS=2" in doctor.cores().fix


def test_cores_are_what_affinity_leaves():
    if hasattr(os, "sched_getaffinity"):
        assert 1 <= doctor.usable_cores() <= len(os.sched_getaffinity(0))


@pytest.fixture
def checkout(monkeypatch, tmp_path):
    """A checkout named trustlab, and a way to choose what Python imports beside it."""
    root = tmp_path / "above" / "trustlab"
    for folder in ("trustlab", "notebooks"):
        (root / folder).mkdir(parents=True)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "trustlab" / "__init__.py").write_text("")
    monkeypatch.setattr(doctor, "ROOT", root)
    monkeypatch.setattr(versions, "ROOT", root)
    monkeypatch.setenv("PYTHONPATH", str(root))
    return root


def test_code_of_this_checkout(checkout):
    assert doctor.code() == Check("Code", True, f"notebooks import this checkout, {checkout}")


def test_code_of_the_checkout_that_this_one_was_copied_from(checkout, monkeypatch, tmp_path):
    original = tmp_path / "original" / "trustlab" / "__init__.py"
    original.parent.mkdir(parents=True)
    original.write_text("")
    monkeypatch.setenv("PYTHONPATH", str(original.parents[1]))
    check = doctor.code()
    assert check.ok is False and f"notebooks import {original}, this checkout is {checkout}" in check.found
    assert "make setup" in check.fix


def test_code_that_the_folder_above_hides(checkout, monkeypatch, tmp_path):
    """As an import hook leaves it: notebooks find the package, scripts above find the checkout's folder."""
    monkeypatch.setattr(doctor, "_imported_in", lambda folder: "" if folder == checkout.parent else doctor.__file__)
    monkeypatch.setattr(doctor.os.path, "samefile", lambda one, other: True)
    check = doctor.code()
    assert check.ok is False and f"scripts in {checkout.parent} import nothing that works" in check.found


SIGNS = "→ ε ≥ 1 × 2 — \udcff"  # the last is a byte of a path that is no text


@pytest.mark.parametrize(
    ("arguments", "encoding"),
    [*((["doctor"], encoding) for encoding in ("latin-1", "ascii", "cp1252", "utf-8")), (["run", "--help"], "ascii")],
)
def test_every_command_prints_to_any_terminal(arguments, encoding):
    code = (
        "import sys; from trustlab import __main__ as command, doctor\n"
        f"doctor.examine = lambda: [doctor.Check('Data', None, {SIGNS!a}, {SIGNS!a})]\n"
        f"sys.exit(command.main({arguments}))"
    )
    env = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": encoding}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, timeout=120)
    assert ran.returncode == 0, ran.stderr.decode(errors="replace")
    assert ran.stdout and b"Error" not in ran.stderr


def test_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert doctor.gpu().state == "—"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert doctor.gpu() == Check("GPU", True, "Apple Metal")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "H100")
    assert doctor.gpu() == Check("GPU", True, "H100")


def test_a_check_that_crashes_is_a_failure_and_not_a_traceback():
    def broken_thing():
        raise RuntimeError("boom")

    def lacking():
        raise ModuleNotFoundError("No module named 'packaging'")

    crashed, missing = doctor.examine([broken_thing, lacking])
    assert (crashed.name, crashed.ok, crashed.found) == ("Broken thing", False, "cannot look: RuntimeError: boom")
    assert missing.ok is False and "packaging" in missing.found and "make setup" in missing.fix


def test_the_table_names_states_and_fixes():
    findings = [Check("Python", True, "3.11"), Check("Data", False, "gone", "fetch it"), Check("GPU", None, "none")]
    assert doctor.table(findings).splitlines() == [
        "OK    Python  3.11",
        "FAIL  Data    gone",
        "              → fetch it",
        "—     GPU     none",
        "",
        "To fix: Data.",
    ]
    assert doctor.table(findings[::2]).endswith("Nothing to fix: make lab opens the course.")


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (None, 0), (False, 1)])
def test_the_exit_code_tells_whether_something_failed(monkeypatch, capsys, ok, code):
    monkeypatch.setattr(doctor, "examine", lambda: [Check("Thing", ok, "found", "fix")])
    assert command.main(["doctor"]) == code
    assert f"{Check('', ok, '').state:4}  Thing  found" in capsys.readouterr().out


def test_this_environment_is_sound():
    """The real checks where the tests run; whose `jupyter` comes first on the PATH is the caller's business."""
    failed = [finding for finding in doctor.examine() if finding.ok is False and finding.name != "Kernel"]
    assert not failed, doctor.table(failed)


def test_data_lists_the_catalogue_and_describes_a_set(capsys):
    assert command.main(["data"]) == 0
    listed = capsys.readouterr().out
    assert "assistant" in listed and "folder or download" in listed and "..." not in listed
    assert command.main(["data", "assistant"]) == 0
    assert "16,000 rows: tokens, slots, intent" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="Expected name='nothing' to be one of"):
        command.main(["data", "nothing"])


def test_run_hands_its_arguments_on_unread(monkeypatch):
    seen = []
    reproduce = SimpleNamespace(main=lambda argv: seen.append(argv) or 3)
    monkeypatch.setitem(sys.modules, "trustlab.course.reproduce", reproduce)
    monkeypatch.setattr("trustlab.course.reproduce", reproduce, raising=False)
    assert command.main(["run", "grid", "--data", "snips", "--write", "--help"]) == 3
    assert seen == [["grid", "--data", "snips", "--write", "--help"]]


def test_app_runs_voila_on_the_notebooks(monkeypatch):
    seen = []
    monkeypatch.setattr(command.subprocess, "call", lambda call: seen.append(call) or 0)
    assert command.main(["app", "--no-browser"]) == 0
    program, *rest = seen[0]
    assert program == sys.executable and rest[:2] == ["-m", "trustlab.app"] and rest[-1] == "--no-browser"
    assert Path(rest[2]).name == "notebooks"


def test_unknown_arguments_are_refused():
    with pytest.raises(SystemExit, match="got --loud"):
        command.main(["doctor", "--loud"])


def test_a_fix_answers_to_its_old_name():
    with pytest.warns(DeprecationWarning, match=r"Check\.mend is now Check\.fix") as caught:
        assert Check("Thing", False, "broken", "repair it").mend == "repair it"
    assert caught[0].filename == __file__
