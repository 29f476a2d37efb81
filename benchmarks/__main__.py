"""Run the benchmarks and print their table; ``--write`` also stores it in ``data/results``."""

import argparse

from benchmarks import private_step
from trustlab.data import fingerprint, load
from trustlab.lab.display import table
from trustlab.privacy import clipping, timing
from trustlab.runs import provenance, write_results


def main() -> None:
    """Time every method of private training and print one table of ratios to plain SGD."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5, help="interleaved rounds; default %(default)s")
    parser.add_argument("--write", action="store_true", help="store the table in data/results")
    arguments = parser.parse_args()
    rows = list(private_step.measure(arguments.repetitions))
    print(table(rows))
    if arguments.write:
        config, code = {"repetitions": arguments.repetitions, **private_step.MACHINE}, [private_step, timing, clipping]
        about = provenance(config, data_hash=fingerprint(load("assistant")), code=code)
        print("wrote", write_results("private_step_time", rows, about).name)


if __name__ == "__main__":
    main()
