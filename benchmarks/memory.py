"""Peak memory of one training step, or of any call, each measured in a fresh process.

On a CPU the measure is the process' resident memory, reset and read through ``/proc`` (Linux; elsewhere nothing is
measured). Processes are forked from a server that has imported everything and computed nothing, so imports are in none
of the differences. The C library gives freed blocks of more than 64 kB back at once: what counts is what is
in use at the peak, and not what was once in use and kept for later, which differs from run to run.

On a GPU it is ``torch.cuda.max_memory_allocated``.
"""

from __future__ import annotations

import gc
import math
import multiprocessing
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import opacus.grad_sample  # noqa: F401
import torch
import torch._dynamo  # torch.optim imports it at the first step, and with it some 100 MB
import transformers

from benchmarks.cases import Case
from trustlab.privacy.reference import ENGINES
from trustlab.privacy.timing import methods

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
MB = 1e6


def peak_memory(case: Case, method: str, micro_batches: tuple[int, ...]) -> dict[str, Any]:
    """Return ``training MB``, the peak above an empty process with its batch, and ``peak MB``, the whole peak.

    Training holds weights, activations, gradients and AdamW's two moments. An error of the method is raised here.
    """
    if case.device == "cpu" and not RESET.exists():
        return {}
    try:
        return fresh(_measure, case, method, micro_batches)
    except BrokenProcessPool:
        return {"note": "memory not measured: its process was ended, most likely for want of memory"}


def peak_of(build: Callable[[], Mapping[str, Callable[[], Any]]], name: str) -> float:
    """Return the MB that a second call of ``build()[name]`` takes above what is in use before it, at its peak.

    `build` is a function of a module. Where nothing can be measured the answer is NaN.
    """
    return fresh(_weigh, build, name) if RESET.exists() else math.nan


def fresh(function: Callable[..., Any], *given: Any) -> Any:
    """Return what `function` returns in a process that has computed nothing before."""
    give_back_at_once()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *given).result()


def _weigh(build: Callable[[], Mapping[str, Callable[[], Any]]], name: str) -> float:
    run = build()[name]
    run()
    gc.collect()
    before = in_use("cpu")
    run()
    return (_peak("cpu") - before) / MB


def give_back_at_once() -> None:
    """Make the C library of processes started from now on give freed blocks back."""
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(1 << 16)


def _measure(case: Case, name: str, micro_batches: tuple[int, ...]) -> dict[str, float]:
    """Take two steps in this process and weigh the second: it finds what every later step finds."""
    transformers.utils.logging.disable_progress_bar()
    model, loss, batch = case.build()
    for parameter in model.parameters():
        # Pretrained weights are mapped from their file and come into memory when first read: now, and not in the step.
        parameter.data = parameter.data.clone()
    step = methods(micro_batches, ENGINES)[name](model, loss, batch)
    weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    if "Opacus" in name:
        del model  # Opacus trains its own copy
    gc.collect()
    before = in_use(case.device) - weights
    step()
    in_use(case.device)
    step()
    peak = _peak(case.device)
    return {"training MB": (peak - before) / MB, "peak MB": peak / MB}


def in_use(device: str) -> float:
    """Return the bytes in use now, and let the peak start from here."""
    if device == "cpu":
        RESET.write_text("5")  # proc(5): the peak becomes what is in use
        return resident("VmRSS")
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)


def _peak(device: str) -> float:
    return resident("VmHWM") if device == "cpu" else torch.cuda.max_memory_allocated(device)


def resident(field: str) -> float:
    """Return a line of this process' memory, such as ``VmRSS`` or ``VmHWM``, in bytes; NaN where there is no /proc."""
    if not STATUS.exists():
        return float("nan")
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return float(line.split()[1]) * 1024
