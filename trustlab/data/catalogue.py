"""Which corpora there are, under which licence, from where, and the sha256 of every file they are read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trustlab.data.corpus import Corpus, File
from trustlab.data.fairness_sets import FAIRNESS_SETS

if TYPE_CHECKING:
    import pandas as pd


def _slot_gated(hashes: str) -> tuple[File, ...]:
    paths = [f"{split}/{kind}" for split in ("train", "valid", "test") for kind in ("seq.in", "seq.out", "label")]
    return tuple(File(path, sha256) for path, sha256 in zip(paths, hashes.split(), strict=True))


_SLOT_GATED = "MiuLab/SlotGated-SLU", "61f0307c729b1fad479ef1de94aa5ac5dee601b0"
_WNUT = "leondz/emerging_entities_17", "e52a2d2a71ac1a051ca2d532eef28653c5c02603"
_XQUAD = "google-deepmind/xquad", "7d30520c717524000f0d9d2f9c10a069acd9d285"
_E2E = "tuetschek/e2e-dataset", "ab0d967dd5729ce455ef14ba9ffafc456a335264"
_CLINC = "clinc/oos-eval", "828f8093932c8fe6ca7936c3d2e52903b1c523de"

CORPORA: dict[str, Corpus] = {
    "snips": Corpus(
        task="intents and slots",
        rows=14_484,
        licence="CC0 1.0 (original data; the re-split states none)",
        source="github.com/{}@{}".format(*_SLOT_GATED),
        remote="{}/{}/data/snips".format(*_SLOT_GATED),
        files=_slot_gated("""
            04ad1e3f2121d83c6478f9a4b17d2dbdc21d06d6127f73cb7af835ed733f9855
            fd5f2121d8055827e5d6b3d3bac30f3d7e94e82a5d437751960cbdd9e1b4f6d3
            bfd7df6cf9dd76c5da5d8b61bc85f90386197bdd3d7510c1d324c051537b962f
            64e0f6d8ad8aab3a3828164d7d53731a0993d3ca1aed437ceaca6d3d568d410e
            712e6d34feb8d52d208b820a5f8bae6e6ff990f08374507dfde22de389088319
            9c1dd041216f647bcfca838aaf1a48eb5781e4404256d31ff07cd38a5436c52f
            c1e341173fcea2951a8ca371956a6f81c76de87b9583c62eb87edd6158fa3a7c
            58c07c9097d5e1f78889765c2a535a160f6455b90b3142055c8051847afcca47
            37a26da3ad079bb41c42c85a3a8f827eb47efec4c5917ce5d08f4b2736e4f830"""),
    ),
    "atis": Corpus(
        task="intents and slots",
        rows=5_871,
        licence="none stated (an LDC distribution by origin): research use",
        source="github.com/{}@{}".format(*_SLOT_GATED),
        remote="{}/{}/data/atis".format(*_SLOT_GATED),
        files=_slot_gated("""
            3a670980841b21ab39088b2595efc17d487cdc45769c075a3e5f9458bba28c7f
            14c7131bd66562f797dbd7189bc7358f0cf354c6afb0785a9ab973c35b58f34c
            d0a771547665eecbdf9f96ea015ef07d1f6ee9f063e861020dafabb3c2a04377
            c7435b96e7948393608c34819628e863c5338f11ca68e8f896d2cc041d8e17f8
            83ccff3e36f83a993f8e5b5b82adf3256076f234abda4d784051381d7ac76922
            06957cfe6fdffac84f8280bc3a1f8ca85c85631b363817aa4543aac611f8addf
            4b2119fc59c37f9398c6605db435d4f467505009e6ee3e5af04fed09f39dc397
            a4690d6bceadc06876d1ff99bc401744aa981cb321e598ae12a3859d7be53254
            ce4bfe6590d9498e1078f30b4137d3e8b3e94277b444b26360c0bf2e9e282761"""),
    ),
    "clinc150": Corpus(
        task="intents, with out-of-scope requests",
        rows=23_700,
        licence="CC BY 3.0",
        source="github.com/{}@{}".format(*_CLINC),
        remote="{}/{}/data".format(*_CLINC),
        files=(
            File(
                "data_full.json",
                "36923c3705a59e08fe9c3883d8bc2dd966ef93e22cb78ac41171782a698d56e0",
                gz_sha256="59969ccdb9192885f0ca3d475172ca845aa4a41ca0e2881782ba4c3bd37e7dbf",
            ),
            File("domains.json", "b947b579d3b8e74b06f93b01083d8efaff2888b43a3e362533bd88a6e1211b3a"),
        ),
    ),
    "hwu64": Corpus(
        task="intents and slots",
        rows=11_036,
        licence="CC BY 4.0",
        source="github.com/xliuhw/NLU-Evaluation-Data@f6071b496b17d71e6eb43f543af0707f4ff30557",
        remote="",  # ten files, CrossValidation/**/KFold_{1..10}/testset/csv/*.csv, joined into the one below
        files=(
            File(
                "hwu64_crossval_11k.tsv.gz",
                "e13e148128215850c5cc57dd288ff73040b08a62f0dad24d0f5b517fe937f081",
            ),
        ),
    ),
    "shakespeare_roles": Corpus(
        task="next characters, 1,347 speakers",
        rows=108_118,
        licence="none stated in the repository; the text is in the public domain",
        source="github.com/TheMITTech/shakespeare@6b82db852c7322dd33e95db347f0ddfc812c6409",
        remote="",  # 37 pages, <play>/full.html, parsed into the one file below
        files=(
            File(
                "shakespeare_lines.tsv.gz",
                "930659ae1587814ba1ccf49c79a6f122eb4ef7fa15a1fa81f51fe04ca9e2b096",
            ),
        ),
    ),
    "20newsgroups": Corpus(
        task="text classification",
        rows=18_846,
        licence="none stated: research use",
        source="github.com/yao8839836/text_gcn@962223652e9bb164ac2d83cd09fc7b8845ce860b",
        remote="",  # 18,846 files, joined into the one below; senders by a pseudonym
        files=(File("20news_bydate.jsonl.gz", "719e711a4e9b21cd7641bc99c7f71d37c41a88d675d9d3dbd8406a01e7fed799"),),
    ),
    "wnut17": Corpus(
        task="entities",
        rows=5_690,
        licence="CC BY 4.0",
        source="github.com/{}@{}".format(*_WNUT),
        remote="{}/{}".format(*_WNUT),
        files=(
            File("wnut17train.conll", "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5"),
            File("emerging.dev.conll", "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8"),
            File("emerging.test.annotated", "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0"),
        ),
    ),
    "xquad": Corpus(
        task="question answering",
        rows=1_190,
        licence="CC BY-SA 4.0",
        source="github.com/{}@{}".format(*_XQUAD),
        remote="{}/{}".format(*_XQUAD),
        files=(File("xquad.en.json", "e4c57d1c9143aaa1c5d265ba5987a65f4e69528d2a98f29d6e75019b10344f29"),),
    ),
    "e2e_nlg": Corpus(
        task="from meaning to text",
        rows=9_365,
        licence="CC BY-SA 4.0",
        source="github.com/{}@{}".format(*_E2E),
        remote="{}/{}".format(*_E2E),
        files=(
            File("devset.csv", "fc26b78cdb849c80545f513b223d1e051138b43882eeb79e3eb153e689c864f9"),
            File("testset_w_refs.csv", "edc8db685e39bb9824d5bd70c18b1c9b0412d14b527aa960e2d1c8251ee15ccd"),
        ),
    ),
    **FAIRNESS_SETS,
}


def catalog() -> pd.DataFrame:
    """Return one row for each corpus that :func:`~trustlab.data.load` knows.

    Returns
    -------
    pandas.DataFrame
        Columns ``name``, ``task``, ``rows`` (all splits together), ``licence``, ``source`` and ``access``:
        "generated", "folder or download" or "folder only".

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
    return pd.DataFrame(rows, columns=["name", "task", "rows", "licence", "source", "access"])
