"""Old public names, which work for one more version and warn with the new name.

A module that moved (:data:`MOVED`), a name within a module (:func:`old_names`), an argument of a function or a class
(:func:`old_arguments`), an attribute of an object (:class:`old_attribute`), a key of a mapping (:class:`OldKeys`), an
option's value (:func:`warn_of_old_value`). Each use warns once per place, as Python's ``DeprecationWarning`` does. The
command line takes old experiment names (:data:`EXPERIMENTS`); old table names are refused with the new one.
"""

from __future__ import annotations

import functools
import importlib
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import MappingProxyType, ModuleType
from typing import Any

UNTIL = "0.3"  # the version without the old names

# Old module → new module.
MOVED: Mapping[str, str] = MappingProxyType({
    "trustlab.experiments": "trustlab.course.registry",
    "trustlab.reproduce": "trustlab.course.reproduce",
    "trustlab.agreement": "trustlab.course.agreement",
    "trustlab.lab.first_picture": "trustlab.course.n00_start_here.panel",
    "trustlab.privacy.checkpointing": "trustlab.privacy.training_identity",
    "trustlab.privacy.state": "trustlab.privacy.training_state",
    "trustlab.privacy.options": "trustlab.privacy.training_options",
    "trustlab.models.checkpoint": "trustlab.models.saved_models",
    "trustlab.privacy.comparison": "trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment",
    "trustlab.privacy.claims": "trustlab.course.n11_dp_sgd_vs_edp_sgd.claims",
    "trustlab.lab.privacy_budget": "trustlab.course.n11_dp_sgd_vs_edp_sgd.panel",
    "trustlab.lab.privacy_results": "trustlab.course.n11_dp_sgd_vs_edp_sgd.results",
    "trustlab.lab.privacy_exercises": "trustlab.course.n11_dp_sgd_vs_edp_sgd.exercises",
    "trustlab.lab.clipping_toy": "trustlab.course.n11_dp_sgd_vs_edp_sgd.toy",
    "trustlab.federated.skew": "trustlab.course.n21_non_iid_partitioning.experiment",
    "trustlab.federated.skew_claims": "trustlab.course.n21_non_iid_partitioning.claims",
    "trustlab.lab.skew_panel": "trustlab.course.n21_non_iid_partitioning.panel",
    "trustlab.lab.skew_results": "trustlab.course.n21_non_iid_partitioning.results",
    "trustlab.lab.partition_panel": "trustlab.course.partition_panel",
    "trustlab.lab.partition_drawing": "trustlab.course.partition_drawing",
    "trustlab.lab.partition_exercises": "trustlab.course.n21_non_iid_partitioning.exercises",
    "trustlab.lab.dirichlet_toy": "trustlab.course.n21_non_iid_partitioning.toy",
    "trustlab.federated.activity": "trustlab.course.n22_device_selection.experiment",
    "trustlab.federated.activity_claims": "trustlab.course.n22_device_selection.claims",
    "trustlab.federated.activity_harm": "trustlab.course.n22_device_selection.harm",
    "trustlab.federated.activity_tasks": "trustlab.course.n22_device_selection.fleets",
    "trustlab.lab.selection_panel": "trustlab.course.n22_device_selection.panel",
    "trustlab.lab.selection_results": "trustlab.course.n22_device_selection.results",
    "trustlab.lab.selection_exercises": "trustlab.course.n22_device_selection.exercises",
    "trustlab.lab.selection_toy": "trustlab.course.n22_device_selection.toy",
    "trustlab.federated.drift": "trustlab.course.n23_continual_learning.experiment",
    "trustlab.federated.drift_claims": "trustlab.course.n23_continual_learning.claims",
    "trustlab.federated.drift_table": "trustlab.course.n23_continual_learning.table",
    "trustlab.federated.plays": "trustlab.course.n23_continual_learning.plays",
    "trustlab.lab.continual_panel": "trustlab.course.n23_continual_learning.panel",
    "trustlab.lab.continual_drawing": "trustlab.course.n23_continual_learning.drawing",
    "trustlab.lab.continual_results": "trustlab.course.n23_continual_learning.results",
    "trustlab.lab.continual_exercises": "trustlab.course.n23_continual_learning.exercises",
    "trustlab.lab.continual_toy": "trustlab.course.n23_continual_learning.toy",
    "trustlab.federated.fednlp": "trustlab.course.n24_fednlp_benchmark.experiment",
    "trustlab.federated.fednlp_claims": "trustlab.course.n24_fednlp_benchmark.claims",
    "trustlab.lab.fednlp_panel": "trustlab.course.n24_fednlp_benchmark.panel",
    "trustlab.lab.fednlp_drawing": "trustlab.course.n24_fednlp_benchmark.drawing",
    "trustlab.lab.fednlp_results": "trustlab.course.n24_fednlp_benchmark.results",
    "trustlab.lab.fednlp_exercises": "trustlab.course.n24_fednlp_benchmark.exercises",
    "trustlab.federated.states": "trustlab.federated.named_tensors",
    "trustlab.federated.selection.urn": "trustlab.federated.selection.weighted_sampler",
    "trustlab.federated.simulation.config": "trustlab.federated.simulation.definitions",
    "trustlab.federated.simulation.devices": "trustlab.federated.simulation.measurement",
    "trustlab.federated.simulation.sequential": "trustlab.federated.simulation.local_training",
    "trustlab.federated.simulation.task": "trustlab.federated.simulation.definitions",
    "trustlab.federated.simulation.measuring": "trustlab.federated.simulation.measurement",
    "trustlab.federated.simulation.private": "trustlab.federated.simulation.dp_fedavg",
    "trustlab.federated.simulation.work": "trustlab.federated.simulation.local_training",
    "trustlab.federated.tasks.generation": "trustlab.federated.tasks.sequence_to_sequence",
    "trustlab.fairness.comparison.population": "trustlab.course.n31_fairness_metrics.experiment",
    "trustlab.fairness.comparison.claims": "trustlab.course.n31_fairness_metrics.claims",
    "trustlab.lab.fairness_panel": "trustlab.course.n31_fairness_metrics.panel",
    "trustlab.lab.fairness_drawing": "trustlab.course.n31_fairness_metrics.drawing",
    "trustlab.lab.fairness_results": "trustlab.course.n31_fairness_metrics.results",
    "trustlab.lab.fairness_real": "trustlab.course.n31_fairness_metrics.real_results",
    "trustlab.lab.fairness_exercises": "trustlab.course.n31_fairness_metrics.exercises",
    "trustlab.lab.fairness_toy": "trustlab.course.n31_fairness_metrics.toy",
    "trustlab.fairness.comparison.alignment": "trustlab.course.n31_fairness_metrics.alignment",
    "trustlab.fairness.comparison.correlation": "trustlab.course.correlation",
    "trustlab.fairness.comparison.dose": "trustlab.course.dose",
    "trustlab.fairness.comparison.extrinsic": "trustlab.course.n31_fairness_metrics.extrinsic",
    "trustlab.fairness.comparison.intrinsic": "trustlab.course.n31_fairness_metrics.intrinsic",
    "trustlab.fairness.comparison.notions": "trustlab.course.n31_fairness_metrics.notions",
    "trustlab.fairness.comparison.pretraining": "trustlab.course.n31_fairness_metrics.pretraining",
    "trustlab.fairness.comparison.real_metrics": "trustlab.course.n31_fairness_metrics.real_metrics",
    "trustlab.fairness.comparison.real_models": "trustlab.course.n31_fairness_metrics.real_models",
    "trustlab.fairness.comparison.real_tasks": "trustlab.course.n31_fairness_metrics.real_tasks",
    "trustlab.fairness.comparison.real_vectors": "trustlab.course.n31_fairness_metrics.real_vectors",
    "trustlab.fairness.comparison.sentences": "trustlab.course.n31_fairness_metrics.sentences",
    "trustlab.fairness.comparison": "trustlab.course.n31_fairness_metrics",
    "trustlab.data.vocabulary": "trustlab.data.phrases",
    "trustlab.fairness.batching": "trustlab.models.batching",
    "trustlab.fairness.generation": "trustlab.fairness.generated_texts",
    "trustlab.fairness.tasks.loading": "trustlab.fairness.tasks.lookup",
    "trustlab.fairness.tasks.measuring": "trustlab.fairness.tasks.all_metrics",
    "trustlab.fairness.tasks.planted": "trustlab.fairness.tasks.assistant",
})  # fmt: skip

# Old name of an experiment on the command line → new name.
EXPERIMENTS: Mapping[str, str] = MappingProxyType({
    "private-training": "dp-sgd-vs-edp-sgd",
    "label-skew": "non-iid-partitioning",
    "selection-harm": "device-selection-harm",
    "continual": "continual-learning",
    "continual-plays": "continual-learning-plays",
    "fednlp": "fednlp-benchmark",
    "association-tests": "fairness-metrics-association",
    "fairness-tasks": "fairness-metrics-tasks",
})  # fmt: skip
# How a table's file name began → how it begins now.
RESULTS: Mapping[str, str] = MappingProxyType({
    "label_skew_": "non_iid_partitioning_",
    "selection_harm_": "device_selection_harm_",
    "continual_assistant": "continual_learning_assistant",
    "continual_shakespeare_roles": "continual_learning_plays_shakespeare_roles",
    "fednlp_": "fednlp_benchmark_",
    "association_tests_": "fairness_metrics_association_",
    "fairness_tasks_": "fairness_metrics_tasks_",
})  # fmt: skip


def new_result_name(name: str) -> str | None:
    """Return how a results table is called now; None where `name` is no old name.

    Examples
    --------
    >>> new_result_name("label_skew_assistant"), new_result_name("fednlp_benchmark_assistant")
    ('non_iid_partitioning_assistant', None)
    """
    if name.startswith(tuple(RESULTS.values())):
        return None
    return next((new + name[len(old) :] for old, new in RESULTS.items() if name.startswith(old)), None)


def old_names(module: str, renamed: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a module's ``__getattr__`` that answers to old names.

    Parameters
    ----------
    module
        The module's ``__name__``.
    renamed
        Old name → new name in that module, or "package.module.name" elsewhere.

    Examples
    --------
    >>> getattr_of_math = old_names("math", {"square_root": "sqrt"})
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     getattr_of_math("square_root")(4.0), str(caught[0].message)
    (2.0, 'math.square_root is now math.sqrt; the old name is removed in version 0.3.')
    """

    def __getattr__(name: str) -> Any:
        if name not in renamed:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        new = renamed[name] if "." in renamed[name] else f"{module}.{renamed[name]}"
        _warn(f"{module}.{name}", new)
        place, _, attribute = new.rpartition(".")
        return getattr(importlib.import_module(place), attribute)

    return __getattr__


def old_arguments(**renamed: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a function take keyword arguments by their old names, as old="new".

    Raises
    ------
    TypeError
        When it is called, if both names are given.

    Examples
    --------
    >>> @old_arguments(normalizer="expected_batch_size")
    ... def scale(total, expected_batch_size):
    ...     return total / expected_batch_size
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     scale(6.0, normalizer=3)
    2.0
    """

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            for old in renamed.keys() & options.keys():
                new = renamed[old]
                if new in options:
                    raise TypeError(f"Expected {new!r}, or {old!r} as it was called before, got both.")
                _warn(f"The argument {old!r} of {function.__qualname__}", repr(new))
                options[new] = options.pop(old)
            return function(*arguments, **options)

        return call

    return wrap


class old_attribute:
    """An attribute of a class under its old name: ``dials = old_attribute("options")``.

    Examples
    --------
    >>> class Slice:
    ...     width = 3
    ...     size = old_attribute("width")
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     Slice().size, str(caught[0].message)
    (3, 'Slice.size is now Slice.width; the old name is removed in version 0.3.')
    """

    def __init__(self, new: str) -> None:
        self.new = new

    def __set_name__(self, owner: type, name: str) -> None:
        self.old = name

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        _warn(f"{owner.__name__}.{self.old}", f"{owner.__name__}.{self.new}")
        return getattr(instance, self.new)


class OldKeys(dict[str, Any]):
    """A mapping that also answers to old keys, given as {old: new}; they are not among its keys.

    Examples
    --------
    >>> colours = OldKeys({"gray": 5}, name="COLOURS", renamed={"grey": "gray"})
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     colours["grey"], list(colours)
    (5, ['gray'])
    """

    def __init__(self, content: Mapping[str, Any], *, name: str, renamed: Mapping[str, str]) -> None:
        super().__init__(content)
        self._name, self._renamed = name, renamed

    def __missing__(self, key: str) -> Any:
        if key not in self._renamed:
            raise KeyError(key)
        new = self._renamed[key]
        _warn(f"{self._name}[{key!r}]", f"{self._name}[{new!r}]")
        return self[new]


def warn_of_old_value(old: str, new: str, *, depth: int = 1) -> None:
    """Warn that an option's value `old` is now written `new`; the user is `depth` calls away from the caller."""
    _warn(old, new, stacklevel=3 + depth)


def _warn(old: str, new: str, *, stacklevel: int = 3) -> None:
    message = f"{old} is now {new}; the old name is removed in version {UNTIL}."
    warnings.warn(message, DeprecationWarning, stacklevel=stacklevel)


class _Moved(MetaPathFinder, Loader):
    """Finds a module under its old name: an empty one, whose attributes are the new one's."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        if fullname not in MOVED:
            return None
        return ModuleSpec(fullname, self, is_package=any(name.startswith(f"{fullname}.") for name in MOVED))

    def exec_module(self, module: ModuleType) -> None:
        new = MOVED[module.__name__]
        _warn(module.__name__, new)
        moved = importlib.import_module(new)
        module.__doc__, module.__getattr__ = moved.__doc__, functools.partial(getattr, moved)  # type: ignore[method-assign]
        module.__dir__ = functools.partial(dir, moved)  # type: ignore[method-assign]


def answer_to_old_modules() -> None:
    """Let ``import trustlab.old`` find what moved; once, however often it is called."""
    if not any(isinstance(finder, _Moved) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Moved())  # before the finder of files: an emptied folder is a package to it
