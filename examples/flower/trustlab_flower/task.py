"""What is learnt, and what each node holds. This is the file to change for data of your own.

Here every node has the whole embedded corpus on its disk and takes its own part of it, so that a run can be compared
with the simulator. A real node reads its own files; names of labels and the model's shape come from the project.
"""

import os

os.environ.setdefault("HF_DATASETS_OFFLINE", "1")  # the corpus is made here; nothing is fetched


def load_task(config):
    """Return the task: a small encoder that classifies the assistant's requests."""
    from trustlab.data import load
    from trustlab.federated.tasks import FAMILIES, read

    corpus = load("assistant")
    splits = (
        read("assistant", "classification", corpus[name], most=config[f"task.{name}"]) for name in ("train", "test")
    )
    return FAMILIES["classification"].task(*splits)


def load_own(context):
    """Return the task, and the indices of the training examples of this node."""
    task = load_task(context.run_config)
    nodes, own = int(context.node_config["num-partitions"]), int(context.node_config["partition-id"])
    return task, parts(task, context.run_config, nodes)[own]


def parts(task, config, nodes):
    """Divide the training examples among `nodes`, with Dirichlet label skew: some hold much, some little."""
    from trustlab.federated.partition import partition

    labels = task.train.targets.numpy()
    return partition(
        labels, scheme="label-dirichlet-flower", clients=nodes, alpha=config["task.alpha"], seed=config["seed"]
    )
