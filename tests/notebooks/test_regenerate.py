import json

import pytest

SHOWN = """
class Panel:
    def _repr_mimebundle_(self, **kwargs):
        view = {"model_id": "abc", "version_major": 2, "version_minor": 0}
        return {"text/plain": "epsilon 1.0", "application/vnd.jupyter.widget-view+json": view}
Panel()
"""


def test_outputs_are_written_the_same_way_twice(regenerate, small):
    path = small("print('a')\nprint('b')", "6 * 7", SHOWN)
    raw = json.loads(path.read_text())
    raw["metadata"] = {"widgets": {"state": 1}, "language_info": {"name": "python", "version": "3.9.1"}}
    raw["cells"][0]["metadata"] = {"execution": {"iopub.status.busy": "now"}, "tags": ["kept"], "scrolled": True}
    for cell in raw["cells"]:
        del cell["id"]
    path.write_text(json.dumps(raw))

    assert regenerate.regenerate(path) == ""
    first = path.read_text()
    assert regenerate.regenerate(path) == ""
    assert path.read_text() == first and first.endswith("}\n")

    written = json.loads(first)
    assert written["metadata"] == {"kernelspec": regenerate.KERNELSPEC, "language_info": regenerate.LANGUAGE}
    assert [cell["execution_count"] for cell in written["cells"]] == [1, 2, 3]
    assert written["cells"][0]["metadata"] == {"tags": ["kept"]}
    assert [output["text"] for output in written["cells"][0]["outputs"]] == [["a\n", "b\n"]]
    assert written["cells"][2]["outputs"][0]["data"] == {"text/plain": ["epsilon 1.0"]}


def test_cells_run_in_the_notebooks_folder_as_under_nbval(regenerate, small):
    path = small("import pathlib; pathlib.Path.cwd().name")
    regenerate.regenerate(path)
    assert path.parent.name in path.read_text()


def test_a_failing_cell_keeps_the_old_file_and_is_named(regenerate, small, monkeypatch, capsys):
    path = small("1", "1 / 0")
    before = path.read_bytes()
    monkeypatch.setattr(regenerate, "FOLDER", path.parent)

    assert regenerate.main(["small"]) == 1
    told = capsys.readouterr().out
    assert told.startswith("small.ipynb: REFUSED, the old file stays. Cell 2: ZeroDivisionError: division by zero (")
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["small.ipynb"]


def test_an_interrupted_write_leaves_the_old_file(regenerate, small, monkeypatch):
    path = small("1")
    before = path.read_bytes()

    def killed(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(regenerate.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        regenerate.regenerate(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_an_unknown_name_is_answered_with_the_known_ones(regenerate, small, monkeypatch):
    path = small("1")
    monkeypatch.setattr(regenerate, "FOLDER", path.parent)
    assert regenerate.find("small.ipynb") == path
    with pytest.raises(SystemExit, match=r"\(small\), got big"):
        regenerate.find("big")
