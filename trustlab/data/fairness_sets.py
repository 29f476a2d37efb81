"""The catalogue's sets that fairness is measured with: word lists, test sentences, labelled texts, and vectors.

A set with ``remote=""`` is read from a folder only; the remark says why.
"""

from __future__ import annotations

from trustlab.data.corpus import Corpus

FAIRNESS_SETS: dict[str, Corpus] = {
    "weat": Corpus(
        task="word sets of ten association tests",
        rows=10,
        licence="MIT",
        source="github.com/dccuchile/wefe@1998132a3e809481a7456d952f7473d191990946",
        remote="",  # the file has another name there
    ),
    "stereoset": Corpus(
        task="stereotyped, anti-stereotyped and unrelated sentences",
        rows=4_229,
        licence="CC BY-SA 4.0",
        source="github.com/firminovitoria/stereoset-ptbr@94a101a93a1032322b108e77b7cd743b208776b5",
        remote="",  # rebuilt from the English columns of a table there
    ),
    "crows_pairs": Corpus(
        task="pairs of stereotyped sentences",
        rows=1_508,
        licence="CC BY-SA 4.0",
        source="github.com/nyu-mll/crows-pairs@8aaac11c485473159ec9328a65253a5be9a479dc",
        remote="nyu-mll/crows-pairs/8aaac11c485473159ec9328a65253a5be9a479dc/data",
    ),
    "winobias": Corpus(
        task="pronouns and occupations",
        rows=3_168,
        licence="MIT",
        source="github.com/uclanlp/corefBias@0bce984dd081bbc10b0622f326727a024c607895",
        remote="uclanlp/corefBias/0bce984dd081bbc10b0622f326727a024c607895/WinoBias/wino/data",
    ),
    "winogender": Corpus(
        task="pronouns and occupations",
        rows=720,
        licence="MIT",
        source="github.com/rudinger/winogender-schemas@1c7f8b481ad8a234b41e9f76a424d6e856e13f7f",
        remote="rudinger/winogender-schemas/1c7f8b481ad8a234b41e9f76a424d6e856e13f7f/data",
    ),
    "bold": Corpus(
        task="openings of texts about groups of people",
        rows=23_674,
        licence="CC BY-SA 4.0",
        source="github.com/amazon-science/bold@3ad652c773f5d1e30d5f6f61657ed934d768ecad",
        remote="amazon-science/bold/3ad652c773f5d1e30d5f6f61657ed934d768ecad",
    ),
    "gender_words": Corpus(
        task="gendered words, pairs and professions",
        rows=2_241,
        licence="MIT (debiaswe, corefBias), Apache 2.0 (gn_glove)",
        source="github.com/tolga-b/debiaswe@6bb03ee2a0d7214339e513ca71cd0a99069dc29c",
        remote="",  # lists of three repositories, see data/README.md
    ),
    "embeddings_small": Corpus(
        task="word vectors",
        rows=12_272,
        licence="PDDL 1.0 (GloVe); none stated (word2vec)",
        source="github.com/dccuchile/wefe@1998132a3e809481a7456d952f7473d191990946",
        remote="",  # derived, see data/README.md
    ),
    "hatexplain": Corpus(
        task="hate speech, whom it is about, and why",
        rows=19_229,
        licence="MIT",
        source="github.com/hate-alert/HateXplain@01d742279dac941981f53806154481c0e15ee686",
        remote="",  # put together from four repositories, see data/README.md
    ),
    "davidson_hate": Corpus(
        task="hate speech and offensive language",
        rows=24_783,
        licence="MIT",
        source="github.com/t-davidson/hate-speech-and-offensive-language@cb50f7e9eb855a99abc51423bf40df0e26d6fe30",
        remote="t-davidson/hate-speech-and-offensive-language/cb50f7e9eb855a99abc51423bf40df0e26d6fe30/data",
    ),
    "twitter_aae_model": Corpus(
        task="counts of words by dialect of tweets",
        rows=191_874,
        licence="MIT",
        source="github.com/slanglab/twitteraae@db4d6d126ca26b9bb9a70d7ce18bdd5833077523",
        remote="slanglab/twitteraae/db4d6d126ca26b9bb9a70d7ce18bdd5833077523/model",
    ),
    "unintended_bias": Corpus(
        task="templates with identity terms, and comments with such terms exchanged",
        rows=78_056,
        licence="CC BY 4.0",
        source="github.com/conversationai/unintended-ml-bias-analysis@9c7d91aaa53406a362354661a93e07956d95e59a",
        remote="",  # the files lie in two folders there, see data/README.md
    ),
    "cad_imdb": Corpus(
        task="sentiment of reviews, each with a counterfactual",
        rows=4_880,
        licence="Apache 2.0",
        source="github.com/acmi-lab/counterfactually-augmented-data@6f232a1d2a11462a30ce08fb4825b734ab30828e",
        remote="acmi-lab/counterfactually-augmented-data/6f232a1d2a11462a30ce08fb4825b734ab30828e"
        "/sentiment/combined/paired",
    ),
}
