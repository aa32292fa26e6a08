"""Letters of scripts, and which of them stand for a syllable or a word."""

import pytest

from polypref.languages.codes import LANGUAGES
from polypref.languages.scripts import is_dense, is_in_script


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_languages_own_name_is_in_its_script(code: str) -> None:
    row = LANGUAGES[code]
    letters = [
        letter for letter in row.own_name if letter.isalpha() and letter != "ʻ"
    ]  # a modifier of any script
    assert all(is_in_script(letter, row.script) for letter in letters)
    other = "Grek" if row.script == "Latn" else "Latn"
    assert not any(is_in_script(letter, other) for letter in letters)


@pytest.mark.parametrize("letter", "语語あア한々")
def test_letters_that_stand_for_a_syllable_or_a_word(letter: str) -> None:
    assert is_dense(letter)


@pytest.mark.parametrize(
    "letter",
    "aяعठกགက"
    "ﷲ"  # the presentation forms of Arabic,
    "Ａ"  # fullwidth Latin letters,
    "𝐴"  # mathematical letters
    "ꯃ",  # and Meitei's own script stand behind the ideographs in Unicode, but are alphabets
)
def test_letters_of_alphabets(letter: str) -> None:
    assert not is_dense(letter)
