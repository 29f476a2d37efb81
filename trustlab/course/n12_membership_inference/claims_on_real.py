"""What notebook 12 claims of SNIPS and ATIS: of the perceptron as on the embedded corpus, and of heads to ship."""

from __future__ import annotations

from typing import Any

from trustlab.course.n12_membership_inference import encoder_attack
from trustlab.course.n12_membership_inference.attacked import REFERENCES
from trustlab.course.n12_membership_inference.claims import claims_of_the_paper, falls, large_budget, never_above
from trustlab.course.n12_membership_inference.encoder_attack import CORPORA
from trustlab.course.n12_membership_inference.encoder_attack_search import SIZES
from trustlab.course.n12_membership_inference.experiment import result_name
from trustlab.lab.saved import CORPUS_NAMES
from trustlab.results import Reader, read_results


def claims_on_real_corpora(read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims`: what the paper claims, on every real corpus."""
    return [
        {**row, "claim": f"{CORPUS_NAMES[corpus]}, {model}: {row['claim']}"}
        for corpus in CORPORA
        for model, rows in (
            ("perceptron", claims_of_the_paper(read(result_name(corpus))[0], corpus)),
            ("heads", claims_of_heads(corpus, read)),
        )
        for row in rows
    ]


def claims_of_heads(corpus: str, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return what the paper claims, of linear heads on the frozen encoder."""
    table, size = read(encoder_attack.result_name(corpus))[0], SIZES[corpus]
    where = f"linear head on a frozen encoder; {size} utterances; {CORPUS_NAMES[corpus]}"
    setup = f"LiRA online, fixed variance, {REFERENCES[-1]} references; {where}"
    return [
        falls(table, "dp-sgd", setup),
        large_budget(table, "dp-sgd", setup, size),
        never_above(table, f"all ε; {where}"),
    ]
