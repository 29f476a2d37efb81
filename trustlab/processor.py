"""Which processor computes here: by another one, sums are added in another order, and the last digits differ."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from pathlib import Path

# Of a processor's many abilities, those by which torch, NumPy and their libraries choose the code for their sums.
VECTORS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "sve", "asimd")
CHOSEN_BY = ("ATEN_CPU_CAPABILITY", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA",
             "NPY_DISABLE_CPU_FEATURES")  # fmt: skip


@cache
def processor() -> str:
    """Return the processor's kind in one line: architecture, model, and the vector instructions it has.

    Variables of the environment that forbid some of these are named too. There is no name of the machine in it.

    Examples
    --------
    >>> platform.machine() in processor()
    True
    """
    known = _of_linux() or _of_mac() or {"model": platform.processor()}
    abilities = " ".join(name for name in VECTORS if name in known.get("abilities", "").split())
    set_here = " ".join(f"{name}={os.environ[name]}" for name in CHOSEN_BY if os.environ.get(name))
    return ", ".join(filter(None, [platform.machine(), known["model"], abilities, set_here]))


def _of_linux(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """Return model and abilities as Linux gives them, nothing elsewhere."""
    if not cpuinfo.is_file():
        return {}
    first = cpuinfo.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    pairs = (line.partition(":")[::2] for line in first.splitlines())
    said = {name.strip(): value.strip() for name, value in pairs}
    # a name such as "AMD EPYC" is no model: the numbers are, and ARM has no more than those
    numbers = {"cpu family": "family", "model": "model", "CPU implementer": "implementer", "CPU part": "part"}
    model = [said.get("model name", ""), *(f"{word} {said[name]}" for name, word in numbers.items() if name in said)]
    return {"model": " ".join(model).strip(), "abilities": said.get("flags", said.get("Features", ""))}


def _of_mac() -> dict[str, str]:
    """Return the model as macOS gives it, nothing elsewhere."""
    if platform.system() != "Darwin":
        return {}
    try:
        asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return {"model": subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10).stdout.strip()}
    except (OSError, subprocess.SubprocessError):
        return {}
