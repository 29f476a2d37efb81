"""Joint intent and slot taggers, a small language model, their vocabularies, and how good they are."""

from trustlab.models.building import build
from trustlab.models.continuation import continuations
from trustlab.models.encoder import EncoderTagger, SubwordVocabulary, offline_encoder
from trustlab.models.evaluation import entities, entity_f1, evaluate, predict
from trustlab.models.hidden_states import state_examples, word_states
from trustlab.models.language import LanguageModel, next_token_loss
from trustlab.models.lora import LoRALinear, add_lora
from trustlab.models.saved_models import load, save
from trustlab.models.smollm2 import load_smollm2
from trustlab.models.state_tagger import StateTagger
from trustlab.models.taggers import BiLSTMTagger, TransformerTagger, tagging_loss
from trustlab.models.text_autoencoder import RepeatOptions, TextAutoencoder, learn_to_repeat
from trustlab.models.vocabulary import Examples, Vocabulary

__all__ = [
    "BiLSTMTagger",
    "EncoderTagger",
    "Examples",
    "LanguageModel",
    "LoRALinear",
    "RepeatOptions",
    "StateTagger",
    "SubwordVocabulary",
    "TextAutoencoder",
    "TransformerTagger",
    "Vocabulary",
    "add_lora",
    "build",
    "continuations",
    "entities",
    "entity_f1",
    "evaluate",
    "learn_to_repeat",
    "load",
    "load_smollm2",
    "next_token_loss",
    "offline_encoder",
    "predict",
    "save",
    "state_examples",
    "tagging_loss",
    "word_states",
]
