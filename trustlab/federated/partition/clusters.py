"""Feature skew: clients differ in what their texts are about, found without any label.

FedNLP (Lin et al. 2022): embed the texts by a sentence encoder, cluster the embeddings by k-means, and give the
clusters out as if they were labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.columns import as_features, as_texts
from trustlab.config import option
from trustlab.deprecation import old_names
from trustlab.federated.partition.assignment import codes_of
from trustlab.federated.partition.dirichlet import LARGEST_ALPHA, by_distributions


@dataclass(frozen=True)
class ClusterOptions:
    """Options of ``"feature-clusters"``."""

    clusters: int = option(10, label="Clusters", help="Number of k-means clusters, used as labels.", low=1)
    alpha: float = option(
        1.0, label="α", help="As in label-dirichlet-fednlp, over clusters.", above=0, high=LARGEST_ALPHA
    )


def cluster_labels(
    features: Any, test_features: Any | None, options: ClusterOptions, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the cluster of each training example [n] and, if there are test features, of each test example [m].

    The centres come from the training features alone; a test example belongs to the nearest. FedNLP clusters both
    together, which lets the test data decide how the training data are divided.

    Raises
    ------
    ValueError
        If `features` is not a finite [n, d] array, or has fewer rows than clusters.
    """
    from sklearn.cluster import KMeans

    train = as_features(features)
    held_out = None if test_features is None else as_features(test_features, "test features")
    if len(train) < options.clusters:
        raise ValueError(
            f"Expected clusters={options.clusters} <= the {len(train)} examples. A cluster has at least one of them."
        )
    means = KMeans(options.clusters, n_init=1, random_state=int(rng.integers(1 << 31))).fit(train)
    return means.labels_, None if held_out is None else means.predict(held_out)


def by_clusters(values: np.ndarray, clients: int, options: ClusterOptions, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example from its cluster, as FedNLP's scheme does from its label."""
    return by_distributions(*codes_of(values, "cluster"), clients, options, rng)


def embed(texts: Sequence[str], *, encoder: str | None = None, batch_size: int = 64) -> np.ndarray:
    """Return sentence embeddings of unit length, float32 [n, d]: the mean of the encoder's last states.

    Parameters
    ----------
    texts
        At least one, in a list or any other column; one text alone is refused.
    encoder
        A ``transformers`` name or folder; None is the offline encoder, see
        :func:`trustlab.models.offline_encoder`.
    batch_size
        Texts at once. They go in order of length, so that short ones are not padded to a long one's.

    Examples
    --------
    >>> alarm, wake, pizza = embed(["set an alarm for six", "wake me at six", "order a pizza"])
    >>> bool(alarm @ wake > alarm @ pizza)
    True
    """
    import torch

    from trustlab.models.pretrained import encoder_and_tokenizer

    texts = as_texts(texts)
    model, tokenizer = encoder_and_tokenizer(encoder)
    model.eval()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    embeddings = np.empty((len(texts), model.config.hidden_size), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            batch = tokenizer([texts[i] for i in chosen], padding=True, truncation=True, return_tensors="pt")
            mask = batch["attention_mask"][..., None]
            total = (model(**batch).last_hidden_state * mask).sum(1)  # [b, d]; the mean has the same direction
            embeddings[chosen] = torch.nn.functional.normalize(total, dim=1).numpy()
    return embeddings


__getattr__ = old_names(__name__, {"ClusterDials": "ClusterOptions"})
