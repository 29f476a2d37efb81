"""Private text: words and whole texts that are changed before they are released.

``word_table`` holds the public words and their vectors; ``word_noise``, ``word_choice`` and ``truncated_gumbel`` each
replace words; ``rewriting`` applies one to texts. ``word_audit`` compares what they lose with what they promise,
``deniability`` says among how many words a word hides, and ``reconstruction`` guesses it. ``adept`` hides whole texts.
"""

from trustlab.privacy.text.adept import LatentNoise, transformed
from trustlab.privacy.text.deniability import deniability, exact_deniability
from trustlab.privacy.text.nearest_words import nearest
from trustlab.privacy.text.reconstruction import Attacker, Language, recovered
from trustlab.privacy.text.rewriting import rewrite
from trustlab.privacy.text.truncated_gumbel import TruncatedGumbel
from trustlab.privacy.text.word_audit import WordAudit, audit_words
from trustlab.privacy.text.word_choice import TruncatedExponential
from trustlab.privacy.text.word_noise import NoisyVectors
from trustlab.privacy.text.word_table import WordTable

__all__ = [
    "Attacker",
    "Language",
    "LatentNoise",
    "NoisyVectors",
    "TruncatedExponential",
    "TruncatedGumbel",
    "WordAudit",
    "WordTable",
    "audit_words",
    "deniability",
    "exact_deniability",
    "nearest",
    "recovered",
    "rewrite",
    "transformed",
]
