"""Engines in this process on real (tiny) checkpoints, beside transformers called by hand and each other."""

from pathlib import Path
from typing import Any

import pytest

from polypref.engines.base import Request
from polypref.engines.config import Ct2Translator, HfGenerator, HfTranslator, RewardModel, Sampling
from polypref.engines.pool import ask_engine
from polypref.engines.start import open_engine
from polypref.errors import InputError
from polypref.store.workdir import Workdir

CHECKPOINTS = Path(__file__).parent.parent.parent / "polypref" / "demo" / "checkpoints"
QUESTIONS = [
    "Is “cat” the name of an animal?",
    "Name another word from the same group as “red”.",
    "Write the word “Japan” exactly three times.",
]
TARGETS = ["deu_Latn", "zho_Hans", "arb_Arab"]


def chats(*texts: str) -> list[Request]:
    return [Request([{"role": "user", "content": text}]) for text in texts]


def ask(config: Any, requests: list[Request], workdir: Workdir, log: Path) -> list[Any]:
    from polypref.store.answers import AnswerLog

    return ask_engine(open_engine(config, "test", workdir), requests, AnswerLog(log))


def test_greedy_answers_are_those_of_transformers(workdir: Workdir, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = str(CHECKPOINTS / "strong")
    config = HfGenerator(kind="hf", model=folder, sampling=Sampling(temperature=0.0, max_tokens=48))
    given = ask(config, chats(*QUESTIONS), workdir, tmp_path / "log.jsonl")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for question, answer in zip(QUESTIONS, given, strict=True):
        chat = [{"role": "user", "content": question}]
        ids = tokenizer.apply_chat_template(
            chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        out = model.generate(**ids, do_sample=False, max_new_tokens=48)[0, ids["input_ids"].shape[1] :]
        assert answer.text == tokenizer.decode(out, skip_special_tokens=True)
        assert (answer.finish_reason, answer.tokens) == ("stop", len(out))


def test_sampled_answers_differ_by_sample_and_repeat_by_seed(workdir: Workdir, tmp_path: Path) -> None:
    config = HfGenerator(
        kind="hf",
        model=str(CHECKPOINTS / "policy"),
        sampling=Sampling(temperature=1.0, top_p=1.0, max_tokens=32),
    )
    requests = [Request([{"role": "user", "content": QUESTIONS[0]}], sample) for sample in range(16)]
    first = ask(config, requests, workdir, tmp_path / "1.jsonl")
    assert first == ask(config, requests, workdir, tmp_path / "2.jsonl")
    assert 2 <= len({answer.text for answer in first}) <= 16


def test_a_cut_answer_says_so(workdir: Workdir, tmp_path: Path) -> None:
    config = HfGenerator(
        kind="hf", model=str(CHECKPOINTS / "strong"), sampling=Sampling(temperature=0.0, max_tokens=3)
    )
    assert [
        (a.finish_reason, a.tokens) for a in ask(config, chats(QUESTIONS[2]), workdir, tmp_path / "log.jsonl")
    ] == [("length", 3)]


def test_ctranslate2_and_transformers_translate_alike(workdir: Workdir, tmp_path: Path) -> None:
    folder = str(CHECKPOINTS / "translator")
    requests = [
        Request([{"role": "user", "content": q}], source="eng_Latn", target=t)
        for q in QUESTIONS
        for t in TARGETS
    ]
    slow = ask(HfTranslator(kind="hf", model=folder), requests, workdir, tmp_path / "hf.jsonl")
    fast = ask(
        Ct2Translator(kind="ct2", model=folder, quantization="float32"),
        requests,
        workdir,
        tmp_path / "ct2.jsonl",
    )
    assert [a.text for a in fast] == [a.text for a in slow]
    assert [a.finish_reason for a in fast] == ["stop"] * 9
    assert "「cat」" not in fast[1].text
    assert "猫" in fast[1].text
    assert "Katze" in fast[0].text


def test_an_unknown_language_is_an_error_before_anything_is_asked(workdir: Workdir) -> None:
    engine = open_engine(Ct2Translator(kind="ct2", model=str(CHECKPOINTS / "translator")), "t", workdir)
    with pytest.raises(InputError, match=r"translator: does not know the language 'min_Arab'"):
        engine.tokenizer.language_token("min_Arab")  # type: ignore[union-attr]


def test_scores_are_the_raw_logits_whatever_the_batch(workdir: Workdir, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = str(CHECKPOINTS / "reward")
    replies = [
        "Yes, “cat” is the name of an animal.",
        "Perhaps, but I do not know what “cat” is.",
        "Yes " * 30,
    ]
    requests = [
        Request([{"role": "user", "content": QUESTIONS[0]}, {"role": "assistant", "content": reply}])
        for reply in replies
    ]
    given = [
        a.score
        for a in ask(
            RewardModel(kind="reward_model", model=folder), requests, workdir, tmp_path / "log.jsonl"
        )
    ]
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for request, score in zip(requests, given, strict=True):
        ids = tokenizer.apply_chat_template(list(request.messages), return_tensors="pt", return_dict=True)
        assert score == pytest.approx(float(model(**ids).logits[0, 0]), abs=1e-4)
    assert given[0] > given[1]
    assert given[0] > given[2]


@pytest.mark.parametrize(
    "config", [RewardModel(kind="reward_model", model="m"), HfGenerator(kind="hf", model="m")]
)
def test_a_folder_that_is_no_such_model_is_one_line(config: Any, workdir: Workdir, tmp_path: Path) -> None:
    folder = tmp_path / "no-model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    config = config.model_copy(update={"model": str(folder)})
    with pytest.raises(InputError, match=r"^no-model: cannot be loaded: [^\n]*$"):
        ask(config, chats("x"), workdir, tmp_path / "log.jsonl")
