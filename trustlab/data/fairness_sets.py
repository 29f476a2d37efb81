"""The catalogue's sets that fairness is measured with: word sets, test sentences, openings of texts, and vectors.

Only files that are read are listed. A set with ``remote=""`` is read from a folder only; the remark says why.
"""

from __future__ import annotations

from trustlab.data.corpus import Corpus, files_of
from trustlab.data.labelled_sets import LABELLED_SETS

FAIRNESS_SETS: dict[str, Corpus] = {
    "weat": Corpus(
        task="word sets of ten association tests",
        rows=10,
        licence="MIT",
        source="github.com/dccuchile/wefe@1998132a3e809481a7456d952f7473d191990946",
        remote="",  # the file has another name there
        files=files_of("""
            wefe_WEAT.json 1a4a448a1825b29c67a7ebb7733343084b015f5b8ed720b2d9e193840a3d49a1"""),
    ),
    "stereoset": Corpus(
        task="stereotyped, anti-stereotyped and unrelated sentences",
        rows=4_229,
        licence="CC BY-SA 4.0",
        source="github.com/firminovitoria/stereoset-ptbr@94a101a93a1032322b108e77b7cd743b208776b5",
        remote="",  # rebuilt from the English columns of a table there
        files=files_of("""
            stereoset_dev_en.json.gz 871d317ce3514963a75cbd708cfc66cb411e5bfd3e676725f6cbd936118f3e54"""),
    ),
    "crows_pairs": Corpus(
        task="pairs of stereotyped sentences",
        rows=1_508,
        licence="CC BY-SA 4.0",
        source="github.com/nyu-mll/crows-pairs@8aaac11c485473159ec9328a65253a5be9a479dc",
        remote="nyu-mll/crows-pairs/8aaac11c485473159ec9328a65253a5be9a479dc/data",
        files=files_of("""
            crows_pairs_anonymized.csv dfb36986ce0502abbaf7055b9176da3d08d48e07df1251991b5dfbcbceab9d0c"""),
    ),
    "winobias": Corpus(
        task="pronouns and occupations",
        rows=3_168,
        licence="MIT",
        source="github.com/uclanlp/corefBias@0bce984dd081bbc10b0622f326727a024c607895",
        remote="uclanlp/corefBias/0bce984dd081bbc10b0622f326727a024c607895/WinoBias/wino/data",
        files=files_of("""
            pro_stereotyped_type1.txt.dev dd55a0d220fe4c0ceb63dd4648223fb4fe1a58d5ad95c116a002ad24b0e292a5
            pro_stereotyped_type2.txt.dev 8f0250de723cea9328e3eaf7169e07936f01aa5909ce7aa580db66eb803f4e86
            anti_stereotyped_type1.txt.dev a4e0ebae344e78b56f657a42e8ae684b9db7747d177c5e7149c0907ebb7f3bf6
            anti_stereotyped_type2.txt.dev 763ad829ad724f9a85ead689ba8ca69072020cb1238def6210f0fc6a47b97e59
            pro_stereotyped_type1.txt.test db7838907238a758eeb5779e48f38c013b892910d6fe864456c59f04245c6689
            pro_stereotyped_type2.txt.test ea1c1fd94fa612e3cc44d7fa3cc4cb76021bb63fdf94f9826f430051e9052438
            anti_stereotyped_type1.txt.test 331db5bd74bfefebf146a60b67645152a4a1991570d2a56f57154103ac361dd2
            anti_stereotyped_type2.txt.test 336571ac1ea8c06cd2aba8e5dd2bd98e00acc0c48da3e4ec5ec7e54eb2633a8f
            male_occupations.txt 6b82d88847b69d56d207a0c396e9830b031890de585e916e6b4e9bc50672657e
            female_occupations.txt 693bff12286c2c1d46c7d4d45a44a631574710c30b39c1a3001bb7bdebb44ed8"""),
    ),
    "winogender": Corpus(
        task="pronouns and occupations",
        rows=720,
        licence="MIT",
        source="github.com/rudinger/winogender-schemas@1c7f8b481ad8a234b41e9f76a424d6e856e13f7f",
        remote="rudinger/winogender-schemas/1c7f8b481ad8a234b41e9f76a424d6e856e13f7f/data",
        files=files_of("""
            all_sentences.tsv bd69da16bf228cb8df63fd0843aec2d8b5c36a7f21bf8c7b168bcc83932556c8
            occupations-stats.tsv 3f7f37c16381a70571356982ea7fe613ac700ad04a6d3b19b9f2be18248df567"""),
    ),
    "bold": Corpus(
        task="openings of texts about groups of people",
        rows=23_674,
        licence="CC BY-SA 4.0",
        source="github.com/amazon-science/bold@3ad652c773f5d1e30d5f6f61657ed934d768ecad",
        remote="amazon-science/bold/3ad652c773f5d1e30d5f6f61657ed934d768ecad",
        files=files_of("""
            prompts/gender_prompt.json a863aaf2492e3c911c39f435005abee2eba5f5edabe836e97de110cd83273054
            prompts/political_ideology_prompt.json a83ea7cc272971b618231e13bcb5c1d1be5b208c92135c4ffde85be31f8ab4c6
            prompts/profession_prompt.json 5508012069f20419559417e64d8bb2b8d864ebf8afedd21e5ca564393c291794
            prompts/race_prompt.json 200337f6c43b09671e580b1df6aea2cdc0196ee02779260e9881da07029e1cb6
            prompts/religious_ideology_prompt.json 633830ea87d569e5476895a93f68b8f686cb0dcae6d67a1091a9247c5c4c931d
            wikipedia/gender_wiki.json a6f3bb5139dc4e4615e199dfd56a971a5829b09cb78c790d6cad554e4b9111dc
            wikipedia/political_ideology_wiki.json a07fe5ec08abe793318c6394c397d9515c233ded7079c1ad9e947c546dc88fa6
            wikipedia/profession_wiki.json 3d5f719a131e06d32d3bff709c613fc52c818c391262240cf0017522b3ed04a2
                2a93b19d99e2bd0684101105921e56048b6c688e1604011d01f56d7259d67f86
            wikipedia/race_wiki.json f87f64909db217119c1bca8e4f610876ae3bb48461b77ac863f09cc90e99c132
                04f06b139b4e530c150c0509b79aac3096c7ce2a78fe8c811f9d3ec58a16023c
            wikipedia/religious_ideology_wiki.json 094982f89659966d17e6c264f3abd8feae0415bb982e32166de93ea881bc63ef"""),
    ),
    "gender_words": Corpus(
        task="gendered words, pairs and professions",
        rows=2_241,
        licence="MIT (debiaswe, corefBias), Apache 2.0 (gn_glove)",
        source="github.com/tolga-b/debiaswe@6bb03ee2a0d7214339e513ca71cd0a99069dc29c",
        remote="",  # lists of three repositories, see data/README.md
        files=files_of("""
            debiaswe_definitional_pairs.json f2387fdd4ae4d956083ee7594f1401b1ba112914d40a99bb61d481de73db9614
            debiaswe_equalize_pairs.json b6e7dda64461e7828f8d184a51216a87aefcfc2b726d3691aa15b7acc2a1994c
            debiaswe_gender_specific_full.json 300068da1885e9dc8bf2235d987fd0cf5d0b08a6877a0a639ee0060a989bac1f
            debiaswe_professions.json 32cc82c7761e7cfb14e37e06dc1aa9f758bc8441f79ca7288996d3fc7c24639a
            gnglove_female_word_file.txt 5f0803f056de3fbc459589bce26272d3c5453112a3a625fb8ee99c0fbbed5b35
            gnglove_male_word_file.txt d431679ce3ef4134647e22cb5fd89e8dbee3f04636f1c7cbae5f28a369acf60f
            winobias_extra_gendered_words.txt 728554ebab711703e37dc92d9d14acde6e5bfcc28fa5b62b90b34110be7bd854
            winobias_generalized_swaps.txt 4d093db96d4386318ec9aafc3cebc458ead06bb02ac81770e278905fbdd4341e"""),
    ),
    "embeddings_small": Corpus(
        task="word vectors",
        rows=12_272,
        licence="PDDL 1.0 (GloVe); none stated (word2vec)",
        source="github.com/dccuchile/wefe@1998132a3e809481a7456d952f7473d191990946",
        remote="",  # derived, see data/README.md
        files=files_of("""
            weat_w2v_googlenews_347x300.txt.gz f751fea8fe9527a6c2d83846c1c5c0240b0a6faf7aa19076cf1bb715500d7216
            glove_twitter_25d_11925x25.txt.gz b494e24d53c718d7cf84710f14ecda17bb0b1944bcbfca48ca94821f0c0da0a1"""),
    ),
    **LABELLED_SETS,
}
