"""Which corpora there are, under which licence and from where; their files and hashes are in ``registry.txt``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trustlab.data.brought import BROUGHT
from trustlab.data.corpus import Corpus, files_of
from trustlab.data.fairness_sets import FAIRNESS_SETS

if TYPE_CHECKING:
    import pandas as pd

_SLOT_GATED = "MiuLab/SlotGated-SLU", "61f0307c729b1fad479ef1de94aa5ac5dee601b0"
_WNUT = "leondz/emerging_entities_17", "e52a2d2a71ac1a051ca2d532eef28653c5c02603"
_XQUAD = "google-deepmind/xquad", "7d30520c717524000f0d9d2f9c10a069acd9d285"
_E2E = "tuetschek/e2e-dataset", "ab0d967dd5729ce455ef14ba9ffafc456a335264"
_CLINC = "clinc/oos-eval", "828f8093932c8fe6ca7936c3d2e52903b1c523de"

_TEXT_SETS: dict[str, Corpus] = {
    "snips": Corpus(
        task="intents and slots",
        rows=14_484,
        licence="CC0 1.0 (original data; the re-split states none)",
        source="github.com/{}@{}".format(*_SLOT_GATED),
        remote="{}/{}/data/snips".format(*_SLOT_GATED),
    ),
    "atis": Corpus(
        task="intents and slots",
        rows=5_871,
        licence="none stated (an LDC distribution by origin): research use",
        source="github.com/{}@{}".format(*_SLOT_GATED),
        remote="{}/{}/data/atis".format(*_SLOT_GATED),
    ),
    "clinc150": Corpus(
        task="intents, with out-of-scope requests",
        rows=23_700,
        licence="CC BY 3.0",
        source="github.com/{}@{}".format(*_CLINC),
        remote="{}/{}/data".format(*_CLINC),
    ),
    "hwu64": Corpus(
        task="intents and slots",
        rows=11_036,
        licence="CC BY 4.0",
        source="github.com/xliuhw/NLU-Evaluation-Data@f6071b496b17d71e6eb43f543af0707f4ff30557",
        remote="",  # ten files, CrossValidation/**/KFold_{1..10}/testset/csv/*.csv, joined into one
    ),
    "shakespeare_roles": Corpus(
        task="next characters, 1,347 speakers",
        rows=108_118,
        licence="none stated in the repository; the text is in the public domain",
        source="github.com/TheMITTech/shakespeare@6b82db852c7322dd33e95db347f0ddfc812c6409",
        remote="",  # 37 pages, <play>/full.html, parsed into one file
    ),
    "20newsgroups": Corpus(
        task="text classification",
        rows=18_846,
        licence="none stated: research use",
        source="github.com/yao8839836/text_gcn@962223652e9bb164ac2d83cd09fc7b8845ce860b",
        remote="",  # 18,846 files, joined into one; senders by a pseudonym
    ),
    "wnut17": Corpus(
        task="entities",
        rows=5_690,
        licence="CC BY 4.0",
        source="github.com/{}@{}".format(*_WNUT),
        remote="{}/{}".format(*_WNUT),
    ),
    "xquad": Corpus(
        task="question answering",
        rows=1_190,
        licence="CC BY-SA 4.0",
        source="github.com/{}@{}".format(*_XQUAD),
        remote="{}/{}".format(*_XQUAD),
    ),
    "e2e_nlg": Corpus(
        task="from meaning to text",
        rows=9_365,
        licence="CC BY-SA 4.0",
        source="github.com/{}@{}".format(*_E2E),
        remote="{}/{}".format(*_E2E),
    ),
}
CORPORA: dict[str, Corpus] = {
    name: corpus._replace(files=files_of(name)) for name, corpus in (_TEXT_SETS | FAIRNESS_SETS).items()
}


def catalog() -> pd.DataFrame:
    """Return one row for each corpus that :func:`~trustlab.data.load` knows.

    Returns
    -------
    pandas.DataFrame
        Columns ``name``, ``task``, ``rows`` (all splits together), ``licence``, ``source`` and ``access``:
        "generated", "folder or download", "folder only" or "yours": a corpus that you bring.

    Examples
    --------
    >>> catalog()[["name", "rows", "access"]].head(2)
            name   rows              access
    0  assistant  20000           generated
    1      snips  14484  folder or download
    """
    import pandas as pd

    embedded = ("assistant", "intents and slots", 20_000, "MIT (part of trustlab)", "trustlab.data.assistant")
    rows = [(*embedded, "generated")]
    for name, corpus in CORPORA.items():
        access = "folder or download" if corpus.remote else "folder only"
        rows.append((name, corpus.task, corpus.rows, corpus.licence, corpus.source, access))
    rows += [(name, each.task, each.rows, each.licence, each.source, "yours") for name, each in BROUGHT.items()]
    return pd.DataFrame(rows, columns=["name", "task", "rows", "licence", "source", "access"])
