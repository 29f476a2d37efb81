"""Build the documentation as pages: ``make docs``, or ``python docs/building/build.py``.

The documents stay as they are read in the repository. Here they are copied into the layout that they have there, with
links to other documents turned into links to their pages; a linked file is copied next to the pages.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from api import write_api
from sphinx.cmd.build import build_main

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
START = "README.md"  # the first page
# The navigation: a title, and its documents in their order. A document of docs/ that is missing here is an error.
NAVIGATION = {
    "Tasks": ("docs/train_privately.md", "docs/simulate_a_fleet.md", "docs/measure_a_classifier.md"),
    "Guides": ("docs/privacy.md", "docs/federated.md", "docs/fairness.md", "docs/opacus.md", "docs/trainer.md",
               "docs/architectures.md"),
    "Beyond one machine": (
        "docs/deployment.md",
        "docs/deployment/sweeps.md",
        "docs/deployment/torchrun.md",
        "docs/deployment/flower.md",
    ),
    "Course": ("docs/explore.md", "GLOSSARY.md", "data/README.md"),
    "Project": ("docs/install.md", "docs/benchmarks.md", "docs/reproduction.md", "CONTRIBUTING.md"),
}
LINK = re.compile(r"(?<=\]\()(?!https?://|mailto:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
PICTURES = (".gif", ".png", ".svg")
CODE = re.compile(r"(```.*?```)", re.DOTALL)


def main(argv: list[str] | None = None) -> int:
    """Build the pages and return Sphinx' exit code: a warning is an error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "docs", help="a folder, which is replaced")
    out = parser.parse_args(argv).out.resolve()
    source = out.with_name(f"{out.name}-source")
    for folder in (out, source):
        shutil.rmtree(folder, ignore_errors=True)
    linked = write_sources(source)
    code = build_main(
        ["-q", "-W", "--keep-going", "-c", str(HERE), "-d", str(source / ".doctrees"), str(source), str(out)]
    )
    copy_files(linked, out)
    print(f"wrote {out / 'index.html'}" if code == 0 else "the lines above are to be corrected")
    return code


def write_sources(source: Path) -> set[Path]:
    """Write what Sphinx reads into the folder `source`; return the files and folders that documents link to."""
    pages, linked = [START, *(each for group in NAVIGATION.values() for each in group)], set()
    for page in pages:
        text, files = for_the_site((ROOT / page).read_text(encoding="utf-8"), page, pages)
        linked |= files
        target = source / _place(page)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text + "".join(_navigation()) if page == START else text, encoding="utf-8")
    copy_files({each for each in linked if each.suffix in PICTURES}, source)
    for folder in (each for each in linked if (ROOT / each).is_dir()):
        (source / folder).mkdir(parents=True, exist_ok=True)
        (source / folder / "index.md").write_text("\n".join(_listing(folder)), encoding="utf-8")
    write_api(source / "api")
    return linked


def for_the_site(text: str, page: str, pages: list[str]) -> tuple[str, set[Path]]:
    """Return a document's text with its links as the site needs them, and which files of the repository it links to.

    Raises
    ------
    FileNotFoundError
        A link leads to nothing in the repository.
    """
    linked: set[Path] = set()

    def changed(found: re.Match[str]) -> str:
        path = Path(os.path.normpath(Path(page).parent / found[1]))
        if not (ROOT / path).exists():
            raise FileNotFoundError(f"Expected {page}'s links to lead to files, got {found[1]}: correct it.")
        if path.as_posix() in pages:
            path = _place(path.as_posix()).with_suffix(".html")
        else:
            linked.add(path)
            path = path / "index.html" if (ROOT / path).is_dir() else path
        return Path(os.path.relpath(path, Path(page).parent)).as_posix() + (found[2] or "")

    parts = CODE.split(text)
    parts[::2] = [LINK.sub(changed, part) for part in parts[::2]]
    return "".join(parts), linked


def copy_files(linked: set[Path], out: Path) -> None:
    """Copy what documents link to into `out`, each to its place in the repository."""
    for path in linked:
        if (ROOT / path).is_dir() or path.suffix == ".html":  # a page needs what lies next to it
            folder = path if (ROOT / path).is_dir() else path.parent
            shutil.copytree(ROOT / folder, out / folder, dirs_exist_ok=True)
        else:
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, out / path)


def _place(page: str) -> Path:
    return Path("index.md") if page == START else Path(page)


def _navigation() -> Iterator[str]:
    for title, pages in NAVIGATION.items():
        yield f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n"
        yield from (f"{Path(page).with_suffix('').as_posix()}\n" for page in pages)
        yield "```\n"
    yield "\n```{toctree}\n:hidden:\n:caption: Reference\n\napi/index\n```\n"


def _listing(folder: Path) -> Iterator[str]:
    yield from ("---", "orphan: true", "---", f"# {folder.as_posix()}", "")
    for path in sorted((ROOT / folder).rglob("*")):
        if path.is_file():
            name = path.relative_to(ROOT / folder).as_posix()
            yield f"- [{name}]({name})"


if __name__ == "__main__":
    sys.exit(main())
