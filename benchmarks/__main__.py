"""Run the benchmarks, one part or all of them, each next to its peers and each printing its tables.

``step`` times and weighs one private training step by every method; the options on models and sizes are about it.
``batches`` times it on the BiLSTM as the batch grows, for notebook 11.
``partitioning`` divides a corpus, ``selecting`` draws cohorts, ``scaling`` does both for up to ten million devices,
``payloads`` says how many bytes models take as they are sent, ``deploying``
runs Flower between processes, ``deployment`` compares that with the simulator and Flower's simulation,
``simulating`` trains federated rounds, ``stacking`` reference models, ``attacking`` scores targets, audits steps and
hides words, ``rewriting`` hides words next to two packages that do and ``peers_promises`` audits those,
``associating`` and ``resampling`` compute fairness metrics,
``sensing`` a prediction's sensitivity, ``continuing`` writes texts,
``covering`` counts how often intervals of gaps cover the truth, ``auditing`` how often bounds on ε claim too much,
``false_alarms`` how often audits accuse honest steps, ``training_audits`` how often those of whole trainings claim too
much, ``architectures`` says which models the fast engine trains exactly (with ``docs/architectures.md``), ``panels``
moves the controls of panels in a browser, and ``pages`` those of the pages in ``docs/explore``.
``--write`` stores the tables of all but ``partitioning`` and ``selecting`` in ``data/results`` and writes them, but for
those of ``architectures``, ``batches``, ``scaling``, ``payloads``, ``deploying``, ``deployment``, ``continuing``,
``covering``, ``auditing``, ``false_alarms``, ``training_audits`` and ``peers_promises``, into ``docs/benchmarks.md``.
"""

import argparse
import itertools
import platform

import torch
import transformers

from benchmarks import (
    architectures,
    associating,
    attacking,
    auditing,
    batches,
    continuing,
    covering,
    deploying,
    deployment,
    false_alarms,
    page,
    pages,
    panels,
    partitioning,
    payloads,
    peers_promises,
    private_step,
    resampling,
    rewriting,
    scaling,
    selecting,
    sensing,
    simulating,
    stacking,
    training_audits,
)
from benchmarks.cases import BATCHES, DTYPES, MODELS, TOKENS, Case
from trustlab.data import fingerprint, load
from trustlab.doctor import usable_cores
from trustlab.lab.display import table
from trustlab.runs import provenance, write_results
from trustlab.terminal import print_any_sign


def parser() -> argparse.ArgumentParser:
    """Return the options; every choice left out means all of them."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("parts", nargs="*", default=list(PARTS), help=f"of {', '.join(PARTS)}; all by default")
    options.add_argument(
        "--repetitions", type=int, default=10, help="interleaved rounds, fewer for slow methods; default %(default)s"
    )
    options.add_argument("--model", nargs="+", choices=MODELS, default=list(MODELS), help="models to train")
    options.add_argument("--batch", nargs="+", type=int, default=BATCHES, help="examples in a batch")
    options.add_argument("--tokens", nargs="+", type=int, default=TOKENS, help="tokens in an example")
    options.add_argument("--device", default="cpu", help="cpu or cuda; default %(default)s")
    options.add_argument("--dtype", choices=DTYPES, default="fp32", help="precision; default %(default)s")
    options.add_argument("--write", action="store_true", help="store the table, and write docs/benchmarks.md")
    return options


def main() -> None:
    """Run the benchmarks asked for."""
    print_any_sign()
    options = parser()
    asked = options.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        options.error(f"unknown part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    chosen = set(itertools.product(asked.model, asked.batch, asked.tokens))
    if asked.write and "step" in asked.parts and not set(itertools.product(MODELS, BATCHES, TOKENS)) <= chosen:
        options.error("--write stores the whole table: leave out --model, and --batch and --tokens or add to them")
    for part in asked.parts:
        PARTS[part](asked)
    if asked.write and asked.device == "cpu":
        print("wrote", page.write().name)


def step(asked: argparse.Namespace) -> None:
    """Measure one private training step."""
    transformers.utils.logging.disable_progress_bar()
    chosen = itertools.product(asked.model, asked.batch, asked.tokens)
    sizes = [Case(*each, device=asked.device, dtype=asked.dtype) for each in chosen]
    rows = list(private_step.measure(sizes, asked.repetitions))
    print(table(rows))
    if asked.write:
        about = provenance(machine(asked), data_hash=fingerprint(load("assistant")), code=private_step.measure)
        print("wrote", write_results(result_name(asked.device, asked.dtype), rows, about).name)


PARTS = {
    "step": step,
    "architectures": architectures.main,
    "batches": batches.main,
    "partitioning": partitioning.main,
    "selecting": selecting.main,
    "payloads": payloads.main,
    "deploying": deploying.main,
    "scaling": scaling.main,
    "simulating": simulating.main,
    "deployment": deployment.main,
    "associating": associating.main,
    "resampling": resampling.main,
    "sensing": sensing.main,
    "continuing": continuing.main,
    "covering": covering.main,
    "auditing": auditing.main,
    "stacking": stacking.main,
    "attacking": attacking.main,
    "false_alarms": false_alarms.main,
    "training_audits": training_audits.main,
    "peers_promises": peers_promises.main,
    "rewriting": rewriting.main,
    "panels": panels.main,
    "pages": pages.main,
}


def result_name(device: str, dtype: str) -> str:
    """Return the table's name in ``data/results``."""
    return "private_step_time" if device == "cpu" else f"private_step_time_{device.split(':')[0]}_{dtype}"


def machine(asked: argparse.Namespace) -> dict[str, object]:
    """Return what a time depends on, apart from the code."""
    on_gpu = asked.device != "cpu"
    return {
        "repetitions": asked.repetitions,
        "patience": private_step.PATIENCE,
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(asked.device) if on_gpu else "cpu",
        "processor": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "dtype": asked.dtype,
    }


if __name__ == "__main__":
    main()
