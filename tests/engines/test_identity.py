"""Every field of an engine's config is identity, which changes the request key, or operational."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from polypref.config import Config
from polypref.engines import config as configs
from polypref.engines.base import Request
from polypref.engines.config import EngineConfig
from polypref.engines.start import open_engine
from polypref.store.workdir import Workdir

OPERATIONAL = {
    "concurrency",
    "data_parallel",
    "device",
    "key_env",
    "memory",
    "price",
    "headers",
    "retries",
    "start_seconds",
    "tensor_parallel",
    "threads",
    "timeout",
}
OTHER: dict[str, Any] = {
    "model": "org/other",
    "revision": "v2",
    "system": "Be brief.",
    "base_url": "http://elsewhere/v1",
    "quantization": "float32",
    "dtype": "bfloat16",
    "device": "cuda",
    "key_env": "OTHER_KEY",
    "arguments": ("--quantization", "fp8"),
    "price": {"input": 1.0, "output": 2.0},
    "memory": 0.5,
    "top_p": 0.5,
    "max_model_len": 7777,
    "rename": {"max_tokens": "max_completion_tokens"},
    "drop": ("top_p",),
    "extra_body": {"chat_template_kwargs": {"enable_thinking": False}},
    "system_as_user": True,
    "identity": "my-server",
    "headers": {"X-Title": "polypref"},
}


def engines() -> list[type[Config]]:
    return list(get_args(EngineConfig))


def changes(
    model: type[Config], values: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], bool, dict[str, Any]]]:
    """(field, whether it is operational, the values with another value there), nested configs included."""
    for name, field in model.model_fields.items():
        if name == "kind":
            continue
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel) and "operational" not in field.metadata:
            for deeper, operational, changed in changes(nested, {}, (*path, name)):  # type: ignore[arg-type]
                yield deeper, operational, values | {name: changed}
            continue
        old = field.get_default(call_default_factory=True) if not field.is_required() else None
        new = OTHER.get(field.alias or name, old + 1 if isinstance(old, int | float) else None)
        assert new is not None, f"{model.__name__}.{name}: say in OTHER what else it could be"
        yield (*path, name), "operational" in field.metadata, values | {field.alias or name: new}


def base(model: type[Config]) -> dict[str, Any]:
    kind = get_args(model.model_fields["kind"].annotation)[0]
    return {"kind": kind, "model": "org/model"} | (
        {"base_url": "http://here/v1"} if "base_url" in model.model_fields else {}
    )


def key(model: type[Config], values: dict[str, Any], workdir: Workdir) -> str:
    engine = open_engine(model.model_validate(values), "name", workdir)  # type: ignore[arg-type]
    return Request([{"role": "user", "content": "x"}], source="eng_Latn", target="deu_Latn").key(
        engine.fingerprint
    )


@pytest.fixture
def workdir(tmp_path: Path) -> Iterator[Workdir]:
    pinned = {"org/model@main": "c1", "org/model@v2": "c2", "org/other@main": "c3"}
    (tmp_path / "lock.json").write_text(
        json.dumps({name: {"revision": commit} for name, commit in pinned.items()})
    )
    with Workdir(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("model", engines())
def test_identity_changes_the_key_and_operation_does_not(model: type[Config], workdir: Workdir) -> None:
    first = key(model, base(model), workdir)
    seen = {first}
    for path, operational, changed in changes(model, base(model)):
        assert operational == (path[-1] in OPERATIONAL), path
        other = key(model, changed, workdir)
        assert (other == first) == operational, path
        assert operational or other not in seen, path
        seen.add(other)


def test_the_backend_is_identity(workdir: Workdir) -> None:
    generators = [configs.HfGenerator, configs.VllmGenerator]
    assert len({key(model, base(model), workdir) for model in generators}) == 2
    scorers = [configs.RewardModel, configs.VllmRewardModel]
    assert len({key(model, base(model), workdir) for model in scorers}) == 2


def test_a_chat_template_and_weights_are_identity_where_they_lie_is_not(
    tmp_path: Path, workdir: Workdir
) -> None:
    def model(name: str, template: str = "{{ messages }}", weights: bytes = b"w") -> str:
        folder = tmp_path / name / "m"
        folder.mkdir(parents=True)
        (folder / "chat_template.jinja").write_text(template)
        (folder / "model.safetensors").write_bytes(weights)
        return str(folder)

    folders = [model("a"), model("b"), model("c", template="{{ other }}"), model("d", weights=b"v")]
    for kind in (configs.HfGenerator, configs.VllmGenerator):
        keys = [key(kind, base(kind) | {"model": folder}, workdir) for folder in folders]
        assert keys[0] == keys[1]
        assert len(set(keys)) == 3


def test_what_is_asked_is_identity() -> None:
    asked = Request([{"role": "user", "content": "x"}])
    others = [
        Request([{"role": "user", "content": "y"}]),
        Request([{"role": "system", "content": "x"}]),
        Request([{"role": "user", "content": "x"}], sample=1),
        Request([{"role": "user", "content": "x"}], source="eng_Latn"),
        Request([{"role": "user", "content": "x"}], target="deu_Latn"),
        Request([{"role": "user", "content": "x"}, {"role": "assistant", "content": ""}]),
    ]
    assert len({request.key("f") for request in (asked, *others)} | {asked.key("g")}) == len(others) + 2
