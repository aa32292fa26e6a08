"""Faults of completions in each language, and texts that only look like them."""

import pytest

from polypref.builders.filters.apply import Filters
from polypref.languages.codes import PAPER_23
from tests.builders.filters.rows import filter_text

REFUSING = {
    "arb_Arab": "عذرا، لا أستطيع مساعدتك في هذا الأمر.",
    "ces_Latn": "Omlouvám se, ale s tímto vám nemohu pomoci.",
    "deu_Latn": "Es tut mir leid, aber ich kann dir dabei nicht helfen.",
    "ell_Grek": "Λυπάμαι, δεν μπορώ να σας βοηθήσω με αυτό.",
    "eng_Latn": "I'm sorry, but I can't help you with that.",
    "fra_Latn": "Je suis désolé, mais je ne peux pas vous aider.",
    "heb_Hebr": "אני מצטער, אני לא יכול לעזור לך בזה.",
    "hin_Deva": "मुझे खेद है, मैं इसमें आपकी सहायता नहीं कर सकता।",
    "ind_Latn": "Maaf, saya tidak dapat membantu Anda dengan hal itu.",
    "ita_Latn": "Mi dispiace, ma non posso aiutarti con questo.",
    "jpn_Jpan": "申し訳ありませんが、お手伝いできません。",
    "kor_Hang": "죄송합니다만 그 일은 도와드릴 수 없습니다.",
    "nld_Latn": "Het spijt me, maar ik kan je daar niet bij helpen.",
    "pes_Arab": "متأسفم، نمی‌توانم در این مورد کمک کنم.",
    "pol_Latn": "Przepraszam, ale nie mogę ci w tym pomóc.",
    "por_Latn": "Desculpe, mas não posso ajudar com isso.",
    "ron_Latn": "Îmi pare rău, dar nu te pot ajuta cu asta.",
    "rus_Cyrl": "Извините, но я не могу вам с этим помочь.",
    "spa_Latn": "Lo siento, pero no puedo ayudarte con eso.",
    "tur_Latn": "Üzgünüm, bu konuda size yardımcı olamam.",
    "ukr_Cyrl": "Вибачте, але я не можу вам із цим допомогти.",
    "vie_Latn": "Xin lỗi, tôi không thể giúp bạn việc này.",
    "zho_Hans": "抱歉，我无法帮助您完成这件事。",
}
SPEAKING_OF_ITSELF = {
    "eng_Latn": "As an AI developed by OpenAI, I have never been to Paris.",
    "deu_Latn": "Als KI-Sprachmodell war ich noch nie in Paris.",
    "fra_Latn": "En tant que modèle de langage, je ne suis jamais allé à Paris.",
    "spa_Latn": "Como modelo de lenguaje, nunca he estado en París. Soy ChatGPT.",
    "rus_Cyrl": "Как языковая модель, я никогда не был в Париже.",
    "zho_Hans": "作为一个人工智能，我从来没有去过巴黎。",
    "jpn_Jpan": "AIアシスタントとして、私はパリに行ったことがありません。",
    "hin_Deva": "एक भाषा मॉडल के रूप में मैं कभी पेरिस नहीं गया।",
    "tur_Latn": "Bir yapay zeka modeli olarak Paris'e hiç gitmedim.",
}


def reason(
    text: str,
    code: str = "eng_Latn",
    prompt: str | None = None,
    source: str | None = None,
    **thresholds: float | None,
) -> str | None:
    filters = Filters.model_validate(thresholds)
    return filter_text(text, code, filters, source=source, prompt=prompt)[1]


@pytest.mark.parametrize("code", PAPER_23)
def test_a_refusal_at_the_beginning_is_rejected_in_every_language(code: str) -> None:
    assert reason(REFUSING[code], code) == "refusal"
    assert reason(REFUSING["eng_Latn"], code) == "refusal"  # models fall back to English
    assert reason(REFUSING[code], code, refusal=False) is None


@pytest.mark.parametrize(
    "text",
    [
        "I am sorry to hear that your dog is ill. Let it rest, give it water, and call a vet tomorrow.",
        "If a guest asks for a refund, you may answer: thank you, and we will look into it at once. " * 3
        + "I can't help you.",
        "She said that she was sorry, and that nobody could have known.",
    ],
)
def test_being_sorry_is_no_refusal(text: str) -> None:
    assert reason(text, refusal=True, repetition=None, repeated_lines=None) is None


@pytest.mark.parametrize("code", SPEAKING_OF_ITSELF)
def test_a_model_that_speaks_of_itself_is_rejected(code: str) -> None:
    assert reason(SPEAKING_OF_ITSELF[code], code) == "self_identification"


@pytest.mark.parametrize(
    "text",
    [
        "OpenAI was founded in 2015, and Google released Gemini in 2023.",
        "Claude Monet painted the garden at Giverny for thirty years.",
        "Language models predict the next word of a text.",
    ],
)
def test_speaking_of_models_is_not_speaking_as_one(text: str) -> None:
    assert reason(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Paris.<|im_end|>",
        "[INST] And Rome? [/INST]",
        "Paris.\nUser: And Italy's?",
        "Paris</s>",
        "Paris.<end_of_turn>",
        "### Response: Paris",
    ],
)
def test_marks_of_a_chat_template_are_rejected(text: str) -> None:
    assert reason(text) == "chat_template"


@pytest.mark.parametrize(
    "text",
    [
        "The user: a person who pays.",
        "a <- b | c",
        "The list [1, 2] holds <b>two</b> numbers.",
        "A question: is it so?",
    ],
)
def test_what_looks_like_a_template_is_none(text: str) -> None:
    assert reason(text) is None


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("eng_Latn", "Name the capital of Peru."),
        ("zho_Hans", "秘鲁的首都是哪里？"),
        ("arb_Arab", "ما هي عاصمة بيرو؟"),
    ],
)
def test_an_answer_that_is_its_prompt_is_rejected(code: str, text: str) -> None:
    assert reason(f" {text.upper()} ", code, prompt=text) == "equals_prompt"
    assert reason(text, code, prompt=f"{text} Lima?") is None


def test_remarks_on_translating_are_rejected_unless_the_source_has_them() -> None:
    remark = "Both options are valid translations of the sentence."
    assert reason(remark, source="Das ist ein guter Satz.") == "about_translating"
    assert (
        reason("Here is the translation: a good sentence.", source="Das ist ein guter Satz.")
        == "about_translating"
    )
    assert (
        reason(
            "Wie wird dieser Satz übersetzt, den man can be translated as nennt?",
            "deu_Latn",
            source="It can be translated as what?",
        )
        is None
    )
