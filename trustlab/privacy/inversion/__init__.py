"""Canary extraction by model inversion: what a tagger's weights reveal about a sentence that it was trained on."""

from trustlab.privacy.inversion.code_metrics import chance, exposure, found, rank_of, sampled_exposure
from trustlab.privacy.inversion.modiva import Extraction, InversionOptions, extract, invert
from trustlab.privacy.inversion.planted_codes import (
    Canary,
    canaries_of,
    canary_and_decoys,
    deduplicated,
    group_privacy,
    plant,
)
from trustlab.privacy.inversion.ranking import all_codes, beam, place_of, rank_all
from trustlab.privacy.inversion.target import Target, target_of
from trustlab.privacy.inversion.text_completion import Completion, completion_losses, completion_of

__all__ = [
    "Canary",
    "Completion",
    "Extraction",
    "InversionOptions",
    "Target",
    "all_codes",
    "beam",
    "canaries_of",
    "canary_and_decoys",
    "chance",
    "completion_losses",
    "completion_of",
    "deduplicated",
    "exposure",
    "extract",
    "found",
    "group_privacy",
    "invert",
    "place_of",
    "plant",
    "rank_all",
    "rank_of",
    "sampled_exposure",
    "target_of",
]
