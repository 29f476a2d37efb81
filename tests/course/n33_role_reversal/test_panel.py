"""What notebook 33 shows of a made-up table: claims, pictures and panel, and its toy, which is exact."""

import dataclasses
import itertools

import numpy as np
import pytest

from trustlab.course.n33_role_reversal import panel as panel_module
from trustlab.course.n33_role_reversal import role_pictures, whole_word_models
from trustlab.course.n33_role_reversal.claims import claims_of, closed, methods
from trustlab.course.n33_role_reversal.drawing import BOTH, FEMALE, MALE, colour
from trustlab.course.n33_role_reversal.experiment import (
    AS_THEY_ARE,
    EXCHANGED,
    PLAIN,
    REVERSED,
    SHARES_ADDED,
    STUDENT,
    TEACHER,
    TEMPERATURES,
    grid,
    result_name,
)
from trustlab.course.n33_role_reversal.panel import Place, live_rows, reversal_panel
from trustlab.course.n33_role_reversal.results import chance, front, of_teacher, price, said, saved, share_of
from trustlab.course.n33_role_reversal.toy import AFTER, BEFORE, ToyPosition, predictions, reversal_toy
from trustlab.course.n33_role_reversal.working_people import OPENINGS, PROFESSIONS, SHARES
from trustlab.fairness.distillation import REVERSALS
from trustlab.lab.claims import claims
from trustlab.lab.figures import GREY

EXCHANGED_GAIN = {"teacher": 0.0, "none": 0.0, "swap": 0.35, "mean": 0.2, "max": 0.21, "expectation": 0.22}


def row(place, cell):
    """What one setting gave: operations and added texts make it more even, at a price; vectors hardly change."""
    wobble = 0.003 * cell.seed + 0.0007 * (place % 3)
    left = cell.words == AS_THEY_ARE
    gain = EXCHANGED_GAIN[cell.reversal] * (0.2 if left else 1) + 0.2 * cell.augmentation
    cost = 0.004 * cell.augmentation + (0.06 if left else 0.003) * (cell.reversal in REVERSED)
    equity = 0.42 + gain + wobble
    women = [0.5 + (share - 0.5) * (1 - gain) for share in SHARES.values()]
    return {
        "perplexity": 1.85 * (1 + cost) + wobble + 0.001 * cell.temperature,
        "perplexity_even": 1.86 + wobble,
        "shares": "|".join(f"{share:.3f}" for share in women),
        "exact_mean": equity,
        "exact_min": equity / 2,
        "exact_log_odds": 0.95 * (1 - 1.9 * gain) + wobble,
        "nucleus_mean": equity,
        "nucleus_min": equity / 3,
        "equity_mean": equity,
        "equity_min": equity / 2,
        "equity_projected": equity,
        "chance_mean": 0.9,
        "chance_min": 0.74,
        "gendered": 0.85,
        "muddled": 0.3 + wobble if left else 0.0,
        "weat": 1.45 - 0.2 * gain - wobble,
        "ceat": 0.5 - 0.1 * gain - wobble,
        "accuracy": 0.7,
        "tpr_gap": 0.2 + 0.03 * gain + wobble,
        "flips": 0.25 + wobble,
        "said": _texts(cell) if cell.seed == 0 else "",
        "seconds": 5.0 + wobble,
        "measured_seconds": 3.0,
    }


def _texts(cell):
    return "|".join(f"she {cell.reversal} {job} {i}" for job in PROFESSIONS for i in range(len(OPENINGS)))


@pytest.fixture(autouse=True, scope="module")
def table(made_up):
    return made_up(result_name("assistant"), grid("assistant"), row)


@pytest.fixture(scope="module")
def panel(table):
    return reversal_panel()


def test_the_claims_are_judged_and_say_what_they_were_measured_with():
    rows = claims_of()
    assert all(each["setup"] and len(each["values"]) == 5 for each in rows)
    outcome = {each["claim"]: each["outcome"] for each in claims(rows, digits=2).rows}
    assert len(outcome) == len(rows) == 2 * len(methods()) + len(REVERSED) + 2 + 5
    assert set(outcome.values()) == {"holds"}


def test_a_price_above_the_bar_and_a_gain_that_carries_over_are_told_as_falls(made_up):
    made_up(
        result_name("assistant"),
        grid("assistant"),
        lambda place, cell: (
            row(place, cell) | ({"perplexity": 2.5, "weat": 0.1 + 0.01 * cell.seed} if cell.augmentation == 1 else {})
        ),
    )
    refuted = [each["claim"] for each in claims(claims_of(), digits=2).rows if each["outcome"] == "refuted"]
    made_up(result_name("assistant"), grid("assistant"), row)
    assert [each.partition(":")[0] for each in refuted] == [
        "(a) Texts added",
        "(a) Mean and texts added",
        "(b) … but less than half of the association of input embeddings (WEAT)",
    ]


def test_what_goes_away_is_compared_seed_by_seed():
    table = saved()[0]
    plain, both = (
        table[(table.reversal == kind) & (table.augmentation == share) & (table.temperature == 1)
              & (table.words == EXCHANGED)].sort_values("seed")["weat"].to_numpy()
        for kind, share in ((PLAIN, 0.0), ("mean", 1.0))
    )  # fmt: skip
    np.testing.assert_allclose(closed(table, "weat"), 1 - both / plain)
    assert price("mean", 1.0) == pytest.approx(0.7, abs=0.1)


def test_the_front_has_every_operation_with_its_texts_added():
    rows = front()
    assert [(each["operation"], each["added"]) for each in rows] == [*itertools.product(REVERSALS, SHARES_ADDED)]
    assert all(each["low"] < each["equity"] < each["high"] for each in rows)
    assert of_teacher() == pytest.approx(0.426, abs=0.003) and chance() == pytest.approx(0.9)
    assert (
        said("nurse", reversal="max", augmentation=0.5, temperature=TEMPERATURES[-1], words=EXCHANGED)[3]
        == "she max nurse 3"
    )


def test_the_pictures_say_what_their_rows_have():
    coin = role_pictures.fair_writer()
    told = {(each["texts a profession"], each["of 18 professions"]): each["ratio"] for each in coin.rows}
    assert told["50", "mean"] == pytest.approx(0.81, abs=0.02) and told["50", "smallest"] == pytest.approx(
        0.54, abs=0.03
    )
    readings = role_pictures.two_readings()
    assert "equity is 0.63 to 0.78, and less than 1 % of the gendered texts have" in readings.verdict
    assert "it is 0.47 to 0.50, and 31 to 31 % have both" in readings.verdict
    assert len(role_pictures.each_profession().rows) == 18
    stays = role_pictures.where_a_gain_stays()
    assert "of the disparity in what is said goes away" in stays.verdict and len(stays.rows) == 12
    assert "cost 0.3 % to 0.7 % of perplexity" in role_pictures.in_words()


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_the_ring_is_at_the_position_and_the_texts_are_of_its_student(panel, drawn, temperature):
    answer, shown = drawn(panel, reversal="swap", augmentation=0.5, temperature=temperature, profession="cook")
    ((x, y),) = shown["front"]["ring"]
    (here,) = (each for each in front(temperature) if (each["operation"], each["added"]) == ("swap", 0.5))
    assert (x, y) == (pytest.approx(here["perplexity"]), pytest.approx(here["equity"]))
    assert shown["said"][2] == ["the cook lost …", "she none cook 2", "she swap cook 2"]
    share = share_of("cook", reversal="swap", augmentation=0.5, temperature=temperature, words=EXCHANGED)
    assert f"{100 * share:.0f}" in answer.verdict and "After “the cook …”" in answer.verdict
    assert set(shown["front"]["series"]) == set(REVERSALS)


def test_a_text_has_the_colour_of_its_genders():
    said_by = ["she sings", "he lost his keys", "she lost his keys", "everyone is tired", ""]
    assert [colour(text) for text in said_by] == [FEMALE, MALE, BOTH, GREY, GREY]


def test_the_button_says_how_long_and_a_reader_s_student_is_drawn_over_the_saved_ones(panel, monkeypatch):
    assert "Train teacher and student, about" in panel.widgets.buttons["Train"].description
    rows = [{"step": 20, "progress": 0.1, "loss": 2.0, "who": "teacher"}]
    shown = panel_module._shown(Place(), panel_module.answer(Place()), rows)
    assert shown.verdict == "The teacher learns: a loss of 2.00 after step 20." and not shown.live
    last = {"step": 99, "progress": 1.0, "loss": 1.0, "who": "student", "equity": 0.7, "perplexity": 1.9}
    done = panel_module._shown(Place(), panel_module.answer(Place()), [*rows, {**last, "female: nurse": 0.6}])
    assert "equity 0.70, perplexity 1.900" in done.verdict and "60\u00a0%" in done.verdict
    assert [each["perplexity"] for each in done.live] == [1.9]


def test_a_short_live_training_streams_the_teacher_and_then_the_student(monkeypatch):
    monkeypatch.setitem(whole_word_models.training.__kwdefaults__, "steps", 60)
    monkeypatch.setattr(panel_module, "KEPT", 1)
    at = Place(reversal="swap", augmentation=0.0)
    short = dataclasses.replace(at.setting.options, steps=20)
    monkeypatch.setattr(panel_module, "distill", lambda *args, options, **more: _short(*args, options=short, **more))
    rows = [*live_rows(at)]
    assert [each["who"] for each in rows] == ["teacher"] * 3 + ["student"] * 2
    assert [each["progress"] for each in rows] == sorted(each["progress"] for each in rows)
    assert rows[-1]["progress"] == 1 and [each["step"] for each in rows] == [20, 40, 60, 70, 80]
    assert 0 < rows[-1]["female: nurse"] < 1 and 0 <= rows[-1]["equity"] <= 1 and STUDENT["steps"] > 20


def _short(*args, **more):
    from trustlab.fairness.distillation import distill

    return distill(*args, **more)


# The toy


def test_before_a_word_of_gender_only_exchanged_words_change_anything():
    for reversal, share in itertools.product(REVERSALS, (0.6, 0.9)):
        answer = reversal_toy().answer_at(ToyPosition(BEFORE, share, AS_THEY_ARE, reversal))
        assert [each["student learns"] for each in answer.numbers] == pytest.approx(
            predictions(ToyPosition(share=share))[0]
        )
    even = reversal_toy().answer_at(ToyPosition(BEFORE, 0.9, EXCHANGED, "mean"))
    assert even.numbers[0]["student learns"] == pytest.approx(even.numbers[1]["student learns"])


def test_after_one_words_as_they_are_break_the_grammar_and_exchanged_ones_do_not(drawn):
    toy = reversal_toy()
    for reversal in REVERSED:
        broken, shown = drawn(toy, place=AFTER, words=AS_THEY_ARE, reversal=reversal)
        kept, _ = drawn(toy, place=AFTER, words=EXCHANGED, reversal=reversal)
        assert broken.numbers[0]["student learns"] < 0.5 < 0.85 < kept.numbers[0]["student learns"]
        assert "continues about a man" in broken.verdict and "continues" not in kept.verdict
        assert shown["words"] == ["her", "his", "everything"]
    _, bars = drawn(toy, place=AFTER, words=AS_THEY_ARE, reversal="swap")
    assert bars["student learns"] == bars["swapped text"] != bars["teacher"]


def test_the_teacher_is_in_the_table_once_a_seed():
    assert len(saved()[0].query(f"reversal == '{TEACHER}'")) == 5
