"""Save and load models: a folder holds the weights (safetensors, named by their hash) and ``model.json``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from torch import nn

from trustlab.durable import digest, write_whole
from trustlab.models.building import KINDS, build
from trustlab.models.encoder import SubwordVocabulary
from trustlab.models.vocabulary import Vocabulary
from trustlab.places import expanded, locked


def save(model: nn.Module, vocabulary: Vocabulary | SubwordVocabulary, directory: str | Path) -> Path:
    """Write `model` and `vocabulary` into `directory`, replacing what lay there only once both are whole.

    The weights are written under a name that holds their hash, and ``model.json``, which names that file, is renamed
    into place last: a crash at any moment leaves the old model or the new one. Only the weights of the model that lay
    there are removed; other files of the folder stay.
    """
    from safetensors.torch import save as to_bytes

    folder = expanded(directory)
    # Copies: safetensors refuses two names for one tensor, which is what tied weights are.
    content = to_bytes({name: value.detach().clone().contiguous() for name, value in model.state_dict().items()})
    sha256 = digest(content)
    kind = next((name for name, cls in KINDS.items() if type(model) is cls), None)
    if kind is None:
        raise ValueError(
            f"Expected a model made by build(), got a {type(model).__name__}. Save others with torch.save."
        )
    description = dict(
        kind=kind,
        settings=model.settings,
        vocabulary=vocabulary.to_dict(),
        weights=f"{sha256[:16]}.safetensors",
        sha256=sha256,
    )
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):  # another process that saves here could remove the weights that are not yet described
        before = _described_weights(folder)
        write_whole(folder / description["weights"], content)
        write_whole(folder / "model.json", json.dumps(description, indent=1))
        if before is not None and before.name != description["weights"]:
            before.unlink(missing_ok=True)
    return folder


def _described_weights(folder: Path) -> Path | None:
    """Return the weights that the folder's ``model.json`` names, None where there is none that :func:`save` wrote."""
    try:
        name = json.loads((folder / "model.json").read_text(encoding="utf-8"))["weights"]
        ours = re.fullmatch(r"[0-9a-f]{16}\.safetensors", name)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return folder / name if ours else None


def load(directory: str | Path) -> tuple[nn.Module, Vocabulary | SubwordVocabulary]:
    """Read what :func:`save` wrote.

    Raises
    ------
    FileNotFoundError
        When no model lies in `directory`.
    ValueError
        When the weights are not the ones that were saved with the description, or do not fit it.
    """
    from safetensors.torch import load as from_bytes

    folder = expanded(directory)
    try:
        description, content = _read(folder)
        kind, settings, sha256 = (description[name] for name in ("kind", "settings", "sha256"))
        words = SubwordVocabulary if kind == "encoder" else Vocabulary
        vocabulary = words.from_dict(description["vocabulary"])
    except FileNotFoundError as error:
        if error.filename is None:
            raise  # it is the encoder that is missing, and the error says so
        raise FileNotFoundError(
            f"Expected a saved model in {folder}, got no {Path(error.filename).name}. Save one there first."
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"Expected {folder / 'model.json'} to describe a model, got {error!r}. Save it again."
        ) from None
    if digest(content) != sha256:
        raise ValueError(
            f"Expected {description['weights']} to have sha256 {sha256}, got {digest(content)}. "
            "The weights were damaged or belong to another model: save it again."
        )
    model = build(kind, vocabulary, **_own(settings))
    try:
        model.load_state_dict(from_bytes(content))
    except RuntimeError as error:
        raise ValueError(
            f"Expected the weights in {folder} to fit its model.json, got: {error}. "
            "The description was changed after saving, or another version of trustlab wrote it."
        ) from None
    return model, vocabulary


def _read(folder: Path) -> tuple[dict[str, Any], bytes]:
    """Return the description and the weights that it names."""

    def read() -> tuple[dict[str, Any], bytes]:
        description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        return description, (folder / description["weights"]).read_bytes()

    try:
        return read()
    except FileNotFoundError as missing:
        if not (folder / "model.json").is_file():
            raise
        try:
            with locked(folder):  # another process saved a model between the two
                return read()
        except PermissionError:
            raise missing from None


def _own(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that :func:`build` does not take from the vocabulary."""
    return {k: v for k, v in settings.items() if k not in ("words", "intents", "slots")}
