"""Every file of the catalogue has its hash in one registry, which is the one that pooch reads."""

import hashlib
from pathlib import Path

import pooch
import pytest

import trustlab.data
from trustlab.data.catalogue import CORPORA
from trustlab.data.corpus import files_of, registry

TEXT = Path(trustlab.data.__file__).with_name("registry.txt")


@pytest.fixture(scope="module")
def entries():
    """The lines of the file, read here: corpus, path and hash of each."""
    lines = [line.split() for line in TEXT.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    return [(*name.split("/", 1), sha256) for name, sha256 in lines]


def test_every_file_of_the_catalogue_has_its_hash_in_the_registry(entries):
    known = {(name, path): sha256 for name, path, sha256 in entries}
    assert len(known) == len(entries)
    assert all(CORPORA[name].files for name in CORPORA)
    read = {
        (name, path): sha256
        for name, corpus in CORPORA.items()
        for file in corpus.files
        for path, sha256 in ((file.path, file.sha256), (f"{file.path}.gz", file.gz_sha256))
        if sha256
    }
    assert read == known
    assert all(len(sha256) == 64 and set(sha256) <= set("0123456789abcdef") for sha256 in known.values())


def test_no_other_file_of_the_package_holds_a_hash_of_data(entries):
    hashes = {sha256 for _, _, sha256 in entries}
    for path in TEXT.parent.glob("*.py"):
        assert not hashes & set(path.read_text(encoding="utf-8").replace('"', " ").split()), path.name


def test_the_registry_is_one_that_pooch_downloads_by(tmp_path):
    (tmp_path / "source" / "xquad").mkdir(parents=True)
    (tmp_path / "source" / "xquad" / "xquad.en.json").write_text("{}")
    fetcher = pooch.create(tmp_path / "cache", base_url=f"file://{tmp_path}/source/", registry=dict(registry()))
    with pytest.raises(ValueError, match="does not match the known hash"):  # this is not the file of that hash
        fetcher.fetch("xquad/xquad.en.json", downloader=lambda url, out, pup: Path(out).write_text("{}"))
    fetcher.registry["xquad/xquad.en.json"] = hashlib.sha256(b"{}").hexdigest()
    found = fetcher.fetch("xquad/xquad.en.json", downloader=lambda url, out, pup: Path(out).write_text("{}"))
    assert Path(found).read_text() == "{}"


def test_a_packed_form_is_no_file_of_its_own_unless_it_is_the_only_one():
    by_path = {file.path: file for file in files_of("clinc150")}
    assert set(by_path) == {"data_full.json", "domains.json"}
    assert by_path["data_full.json"].gz_sha256 and not by_path["domains.json"].gz_sha256
    assert [file.path for file in files_of("hwu64")] == ["hwu64_crossval_11k.tsv.gz"]
    assert files_of("nothing") == ()
