"""What notebook 24 found, as pictures: what skew takes, what an adaptive server gives, and what freezing saves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trustlab.course.n24_fednlp_benchmark.claims import not_claimed
from trustlab.course.n24_fednlp_benchmark.judged import why_not
from trustlab.course.n24_fednlp_benchmark.results import (
    WHERE,
    Row,
    confounded,
    confounded_reading,
    freezing,
    gains,
    label_skew,
    saved,
    sensitivity,
)
from trustlab.course.n24_fednlp_benchmark.results import levels as task_levels
from trustlab.course.n24_fednlp_benchmark.tuned_rates import TRIALS
from trustlab.federated.tasks import FAMILIES
from trustlab.lab.display import listed, number, per_cent
from trustlab.lab.finding import Finding, dots, dumbbells, lines
from trustlab.lab.saved import saved_over

ENDS: dict[str, str] = {"value": "score", "low": "low", "high": "high"}


def weights_of(utterances: Sequence[int], by_examples: Sequence[float], by_batches: Sequence[float]) -> Finding:
    """Draw the weight of each client of a round, by its utterances and by its minibatches."""
    rows = [
        {"client": f"{n} utterance{'' if n == 1 else 's'}", "by utterances": float(one), "by minibatches": float(other)}
        for n, one, other in zip(utterances, by_examples, by_batches, strict=True)
    ]
    first = rows[0]
    verdict = (
        f"The client with {first['client']} has {per_cent(first['by utterances'])} of the weight by utterances, and "
        f"{per_cent(first['by minibatches'])} by minibatches."
    )
    return dumbbells(
        rows, label="client", start="by utterances", end="by minibatches", per_cent=True,
        title="Who has how much weight in a round?", verdict=verdict, x_label="share of the round's weight",
    )  # fmt: skip


def trap(rows: Sequence[Mapping[str, Any]]) -> Finding:
    """Draw what weighting by minibatches changes in a fleet: the weight of light clients, and the score.

    Parameters
    ----------
    rows
        One a seed: ``seed``, ``light`` and ``clients`` (how many), and for each of "utterances" and "minibatches" the
        ``weight`` of the light clients and the ``F1``, under "weight by utterances" and so on.
    """
    ways = ("utterances", "minibatches")
    weight = {way: float(np.mean([row[f"weight by {way}"] for row in rows])) for way in ways}
    drawn = [{"what": "weight of light clients", **{f"by {way}": weight[way] for way in ways}}]
    drawn += [
        {"what": f"token F1, seed {row['seed']}", **{f"by {way}": row[f"F1 by {way}"] for way in ways}} for row in rows
    ]
    changes = [round(row["F1 by minibatches"], 2) - round(row["F1 by utterances"], 2) for row in rows]
    both = min(changes) < -0.001 and max(changes) > 0.001
    verdict = (
        f"Weighted by minibatches, the {rows[0]['light']} of {rows[0]['clients']} clients with one or two utterances "
        f"have {per_cent(weight['minibatches'])} of the weight instead of {per_cent(weight['utterances'])}. The token "
        f"F1 moves by at most {max(map(abs, changes)):.2f}{', in both directions' if both else ''}."
    )
    return dumbbells(
        drawn, label="what", start="by utterances", end="by minibatches", per_cent=True, digits=2,
        title="A trap, measured", verdict=verdict, x_label="share of the weight; token F1",
        provenance=f"computed here, {len(rows)} seeds",
    )  # fmt: skip


def levels() -> Finding:
    """Draw what each task reaches without skew next to its best trivial baseline: which cells can be evidence."""
    rows = task_levels()
    reached: dict[str, list[str]] = {}
    for task in dict.fromkeys(row["task"] for row in rows):
        own = {row["what"]: row for row in rows if row["task"] == task}
        bar = own.pop("best baseline")
        above = [name for name, row in own.items() if row["score"] >= bar["score"]]
        said = f"{task} ({bar['baseline']}: {per_cent(bar['score'])})"
        names = [name.removeprefix("in ") for name in above]
        reached.setdefault("all" if len(above) == len(own) else listed(names) or "none", []).append(said)
    verdict = "; ".join(_reached(who, tasks) for who, tasks in reached.items())
    return dots(
        rows, label="task", series="what", **ENDS, per_cent=True, digits=2,
        title="Do the models reach what a trivial baseline reaches?", verdict=f"{verdict[0].upper()}{verdict[1:]}.",
        x_label="score of the task's own metric", provenance=saved_over(saved()[1]),
    )  # fmt: skip


def _reached(who: str, tasks: Sequence[str]) -> str:
    whom = {"all": "all reach", "none": "none reaches"}.get(who, f"only {who} reach{'' if ' and ' in who else 'es'}")
    return f"{whom} the best trivial baseline on {' and on '.join(tasks)}"


def tuned_alike(task: str = "tagging") -> Finding:
    """Draw the score of FedAvg and FedAdam at each rate of the clients, each with its best server rate.

    The sentence compares the gain with the one rate for all and the gain with each one's own.
    """
    gained = {words: gains(task, partition) for partition, words in WHERE.items()}
    once, best = (" and ".join(f"{_points(pair[at])} {words}" for words, pair in gained.items()) for at in range(2))
    verdict = (
        f"With one rate for all FedAdam is {once} above FedAvg on {task}; each with the rates that its {TRIALS} "
        f"trials chose, {best}."
    )
    return lines(
        sensitivity(task), x="client_rate", y="score", series="algorithm", pane="where", chosen="chosen",
        per_cent=True, log=True, digits=2, title="How much of the gain is a rate?", verdict=verdict,
        x_label="rate of the clients", y_label=FAMILIES[task].metric,
        provenance="saved, the search: one seed, the validation split",
    )  # fmt: skip


def _points(difference: float) -> str:
    return f"{100 * difference:.0f} points".replace("-", "−")


def unclaimed() -> str:
    """Say which claims are not judged on the embedded corpus, and why."""
    return why_not(not_claimed(saved()[0])) or "Every claim is judged."


def skewed() -> Finding:
    """Draw what label skew takes from FedAvg on each task: claim (a)."""
    rows = label_skew()
    said = [
        f"{row['task']} {row['reading']}" + (f" {row['lost']} points" if row["reading"] in ("loses", "gains") else "")
        for row in rows
        if row["partition"] == "label"
    ]
    return _by_task(rows, title="What does label skew take from FedAvg?", verdict=_sentence("; ".join(said)))


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _by_task(rows: Sequence[Row], **texts: str) -> Finding:
    return dots(
        rows, label="task", series="partition", **ENDS, per_cent=True, digits=2,
        x_label="score of the task's own metric", provenance=saved_over(saved()[1]), **texts,
    )  # fmt: skip


def optimizers() -> Finding:
    """Draw entity F1 of tagging by what clients and server step with."""
    return dots(
        confounded(), label="who steps how", series="partition", **ENDS, per_cent=True, digits=2,
        title="Is it the server, or the clients' optimizer?", verdict=confounded_reading(),
        x_label="entity F1 of tagging", provenance=saved_over(saved()[1]),
    )  # fmt: skip


def frozen() -> Finding:
    """Draw what more trained layers of a pretrained encoder give; the verdict says what they cost to send."""
    rows = freezing()
    least, most = rows[0], rows[-1]
    times = most["sent, MB"] / least["sent, MB"]
    verdict = (
        f"With {least['trained']} {per_cent(least['score'])} of the intents are right, and all clients send "
        f"{number(least['sent, MB'], 2)} MB. With {most['trained']} it is {per_cent(most['score'])}, for "
        f"{number(most['sent, MB'], 2)} MB: {times:.0f} times as much."
    )
    return dots(
        rows, label="trained", **ENDS, per_cent=True, title="What do two more trained layers give?", verdict=verdict,
        x_label="intents right", provenance=saved_over(saved()[1]),
    )  # fmt: skip


def own_server(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Finding:
    """Draw a fleet's score on the way, with FedAvg's step on the server and with another.

    Parameters
    ----------
    runs
        "FedAvg" and "FedAdam" → rows of ``round`` and ``score``, of the same rounds.
    """
    pairs = zip(runs["FedAvg"], runs["FedAdam"], strict=True)
    rows = [{"round": one["round"], "FedAvg": one["score"], "FedAdam": other["score"]} for one, other in pairs]
    last = rows[-1]
    verdict = (
        f"After {last['round']} rounds the same clients have {per_cent(last['FedAvg'])} entity F1 with FedAvg's step "
        f"on the server, and {per_cent(last['FedAdam'])} with FedAdam's."
    )
    named = [{"after": f"round {row['round']}", **row} for row in rows]
    return dumbbells(
        named, label="after", start="FedAvg", end="FedAdam", per_cent=True, digits=2,
        title="The same clients, another server", verdict=verdict, x_label="entity F1 of tagging",
        provenance="computed here, one seed",
    )  # fmt: skip
