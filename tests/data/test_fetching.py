"""Every way to a corpus's files, and every way it can end; downloads come from a server on the loopback address."""

import contextlib
import gzip
import hashlib
import http.server
import os
import shutil
import socket
import stat
import threading

import pooch
import pytest

from trustlab.data import load
from trustlab.data.catalogue import CORPORA
from trustlab.data.fetching import locate

PATHS = [file.path for file in CORPORA["snips"].files]


class Mirror(http.server.ThreadingHTTPServer):
    """Serves `bodies` (URL path to bytes), notes what was asked for, and spoils the paths in `faults`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.bodies, self.faults, self.asked = {}, {}, []
        self.address = f"http://127.0.0.1:{self.server_port}"

    def publish(self, name, path, body):
        self.bodies[f"/{CORPORA[name].remote}/{path}"] = body

    def spoil(self, name, path, fault):
        self.faults[f"/{CORPORA[name].remote}/{path}"] = fault


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        body = self.server.bodies.get(self.path)
        fault = self.server.faults.get(self.path)
        if body is None or fault == "missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault == "changed":
            body = body[:-1] + b"?"
        self.wfile.write(body[: len(body) // 2] if fault == "truncated" else body)

    def log_message(self, *args):
        pass


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A running mirror with an empty cache before it, and nothing else to read from."""
    server = Mirror()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("TRUSTLAB_MIRROR", server.address)
    monkeypatch.setenv("TRUSTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("TRUSTLAB_DATA", raising=False)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def published(mirror, snips):
    """The mirror, with snips on it."""
    for path in PATHS:
        mirror.publish("snips", path, (snips / path).read_bytes())
    return mirror


def copy(snips, folder):
    """Copy snips file by file: the real folders may be write-protected, and the copy is there to be spoiled."""
    for path in PATHS:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(snips / path, folder / path)


def kept(tmp_path):
    """Every file in the cache, half ones included."""
    cache = tmp_path / "cache"
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file())


@contextlib.contextmanager
def refused(kind, *words):
    """Expect exactly this kind of error, with no other shown behind it, that says all `words`."""
    with pytest.raises(kind, match="(?s)" + "".join(f"(?=.*{word})" for word in words)) as caught:
        yield
    assert type(caught.value) is kind
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_a_download_is_verified_kept_and_not_repeated(published, snips, tmp_path):
    first = load("snips")
    assert len(published.asked) == len(PATHS)
    assert kept(tmp_path) == sorted(f"snips/{path}" for path in PATHS)
    second = load("snips")
    assert len(published.asked) == len(PATHS)
    local = load("snips", directory=snips)
    for split in first:
        assert first[split][:] == second[split][:] == local[split][:]


def test_a_changed_file_is_refused_and_not_kept(published, tmp_path):
    published.spoil("snips", "train/seq.in", "changed")
    expected = CORPORA["snips"].files[0].sha256
    with refused(ValueError, published.address, f"sha256 {expected}", "but got", "not kept", "TRUSTLAB_DATA"):
        load("snips")
    assert kept(tmp_path) == []


def test_a_truncated_body_is_refused_and_not_kept(published, tmp_path):
    published.spoil("snips", "train/seq.in", "truncated")
    with refused(ConnectionError, "train/seq.in to arrive whole", "IncompleteRead", "call again"):
        load("snips")
    assert kept(tmp_path) == []


def test_a_second_call_completes_an_interrupted_download(published, tmp_path):
    published.spoil("snips", PATHS[4], "truncated")
    with refused(ConnectionError, PATHS[4]):
        load("snips")
    assert kept(tmp_path) == sorted(f"snips/{path}" for path in PATHS[:4])
    published.faults.clear()
    published.asked.clear()
    load("snips")
    assert [path.removeprefix(f"/{CORPORA['snips'].remote}/") for path in published.asked] == PATHS[4:]


def test_a_stopped_cell_leaves_no_half_file(published, tmp_path, monkeypatch):
    def stopped(self, url, output_file, pooch):
        with open(output_file, "wb") as half:
            half.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", stopped)
    with pytest.raises(KeyboardInterrupt):
        load("snips")
    assert kept(tmp_path) == []


def test_a_file_missing_at_the_source_is_named(published):
    published.spoil("snips", "test/label", "missing")
    with refused(ConnectionError, "test/label", "404"):
        load("snips")


def test_without_a_network_the_way_out_is_said(mirror, monkeypatch, tmp_path):
    with socket.socket() as taken:  # bound but not listening: connections to it are refused
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("TRUSTLAB_MIRROR", f"http://127.0.0.1:{taken.getsockname()[1]}")
        with refused(ConnectionError, "train/seq.in", CORPORA["snips"].source, "Offline.*TRUSTLAB_DATA"):
            load("snips")
    assert kept(tmp_path) == []


def test_a_cache_that_cannot_be_written_is_named(published, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder can be made under a file, not even by root")
    monkeypatch.setenv("TRUSTLAB_CACHE", str(tmp_path / "file" / "cache"))
    with refused(OSError, "Expected to write train/seq.in into the cache", "Set TRUSTLAB_CACHE"):
        load("snips")


def test_a_mirror_without_a_scheme_is_refused(published, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_MIRROR", "mirror.example")
    with refused(ValueError, "mirror.example/"):
        load("snips")


def test_a_damaged_file_in_the_cache_is_refused(published, tmp_path):
    load("snips")
    (tmp_path / "cache/snips/test/label").write_text("PlayMusic\n")
    with refused(ValueError, "test/label to have sha256", "damaged", "delete it"):
        load("snips")


def test_clinc_downloads_plain_json_that_equals_the_packed_one(mirror, real_data):
    folder = real_data / "clinc150"
    mirror.publish("clinc150", "data_full.json", gzip.decompress((folder / "data_full.json.gz").read_bytes()))
    mirror.publish("clinc150", "domains.json", (folder / "domains.json").read_bytes())
    downloaded, packed = load("clinc150"), load("clinc150", directory=folder)
    assert len(mirror.asked) == 2
    for split in packed:
        assert downloaded[split][:] == packed[split][:]


def test_hwu64_says_plainly_that_it_cannot_be_downloaded(mirror):
    with refused(FileNotFoundError, "cannot be downloaded as one file", CORPORA["hwu64"].source, "Put this very file"):
        load("hwu64")
    assert mirror.asked == []


def test_directory_goes_before_the_environment_and_that_before_the_cache(published, snips, tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_DATA", str(tmp_path))  # without a folder snips: it does not speak of this corpus
    assert locate("snips")["test/label"] == tmp_path / "cache/snips/test/label"
    copy(snips, tmp_path / "snips")
    assert locate("snips")["test/label"] == tmp_path / "snips/test/label"
    assert locate("snips", snips)["test/label"] == snips / "test/label"
    assert locate("snips", snips.parent)["test/label"] == snips / "test/label"


def test_a_named_folder_is_never_completed_by_a_download(published, snips, tmp_path, monkeypatch):
    folder = tmp_path / "snips"
    copy(snips, folder)
    (folder / "valid/seq.out").unlink()
    monkeypatch.setenv("TRUSTLAB_DATA", str(tmp_path))
    for directory in (None, folder, tmp_path):
        with refused(FileNotFoundError, "Expected valid/seq.out in", CORPORA["snips"].source):
            load("snips", directory=directory)
    assert published.asked == []


def test_a_wrong_file_in_a_named_folder_is_refused(snips, tmp_path):
    folder = tmp_path / "mine"
    copy(snips, folder)
    (folder / "train/label").write_text("PlayMusic\n")
    with refused(ValueError, "train/label to have sha256", "it has", "not be comparable"):
        load("snips", directory=folder)


def test_a_folder_that_does_not_exist_is_named(monkeypatch, tmp_path):
    with refused(FileNotFoundError, "Expected directory=", "to be a folder"):
        load("snips", directory=tmp_path / "nowhere")
    monkeypatch.setenv("TRUSTLAB_DATA", str(tmp_path / "nowhere"))
    with refused(FileNotFoundError, "Expected TRUSTLAB_DATA=", "to be a folder"):
        load("snips")


def test_unknown_names_and_splits_are_refused():
    with refused(ValueError, "Expected name='snip' to be one of 'assistant', 'snips'"):
        load("snip")
    for split in ("dev", ["train", "dev"], []):
        with refused(ValueError, "to be one or several of 'train', 'validation', 'test'"):
            load("assistant", split=split)


def test_split_keeps_what_was_asked_for():
    assert list(load("assistant", split="test")) == ["test"]
    assert list(load("assistant", split=["test", "train"])) == ["test", "train"]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_download_may_be_read_by_whom_the_umask_says(umask, mirror, tmp_path):
    """A cache may be a group's: pooch's own files are private whatever the umask."""
    for path in PATHS:
        mirror.publish("snips", path, b"x")
    altered = dict(CORPORA)
    corpus = CORPORA["snips"]
    files = tuple(file._replace(sha256=hashlib.sha256(b"x").hexdigest()) for file in corpus.files)
    altered["snips"] = corpus._replace(files=files)
    before = os.umask(umask)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("trustlab.data.fetching.CORPORA", altered)
            found = locate("snips")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in found.values()} == {0o666 & ~umask}
