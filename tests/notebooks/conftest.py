import importlib.util
import os
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from trustlab.data.catalogue import CORPORA
from trustlab.results import results_directory

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("TRUSTLAB_DATA") or ROOT.parent / "shared" / "data")
LINE = re.compile(r'^name = "assistant"', re.MULTILINE)


@pytest.fixture(scope="session")
def notebooks():
    """The course's notebooks, worked solutions included."""
    return sorted([*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "notebooks" / "solutions").glob("*.ipynb")])


@pytest.fixture(scope="session")
def regenerate():
    """The tool behind `make notebooks`, a script and so no module of a package."""
    spec = importlib.util.spec_from_file_location("regenerate", ROOT / "notebooks" / "regenerate.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def run_on(tmp_path_factory):
    """Return a function that runs a notebook on real data, with the one line changed that its card names.

    Its `shorter` replaces texts of the cells, such as the length of a training; each is there once.
    """

    def run(stem, name, shorter=None):
        there = [path for file in CORPORA[name].files for path in (DATA / name).glob(f"{file.path}*")]
        if len(there) < len(CORPORA[name].files):
            pytest.skip(
                f"NOTEBOOK {stem[:2]} NOT TESTED ON {name.upper()}: its files are not in {DATA / name}. "
                f"Set TRUSTLAB_DATA to a folder with {name}/ in it, see data/README.md."
            )
        notebook = nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4)
        changed, shorter = 0, shorter or {}
        found = dict.fromkeys(shorter, 0)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
                cell.source, count = LINE.subn(f'name = "{name}"', cell.source)
                changed += count
                for old, new in shorter.items():
                    found[old] += cell.source.count(old)
                    cell.source = cell.source.replace(old, new)
        assert changed == 1 and set(found.values()) <= {1}, found
        resources = {"metadata": {"path": str(tmp_path_factory.mktemp(name))}}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TRUSTLAB_DATA", str(DATA))
            patch.setenv("TRUSTLAB_RESULTS", str(results_directory()))
            patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]))
            patch.setenv("OMP_NUM_THREADS", "1")
            NotebookClient(notebook, timeout=240, kernel_name="python3", resources=resources).execute()
        return notebook

    return run


@pytest.fixture
def small(tmp_path):
    """Write a notebook of code cells that were not run yet, and return its path."""

    def write(*sources, name="small.ipynb"):
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        path = tmp_path / name
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        return path

    return write
