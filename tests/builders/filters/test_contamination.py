"""Overlap with evaluation sets: prompts that contain an item, or most of one, are rejected; others stay."""

import json
from pathlib import Path

import pytest

from polypref.builders.filters.contamination import evaluation_items, overlaps
from polypref.builders.prompts import filtered_prompts, read_prompts
from polypref.builders.recipe import Prompts
from polypref.builders.tables.read import Table

ITEM = {
    "Latin": "Compose an engaging letter to the mayor in which you ask for a second library in the northern "
    "part of town.",
    "Chinese": "请给市长写一封吸引人的信，请求他在城市的北部再建一座图书馆，并说明理由。",
    "Arabic": "اكتب رسالة إلى رئيس البلدية تطلب فيها بناء مكتبة ثانية في الجزء الشمالي من المدينة "
    "مع ذكر الأسباب.",
    "Thai": "เขียนจดหมายถึงนายกเทศมนตรีเพื่อขอให้สร้างห้องสมุดแห่งที่สองทางตอนเหนือของเมืองพร้อมเหตุผล",
}
HOLDS = {
    "Latin": "Answer as a poet would.\n\ncompose an engaging letter to the mayor, in which you ask for a "
    "second library in the northern part of town! Use no more than ninety words.",
    "Chinese": "你是一位作家。请给市长写一封吸引人的信：请求他在城市的北部再建一座图书馆，并说明理由！"
    "不要超过一百个字。",
    "Arabic": "أجب كشاعر. اكتب رسالة إلى رئيس البلدية، تطلب فيها بناء مكتبة ثانية في الجزء الشمالي من "
    "المدينة، مع ذكر الأسباب! لا تطل.",
    "Thai": "ตอบแบบกวี เขียนจดหมายถึงนายกเทศมนตรีเพื่อขอให้สร้างห้องสมุดแห่งที่สองทางตอนเหนือของเมืองพร้อมเหตุผล ไม่เกินร้อยคำ",
}
MOST = {
    "Latin": "Compose an engaging letter to the mayor in which you ask for a second library in the old "
    "harbour.",
    "Chinese": "请给市长写一封吸引人的信，请求他在城市的北部再建一座游泳馆。",
    "Arabic": "اكتب رسالة إلى رئيس البلدية تطلب فيها بناء مكتبة ثانية في الجزء الشمالي من القرية.",
    "Thai": "เขียนจดหมายถึงนายกเทศมนตรีเพื่อขอให้สร้างห้องสมุดแห่งที่สองทางตอนเหนือของหมู่บ้าน",
}
NEAR_MISS = {
    "Latin": "Compose an angry letter to a newspaper in which you complain about the noise in the library of "
    "your town.",
    "Chinese": "请给报社写一封信，抱怨你所在城市的图书馆里面太吵闹，并提出你的建议。",
    "Arabic": "اكتب رسالة إلى الصحيفة تشتكي فيها من الضوضاء داخل مكتبة المدينة مع اقتراح حل مناسب.",
    "Thai": "เขียนจดหมายถึงหนังสือพิมพ์เพื่อร้องเรียนเรื่องเสียงดังในห้องสมุดของเมืองพร้อมข้อเสนอแนะ",
}
OVERLAP = Prompts.model_fields["overlap"].default


@pytest.mark.parametrize("script", ITEM)
def test_an_item_in_every_script(script: str) -> None:
    items = list(ITEM.values())
    holds, most, near_miss = overlaps([HOLDS[script], MOST[script], NEAR_MISS[script]], items)
    assert holds == 1.0
    assert OVERLAP <= most < 1.0
    assert near_miss < 0.5 * OVERLAP


def test_a_prompt_that_is_a_small_part_of_an_item_passes() -> None:
    assert overlaps([ITEM["Latin"][:45]], [ITEM["Latin"]])[0] < OVERLAP
    assert overlaps([ITEM["Chinese"][:12]], [ITEM["Chinese"]])[0] < OVERLAP


def test_items_of_few_letters_are_not_looked_for() -> None:
    assert overlaps(
        ["Why? I would like to know why.", "为什么？我想知道为什么。"], ["Why?", "为什么？", "", "😀"]
    ) == [0.0, 0.0]
    assert overlaps(["", "😀", "a"], list(ITEM.values())) == [0.0, 0.0, 0.0]
    assert overlaps([ITEM["Latin"]], []) == [0.0]


def jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


SECOND = (
    "Take your previous letter and rewrite it so that every single sentence of it begins with a different "
    "vowel, please, and so that it rhymes where a line ends; leave out whatever the mayor cannot change."
)


def test_of_several_turns_each_of_the_users_is_an_item(tmp_path: Path) -> None:
    rows = (
        {"t": [ITEM["Latin"], SECOND]},
        {
            "t": [
                {"role": "user", "content": ITEM["Chinese"]},
                {"role": "assistant", "content": "好的，我马上就写这封信。"},
            ]
        },
        {
            "t": [
                {"from": "human", "value": ITEM["Arabic"]},
                {"from": "gpt", "value": "بالتأكيد."},
                {"from": "human", "value": SECOND},
            ]
        },
        {"t": ITEM["Thai"]},
        {"t": None},
    )
    table = Table(path=jsonl(tmp_path / "e.jsonl", *rows), text="t")
    assert evaluation_items([table]) == [ITEM["Latin"], SECOND, ITEM["Chinese"], ITEM["Arabic"], ITEM["Thai"]]
    assert overlaps([ITEM["Latin"]], evaluation_items([table])) == [1.0]


def test_by_path_in_the_prompts_of_a_recipe(tmp_path: Path) -> None:
    evaluation = jsonl(
        tmp_path / "e.jsonl",
        {"turns": [ITEM["Latin"], SECOND]},
        {"turns": [ITEM["Chinese"]]},
        {"turns": [ITEM["Arabic"]]},
    )
    prompts = [
        (HOLDS["Latin"], "en", "contaminated"),
        (MOST["Latin"], "en", "contaminated"),
        (NEAR_MISS["Latin"], "en", None),
        ([f"Now to the letter. {SECOND}", "Thank you."], "en", "contaminated"),
        (HOLDS["Chinese"], "zh", "contaminated"),
        (NEAR_MISS["Chinese"], "zh", None),
        (HOLDS["Arabic"], "ar", "contaminated"),
        (NEAR_MISS["Arabic"], "ar", None),
        (None, "en", "not_text"),
    ]
    path = jsonl(tmp_path / "p.jsonl", *({"p": text, "l": code} for text, code, _ in prompts))
    sources = (Table(path=path, text="p", language="l"),)

    def rejected(**options: object) -> list[str | None]:
        config = Prompts(sources=sources, turns="all", **options)  # type: ignore[arg-type]
        return filtered_prompts(read_prompts(sources, "all"), config)["rejected_by"].to_list()

    against = {"evaluation_sets": (Table(path=evaluation, text="turns"),)}
    assert rejected(**against) == [reason for _, _, reason in prompts]
    assert rejected(**against, overlap=1.0)[1] is None
    assert set(rejected()) == {None, "not_text"}
