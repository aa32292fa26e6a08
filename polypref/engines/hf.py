"""transformers in this process: causal models with a chat template, and translation models. For CPUs, the demo, tests, small jobs."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from polypref.engines.base import Answer, Request, batches_by_length
from polypref.engines.config import HfGenerator, HfTranslator
from polypref.engines.seq2seq import TranslationTokenizer
from polypref.errors import InputError
from polypref.store.revisions import ResolvedModel, hub_errors


class HfGeneratorEngine:
    """A causal language model that answers chats through its own chat template."""

    def __init__(self, config: HfGenerator, name: str, model: ResolvedModel) -> None:
        self.name, self.config, self.resolved = name, config, model
        self.fingerprint = model.fingerprint(config.identity())

    @cached_property
    def tokenizer(self) -> Any:
        tokenizer = load_tokenizer(self.resolved)
        if tokenizer.chat_template is None:
            raise InputError(
                f"{self.resolved.model}: its tokenizer has no chat template; expected an instruction-tuned model"
            )
        return tokenizer

    @cached_property
    def model(self) -> Any:
        from transformers import AutoModelForCausalLM

        return load_model(AutoModelForCausalLM, self.resolved, self.config.dtype, self.config.device)

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        lengths = [len(ids) + self.config.sampling.max_tokens for ids in map(self._ids, requests)]
        return batches_by_length(requests, lengths, self.config.tokens_per_batch)

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        import torch

        prompts = [self._ids(request) for request in batch]
        width, pad = max(map(len, prompts)), self.tokenizer.pad_token_id
        pad = self.tokenizer.eos_token_id if pad is None else pad
        ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts], device=self.model.device)
        mask = torch.tensor(
            [[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=self.model.device
        )
        sampling = self.config.sampling
        drawn: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        if sampling.temperature > 0:
            drawn = {
                "do_sample": True,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "top_k": 0,
            }
        torch.manual_seed(seed)
        with torch.inference_mode():
            out = self.model.generate(
                ids, attention_mask=mask, max_new_tokens=sampling.max_tokens, pad_token_id=pad, **drawn
            )
        return [self._answer(tokens) for tokens in out[:, width:].tolist()]

    def _ids(self, request: Request) -> list[int]:
        system = [{"role": "system", "content": self.config.system}] if self.config.system else []
        messages = [*system, *request.messages]
        ids: list[int] = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=True, return_dict=False
        )
        return ids

    def _answer(self, tokens: list[int]) -> Answer:
        ends = self.model.generation_config.eos_token_id
        stops = {self.tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}
        end = next((i for i, token in enumerate(tokens) if token in stops), None)
        text = self.tokenizer.decode(tokens[:end], skip_special_tokens=True)
        return Answer(text, "length" if end is None else "stop", len(tokens) if end is None else end + 1)


class HfTranslatorEngine:
    """M2M-100, NLLB-200 or MADLAD-400 by transformers."""

    def __init__(self, config: HfTranslator, name: str, model: ResolvedModel) -> None:
        self.name, self.config, self.resolved = name, config, model
        self.fingerprint = model.fingerprint(config.identity())

    @cached_property
    def marks(self) -> TranslationTokenizer:
        return TranslationTokenizer(load_tokenizer(self.resolved), self.resolved.model)

    @cached_property
    def model(self) -> Any:
        from transformers import AutoModelForSeq2SeqLM

        return load_model(AutoModelForSeq2SeqLM, self.resolved, self.config.dtype, self.config.device)

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        return self.marks.plan(requests, self.config.tokens_per_batch, self.config.max_tokens)

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        import torch

        sources = self.marks.encode(batch)
        width, pad, device = max(map(len, sources)), self.marks.tokenizer.pad_token_id, self.model.device
        ids = torch.tensor([s + [pad] * (width - len(s)) for s in sources], device=device)
        mask = torch.tensor([[1] * len(s) + [0] * (width - len(s)) for s in sources], device=device)
        begin = self.model.config.decoder_start_token_id
        start = torch.tensor([[begin, *self.marks.prefix(request)] for request in batch], device=device)
        with torch.inference_mode():
            out = self.model.generate(
                ids,
                attention_mask=mask,
                decoder_input_ids=start,
                num_beams=self.config.beams,
                do_sample=False,
                max_new_tokens=self.config.max_tokens,
            )
        return [self.marks.answer(tokens) for tokens in out[:, start.shape[1] :].tolist()]


def device_of(device: str) -> str:
    """`auto` is the first accelerator, or the CPU."""
    import torch

    if device != "auto":
        return device
    return torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"


def load_tokenizer(model: ResolvedModel) -> Any:
    """Raises InputError where the files are not a tokenizer."""
    from transformers import AutoTokenizer

    with hub_errors(f"{model.model}: cannot be loaded"):
        return AutoTokenizer.from_pretrained(model.location, revision=model.hub_revision)


def load_model(auto_class: Any, model: ResolvedModel, dtype: str, device: str) -> Any:
    """A model in eval mode on its device; `auto` dtype is the checkpoint's, float32 on a CPU.

    Raises InputError where the files are not such a model.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()  # a bar for every loaded weight says nothing beside our own
    device = device_of(device)
    if dtype == "auto" and device == "cpu":
        dtype = "float32"
    with hub_errors(f"{model.model}: cannot be loaded"):
        loaded = auto_class.from_pretrained(model.location, revision=model.hub_revision, dtype=dtype)
    return loaded.to(device).eval()
