"""Addresses, settings and keys of strangers' servers: what is sent, kept and shown, and what tells two apart.

Each case names its source; those without one are our own.
"""

from pathlib import Path
from typing import Any

import pytest
from openai_server import OpenAIServer
from pydantic import ValidationError

from polypref.engines.address import public_name, public_urls, server_name, without_credentials
from polypref.engines.base import Answer
from polypref.engines.http import HttpEngine
from polypref.errors import InputError
from tests.field.questions import ask, config

# What is sent.


def test_settings_rename_leave_out_and_add_what_servers_want(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_KEY", "an-azure-key\n")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    fields = {
        "system": "Be brief.",
        "rename": {"max_tokens": "max_completion_tokens"},
        "drop": ["temperature", "top_p"],
        "extra_body": {"chat_template_kwargs": {"enable_thinking": False}},
        "headers": {"api-key": "$AZURE_KEY", "X-Title": "polypref"},
        "system_as_user": True,
    }
    with OpenAIServer() as server:
        ask(config(f"{server.url}/chat/completions/?api-version=2025-01-01", **fields), tmp_path, 1)
        assert server.calls == [
            {
                "model": "m",
                "messages": [{"role": "user", "content": "Be brief.\n\nquestion 0"}],
                "max_completion_tokens": 1024,
                "chat_template_kwargs": {"enable_thinking": False},
            }
        ]
        assert server.paths == ["/v1/chat/completions?api-version=2025-01-01"]
        assert (server.headers[0]["api-key"], server.headers[0]["X-Title"]) == ("an-azure-key", "polypref")
    assert all(b"an-azure-key" not in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_a_secret_stands_in_the_environment_and_not_in_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"headers\.api-key: write a secret as \$NAME"):
        config("http://host/v1", headers={"api-key": "abc"})
    with (
        OpenAIServer() as server,
        pytest.raises(InputError, match="the environment variable NO_SUCH is not set"),
    ):
        ask(config(server.url, headers={"api-key": "$NO_SUCH"}), tmp_path)


@pytest.mark.parametrize("name", ["", "a b", "X-é", "Content-Length"])
def test_a_header_that_cannot_be_sent_is_named(name: str) -> None:
    with pytest.raises(ValidationError, match=f"headers: '{name}' cannot be set"):
        config("http://host/v1", headers={name: "1"})


# What tells two servers apart.


def test_another_address_of_the_same_server_asks_nothing_again(tmp_path: Path) -> None:
    with OpenAIServer() as server:
        given = ask(config(server.url), tmp_path)
        for url in (
            f"{server.url}/",
            server.url.replace("127.0.0.1", "localhost"),
            "http://user:p@10.1.2.3:1/x",
        ):
            assert ask(config(url), tmp_path) == given
        assert len(server.calls) == 8


def test_another_provider_of_a_model_of_the_same_name_is_asked() -> None:
    def fingerprint(url: str, **fields: Any) -> str:
        return HttpEngine(config(url, **fields), "m").fingerprint

    assert fingerprint("https://api.one.ai/v1") == fingerprint("http://API.one.ai:8000/openai/v1/")
    assert fingerprint("https://api.one.ai/v1") != fingerprint("https://api.two.ai/v1")
    assert fingerprint("https://api.one.ai/v1", identity="x") == fingerprint("https://b.ai", identity="x")
    assert fingerprint("https://api.one.ai/v1", identity="x") != fingerprint("https://api.one.ai/v1")


def test_internal_names_and_credentials_are_not_published() -> None:
    urls = [
        "http://gpu7:8000/v1",
        "http://llm.corp.internal/v1",
        "http://192.168.0.4/v1",
        "http://[::1]:8/v1",
        "http://gpu7.corp/v1",
        "http://llm.intranet:8000/v1",
    ]
    assert [public_name(url) for url in urls] == ["local"] * 6
    assert public_name("https://user:pass@api.one.ai:8443/v1?key=x") == "api.one.ai"
    assert without_credentials("url: https://user:sekret@host/v1, a@b.c") == "url: https://host/v1, a@b.c"
    recipe = (
        "{base_url: http://user:pw@gpu7:8000/v1?api-key=abc} --set url=https://u:p@api.one.ai/v1?sig=x&v=1"
    )
    published = "{base_url: http://local/v1?api-key=...} --set url=https://api.one.ai/v1?sig=...&v=1"
    assert public_urls(recipe) == published
    assert public_urls("HTTP://U:P@GPU7/v1 s3://AK:SK@bucket") == "http://local/v1 s3://bucket"
    assert server_name("http://local/v1") == server_name("http://10.0.0.1/v1")


@pytest.mark.parametrize(
    "url", ["host/v1", "", "ftp://host/v1", "http://host:99999/v1", "http://", "http://h:x"]
)
def test_an_address_that_is_none_is_named_before_any_call(url: str) -> None:
    with pytest.raises(ValidationError, match=r"not an address; expected http://HOST:PORT/v1"):
        config(url)


@pytest.mark.parametrize(
    "fields",
    [
        {"concurrency": 0},
        {"concurrency": -5},
        {"timeout": 0},
        {"timeout": "inf"},
        {"retries": -1},
        {"start_seconds": "nan"},
        {"price": {"input": "inf"}},
        {"sampling": {"temperature": "inf"}},
        {"extra_body": {"stream": True}},
        {"extra_body": {"top_k": float("nan")}},
    ],
)
def test_every_number_has_bounds(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        config("http://host/v1", **fields)


# Keys.


def test_a_key_that_a_server_repeats_is_kept_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sk-very/secret+key"
    monkeypatch.setenv("OPENAI_API_KEY", f"{key}\n")  # hopsworks-api#185: a line break at its end
    said = [f"Your key is {key}.", "In a URL: sk-very%2Fsecret%2Bkey", f"It begins with {key[:12]}…"]
    with OpenAIServer(lambda body: said[int(body["messages"][-1]["content"][-1])]) as server:
        given = ask(config(server.url), tmp_path, 3)
        assert [answer.text for answer in given if answer] == [
            "Your key is $OPENAI_API_KEY",
            "In a URL: $OPENAI_API_KEY",
            "It begins with $OPENAI_API_KEY…",
        ]
        assert server.headers[0]["Authorization"] == f"Bearer {key}"
    assert all(b"secret" not in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_a_word_that_stands_for_no_key_is_not_cut_out_of_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "EMPTY")
    with OpenAIServer(lambda body: "The list is EMPTY.") as server:
        assert ask(config(server.url), tmp_path, 1) == [Answer("The list is EMPTY.", tokens=4)]


def test_a_key_that_no_header_can_hold_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-one\nsk-two")
    with (
        OpenAIServer() as server,
        pytest.raises(InputError, match="OPENAI_API_KEY: holds characters that no"),
    ):
        ask(config(server.url), tmp_path)


def test_credentials_in_the_address_are_sent_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with OpenAIServer() as server:
        url = server.url.replace("http://", "http://user:sekret-PASS@")
        ask(config(url), tmp_path)
        assert server.headers[0]["Authorization"] == "Basic dXNlcjpzZWtyZXQtUEFTUw=="
        server.fault(status=404, body='{"error": {"message": "no model m for user:sekret-PASS"}}')
        with pytest.raises(InputError, match=r"^http://127[^@]*: 404 for model 'm'") as caught:
            ask(config(url, identity="other"), tmp_path)
        assert "sekret" not in str(caught.value)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-a-key")
        with pytest.raises(InputError, match="found credentials in the address and a key in OPENAI_API_KEY"):
            ask(config(url, identity="another"), tmp_path)
