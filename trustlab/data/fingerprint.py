"""One hash for a corpus: results name the data they were computed from."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datasets


def fingerprint(corpus: datasets.DatasetDict) -> str:
    """Return the sha256, in hexadecimal digits, of every split's name, columns and rows.

    Unlike ``datasets``' own fingerprints it depends on the content only, not on the path that led to it.

    Examples
    --------
    >>> from trustlab.data import load
    >>> fingerprint(load("assistant", seed=0)) == fingerprint(load("assistant", seed=0))
    True
    """
    digest = hashlib.sha256()
    for name, split in sorted(corpus.items()):
        digest.update(name.encode())
        for column in sorted(split.column_names):
            content = json.dumps([column, list(split[column])], ensure_ascii=False)
            digest.update(content.encode())
    return digest.hexdigest()
