"""Tokenizers of translation models: how NLLB-200, M2M-100 and MADLAD-400 name source and target languages."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from polypref.engines.base import Answer, Engine, Request, batches_by_length
from polypref.engines.checkpoints import CheckpointEngine, load_tokenizer
from polypref.engines.config import SentenceTranslator
from polypref.errors import InputError
from polypref.languages.codes import language

SLICE = 1000  # sentences that are encoded at once: an encoding is many times as large as its sentence
GROWTH = 8  # tokens that a translation may have more than its source, for the plan of batches
FAMILIES = {"__de__": "m2m100", "deu_Latn": "nllb", "<2de>": "madlad"}  # by their token for German
TOKENS = {"nllb": "{}", "m2m100": "__{}__", "madlad": "<2{}>"}  # of a language, around its code


class TranslationTokenizer:
    """A tokenizer with its family's way to name languages."""

    def __init__(self, tokenizer: Any, model: str) -> None:
        self.tokenizer, self.model = tokenizer, model
        self.vocabulary = tokenizer.get_vocab()
        self._language_tokens: dict[str, str] = {}
        families = [family for token, family in FAMILIES.items() if token in self.vocabulary]
        if not families:
            raise InputError(
                f"{model}: not a known kind of translation model; expected NLLB-200, M2M-100 or MADLAD-400"
            )
        self.family = families[0]

    def language_token(self, code: str) -> str:
        """Return the token that names a FLORES language. Raises InputError if the model has none.

        NLLB is asked for FLORES codes alone: in its vocabulary a bare `ar` may be any piece of a word.
        """
        if code not in self._language_tokens:
            self._language_tokens[code] = self._find_language_token(code)
        return self._language_tokens[code]

    def _find_language_token(self, code: str) -> str:
        names = language(code)
        codes = [names.code] if self.family == "nllb" else [names.iso639_1, names.iso639_3, names.bcp47]
        for name in codes:
            token = TOKENS[self.family].format(name)
            if name and token in self.vocabulary:
                return token
        raise InputError(f"{self.model}: does not know the language '{code}' ({names.name})")

    def encode(self, requests: Sequence[Request]) -> list[list[int]]:
        """Return the token ids of each source sentence, with the tokens that name its languages.

        The sentences of one source language are encoded at once.
        """
        positions_by_source: dict[str, list[int]] = defaultdict(list)
        for position, request in enumerate(requests):
            positions_by_source[request.source].append(position)
        encoded: list[list[int]] = [[] for _ in requests]
        for source, positions in positions_by_source.items():
            if self.family != "madlad":
                self.tokenizer.src_lang = self.language_token(source).strip("_")
            texts = [self._source_text(requests[position]) for position in positions]
            for position, ids in zip(positions, self.tokenizer(texts).input_ids, strict=True):
                encoded[position] = ids
        return encoded

    def _source_text(self, request: Request) -> str:
        text = request.messages[0]["content"]
        return f"{self.language_token(request.target)} {text}" if self.family == "madlad" else text

    def prefix(self, request: Request) -> list[int]:
        """Return the ids with which the target begins."""
        if self.family == "madlad":
            return []
        return [self.vocabulary[self.language_token(request.target)]]

    def decode(self, tokens: list[int]) -> Answer:
        """Return the translation in generated ids, which come without the prefix.

        Without an end token it was cut, and its finish_reason is "length".
        """
        end = self.tokenizer.eos_token_id
        is_whole = end in tokens
        count = tokens.index(end) if is_whole else len(tokens)
        text = self.tokenizer.decode(tokens[:count], skip_special_tokens=True).strip()
        return Answer(text, "stop" if is_whole else "length", count)


class TranslatorEngine(CheckpointEngine):
    """A translation model in this process."""

    config: SentenceTranslator

    @cached_property
    def tokenizer(self) -> TranslationTokenizer:
        return TranslationTokenizer(load_tokenizer(self.resolved), self.resolved.model)

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """Plan batches whose rows times their longest length stay within `tokens_per_batch`.

        This bounds the memory. A length is that of the source and what its translation may grow to,
        `max_tokens` at most.
        """
        lengths = []
        for start in range(0, len(requests), SLICE):
            for ids in self.tokenizer.encode(requests[start : start + SLICE]):
                lengths.append(len(ids) + min(self.config.max_tokens, len(ids) + GROWTH))
        return batches_by_length(requests, lengths, self.config.tokens_per_batch)


def check_languages(translator: Engine, codes: Iterable[str]) -> None:
    """Raises InputError for the first language that a translation model has no token for.

    Engines without a list of languages, such as language models, pass.
    """
    tokenizer = getattr(translator, "tokenizer", None)
    if isinstance(tokenizer, TranslationTokenizer):
        for code in codes:
            tokenizer.language_token(code)
