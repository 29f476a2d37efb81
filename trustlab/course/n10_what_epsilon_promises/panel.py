"""The guessing game of notebook 10: was Anna there? The reader's hit rate draws itself next to what ε allows."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import ipywidgets
import numpy as np

from trustlab.course.n10_what_epsilon_promises.drawing import GameAnswer, GameDrawing
from trustlab.course.n10_what_epsilon_promises.toy import (
    EPSILONS,
    GUESSES,
    NOISES,
    WORDS,
    GamePosition,
    Round,
    Score,
    bound,
    optimal_guess,
    optimal_hit_rate,
    rounds,
)
from trustlab.guessing import written_rate
from trustlab.lab.display import number
from trustlab.lab.job import Job, Row
from trustlab.lab.notes import keep_note
from trustlab.lab.panel import Answer, Panel
from trustlab.lab.shown import weakly
from trustlab.lab.turns import in_turn

AUTOPLAY, BATCH = 1000, 20  # rounds of the optimal guesser, and how many between two pictures
PAUSE = 0.06  # seconds between batches: slow enough to see the hit rate settle
NOTED_EVERY = 10  # guesses: a note for the end of the notebook
SAID = {"in": "She was there", "out": "She was not there"}


class Play:
    """The rounds at one position: those to come, the last one, and what was guessed."""

    def __init__(self, position: GamePosition, seed: tuple[int, ...]) -> None:
        self._rounds = rounds(position, seed)
        self.now: Round = next(self._rounds)
        self.last: Round | None = None
        self.said = ""
        self.yours, self.optimal = Score(), Score()

    def guess(self, said: str) -> None:
        """Count a guess about the round now, and the optimal guesser's about the same counts; then go on."""
        self.yours.add((said == "in") == self.now.anna)
        self.optimal.add(optimal_guess(self.now.counts) == self.now.anna)
        self.said, self.last, self.now = said, self.now, next(self._rounds)


@dataclass
class State:
    """All that was played since the last reset."""

    seed: int
    plays: dict[GamePosition, Play] = field(default_factory=dict)
    games: dict[GamePosition, int] = field(default_factory=dict)  # how often "Play again" was pressed
    played: dict[GamePosition, Score] = field(default_factory=dict)  # by the optimal guesser alone

    def at(self, position: GamePosition) -> Play:
        """Return what is played at a position."""
        if position not in self.plays:
            self.plays[position] = Play(position, self.stream(position, "reader"))
        return self.plays[position]

    def stream(self, position: GamePosition, who: str) -> tuple[int, ...]:
        """Return a seed of its own for each position, game and player."""
        place = EPSILONS.index(position.epsilon), list(NOISES).index(position.noise)
        return self.seed, *place, self.games.get(position, 0), ["reader", "optimal"].index(who)

    def again(self, position: GamePosition) -> None:
        """Forget the guesses at one position; other coins are flipped for the next."""
        self.games[position] = self.games.get(position, 0) + 1
        self.plays.pop(position, None)
        self.played.pop(position, None)

    def autoplay(self, position: GamePosition) -> Iterator[Row]:
        """Let the optimal guesser play; yield how often it was right."""
        score = self.played[position] = Score()
        stream = rounds(position, self.stream(position, "optimal"))
        for done in range(BATCH, AUTOPLAY + 1, BATCH):
            for _ in range(BATCH):
                each = next(stream)
                score.add(optimal_guess(each.counts) == each.anna)
            yield {"progress": done / AUTOPLAY, "rounds": done, "right": score.right, "hit rate": score.rate}
            time.sleep(PAUSE)


class Game(Panel):
    """Ten noisy counts and two buttons: the reader guesses whether Anna was there.

    ``guess("in")`` and ``guess("out")`` do what the buttons do, ``again()`` begins another game at the same ε, and
    ``start()`` lets the optimal guesser play 1,000 rounds.

    Parameters
    ----------
    seed
        Decides Anna's coins and the noise: the same seed gives the same game.

    Examples
    --------
    >>> game = Game().guess("in").guess("out")
    >>> game.score.guesses, game.score.right <= 2
    (2, True)
    """

    def __init__(self, seed: int = 0) -> None:
        state = self._state = State(seed)
        super().__init__(
            GamePosition(),
            title="Was Anna there?",
            drawing=GameDrawing(),
            answer=lambda position: answer(state, position),
            controls={"epsilon": [(_label(epsilon), epsilon) for epsilon in EPSILONS],
                      "noise": [(words, noise) for noise, words in NOISES.items()]},
            train=state.autoplay,
            live=lambda position, rows: answer(state, position, rows),
            train_label=f"Optimal guesser: {AUTOPLAY:,} rounds",
            code="Game()",
        )  # fmt: skip
        self.widgets.buttons["Train"].tooltip = "Let the optimal guesser play at this ε."
        self.widgets.buttons["Reset"].tooltip = "Back to the start; every guess is forgotten."

    @property
    def score(self) -> Score:
        """The reader's score at the position shown."""
        return copy.copy(self._state.at(self.config).yours)

    @in_turn
    def guess(self, said: str) -> Self:
        """Guess about the ten counts shown: "in" or "out"; the next ten are shown.

        Raises
        ------
        ValueError
            For another guess.
        RuntimeError
            While the optimal guesser plays.
        """
        if said not in GUESSES:
            raise ValueError(f"Expected a guess of 'in' or 'out', got {said!r}. Was Anna in the group, or was she out?")
        self._refuse_while_running("guess")
        position = self.config
        play = self._state.at(position)
        play.guess(said)
        if play.yours.guesses % NOTED_EVERY == 0:
            _note(play, position)
        self._show_saved()
        return self

    @in_turn
    def again(self) -> Self:
        """Begin another game at the same ε, with other coins."""
        self._refuse_while_running("play again")
        self._state.again(self.config)
        self._show_saved()
        return self

    @in_turn
    def reset(self) -> Self:
        """Forget every guess and go back to the start."""
        for kept in (self._state.plays, self._state.games, self._state.played):
            kept.clear()
        self._let_guess(True)
        return super().reset()

    @in_turn
    def start(self) -> Self:
        """Let the optimal guesser play; the reader waits."""
        self._let_guess(False)
        return super().start()

    @in_turn
    def _follow(self, job: Job, live: Callable[[], Answer]) -> None:
        super()._follow(job, live)
        if job is self.job and job.status != "running":
            self._let_guess(True)

    def _let_guess(self, may: bool) -> None:
        for button in (*self.guesses.values(), self.again_button):
            button.disabled = not may

    def _listen_to_widgets(self) -> None:
        """Put the buttons of the game above the verdict, before the panel takes over what it shows."""
        looks = dict(button_style="primary", layout={"width": "auto"})
        self.guesses = {said: ipywidgets.Button(description=words, **looks) for said, words in SAID.items()}
        for said, button in self.guesses.items():
            pressed = weakly(self._pressed)
            button.on_click(lambda _, said=said, pressed=pressed: pressed(lambda game: game.guess(said)))
        self.again_button = ipywidgets.Button(description="Play again", tooltip="Other coins, the same ε.",
                                              layout={"width": "auto"})  # fmt: skip
        pressed_again = weakly(self._pressed)
        self.again_button.on_click(lambda _: pressed_again(Game.again))
        row = ipywidgets.HBox([*self.guesses.values(), self.again_button])
        row.add_class("trustlab-row")
        children = list(self.widget.children)
        children.insert(children.index(self.widgets.verdict), row)
        self.widget.children = children
        super()._listen_to_widgets()


def answer(state: State, position: GamePosition, rows: list[Row] | None = None) -> GameAnswer:
    """Say what was guessed last and what can be reached, and show the counts to guess about."""
    play = state.at(position)
    counts = tuple(float(count) for count in play.now.counts)
    return GameAnswer(
        numbers=[{"evening": i, "published count": count} for i, count in enumerate(counts, start=1)],
        verdict=_verdict(play, position, state.played.get(position)),
        provenance="computed here; the bound and the optimal guesser's hit rate are exact, bars are 95 % intervals",
        live=[_row(who, at, score) for who, scores in _scores(state).items() for at, score in scores.items()],
        position=position,
        counts=counts,
        yours=_scores(state)["you"],
        played=_scores(state)["the optimal guesser"],
    )


def _scores(state: State) -> dict[str, dict[GamePosition, Score]]:
    yours = {at: copy.copy(play.yours) for at, play in list(state.plays.items()) if play.yours.guesses}
    played = {at: copy.copy(score) for at, score in list(state.played.items()) if score.guesses}
    return {"you": yours, "the optimal guesser": played}


def _row(who: str, at: GamePosition, score: Score) -> dict[str, Any]:
    how = {"ε": at.epsilon, "noise": NOISES[at.noise], "who": who}
    return how | {"right": score.right, "guesses": score.guesses, "hit rate": score.rate}


def _verdict(play: Play, position: GamePosition, played: Score | None) -> str:
    at, most = number(position.epsilon), written_rate(bound(position.epsilon))
    if play.last is None and played is None:
        return f"Ten noisy counts: was Anna there? At ε = {at} no attacker is right more than {most} of the time."
    optimal = written_rate(optimal_hit_rate(position))
    reach = f"At ε = {at} the bound is {most}, the optimal guesser's exact hit rate {optimal}"
    if played is not None and played.guesses:
        reach += f" (played: {played.right:,} of {played.guesses:,})"
    if play.last is None:
        return f"{reach}."
    was = "was" if play.last.anna else "was not"
    sign = "✓ Right" if play.last.anna == (play.said == "in") else "✗ Not this time"
    return (
        f"**{sign}:** Anna {was} there (the mean of those ten was {np.mean(play.last.counts):.1f}). "
        f"You: **{play.yours.right} of {play.yours.guesses}** right; the optimal guesser, on the same counts, "
        f"{play.optimal.right}. {reach}."
    )


def _note(play: Play, position: GamePosition) -> None:
    """Keep how often the reader was right, for "What you found"."""
    where = f"Was Anna there? ε = {number(position.epsilon)}, {NOISES[position.noise]} noise"
    keep_note("10", "game", where, right=play.yours.right, guesses=play.yours.guesses, optimal=play.optimal.right)


def _label(epsilon: float) -> str:
    words = WORDS.get(epsilon)
    return f"{number(epsilon)} ({words})" if words else number(epsilon)
