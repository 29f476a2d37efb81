"""The catalogue's labelled texts that fairness is measured on, and a dialect model of tweets."""

from __future__ import annotations

from trustlab.data.corpus import Corpus, files_of

LABELLED_SETS: dict[str, Corpus] = {
    "hatexplain": Corpus(
        task="hate speech, whom it is about, and why",
        rows=19_229,
        licence="MIT",
        source="github.com/hate-alert/HateXplain@01d742279dac941981f53806154481c0e15ee686",
        remote="",  # put together from four repositories, see data/README.md
        files=files_of("""
            hatexplain_merged.jsonl.gz dab3ce218c9fdd980c8d984899b7e8ce2c5cc001eaa5e8bef852dc3fdfb600ab"""),
    ),
    "davidson_hate": Corpus(
        task="hate speech and offensive language",
        rows=24_783,
        licence="MIT",
        source="github.com/t-davidson/hate-speech-and-offensive-language@cb50f7e9eb855a99abc51423bf40df0e26d6fe30",
        remote="t-davidson/hate-speech-and-offensive-language/cb50f7e9eb855a99abc51423bf40df0e26d6fe30/data",
        files=files_of("""
            labeled_data.csv fcb8bc7c68120ae4af04a5b9acd58585513ede11e1548ebf36a5c2040b6f6281
                e0b23fab576c41542f92efe42ba727840c2e7e2e2d112196eea4cf8eccc28994"""),
    ),
    "twitter_aae_model": Corpus(
        task="counts of words by dialect of tweets",
        rows=191_874,
        licence="MIT",
        source="github.com/slanglab/twitteraae@db4d6d126ca26b9bb9a70d7ce18bdd5833077523",
        remote="slanglab/twitteraae/db4d6d126ca26b9bb9a70d7ce18bdd5833077523/model",
        files=files_of("""
            model_count_table.txt 9907158995bea09301022050736bb91dda71bd577af9d3e643ae434d5c3fbf4e
                04faa995d3a74a8a089d308160377143b673c1d831c56e2d66e0e28793e424c9
            model_vocab.txt 6ef8e0ed59ed13776ad015a7dc14a0dd26a24ce9f6906edf860dfe40bf679133
                b02ed94e679d9710b5fd528a3f378943c2558841c8e3cb3d57283b838c5bb674"""),
    ),
    "unintended_bias": Corpus(
        task="templates with identity terms, and comments with such terms exchanged",
        rows=78_056,
        licence="CC BY 4.0",
        source="github.com/conversationai/unintended-ml-bias-analysis@9c7d91aaa53406a362354661a93e07956d95e59a",
        remote="",  # the files lie in two folders there, see data/README.md
        files=files_of("""
            bias_madlibs_77k.csv aac542254cf158415ec74623d54fa76176f26a7e7d8ef20788e1748a05ba5b4c
                b507a83944612803a48cd2a436b6dfa434934187ede59a6907f00405949e5ec8
            madlibs_words/adjectives_people.txt 5d999b7488ada99a0bb41715cc7c7c2627927319775f041d4a2d447496411eb8
            toxicity_nonfuzzed_testset.csv c11caefa0c487cb7a7fc0726cb53358d4e5463bd071d65979398af59fa80f881
                4a628da405dad649f8dd36f3335c91782b40dec15efc8f812b14175819a26549
            toxicity_fuzzed_testset.csv 382f8698edc67dc0ebd521406d9b4fb27b0192a0d09559503bd965609382685c
                a7b516ede4be859171f9e26cf8b33d4935d096f4477101beced2fa265b11e807"""),
    ),
    "cad_imdb": Corpus(
        task="sentiment of reviews, each with a counterfactual",
        rows=4_880,
        licence="Apache 2.0",
        source="github.com/acmi-lab/counterfactually-augmented-data@6f232a1d2a11462a30ce08fb4825b734ab30828e",
        remote="acmi-lab/counterfactually-augmented-data/6f232a1d2a11462a30ce08fb4825b734ab30828e"
        "/sentiment/combined/paired",
        files=files_of("""
            train_paired.tsv 7ac50ca3d70890f80e11ee59955cdbfc43f26b5078d0603717817ab224d2af18
                4890c436c6dd2975d75ed14668c7a611fdf6ad0681c6774b958d1ec46781d207
            dev_paired.tsv 4c2d8a70cbce23eba27fb1f0bb5043cf044811912435cf8d10c3ea6fc7a51363
                fc20d29f6bd587cc7c53a3b6926e7b23e7b11d3cfc5eadc6a78d8f3b14b7fda5
            test_paired.tsv 9534b20850205c59015b313983cae7afb31c54c04ffcbd19cea7f1bce5011275
                26d7c122be790f7d080d64a05e3a36df53ffaba772f4bb4c15db252f2d422e8b"""),
    ),
}
