"""More languages in a finished work dir: only what is missing is made; an unknown language stops at once."""

import json
from pathlib import Path
from typing import Any

import pytest
from openai_server import OpenAIServer

from polypref.builders.build import Build
from polypref.builders.publish import write_folders
from polypref.builders.recipe import Recipe
from polypref.cards.folder import require_facts
from polypref.config import read_config
from polypref.errors import InputError
from polypref.languages.codes import language
from polypref.store.workdir import Workdir

CHECKPOINT = Path(__file__).parent.parent.parent / "polypref" / "demo" / "checkpoints" / "translator"
PROMPTS = [
    "Name a town in {country}.",
    "Explain `len(x)` in one sentence. Keep it short.",
    "1. What is 7 + 5?\n2. Why is that so?",
]


def recipe(tmp_path: Path, url: str, codes: list[str], engine: dict[str, Any]) -> Recipe:
    (tmp_path / "p.jsonl").write_text(
        "".join(json.dumps({"id": i, "prompt": text}) + "\n" for i, text in enumerate(PROMPTS))
    )
    http = {"kind": "http", "base_url": url, "concurrency": 4, "retries": 1}
    return Recipe.model_validate(
        {
            "languages": codes,
            "prompts": {"sources": [{"path": tmp_path / "p.jsonl", "text": "prompt", "id": ["id"]}]},
            "translate": {"engine": engine, "filters": {"wrong_language": None}},
            "complete": {
                "generators": {
                    "strong": {"engine": http | {"model": "strong"}},
                    "weak": {"engine": http | {"model": "weak"}, "pivot": "eng_Latn"},
                },
                "filters": {"wrong_language": None, "copied_source": None},
            },
            "score": {"rule": {"kind": "language_rule"}},
            "pair": {"builder": "best-vs-worst", "scorer": "rule"},
            "publish": {"name": "test", "title": "Test", "license": "mit"},
        }
    )


def make(config: Recipe, workdir: Path) -> None:
    with Workdir(workdir) as opened:
        build = Build(config, opened)
        build.make()
        write_folders(build, "recipe")


def parts(workdir: Path) -> dict[str, tuple[bytes, int]]:
    files = sorted((workdir / "tables").rglob("*.parquet"))
    return {str(file.relative_to(workdir)): (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


def reply(body: dict[str, Any]) -> str:
    text = str(body["messages"][-1]["content"])
    answers = {"strong": "This is certainly an answer", "weak": "I really do not know that"}
    return f"{answers[body['model']]}, it has {len(text)} letters."


def test_new_languages_touch_no_other_languages_parts(tmp_path: Path) -> None:
    first, more = ["en", "de", "ja"], ["swh_Latn", "yor_Latn", "tha_Thai", "amh_Ethi"]
    with OpenAIServer(reply) as server:
        make(recipe(tmp_path, server.url, first, {"kind": "pseudo"}), tmp_path / "run")
        before, calls = parts(tmp_path / "run"), len(server.calls)
        make(recipe(tmp_path, server.url, more, {"kind": "pseudo"}), tmp_path / "run")
        after = parts(tmp_path / "run")
        assert {name: after[name] for name in before} == before
        new = {name.split("/")[-2] for name in set(after) - set(before)}
        assert new == {language(code).code for code in more}
        # The pseudo-localised prompts are the German ones again, and the weak model's English answers exist.
        assert len(server.calls) == calls
        make(recipe(tmp_path, server.url, first + more, {"kind": "pseudo"}), tmp_path / "run")
        assert parts(tmp_path / "run") == after


def test_a_language_that_the_translator_does_not_know_stops_before_anything(tmp_path: Path) -> None:
    engine = {"kind": "ct2", "model": str(CHECKPOINT), "max_tokens": 48, "threads": 1}
    with (
        OpenAIServer(reply) as server,
        pytest.raises(InputError, match="does not know the language 'arb_Latn'"),
    ):
        make(recipe(tmp_path, server.url, ["en", "arb_Latn"], engine), tmp_path / "run")
    assert server.calls == []
    assert not (tmp_path / "run/tables").exists()


def test_a_pivot_without_english_prompts_is_one_line(tmp_path: Path) -> None:
    config = recipe(tmp_path, "http://127.0.0.1:1/v1", ["de"], {"kind": "pseudo"})
    (source,) = config.prompts.sources
    german = config.prompts.model_copy(update={"sources": (source.model_copy(update={"language": "de"}),)})
    with pytest.raises(InputError, match=r"^no prompts in eng_Latn, a generator's pivot; found deu_Latn$"):
        make(config.model_copy(update={"prompts": german}), tmp_path / "run")


def test_a_language_more_in_the_demos_work_dir(tmp_path: Path) -> None:
    demo = read_config(CHECKPOINT.parent.parent.parent / "recipes" / "demo.yaml", Recipe)
    few = demo.model_copy(update={"prompts": demo.prompts.model_copy(update={"sample": 16})})
    make(few.model_copy(update={"languages": ("en", "deu_Latn", "jpn_Jpan")}), tmp_path / "run")
    before = parts(tmp_path / "run")
    make(few.model_copy(update={"languages": ("fra_Latn",)}), tmp_path / "run")
    after = parts(tmp_path / "run")
    assert {name: after[name] for name in before} == before
    new = set(after) - set(before)
    assert {name.split("/")[-2] for name in new} == {"fra_Latn"}
    assert {name.split("/")[1] for name in new} == {"prompts", "completions", "scores", "pairs"}
    with pytest.raises(InputError, match="does not know the language 'swh_Latn' \\(Swahili"):
        make(few.model_copy(update={"languages": ("fra_Latn", "swh_Latn")}), tmp_path / "run")
    assert parts(tmp_path / "run") == after


def test_english_that_is_only_a_pivot_is_published_as_such(tmp_path: Path) -> None:
    with OpenAIServer(reply) as server:
        make(recipe(tmp_path, server.url, ["ja"], {"kind": "pseudo"}), tmp_path / "run")
        completions = tmp_path / "run" / "published" / "completions"
        languages = require_facts(completions)["languages"]
        assert {code: entry.get("supporting", False) for code, entry in languages.items()} == {
            "eng_Latn": True,
            "jpn_Jpan": False,
        }
        assert languages["eng_Latn"]["counts"]["generator"] == {"weak": 3}
        make(recipe(tmp_path, server.url, ["en"], {"kind": "pseudo"}), tmp_path / "run")
        english = require_facts(completions)["languages"]["eng_Latn"]
        assert "supporting" not in english
        assert english["counts"]["generator"] == {"strong": 3, "weak": 3}
        make(recipe(tmp_path, server.url, ["de"], {"kind": "pseudo"}), tmp_path / "run")
        assert require_facts(completions)["languages"]["eng_Latn"] == english
