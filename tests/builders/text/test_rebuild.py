"""Sentences are joined as the language joins them, and marks and line breaks come back."""

import pytest

from polypref.builders.text.parse import parse, sentences
from polypref.builders.text.rebuild import rebuild, restore
from polypref.builders.text.sentences import HiddenSpan, Sentence


@pytest.mark.parametrize(
    ("code", "translations", "joined"),
    [
        ("deu_Latn", ["Eins.", "Zwei.", "Drei."], "Eins. Zwei.\n- Drei."),
        ("arb_Arab", ["واحد.", "اثنان؟", "ثلاثة."], "واحد. اثنان؟\n- ثلاثة."),
        ("zho_Hans", ["一。", "二。", "三。"], "一。二。\n- 三。"),
        ("jpn_Jpan", ["一です。", "二です。", "三です。"], "一です。二です。\n- 三です。"),
        (
            "jpn_Jpan",
            ["URLはhttps://a.org", "二です。", "三です。"],
            "URLはhttps://a.org 二です。\n- 三です。",
        ),
        ("tha_Thai", ["หนึ่ง", "สอง", "สาม"], "หนึ่ง สอง\n- สาม"),
        ("hin_Deva", ["एक।", "दो।", "तीन।"], "एक। दो।\n- तीन।"),
        ("bod_Tibt", ["གཅིག།", "གཉིས།", "གསུམ།"], "གཅིག། གཉིས།\n- གསུམ།"),
        ("yue_Hant", ["一。", "二。", "三。"], "一。二。\n- 三。"),
    ],
)
def test_the_joiner_is_the_languages_own(code: str, translations: list[str], joined: str) -> None:
    assert rebuild(parse("One. Two.\n- Three."), translations, code) == joined


def test_marks_come_back_in_any_script_and_losses_have_names() -> None:
    sentence = Sentence("Put {0} into {1}.", (HiddenSpan("code", "`a`"), HiddenSpan("url", "http://b.org")))
    assert restore(sentence, "ضع {٠} في {١}.") == ("ضع `a` في http://b.org.", [])
    assert restore(sentence, "｛0｝を｛ 1 ｝に入れて。") == ("`a`をhttp://b.orgに入れて。", [])
    assert restore(sentence, "Put {0}.")[1] == ["lost_url"]
    assert restore(sentence, "Put {0} {0} {1}.")[1] == ["doubled_span"]
    assert restore(sentence, "Put {1} into {0}.")[1] == ["reordered_spans"]
    assert restore(sentence, "Put {0} into {1} {7}.")[1] == ["unrestored"]
    assert restore(Sentence("Put it."), "Leg {0} es.")[1] == ["unrestored"]


def test_a_wrapped_paragraph_is_broken_at_its_shares_without_cutting_a_word() -> None:
    text = "The committee met on the first day of the month, as it had said it\nwould, and voted at once."
    (sentence,) = sentences(parse(text))
    assert sentence.text == text.replace("\n", " ")
    german = (
        "Der Ausschuss tagte am ersten Tag des Monats, wie er es angekündigt hatte, und stimmte sofort ab."
    )
    assert restore(sentence, german)[0].replace("\n", " ") == german
    assert restore(sentence, german)[0].count("\n") == 1
    assert restore(sentence, "委员会如其所说在当月第一天开会并立即表决。")[0].count("\n") == 1
