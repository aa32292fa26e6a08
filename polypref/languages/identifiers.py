"""Language identifiers, asked one question each: how probable is it that a text is in this language, 0 to 1?

An identifier spreads its probability over the languages that it is told to choose among (langdetect: over its own 55). None means that
it does not know the language: it can neither confirm nor deny.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from polypref.errors import InputError
from polypref.languages.codes import LANGUAGES, PAPER_23

SURE = 0.95  # a quick look that gives this much needs no closer one
DIGITS = 6  # lingua adds up in an order of its own each time: later digits differ from run to run
LEAST = 1e-4  # a probability below this is none
QUICK = 60  # characters of a quick look


def probabilities(
    text: str, code: str, identifier: str = "cascade", among: Sequence[str] = PAPER_23
) -> Mapping[str, float] | None:
    """{FLORES code: P(the text is in that language)}, `code` among them; None where the identifier does not know `code`.

    `identifier`: `lingua` (n-gram models of 1 to 5 letters), `langdetect` (seeded), `cascade` (lingua's trigrams on pieces of a text,
    on all of it, then all of its models, until one is sure), or `glotlid:PATH`, a fastText model with labels like
    `__label__deu_Latn`: a file, or ORG/NAME of the Hub (`glotlid:cis-lmu/glotlid`).
    """
    match identifier.partition(":"):
        case "cascade" | "lingua", "", "" if LANGUAGES[code].lingua is None:
            return None
        case "cascade", "", "":
            looks = (_quick(piece, code, frozenset(among)) for piece in (_shortened(text), text))
            sure = next((look for look in looks if look >= SURE), None)
            return _lingua(text, code, frozenset(among)) if sure is None else {code: sure}
        case "lingua", "", "":
            return _lingua(text, code, frozenset(among))
        case "langdetect", "", "":
            return _langdetect(text, code)
        case "glotlid", ":", model if model:
            return _glotlid(text, code, model)
    raise InputError(
        f"unknown identifier {identifier!r}; expected cascade, lingua, langdetect or glotlid:MODEL"
    )


def _shortened(text: str) -> str:
    """Three pieces of a text that is longer than a quick look."""
    if len(text) <= QUICK:
        return text
    piece = QUICK // 3
    middle = (len(text) - piece) // 2
    return f"{text[:piece]} {text[middle : middle + piece]} {text[-piece:]}"


def _quick(text: str, code: str, among: frozenset[str]) -> float:
    detector, names = _lingua_detector(code, among, True)
    return float(round(detector.compute_language_confidence(text, names[code]), DIGITS))


def _lingua(text: str, code: str, among: frozenset[str]) -> Mapping[str, float]:
    detector, names = _lingua_detector(code, among, False)
    codes = {name: known for known, name in names.items()}
    likely = [found for found in detector.compute_language_confidence_values(text) if found.value > LEAST]
    return {code: 0.0} | {codes[found.language]: round(found.value, DIGITS) for found in likely}


@cache
def _lingua_detector(code: str, among: frozenset[str], quick: bool) -> tuple[Any, dict[str, Any]]:
    """A detector of the languages of this one's script, or of all where it is alone in that; and lingua's names for them."""
    from lingua import Language, LanguageDetectorBuilder

    known = {
        other: getattr(Language, name)
        for other in sorted(among | {code})
        if (name := LANGUAGES[other].lingua)
    }
    alike = {
        other: name for other, name in known.items() if LANGUAGES[other].script == LANGUAGES[code].script
    }
    names = alike if len(alike) > 1 else known
    builder = LanguageDetectorBuilder.from_languages(*names.values())
    return (builder.with_low_accuracy_mode() if quick else builder).build(), names


def _langdetect(text: str, code: str) -> Mapping[str, float] | None:
    """langdetect's probabilities, of which it tells only those above 0.1; the same every time."""
    if LANGUAGES[code].langdetect is None:
        return None
    import langdetect

    langdetect.DetectorFactory.seed = 0
    try:
        found = {guess.lang: float(guess.prob) for guess in langdetect.detect_langs(text)}
    except langdetect.LangDetectException:  # no letters
        found = {}
    named = {known.code: found[known.langdetect] for known in LANGUAGES.values() if known.langdetect in found}
    return {code: 0.0} | named


def _glotlid(text: str, code: str, model: str) -> Mapping[str, float] | None:
    network, labels = _fasttext(model)
    if code not in labels:
        return None
    found, values = network.predict(" ".join(text.split()), k=-1)
    known = {
        label.removeprefix("__label__"): min(1.0, float(value))
        for label, value in zip(found, values, strict=True)
    }
    return {code: 0.0} | known


@cache
def _fasttext(model: str) -> tuple[Any, frozenset[str]]:
    try:
        import fasttext
    except ImportError:
        raise InputError(
            "identifier glotlid: fastText is not installed; pip install polypref[glotlid]"
        ) from None
    path = Path(model)
    if not path.is_file():
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError

        try:
            path = Path(hf_hub_download(model, "model.bin"))
        except (HfHubHTTPError, HFValidationError, OSError) as error:
            raise InputError(
                f"{model}: no such file, and not to be had from the Hub: {' '.join(str(error).split())[:200]}"
            ) from None
    network = fasttext.load_model(str(path))
    return network, frozenset(label.removeprefix("__label__") for label in network.get_labels())
