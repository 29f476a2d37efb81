"""The README's examples are code of today: their names can be imported and take the arguments that they are given."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def mistakes(source):
    """Yield what of `source` is no name, or no argument, of trustlab."""
    tree, known = ast.parse(source), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "trustlab":
            module = importlib.import_module(node.module)
            for alias in node.names:
                known[alias.name] = getattr(module, alias.name, None)
                if known[alias.name] is None:
                    yield f"no {alias.name} in {node.module}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and known.get(node.func.id):
            taken = inspect.signature(known[node.func.id]).parameters
            if not any(each.kind is each.VAR_KEYWORD for each in taken.values()):
                yield from (f"{node.func.id} takes no {key.arg}" for key in node.keywords if key.arg not in taken)


def test_the_readme_has_examples():
    assert len(EXAMPLES) == 6


@pytest.mark.parametrize("source", EXAMPLES, ids=lambda source: source.split("\n")[0])
def test_an_example_uses_names_and_arguments_that_exist(source):
    assert list(mistakes(source)) == []


def test_mistakes_are_found():
    source = "from trustlab.data import load, lode\nload('assistant', seeed=0)\nlode(1)\nother(x=1)"
    taken = inspect.signature(importlib.import_module("trustlab.data").load).parameters.values()
    expected = ["no lode in trustlab.data"]
    expected += [] if any(each.kind is each.VAR_KEYWORD for each in taken) else ["load takes no seeed"]
    assert list(mistakes(source)) == expected
    assert list(mistakes("from trustlab.privacy import TrainConfig\nTrainConfig(epsilom=1)")) == [
        "TrainConfig takes no epsilom"
    ]
