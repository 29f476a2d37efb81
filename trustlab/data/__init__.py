"""Corpora as ``datasets.DatasetDict``: the synthetic assistant corpus, and real sets read from disk or downloaded.

>>> from trustlab.data import catalog, load
>>> corpus = load("assistant", seed=0)
>>> corpus["train"].num_rows
16000
"""

from trustlab.data.catalogue import catalog
from trustlab.data.fingerprint import fingerprint
from trustlab.data.loading import load
from trustlab.data.synthetic import assistant

__all__ = ["assistant", "catalog", "fingerprint", "load"]
