"""The page of a run: the funnel's numbers stand in it and add up, texts are escaped and set in their direction, nothing is loaded."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from polypref.cards.folder import read_facts, write_dataset
from polypref.cards.funnel import stage_rows, without_languages
from polypref.errors import InputError
from polypref.eval.report import charts
from polypref.eval.report.funnel import completion_tables, prompt_table
from polypref.eval.report.page import duration, points, sampled_languages, write_report
from polypref.schemas import prompt_id, rows_to_frame
from polypref.training.dpo import METHOD

VOID = {"meta", "path", "br", "img", "link", "input", "hr"}
ATTACK = "<script>alert(1)</script> & \"quoted\" <b onclick='x'>"
FUNNEL = [
    *stage_rows("prompts", "arb_Arab", 30, {"wrong_language": 100, "not_sampled": 1100}),
    *stage_rows("strong-native", "arb_Arab", 27, {"prompt_rejected": 1200, "repetition": 3}),
    *stage_rows("weak-translated", "arb_Arab", 30, {"prompt_rejected": 1200}),
    *stage_rows("pairs", "arb_Arab", 25, {"tie": 4, "identical": 1}),
    *stage_rows("prompts", "deu_Latn", 50, {}),
    *stage_rows("strong-native", "deu_Latn", 50, {}),
    *stage_rows("pairs", "deu_Latn", 40, {"tie": 10}),
    *stage_rows("prompts", "eng_Latn", 5, {"duplicate": 2}),
]
PAIRS = {"arb_Arab": 25, "deu_Latn": 40}
TEXTS = {"arb_Arab": "ما هي عاصمة كندا؟", "deu_Latn": f"Was ist das? {ATTACK}"}
GAMES = {
    "win": 0.4567,
    "loss": 0.2,
    "tie": 0.3433,
    "difference": 0.2567,
    "low": 0.1,
    "high": 0.41,
    "games": 80,
    "prompts": 40,
}


class Page(HTMLParser):
    """The elements of a page as (tag, attributes, text), and its tables' rows of numbers; fails where tags are not closed in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.elements: list[tuple[str, dict[str, str | None], str]] = []
        self.heat: list[list[list[int]]] = []
        self.source = path.read_text("utf-8")
        self.feed(self.source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table" and dict(attrs).get("class") == "heat":
            self.heat.append([])
        if tag == "tr" and any(
            parent == "table" and about.get("class") == "heat" for parent, about, _ in self.open
        ):
            self.heat[-1].append([])
        if tag not in VOID:
            self.open.append((tag, dict(attrs), []))
        else:
            self.elements.append((tag, dict(attrs), ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        opened, attrs, text = self.open.pop()
        assert opened == tag
        self.elements.append((tag, attrs, "".join(text)))
        if (
            tag == "td"
            and "class" in attrs
            and any(about.get("class") == "heat" for _, about, _ in self.open)
        ):
            self.heat[-1][-1].append(int("".join(text).replace(",", "")))

    def handle_data(self, data: str) -> None:
        for _, _, text in self.open:
            text.append(data)

    @property
    def text(self) -> str:
        return " ".join(next(text for tag, _, text in self.elements if tag == "body").split())


def messages(role: str, content: str) -> list[dict[str, str]]:
    return [{"role": role, "content": content}]


def make_run(folder: Path, notes: tuple[str, ...] = ("About a <miniature> world.",)) -> Path:
    pairs: dict[str, Any] = {"eng_Latn": rows_to_frame([], "pairs")}
    prompts: dict[str, Any] = {}
    for code, text in TEXTS.items():
        ids = [prompt_id(messages("user", f"Question {i}")) for i in range(PAIRS[code])]
        shared = [{"prompt_id": id_, "language": code, "prompt": messages("user", text)} for id_ in ids]
        prompts[code] = rows_to_frame(
            [{**row, "prompt_en": messages("user", "What is it?"), "source": "s"} for row in shared],
            "prompts",
        )
        side = {
            "chosen_model": "strong",
            "chosen_origin": "native",
            "rejected_model": "weak",
            "rejected_origin": "translated",
        }
        rows = [
            {
                **row,
                **side,
                "builder": "native-vs-translated",
                "rank": 0,
                "chosen": messages("assistant", f"{text} 1"),
                "rejected": messages("assistant", f"{text} 2"),
                "chosen_score": 3.0 + i,
                "rejected_score": 0.5,
                "margin": 2.5 + i,
            }
            for i, row in enumerate(shared)
        ]
        pairs[code] = rows_to_frame(rows, "pairs")
    facts = {
        "title": f"Pairs {ATTACK}",
        "license": "apache-2.0",
        "test_share": 0.2,
        "notes": notes,
        "recipe": "name: <recipe>\n",
        "models": [{"role": "generator", "name": "strong", "model": "org/<model>", "revision": "f" * 40}],
        "sources": ["questions"],
        "funnel": FUNNEL,
    }
    write_dataset(folder / "published" / "pairs", "pairs", pairs, facts | {"name": "acme/pairs"})
    write_dataset(folder / "published" / "prompts", "prompts", prompts, facts | {"name": "acme/prompts"})
    return folder


def add_training_and_evaluation(run: Path) -> None:
    (run / "checkpoints" / "dpo").mkdir(parents=True)
    lines = [
        {"step": step, "loss": 0.7 - step / 100, "reward_margin": step / 10, "reward_accuracy": 0.5}
        for step in range(1, 61)
    ]
    lines.append({"step": 61, "loss": float("nan")})
    (run / "checkpoints" / "dpo" / "training_log.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines)
    )
    made_from = {"key": {"beta": 0.1}, "data": {"rows": {"deu_Latn": 40}}, "method": METHOD}
    (run / "checkpoints" / "dpo" / "training.json").write_text(json.dumps(made_from))
    result = {
        "base": "base",
        "prompts": {"name": "published/prompts", "split": "test", "count": 40},
        "models": {"base": "b", "dpo <1>": "d"},
        "without_completion": {"base": 0, "dpo <1>": 3},
        "mean_score": {
            judge: {"base": {"all": 0.25}, "dpo <1>": {"all": 1.75}} for judge in ("reward_model", "oracle")
        },
        "winrate": {
            "dpo <1>": {
                "reward_model": {**GAMES, "win": 0.9, "languages": {"deu_Latn": GAMES}},
                "oracle": {
                    **GAMES,
                    "languages": {"arb_Arab": {**GAMES, "low": None, "high": None}, "deu_Latn": GAMES},
                },
            }
        },
    }
    (run / "eval" / "second").mkdir(parents=True)
    (run / "eval" / "second" / "winrate.json").write_text(json.dumps(result))
    (run / "results.json").write_text(json.dumps({"seconds": 327.4}))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Page:
    run = make_run(tmp_path_factory.mktemp("whole"))
    add_training_and_evaluation(run)
    return Page(write_report(run))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Page:
    run = make_run(tmp_path_factory.mktemp("bare"), notes=())
    return Page(write_report(run, run / "pages" / "page.html"))


def test_every_row_of_the_funnel_is_there_and_adds_up(whole: Page) -> None:
    prompts, *completions = whole.heat
    lines = [line for table in whole.heat for line in table if line]
    assert all(line[0] == sum(line[1:]) for line in lines)
    assert prompts[2] == [1230, 1100, 100, 0, 4, 1, 0, 25]
    assert [line[0] for line in prompts[2:]] == [1230, 7, 50, 1287]  # Arabic, English, German, all
    assert prompts[-1] == [sum(column) for column in zip(*prompts[2:-1], strict=True)]
    assert [table[2][0] for table in completions] == [1230, 1230]
    shown = {number for line in lines for number in line}
    ended = {row["count"] for row in FUNNEL if row["language"] != "eng_Latn"}  # English prompts went nowhere
    assert ended - {30} <= shown  # 30 prompts of Arabic were kept: 25 pairs and 5 without one


def test_a_prompt_that_went_nowhere_is_unaccounted_for() -> None:
    table = prompt_table(FUNNEL, ("arb_Arab", "deu_Latn", "eng_Latn"))
    assert table is not None
    assert [column.name for column in table.columns] == [
        "not sampled",
        "wrong language",
        "duplicate",
        "tie",
        "identical",
        "unaccounted for",
        "pairs",
    ]
    assert table.rows()["eng_Latn"] == [7, 0, 0, 2, 0, 0, 5, 0]
    assert (table.ended("aside"), table.ended("reason"), table.left_out()) == (1100, 117, 102)
    assert table.headings() == [("prompt left out", 3), ("no pair", 2), ("", 2)]
    whole = prompt_table(without_languages(FUNNEL, ["eng_Latn"]), PAIRS)
    assert whole is not None
    assert whole.columns[-2].name == "identical"


def test_kept_prompts_of_a_language_that_is_not_built_are_set_aside() -> None:
    table = prompt_table([*FUNNEL, *stage_rows("prompts", "und", 0, {"unknown_language": 2})], PAIRS)
    assert table is not None
    assert [(column.name, column.kind) for column in table.columns[-2:]] == [
        ("language not built", "aside"),
        ("pairs", "kept"),
    ]
    assert table.rows()["eng_Latn"][-2:] == [5, 0]
    assert list(table.rows()) == ["arb_Arab", "eng_Latn", "deu_Latn", "und"]
    assert sum(table.rows()["und"]) == 4  # two in, two left out


def test_completions_by_generator_and_origin() -> None:
    strong, weak = completion_tables(FUNNEL)
    assert (strong.title, weak.title) == ("strong-native", "weak-translated")
    assert strong.rows() == {"arb_Arab": [1230, 1200, 3, 27], "deu_Latn": [50, 0, 0, 50]}
    assert weak.total() == [1230, 1200, 30]
    assert completion_tables(stage_rows("prompts", "deu_Latn", 3, {})) == []


def test_key_figures(whole: Page) -> None:
    figures = [" ".join(text.split()) for tag, _, text in whole.elements if tag == "dd"]
    assert figures[0].startswith("65 ")
    assert figures[1] == "2 in 2 scripts, of 3 in the run"
    assert figures[2] == "85 kept of 187, each language counted; 1,100 more set aside"
    assert figures[3] == "105 by filters: 102 prompts, 3 completions"
    assert figures[4].startswith(
        "+25.7 points: dpo <1> against base, by oracle, wins 45.7% and loses 20.0%; 95% interval"
    )
    assert figures[4].endswith("+10.0 to +41.0")


def test_text_is_set_in_its_language_and_direction(whole: Page) -> None:
    arabic = [attrs for _, attrs, text in whole.elements if text.startswith(TEXTS["arb_Arab"])]
    assert len(arabic) == 3  # prompt, chosen, rejected
    assert all(attrs["dir"] == "rtl" and attrs["lang"] == "ar" for attrs in arabic)
    german = [attrs for _, attrs, text in whole.elements if text.startswith("Was ist das?")]
    assert [(attrs["dir"], attrs["lang"]) for attrs in german] == [("ltr", "de")] * 3
    assert ("span", {"lang": "en"}, "What is it?") in whole.elements


def test_texts_are_escaped(whole: Page) -> None:
    assert not any(tag == "script" for tag, _, _ in whole.elements)
    assert not any(name.startswith("on") for _, attrs, _ in whole.elements for name in attrs)
    assert ATTACK in whole.text  # as text
    assert next(text for tag, _, text in whole.elements if tag == "title") == f"Pairs {ATTACK}: report"
    assert "name: <recipe>" in whole.text
    assert "org/<model>" in whole.text


def test_nothing_is_loaded(whole: Page) -> None:
    assert not [
        tag
        for tag, attrs, _ in whole.elements
        if tag in {"link", "img", "iframe", "script"} or "src" in attrs
    ]
    links = [attrs["href"] or "" for _, attrs, _ in whole.elements if "href" in attrs]
    targets = {attrs["id"] for _, attrs, _ in whole.elements if "id" in attrs}
    assert links
    assert {link.removeprefix("#") for link in links} <= targets
    assert not re.search(r"url\(|@import|https?:", whole.source)


def test_notes_stand_at_the_top(whole: Page, bare: Page) -> None:
    assert whole.text.index("About a <miniature> world.") < whole.text.index("65 ")
    assert not any(attrs.get("class") == "note" for _, attrs, _ in bare.elements)


def test_training_and_win_rates(whole: Page) -> None:
    curves = [
        attrs["d"] or ""
        for tag, attrs, _ in whole.elements
        if tag == "path" and attrs.get("class") == "curve"
    ]
    assert [path.count("L") for path in curves] == [59, 59, 59]  # the NaN is left out
    assert "dpo DPO · beta 0.1 · 40 rows in" in whole.text
    assert "loss 0.11 at the end" in whole.text  # the mean of 0.12, 0.11 and 0.10
    for expected in (
        "45.7%",
        "34.3%",
        "90.0%",
        "+25.7",
        "+10.0 to +41.0",
        "40 prompts of published/prompts, split test",
    ):
        assert expected in whole.text
    assert "5 min 27 s" in whole.text
    assert not re.search(r"No training log|No winrate.json|results.json does not", whole.text)


def test_what_is_missing_is_named(bare: Page) -> None:
    missing = [text for _, attrs, text in bare.elements if attrs.get("class") == "missing"]
    assert missing == [
        "No training log stands in checkpoints/: nothing was trained in this run, or not yet.",
        "No winrate.json stands in eval/: nothing was compared in this run, or not yet.",
        "results.json does not say how long the run took.",
    ]


def test_without_prompts_and_funnel(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run / "published" / "prompts").rename(run / "elsewhere")
    facts = read_facts(run / "published" / "pairs") or {}
    facts["funnel"] = []
    (run / "published" / "pairs" / "facts.json").write_text(json.dumps(facts))
    page = Page(write_report(run))
    assert "facts.json has no funnel of prompts" in page.text
    assert "In English" not in page.text
    assert page.heat == []


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"pairs: found no facts.json, expected the published pairs of a run"
    ):
        write_report(tmp_path)
    run = make_run(tmp_path)
    (run / "eval").mkdir()
    (run / "eval" / "winrate.json").write_text('{"base": "b"}')
    with pytest.raises(InputError, match=r"winrate.json: missing key 'prompts'; found base"):
        write_report(run)
    (run / "eval" / "winrate.json").unlink()
    (run / "checkpoints" / "dpo").mkdir(parents=True)
    (run / "checkpoints" / "dpo" / "training_log.jsonl").write_text('{"step": 1}\n{"step"\n')
    with pytest.raises(InputError, match=r"training_log.jsonl: line 2: not JSON"):
        write_report(run)


def test_sampled_languages_have_many_scripts_and_one_from_right_to_left() -> None:
    pairs = {
        "deu_Latn": 9,
        "fra_Latn": 9,
        "eng_Latn": 99,
        "ell_Grek": 8,
        "rus_Cyrl": 7,
        "hin_Deva": 6,
        "kor_Hang": 5,
        "jpn_Jpan": 4,
        "heb_Hebr": 1,
    }
    assert sampled_languages(pairs) == [
        "deu_Latn",
        "ell_Grek",
        "rus_Cyrl",
        "hin_Deva",
        "kor_Hang",
        "heb_Hebr",
    ]
    assert sampled_languages({"eng_Latn": 3, "fra_Latn": 1, "deu_Latn": 1, "spa_Latn": 0}) == [
        "deu_Latn",
        "fra_Latn",
        "eng_Latn",
    ]


def test_geometry() -> None:
    assert charts.position(3, (1, 5)) == 50
    assert charts.position(9, (1, 5)) == 100
    assert charts.extent([2.0, 4.0], padding=0.5) == (1.0, 5.0)
    assert charts.extent([2.0, 4.0], include=[0.0], padding=0.25) == (0.0, 5.0)
    assert charts.extent([]) == charts.extent([0.0, 1.0])
    assert charts.ticks((-0.21, 0.39)) == [-0.2, 0.0, 0.2]
    assert charts.ticks((0, 2300)) == [0, 500, 1000, 1500, 2000]
    assert charts.line([(0, 0), (5, 1), (10, 0.5)], (0, 10), (0, 1)) == "M0 100L50 0L100 50"
    assert charts.running_mean([(1, 0.0), (2, 3.0), (3, 6.0)], 3) == [(1, 1.5), (2, 3.0), (3, 4.5)]
    assert charts.histogram([0.0, 0.1, 0.9, 1.0], (0, 1), 2) == [2, 2]
    assert charts.bars([1, 0], 2) == "M3.00 100V50.00H47.00V100Z"


def test_numbers() -> None:
    assert (points(0.1234), points(-0.05), duration(59.6), duration(327), duration(7260)) == (
        "+12.3",
        "\N{MINUS SIGN}5.0",
        "1 min 0 s",
        "5 min 27 s",
        "2 h 1 min",
    )
