"""languages.csv against NLLB's tokenizer, langdetect, lingua, xlsum and Unicode; lookup by any name."""

import re
import unicodedata
from collections import Counter
from pathlib import Path

import langdetect
import lingua
import pytest

from polypref.errors import InputError
from polypref.languages import codes
from polypref.languages.codes import LANGUAGES, NAMED_SETS, PAPER_23, USUAL, language, languages

ROWS = list(LANGUAGES.values())

# The configs of csebuetnlp/xlsum, as its page lists them.
# fmt: off
XLSUM = (
    "amharic", "arabic", "azerbaijani", "bengali", "burmese", "chinese_simplified",
    "chinese_traditional", "english", "french", "gujarati", "hausa", "hindi", "igbo", "indonesian",
    "japanese", "kirundi", "korean", "kyrgyz", "marathi", "nepali", "oromo", "pashto", "persian",
    "pidgin", "portuguese", "punjabi", "russian", "scottish_gaelic", "serbian_cyrillic",
    "serbian_latin", "sinhala", "somali", "spanish", "swahili", "tamil", "telugu", "thai",
    "tigrinya", "turkish", "ukrainian", "urdu", "uzbek", "vietnamese", "welsh", "yoruba",
)
# fmt: on

# In the order of PAPER_23.
# fmt: off
PAPER_ISO639_1 = [
    "ar", "cs", "de", "el", "en", "fr", "he", "hi", "id", "it", "ja", "ko",
    "nl", "fa", "pl", "pt", "ro", "ru", "es", "tr", "uk", "vi", "zh",
]
# fmt: on

# The first word of the Unicode names of a script's letters.
UNICODE_SCRIPT = {
    "Arab": {"ARABIC"},
    "Armn": {"ARMENIAN"},
    "Beng": {"BENGALI"},
    "Cyrl": {"CYRILLIC"},
    "Deva": {"DEVANAGARI"},
    "Ethi": {"ETHIOPIC"},
    "Geor": {"GEORGIAN"},
    "Grek": {"GREEK"},
    "Gujr": {"GUJARATI"},
    "Guru": {"GURMUKHI"},
    "Hang": {"HANGUL"},
    "Hans": {"CJK"},
    "Hant": {"CJK"},
    "Hebr": {"HEBREW"},
    "Jpan": {"CJK", "HIRAGANA", "KATAKANA"},
    "Khmr": {"KHMER"},
    "Knda": {"KANNADA"},
    "Laoo": {"LAO"},
    "Latn": {"LATIN"},
    "Mlym": {"MALAYALAM"},
    "Mymr": {"MYANMAR"},
    "Olck": {"OL"},
    "Orya": {"ORIYA"},
    "Sinh": {"SINHALA"},
    "Taml": {"TAMIL"},
    "Telu": {"TELUGU"},
    "Tfng": {"TIFINAGH"},
    "Thai": {"THAI"},
    "Tibt": {"TIBETAN"},
}


def test_the_204_codes_of_flores_200() -> None:
    text = Path(codes.__file__).with_name("languages.csv").read_text("utf-8")
    first_column = [line.split(",")[0] for line in text.splitlines()[1:]]
    assert len(first_column) == len(set(first_column)) == len(LANGUAGES) == 204
    assert first_column == sorted(first_column) == list(LANGUAGES)
    assert all(row.code == code for code, row in LANGUAGES.items())


def test_nllb_has_all_codes_but_two() -> None:
    nllb = pytest.importorskip("transformers.models.nllb.tokenization_nllb").FAIRSEQ_LANGUAGE_CODES
    assert set(LANGUAGES) - set(nllb) == {"arb_Latn", "min_Arab"}
    assert set(nllb) <= set(LANGUAGES)


def test_codes_are_language_and_script() -> None:
    for row in ROWS:
        # NLLB and FLORES-200 say Beng of Santali; the text is in Ol Chiki, and FLORES+ corrected it.
        assert row.code == f"{row.iso639_3}_{'Beng' if row.code == 'sat_Beng' else row.script}"
    assert LANGUAGES["sat_Beng"].script == "Olck"


def test_bcp47_is_the_shortest_code_with_a_script_where_there_are_two() -> None:
    scripts = Counter(row.iso639_3 for row in ROWS)
    for row in ROWS:
        # ar-Arab is plain ar: the IANA registry suppresses its script.
        scripted = scripts[row.iso639_3] > 1 and row.code != "arb_Arab"
        assert row.bcp47 == (row.iso639_1 or row.iso639_3) + (f"-{row.script}" if scripted else "")
    codes = ("deu_Latn", "zho_Hans", "por_Latn", "ace_Arab", "pes_Arab", "arb_Arab")
    assert [LANGUAGES[code].bcp47 for code in codes] == ["de", "zh-Hans", "pt", "ace-Arab", "fa", "ar"]
    assert len({row.bcp47 for row in ROWS}) == 204


def test_two_letters_mean_one_language() -> None:
    by_letters: dict[str, set[str]] = {}
    for row in ROWS:
        if row.iso639_1:
            assert len(row.iso639_1) == 2
            by_letters.setdefault(row.iso639_1, set()).add(row.iso639_3)
    assert all(len(members) == 1 for members in by_letters.values())


def test_the_papers_languages() -> None:
    assert [LANGUAGES[code].iso639_1 for code in PAPER_23] == PAPER_ISO639_1
    assert list(PAPER_23) == sorted(PAPER_23)
    assert NAMED_SETS["paper-23"] == PAPER_23
    assert len(NAMED_SETS["paper-23+hant"]) == 24
    assert NAMED_SETS["paper-23+hant"][-2:] == ("zho_Hans", "zho_Hant")


def test_langdetect_labels_are_its_profiles() -> None:
    profiles = {
        path.name
        for path in (Path(langdetect.__file__).parent / "profiles").iterdir()
        if not path.name.startswith("_")
    }
    labels = [row.langdetect for row in ROWS if row.langdetect]
    assert len(profiles) == 55
    assert sorted(labels) == sorted(profiles)  # each mapped once, none invented


def test_lingua_names_are_its_members() -> None:
    members = {member.name for member in lingua.Language.all()}
    names = Counter(row.lingua for row in ROWS if row.lingua)
    assert len(members) == 75
    assert members - set(names) == {"LATIN"}  # the one that FLORES-200 lacks
    assert set(names) <= members
    assert {name: count for name, count in names.items() if count > 1} == {
        "CHINESE": 2
    }  # it does not tell the scripts apart
    for row in ROWS:
        if row.lingua and row.iso639_1:
            assert lingua.Language.from_str(row.lingua).iso_code_639_1.name.lower() == row.iso639_1


def test_xlsum_configs() -> None:
    configs = [row.xlsum for row in ROWS if row.xlsum]
    assert len(XLSUM) == 45
    assert set(XLSUM) - set(configs) == {
        "pidgin",
        "serbian_latin",
    }  # pcm_Latn and srp_Latn are not in FLORES-200
    assert len(configs) == len(set(configs)) == 43
    overlap = [LANGUAGES[code].xlsum for code in PAPER_23 if LANGUAGES[code].xlsum]
    assert len(overlap) == 15  # paper.md lists them, and the eight without
    without = [LANGUAGES[code].iso639_1 for code in PAPER_23 if not LANGUAGES[code].xlsum]
    assert without == ["cs", "de", "el", "he", "it", "nl", "pl", "ro"]


@pytest.mark.parametrize("code", LANGUAGES)
def test_own_name_is_in_the_script(code: str) -> None:
    row = LANGUAGES[code]
    assert row.own_name == unicodedata.normalize("NFC", row.own_name) == row.own_name.strip()
    letters = [char for char in row.own_name if unicodedata.category(char) in {"Lu", "Ll", "Lo", "Mc"}]
    assert letters
    for char in letters:
        assert unicodedata.name(char).split()[0] in UNICODE_SCRIPT[row.script], (char, unicodedata.name(char))


def test_chinese_own_names_are_in_their_own_characters() -> None:
    simplified, traditional = set("简体"), set("繁體語")
    assert simplified <= set(LANGUAGES["zho_Hans"].own_name)
    assert not traditional & set(LANGUAGES["zho_Hans"].own_name)
    assert set("繁體") <= set(LANGUAGES["zho_Hant"].own_name)
    assert "語" in LANGUAGES["yue_Hant"].own_name


def test_right_to_left_follows_from_the_script() -> None:
    assert {row.script for row in ROWS if row.rtl} == {
        "Arab",
        "Hebr",
    }  # Thaa, Nkoo and Syrc would be, and are not in FLORES-200
    assert not any(row.script in {"Arab", "Hebr"} for row in ROWS if not row.rtl)
    for row in ROWS:
        first = next(char for char in row.own_name if char.isalpha())
        assert (unicodedata.bidirectional(first) in {"R", "AL"}) == row.rtl


def test_languages_written_without_spaces_or_sentence_marks() -> None:
    without_spaces = {"bod_Tibt", "dzo_Tibt", "jpn_Jpan", "khm_Khmr", "lao_Laoo", "mya_Mymr", "shn_Mymr"}
    without_spaces |= {"tha_Thai", "yue_Hant", "zho_Hans", "zho_Hant"}
    assert {row.code for row in ROWS if not row.word_spaces} == without_spaces
    without_spaces_between_sentences = {"jpn_Jpan", "yue_Hant", "zho_Hans", "zho_Hant"}
    assert {row.code for row in ROWS if not row.sentence_spaces} == without_spaces_between_sentences
    assert {row.code for row in ROWS if not row.sentence_marks} == {"lao_Laoo", "tha_Thai"}


def test_facts_about_scripts_stand_here_only() -> None:
    """A second list of scripts elsewhere would drift from this one, as four did."""
    package = Path(codes.__file__).parents[1]
    script = re.compile(r"""["'](Hans|Hant|Jpan|Hang|Thai|Laoo|Khmr|Mymr|Tibt)["']""")
    files = [path for path in package.rglob("*.py") if script.search(path.read_text("utf-8"))]
    assert {path.parent.name for path in files} == {"languages"}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("deu_Latn", "deu_Latn"),  # FLORES-200, in any case and with a hyphen
        ("DEU-latn", "deu_Latn"),
        (" deu_Latn ", "deu_Latn"),
        ("cmn_Hans", "zho_Hans"),  # FLORES+
        ("cmn_Hant", "zho_Hant"),
        ("ekk_Latn", "est_Latn"),
        ("gug_Latn", "grn_Latn"),
        ("ktu_Latn", "kon_Latn"),
        ("fil_Latn", "tgl_Latn"),
        ("zgh_Tfng", "tzm_Tfng"),
        ("sat_Olck", "sat_Beng"),
        ("apc_Arab_sout3123", "ajp_Arab"),
        ("apc_Arab_nort3139", "apc_Arab"),
        ("twi_Latn_asan1239", "aka_Latn"),
        ("de", "deu_Latn"),  # ISO 639-1
        ("DE", "deu_Latn"),
        ("zh", "zho_Hans"),
        ("ar", "arb_Arab"),
        ("fa", "pes_Arab"),
        ("no", "nob_Latn"),
        ("nb", "nob_Latn"),
        ("nn", "nno_Latn"),
        ("ms", "zsm_Latn"),
        ("sw", "swh_Latn"),
        ("ku", "kmr_Latn"),
        ("ps", "pbt_Arab"),
        ("tl", "tgl_Latn"),
        ("deu", "deu_Latn"),  # ISO 639-3, macrolanguages too
        ("zho", "zho_Hans"),
        ("ara", "arb_Arab"),
        ("arb", "arb_Arab"),
        ("fas", "pes_Arab"),
        ("swa", "swh_Latn"),
        ("msa", "zsm_Latn"),
        ("nor", "nob_Latn"),
        ("lav", "lvs_Latn"),
        ("ace", "ace_Latn"),
        ("kas", "kas_Arab"),
        ("prs", "prs_Arab"),
        ("zh-Hans", "zho_Hans"),  # BCP-47
        ("zh_hant", "zho_Hant"),
        ("ace-Arab", "ace_Arab"),
        ("zh-CN", "zho_Hans"),
        ("zh_TW", "zho_Hant"),
        ("zh-HK", "zho_Hant"),
        ("cmn-TW", "zho_Hant"),
        ("zh-Hant-HK", "zho_Hant"),
        ("zh-Hans-TW", "zho_Hans"),
        ("pt-BR", "por_Latn"),
        ("pt_PT", "por_Latn"),
        ("es-419", "spa_Latn"),
        ("ceb-PH", "ceb_Latn"),
        ("fa-IR", "pes_Arab"),
        ("fa-AF", "prs_Arab"),
        ("sr-Cyrl", "srp_Cyrl"),
        ("jpn-Jpan", "jpn_Jpan"),  # ISO 639-3 and a script
        ("ko-Kore", "kor_Hang"),
        ("German", "deu_Latn"),  # English
        ("german", "deu_Latn"),
        ("Chinese", "zho_Hans"),
        ("Traditional Chinese", "zho_Hant"),
        ("Chinese (Traditional)", "zho_Hant"),
        ("Modern Standard Arabic", "arb_Arab"),
        ("Arabic", "arb_Arab"),
        ("Egyptian Arabic", "arz_Arab"),
        ("Farsi", "pes_Arab"),
        ("Western Persian", "pes_Arab"),
        ("Ta’izzi-Adeni Arabic", "acq_Arab"),
        ("Norwegian", "nob_Latn"),
        ("Minangkabau", "min_Latn"),
        ("Deutsch", "deu_Latn"),  # own
        ("ČEŠTINA", "ces_Latn"),
        ("ελληνικά", "ell_Grek"),
        ("中文", "zho_Hans"),
        ("繁體中文", "zho_Hant"),
        ("हिन्दी", "hin_Deva"),
        (unicodedata.normalize("NFD", "Tiếng Việt"), "vie_Latn"),
        ("o'zbekcha", "uzn_Latn"),
        ("zh-cn", "zho_Hans"),  # langdetect
        ("zh-tw", "zho_Hant"),
        ("SLOVENE", "slv_Latn"),  # lingua
        ("chinese_traditional", "zho_Hant"),  # xlsum
        ("scottish_gaelic", "gla_Latn"),
        ("serbian_cyrillic", "srp_Cyrl"),
        ("kirundi", "run_Latn"),
    ],
)
def test_lookup(name: str, code: str) -> None:
    assert language(name) is LANGUAGES[code]


def test_every_column_finds_its_row_or_the_usual_one() -> None:
    for row in ROWS:
        assert language(row.code) is language(row.bcp47) is language(f"{row.iso639_3}-{row.script}") is row
        assert language(row.name) is language(row.own_name) is row
        assert row.langdetect is None or language(row.langdetect) is row
        assert row.xlsum is None or language(row.xlsum) is row
        for shared in (row.iso639_1, row.iso639_3, row.lingua):
            if shared is not None:
                found = language(shared)
                assert found is row or (found.code in USUAL and found.iso639_3 == row.iso639_3), shared


def test_every_alias_finds_its_row() -> None:
    """No alias is also a name of another row, so the order of the index decides only what USUAL says."""
    aliases = [(name, row) for row in ROWS for name in row.aliases]
    assert len(aliases) > 100
    for name, row in aliases:
        assert language(name) is row, name


def test_the_usual_rows_are_those_that_share_a_name() -> None:
    scripts = Counter(row.iso639_3 for row in ROWS)
    assert {LANGUAGES[code].iso639_3 for code in USUAL} == {
        iso for iso, count in scripts.items() if count > 1
    }


EXPECTED = "expected a FLORES-200 code, an ISO 639 code or a name, such as 'deu_Latn', 'de' or 'German'"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "frr",
            "FLORES-200 does not have the language 'frr'; near it are 'nld_Latn' (Dutch) or "
            "'deu_Latn' (German)",
        ),
        ("germn", "unknown language 'germn'; did you mean 'deu_Latn' (German)?"),
        ("deu_Latin", "unknown language 'deu_Latin'; did you mean 'deu_Latn' (German)?"),
        ("qqqq", f"unknown language 'qqqq'; {EXPECTED}"),
        ("", f"unknown language ''; {EXPECTED}"),
        ("\n", f"unknown language '\\n'; {EXPECTED}"),
    ],
)
def test_an_unknown_name_is_one_line(name: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        language(name)
    assert str(caught.value) == message
    with pytest.raises(InputError) as caught:
        languages(["de", name])
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["srp_Latn", "sr-Latn-RS", "pcm", "zz-ZZ", "paper-23", "de-", "x"])
def test_what_flores_200_lacks_is_no_language(name: str) -> None:
    with pytest.raises(InputError):
        language(name)


def test_languages_are_in_order_without_repeats() -> None:
    assert languages(["vi", "de", "deu_Latn", "Vietnamese"]) == ("vie_Latn", "deu_Latn")
    assert languages(["paper-23"]) == languages(["Paper_23", "de"]) == PAPER_23
    assert languages(["zh-TW", "paper-23"]) == ("zho_Hant", *PAPER_23)
    assert languages(["paper-23+hant"]) == NAMED_SETS["paper-23+hant"]
    assert languages([]) == ()


def test_a_misspelt_set_is_suggested() -> None:
    with pytest.raises(
        InputError, match=r"^unknown language 'paper-32'; did you mean 'paper-23' \(23 languages\)\?$"
    ):
        languages(["paper-32"])
