"""A file's name says which file it is: none of the data's or of fairness's occurs a second time in the package."""

from collections import Counter
from pathlib import Path

import trustlab

PACKAGE = Path(trustlab.__file__).parent


def test_a_name_of_a_file_is_that_of_one_file():
    counts = Counter(path.name for path in PACKAGE.rglob("*.py"))
    named = [path for part in ("data", "fairness") for path in (PACKAGE / part).rglob("*.py")]
    twice = {path.name for path in named if counts[path.name] > 1} - {"__init__.py"}
    assert not twice, f"{', '.join(sorted(twice))}: give one of the files a name that tells it from the others."
