"""Joint intent and slot taggers, their vocabularies, and how good they are."""

from trustlab.models.checkpoint import build, load, save
from trustlab.models.encoder import EncoderTagger, SubwordVocabulary, offline_encoder
from trustlab.models.evaluation import entities, entity_f1, evaluate, predict
from trustlab.models.taggers import BiLSTMTagger, TransformerTagger, tagging_loss
from trustlab.models.vocabulary import Examples, Vocabulary

__all__ = [
    "BiLSTMTagger",
    "EncoderTagger",
    "Examples",
    "SubwordVocabulary",
    "TransformerTagger",
    "Vocabulary",
    "build",
    "entities",
    "entity_f1",
    "evaluate",
    "load",
    "offline_encoder",
    "predict",
    "save",
    "tagging_loss",
]
