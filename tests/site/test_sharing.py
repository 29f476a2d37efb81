"""Texts come back character by character, and what they share is there once."""

from hypothesis import given
from hypothesis import strategies as st

from trustlab.site.sharing import share

ELEMENTS = st.sampled_from(["<a/>", "<b/>\n", "<text>one, two</text>", "<g>", "</g>", "plain", "<c>é</c>"])


@given(st.lists(st.lists(ELEMENTS, min_size=1).map("".join), min_size=1))
def test_pieces_give_every_text_back(texts):
    pieces, numbers = share(texts)
    assert ["".join(pieces[n] for n in each) for each in numbers] == texts
    assert len(set(pieces)) == len(pieces)


def test_what_all_share_is_one_piece():
    common = "<g>" + "".join(f"<path d='M{i} 0'/>" for i in range(5))
    texts = [f"{common}<rect x='{i}'/><text>end</text>" for i in range(50)]
    pieces, numbers = share(texts)
    assert sum(map(len, pieces)) < len(common) + 60 + 50 * len("<rect x='10'/>")
    assert all(len(each) <= 3 for each in numbers)


def test_an_empty_text_is_a_text():
    assert share(["", "<a/>", ""])[1][0] == share(["", "<a/>", ""])[1][2]
