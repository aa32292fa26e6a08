"""The speed and memory of translation at the shape of NLLB-200 600M.

The weights are random: time is measured, and every sentence gets the same number of tokens from every
contender.
"""

import json
import random
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, median
from typing import Any

from bench.table import Row
from polypref.builders.text.parse import parse, sentences
from polypref.engines.base import Request
from polypref.engines.config import Ct2Translator
from polypref.engines.pool import ask_engine
from polypref.engines.start import open_engine
from polypref.store.answers import AnswerLog
from polypref.store.workdir import Workdir

DEMO = Path(__file__).parent.parent / "polypref" / "demo" / "checkpoints" / "translator"
SENTENCES, TOKENS, ROUNDS = 150, 16, 2
BATCHINGS = ((32, "examples"), (96, "examples"), (4096, "tokens"))  # of CTranslate2: the size, and its unit
LOOP_SHARE = 3  # the loop translates every third sentence: its speed does not depend on their number
LOOP_BATCH = 8
FEW, MANY = 2_000, 20_000


def unique_sentences(texts: Sequence[str]) -> list[str]:
    """Return the sentences that a translator is asked for, each once."""
    found: dict[str, None] = {}
    for text in texts:
        found.update((sentence.text, None) for sentence in sentences(parse(text)))
    return list(found)


def throughput(texts: Sequence[str], folder: Path) -> Iterator[Row]:
    """Measure the engine as a build drives it, CTranslate2 in its best batching, and transformers.generate.

    Each works on one thread and takes turns; its CPU time counts, which other work on the machine hardly
    changes.
    """
    chosen = random.Random(0).sample(unique_sentences(texts), SENTENCES)
    checkpoint = folder / "nllb-600m-shape"
    write_random_nllb(checkpoint, texts)
    config = Ct2Translator(kind="ct2", model=str(checkpoint), max_tokens=TOKENS, threads=1)
    with Workdir(folder / "work") as workdir:
        engine: Any = open_engine(config, "nllb", workdir)
        assert engine.model is not None  # converted and loaded before the clock runs
    requests = [_request(text) for text in chosen]
    bare = {
        f"{size} {unit}": partial(run_ctranslate2, engine, requests, size, unit) for size, unit in BATCHINGS
    }
    loop = TransformersLoop(checkpoint)
    speeds: dict[str, list[float]] = defaultdict(list)  # sentences a CPU second
    for number in range(ROUNDS):
        log = AnswerLog(folder / f"{number}.jsonl")
        speeds["engine"].append(_speed(partial(ask_engine, engine, requests, log), len(chosen)))
        if number == 1:  # from the second round on, only the best batching of the first
            best = max(bare, key=lambda name: speeds[name][0])
            bare = {best: bare[best]}
        for name, translate in bare.items():
            speeds[name].append(_speed(translate, len(chosen)))
        share = chosen[::LOOP_SHARE]
        speeds["loop"].append(_speed(partial(loop.translate, share), len(share)))
    (best,) = bare
    tokens = {answer.tokens for answer in ask_engine(engine, requests, log) if answer is not None}
    assert tokens == {TOKENS}, "a sentence ended early"
    lengths = [len(ids) for ids in engine.tokenizer.encode(requests)]
    print(
        f"{len(chosen)} sentences of {mean(lengths):.0f} tokens (at most {max(lengths)}), {TOKENS} tokens out"
    )
    ours, alone, slow = median(speeds["engine"]), median(speeds[best]), median(speeds["loop"])
    measure = "sentences a CPU second against"
    yield Row(
        f"{measure} transformers.generate, unsorted batches of {LOOP_BATCH}",
        f"{ours:.2f}, x {ours / slow:.2f}",
        "x 4",
        f"{slow:.2f}",
    )
    figure = f"{ours:.2f}, x {ours / alone:.2f}"
    yield Row(f"{measure} CTranslate2 alone", figure, "x 0.95", f"{alone:.2f}, max_batch_size {best}")


def _request(text: str, sample: int = 0) -> Request:
    return Request([{"role": "user", "content": text}], sample, "eng_Latn", "deu_Latn")


def _speed(translate: Callable[[], object], count: int) -> float:
    start = time.process_time()
    translate()
    return count / (time.process_time() - start)


def run_ctranslate2(engine: Any, requests: Sequence[Request], size: int, unit: str) -> object:
    """Translate by one call of CTranslate2, with the same model; it sorts by length itself."""
    to_tokens = engine.tokenizer.tokenizer.convert_ids_to_tokens
    tokens = [to_tokens(ids) for ids in engine.tokenizer.encode(requests)]
    return engine.model.translate_batch(
        tokens,
        target_prefix=[["deu_Latn"]] * len(tokens),
        beam_size=1,
        max_batch_size=size,
        batch_type=unit,
        max_decoding_length=TOKENS + 1,  # the language's code counts
        max_input_length=0,
    )


class TransformersLoop:
    """The loop that one writes first: batches of 8 in the order of the sentences, padded to the longest."""

    def __init__(self, checkpoint: Path) -> None:
        import torch
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        torch.set_num_threads(1)
        self.model = AutoModelForSeq2SeqLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(checkpoint, src_lang="eng_Latn")

    def translate(self, texts: Sequence[str]) -> list[str]:
        import torch

        translations: list[str] = []
        for start in range(0, len(texts), LOOP_BATCH):
            batch = self.tokenizer(list(texts[start : start + LOOP_BATCH]), return_tensors="pt", padding=True)
            with torch.inference_mode():
                output = self.model.generate(
                    **batch,
                    forced_bos_token_id=self.tokenizer.convert_tokens_to_ids("deu_Latn"),
                    num_beams=1,
                    min_new_tokens=TOKENS + 1,
                    max_new_tokens=TOKENS + 1,
                )
            translations += self.tokenizer.batch_decode(output, skip_special_tokens=True)
        return translations


def memory(texts: Sequence[str], folder: Path, few: int = FEW, many: int = MANY) -> Iterator[Row]:
    """Measure the growth of a process while it translates few and many sentences by the demo's model."""
    unique = unique_sentences(texts)
    grown = {}
    for count in (few, many):
        repeated = [unique[number % len(unique)] for number in range(count)]
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            grown[count] = process.submit(peak_growth, repeated, folder).result()
    sizes = ", ".join(f"{count:,}: {size / 2**20:.0f} MiB" for count, size in grown.items())
    figure = f"{(grown[many] - grown[few]) / (many - few):,.0f} bytes"
    yield Row("peak memory for one sentence more", figure, "its text and token ids", sizes)


def peak_growth(texts: Sequence[str], folder: Path) -> int:
    """Return the bytes that the process's peak grows by after the model's first sentences."""
    config = Ct2Translator(kind="ct2", model=str(DEMO), max_tokens=4, threads=1)
    with Workdir(folder / f"{len(texts)}") as workdir:
        engine: Any = open_engine(config, "demo", workdir)
        requests = [_request(text, number) for number, text in enumerate(texts)]
        engine.answer(requests[:8], 0)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for batch in engine.plan(requests):
            engine.answer([requests[place] for place in batch], 0)
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024


def write_random_nllb(folder: Path, texts: Sequence[str]) -> None:
    """Write a checkpoint of NLLB-200-distilled-600M's shape with random weights, and a tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    learner = Tokenizer(models.BPE(unk_token="<unk>"))
    learner.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(vocab_size=16_000, special_tokens=special, show_progress=False)
    learner.train_from_iterator(texts, trainer)
    learnt = json.loads(learner.to_str())["model"]
    merges = [tuple(merge) for merge in learnt["merges"]]
    tokenizer = NllbTokenizer(vocab=learnt["vocab"], merges=merges, src_lang="eng_Latn", tgt_lang="deu_Latn")
    tokenizer.save_pretrained(folder)
    config = M2M100Config(
        vocab_size=256_206,
        d_model=1024,
        encoder_layers=12,
        decoder_layers=12,
        encoder_ffn_dim=4096,
        decoder_ffn_dim=4096,
        encoder_attention_heads=16,
        decoder_attention_heads=16,
        scale_embedding=True,
        max_position_embeddings=1024,
    )
    with torch.device("meta"):  # without the default initialisation, which takes longer than drawing
        model = M2M100ForConditionalGeneration(config)
    model = model.to_empty(device="cpu")
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.02, generator=draw)
    model.tie_weights()
    model.save_pretrained(folder)
