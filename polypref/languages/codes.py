"""The 204 languages of FLORES-200: codes, names, writing, and the lookup of a language by any of its names.

languages.csv is the only source of these facts, one row for each language: the 202 codes of NLLB-200's
tokenizer, and two that only FLORES-200 has (arb_Latn, min_Arab). `Language` describes its columns. Regional
varieties, the languages that FLORES+ added later, and which model knows which language are not in it.
"""

import csv
import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from polypref.errors import InputError


@dataclass(frozen=True, slots=True)
class Language:
    """One row of languages.csv; an empty field is None."""

    code: str  # FLORES-200: deu_Latn
    iso639_1: str | None  # of the macrolanguage where this is its usual member: arb_Arab has ar
    iso639_3: str
    bcp47: str  # with a script only where FLORES-200 has the language in two: ace-Arab, zh-Hans
    name: str  # in English
    own_name: str  # in the language and script itself, NFC
    # Codes that FLORES+ renamed (its CHANGELOG, 2.0-rc.1 and rc.2) and codes whose region means another row
    # (zh-HK); then macrolanguages (at their member with most text), retired codes, FLORES-200's English
    # names, and other common names.
    aliases: tuple[str, ...]
    script: str  # ISO 15924, of the text: Santali keeps NLLB's code sat_Beng, but is in Ol Chiki (Olck)
    rtl: bool  # written from right to left
    word_spaces: bool  # spaces stand between words (Vietnamese: between syllables)
    sentence_spaces: bool  # spaces stand between sentences, as also in Thai, Lao, Khmer, Burmese, Tibetan
    sentence_marks: bool  # a mark ends a sentence; in Thai and Lao only a space does, as after a clause
    # Labels of identifiers (langdetect 1.0.9, lingua.Language), only of languages that they were trained on.
    langdetect: str | None
    lingua: str | None
    xlsum: str | None  # config of csebuetnlp/xlsum

    @property
    def short_code(self) -> str:
        """Return the ISO 639 code of two letters, or else of three: the form in the Hub's metadata."""
        return self.iso639_1 or self.iso639_3


def _read(path: Path) -> Mapping[str, Language]:
    flags = {"true": True, "false": False}
    languages = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            values: dict[str, Any] = {column: flags.get(text, text or None) for column, text in row.items()}
            values["aliases"] = tuple(filter(None, row["aliases"].split("; ")))
            languages[row["code"]] = Language(**values)
    return MappingProxyType(languages)


LANGUAGES: Mapping[str, Language] = _read(Path(__file__).with_name("languages.csv"))

# The languages of arXiv 2407.02552.
# fmt: off
PAPER_23: tuple[str, ...] = (
    "arb_Arab", "ces_Latn", "deu_Latn", "ell_Grek", "eng_Latn", "fra_Latn", "heb_Hebr", "hin_Deva",
    "ind_Latn", "ita_Latn", "jpn_Jpan", "kor_Hang", "nld_Latn", "pes_Arab", "pol_Latn", "por_Latn",
    "ron_Latn", "rus_Cyrl", "spa_Latn", "tur_Latn", "ukr_Cyrl", "vie_Latn", "zho_Hans",
)
# fmt: on
NAMED_SETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"paper-23": PAPER_23, "paper-23+hant": tuple(sorted((*PAPER_23, "zho_Hant")))}
)

# Where several rows share a name, as `zh`, `min`, `Kashmiri` or lingua's CHINESE, it means the row listed
# here: the script in which most of the language's text is written today.
USUAL = ("ace_Latn", "arb_Arab", "bjn_Latn", "kas_Arab", "knc_Latn", "min_Latn", "taq_Latn", "zho_Hans")

# A BCP-47 tag with a region: language, perhaps a script, and two letters or three digits. Examples: pt-BR,
# es-419, zh-Hant-HK.
_REGION = re.compile(r"([a-z]{2,3})(-[a-z]{4})?-([a-z]{2}|[0-9]{3})")

_APOSTROPHES = re.compile("[\u2018\u2019\u02bb\u02bc]")  # typographic marks and modifier letters: oʻzbekcha


def _key(name: str) -> str:
    """Return the form in which names are compared.

    That is NFC and case folded, with one kind of apostrophe and with hyphens for spaces and underscores.
    """
    folded = unicodedata.normalize("NFC", name).strip().casefold()
    return re.sub(r"[\s_-]+", "-", _APOSTROPHES.sub("'", folded))


def _names(row: Language) -> list[str]:
    """Return every name of a language, of every kind."""
    names = [row.code, row.bcp47, row.iso639_3, f"{row.iso639_3}-{row.script}", *row.aliases]
    names += [row.name, row.name.split(" (")[0], row.own_name]
    if row.iso639_1:
        names += [row.iso639_1, f"{row.iso639_1}-{row.script}"]
    return names + [label for label in (row.langdetect, row.lingua, row.xlsum) if label]


def _index() -> dict[str, Language]:
    """Return {key of a name: its language}; a name that rows share belongs to the usual one of them."""
    index: dict[str, Language] = {}
    for row in sorted(LANGUAGES.values(), key=lambda row: (row.code not in USUAL, row.code)):
        for name in _names(row):
            index.setdefault(_key(name), row)
    return index


_INDEX = _index()


def find_language(name: str) -> Language | None:
    """Return the language that `name` means, as for `language`; None if there is no such language."""
    key = _key(str(name))
    if key in _INDEX:
        return _INDEX[key]
    tag = _REGION.fullmatch(key)
    if tag is None:
        return None
    code, script, region = tag.groups()
    row = _INDEX.get(code + (script or ""))
    if row is None or script is not None:
        return row
    # Another code of the language may be known with this region: cmn-TW is zh-TW, which is zho_Hant.
    return _INDEX.get(f"{row.iso639_1 or code}-{region}", row)


def _unknown(name: str, sets: Iterable[str] = ()) -> InputError:
    """Return the error for an unknown name, with up to three known names of similar spelling."""
    descriptions = {key: f"{row.code!r} ({row.name})" for key, row in _INDEX.items()}
    for key in sets:
        descriptions[key] = f"{key!r} ({len(NAMED_SETS[key])} languages)"
    # At a cutoff of 0.75 'frr' is similar to 'fr', but not to every 'f?r'. Several keys may mean one
    # language, so 12 of them are enough for three suggestions.
    similar = difflib.get_close_matches(_key(str(name)), descriptions, n=12, cutoff=0.75)
    suggestions = list(dict.fromkeys(descriptions[key] for key in similar))[:3]
    if not suggestions:
        expected = "a FLORES-200 code, an ISO 639 code or a name, such as 'deu_Latn', 'de' or 'German'"
        return InputError(f"unknown language {name!r}; expected {expected}")
    choices = suggestions[-1]
    if len(suggestions) > 1:
        choices = f"{', '.join(suggestions[:-1])} or {choices}"
    return InputError(f"unknown language {name!r}; did you mean {choices}?")


def language(name: str) -> Language:
    """Return the language that `name` means.

    A name is a FLORES-200 or FLORES+ code, ISO 639-1 or 639-3 (also with a script: `zh-Hant`), BCP-47, an
    English or own name, or a label of langdetect, lingua or xlsum. Case does not matter, nor whether spaces,
    hyphens or underscores join the words. A region is dropped unchecked (`pt-BR`), except where it means
    another script or language (`zh-TW`, `fa-AF`).

    Raises InputError, in one line and with suggestions, for a name that no language has.
    """
    row = find_language(name)
    if row is None:
        raise _unknown(name)
    return row


def languages(names: Iterable[str]) -> tuple[str, ...]:
    """Return the FLORES codes of names and named sets (`paper-23`), in the given order, each once.

    Raises InputError as `language` does; its suggestions include the sets.
    """
    codes: dict[str, None] = {}
    for name in names:
        members = NAMED_SETS.get(_key(str(name)))
        if members is None:
            row = find_language(name)
            if row is None:
                raise _unknown(name, NAMED_SETS)
            members = (row.code,)
        codes.update(dict.fromkeys(members))
    return tuple(codes)


def by_name(codes: Iterable[str]) -> list[str]:
    """Return `codes` in the order of the languages' English names; what is no code (`und`) comes last."""

    def order(code: str) -> tuple[bool, str]:
        return code not in LANGUAGES, LANGUAGES[code].name if code in LANGUAGES else code

    return sorted(set(codes), key=order)
