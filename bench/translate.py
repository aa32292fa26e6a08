"""Translation: what of a prompt's structure survives, and how fast sentences go at the shape of NLLB-200 600M.

The real prompts are in the folder `--data` (`prompts_en/`: MT-Bench, Arena-Hard v0.1, self-instruct). The weights are
random: what is measured is time, and every sentence gets the same number of tokens from everybody.
"""

import argparse
import gzip
import json
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.table import Row, show
from builders.config import Translate
from builders.structure import parse, sentences
from builders.translate import Translation, texts
from engines.base import InProcess, Request
from engines.config import Ct2Translator, PseudoTranslator
from engines.pool import answers
from engines.pseudo import Pseudo
from store.answers import AnswerLog
from store.workdir import Workdir
from tests.checkers.intact import counted, prose_lines

SENTENCES, TOKENS, ROUNDS = 96, 24, 2
FAULTS = 0.3


def run(args: argparse.Namespace) -> None:
    if not args.data:
        print("  wants --data: a folder with prompts_en/")
        return
    prompts = {name: list(read) for name, read in real_prompts(Path(args.data) / "prompts_en").items()}
    structure(prompts)
    throughput([text for groups in prompts.values() for group in groups for text in group])


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


def translated(groups: Sequence[Sequence[str]], target: str, config: Translate, engine: InProcess) -> list[Translation]:
    """What the stage makes of groups of texts, asked of an engine in this process."""
    asking = texts(groups, target, config)
    try:
        requests = next(asking)
        while True:
            found = {
                i: a for batch in engine.plan(requests) for i, a in zip(batch, engine.answer([requests[i] for i in batch], 0), strict=True)
            }
            requests = asking.send([found[i] for i in range(len(requests))])
    except StopIteration as stop:
        return list(stop.value)


def structure(prompts: dict[str, list[list[str]]]) -> None:
    rows: list[Row] = []
    for name, groups in prompts.items():
        whole, faulty = (PseudoTranslator(kind="pseudo", faults=faults) for faults in (0.0, FAULTS))
        made = translated(groups, "zho_Hans", Translate(engine=whole), Pseudo(whole, "pseudo"))
        total, wrong = Counter[str](), Counter[str]()
        for source, translation in ((s, t) for group, row in zip(groups, made, strict=True) for s, t in zip(group, row.texts, strict=True)):
            for kind, (count, lacking, more) in counted(source, translation).items():
                total[kind] += count
                wrong[kind] += lacking + more
            lines, same = prose_lines(source, translation)
            total["prose lines changed"] += lines
            wrong["prose lines changed"] += same
        rows += [(f"{name}: {kind}", f"{count - wrong[kind]:,} of {count:,}", "all", "") for kind, count in total.items()]
        damaged = translated(groups, "zho_Hans", Translate(engine=faulty), Pseudo(faulty, "pseudo"))
        bad = [after for before, after in zip(made, damaged, strict=True) if before.texts != after.texts]
        rows.append((f"{name}: damaged rows rejected by name", f"{sum(bool(row.lost) for row in bad)} of {len(bad)}", "all", ""))
        rows.append((f"{name}: whole rows rejected", f"{sum(bool(row.lost) for row in made)} of {len(made)}", "0", ""))
    show("structure, by pseudo-localisation into Chinese", rows)


def throughput(prompts: Sequence[str]) -> None:
    """Sentences a second: the engine as a build drives it, CTranslate2 alone, a loop of transformers.generate.

    Each on one thread, in seconds of its CPU time, which other work on the machine hardly changes.
    """
    unique = list(dict.fromkeys(sentence.text for text in prompts for sentence in sentences(parse(text))))
    chosen = unique[:: max(1, len(unique) // SENTENCES)][:SENTENCES]
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "nllb-600m-shape"
        random_nllb(checkpoint, prompts)
        with Workdir(Path(folder) / "work") as workdir:
            from engines.config import start

            config = Ct2Translator(kind="ct2", model=str(checkpoint), max_tokens=TOKENS, threads=1)
            engine: Any = start(config, "nllb", workdir)
            ways = _ways(engine, chosen, Path(folder), checkpoint)
            assert engine.model is not None  # converted and loaded before the clock runs
            transformers_loop(checkpoint, chosen[:1])
            seconds: dict[str, list[float]] = {name: [] for name in ways}
            for number in range(1, ROUNDS + 1):
                for name, way in ways.items():
                    begun = time.process_time()
                    way(number)
                    seconds[name].append(time.process_time() - begun)
                    print(f"  {name}: {len(chosen) / seconds[name][-1]:.2f} sentences a CPU second", flush=True)
    speed = {name: len(chosen) / median(times) for name, times in seconds.items()}
    loop, (best, bare) = (
        speed.pop("transformers, batches of 8"),
        max(((n, s) for n, s in speed.items() if n != "ct2 engine"), key=lambda x: x[1]),
    )
    ours = speed["ct2 engine"]
    lengths = [
        len(ids) for ids in engine.marks.encode([Request([{"role": "user", "content": t}], 0, "eng_Latn", "deu_Latn") for t in chosen])
    ]
    show(
        f"{len(chosen)} sentences of real prompts, {TOKENS} tokens each, NLLB-200 600M's shape, random weights",
        [
            ("source tokens a sentence, mean and longest", f"{sum(lengths) / len(lengths):.0f}, {max(lengths)}", "", ""),
            ("sentences a CPU second against a loop of transformers.generate", f"{ours:.2f}, x {ours / loop:.2f}", "x 4", f"transformers {loop:.2f}"),
            ("sentences a CPU second against CTranslate2 alone", f"{ours:.2f}, x {ours / bare:.2f}", "x 0.95", f"{best} {bare:.2f}"),
            ("peak memory of it all, GiB", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f}", "", ""),
        ],
    )


def _ways(engine: Any, chosen: Sequence[str], folder: Path, checkpoint: Path) -> dict[str, Callable[[int], object]]:
    requests = [Request([{"role": "user", "content": text}], source="eng_Latn", target="deu_Latn") for text in chosen]
    names = engine.marks.tokenizer.convert_ids_to_tokens

    def ours(number: int) -> object:
        return answers(engine, requests, AnswerLog(folder / f"{number}.jsonl"))

    def bare(size: int, kind: str) -> Callable[[int], object]:
        def way(number: int) -> object:
            tokens = [names(ids) for ids in engine.marks.encode(requests)]
            prefix = [["deu_Latn"]] * len(tokens)
            how = {"beam_size": 1, "max_batch_size": size, "batch_type": kind}
            return engine.model.translate_batch(tokens, target_prefix=prefix, max_decoding_length=TOKENS, max_input_length=0, **how)

        return way

    def loop(number: int) -> object:
        return transformers_loop(checkpoint, chosen)

    sizes = ((32, "examples"), (96, "examples"), (2048, "tokens"))
    alone = {f"ctranslate2, {size} {kind}": bare(size, kind) for size, kind in sizes}
    return {"ct2 engine": ours, **alone, "transformers, batches of 8": loop}


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
            made = model.generate(**batch, forced_bos_token_id=target, num_beams=1, min_new_tokens=TOKENS, max_new_tokens=TOKENS)
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
    tokenizer.train_from_iterator(prompts, trainers.BpeTrainer(vocab_size=16_000, special_tokens=special, show_progress=False))
    made = json.loads(tokenizer.to_str())["model"]
    merges = [tuple(merge) for merge in made["merges"]]
    NllbTokenizer(vocab=made["vocab"], merges=merges, src_lang="eng_Latn", tgt_lang="deu_Latn").save_pretrained(folder)
    shape = {
        f"{side}_{name}": n for side in ("encoder", "decoder") for name, n in (("layers", 12), ("ffn_dim", 4096), ("attention_heads", 16))
    }
    config = M2M100Config(vocab_size=256_206, d_model=1024, scale_embedding=True, max_position_embeddings=1024, **shape)
    with torch.device("meta"):
        model = M2M100ForConditionalGeneration(config)
    model = model.to_empty(device="cpu")
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.02, generator=draw)
    model.tie_weights()
    model.save_pretrained(folder)
