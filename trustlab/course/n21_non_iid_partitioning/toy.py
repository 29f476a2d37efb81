"""The toy of notebook 21: what a Dirichlet distribution draws, three labels at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.course.partition_drawing import label_strips, show_strips
from trustlab.federated.partition import effective_labels
from trustlab.federated.partition.assignment import cut
from trustlab.federated.partition.dirichlet import log_dirichlet
from trustlab.lab.display import per_cent
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing, clean, points
from trustlab.lab.panel import Answer, Panel

ALPHAS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
SHARES = {"equal": (1 / 3, 1 / 3, 1 / 3), "one common": (0.8, 0.1, 0.1)}
LABELS = ("play", "stop", "pay")
CLOUD, BARS, EXAMPLES = 300, 12, 100
ALONE = 0.9
CORNERS = np.array([(0.0, 0.0), (1.0, 0.0), (0.5, 3**0.5 / 2)])


@dataclass(frozen=True)
class ToyPosition:
    """The position of the toy."""

    alpha: float = option(
        3.0,
        label="α",
        help="Large: every client's shares are near those of the whole data. Small: far from them.",
        values=ALPHAS,
    )
    shares: str = option("equal", label="In the whole data", help="The labels' shares p.", values=tuple(SHARES))
    seed: int = option(0, label="Seed", help="Another draw from the same distribution.", values=(0, 1, 2))


def dirichlet_toy() -> Panel:
    """Return the toy.

    Examples
    --------
    >>> toy = dirichlet_toy()
    >>> far, near = (toy.set(alpha=alpha).numbers["effective labels"].median() for alpha in (0.1, 100.0))
    >>> round(float(far), 1), round(float(near), 1)
    (1.0, 3.0)
    """
    return Panel(
        ToyPosition(),
        title="What does a client's label distribution look like?",
        drawing=ToyDrawing(),
        answer=_answer,
        code="dirichlet_toy()",
    )


def _answer(at: ToyPosition) -> Answer:
    """Draw the distributions q ~ Dir(α·p) of :data:`CLOUD` clients."""
    p = np.array(SHARES[at.shares])
    laws = np.exp(log_dirichlet(np.broadcast_to(at.alpha * p, (CLOUD, len(p))), np.random.default_rng(at.seed)))
    number = effective_labels(laws)
    verdict = (
        f"With α = {at.alpha:g}, the median client has {np.median(number):.2f} of 3 labels (effective number), and "
        f"{per_cent((laws.max(axis=1) > ALONE).mean())} of the clients have more than {per_cent(ALONE)} of one label. "
        f"The mean over clients stays near p: {' : '.join(f'{share:.2f}' for share in laws.mean(axis=0))}."
    )
    rows: list[dict[str, Any]] = [
        {**dict(zip(LABELS, law.tolist(), strict=True)), "effective labels": float(n)}
        for law, n in zip(laws, number, strict=True)
    ]
    return Answer(rows, verdict, f"computed here, {CLOUD} clients drawn from Dir(α·p)")


class ToyDrawing(Drawing):
    """A cloud of distributions in the triangle of three labels, and the label bars of the first few clients."""

    def __init__(self) -> None:
        super().__init__(width=760, height=340)
        self.triangle = self.figure.add_axes((0.02, 0.02, 0.46, 0.90))
        self.bars = self.figure.add_axes((0.60, 0.14, 0.37, 0.75))
        outline = CORNERS[[0, 1, 2, 0]]
        self.triangle.plot(*outline.T, color=GREY, linewidth=1)
        (self._cloud,) = self.triangle.plot([], [], "o", color="#404040", alpha=0.35, markersize=5, mec="none")
        for corner, name, colour, place in zip(
            CORNERS, LABELS, PALETTE, (("left", -0.06), ("right", -0.06), ("center", 0.03)), strict=False
        ):
            side, up = place
            self.triangle.text(corner[0], corner[1] + up, f"only {name}", ha=side, color=colour, fontsize=FONT_POINTS)
        self.triangle.set(xlim=(-0.1, 1.1), ylim=(-0.1, 0.95))
        self.triangle.set_aspect("equal")
        self.triangle.axis("off")
        self._strips = label_strips(self.bars)
        clean(self.bars, x_label=f"of {EXAMPLES} examples", y_label="client")
        self.bars.grid(visible=False)
        self.bars.set_yticks(np.arange(BARS) + 0.5, [str(k) for k in range(1, BARS + 1)])
        self.bars.set_title("The first twelve clients' labels", fontsize=FONT_POINTS + 1, loc="left")

    def draw(self, answer: Answer) -> None:
        """Move the cloud and redraw the bars."""
        laws = np.array([[row[label] for label in LABELS] for row in answer.numbers])
        self._cloud.set_data(*(laws @ CORNERS).T)
        show_strips(self._strips, cut(laws[:BARS], np.full(BARS, EXAMPLES)))

    def shown(self) -> dict[str, Any]:
        """Return the cloud in the triangle, and which label's colour each piece of a bar has."""
        return {"cloud": points(self._cloud), "bars": np.asarray(self._strips.get_array())}
