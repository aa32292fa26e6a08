"""CTranslate2 in this process: NLLB-200, M2M-100 and MADLAD-400, several times faster than transformers at their real sizes."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from polypref.engines.base import Answer, Request
from polypref.engines.config import Ct2Translator
from polypref.engines.hf import device_of, load_tokenizer
from polypref.engines.seq2seq import TranslationTokenizer
from polypref.files import write_atomically
from polypref.store.revisions import ResolvedModel, hub_errors


class Ct2Engine:
    """A checkpoint converted once, into the work dir's cache."""

    def __init__(self, config: Ct2Translator, name: str, model: ResolvedModel, cache: Path) -> None:
        self.name, self.config, self.resolved, self.cache = name, config, model, cache
        self.fingerprint = model.fingerprint(config.identity())

    @cached_property
    def marks(self) -> TranslationTokenizer:
        return TranslationTokenizer(load_tokenizer(self.resolved), self.resolved.model)

    @cached_property
    def model(self) -> Any:
        import ctranslate2

        device = "cuda" if device_of(self.config.device) == "cuda" else "cpu"
        folder = converted(self.resolved, weights_for(device, self.config.quantization), self.cache)
        return ctranslate2.Translator(str(folder), device=device, intra_threads=self.config.threads)

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        return self.marks.plan(requests, self.config.tokens_per_batch, self.config.max_tokens)

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        names = self.marks.tokenizer.convert_ids_to_tokens
        prefixes = [names(self.marks.prefix(request)) for request in batch]
        results = self.model.translate_batch(
            [names(ids) for ids in self.marks.encode(batch)],
            target_prefix=prefixes,
            beam_size=self.config.beams,
            max_decoding_length=self.config.max_tokens + max(map(len, prefixes)),
            max_input_length=0,
            return_end_token=True,
        )
        return [
            self.marks.answer(self.marks.tokenizer.convert_tokens_to_ids(result.hypotheses[0][len(prefix) :]))
            for result, prefix in zip(results, prefixes, strict=True)
        ]


def weights_for(device: str, quantization: str) -> str:
    """What `auto` means on a device: CPUs multiply bytes fastest, accelerators halves."""
    return quantization if quantization != "auto" else "float16" if device == "cuda" else "int8"


def converted(model: ResolvedModel, quantization: str, cache: Path) -> Path:
    """The folder of the converted model, made where it is missing; a kill half-way leaves none."""
    from ctranslate2.converters import TransformersConverter
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = cache / "ct2" / f"{model.revision.removeprefix('sha256:')[:16]}-{quantization}"
    if not folder.is_dir():
        with write_atomically(folder) as temporary, hub_errors(f"{model.model}: cannot be loaded"):
            TransformersConverter(model.location, revision=model.hub_revision).convert(
                str(temporary), quantization=quantization
            )
    return folder
