"""Run the notebooks and write their stored outputs: the tool behind ``make notebooks``.

``python notebooks/regenerate.py [NAME …]`` runs each notebook (all of them by default) from top to bottom in a fresh
kernel, in the notebook's folder as nbval does, and stores the outputs in a form that changes only when a result does.
A notebook with a cell that fails keeps its old file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from trustlab.course.glossary import entries, with_tooltips
from trustlab.terminal import print_any_sign

FOLDER = Path(__file__).resolve().parent
GLOSSARY = FOLDER.parent / "GLOSSARY.md"
CELL_TIMEOUT = 120  # seconds, as in `make test`
KERNELSPEC = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
LANGUAGE = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python", "pygments_lexer": "ipython3"}
KEPT_CELL_METADATA = {"tags", "jupyter", "slideshow"}  # what an author writes; the rest is what tools left behind
# A reference to a widget of the kernel that has ended. JupyterLab prefers it to the picture stored beside it and then
# shows an error in its place; nbval does not compare it.
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def main(argv: Sequence[str] | None = None) -> int:
    """Regenerate the notebooks named in `argv` and return 1 when one was refused."""
    parser = argparse.ArgumentParser(description="Run notebooks and write their stored outputs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as 00_start_here; all notebooks by default")
    names = parser.parse_args(argv).names
    print_any_sign()
    refused = 0
    for path in [find(name) for name in names] or every():
        started = time.perf_counter()
        problem = regenerate(path)
        refused += bool(problem)
        seconds = time.perf_counter() - started
        sys.stdout.write(f"{path.relative_to(FOLDER)}: {problem or 'written'} ({seconds:.1f} s)\n")
        sys.stdout.flush()
    return int(refused > 0)


def every() -> list[Path]:
    """Return the course's notebooks, worked solutions included, in order."""
    return sorted([*FOLDER.glob("*.ipynb"), *(FOLDER / "solutions").glob("*.ipynb")])


def find(name: str) -> Path:
    """Return the notebook that `name` means, with or without its folder and ending."""
    for path in every():
        if name in (path.stem, path.name, str(path.relative_to(FOLDER)), str(path.relative_to(FOLDER.parent))):
            return path
    known = ", ".join(path.stem for path in every())
    raise SystemExit(f"Expected the name of a notebook ({known or 'there are none yet'}), got {name}.")


def regenerate(path: Path) -> str:
    """Run the notebook at `path` and replace its file; return what went wrong, empty when nothing did."""
    content = prepare(json.loads(path.read_text(encoding="utf-8")))
    if path.parent == FOLDER:  # a worked solution is read next to its notebook
        explain(content)
    notebook = nbformat.from_dict(content)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name=KERNELSPEC["name"],
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=False,
        record_timing=False,
        coalesce_streams=True,
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return f"REFUSED, the old file stays. {failure(notebook, error)}"
    write(path, normalise(notebook))
    return ""


def prepare(notebook: dict[str, Any]) -> dict[str, Any]:
    """Clear outputs, join the lines of each cell, and give a cell without an id one that depends on nothing else."""
    for index, cell in enumerate(notebook["cells"]):
        cell["source"] = "".join(cell["source"])
        cell.setdefault("id", hashlib.sha256(f"{index}\n{cell['source']}".encode()).hexdigest()[:8])
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    notebook.update(nbformat=4, nbformat_minor=5)
    return notebook


def explain(notebook: dict[str, Any]) -> None:
    """Put the glossary's sentence on the first use of each term, as a tooltip."""
    texts = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    known = entries(GLOSSARY.read_text(encoding="utf-8"))
    for cell, written in zip(texts, with_tooltips([cell["source"] for cell in texts], known), strict=True):
        cell["source"] = written


def failure(notebook: Any, error: Exception) -> str:
    """Name the cell that failed, by its place among all cells counted from 1, and its error."""
    for place, cell in enumerate(notebook.cells, start=1):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return f"Cell {place}: {output.ename}: {output.evalue}"
    return f"{type(error).__name__}: {error}"


def normalise(notebook: Any) -> Any:
    """Drop from an executed `notebook` what differs between machines and runs without being a result."""
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNELSPEC, "language_info": LANGUAGE})
    count = 0
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in KEPT_CELL_METADATA}
        if cell.cell_type != "code" or cell.execution_count is None:
            continue
        count += 1
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
            output.get("data", {}).pop(WIDGET_VIEW, None)
    return notebook


def write(path: Path, notebook: Any) -> None:
    """Write `notebook` aside, then put it in the place of `path` in one step."""
    text = nbformat.writes(notebook) + "\n"
    aside = path.with_suffix(".ipynb.part")
    try:
        aside.write_text(text, encoding="utf-8")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
