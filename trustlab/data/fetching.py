"""Where a corpus's files are found: a folder, the user's cache, or a download from the pinned source.

Nothing is read before its sha256 is the expected one. A download is complete file by file: what arrived stays in the
cache, a call after an interruption fetches the files still missing, and a file that broke off is fetched again from its
start (pooch resumes no file in the middle; the largest file here has 2.5 MB).
"""

from __future__ import annotations

import os
from pathlib import Path

from trustlab.data.catalogue import CORPORA
from trustlab.data.corpus import Corpus, File
from trustlab.durable import write_whole
from trustlab.places import expanded, from_environment

DATA_VARIABLE = "TRUSTLAB_DATA"
CACHE_VARIABLE = "TRUSTLAB_CACHE"
MIRROR_VARIABLE = "TRUSTLAB_MIRROR"
HOST = "https://raw.githubusercontent.com"


def locate(name: str, directory: str | os.PathLike[str] | None = None) -> dict[str, Path]:
    """Return where the verified files of corpus `name` lie, keyed by their path in the corpus.

    A folder that was named, by `directory` or by ``TRUSTLAB_DATA``, is used as it is or refused: it is never filled
    or passed over for a download. Without a folder ``<name>`` in it, ``TRUSTLAB_DATA`` says nothing about this corpus.

    Parameters
    ----------
    name
        A key of :data:`~trustlab.data.catalogue.CORPORA`.
    directory
        Folder that holds the files, or a folder ``<name>`` with them. None asks the environment, then the cache
        (``TRUSTLAB_CACHE``, by default the system's folder for caches), then the network (``TRUSTLAB_MIRROR``
        replaces the address of the public host).

    Raises
    ------
    FileNotFoundError
        If a named folder lacks a file, or the corpus can neither be found nor downloaded.
    ValueError
        If a file's sha256 is not the expected one.
    ConnectionError
        If the download failed on its way.
    OSError
        If the cache cannot be written.
    """
    corpus = CORPORA[name]
    if directory is not None:
        folder = _existing(directory, "directory")
        return _from_folder(corpus, folder / name if (folder / name).is_dir() else folder)
    if (named := from_environment(DATA_VARIABLE)) is not None:
        folder = _existing(named, DATA_VARIABLE) / name
        if folder.is_dir():
            return _from_folder(corpus, folder)
    cache = cache_directory() / name
    return {file.path: _present(cache, file) or _download(name, corpus, file, cache) for file in corpus.files}


def _existing(folder: str | os.PathLike[str], named_by: str) -> Path:
    if not expanded(folder).is_dir():
        raise FileNotFoundError(
            f"Expected {named_by}={str(folder)!r} to be a folder. There is none; correct it or leave it out."
        )
    return expanded(folder)


def cache_directory() -> Path:
    """Return where downloads are kept: ``TRUSTLAB_CACHE``, else the system's folder for caches."""
    import pooch

    return from_environment(CACHE_VARIABLE) or Path(pooch.os_cache("trustlab"))


def _from_folder(corpus: Corpus, folder: Path) -> dict[str, Path]:
    found = {}
    for file in corpus.files:
        path = _present(folder, file)
        if path is None:
            forms = file.path + (f" or {file.path}.gz" if file.gz_sha256 else "")
            raise FileNotFoundError(
                f"Expected {forms} in {folder}. The folder lacks it; it comes from {corpus.source}. "
                f"Put it there, or name no folder to use the cache."
            )
        found[file.path] = path
    return found


def _present(folder: Path, file: File) -> Path | None:
    """Return the form of `file` that `folder` holds, verified; None if it holds none."""
    import pooch

    for path, expected in ((folder / file.path, file.sha256), (folder / f"{file.path}.gz", file.gz_sha256)):
        if not expected or not path.is_file():
            continue
        came = pooch.file_hash(str(path))
        if came != expected:
            raise ValueError(
                f"Expected {path} to have sha256 {expected}, it has {came}. The file is damaged or another version, "
                f"and results on it would not be comparable; replace it, or delete it to fetch it again."
            )
        return path
    return None


def _download(name: str, corpus: Corpus, file: File, cache: Path) -> Path:
    import pooch
    from requests.exceptions import RequestException

    if not corpus.remote:
        raise FileNotFoundError(
            f"Expected {file.path} in {cache} or in {name}/ under {DATA_VARIABLE}. It cannot be downloaded as one "
            f"file: it was derived from several files of {corpus.source}, see data/README.md. "
            f"Put this very file into a folder {name}/ and set {DATA_VARIABLE} to the folder above."
        )
    way_out = (
        f"Offline? Copy {', '.join(each.path for each in corpus.files)} of {corpus.source} into a folder {name}/, "
        f"and set {DATA_VARIABLE} to the folder that holds {name}/."
    )
    url = f"{os.environ.get(MIRROR_VARIABLE) or HOST}/{corpus.remote}/{file.path}"
    destination = cache / file.path
    try:
        pooch.retrieve(url, f"sha256:{file.sha256}", fname=destination.name, path=destination.parent)
        write_whole(destination, destination.read_bytes())  # pooch's files are private, whatever the umask
    except RequestException as error:
        raise ConnectionError(
            f"Expected {url} to arrive whole; the download failed: {error}. Nothing of this file was kept; "
            f"call again to fetch what is missing. {way_out}"
        ) from None
    except ValueError as error:
        raise ValueError(
            f"Expected {url} to have sha256 {file.sha256}: {error} The source, or something on the way to it, "
            f"changed the file, so it was not kept; call again, and if the same comes, do not use it. {way_out}"
        ) from None
    except OSError as error:
        raise OSError(
            f"Expected to write {file.path} into the cache {cache}; that failed: {error}. "
            f"Set {CACHE_VARIABLE} to a folder that can be written. {way_out}"
        ) from None
    return destination
