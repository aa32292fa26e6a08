"""Checkpoints as strangers may publish them: none runs code, and what cannot be used is one line."""

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest

from polypref.engines.base import Answer, Request
from polypref.engines.config import HfGenerator, RewardModel, Sampling
from polypref.engines.pool import ask_engine
from polypref.engines.start import open_engine
from polypref.errors import InputError
from polypref.store.workdir import Workdir

CHECKPOINTS = Path(__file__).parents[2] / "polypref" / "demo" / "checkpoints"
QUESTION = [{"role": "user", "content": "hello"}]
SYSTEM = [{"role": "system", "content": "Be brief."}, *QUESTION]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CHECKPOINTS / "strong", tmp_path / "model"))


def ask(model: Path, *chats: list[dict[str, str]], **config: Any) -> list[Answer | None]:
    generator = HfGenerator(
        kind="hf", model=str(model), sampling=Sampling(temperature=0, max_tokens=4), **config
    )
    with Workdir(model.parent / "run") as workdir:
        engine = open_engine(generator, "m", workdir)
        return ask_engine(engine, [Request(chat) for chat in chats], workdir.open_log(engine.fingerprint))


def change_json(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def set_template(model: Path, template: str) -> None:
    (model / "chat_template.jinja").write_text(template)


def test_code_of_a_checkpoint_never_runs(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda *prompt: "y")
    evil = f"open({str(model.parent / 'ran')!r}, 'w')\nfrom transformers import PreTrainedModel as Evil\n"
    (model / "evil.py").write_text(evil)
    auto_map = {"AutoConfig": "evil.Evil", "AutoModelForCausalLM": "evil.Evil"}
    change_json(model / "config.json", auto_map=auto_map, model_type="evil", architectures=["Evil"])
    with pytest.raises(InputError, match=r"^model: cannot be loaded: .*contains custom code"):
        ask(model, QUESTION)
    assert not (model.parent / "ran").exists()


class Marker:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


def test_weights_in_a_pickle_are_not_read(model: Path) -> None:
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(pickle.dumps(Marker(str(model.parent / "ran"))))
    with pytest.raises(InputError, match=r"^model: cannot be loaded: .*safetensors"):
        ask(model, QUESTION)
    assert not (model.parent / "ran").exists()


def test_weights_that_are_cut_are_one_line(model: Path) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"^model: cannot be loaded: "):
        ask(model, QUESTION)


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''.__class__.__base__ }}",
        "{% for i in range(10 ** 9) %}x{% endfor %}",
        "{% if %}",
    ],
)
def test_a_template_that_reaches_for_more_than_messages_is_one_line(model: Path, template: str) -> None:
    set_template(model, template)
    with pytest.raises(InputError, match=r"^model: its chat template cannot be used: "):
        ask(model, QUESTION)


REFUSES_SYSTEM = """{% for message in messages %}{% if message.role == 'system' %}
{{ raise_exception('System role not supported') }}{% endif %}{{ message.content }} {% endfor %}"""
ALTERNATES = """{% for message in messages %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('Conversation roles must alternate') }}{% endif %}{{ message.content }} {% endfor %}"""


def test_a_system_prompt_goes_to_the_user_where_the_template_has_none(model: Path) -> None:
    set_template(model, REFUSES_SYSTEM)
    folded = [{"role": "user", "content": "Be brief.\n\nhello"}]
    answers = ask(model, SYSTEM, folded)
    assert answers[0] == answers[1]
    assert answers[0] is not None
    assert answers[0].error is None


def test_a_chat_that_the_template_refuses_is_rejected_by_name(model: Path) -> None:
    set_template(model, ALTERNATES)
    twice = [*QUESTION, *QUESTION]
    refused, answered = ask(model, twice, QUESTION)
    assert refused == Answer("", "error", error="template_refused: Conversation roles must alternate")
    assert answered is not None
    assert answered.error is None


def test_a_reward_model_scores_the_chats_that_its_template_takes(tmp_path: Path) -> None:
    model = Path(shutil.copytree(CHECKPOINTS / "reward", tmp_path / "model"))
    set_template(model, ALTERNATES)
    answer = {"role": "assistant", "content": "hello"}
    with Workdir(tmp_path / "run") as workdir:
        engine = open_engine(RewardModel(kind="reward_model", model=str(model)), "rm", workdir)
        chats = [Request([*QUESTION, answer]), Request([*QUESTION, *QUESTION, answer])]
        scored, refused = ask_engine(engine, chats, workdir.open_log(engine.fingerprint))
    assert scored is not None
    assert scored.score is not None
    assert refused == Answer("", "error", error="template_refused: Conversation roles must alternate")
