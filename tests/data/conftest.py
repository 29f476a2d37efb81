import hashlib

import pytest

import trustlab.data
from trustlab.data.catalogue import CORPORA


@pytest.fixture
def snips(tmp_path, monkeypatch, real_folder):
    """A folder with the files of snips: the real ones where they are, else a made-up set that the catalogue expects."""
    if (real_folder / "snips").is_dir():
        return real_folder / "snips"
    folder = tmp_path / "made_up" / "snips"
    lines = {"seq.in": "play winter rain\nhow warm is it", "seq.out": "O B-song I-song\nO O O O", "label": "Play\nAsk"}
    files = []
    for file in CORPORA["snips"].files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{lines[path.name]}\n")
        files.append(file._replace(sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    monkeypatch.setitem(CORPORA, "snips", CORPORA["snips"]._replace(files=tuple(files)))
    return folder


@pytest.fixture(scope="session")
def corpus():
    """The assistant corpus with its defaults."""
    return trustlab.data.assistant()
