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
from functools import lru_cache
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
    """Return {key of a name: its language}; a name that rows share belongs to the usual one of them.

    A name is also found without its accents (`Norwegian Bokmal`), unless another language has that name.
    """
    index: dict[str, Language] = {}
    rows = sorted(LANGUAGES.values(), key=lambda row: (row.code not in USUAL, row.code))
    for form in (_key, lambda name: _without_accents(_key(name))):
        for row in rows:
            for name in _names(row):
                index.setdefault(form(name), row)
    return index


def _without_accents(key: str) -> str:
    """Return a key in ASCII if only accents stand between it and ASCII."""
    bare = "".join(char for char in unicodedata.normalize("NFD", key) if not unicodedata.combining(char))
    return bare if bare.isascii() else key


_INDEX = _index()


def _read_keys(file: str, value: str) -> dict[str, str]:
    """Return {key: value} of a table whose column `name` has one or several names."""
    values: dict[str, str] = {}
    with Path(__file__).with_name(file).open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            values.update((_key(name), row[value]) for name in row["name"].split("; "))
    return values


# Countries and territories by their usual English names, from the tz database's iso3166.tab.
_TERRITORIES = _read_keys("territories.csv", "code")
# Languages that people name and FLORES-200 lacks, with the nearest ones that it has.
_NEAREST = _read_keys("related.csv", "nearest")
_SCRIPTS = {"latin": "latn", "arabic": "arab", "cyrillic": "cyrl", "devanagari": "deva", "hebrew": "hebr"}


def find_language(name: object) -> Language | None:
    """Return the language that `name` means, as for `language`; None if there is no such language."""
    return _find(str(name))


@lru_cache(maxsize=10_000)  # a table has few names and many rows
def _find(name: str) -> Language | None:
    key = _key(name)
    row = _find_key(key)
    if row is not None:
        return row
    # ISO 639 joins several names of a language, and adds its years and whether it is one or several.
    key = re.sub(r"-?\(([^()]*\d[^()]*|macrolanguage|individual-language)\)", "", key)
    alternatives = re.split("-?[;/]-?", key)
    found = {row.code for row in map(_find_qualified, alternatives) if row}
    return LANGUAGES[found.pop()] if len(found) == 1 else None


def _find_key(key: str) -> Language | None:
    """Return the language with this name, code or tag."""
    row = _INDEX.get(key) or _INDEX.get(_without_accents(key))
    tag = _REGION.fullmatch(key)
    if row is not None or tag is None:
        return row
    code, script, region = tag.groups()
    row = _INDEX.get(code + (script or ""))
    if row is None or script is not None:
        return row
    # Another code of the language may be known with this region: cmn-TW is zh-TW, which is zho_Hant.
    return _INDEX.get(f"{row.iso639_1 or code}-{region}", row)


def _find_qualified(key: str) -> Language | None:
    """Return the language of a name with an addition, as in `Chinese, Simplified` and `Portuguese (Brazil)`.

    The addition is part of the language's name, a script, another of its names, or a territory. With any
    other one, such as `Old`, the name is another language's.
    """
    row = _find_key(key)
    parts = re.fullmatch(r"(.+?)-?[(,]-?(.+?)-?\)?", key)
    splits = [parts.groups()] if parts else []
    if not splits:
        words = key.split("-")
        splits = [("-".join(words[:n]), "-".join(words[n:])) for n in range(1, len(words))]
        splits = [split for split in splits if split[1] in _TERRITORIES]
    for base, addition in splits:
        row = row or _INDEX.get(f"{addition}-{base}") or _find_key(f"{base}-{addition}")
        named = _find_key(base)
        if row is not None or named is None:
            continue
        if addition in _SCRIPTS:
            row = _INDEX.get(f"{named.iso639_3}-{_SCRIPTS[addition]}")
        elif _find_key(addition) is named:
            row = named
        else:
            region = _TERRITORIES.get(addition, addition).lower()
            row = _find_key(f"{named.iso639_1 or named.iso639_3}-{region}")
    return row


def _unknown(name: str, sets: Iterable[str] = ()) -> InputError:
    """Return the error for an unknown name, with up to three languages that may be meant."""
    descriptions = {row.code: f"{row.code!r} ({row.name})" for row in LANGUAGES.values()}
    near = _near(_key(str(name)), sets)
    choices = [descriptions.get(code) or f"{code!r} ({len(NAMED_SETS[code])} languages)" for code in near][:3]
    if not choices:
        expected = "a FLORES-200 code, an ISO 639 code or a name, such as 'deu_Latn', 'de' or 'German'"
        return InputError(f"unknown language {name!r}; expected {expected}")
    *others, last = choices
    listed = f"{', '.join(others)} or {last}" if others else last
    if _key(str(name)) in _NEAREST:
        verb = "are" if others else "is"
        return InputError(f"FLORES-200 does not have the language {name!r}; near it {verb} {listed}")
    return InputError(f"unknown language {name!r}; did you mean {listed}?")


def _near(key: str, sets: Iterable[str]) -> list[str]:
    """Return codes of languages near in meaning, or else of languages and sets with similar letters."""
    if key in _NEAREST:
        return _NEAREST[key].split("; ")
    words = [word for word in re.split("[-(),;/]+", key) if word]
    for word in words if len(words) > 1 else ():
        named = _find_key(word)
        if named:  # `sr-Latn`, `Swiss German`: a language with something that it is not known with
            same = [row.code for row in LANGUAGES.values() if row.iso639_3 == named.iso639_3]
            return sorted(same, key=lambda code: code != named.code)
    # Two codes of three letters are similar by chance; names are not.
    names = [name for name in (*_INDEX, *sets) if len(name) > 3]
    similar = difflib.get_close_matches(key, names, n=12, cutoff=0.75) if len(key) > 3 else []
    return list(dict.fromkeys(_INDEX[name].code if name in _INDEX else name for name in similar))


def language(name: str) -> Language:
    """Return the language that `name` means.

    A name is a FLORES-200 or FLORES+ code, ISO 639-1, 639-2 or 639-3 (also with a script: `zh-Hant`), BCP-47,
    an English or own name, or a label of langdetect, lingua or xlsum. Case and accents do not matter, nor
    whether spaces, hyphens or underscores join the words. Names may be inverted (`Chinese, Simplified`),
    have a territory (`Portuguese (Brazil)`), or be several (`Spanish; Castilian`).

    A region is dropped unchecked (`pt-BR`), except where it means another script or language: `zh-TW`,
    `fa-AF`, and Arabic in countries whose own variety FLORES-200 has (`ar-EG`, `ar-MA`, `ar-TN`, `ar-IQ`,
    `ar-YE`, `ar-SY`, `ar-LB`, `ar-JO`, `ar-PS`). `ar-SA` stays Modern Standard Arabic, which is usually filed
    under it.

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
