import re
from pathlib import Path

import pytest

from trustlab.course.glossary import Entry, anchor_of, entries, with_tooltips, without_tooltips

ROOT = Path(__file__).resolve().parents[2]
COHORT = Entry(("cohort",), "The clients of one round.", "cohort")
EPSILON = Entry(("ε", "epsilon"), 'How far "odds" move.', "epsilon")
DP = Entry(("DP-SGD",), "Clips, then adds noise.", "dp-sgd")
EDP = Entry(("eDP-SGD",), "The efficient variant.", "edp-sgd")


def only(text, *known):
    (written,) = with_tooltips([text], known)
    return written


def test_every_entry_of_the_glossary_has_an_anchor_of_its_own():
    text = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
    known = entries(text)
    items = [line for line in text.splitlines() if line.startswith("- ")]
    assert len(items) == len(known) > 100  # every item was read as an entry
    anchors = re.findall(r'^- <a id="([^"]+)"></a>\*\*', text, re.M)
    assert anchors == [anchor_of(entry.terms) for entry in known] and len(set(anchors)) == len(anchors)
    assert all(len(entry.sentence) > 14 and "`" not in entry.sentence for entry in known)


def test_only_the_first_use_of_a_term_in_a_notebook_carries_its_sentence():
    cells = ["A cohort of ten.", "Cohorts differ; a cohort is drawn."]
    first, second = with_tooltips(cells, [COHORT])
    assert first == 'A <abbr title="The clients of one round.">cohort</abbr> of ten.'
    assert second == cells[1]


@pytest.mark.parametrize(
    "text",
    [
        "# The cohort", "`cohort`", "```\ncohort\n```", "$cohort$", "[the cohort](x.md)", '<img alt="cohort">',
        "cohorting", "non-cohort", "![cohort](x.png)", "$$\ncohort\n$$",
    ],
)  # fmt: skip
def test_code_formulas_links_tags_headings_and_parts_of_words_carry_none(text):
    assert only(text, COHORT) == text


def test_plural_capital_and_the_longer_term_are_recognised():
    assert only("Cohorts", COHORT) == '<abbr title="The clients of one round.">Cohorts</abbr>'
    assert ">eDP-SGD</abbr> and <abbr" in only("eDP-SGD and DP-SGD", DP, EDP)
    assert only("dp-sgd", DP) == "dp-sgd"  # an acronym is written one way


def test_either_term_of_an_entry_uses_it_up_and_quotes_are_escaped():
    assert only("ε, then epsilon and ε", EPSILON).count("<abbr") == 1
    assert only("ε", EPSILON) == '<abbr title="How far &quot;odds&quot; move.">ε</abbr>'


def test_writing_tooltips_twice_gives_the_same_and_they_can_be_taken_away():
    cells = ["**ε** is spent by DP-SGD on a cohort (see `cohort`).", "eDP-SGD, $\\varepsilon$ and | a | cohort |"]
    once = with_tooltips(cells, [COHORT, EPSILON, DP, EDP])
    assert with_tooltips(once, [COHORT, EPSILON, DP, EDP]) == once != cells
    assert list(map(without_tooltips, once)) == cells


def test_a_changed_glossary_changes_the_tooltips():
    before = only("A cohort.", COHORT)
    after = only(before, Entry(("cohort",), "Another sentence.", "cohort"))
    assert after == 'A <abbr title="Another sentence.">cohort</abbr>.'
