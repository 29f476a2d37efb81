"""The files of a site: every state comes back from them as the panel shows it, and no other folder is touched."""

import json
import re

import pytest

from trustlab.site.page import MOST_IN_A_FILE, Explorable
from trustlab.site.states import choices, positions, state
from trustlab.site.writing import Chapter, write

ROW = {"page": "small", "states": 24}


def site_of(make_panel, **more):
    return [Chapter("One", [Explorable("small", "00_none", "It goes *up* or down.", make_panel, **more)])]


def states_in(folder):
    """Read the files of a page as its script does: join pieces, look up sentences."""
    for path in sorted(folder.glob("*.js"), key=lambda path: int(path.stem)):
        number, content = re.fullmatch(r"explorable\.add\((\d+),(.+)\);\n", path.read_text(), re.DOTALL).groups()
        assert int(number) == int(path.stem)
        file = json.loads(content)
        for i, pieces in enumerate(file["pictures"]):
            said = (file[f"{part}s"][file[part][i]] for part in ("verdict", "source"))
            joined = ("".join(file["pieces"][piece] for piece in each) for each in (pieces, file["numbers"][i]))
            yield [*joined, *said, file["marks"][i]]


def test_every_state_comes_back_as_the_panel_shows_it(make_panel, tmp_path):
    (row,) = write(site_of(make_panel), tmp_path / "out", title="All", lead="Of them.")
    assert row.items() >= ROW.items() and 0 < row["kB at first"] < 60
    panel = make_panel()
    every = [state(panel, position) for position in positions(choices(panel))]
    found = list(states_in(tmp_path / "out" / "small"))
    assert found == [[each.picture, each.numbers, each.verdict, each.source, each.mark] for each in every]
    assert len({each.picture for each in every}) > 15
    size = sum(path.stat().st_size for path in (tmp_path / "out" / "small").glob("*.js"))
    assert size < sum(len(each.picture) for each in every) / 2  # what states share is there once


def test_a_page_has_the_start_and_leads_to_nothing_outside(make_panel, tmp_path):
    list(write(site_of(make_panel), tmp_path, title="All", lead="Of them."))
    page, panel = (tmp_path / "small.html").read_text(), make_panel()
    first = state(panel, {})
    assert first.picture in page and first.verdict in page and "00_none.ipynb" in page
    assert "It goes <em>up</em> or down." in page
    for path in tmp_path.rglob("*.*"):
        links = re.findall(r"""(?:src|href)=["']([^"']+)["']|url\(([^)]+)\)|@import""", path.read_text())
        for link in (one or other for one, other in links):
            assert link.startswith("data:") or (tmp_path / link).is_file(), f"{path.name}: {link}"
        assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", path.read_text()), path.name


def test_many_states_lie_in_several_files(make_panel, tmp_path, monkeypatch):
    monkeypatch.setattr("trustlab.site.page.MOST_IN_A_FILE", 12)
    list(write(site_of(make_panel), tmp_path, title="All", lead="Of them."))
    assert sorted(path.name for path in (tmp_path / "small").glob("*.js")) == ["0.js", "1.js"]
    assert len(list(states_in(tmp_path / "small"))) == 24
    assert MOST_IN_A_FILE >= 100


def test_only_a_site_is_replaced(make_panel, tmp_path):
    out = tmp_path / "out"
    list(write(site_of(make_panel), out, title="All", lead="Of them."))
    (out / "old.html").write_text("of an earlier page")
    list(write(site_of(make_panel), out, title="All", lead="Of them."))
    assert not (out / "old.html").exists() and (out / "index.html").is_file()
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match="an earlier site"):
        list(write(site_of(make_panel), other, title="All", lead="Of them."))
    assert [path.name for path in other.iterdir()] == ["thesis.tex"]
