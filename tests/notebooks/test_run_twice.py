"""A reader runs a cell again: each cell of the course can be run twice in a row."""

import ast
import json
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]


def used_up(sources):
    """Yield what a second run of one of `sources`, the code cells in order, does not find as the first one did.

    An iterator made in another cell is at its end, a name that was deleted is gone, and what is added to a name of
    another cell is added again.
    """
    for place, source in enumerate(sources, start=1):
        tree = ast.parse(source)
        nodes = list(ast.walk(tree))
        own = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        added = {
            node.target.id for node in nodes if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)
        }
        plain = {
            name.id
            for node in nodes
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.For | ast.comprehension | ast.With)
            for name in ast.walk(node)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
        }
        yield from (f"cell {place} adds to {name} of another cell" for name in sorted(added - plain))
        for node in nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "next":
                taken = node.args[0]
                if isinstance(taken, ast.Name) and taken.id not in own:
                    yield f"cell {place} takes the next of {taken.id}, which another cell made"
            if isinstance(node, ast.Delete):
                yield f"cell {place} deletes {ast.unparse(node.targets[0])}"


def code(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_no_cell_uses_up_what_another_cell_made(notebooks):
    found = [f"{path.name}: {each}" for path in notebooks for each in used_up(code(path))]
    assert len(notebooks) > 10 and not found, "\n".join(found)


@pytest.mark.parametrize(
    ("sources", "complaint"),
    [
        (["rows = train()", "first = next(rows)"], "cell 2 takes the next of rows, which another cell made"),
        (["rows = train()\nfirst = next(rows)", "next(iter(table))", "x = 1\nx += 1"], None),
        (["total = 0", "total += 1"], "cell 2 adds to total of another cell"),
        (["a = 1", "b = a\ndel a"], "cell 2 deletes a"),
    ],
)
def test_what_is_used_up_is_seen(sources, complaint):
    assert list(used_up(sources)) == ([complaint] if complaint else [])


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """Notebook 00 after each of its code cells ran twice in a row."""
    notebook = nbformat.read(ROOT / "notebooks" / "00_start_here.ipynb", as_version=4)
    doubled = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            doubled += [cell, nbformat.v4.new_code_cell(cell.source)]
    notebook.cells = doubled
    folder = tmp_path_factory.mktemp("twice")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUSTLAB_RUNS", str(folder / "runs"))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]))
        patch.setenv("OMP_NUM_THREADS", "1")
        resources = {"metadata": {"path": str(folder)}}
        NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    return notebook


def test_each_cell_of_notebook_00_says_the_same_when_it_is_run_again(twice):
    texts = [[output.get("text") or output.data["text/plain"] for output in cell.outputs] for cell in twice.cells]
    assert texts[::2] == texts[1::2] and sum(map(len, texts[::2])) > 6
