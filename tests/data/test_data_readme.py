"""data/README.md and the catalogue say the same."""

from pathlib import Path

import pytest

from trustlab.data import catalog
from trustlab.data.catalogue import CORPORA
from trustlab.data.grammar import INTENTS, SLOTS
from trustlab.data.planted import DISADVANTAGED, RECORDED, SENSITIVE

README = (Path(__file__).resolve().parents[2] / "data" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CORPORA)
def test_every_file_is_documented_with_its_hash(name):
    section = README.split(f"\n## {name}\n")[1].split("\n## ")[0]
    assert CORPORA[name].source in section
    for file in CORPORA[name].files:
        assert f"`{file.path}`" in section
        assert f"`{file.sha256}`" in section
        assert f"`{file.gz_sha256}`" in section or not file.gz_sha256


def test_every_corpus_has_its_chapter():
    for name in catalog()["name"]:
        assert f"\n## {name}" in README


def test_the_ground_truth_is_stated():
    assert f"| {len(INTENTS)} | {len(SLOTS)} |" in README
    for word in (DISADVANTAGED, RECORDED, *SENSITIVE):
        assert word in README
