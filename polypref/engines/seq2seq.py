"""How a translation model is told its languages: NLLB-200 by FLORES codes, M2M-100 by `__de__`, MADLAD-400 by `<2de>`."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from polypref.engines.base import Answer, Engine, Request, batches_by_length
from polypref.errors import InputError
from polypref.languages.codes import language

SLICE = 1000  # sentences that are encoded at once: an encoding is many times as large as its sentence


class TranslationTokenizer:
    """The tokenizer of one translation model, with its family's way to name source and target."""

    def __init__(self, tokenizer: Any, model: str) -> None:
        self.tokenizer, self.model = tokenizer, model
        self._tokens: dict[str, str] = {}
        self.vocabulary = tokenizer.get_vocab()
        families = {"__de__": "m2m100", "deu_Latn": "nllb", "<2de>": "madlad"}
        found = [family for token, family in families.items() if token in self.vocabulary]
        if not found:
            raise InputError(
                f"{model}: not a translation model that is known here; expected NLLB-200, M2M-100 or MADLAD-400"
            )
        self.family = found[0]

    def token(self, code: str) -> str:
        """The token that names a FLORES language (NLLB: its code alone; a bare `ar` may be any piece of a word). Raises InputError."""
        if code in self._tokens:
            return self._tokens[code]
        known = language(code)
        names = [known.code] if self.family == "nllb" else [known.iso639_1, known.iso639_3, known.bcp47]
        form = {"nllb": "{}", "m2m100": "__{}__", "madlad": "<2{}>"}[self.family]
        for name in names:
            if name and form.format(name) in self.vocabulary:
                self._tokens[code] = form.format(name)
                return self._tokens[code]
        raise InputError(f"{self.model}: does not know the language '{code}' ({known.name})")

    def encode(self, requests: Sequence[Request]) -> list[list[int]]:
        """Token ids of each source sentence with its marks; those of one language are encoded at once."""
        groups: dict[str, list[int]] = defaultdict(list)
        for position, request in enumerate(requests):
            groups[request.source].append(position)
        encoded: list[list[int]] = [[] for _ in requests]
        for source, positions in groups.items():
            texts = [requests[position].messages[0]["content"] for position in positions]
            if self.family == "madlad":
                texts = [
                    f"{self.token(requests[position].target)} {text}"
                    for position, text in zip(positions, texts, strict=True)
                ]
            else:
                self.tokenizer.src_lang = self.token(source).strip("_")
            for position, ids in zip(positions, self.tokenizer(texts).input_ids, strict=True):
                encoded[position] = ids
        return encoded

    def plan(self, requests: Sequence[Request], budget: int, most: int) -> list[list[int]]:
        """Batches whose rows times the longest source and what it grows to stay within `budget` tokens, with which memory grows."""
        slices = (requests[start : start + SLICE] for start in range(0, len(requests), SLICE))
        lengths = [len(ids) + min(most, len(ids) + 8) for some in slices for ids in self.encode(some)]
        return batches_by_length(requests, lengths, budget)

    def prefix(self, request: Request) -> list[int]:
        """Ids with which the target begins."""
        return [] if self.family == "madlad" else [self.vocabulary[self.token(request.target)]]

    def answer(self, tokens: list[int]) -> Answer:
        """The translation in generated ids, which lack the prefix; without an end token it is cut ("length")."""
        ended = self.tokenizer.eos_token_id in tokens
        count = tokens.index(self.tokenizer.eos_token_id) if ended else len(tokens)
        text = self.tokenizer.decode(tokens[:count], skip_special_tokens=True).strip()
        return Answer(text, "stop" if ended else "length", count)


def check_languages(translator: Engine, codes: Iterable[str]) -> None:
    """Raises InputError for the first language that a translation model has no token for; language models are taken at their word."""
    marks: TranslationTokenizer | None = getattr(translator, "marks", None)
    if marks is not None:
        for code in codes:
            marks.token(code)
