"""Which examples a node holds; no torch is needed to count them."""

import numpy as np

EXAMPLES = 96


def parts(nodes):
    """Return the indices of each node: the k-th holds about k + 1 shares."""
    cuts = np.cumsum(np.arange(1, nodes + 1)) * EXAMPLES // sum(range(1, nodes + 1))
    return np.split(np.random.default_rng(3).permutation(EXAMPLES), cuts[:-1])


def own_part(context):
    nodes, own = int(context.node_config["num-partitions"]), int(context.node_config["partition-id"])
    return parts(nodes)[own % nodes]
