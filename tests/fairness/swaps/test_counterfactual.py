"""Swapped texts: published examples, what is ambiguous in WinoBias and Winogender, and the way back."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trustlab.data import load
from trustlab.fairness.swaps import OWN_PAIRS, WordPairs, counterfactual, one_to_one, public_pairs
from trustlab.fairness.swaps.his_and_her import FUNCTION_WORDS

SHARED = Path(__file__).resolve().parents[4] / "shared"
REAL = Path(os.environ.get("TRUSTLAB_DATA") or SHARED / "data")
# NL-Augmenter's own examples (GEM-benchmark/NL-Augmenter, transformations/gender_swap/test.json, MIT).
PUBLISHED = {
    "he, she, man?": "she, he, woman?",
    "hehe he!": "hehe she!",
    "{name} wants to be a programmer, as his father.": "{name} wants to be a programmer, as her mother.",
}
NAMES = [("Ada", "Alan"), ("Grace", "King")]
GENDERED = [word for pair in OWN_PAIRS.pairs for word in pair]


@pytest.mark.parametrize("text", PUBLISHED)
def test_published_examples(text):
    assert counterfactual(text).text == PUBLISHED[text]


def test_published_examples_are_those_of_the_goldens():
    goldens = SHARED / "goldens" / "attacks.json"
    if not goldens.exists():
        pytest.skip("the goldens lie beside a development checkout")
    swaps = [each for each in json.loads(goldens.read_text())["goldens"] if each["system"] == "swap"]
    texts = {each["inputs"]["text"]: each["expected"] for each in swaps if "text" in each["inputs"]}
    assert texts == PUBLISHED


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("The KING's men, and Her Ladyship", "The QUEEN's women, and His Ladyship"),
        ("She’s here; he'd've gone", "He’s here; she'd've gone"),
        ("the kings' horses", "the queens' horses"),
        ("I saw her. It is hers, not his.", "I saw him. It is his, not hers."),
        ("His own mother told him that she sold his books", "Her own father told her that he sold her books"),
        ("her 20th birthday, with her “best” friend", "his 20th birthday, with his “best” friend"),
        ("she asked her to wait, and her isn't", "he asked him to wait, and him isn't"),
        ("a mankind of theirs", "a mankind of theirs"),
        ("her", "him"),
        ("", ""),
    ],
)
def test_case_possessives_and_pronouns(text, swapped):
    found = counterfactual(text)
    assert found.text == swapped and found.covered and counterfactual(swapped).text == text
    assert [found.text[c:d].lower() != text[a:b].lower() for a, b, c, d in found.swaps] == [True] * len(found.swaps)


@pytest.mark.parametrize(
    ("text", "swapped", "reason"),
    [
        ("Ms Lee", "Ms Lee", "Ms: no counterpart"),
        ("gave him flowers", "gave her flowers", "him: back again it would be a determiner"),
        ("hers grow", "his grow", "hers: back again it would be a determiner"),
        ("a kInG", "a queen", "kInG: its case or its spelling would not come back"),
    ],
)
def test_what_a_swap_cannot_decide_is_named(text, swapped, reason):
    found = counterfactual(text)
    assert (found.text, found.doubtful, found.covered) == (swapped, (reason,), False)


def test_parts_of_speech_decide_where_the_rule_errs():
    words = ["saw", "her", "leave", "with", "her", "gave", "him", "flowers"]
    tags = ["VBD", "PRP", "VB", "IN", "PRP$", "VBD", "PRP", "NNS"]
    found = counterfactual(words, tags=tags)
    assert found.words == ["saw", "him", "leave", "with", "his", "gave", "her", "flowers"] and found.covered
    assert counterfactual(found.words, tags=tags).words == words
    assert counterfactual(words).words[1] == "his"  # without them: "her leave" as in "her holiday"


def test_names_are_swapped_where_they_are_asked_for_and_in_their_case():
    text = "Ada's king met King and will.i.am, ADA"
    assert counterfactual(text).text == "Ada's queen met Queen and will.i.am, ADA"
    found = counterfactual(text, names=NAMES)
    assert found.text == "Alan's queen met Grace and will.i.am, ADA"
    assert counterfactual(found.text, names=NAMES).text == text and found.covered
    assert not counterfactual("The Queen", names=NAMES).covered  # its counterpart is someone's name


# A text from pieces: gendered words in three cases, the pronouns by rule, others, function words, and what joins them.
CASED = st.sampled_from(GENDERED).flatmap(lambda word: st.sampled_from([word, word.capitalize(), word.upper()]))
PRONOUNS = st.sampled_from(["her", "his", "him", "hers", "Her", "HIS", "Hers"])
OTHER = st.sampled_from(
    [*sorted(FUNCTION_WORDS), "book", "Berlin", "mankind", "3", "Ada", "King", "ms", "ß", "İ", "hE"]
)
JOINT = st.sampled_from([" ", " ", " ", "", "'s ", "’s ", "’ ", ", ", ". ", " “", "-", "\n", "n't "])


@given(st.lists(st.tuples(st.one_of(CASED, PRONOUNS, OTHER), JOINT), max_size=12), st.booleans())
def test_swapping_a_covered_text_twice_gives_it_back(pieces, named):
    text, names = "".join(word + joint for word, joint in pieces), NAMES if named else []
    found = counterfactual(text, names=names)
    ends = [*((after.start, after.new_start) for after in found.swaps[1:]), (len(text), len(found.text))]
    for (a, b, c, d), (end, new_end) in zip(found.swaps, ends, strict=False):
        assert text[a:b] != found.text[c:d] and text[b:end] == found.text[d:new_end]  # nothing else changes
    if found.covered:
        back = counterfactual(found.text, names=names)
        assert back.text == text and back.covered and len(back.swaps) == len(found.swaps)


@given(st.lists(st.one_of(CASED, PRONOUNS), min_size=1, max_size=8))
def test_words_stay_as_many_and_in_their_places(words):
    found = counterfactual(words)
    assert len(found.words) == len(words) and found.text == counterfactual(" ".join(words)).text
    assert all(new != old for new, old in zip(found.words, words, strict=True))


def test_pronouns_of_winobias_and_winogender():
    if not (REAL / "winobias").exists():
        pytest.skip("WinoBias is not on this machine")
    pairs = {}
    for name, split in load("winobias").items():
        for row in split:
            pairs.setdefault((name, row["type"], row["pair"]), []).append(row)
    right = {}
    for one, two in pairs.values():
        for row, other in ((one, two), (two, one)):
            pronouns, texts = ([each[key] for each in (row, other)] for key in ("pronoun", "text"))
            words, others = (text.lower().split() for text in texts)
            alike = len(words) == len(others) and sum(a != b for a, b in zip(words, others, strict=True)) == 1
            if alike and pronouns[0] in ("her", "his", "him"):  # some pairs differ in more than the pronoun
                found = counterfactual(row["text"])
                right.setdefault(pronouns[0], []).append(found.text.lower() == other["text"].lower())
                assert not found.covered or counterfactual(found.text).text == row["text"]
    shares = {pronoun: sum(each) / len(each) for pronoun, each in right.items()}
    assert shares["him"] > 0.99 and shares["his"] > 0.95 and shares["her"] > 0.9, shares
    table = load("winogender")["test"].to_pandas()
    male, female = (table[table["gender"] == gender]["text"].tolist() for gender in ("male", "female"))
    assert [counterfactual(text).text for text in male] == female
    assert [counterfactual(text).text for text in female] == male


# Word pairs


def test_the_public_pairs_are_made_one_to_one_by_the_stated_rule():
    if not (REAL / "gender_words").exists():
        pytest.skip("the word lists are not on this machine")
    table = load("gender_words")["test"].to_pandas()
    partners = {}
    for row in table[table["list"] == "aligned"].itertuples():
        partners.setdefault(row.word, set()).add(row.counterpart)
        partners.setdefault(row.counterpart, set()).add(row.word)
    assert sum(len(each) > 1 for each in partners.values()) == 25  # the golden
    found = public_pairs()
    chosen = {("lady", "gentleman"), ("nun", "monk"), ("priestess", "priest"), ("chick", "dude"), ("mrs", "mr")}
    assert chosen <= set(found.pairs) and {"lord", "fella", "mentleman"} <= set(found.left_out)
    words = [word for pair in found.pairs for word in pair]
    assert len(words) == len(set(words)) == len(found.counterpart) and not set(words) & set(found.left_out)
    # No two words that were left without a partner are a pair.
    assert not any(partners.get(word, set()) & set(found.left_out) for word in found.left_out)
    text = " ".join(words)
    swapped = counterfactual(text, pairs=found)
    assert swapped.covered and counterfactual(swapped.text, pairs=found).text == text


def test_one_to_one_keeps_what_most_lists_name_and_else_what_stands_first():
    pairs = [("nun", "priest"), ("nun", "monk"), ("priestess", "priest"), ("lady", "lord"), ("lady", "gentleman")]
    assert one_to_one(pairs).pairs == (("nun", "monk"), ("priestess", "priest"), ("lady", "lord"))
    other = [("Gentleman", "lady")]
    assert one_to_one(pairs, other).pairs[-1] == ("lady", "gentleman") and one_to_one(pairs, other).left_out == (
        "lord",
    )
    with pytest.raises(ValueError, match=r"one side of its pairs, got .'a'. as female and as male"):
        one_to_one([("a", "b"), ("c", "a")])


@pytest.mark.parametrize(
    ("pairs", "left_out", "message"),
    [
        ((), (), "Without one nothing is swapped"),
        ((("queen", "king"), ("lady", "king")), (), "every word once, got king twice"),
        ((("queen", "king"),), ("queen",), "every word once, got queen twice"),
        ((("Queen", "king"),), (), "single words in lower case"),
        ((("hair salon", "barbershop"),), (), "single words in lower case"),
        ((("her", "him"),), (), "which a rule decides, got 'her'"),
        ((("queen", "king", "prince"),), (), "pairs .female, male."),
        (("ab",), (), "one text"),
    ],
)
def test_pairs_that_are_not_one_to_one_are_refused(pairs, left_out, message):
    with pytest.raises(ValueError, match=message):
        WordPairs(pairs, left_out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(text="She sat", tags=["PRP", "VBD"]), "Give a list of words"),
        (dict(text=["She sat.", "He ran."]), "words without spaces, got 'She sat.'. For several texts"),
        (dict(text=["She", "sat"], tags=["PRP"]), "tag for each of 2 words, got 1"),
        (dict(text="x", names=[("Ada", "Alan"), ("Ada", "Bob")]), "each a single word and once, got .'Ada'"),
        (dict(text="x", names=["ab"]), "one text"),
    ],
)
def test_what_is_no_text_with_its_tags_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        counterfactual(**arguments)
