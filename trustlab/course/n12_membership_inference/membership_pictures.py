"""What notebook 12 finds, as pictures: what AUC hides, what privacy costs, training size."""

from __future__ import annotations

from trustlab.course.n12_membership_inference import EXPERIMENT
from trustlab.course.n12_membership_inference.experiment import TRAINED_SIZES
from trustlab.course.n12_membership_inference.results import auc_and_risk, by_size, leak_and_use
from trustlab.lab import finding
from trustlab.lab.display import per_cent
from trustlab.lab.finding import Finding
from trustlab.lab.saved import means_over, saved_over

THOUSANDTH = 0.001


def auc_hides(size: int = TRAINED_SIZES[-1]) -> Finding:
    """Draw what six attacks find of plain SGD where they accuse one non-member in a thousand; with their AUCs."""
    rows = auc_and_risk(size)
    shown = [{**row, "attack": f"{row['attack']} (AUC {row['AUC']:.2f})"} for row in rows]
    by = {row["attack"]: row for row in rows}
    loss, lira = by["loss threshold"], by["LiRA online"]
    return finding.dots(
        shown,
        label="attack",
        value="members found",
        low="low",
        high="high",
        x_label="members found at an FPR of 0.1 %",
        reference={"guessing": THOUSANDTH},
        per_cent=True,
        title="What does an AUC hide?",
        verdict=f"The loss threshold's AUC is {loss['AUC']:.2f}, and at an FPR of 0.1 % it finds "
        f"{100 * loss['members found']:.1f} % of the members (guessing: 0.1 %). LiRA's AUC is "
        f"{lira['AUC']:.2f}, and there it finds {100 * lira['members found']:.1f} %.",
        provenance=f"{saved_over(EXPERIMENT.saved()[1])}; SGD on {size} utterances",
    )


def cost_of_privacy(size: int = TRAINED_SIZES[-1]) -> Finding:
    """Draw accuracy and what LiRA finds of every training."""
    rows = leak_and_use(size)
    plain, best = rows[0], next(row for row in rows if row["training"] == "DP-SGD, ε = 16")
    return finding.dumbbells(
        rows,
        label="training",
        start="members found",
        end="accuracy",
        per_cent=True,
        x_label="members found at an FPR of 1 %, and utterances understood",
        title="What does it cost not to be found?",
        verdict=f"Without privacy {per_cent(plain['accuracy'])} of the utterances are understood and "
        f"{per_cent(plain['members found'])} of the members found; at ε = 16 by DP-SGD "
        f"{per_cent(best['accuracy'])} and {per_cent(best['members found'])}.",
        provenance=f"{means_over(EXPERIMENT.saved()[1])}; {size} utterances",
    )


def over_sizes() -> Finding:
    """Draw what is found by training size."""
    rows = by_size()
    plain = [row for row in rows if row["training"] == "SGD"]
    few, many = plain[0], plain[-1]
    return finding.lines(
        rows,
        x="size",
        y="members found",
        series="training",
        x_label="utterances a model is trained on",
        y_label="members found at an FPR of 1 %",
        per_cent=True,
        log=True,
        title="Do more data hide each of them?",
        verdict=f"Of {few['size']} utterances SGD gives {per_cent(few['members found'])} away, of {many['size']} "
        f"{per_cent(many['members found'])}.",
        provenance=saved_over(EXPERIMENT.saved()[1]),
    )
