"""Old public names work for one version more, and say what to write instead."""

import importlib
import subprocess
import sys

import pytest

from trustlab.deprecation import MOVED, old_arguments, old_names


@pytest.mark.parametrize("old", sorted(MOVED))
def test_a_module_that_moved_is_found_under_its_old_name(old):
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match=f"{old} is now {MOVED[old]}"):
        found = importlib.import_module(old)
    moved = importlib.import_module(MOVED[old])
    names = [name for name in vars(moved) if not name.startswith("_")]
    assert all(getattr(found, name) is getattr(moved, name) for name in names) and set(names) <= set(dir(found))


def test_names_are_imported_from_the_old_module():
    code = "from trustlab.federated.skew import dials; import trustlab.federated.skew as skew; skew.nothing"
    ran = subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True, text=True)
    assert "DeprecationWarning: trustlab.federated.skew is now trustlab.course.n21" in ran.stderr
    assert "has no attribute 'nothing'" in ran.stderr.splitlines()[-1]


def test_a_name_that_never_was_is_an_error_as_ever():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("trustlab.federated.nothing")
    with pytest.raises(AttributeError, match="module 'math' has no attribute 'nothing'"):
        old_names("math", {"square_root": "sqrt"})("nothing")


def test_both_names_of_an_argument_are_refused():
    @old_arguments(normalizer="expected_batch_size")
    def scale(total, expected_batch_size=1):
        return total / expected_batch_size

    with pytest.warns(DeprecationWarning, match="'normalizer' of .*scale is now 'expected_batch_size'"):
        assert scale(6, normalizer=3) == 2
    with pytest.raises(TypeError, match="Expected 'expected_batch_size', or 'normalizer' as it was called before"):
        scale(6, normalizer=3, expected_batch_size=3)
