"""Names of languages as people's datasets, label lists and recipes write them."""

import pytest

from polypref.config import read_config
from polypref.errors import InputError
from polypref.languages.codes import LANGUAGES, find_language, language
from polypref.training.recipe import DpoRecipe

# The English names of ISO 639-2 (loc.gov/standards/iso639-2), where they differ from FLORES-200's.
ISO_639_2 = {
    "Arabic": "arb_Arab",
    "Asturian; Bable; Leonese; Asturleonese": "ast_Latn",
    "Bokmål, Norwegian; Norwegian Bokmål": "nob_Latn",
    "Catalan; Valencian": "cat_Latn",
    "Central Khmer": "khm_Khmr",
    "Chichewa; Chewa; Nyanja": "nya_Latn",
    "Dutch; Flemish": "nld_Latn",
    "Filipino; Pilipino": "tgl_Latn",
    "Gaelic; Scottish Gaelic": "gla_Latn",
    "Greek, Modern (1453-)": "ell_Grek",
    "Haitian; Haitian Creole": "hat_Latn",
    "Iloko": "ilo_Latn",
    "Kikuyu; Gikuyu": "kik_Latn",
    "Kirghiz; Kyrgyz": "kir_Cyrl",
    "Limburgan; Limburger; Limburgish": "lim_Latn",
    "Luba-Lulua": "lua_Latn",
    "Luxembourgish; Letzeburgesch": "ltz_Latn",
    "Norwegian Nynorsk; Nynorsk, Norwegian": "nno_Latn",
    "Panjabi; Punjabi": "pan_Guru",
    "Pedi; Sepedi; Northern Sotho": "nso_Latn",
    "Pushto; Pashto": "pbt_Arab",
    "Romanian; Moldavian; Moldovan": "ron_Latn",
    "Sinhala; Sinhalese": "sin_Sinh",
    "Sotho, Southern": "sot_Latn",
    "Spanish; Castilian": "spa_Latn",
    "Uighur; Uyghur": "uig_Arab",
    "Luo (Kenya and Tanzania)": "luo_Latn",
    "Occitan (post 1500)": "oci_Latn",
}
# The bibliographic codes of ISO 639-2.
ISO_639_2_B = {
    **{"alb": "als_Latn", "arm": "hye_Armn", "baq": "eus_Latn", "bur": "mya_Mymr", "chi": "zho_Hans"},
    **{"cze": "ces_Latn", "dut": "nld_Latn", "fre": "fra_Latn", "geo": "kat_Geor", "ger": "deu_Latn"},
    **{"gre": "ell_Grek", "ice": "isl_Latn", "mac": "mkd_Cyrl", "mao": "mri_Latn", "may": "zsm_Latn"},
    **{"per": "pes_Arab", "rum": "ron_Latn", "slo": "slk_Latn", "tib": "bod_Tibt", "wel": "cym_Latn"},
}
# Own cases: inverted names, names without accents, names with a country or a script.
OTHERS = {
    "Portuguese (Brazil)": "por_Latn",
    "English (US)": "eng_Latn",
    "Spanish (Latin America)": "spa_Latn",
    "Brazilian Portuguese": "por_Latn",
    "Chinese, Simplified": "zho_Hans",
    "Chinese (Traditional)": "zho_Hant",
    "Chinese (Taiwan)": "zho_Hant",
    "Chinese (Cantonese)": "yue_Hant",
    "Norwegian Bokmal": "nob_Latn",
    "Francais": "fra_Latn",
    "Modern Greek": "ell_Grek",
    "Persian (Farsi)": "pes_Arab",
    "Bengali (Bangla)": "ben_Beng",
    "Kurdish (Sorani)": "ckb_Arab",
    "Kashmiri (Devanagari)": "kas_Deva",
    "Serbian (Cyrillic)": "srp_Cyrl",
    "Arabic (Egyptian)": "arz_Arab",
    "Arabic (Morocco)": "ary_Arab",
    "Swahili (individual language)": "swh_Latn",
    "Malay (macrolanguage)": "zsm_Latn",
    "Meiteilon (Manipuri)": "mni_Beng",
    "Myanmar (Burmese)": "mya_Mymr",
    "ar-EG": "arz_Arab",
    "ar_MA": "ary_Arab",
    "ar-TN": "aeb_Arab",
    "ar-IQ": "acm_Arab",
    "ar-SA": "arb_Arab",
    "ar-AE": "arb_Arab",
}


@pytest.mark.parametrize(("name", "code"), [*ISO_639_2.items(), *ISO_639_2_B.items(), *OTHERS.items()])
def test_names_that_people_write(name: str, code: str) -> None:
    assert language(name) is LANGUAGES[code]
    assert language(name.upper()) is LANGUAGES[code]


@pytest.mark.parametrize(
    "name",
    [
        "English, Old (ca.450-1100)",
        "French, Middle (ca.1400-1600)",
        "Greek, Ancient (to 1453)",
        "German (Low)",
        "Serbian (Latin)",
        "Uzbek (Cyrillic)",
        "Creoles and pidgins",
        "English; French",
        "Spanish, French",
    ],
)
def test_what_is_another_language_or_several_is_not_guessed(name: str) -> None:
    assert find_language(name) is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sr-Latn", "unknown language 'sr-Latn'; did you mean 'srp_Cyrl' (Serbian)?"),
        ("uz-Cyrl", "unknown language 'uz-Cyrl'; did you mean 'uzn_Latn' (Uzbek)?"),
        (
            "hbs",
            "FLORES-200 does not have the language 'hbs'; near it are 'srp_Cyrl' (Serbian), "
            "'hrv_Latn' (Croatian) or 'bos_Latn' (Bosnian)",
        ),
        (
            "Frisian",
            "FLORES-200 does not have the language 'Frisian'; near it are 'nld_Latn' (Dutch) or "
            "'deu_Latn' (German)",
        ),
        ("jp", "FLORES-200 does not have the language 'jp'; near it is 'jpn_Jpan' (Japanese)"),
        (
            "Ancient Greek",
            "FLORES-200 does not have the language 'Ancient Greek'; near it is 'ell_Grek' (Greek)",
        ),
    ],
)
def test_suggestions_are_near_in_meaning(name: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        language(name)
    assert str(caught.value) == message


# huggingface_hub#797, DiffSinger#291: YAML reads `no` as false.
def test_a_norwegian_that_yaml_reads_as_false_is_to_be_quoted(tmp_path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("{model: m, data: d, output: o, languages: [no, de]}")
    with pytest.raises(InputError) as caught:
        read_config(recipe, DpoRecipe)
    assert str(caught.value) == (
        f"{recipe}: languages.0: found False; YAML reads no, yes, on and off as such, so write them in quotes"
    )
    recipe.write_text("{model: m, data: d, output: o, languages: ['no', de]}")
    assert read_config(recipe, DpoRecipe).languages == ("nob_Latn", "deu_Latn")
