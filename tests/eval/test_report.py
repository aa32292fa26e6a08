"""The page of a run: its numbers add up, its texts are escaped and face their way, and nothing is loaded."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from polypref.cards.folder import read_facts
from polypref.cards.funnel import stage_rows
from polypref.errors import InputError
from polypref.eval.report.page import write_report
from tests.eval.report_run import ATTACK, FUNNEL, TEXTS, add_training_and_evaluation, make_run

VOID = {"meta", "path", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """The elements of a page as (tag, attributes, text), and its tables' rows of numbers.

    Fails where tags are not closed in order.
    """

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


def test_key_figures(whole: Page) -> None:
    figures = [" ".join(text.split()) for tag, _, text in whole.elements if tag == "dd"]
    assert figures[0].startswith("65 ")
    assert figures[1] == "2 in 2 scripts; 1 more without pairs"
    assert figures[2] == "85 kept of 187, over all languages; 1,100 more set aside"
    assert figures[3] == "105 by filters: 102 prompts, 3 completions"
    assert figures[4].startswith(
        "+25.7 points: dpo <1> wins 45.7% and loses 20.0% against base, the model before training,"
        " by the oracle (it knows the right answers); 95% interval"
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
        if tag == "path" and attrs.get("stroke") == "var(--trained)"
    ]
    assert [path.count("L") for path in curves] == [
        59
    ] * 6  # the NaN is left out; each curve has its running mean
    assert "dpo DPO on 40 rows in 1 language" in whole.text
    assert "beta 0.1 lora r 16" in whole.text
    assert "sha256" not in whole.text
    assert "loss 0.11 at the end" in whole.text  # the mean of 0.12, 0.11 and 0.10
    for expected in (
        "45.7%",
        "34.3%",
        "90.0%",
        "+25.7",
        "+10.0 to +41.0",
        "40 prompts of published/prompts, test split",
    ):
        assert expected in whole.text
    assert "5 min 27 s" in whole.text
    assert not re.search(r"no training log|no winrate.json|results.json does not", whole.text)


def test_a_control_is_called_one(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    add_training_and_evaluation(run, control="shuffle")
    assert (
        "A control: in every pair, chosen and rejected were swapped at random."
        in Page(write_report(run)).text
    )


def test_rows_of_an_unknown_language_are_on_the_page(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    facts = read_facts(run / "published" / "pairs") or {}
    facts["funnel"] += stage_rows("prompts", "und", 0, {"unknown_language": 2})
    (run / "published" / "pairs" / "facts.json").write_text(json.dumps(facts))
    page = Page(write_report(run))
    assert "unknown und" in page.text
    assert page.heat[0][-1][0] == 1289


def test_what_is_missing_is_named(bare: Page) -> None:
    missing = [text for _, attrs, text in bare.elements if attrs.get("class") == "missing"]
    assert missing == [
        "There is no training log in checkpoints/: nothing has been trained in this run yet.",
        "There is no winrate.json in eval/: nothing has been compared in this run yet.",
        "results.json does not record how long the run took.",
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
