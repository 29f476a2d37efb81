"""ILPS and LPBS: how much more likely an attribute makes a word of a group (Kurita et al. 2019, GeBNLP workshop).

P(he | "[MASK] is a nurse.") alone says little: "he" may be frequent in any sentence. It is divided by the prior, the
probability with the attribute masked as well, P(he | "[MASK] is a [MASK].").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trustlab.columns import as_texts
from trustlab.fairness.association.sets import distinct
from trustlab.fairness.likelihood.scoring import LikelihoodScorer, Question

Row = dict[str, Any]


def ilps(
    scorer: LikelihoodScorer, templates: Sequence[str], targets: Sequence[str], attributes: Sequence[str]
) -> Iterator[Row]:
    """Yield the increased log-probability score of every target by every attribute in every template.

    Parameters
    ----------
    scorer
        A masked model.
    templates
        Sentences with ``{target}`` and ``{attribute}``, each once: "{target} is {attribute}."
    targets
        Words of one token each: "he", "she". Write them as in the sentence, "He" at its start if the model is cased.
    attributes
        Words or phrases of any number of tokens, with their article: "a nurse".

    Yields
    ------
    dict
        ``template``, ``target``, ``attribute``, ``log_p`` = log P(target | attribute), ``log_prior`` = log P(target |
        attribute masked, token for token), and ``ilps`` = log_p − log_prior, in nats.

    Raises
    ------
    ValueError
        For a causal model, one text in place of a list, a template without the two places, targets that occur twice or
        have several tokens (all of them are listed), and sentences longer than the model can read.

    Examples
    --------
    >>> from transformers import AutoTokenizer, BertConfig, BertForMaskedLM
    >>> from trustlab.models import offline_encoder
    >>> config = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    >>> scorer = LikelihoodScorer(BertForMaskedLM(config), AutoTokenizer.from_pretrained(offline_encoder()))
    >>> rows = ilps(scorer, ["{target} is {attribute}."], ["he", "she"], ["a nurse"])
    >>> [(row["target"], abs(row["ilps"]) < 1) for row in rows]  # it has learned nothing
    [('he', True), ('she', True)]
    """
    if scorer.kind != "masked":
        raise ValueError(
            "Expected a masked model, got a causal one. It cannot see an attribute that follows the target; compare "
            "whole sentences with score_pairs instead."
        )
    templates, attributes = as_texts(templates, "template"), as_texts(attributes, "attribute")
    targets = distinct(targets, "the targets")
    asked = [(template, attribute) for template in templates for attribute in attributes]
    tokens = {template: _target_tokens(scorer, template, targets, attributes[0]) for template in templates}
    questions = [
        question
        for template, attribute in asked
        for question in _questions(scorer, template, attribute, tokens[template])
    ]
    answers = scorer.answer(questions)
    for (template, attribute), given, prior in zip(asked, answers[::2], answers[1::2], strict=True):
        for target, log_p, log_prior in zip(targets, given.tolist(), prior.tolist(), strict=True):
            row = {"template": template, "target": target, "attribute": attribute}
            yield row | {"log_p": log_p, "log_prior": log_prior, "ilps": log_p - log_prior}


def lpbs(
    scorer: LikelihoodScorer,
    templates: Sequence[str],
    first: Sequence[str],
    second: Sequence[str],
    attributes: Sequence[str],
) -> Iterator[Row]:
    """Yield the log-probability bias score of every attribute in every template.

    It is the mean ILPS of the `first` targets minus that of the `second`: positive where the attribute favours the
    first group. Other parameters as of :func:`ilps`; a word belongs to one group only.

    Yields
    ------
    dict
        ``template``, ``attribute`` and ``lpbs``, in nats.
    """
    first, second = as_texts(first, "first target"), as_texts(second, "second target")
    scores = list(ilps(scorer, templates, [*first, *second], attributes))
    size = len(first) + len(second)
    for start in range(0, len(scores), size):
        values = [row["ilps"] for row in scores[start : start + size]]
        row = {name: scores[start][name] for name in ("template", "attribute")}
        yield row | {"lpbs": float(np.mean(values[: len(first)]) - np.mean(values[len(first) :]))}


def _target_tokens(scorer: LikelihoodScorer, template: str, targets: Sequence[str], attribute: str) -> list[int]:
    """Return the token of each target at its place in the template: a tokenizer may split it differently elsewhere."""
    if any(template.count(place) != 1 for place in ("{target}", "{attribute}")):
        raise ValueError(f"Expected {{target}} and {{attribute}} once each in the template {template!r}.")
    masked, place = _with_mask(scorer, template, attribute)
    rows = [scorer.encode(template.format(target=target, attribute=attribute)) for target in targets]
    several = [target for target, ids in zip(targets, rows, strict=True) if len(ids) != len(masked)]
    unknown = [t for t, ids in zip(targets, rows, strict=True) if ids[place] == scorer.tokenizer.unk_token_id]
    if several or unknown:
        raise ValueError(
            f"Expected targets that are one known token each, got {', '.join([*several, *unknown])}. One mask is "
            "for one token: choose targets that are in the model's vocabulary."
        )
    return [ids[place] for ids in rows]


def _questions(scorer: LikelihoodScorer, template: str, attribute: str, tokens: list[int]) -> tuple[Question, Question]:
    """Return the question with the attribute given, and the one with all its tokens masked."""
    given, place = _with_mask(scorer, template, attribute)
    mask = scorer.tokenizer.mask_token
    alone = scorer.encode(template.format(target=mask, attribute=mask))
    length = len(given) - len(alone) + 1  # tokens of the attribute at its place
    prior, prior_place = _with_mask(scorer, template, " ".join([mask] * length))
    return Question(given, place, tokens), Question(prior, prior_place, tokens)


def _with_mask(scorer: LikelihoodScorer, template: str, attribute: str) -> tuple[list[int], int]:
    """Return the ids with a mask for the target, and its place: the first or the last mask, as in the template."""
    ids = scorer.encode(template.format(target=scorer.tokenizer.mask_token, attribute=attribute))
    masks = [place for place, token in enumerate(ids) if token == scorer.tokenizer.mask_token_id]
    return ids, masks[0 if template.index("{target}") < template.index("{attribute}") else -1]
