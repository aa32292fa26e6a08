"""Generators and translators by transformers in this process: for CPUs, the demo, tests and small jobs."""

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

from polypref.engines.base import Answer, Request, batches_by_length
from polypref.engines.checkpoints import CheckpointEngine, answer_chats, load_model, load_tokenizer, pad_batch
from polypref.engines.config import HfGenerator, HfTranslator
from polypref.engines.seq2seq import TranslatorEngine
from polypref.errors import InputError


class HfGeneratorEngine(CheckpointEngine):
    """A causal language model that answers chats through its own chat template."""

    config: HfGenerator

    @cached_property
    def tokenizer(self) -> Any:
        tokenizer = load_tokenizer(self.resolved)
        if tokenizer.chat_template is None:
            raise InputError(
                f"{self.resolved.model}: its tokenizer has no chat template; "
                "expected an instruction-tuned model"
            )
        return tokenizer

    @cached_property
    def model(self) -> Any:
        from transformers import AutoModelForCausalLM

        return load_model(AutoModelForCausalLM, self.resolved, self.config.dtype, self.config.device)

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        longest_answer = self.config.sampling.max_tokens
        lengths = [len(self._encode(request)) + longest_answer for request in requests]  # also of a refusal
        return batches_by_length(requests, lengths, self.config.tokens_per_batch)

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        prompts = [self._encode(request) for request in batch]
        return answer_chats(prompts, partial(self._generate, seed))

    def _generate(self, seed: int, prompts: list[list[int]]) -> list[Answer]:
        import torch

        pad = self.tokenizer.pad_token_id
        if pad is None:
            pad = self.tokenizer.eos_token_id
        inputs = pad_batch(prompts, pad, self.model.device, left=True)  # answers begin where prompts end
        torch.manual_seed(seed)
        with torch.inference_mode():
            output = self.model.generate(
                **inputs,
                max_new_tokens=self.config.sampling.max_tokens,
                pad_token_id=pad,
                **self._sampling(),
            )
        width = inputs["input_ids"].shape[1]
        return [self._decode(tokens) for tokens in output[:, width:].tolist()]

    def _sampling(self) -> dict[str, Any]:
        """Return arguments for `generate` that leave nothing to the checkpoint's own defaults."""
        sampling = self.config.sampling
        if sampling.temperature == 0:
            return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        return {
            "do_sample": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": 0,  # off
        }

    def _encode(self, request: Request) -> list[int] | str:
        system = [{"role": "system", "content": self.config.system}] if self.config.system else []
        return self.encode_chat([*system, *request.messages], add_generation_prompt=True)

    def _decode(self, tokens: list[int]) -> Answer:
        ends = self.model.generation_config.eos_token_id
        stops = {self.tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}
        count = len(tokens)
        for position, token in enumerate(tokens):
            if token in stops:
                count = position
                break
        text = self.tokenizer.decode(tokens[:count], skip_special_tokens=True)
        if count == len(tokens):
            return Answer(text, "length", count)
        return Answer(text, "stop", count + 1)


class HfTranslatorEngine(TranslatorEngine):
    """M2M-100, NLLB-200 or MADLAD-400."""

    config: HfTranslator

    @cached_property
    def model(self) -> Any:
        from transformers import AutoModelForSeq2SeqLM

        return load_model(AutoModelForSeq2SeqLM, self.resolved, self.config.dtype, self.config.device)

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        import torch

        device, begin = self.model.device, self.model.config.decoder_start_token_id
        inputs = pad_batch(self.tokenizer.encode(batch), self.tokenizer.tokenizer.pad_token_id, device)
        prefixes = [[begin, *self.tokenizer.prefix(request)] for request in batch]
        with torch.inference_mode():
            output = self.model.generate(
                **inputs,
                decoder_input_ids=torch.tensor(prefixes, device=device),
                num_beams=self.config.beams,
                do_sample=False,
                max_new_tokens=self.config.max_tokens,
            )
        return [self.tokenizer.decode(tokens) for tokens in output[:, len(prefixes[0]) :].tolist()]
