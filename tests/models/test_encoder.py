import pytest

import trustlab.models.encoder as encoder


def test_the_offline_encoder_is_the_published_one():
    encoder.offline_encoder.cache_clear()
    assert (encoder.offline_encoder() / "model.safetensors").is_file()


def test_another_copy_is_refused(monkeypatch):
    encoder.offline_encoder.cache_clear()
    monkeypatch.setattr(encoder, "MINILM_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="Expected the encoder's weights to have sha256 0000"):
        encoder.offline_encoder()


def test_a_missing_package_is_said_to_be_missing(monkeypatch):
    encoder.offline_encoder.cache_clear()
    monkeypatch.setattr(encoder, "OFFLINE_PACKAGE", "no_such_package")
    with pytest.raises(FileNotFoundError, match=r"install trustlab\[offline\]"):
        encoder.offline_encoder()
