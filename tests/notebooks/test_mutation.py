"""nbval is only worth its minutes if a wrong stored number fails: here one is made wrong."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NUMBER = re.compile(r"\d(?!.*\d)", re.DOTALL)  # the last digit of a text


def nbval(*paths):
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "--nbval-cell-timeout", "120"]
    options = ["-q", "-p", "no:cacheprovider", "--color=no", "--rootdir", str(paths[0].parent)]
    ran = subprocess.run([*command, *options, *map(str, paths)], capture_output=True, text=True, timeout=300)
    return ran.returncode, ran.stdout


def alter(output):
    """Change the last digit of what `output` shows as text; say whether there was one."""
    holder, key = (output["data"], "text/plain") if "data" in output else (output, "text")
    text = "".join(holder.get(key, ""))
    if not NUMBER.search(text):
        return False
    holder[key] = NUMBER.sub(lambda digit: str((int(digit[0]) + 1) % 10), text)
    return True


def first_with_a_number(notebook):
    """Return the first output of `notebook` that shows a number, and the place of its cell."""
    for place, cell in enumerate(notebook["cells"]):
        for output in cell.get("outputs", []):
            if alter(json.loads(json.dumps(output))):
                return output, place
    raise AssertionError("Expected an output that shows a number, got none: nothing is under test.")


def copies(path, folder):
    """Write the cells of `path` up to its first number twice: as stored, and with that number altered."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    output, place = first_with_a_number(notebook)
    del notebook["cells"][place + 1 :]
    kept, altered = folder / f"kept_{path.name}", folder / f"altered_{path.name}"
    kept.write_text(json.dumps(notebook), encoding="utf-8")
    alter(output)
    altered.write_text(json.dumps(notebook), encoding="utf-8")
    return kept, altered


def expect_only_the_altered_to_fail(kept, altered):
    code, out = nbval(kept, altered)
    assert code == 1, out
    failed = re.findall(r"^FAILED (\S+?)::", out, re.MULTILINE)
    assert {Path(name).name for name in failed} == {altered.name}, out
    assert "mismatch 'text" in out


def test_an_altered_number_fails_and_the_stored_one_passes(regenerate, small):
    path = small("total = sum(range(10))\ntotal", "print(f'accuracy {0.8125:.3f}')")
    assert regenerate.regenerate(path) == ""
    expect_only_the_altered_to_fail(*copies(path, path.parent))


def test_an_altered_number_of_the_course_fails(tmp_path):
    expect_only_the_altered_to_fail(*copies(ROOT / "notebooks" / "00_start_here.ipynb", tmp_path))


def test_a_notebook_without_numbers_is_not_taken_for_tested():
    with pytest.raises(AssertionError, match="nothing is under test"):
        first_with_a_number({"cells": [{"cell_type": "code", "outputs": [{"text": "no number"}]}]})
