"""The map of notebook 20: what phones know, what they send, and where the average lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.course.n20_one_round_of_fedavg.town import CLIENTS, START, town
from trustlab.lab.answer import Answer
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing, clean, points

Point = tuple[float, ...]
CLIENT, WATCHED, SERVER = PALETTE[0], PALETTE[1], "black"
TITLES = ("The server sends its model ★", "Each phone trains on its own dots", "What the server sees", "The average ★")
LARGEST = 640.0  # area of a model's circle that has all the weight of the heaviest client


@dataclass(frozen=True)
class TownAnswer(Answer):
    """An answer with the moment of the round, and the server's models up to its end."""

    moment: float = 0.0
    server: tuple[Point, ...] = (START, START)
    with_all: Point = START
    without: str = ""

    def as_own(self, status: str, steps: int) -> TownAnswer:
        """Return the same answer: its provenance already says that all of it is computed here."""
        return self


class TownDrawing(Drawing):
    """Left the map; right the weight of each client in the average."""

    def __init__(self) -> None:
        super().__init__(width=900, height=360)
        self.figure.subplots_adjust(left=0.045, right=0.97, bottom=0.125, top=0.915, wspace=0.2)
        self._map, self._side = self.figure.subplots(1, 2, width_ratios=(1.9, 1))
        self._make_map()
        self._make_bars()

    def _make_map(self) -> None:
        axes = self._map
        clean(axes)
        axes.set(xlim=(-5.6, 6.0), ylim=(-3.5, 3.5), aspect="equal")
        axes.set_xticks(range(-4, 7, 2), ["−4", "−2", "0", "2", "4", "6 km"])
        axes.set_yticks(range(-2, 4, 2), ["−2", "0", "2"])
        axes.grid(axis="both", color="#e8e8e8", linewidth=0.8)
        north = np.linspace(-4, 4, 60)
        axes.plot(3.35 + 0.35 * np.sin(1.3 * north), north, color=PALETTE[5], alpha=0.45, linewidth=9, zorder=0)
        axes.text(3.45, -3.2, "river", color=GREY, fontsize=FONT_POINTS)
        every = np.concatenate(list(town().values()))
        colours = [WATCHED if name == "Irma" else CLIENT for name, places in town().items() for _ in places]
        self._places = axes.scatter(*every.T, s=11, c=colours, linewidths=0, zorder=2)
        self._owner = np.repeat(list(CLIENTS), [len(places) for places in town().values()])
        (self._ways,) = axes.plot([], [], color=GREY, linewidth=0.9, zorder=3)
        self._models = axes.scatter([], [], edgecolors="black", linewidths=0.9, alpha=0.85, zorder=4)
        look = dict(fontsize=FONT_POINTS, ha="center", va="center", zorder=6)
        self._names = {name: axes.text(0, 0, name[0], color="white", weight="bold", **look) for name in CLIENTS}
        (self._path,) = axes.plot([], [], color=SERVER, linewidth=1.1, linestyle=":", zorder=5)
        star = dict(marker="*", linestyle="none", markersize=19, color=SERVER, markeredgecolor="white")
        (self._old,) = axes.plot([], [], **star | dict(markerfacecolor="white", markeredgecolor=SERVER), zorder=5)
        (self._ghost,) = axes.plot([], [], **star | dict(markerfacecolor="none", markeredgecolor=WATCHED), zorder=7)
        box = dict(facecolor="white", edgecolor="none", alpha=0.8, pad=1)
        self._with = axes.text(
            0, 0, "", color=WATCHED, fontsize=FONT_POINTS, ha="center", va="center", bbox=box, zorder=9
        )
        (self._star,) = axes.plot([], [], **star, zorder=8)

    def _make_bars(self) -> None:
        axes = self._side
        clean(axes)
        axes.set_title("Weight in the average", fontsize=FONT_POINTS + 1, loc="left")
        axes.grid(axis="y", visible=False)
        axes.set(xlim=(0, 0.42), ylim=(11.6, -0.6))
        axes.set_yticks(range(12), CLIENTS)
        axes.set_xticks([0, 0.1, 0.2, 0.3], ["0", "10 %", "20 %", "30 %"])
        colours = [WATCHED if name == "Irma" else CLIENT for name in CLIENTS]
        self._bars = axes.barh(range(12), [0.0] * 12, color=colours, height=0.7)
        self._told = [axes.text(0, y, "", va="center", fontsize=FONT_POINTS - 0.5) for y in range(12)]

    def draw(self, answer: TownAnswer) -> None:
        """Move everything to the answer's moment."""
        trained, sent, averaged = (min(max(answer.moment - i, 0.0), 1.0) for i in range(3))
        before, after = np.array(answer.server[-2]), np.array(answer.server[-1])
        ends = np.array([(row["east"], row["north"]) for row in answer.numbers])
        models = before + trained * (ends - before)
        names = [row["client"] for row in answer.numbers]
        weights = np.array([row["weight"] for row in answer.numbers])
        self._models.set_offsets(models)
        self._models.set_sizes(LARGEST * np.maximum(weights / 0.33, 0.25))
        self._models.set_facecolor([WATCHED if name == "Irma" else CLIENT for name in names])
        self._models.set_visible(trained > 0)
        self._label(names, models, trained > 0)
        ways = np.stack([np.broadcast_to(before, models.shape), models, np.full_like(models, np.nan)], axis=1)
        self._ways.set_data(*(ways.reshape(-1, 2).T if sent == 0 else np.empty((2, 0))))
        there = self._owner != answer.without
        self._places.set_alpha(np.where(there, 0.5, 0.08) * (1 - sent))
        self._star.set_data(*(before + averaged * (after - before))[:, None])
        old = before[:, None] if averaged > 0 else np.empty((2, 0))
        self._old.set_data(*old)
        apart = bool(answer.without) and averaged == 1
        self._ghost.set_data(*(np.array(answer.with_all)[:, None] if apart else np.empty((2, 0))))
        self._with.set(x=answer.with_all[0], y=answer.with_all[1] - 0.46, text=f"with {answer.without}", visible=apart)
        self._path.set_data(*np.array(answer.server[: None if averaged == 1 else -1]).T)
        self._title(answer)
        self._weigh(dict(zip(names, weights, strict=True)))

    def _label(self, names: list[str], models: np.ndarray, visible: bool) -> None:
        for name, text in self._names.items():
            text.set_visible(visible and name in names)
        for name, place in zip(names, models, strict=True):
            self._names[name].set_position(tuple(place))

    def _title(self, answer: TownAnswer) -> None:
        self._map.set_title(TITLES[int(answer.moment)], fontsize=FONT_POINTS + 1, loc="left")

    def _weigh(self, weights: dict[str, float]) -> None:
        for name, bar, told in zip(CLIENTS, self._bars, self._told, strict=True):
            weight = weights.get(name, 0.0)
            bar.set_width(weight)
            told.set(x=weight + 0.008, text=f"{100 * weight:.0f} %" if name in weights else "taken away")

    def shown(self) -> dict[str, Any]:
        """Return the models, the star, how visible the data are, and the weights."""
        return {
            "models": points(self._models) if self._models.get_visible() else [],
            "star": points(self._star),
            "old": points(self._old),
            "ghost": points(self._ghost),
            "path": points(self._path),
            "data": [round(float(alpha), 3) for alpha in self._places.get_alpha()],
            "weights": {name: float(bar.get_width()) for name, bar in zip(CLIENTS, self._bars, strict=True)},
        }
