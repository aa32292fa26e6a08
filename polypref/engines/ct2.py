"""Translators by CTranslate2 in this process: NLLB-200, M2M-100 and MADLAD-400.

At the real sizes of these models it is several times as fast as transformers.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from polypref.engines.base import Answer, Request
from polypref.engines.checkpoints import choose_device, loading_errors
from polypref.engines.config import Ct2Translator
from polypref.engines.seq2seq import TranslatorEngine
from polypref.files import write_atomically
from polypref.store.revisions import ResolvedModel


class Ct2Engine(TranslatorEngine):
    """A checkpoint that is converted once, into `cache`."""

    config: Ct2Translator

    def __init__(self, config: Ct2Translator, name: str, model: ResolvedModel, cache: Path) -> None:
        super().__init__(config, name, model)
        self.cache = cache

    @cached_property
    def model(self) -> Any:
        import ctranslate2

        device = "cuda" if choose_device(self.config.device) == "cuda" else "cpu"
        weights = choose_weights(device, self.config.quantization)
        folder = convert_model(self.resolved, weights, self.cache)
        return ctranslate2.Translator(str(folder), device=device, intra_threads=self.config.threads)

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        tokenizer = self.tokenizer.tokenizer
        sources = [tokenizer.convert_ids_to_tokens(ids) for ids in self.tokenizer.encode(batch)]
        prefixes = [tokenizer.convert_ids_to_tokens(self.tokenizer.prefix(request)) for request in batch]
        results = self.model.translate_batch(
            sources,
            target_prefix=prefixes,
            beam_size=self.config.beams,
            max_decoding_length=self.config.max_tokens + max(map(len, prefixes)),
            max_input_length=0,  # no limit
            return_end_token=True,
        )
        answers = []
        for result, prefix in zip(results, prefixes, strict=True):
            tokens = result.hypotheses[0][len(prefix) :]
            answers.append(self.tokenizer.decode(tokenizer.convert_tokens_to_ids(tokens)))
        return answers


def choose_weights(device: str, quantization: str) -> str:
    """Return the type of weights that is fastest for "auto": bytes on a CPU, halves on an accelerator."""
    if quantization != "auto":
        return quantization
    return "float16" if device == "cuda" else "int8"


def convert_model(model: ResolvedModel, quantization: str, cache: Path) -> Path:
    """Return the folder of the converted model; convert it if it does not exist."""
    from ctranslate2.converters import TransformersConverter
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = cache / "ct2" / f"{model.revision.removeprefix('sha256:')[:16]}-{quantization}"
    if not folder.is_dir():
        with write_atomically(folder) as temporary, loading_errors(model):
            converter = TransformersConverter(model.location, revision=model.hub_revision)
            converter.convert(str(temporary), quantization=quantization)
    return folder
