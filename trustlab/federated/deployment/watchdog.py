"""Ends a deployment's processes when the process that started them has ended: its end of the pipe is closed then."""

from __future__ import annotations

import sys

from trustlab.federated.deployment.processes import end_marked

if __name__ == "__main__":
    sys.stdin.read()
    end_marked(sys.argv[1])
