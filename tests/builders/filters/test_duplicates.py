"""Near-duplicates in every script: one of each group stays, whatever the order of the rows."""

import json
import random
from pathlib import Path

import pytest

from polypref.builders.filters.duplicates import near_duplicates, runs
from polypref.builders.prompts import filtered_prompts, read_prompts
from polypref.builders.recipe import Prompts
from polypref.builders.tables.read import Table
from polypref.schemas import hash16

NEAR = {
    "Latin": (
        "Please write a short story about a lighthouse keeper who finds a letter in a bottle at the sea.",
        "please write a short story about a lighthouse keeper, who finds a letter in a bottle at the sea!",
        "Please write a short story about a lighthouse keeper who finds a letter in a bottle at the seas.",
    ),
    "Arabic": (
        "اكتب قصة قصيرة عن حارس منارة عجوز وجد رسالة قديمة داخل زجاجة على شاطئ البحر في الصباح.",
        "اكتب قصة قصيرة عن حارس منارة عجوز، وجد رسالة قديمة داخل زجاجة على شاطئ البحر في الصباح!",
        "اكتب قصة قصيرة عن حارس منارة عجوز وجد رسالة قديمة داخل زجاجة على شاطئ البحر في صباح.",
    ),
    "Chinese": (
        "请写一个短篇故事，讲述一位年老的灯塔看守人清晨在海边散步的时候发现了一封装在玻璃瓶里面的旧信，信中提到一个失踪多年的朋友。",
        "请写一个短篇故事：讲述一位年老的灯塔看守人清晨在海边散步的时候发现了一封装在玻璃瓶里面的旧信。信中提到一个失踪多年的朋友！",
        "请写一个短篇故事，讲述一位年老的灯塔看守人清晨在海边散步的时候发现了一封装在玻璃瓶里面的旧信，信中提到一个失踪多年的友人。",
    ),
    "Thai": (
        "ช่วยเขียนเรื่องสั้นเกี่ยวกับคนเฝ้าประภาคารที่พบจดหมายเก่าในขวดบนชายหาดตอนเช้าวันหนึ่งในฤดูหนาว",
        "ช่วยเขียนเรื่องสั้น เกี่ยวกับคนเฝ้าประภาคารที่พบจดหมายเก่าในขวดบนชายหาดตอนเช้าวันหนึ่งในฤดูหนาว!",
        "ช่วยเขียนเรื่องสั้นเกี่ยวกับคนเฝ้าประภาคารที่พบจดหมายเก่าในขวดบนชายหาดตอนเช้าวันหนึ่งในฤดูฝน",
    ),
    "Hindi": (
        "एक बूढ़े प्रकाशस्तंभ रक्षक के बारे में एक छोटी कहानी लिखो जिसे समुद्र तट पर बोतल में एक पुराना पत्र मिलता है।",
        "एक बूढ़े प्रकाशस्तंभ रक्षक के बारे में, एक छोटी कहानी लिखो जिसे समुद्र तट पर बोतल में एक पुराना पत्र मिलता है!",
        "एक बूढ़े प्रकाशस्तंभ रक्षक के बारे में एक छोटी कहानी लिखो जिसे समुद्र तट पर बोतल में एक पुराना पत्र मिला है।",
    ),
}
FAR = {
    "Latin": "Explain to a child of ten years how a lighthouse works and why ships still need one at night.",
    "Arabic": "اشرح لطفل في العاشرة من عمره كيف تعمل المنارة ولماذا ما زالت السفن تحتاج إليها ليلا.",
    "Chinese": "请向一个十岁的孩子解释灯塔是怎样工作的，以及为什么船只在夜里仍然需要它来指引方向。",
    "Thai": "อธิบายให้เด็กอายุสิบขวบฟังว่าประภาคารทำงานอย่างไรและทำไมเรือยังต้องใช้ในเวลากลางคืน",
    "Hindi": "दस साल के बच्चे को समझाओ कि प्रकाशस्तंभ कैसे काम करता है और रात में जहाजों को उसकी ज़रूरत क्यों होती है।",
}


@pytest.mark.parametrize("script", NEAR)
def test_near_duplicates_of_every_script(script: str) -> None:
    texts = [*NEAR[script], FAR[script]]
    ids = ["1", "2", "3", "4"]
    stays = min(range(3), key=lambda i: hash16(ids[i]))
    assert near_duplicates(texts, ids) == [*(None if i == stays else stays for i in range(3)), None]


def test_the_text_that_stays_does_not_depend_on_the_order_of_the_rows() -> None:
    rows = [
        (text, f"{script} {n}")
        for script, texts in NEAR.items()
        for n, text in enumerate((*texts, FAR[script]))
    ]

    def originals(rows: list[tuple[str, str]]) -> dict[str, str | None]:
        texts, ids = zip(*rows, strict=True)
        return {ids[i]: None if of is None else ids[of] for i, of in enumerate(near_duplicates(texts, ids))}

    expected = originals(rows)
    assert sum(of is not None for of in expected.values()) == 2 * len(NEAR)
    assert all(
        hash16(of) < hash16(identity) and expected[of] is None for identity, of in expected.items() if of
    )
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        assert originals(rows) == expected


@pytest.mark.parametrize(
    "texts",
    [
        ["What is the capital of France?", "What is the capital of Chad?", "What is the capital of Peru?"],
        ["ما هي عاصمة فرنسا؟", "ما هي عاصمة مصر؟"],
        ["法国的首都是哪里？", "中国的首都是哪里？"],
        ["เมืองหลวงของฝรั่งเศสคืออะไร", "เมืองหลวงของไทยคืออะไร"],
        ["मेरा नाम क्या है", "मेरी नीम कौन हो"],  # the same consonants at places; vowels are marks
        ["5 + 3", "5 × 3"],
        ["😀", "😡", "👍"],
        ["?!", "…"],
        ["Yes", "No", ""],
    ],
)
def test_different_short_texts_stay(texts: list[str]) -> None:
    assert near_duplicates(texts, [str(i) for i in range(len(texts))]) == [None] * len(texts)


def test_a_lower_similarity_makes_more_near_duplicates() -> None:
    texts = (
        "one two three four five six seven eight nine ten",
        "one two three four five six seven eight nine eleven",
    )
    shared = len(runs(texts[0]) & runs(texts[1])) / len(runs(texts[0]) | runs(texts[1]))
    assert 0.8 < shared < 0.95
    ids = ["a", "b"]
    assert sorted(map(str, near_duplicates(texts, ids, 0.7))) != ["None", "None"]
    assert near_duplicates(texts, ids, 1.0) == [None, None]
    assert near_duplicates([], []) == []


def test_in_the_prompts_of_a_recipe(tmp_path: Path) -> None:
    rows = [{"p": text, "l": "en"} for text in (*NEAR["Latin"], FAR["Latin"])] + [
        {"p": t, "l": "zh"} for t in NEAR["Chinese"]
    ]
    rows += [{"p": None, "l": "en"}, {"p": NEAR["Latin"][0], "l": "en"}]
    path = tmp_path / "p.jsonl"
    reasons = []
    for order in (rows, rows[::-1]):
        path.write_text("".join(json.dumps(row) + "\n" for row in order))
        config = Prompts(sources=(Table(path=path, text="p", language="l"),), near_duplicates=0.8)
        filtered = filtered_prompts(read_prompts(config.sources, "first"), config)
        columns = filtered.select("language", "prompt", "rejected_by").iter_rows()
        reasons.append(sorted((code, str(prompt), str(reason)) for code, prompt, reason in columns))
    assert reasons[0] == reasons[1]
    counted = [(language, reason) for language, _, reason in reasons[0]]
    assert {pair: counted.count(pair) for pair in counted} == {
        ("eng_Latn", "None"): 2,
        ("eng_Latn", "near_duplicate"): 2,
        ("eng_Latn", "not_text"): 1,
        ("eng_Latn", "duplicate"): 1,
        ("zho_Hans", "None"): 1,
        ("zho_Hans", "near_duplicate"): 2,
    }
    config = Prompts(sources=(Table(path=path, text="p", language="l"),))
    rejected = filtered_prompts(read_prompts(config.sources, "first"), config)["rejected_by"]
    assert "near_duplicate" not in rejected.to_list()
