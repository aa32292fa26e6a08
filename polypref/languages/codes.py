"""Every FLORES-200 language: its codes, names and script, and how to find one by whatever name a person or a dataset gives it.

languages.csv is the data: the 202 codes of the NLLB-200 tokenizer, and the two that only FLORES-200 has (arb_Latn, min_Arab). Santali
keeps NLLB's code `sat_Beng`, though its text is in Ol Chiki: so `script` says Olck. `iso639_1` and `bcp47` are the macrolanguage's where
FLORES has its usual member (arb_Arab: ar). `langdetect` and `lingua` name what those detectors were trained on, not what they answer for a
close relative (no dialect of Arabic has one).

Not known here: regional varieties, the languages that FLORES+ added, which model knows a language.
"""

import csv
import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from polypref.errors import InputError


@dataclass(frozen=True, slots=True)
class Language:
    """One row of languages.csv; what a language does not have is None."""

    code: str  # FLORES-200: deu_Latn
    iso639_1: str | None
    iso639_3: str
    bcp47: str  # with a script only where FLORES has the language in two: ace-Arab, zh-Hans
    name: str  # in English
    own_name: str  # in the language and script itself, NFC
    script: str  # ISO 15924
    rtl: bool  # written from right to left
    spaced: bool  # spaces stand between words (Vietnamese: between syllables)
    langdetect: str | None  # label in langdetect 1.0.9
    lingua: str | None  # member of lingua.Language
    xlsum: str | None  # config of csebuetnlp/xlsum


def _read(path: Path) -> Mapping[str, Language]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return MappingProxyType(
        {
            row["code"]: Language(
                code=row["code"],
                iso639_1=row["iso639_1"] or None,
                iso639_3=row["iso639_3"],
                bcp47=row["bcp47"],
                name=row["name"],
                own_name=row["own_name"],
                script=row["script"],
                rtl=row["rtl"] == "true",
                spaced=row["spaced"] == "true",
                langdetect=row["langdetect"] or None,
                lingua=row["lingua"] or None,
                xlsum=row["xlsum"] or None,
            )
            for row in rows
        }
    )


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

# A name that rows share, be it `zh`, `min`, `Kashmiri` or lingua's CHINESE, means the row here: the script in which most of its text is
# written today.
USUAL = ("ace_Latn", "arb_Arab", "bjn_Latn", "kas_Arab", "knc_Latn", "min_Latn", "taq_Latn", "zho_Hans")

# Names that are in no column, in words held together by underscores. First what FLORES+ renamed (its CHANGELOG, 2.0-rc.1 and rc.2) and
# codes with a region that means another row; then macrolanguages (to the member that has most text), retired codes, the names that
# FLORES-200 gives, and others in common use.
ALIASES: Mapping[str, str] = {
    "apc_Arab": "apc_Arab_nort3139",
    "ajp_Arab": "apc_Arab_sout3123",
    "est_Latn": "ekk ekk_Latn",
    "grn_Latn": "gug gug_Latn",
    "kon_Latn": "ktu ktu_Latn Kituba Kongo",
    "tgl_Latn": "fil fil_Latn Filipino",
    "aka_Latn": "twi_Latn_asan1239 Asante_Twi",
    "twi_Latn": "twi_Latn_akua1239 Akuapem_Twi",
    "tzm_Tfng": "zgh zgh_Tfng Standard_Moroccan_Tamazight",
    "zho_Hans": "cmn cmn_Hans zho_simpl Simplified_Chinese Mandarin Mandarin_Chinese 中文 汉语",
    "zho_Hant": "cmn_Hant zh_HK zh_MO zho_trad Traditional_Chinese",
    "prs_Arab": "fa_AF",
    "als_Latn": "sqi Tosk_Albanian",
    "arb_Arab": "ara Modern_Standard_Arabic Standard_Arabic",
    "arb_Latn": "Modern_Standard_Arabic_(Romanized)",
    "ayr_Latn": "aym Aymara",
    "azj_Latn": "aze North_Azerbaijani",
    "bod_Tibt": "Standard_Tibetan",
    "ckb_Arab": "Sorani",
    "dik_Latn": "din Dinka",
    "fuv_Latn": "ful Fulfulde Fulah",
    "gaz_Latn": "orm West_Central_Oromo",
    "heb_Hebr": "iw",
    "khk_Cyrl": "mon Halh_Mongolian",
    "kmr_Latn": "kur Kurdish Kurmanji",
    "knc_Latn": "kau Kanuri",
    "kor_Hang": "ko_Kore kor_Kore",
    "lvs_Latn": "lav Standard_Latvian",
    "mni_Beng": "Manipuri Meitei_(Bengali_script)",
    "mya_Mymr": "Myanmar",
    "nob_Latn": "no nor Norwegian norsk Bokmål",
    "nno_Latn": "Nynorsk",
    "npi_Deva": "nep",
    "nso_Latn": "Sepedi Pedi",
    "nya_Latn": "Chichewa",
    "ory_Orya": "ori Oriya",
    "pan_Guru": "Eastern_Panjabi Panjabi",
    "pbt_Arab": "pus Southern_Pashto",
    "pes_Arab": "fas Western_Persian Iranian_Persian Farsi",
    "plt_Latn": "mlg Plateau_Malagasy",
    "quy_Latn": "que Quechua",
    "ron_Latn": "Moldovan",
    "slv_Latn": "Slovene",
    "swh_Latn": "swa",
    "uzn_Latn": "uzb Northern_Uzbek",
    "ydd_Hebr": "yid Eastern_Yiddish",
    "yue_Hant": "Yue_Chinese",
    "zsm_Latn": "msa Standard_Malay",
}

# A BCP-47 tag with a region: language, perhaps a script, and two letters or three digits (pt-BR, es-419, zh-Hant-HK).
_REGION = re.compile(r"([a-z]{2,3})(-[a-z]{4})?-([a-z]{2}|[0-9]{3})")


def _key(name: str) -> str:
    """The form in which names are compared: NFC, one case, one kind of apostrophe, a hyphen for spaces, underscores and hyphens."""
    name = re.sub("[\u2018\u2019\u02bb\u02bc]", "'", unicodedata.normalize("NFC", name).strip().casefold())
    return re.sub(r"[\s_-]+", "-", name)


def _index() -> dict[str, Language]:
    """Every known name's key and its language. The first to claim a name keeps it: codes before names, the usual row before the others."""
    rows = sorted(LANGUAGES.values(), key=lambda row: (row.code not in USUAL, row.code))
    index: dict[str, Language] = {}

    def add(row: Language, *names: str | None) -> None:
        for name in names:
            if name:
                index.setdefault(_key(name), row)

    for row in rows:
        add(row, row.code)
    for row in rows:
        scripted = [f"{code}-{row.script}" for code in (row.iso639_1, row.iso639_3) if code]
        add(row, row.bcp47, row.iso639_1, row.iso639_3, row.langdetect, *scripted)
    for code, names in ALIASES.items():
        add(LANGUAGES[code], *names.split())
    for row in rows:
        add(row, row.name, row.name.split(" (")[0], row.own_name, row.xlsum, row.lingua)
    return index


_INDEX = _index()


def _find(name: str) -> Language | None:
    key = _key(name)
    found = _INDEX.get(key)
    if found is None and (tag := _REGION.fullmatch(key)):
        code, script, region = tag.groups()
        found = _INDEX.get(code + (script or ""))
        if found is not None and script is None:  # cmn-TW is zh-TW
            found = _INDEX.get(f"{found.iso639_1 or code}-{region}", found)
    return found


def _unknown(name: str, sets: Iterable[str] = ()) -> InputError:
    """The error for a name that nothing has, with at most three known ones that are spelled almost like it."""
    known = {key: f"{row.code!r} ({row.name})" for key, row in _INDEX.items()}
    known |= {key: f"{key!r} ({len(NAMED_SETS[key])} languages)" for key in sets}
    near = difflib.get_close_matches(
        _key(name), known, n=12, cutoff=0.75
    )  # 0.75: 'frr' is near 'fr', not near every 'f?r'
    shown = list(dict.fromkeys(known[key] for key in near))[:3]
    if not shown:
        expected = "expected a FLORES-200 code, an ISO 639 code or a name, as 'deu_Latn', 'de' or 'German'"
        return InputError(f"unknown language {name!r}; {expected}")
    *others, last = shown
    return InputError(
        f"unknown language {name!r}; did you mean {', '.join(others)}{' or ' if others else ''}{last}?"
    )


def language(name: str) -> Language:
    """The language that `name` means.

    A name is a FLORES-200 or FLORES+ code, ISO 639-1 or 639-3 (also with a script: `zh-Hant`), BCP-47, English or own name, or the label
    in langdetect, lingua or xlsum. Case does not matter, nor whether words are held together by spaces, hyphens or underscores. A region
    is dropped unchecked (`pt-BR`), save where it means another script or language (`zh-TW`, `fa-AF`).

    Raises InputError, in one line and with suggestions, for a name that no language has.
    """
    if (found := _find(name)) is None:
        raise _unknown(name)
    return found


def languages(names: Iterable[str]) -> tuple[str, ...]:
    """The FLORES codes of names and of named sets (`paper-23`), in the given order, each once. Raises InputError as `language` does."""
    codes: dict[str, None] = {}
    for name in names:
        if (members := NAMED_SETS.get(_key(name))) is None:
            if (found := _find(name)) is None:
                raise _unknown(name, NAMED_SETS)
            members = (found.code,)
        codes.update(dict.fromkeys(members))
    return tuple(codes)


def by_name(codes: Iterable[str]) -> list[str]:
    """Return `codes` in the order of the languages' English names; what is no code (`und`) comes last."""

    def order(code: str) -> tuple[bool, str]:
        return code not in LANGUAGES, LANGUAGES[code].name if code in LANGUAGES else code

    return sorted(set(codes), key=order)
