"""Translation: what of a prompt's structure survives, and how fast sentences go at the shape of NLLB-200 600M.

The real prompts are in the folder `--data` (`prompts_en/`: MT-Bench, Arena-Hard v0.1, self-instruct). The weights are
random: what is measured is time, and every sentence gets the same number of tokens from everybody.
"""

import argparse
import gzip
import json
import random
import resource
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

from bench.table import Row, show
from polypref.builders.filters.apply import Filters
from polypref.builders.recipe import Translate
from polypref.builders.tables.translate import answered
from polypref.builders.text.parse import parse, sentences
from polypref.builders.translate import Translation, check_translations, texts
from polypref.engines.base import Request
from polypref.engines.config import Ct2Translator, PseudoTranslator
from polypref.engines.pool import ask_engine
from polypref.engines.pseudo import PseudoEngine
from polypref.engines.start import open_engine
from polypref.store.answers import AnswerLog
from polypref.store.workdir import Workdir
from tests.checkers.intact import counted, prose_lines

FAULTS = 0.3
SENTENCES, TOKENS, ROUNDS = 150, 16, 2
BATCHINGS = ((32, "examples"), (96, "examples"), (4096, "tokens"))
FEW, MANY = 2_000, 20_000
DEMO = Path(__file__).parent.parent / "polypref" / "demo" / "checkpoints" / "translator"


def run(args: argparse.Namespace) -> None:
    if not args.data:
        print("  wants --data: a folder with prompts_en/")
        return
    prompts = {name: list(read) for name, read in real_prompts(Path(args.data) / "prompts_en").items()}
    every = [text for groups in prompts.values() for group in groups for text in group]
    with tempfile.TemporaryDirectory() as folder:
        structure(prompts, Path(folder))
        memory(every, Path(folder))
        throughput(every, Path(folder))


def real_prompts(folder: Path) -> dict[str, list[list[str]]]:
    """The turns of each prompt, by set; of self-instruct also inputs and outputs."""

    def rows(name: str) -> list[dict[str, Any]]:
        content = (folder / name).read_bytes()
        text = gzip.decompress(content) if name.endswith(".gz") else content
        return [json.loads(line) for line in text.decode().split("\n") if line]

    return {
        "MT-Bench": [row["turns"] for row in rows("mt_bench_question.jsonl")],
        "Arena-Hard": [[row["prompt"]] for row in rows("arena_hard_v0.1_question.jsonl.gz")],
        "self-instruct": [
            [row["instruction"], *(case[key] for case in row["instances"] for key in ("input", "output"))]
            for row in rows("self_instruct_seed_tasks.jsonl")
        ],
    }


def structure(prompts: dict[str, list[list[str]]], folder: Path) -> None:
    def translated(groups: Sequence[Sequence[str]], faults: float) -> list[Translation]:
        config = PseudoTranslator(kind="pseudo", faults=faults)
        engine = PseudoEngine(config, "pseudo")
        asking = texts(groups, "zho_Hans", Translate(engine=config))
        return [
            row
            for row in answered(asking, engine, AnswerLog(folder / f"{engine.fingerprint}.jsonl"))
            if row is not None
        ]

    rows: list[Row] = []
    for name, groups in prompts.items():
        made, damaged = translated(groups, 0.0), translated(groups, FAULTS)
        total, wrong = Counter[str](), Counter[str]()
        for source, translation in (
            (s, t)
            for group, row in zip(groups, made, strict=True)
            for s, t in zip(group, row.texts, strict=True)
        ):
            for kind, (count, lacking, more) in counted(source, translation).items():
                total[kind] += count
                wrong[kind] += lacking + more
            lines, same = prose_lines(source, translation)
            total["prose lines changed"] += lines
            wrong["prose lines changed"] += same
        rows += [
            (f"{name}: {kind}", f"{count - wrong[kind]:,} of {count:,}", "all", "")
            for kind, count in total.items()
        ]
        bad = [after for before, after in zip(made, damaged, strict=True) if before.texts != after.texts]
        rows.append(
            (
                f"{name}: damaged rows rejected by name",
                f"{sum(bool(row.lost) for row in bad)} of {len(bad)}",
                "all",
                "",
            )
        )
        rows.append(
            (f"{name}: whole rows rejected", f"{sum(bool(row.lost) for row in made)} of {len(made)}", "0", "")
        )
        rows.append(losses(name, groups, folder))
    show(
        "structure, by pseudo-localisation into Chinese, and by the demo's NLLB, which never saw such texts",
        rows,
    )


def losses(name: str, groups: Sequence[Sequence[str]], folder: Path) -> Row:
    """Of the rows in which a real translation model lost something, those that no reason rejects."""
    config = Translate(
        engine=Ct2Translator(kind="ct2", model=str(DEMO), max_tokens=24, threads=1),
        filters=Filters(wrong_language=None),
    )
    with Workdir(folder / "demo") as workdir:
        engine = open_engine(config.engine, "demo", workdir)  # type: ignore[arg-type]
        log = workdir.open_log(engine.fingerprint)
        translations = answered(texts(groups, "zho_Hans", config), engine, log)
        made = [row for row in translations if row is not None]
        checked = answered(check_translations(groups, made, "zho_Hans", config), engine, log)
    lossy = [
        any(
            lacking + more
            for both in zip(group, row.texts, strict=True)
            for _, lacking, more in counted(*both).values()
        )
        for group, row in zip(groups, made, strict=True)
    ]
    silent = sum(lost and reason is None for lost, reason in zip(lossy, checked["rejected_by"], strict=True))
    return (
        f"{name}: rows in which the demo's NLLB lost something, not rejected",
        f"{silent} of {sum(lossy)}",
        "0",
        "",
    )


def throughput(prompts: Sequence[str], folder: Path) -> None:
    """Sentences a second: the engine as a build drives it, CTranslate2 alone in its best batching, a loop of transformers.generate.

    Each on one thread, in seconds of its CPU time, which other work on the machine hardly changes; in turns, the median
    of the rounds. The loop takes every third sentence: its speed does not depend on their number.
    """
    unique = list(dict.fromkeys(sentence.text for text in prompts for sentence in sentences(parse(text))))
    chosen = random.Random(0).sample(unique, SENTENCES)
    checkpoint = folder / "nllb-600m-shape"
    random_nllb(checkpoint, prompts)
    with Workdir(folder / "work") as workdir:
        engine: Any = open_engine(
            Ct2Translator(kind="ct2", model=str(checkpoint), max_tokens=TOKENS, threads=1), "nllb", workdir
        )
        assert engine.model is not None  # converted and loaded before the clock runs
    requests = [
        Request([{"role": "user", "content": text}], source="eng_Latn", target="deu_Latn") for text in chosen
    ]
    bare = {f"{size} {kind}": partial(alone, engine, requests, size, kind) for size, kind in BATCHINGS}
    loop = partial(transformers_loop, checkpoint, chosen[::3])
    transformers_loop(checkpoint, chosen[:1])  # loaded
    speed: dict[str, list[float]] = defaultdict(list)
    for number in range(ROUNDS):
        log = AnswerLog(folder / f"{number}.jsonl")
        speed["engine"].append(timed(partial(ask_engine, engine, requests, log), len(chosen)))
        if number:  # the best one of the first round, from then on
            bare = {
                name: way for name, way in bare.items() if name == max(bare, key=lambda name: speed[name][0])
            }
        for name, way in bare.items():
            speed[name].append(timed(way, len(chosen)))
        speed["loop"].append(timed(loop, len(chosen[::3])))
    (best,) = bare
    ours, rival, naive = (median(speed[name]) for name in ("engine", best, "loop"))
    assert {answer.tokens for answer in ask_engine(engine, requests, log) if answer} == {TOKENS}, (
        "a sentence ended early"
    )
    lengths = [len(ids) for ids in engine.marks.encode(requests)]
    title = f"{len(chosen)} sentences of real prompts (source tokens: mean {sum(lengths) / len(lengths):.0f}, longest {max(lengths)})"
    what = "sentences a CPU second against"
    show(
        f"{title}, {TOKENS} tokens out, NLLB-200 600M's shape, random weights",
        [
            (
                f"{what} transformers.generate, unsorted batches of 8",
                f"{ours:.2f}, x {ours / naive:.2f}",
                "x 4",
                f"{naive:.2f}",
            ),
            (
                f"{what} CTranslate2 alone",
                f"{ours:.2f}, x {ours / rival:.2f}",
                "x 0.95",
                f"{rival:.2f}, max_batch_size {best}",
            ),
        ],
    )


def timed(way: Callable[[], object], sentences: int) -> float:
    begun = time.process_time()
    way()
    return sentences / (time.process_time() - begun)


def alone(engine: Any, requests: Sequence[Request], size: int, kind: str) -> object:
    """The same model by one call of CTranslate2, which sorts by length itself."""
    names = engine.marks.tokenizer.convert_ids_to_tokens
    tokens = [names(ids) for ids in engine.marks.encode(requests)]
    how = {
        "beam_size": 1,
        "max_batch_size": size,
        "batch_type": kind,
        "max_decoding_length": TOKENS + 1,
        "max_input_length": 0,
    }
    return engine.model.translate_batch(tokens, target_prefix=[["deu_Latn"]] * len(tokens), **how)


def memory(prompts: Sequence[str], folder: Path) -> None:
    """What a process grows by while it translates few and many sentences by the demo's model, each in a process of its own."""
    unique = list(dict.fromkeys(sentence.text for text in prompts for sentence in sentences(parse(text))))
    grown = {}
    for count in (FEW, MANY):
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            grown[count] = process.submit(
                growth, [unique[i % len(unique)] for i in range(count)], folder
            ).result()
    each = (grown[MANY] - grown[FEW]) / (MANY - FEW)
    both = ", ".join(f"{count:,}: {size / 2**20:.0f} MiB" for count, size in grown.items())
    show(
        "memory, once the model is loaded",
        [("peak memory for one sentence more", f"{each:,.0f} bytes", "its text and token ids", both)],
    )


def growth(texts: Sequence[str], folder: Path) -> int:
    """Bytes that the process's peak grows by, once the model is loaded and has translated something."""
    with Workdir(folder / f"{len(texts)}") as workdir:
        engine: Any = open_engine(
            Ct2Translator(kind="ct2", model=str(DEMO), max_tokens=4, threads=1), "demo", workdir
        )
        requests = [
            Request([{"role": "user", "content": text}], i, "eng_Latn", "deu_Latn")
            for i, text in enumerate(texts)
        ]
        engine.answer(requests[:8], 0)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for batch in engine.plan(requests):
            engine.answer([requests[i] for i in batch], 0)
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024


LOADED: dict[str, Any] = {}


def transformers_loop(checkpoint: Path, chosen: Sequence[str]) -> object:
    """What one writes first: batches of 8 in the order of the sentences, padded to the longest."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    if not LOADED:
        torch.set_num_threads(1)
        LOADED["model"] = AutoModelForSeq2SeqLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
        LOADED["tokenizer"] = AutoTokenizer.from_pretrained(checkpoint, src_lang="eng_Latn")
    model, tokenizer, out = LOADED["model"], LOADED["tokenizer"], []
    with torch.inference_mode():
        for start in range(0, len(chosen), 8):
            batch = tokenizer(list(chosen[start : start + 8]), return_tensors="pt", padding=True)
            target = tokenizer.convert_tokens_to_ids("deu_Latn")
            made = model.generate(
                **batch,
                forced_bos_token_id=target,
                num_beams=1,
                min_new_tokens=TOKENS + 1,
                max_new_tokens=TOKENS + 1,
            )
            out += tokenizer.batch_decode(made, skip_special_tokens=True)
    return out


def random_nllb(folder: Path, prompts: Sequence[str]) -> None:
    """A checkpoint of NLLB-200-distilled-600M's shape with random weights, and a tokenizer trained on the prompts."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(
        prompts, trainers.BpeTrainer(vocab_size=16_000, special_tokens=special, show_progress=False)
    )
    made = json.loads(tokenizer.to_str())["model"]
    merges = [tuple(merge) for merge in made["merges"]]
    NllbTokenizer(
        vocab=made["vocab"], merges=merges, src_lang="eng_Latn", tgt_lang="deu_Latn"
    ).save_pretrained(folder)
    shape = {
        f"{side}_{name}": n
        for side in ("encoder", "decoder")
        for name, n in (("layers", 12), ("ffn_dim", 4096), ("attention_heads", 16))
    }
    config = M2M100Config(
        vocab_size=256_206, d_model=1024, scale_embedding=True, max_position_embeddings=1024, **shape
    )
    with torch.device("meta"):
        model = M2M100ForConditionalGeneration(config)
    model = model.to_empty(device="cpu")
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.02, generator=draw)
    model.tie_weights()
    model.save_pretrained(folder)
