"""Documents, notebooks and code are written in plain English, and the glossary's terms are defined once."""

import ast
import io
import json
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (
    "README.md",
    "GLOSSARY.md",
    "CONTRIBUTING.md",
    "data/README.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
)
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
CODE = sorted((ROOT / "trustlab").rglob("*.py"))
# What once stood here, and what is meant.
RIDDLES = {
    r"mend(s|ed|ing)?": "fix",
    r"anew": "again",
    r"whither|hitherto|befall": "plain English",
    r"(is|are|was|were) told": "gets, or is reported",
    r"said to be": "plain English",
    r"bears?": "allows",
    r"dice|die of its own": "random state",
    r"dials?": "option or control",
    r"laws?": "distribution",
    r"loud(ly|er|est)?": "heavily weighted",
    r"beside": "next to, or compared with",
    r"surely": "confirmed, or clearly",
    r"weighe[ds]( by| equally)?": "weighted",
    r"speaks? for": "represents",
    r"proves? itself": "recomputes and compares",
    r"nobody drew": "natural",
    r"wakes?": "responds",
    r"before your eyes": "while you watch",
    r"(our|the) card on|P\d+[a-z]?\b(?!\()": "the claim in plain words",
}  # fmt: skip
# In the code these are riddles too; documents have a few plain uses of them.
RIDDLES_OF_CODE = RIDDLES | {
    r"whom|whoever": "who, or the client or user",
    r"nobody|somebody|anybody": "no client, no user, an attacker, …",
    r"likelier": "more likely",
    r"throws?|thrown|threw": "draws, or discards",
    r"stands? (in|for|beside|behind|as|there|once|twice)": "is in, or means",
    r"(lies|lie) (in|on|at|there|outside|between)": "is in",
    r"(is|are|was|were) asked": "is used, selected or requested",
    r"speaks? (of|for|to|against)": "mentions, represents, …",
    r"goes (on|by|with|through)": "continues, depends on, …",
    r"(cannot be|has to be|is to be) said": "is unknown, must be reported",
}
ALLOWED = {
    "docs/benchmarks.md": {"power-law": "a name"},
    "trustlab/data/grammar.py": {
        "too loud": "an utterance",
        "music louder": "an utterance",
        "wake me up": "an utterance",
    },
    "trustlab/course/n00_start_here/panel.py": {"wake me up": "a sentence"},
    "trustlab/course/n22_device_selection/fleets.py": {"power law": "a name"},
    "trustlab/course/n11_dp_sgd_vs_edp_sgd/experiment.py": {"nobody's data": "invented"},
    "trustlab/course/n31_fairness_metrics/sentences.py": {"somebody": "a word of the invented sentences"},
    "trustlab/course/n33_role_reversal/working_people.py": {"nobody {work}": "a word of the generated sentences"},
    "trustlab/fairness/swaps/his_and_her.py": {
        "beside besides": "function words",
        "whom whose": "function words",
        "somebody something": "function words",
        "anybody anything": "function words",
    },
    "CONTRIBUTING.md": {'"mend" (fix)': "the rule itself", '"law" (distribution)': "the rule itself"},
}


def prose(text):
    """Leave out what is not prose: code, formulas and links' targets."""
    text = re.sub(r"```.*?```|^    .*?$", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"`[^`]*`|\$\$.+?\$\$|\$[^$\n]+\$", "", text, flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)", "]", text)


def riddles(text, allowed=(), words=RIDDLES):
    """Yield a complaint for each of `words` in the prose of `text`."""
    text = prose(text)
    for use in allowed:
        text = text.replace(use, "")
    for pattern, meant in words.items():
        for found in re.finditer(rf"\b(?:{pattern})\b", text, re.IGNORECASE):
            around = " ".join(text[max(0, found.start() - 30) : found.end() + 30].split())
            yield f"{found[0]!r} ({meant}): … {around} …"


def markdown(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def words_of_code(code):
    """Return the prose of Python code: docstrings, strings of several words and comments, without examples."""
    strings = [node.value for node in ast.walk(ast.parse(code))
               if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value]  # fmt: skip
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    text = "\n\n".join([*strings, *(t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT)])
    text = re.sub(r"``.+?``", "", re.sub(r"^ +", "", text, flags=re.MULTILINE), flags=re.DOTALL)
    return re.sub(r"^>>> .*?(?=\n\n|\Z)", "", text, flags=re.MULTILINE | re.DOTALL)


def pages():
    yield from ((name, (ROOT / name).read_text(encoding="utf-8")) for name in DOCUMENTS)
    yield from ((str(path.relative_to(ROOT)), markdown(path)) for path in NOTEBOOKS)


def test_no_riddle_words():
    found = [f"{name}: {each}" for name, text in pages() for each in riddles(text, ALLOWED.get(name, ()))]
    assert not found, "\n".join(found)


def modules():
    yield from ((path.relative_to(ROOT).as_posix(), words_of_code(path.read_text(encoding="utf-8"))) for path in CODE)


def test_no_riddle_words_in_the_code():
    found = [
        f"{name}: {each}" for name, text in modules() for each in riddles(text, ALLOWED.get(name, ()), RIDDLES_OF_CODE)
    ]
    assert len(CODE) > 200 and not found, "\n".join(found)


def test_every_allowance_is_used():
    texts = dict([*pages(), *modules()])
    assert [words for name, allowed in ALLOWED.items() for words in allowed if words not in texts[name]] == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("How to mend it.", 1),
        ("Light devices are heard far too loudly.", 1),
        ("Dir(α), a law over labels; claim P6 of our card on FedNLP.", 3),
        ("`law`, $law$, [a](law.md), recommend, loudspeaker, lawful, besides", 0),
        ("weighed by examples, and weighs", 1),
    ],
)
def test_riddles_are_seen_and_other_words_are_not(text, count):
    assert len(list(riddles(text))) == count


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ('"""Mend it."""\nx = f"{y} stands in {z}"  # whom it bears', 4),
        ('"""Fit.\n\n>>> law = 2\n``mend`` and `law`\n"""\nmend = {"law": law}', 0),
    ],
)
def test_riddles_are_seen_in_docstrings_strings_and_comments_only(code, count):
    assert len(list(riddles(words_of_code(code), words=RIDDLES_OF_CODE))) == count


def terms(glossary):
    """Yield each defined term: what is bold at the start of an item, split at commas."""
    for line in glossary.splitlines():
        if found := re.match(r'- (?:<a id="[^"]+"></a>)?\*\*(.+?)\*\*', line):
            yield from (term if len(term) == 1 else term.lower() for term in re.split(r", (?![^(]*\))", found[1]))


def test_no_term_is_defined_twice():
    found = list(terms((ROOT / "GLOSSARY.md").read_text(encoding="utf-8")))
    assert len(found) > 100
    assert {term for term in found if found.count(term) > 1} == set()
    assert list(terms("- **Aa, b (c, d)**: x\n- **aA**: y, **no**")) == ["aa", "b (c, d)", "aa"]


def test_names_in_the_glossary_are_names_in_the_code():
    """A `name` after a term is a word of the package; and the course's own words are terms."""
    glossary = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
    names = {name for words in re.findall(r"^- .*?\*\*.+?\*\* \(([^)]*)\):", glossary, re.MULTILINE)
             for name in re.findall(r"`(\w+)`", words)}  # fmt: skip
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "trustlab").rglob("*.py"))
    assert len(names) > 15 and {name for name in names if not re.search(rf"\b{name}\b", code)} == set()
    wanted = {"client", "aggregation", "expected batch size", "canary", "cohort", "clipping norm", "noise multiplier"}
    assert wanted <= set(terms(glossary))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_to_files(name):
    text = re.sub(r"```.*?```", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    assert [target for target in targets if target and not (ROOT / name).parent.joinpath(target).exists()] == []
