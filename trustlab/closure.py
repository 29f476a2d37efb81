"""Which code decides a result: all that its function may run, found by reading the code, not by running it.

From a function the names in its code are followed to where they are defined, through imports (those inside functions
too) and through packages that pass on the names of others, and from there on. What is followed is a *name*, not a file:
``fairness/__init__`` may list a whole chapter, and code that imports one function from it depends on that one. What
importing a file does beyond defining names (a call, a registration) counts for all code whose imports load the file.

Too much is followed rather than too little: a class counts with all its methods, both branches of an ``if`` count, and
a module that is handed on as an object counts with all its names. What reading cannot see (a module named by a text,
``exec``) is listed in :attr:`Closure.unseen`, and a test knows each such place.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from trustlab.durable import digest
from trustlab.meaning import Code, Target, Unit, read_code

WHOLE = "*"  # in the place of a name: all names of a module
EFFECTS = "import"  # and what importing it does
# Ways to code, or to a file of the package, that is named in a text or looked for while running.
HIDDEN = {"__import__", "exec", "eval", "compile", "globals", "__file__", "__doc__", "importlib", "pkgutil", "runpy",
          "pickle", "marshal", "shelve", "subprocess", "ctypes", "sys.modules", "torch.load"}  # fmt: skip
HIDDEN_ATTRIBUTES = ("__subclasses__", "__init_subclass__", "__getattribute__")


@dataclass(frozen=True)
class Closure:
    """The code that decides a result.

    Attributes
    ----------
    units
        Each definition reached, as "trustlab.intervals.mean_interval", and a hash of what it means and what its names
        refer to.
    packages
        Other people's packages that these use, by the name under which they are installed.
    left_out
        The definitions at which the search stopped, because `without` names them.
    unseen
        The places that may run code which is named in no import.
    """

    units: Mapping[str, str]
    packages: tuple[str, ...]
    left_out: frozenset[str]
    unseen: tuple[str, ...]

    @property
    def version(self) -> str:
        """Sixteen hexadecimal digits that change when the code does."""
        return digest("\n".join(f"{name} {self.units[name]}" for name in sorted(self.units)))[:16]


def closure(*parts: Any, without: Iterable[str] = ()) -> Closure:
    """Return the code that running `parts` may run.

    Parameters
    ----------
    parts
        Functions, classes, modules and packages of ``trustlab``, or of another package or module with a source file. A
        module means all that it defines, a package all its modules.
    without
        Where to stop: dotted names of definitions, modules or packages.

    Raises
    ------
    TypeError
        If a part is none of these, or has no source file.

    Examples
    --------
    >>> from trustlab import intervals
    >>> found = closure(intervals.mean_interval)
    >>> [name for name in sorted(found.units) if ".intervals." in name], found.packages
    (['trustlab.intervals.Interval', 'trustlab.intervals.mean_interval'], ('scipy',))
    """
    roots = [_root(part) for part in parts]
    tops = {module.partition(".")[0] for module, _ in roots}
    folders = {top: _home(top) for top in tops | {"trustlab"}}
    return trace(roots, folders, without=without)


def trace(roots: Sequence[tuple[str, str]], folders: Mapping[str, Path], *, without: Iterable[str] = ()) -> Closure:
    """Return the code reached from `roots`, pairs of a module and a name in it, without importing any of it.

    Parameters
    ----------
    roots
        Where to start; ``"*"`` means all names of the module.
    folders
        The packages to search, each with its folder, or with its file for a module on its own.
    without
        As of :func:`closure`.
    """
    search = _Search(folders, frozenset(without))
    search.run(roots)
    return Closure(search.units, search.packages(), frozenset(search.left_out), tuple(sorted(search.unseen)))


class _Search:
    """The search from name to name; each is looked at once."""

    def __init__(self, folders: Mapping[str, Path], without: frozenset[str]) -> None:
        self.folders, self.without = folders, without
        self.units: dict[str, str] = {}
        self.left_out: set[str] = set()
        self.unseen: set[str] = set()
        self._others: set[str] = set()
        self._codes: dict[str, Code | None] = {}
        self._loaded: set[str] = set()
        self._queue: deque[tuple[str, str]] = deque()

    def run(self, roots: Sequence[tuple[str, str]]) -> None:
        for module, name in roots:
            self._load(module)
            found = self._resolve(module, () if name == WHOLE else (name,))
            self._queue += [(home, inner) for home, inner in found if inner]
        while self._queue:
            module, name = self._queue.popleft()
            full = f"{module}.{name}"
            if full in self.units or self._stops(full):
                continue
            code = self._code(module)
            self.units[full] = ""  # before its names are followed: definitions may use one another
            units = code.effects if name == EFFECTS else code.units[name]
            self.units[full] = digest("\n".join(self._follow(unit, module, full) for unit in units))

    def packages(self) -> tuple[str, ...]:
        """Return other people's packages by the names under which they are installed."""
        return tuple(sorted({name for other in self._others for name in _distributions().get(other, [other])}))

    def _follow(self, unit: Unit, module: str, full: str) -> str:
        """Queue what `unit` uses and return its meaning, with what its names refer to."""
        stands_for = []
        for targets in unit.imports.values():
            for target in targets:
                self._load_target(target)
        for path in unit.paths:
            found = sorted(set(self._meant(unit, module, path)))
            self._queue += [(home, name) for home, name in found if name]
            stands_for += [f"{'.'.join(path)}={home}.{name}" for home, name in found]
            others = [home for home, name in found if not name] if found else [".".join(path)]
            self.unseen |= {f"{full}: {other}" for other in others if _is_hidden(other)}
        self.unseen |= {f"{full}: {name}" for name in HIDDEN_ATTRIBUTES if f"'{name}'" in unit.meaning}
        return "\n".join([unit.meaning, *stands_for])

    def _meant(self, unit: Unit, module: str, path: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield the definitions that `path` may mean in `unit`, in other people's modules with an empty name."""
        for target in unit.imports.get(path[0], ()):
            yield from self._imported(target, path[1:])
        yield from self._resolve(module, path, unknown=False)

    def _imported(self, target: Target, rest: Sequence[str]) -> Iterator[tuple[str, str]]:
        top = target.module.partition(".")[0]
        if top in self.folders:
            yield from self._resolve(target.module, (*([target.name] if target.name else []), *rest))
            return
        if top not in sys.stdlib_module_names:
            self._others.add(top)
        yield ".".join([target.module, *([target.name] if target.name else []), *rest]), ""

    def _resolve(self, module: str, path: Sequence[str], *, unknown: bool = True) -> Iterator[tuple[str, str]]:
        """Yield the definitions that `path` leads to from `module`; all of the module for an empty path.

        A name that is not found there may mean the whole module, or with ``unknown=False`` nothing: a builtin.
        """
        code = self._code(module)
        if code is None:
            raise ValueError(f"Expected the source of {module} in {self.folders}, found none.")
        if not path:
            yield from self._all(module, code)
            return
        name, *rest = path
        if name in code.units:
            yield module, name
        itself = Target(module, name)  # a package that imports a module of its own, by that module's name
        elsewhere = [target for target in code.imports.get(name, ()) if target != itself]
        for target in elsewhere:
            yield from self._imported(target, rest)
        if name in code.units or elsewhere:
            return
        for target in code.imports.get("*", ()):
            yield from self._imported(Target(target.module), path)
        if self._code(f"{module}.{name}") is not None:
            self._load(f"{module}.{name}")
            yield from self._resolve(f"{module}.{name}", rest)
        elif unknown and not name.startswith("__"):
            yield from self._all(module, code)

    def _all(self, module: str, code: Code) -> Iterator[tuple[str, str]]:
        """Yield every definition of `module`, what it passes on of others, and its submodules."""
        for name in [*code.units, *code.imports]:
            if not name.startswith("import ") and name != "*":
                yield from self._resolve(module, (name,))
        folder = self._file(module)
        if folder is not None and folder.name == "__init__.py":
            for file in sorted(folder.parent.iterdir()):
                name = f"{module}.{file.stem}"
                if file.name != "__init__.py" and self._code(name) is not None:
                    self._load(name)
                    yield from self._resolve(name, ())

    def _load(self, module: str) -> None:
        """Take in what importing `module` does, and importing what it imports."""
        for name in sorted(_holders(module)):
            code = self._code(name)
            if name in self._loaded or code is None:
                continue
            self._loaded.add(name)
            if code.effects:
                self._queue.append((name, EFFECTS))
            for targets in code.imports.values():
                for target in targets:
                    self._load_target(target)

    def _load_target(self, target: Target) -> None:
        if target.module.partition(".")[0] in self.folders:
            self._load(f"{target.module}.{target.name}" if target.name else target.module)

    def _stops(self, full: str) -> bool:
        """Return whether `without` names `full` or something that holds it."""
        stops = bool(_holders(full) & self.without)
        self.left_out |= {full} if stops else set()
        return stops

    def _code(self, module: str) -> Code | None:
        """Return the code of `module`, None where there is no such module."""
        if module not in self._codes:
            file = self._file(module)
            package = file is not None and file.name == "__init__.py"
            self._codes[module] = read_code(file.read_text(encoding="utf-8"), module, package) if file else None
        return self._codes[module]

    def _file(self, module: str) -> Path | None:
        top, *rest = module.split(".")
        if top not in self.folders:
            return None
        folder = self.folders[top]
        if folder.is_file():
            return None if rest else folder
        stem = os.path.join(folder, *rest)  # as text: a search asks for thousands of files, most of which are not there
        files = [os.path.join(stem, "__init__.py"), *([f"{stem}.py"] if rest else [])]
        return next((Path(file) for file in files if os.path.isfile(file)), None)


def _is_hidden(dotted: str) -> bool:
    """Return whether `dotted`, a name of Python's or of other people's, is one of :data:`HIDDEN` or in one of them."""
    return bool(_holders(dotted) & HIDDEN)


def _holders(dotted: str) -> set[str]:
    """Return `dotted` and all that holds it: of "a.b.c" also "a" and "a.b"."""
    parts = dotted.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts) + 1)}


def _root(part: Any) -> tuple[str, str]:
    """Return the module of `part` and its name there, ``"*"`` for a module and for what has no separate name."""
    if inspect.ismodule(part):
        return part.__name__, WHOLE
    if not (inspect.isroutine(part) or inspect.isclass(part)):
        raise TypeError(
            f"Expected functions, classes or modules that compute the result, got {type(part).__name__}. "
            "A text is used unchanged: pass a version of the code."
        )
    part = inspect.unwrap(part)
    name = part.__qualname__.partition(".")[0]
    module = part.__module__
    if module == "__main__" and getattr(sys.modules["__main__"], "__spec__", None) is not None:
        module = sys.modules["__main__"].__spec__.name  # of ``python -m``
    return module, WHOLE if name == "<lambda>" else name


def _home(top: str) -> Path:
    """Return the folder of a package, or the file of a module on its own."""
    spec = importlib.util.find_spec(top) if top != "__main__" else None
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    if spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
        return Path(spec.origin)
    raise TypeError(
        f"Expected code from a module with a source file, got some of {top}. Put it into a file and import it, or pass "
        'a text that names its version, as code="2024-05".'
    )


@lru_cache(maxsize=1)
def _distributions() -> Mapping[str, list[str]]:
    """Return for each module that can be imported the names of the packages that brought it."""
    return metadata.packages_distributions()
