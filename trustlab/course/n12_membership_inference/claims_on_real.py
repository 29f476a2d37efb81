"""What notebook 12 claims of SNIPS and ATIS: of the perceptron as on the embedded corpus, and of heads to ship."""

from __future__ import annotations

from typing import Any

from trustlab.course.n12_membership_inference import encoder_attack
from trustlab.course.n12_membership_inference.claims import (
    ATTACKER,
    SIZE,
    claims_of_the_paper,
    falls,
    large_budget,
    never_above,
)
from trustlab.course.n12_membership_inference.encoder_attack import CORPORA
from trustlab.course.n12_membership_inference.encoder_attack_search import SIZES
from trustlab.course.n12_membership_inference.experiment import WHO, result_name
from trustlab.course.n12_membership_inference.who_leaks import KINDS
from trustlab.lab.saved import CORPUS_NAMES, numbers, select
from trustlab.results import Reader, read_results


def claims_on_real_corpora(read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims`: the paper's on both corpora, and who leaks."""
    paper = [
        {**row, "claim": f"{CORPUS_NAMES[corpus]}, {model}: {row['claim']}"}
        for corpus in CORPORA
        for model, rows in (
            ("perceptron", claims_of_the_paper(read(result_name(corpus))[0], corpus)),
            ("heads", claims_of_heads(corpus, read)),
        )
        for row in rows
    ]
    return paper + [_rare_are_found(corpus, kind, read) for corpus, kind in (("atis", "intent"), ("snips", "name"))]


def _rare_are_found(corpus: str, kind: str, read: Reader) -> dict[str, Any]:
    """Claim that more is found of what is rare, by perceptrons without privacy, beyond who is accused there."""
    runs = select(read(result_name(corpus))[0], method="sgd", size=SIZE)
    found, accused = (numbers(runs[f"{measure}_by_{kind}"]) for measure in WHO)
    beyond = found - accused
    return {
        "claim": f"(Ours) {CORPUS_NAMES[corpus]}: the quarter with {KINDS[kind]} is found more often than the "
        "commonest (SGD, members found minus non-members accused)",
        "values": list(beyond[:, 0] - beyond[:, -1]),
        "above": 0,
        "setup": f"perceptron, LiRA online at 1 % FPR over all; {SIZE} utterances; rare in the training split",
    }


def claims_of_heads(corpus: str, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return what the paper claims, of linear heads on the frozen encoder."""
    table, size = read(encoder_attack.result_name(corpus))[0], SIZES[corpus]
    where = f"linear head on a frozen encoder; {size} utterances; {CORPUS_NAMES[corpus]}"
    setup = f"{ATTACKER}; {where}"
    return [
        falls(table, "dp-sgd", setup, size),
        large_budget(table, "dp-sgd", setup, size),
        never_above(table, f"all ε; {where}"),
    ]
