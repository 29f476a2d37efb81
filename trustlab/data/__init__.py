"""Corpora as ``datasets.DatasetDict``: the synthetic assistant corpus, real sets read or downloaded, and your own rows.

>>> from trustlab.data import catalog, load
>>> corpus = load("assistant", seed=0)
>>> corpus["train"].num_rows
16000
"""

from trustlab.data.catalogue import catalog
from trustlab.data.example_file import example_file
from trustlab.data.fingerprint import fingerprint
from trustlab.data.loading import load
from trustlab.data.own import load_own
from trustlab.data.serving import serves
from trustlab.data.synthetic import assistant

__all__ = ["assistant", "catalog", "example_file", "fingerprint", "load", "load_own", "serves"]
