"""What the tests of sweeps compute in other processes, which import this file."""

import os
import signal
import time
from pathlib import Path


def square(config):
    """One row."""
    x = config["x"] if isinstance(config, dict) else config.seed
    yield {"square": x**2}


def made_inside():
    def rows(config):
        yield {}

    return rows


def act(config):
    """Say the process' number; sleep, or kill the process once or always, as a system short of memory does."""
    note = Path(config["folder"]) / config["do"].split()[0 if config["do"] == "die" else -1]
    before = note.read_text() if note.exists() and config["do"].startswith("die") else ""
    if config["do"] == "sleep":
        note.write_text(str(os.getpid()))
        time.sleep(60)
    time.sleep(config.get("seconds", 0))
    if config["do"] == "die" or (config["do"] == "die once" and not before):
        note.write_text(before + "x")
        os.kill(os.getpid(), signal.SIGKILL)
    yield {"pid": os.getpid(), "attempt": len(before) + 1}
