"""How a translation model is told its languages: NLLB-200 by FLORES codes, M2M-100 by `__de__`, MADLAD-400 by `<2de>`."""

from typing import Any

from cards.errors import InputError
from cards.languages import language
from engines.base import Answer, Request


class LanguageMarks:
    """The tokenizer of one translation model, with its family's way to name source and target."""

    def __init__(self, tokenizer: Any, model: str) -> None:
        self.tokenizer, self.model = tokenizer, model
        self.vocabulary = tokenizer.get_vocab()
        families = {"__de__": "m2m100", "deu_Latn": "nllb", "<2de>": "madlad"}
        found = [family for token, family in families.items() if token in self.vocabulary]
        if not found:
            raise InputError(f"{model}: not a translation model that is known here; expected NLLB-200, M2M-100 or MADLAD-400")
        self.family = found[0]

    def token(self, code: str) -> str:
        """The token that names a FLORES language. Raises InputError where the model has none."""
        known = language(code)
        names = [known.code, known.iso639_1, known.iso639_3, known.bcp47]
        form = {"nllb": "{}", "m2m100": "__{}__", "madlad": "<2{}>"}[self.family]
        for name in names:
            if name and form.format(name) in self.vocabulary:
                return form.format(name)
        raise InputError(f"{self.model}: does not know the language '{code}' ({known.name})")

    def encode(self, request: Request) -> list[int]:
        """Token ids of the source sentence with its marks."""
        text = request.messages[0]["content"]
        if self.family == "madlad":
            text = f"{self.token(request.target)} {text}"
        elif self.family == "nllb":
            self.tokenizer.src_lang = self.token(request.source)
        else:
            self.tokenizer.src_lang = self.token(request.source).strip("_")
        ids: list[int] = self.tokenizer(text).input_ids
        return ids

    def prefix(self, request: Request) -> list[int]:
        """Ids with which the target begins."""
        return [] if self.family == "madlad" else [self.vocabulary[self.token(request.target)]]

    def answer(self, tokens: list[int]) -> Answer:
        """The translation in generated ids, which lack the prefix; without an end token it is cut ("length")."""
        ended = self.tokenizer.eos_token_id in tokens
        count = tokens.index(self.tokenizer.eos_token_id) if ended else len(tokens)
        text = self.tokenizer.decode(tokens[:count], skip_special_tokens=True).strip()
        return Answer(text, "stop" if ended else "length", count)
