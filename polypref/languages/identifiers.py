"""Language identifiers: the probability (0 to 1) that a text is in a given language.

An identifier spreads its probability over the languages it is told to choose among (langdetect: over its own
55). None means that it does not know the language, and can neither confirm nor deny it.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from polypref.errors import InputError, Unavailable
from polypref.languages.codes import LANGUAGES, PAPER_23

# Both are for speed. At 0.8, or at 30 characters, the hardest wrong claim on lingua's test data is accepted
# in 4.3% or 4.4% instead of 3.6%.
SURE = 0.95  # P of the wanted language at which a quick look needs no closer one
QUICK = 60  # characters of the first look at a text
DIGITS = 6  # lingua sums in a different order each time, so later digits differ between runs
LEAST = 1e-4  # a smaller probability is left out


def probabilities(
    text: str, code: str, identifier: str = "cascade", among: Sequence[str] = PAPER_23
) -> Mapping[str, float] | None:
    """Return {FLORES code: P(text is in that language)}, `code` included; None if that is not known.

    `identifier` is one of

    - `lingua`: models of n-grams of 1 to 5 letters;
    - `langdetect`: seeded;
    - `cascade`: lingua's trigrams on 60 characters of the text, then on all of it, then `lingua`, until one
      is sure;
    - `glotlid:MODEL`: a fastText model whose labels look like `__label__deu_Latn`, from a file or from the
      Hub (`glotlid:cis-lmu/glotlid`).

    Raises InputError for another identifier, and for a model that cannot be read.
    """
    match identifier.partition(":"):
        case "cascade", "", "":
            return _cascade(text, code, frozenset(among))
        case "lingua", "", "":
            return _lingua(text, code, frozenset(among))
        case "langdetect", "", "":
            return _langdetect(text, code)
        case "glotlid", ":", model if model:
            return _glotlid(text, code, model)
    raise InputError(
        f"unknown identifier {identifier!r}; expected cascade, lingua, langdetect or glotlid:MODEL"
    )


def _cascade(text: str, code: str, among: frozenset[str]) -> Mapping[str, float] | None:
    if LANGUAGES[code].lingua is None:
        return None
    detector, members = _detector(code, among, quick=True)
    looks = [text] if len(text) <= QUICK else [_shortened(text), text]
    for look in looks:
        confidence = round(float(detector.compute_language_confidence(look, members[code])), DIGITS)
        if confidence >= SURE:
            return {code: confidence}
    return _lingua(text, code, among)


def _shortened(text: str) -> str:
    """Return the beginning, middle and end of a text."""
    piece = QUICK // 3
    middle = (len(text) - piece) // 2
    return f"{text[:piece]} {text[middle : middle + piece]} {text[-piece:]}"


def _lingua(text: str, code: str, among: frozenset[str]) -> Mapping[str, float] | None:
    if LANGUAGES[code].lingua is None:
        return None
    detector, members = _detector(code, among, quick=False)
    codes = {member: known for known, member in members.items()}
    likely = {code: 0.0}
    for confidence in detector.compute_language_confidence_values(text):
        if confidence.value > LEAST:
            likely[codes[confidence.language]] = round(confidence.value, DIGITS)
    return likely


@cache
def _detector(code: str, among: frozenset[str], quick: bool) -> tuple[Any, dict[str, Any]]:
    """Return lingua's detector and {FLORES code: member of lingua.Language} of the languages to choose among.

    These are the languages of `among` in the script of `code`; all of them where it is alone in its script.
    A quick detector looks at trigrams alone: several times faster, and less exact on short texts.
    """
    from lingua import Language, LanguageDetectorBuilder

    members = {}
    for candidate in sorted(among | {code}):
        name = LANGUAGES[candidate].lingua
        if name is not None:
            members[candidate] = getattr(Language, name)
    script = LANGUAGES[code].script
    alike = {
        candidate: member for candidate, member in members.items() if LANGUAGES[candidate].script == script
    }
    if len(alike) > 1:
        members = alike
    builder = LanguageDetectorBuilder.from_languages(*members.values())
    if quick:
        builder = builder.with_low_accuracy_mode()
    return builder.build(), members


def _langdetect(text: str, code: str) -> Mapping[str, float] | None:
    """Return langdetect's probabilities, of which it gives only those above 0.1."""
    if LANGUAGES[code].langdetect is None:
        return None
    import langdetect

    langdetect.DetectorFactory.seed = 0  # set each time: other code in the process may change it
    try:
        guesses = {guess.lang: float(guess.prob) for guess in langdetect.detect_langs(text)}
    except langdetect.LangDetectException:  # no letters
        guesses = {}
    likely = {code: 0.0}
    for row in LANGUAGES.values():
        if row.langdetect in guesses:
            likely[row.code] = guesses[row.langdetect]
    return likely


def _glotlid(text: str, code: str, model: str) -> Mapping[str, float] | None:
    network, codes = _fasttext(model)
    if code not in codes:
        return None
    labels, values = network.predict(" ".join(text.split()), k=-1)  # -1: all labels; a line break is an error
    likely = {code: 0.0}
    for label, value in zip(labels, values, strict=True):
        likely[label.removeprefix("__label__")] = min(1.0, float(value))  # fastText exceeds 1 by rounding
    return likely


@cache
def _fasttext(model: str) -> tuple[Any, frozenset[str]]:
    """Load a fastText model, from a file or the Hub; return it and the codes of its labels."""
    try:
        import fasttext
    except ImportError:
        raise InputError(
            "identifier glotlid: fastText is not installed; pip install polypref[glotlid]"
        ) from None
    path = Path(model)
    if not path.is_file():
        path = _download(model)
    try:
        network = fasttext.load_model(str(path))
    except ValueError as error:  # "… has wrong file format!"
        raise InputError(f"identifier glotlid: {error}") from None
    return network, frozenset(label.removeprefix("__label__") for label in network.get_labels())


def _download(model: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HFValidationError, RemoteEntryNotFoundError, RepositoryNotFoundError

    if model.count("/") != 1 or model.startswith((".", "/", "~")):
        raise InputError(f"{model}: no such file; expected a fastText model, or ORG/NAME of one on the Hub")
    try:
        return Path(hf_hub_download(model, "model.bin"))
    # Where access is denied the Hub says that the repository does not exist.
    except (HFValidationError, RepositoryNotFoundError, RemoteEntryNotFoundError):
        raise InputError(f"{model}: no such file, and no model.bin on the Hub that you may read") from None
    except OSError as error:  # HTTP errors and an unreachable Hub, too
        reason = " ".join(str(error).split())[:200]
        raise Unavailable(f"{model}: no such file, and it cannot be fetched from the Hub: {reason}") from None
