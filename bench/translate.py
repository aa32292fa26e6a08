"""Translation: how much of a prompt's structure survives, counted by the plain patterns of tests/checkers.

The real prompts are in the folder `--data` (`prompts_en/`: MT-Bench, Arena-Hard v0.1, self-instruct).
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.real_text import read_jsonl
from bench.table import Row, show
from bench.translate_speed import DEMO, memory, throughput
from polypref.builders.filters.apply import Filters
from polypref.builders.recipe import Translate
from polypref.builders.text.translator import Translation, translate_texts
from polypref.builders.translate import check_translations
from polypref.engines.base import Engine
from polypref.engines.config import Ct2Translator, PseudoTranslator
from polypref.engines.pseudo import PseudoEngine
from polypref.engines.start import open_engine
from polypref.store.answers import AnswerLog
from polypref.store.workdir import Workdir
from tests.checkers.intact import counted, prose_lines
from tests.checkers.stages import run_stage

Groups = Sequence[Sequence[str]]  # the texts of each prompt
TARGET = "zho_Hans"
FAULTS = 0.3  # share of the sentences that the pseudo-translator damages


def run(args: argparse.Namespace) -> None:
    """Print the topic's tables, which need the folder of real text."""
    if not args.data:
        print("translate: no --data, a folder with prompts_en/")
        return
    prompts = read_prompts(Path(args.data) / "prompts_en")
    all_texts: list[str] = []
    for groups in prompts.values():
        for group in groups:
            all_texts += group
    with tempfile.TemporaryDirectory() as folder:
        show("Structure, by pseudo-localisation into Chinese", structure_figures(prompts, Path(folder)))
        show(
            "Structure, by the demo's NLLB, which never saw such texts", silent_losses(prompts, Path(folder))
        )
        show("Memory, once the model is loaded", memory(all_texts, Path(folder)))
        show("Speed at the shape of NLLB-200 600M", throughput(all_texts, Path(folder)))


def read_prompts(folder: Path) -> dict[str, Groups]:
    """Return {name of a set: the texts of each prompt}: its turns, or instruction, inputs and outputs."""
    self_instruct = []
    for row in read_jsonl(folder / "self_instruct_seed_tasks.jsonl"):
        group = [row["instruction"]]
        for instance in row["instances"]:
            group += [instance["input"], instance["output"]]
        self_instruct.append(group)
    return {
        "MT-Bench": [row["turns"] for row in read_jsonl(folder / "mt_bench_question.jsonl")],
        "Arena-Hard": [[row["prompt"]] for row in read_jsonl(folder / "arena_hard_v0.1_question.jsonl.gz")],
        "self-instruct": self_instruct,
    }


def structure_figures(prompts: dict[str, Groups], folder: Path) -> Iterator[Row]:
    """Yield the counts of what survives, by kind; of damage that is rejected, and of whole rows that are."""
    for name, groups in prompts.items():
        whole, damaged = pseudo_translate(groups, 0.0, folder), pseudo_translate(groups, FAULTS, folder)
        total, wrong = count_kinds(groups, whole)
        for kind, count in total.items():
            yield Row(f"{name}: {kind}", f"{count - wrong[kind]:,} of {count:,}", "all")
        changed = [after for before, after in zip(whole, damaged, strict=True) if before.texts != after.texts]
        named = sum(bool(row.lost) for row in changed)
        yield Row(f"{name}: damaged rows rejected by name", f"{named} of {len(changed)}", "all")
        rejected = sum(bool(row.lost) for row in whole)
        yield Row(f"{name}: whole rows rejected", f"{rejected} of {len(whole)}", "0")


def pseudo_translate(groups: Groups, faults: float, folder: Path) -> list[Translation]:
    config = PseudoTranslator(kind="pseudo", faults=faults)
    engine = PseudoEngine(config, "pseudo")
    log = AnswerLog(folder / f"{engine.fingerprint}.jsonl")
    return translate_all(groups, Translate(engine=config), engine, log)


def translate_all(groups: Groups, config: Translate, engine: Engine, log: AnswerLog) -> list[Translation]:
    """Translate every group; no call of an engine in this process fails."""
    translations = run_stage(translate_texts(groups, TARGET, config), engine, log)
    return [translation for translation in translations if translation is not None]


def count_kinds(groups: Groups, translations: Sequence[Translation]) -> tuple[Counter[str], Counter[str]]:
    """Return how many things of each kind the texts have, and how many are missing or new in translation."""
    total, wrong = Counter[str](), Counter[str]()
    for group, translation in zip(groups, translations, strict=True):
        for before, after in zip(group, translation.texts, strict=True):
            for kind, (count, missing, new) in counted(before, after).items():
                total[kind] += count
                wrong[kind] += missing + new
            lines, same = prose_lines(before, after)
            total["prose lines changed"] += lines
            wrong["prose lines changed"] += same
    return total, wrong


def silent_losses(prompts: dict[str, Groups], folder: Path) -> Iterator[Row]:
    """Yield the counts of rows in which a real translation model lost something that no reason names."""
    translator = Ct2Translator(kind="ct2", model=str(DEMO), max_tokens=24, threads=1)
    config = Translate(engine=translator, filters=Filters(wrong_language=None))
    with Workdir(folder / "demo") as workdir:
        engine = open_engine(translator, "demo", workdir)
        log = workdir.open_log(engine.fingerprint)
        for name, groups in prompts.items():
            translations = translate_all(groups, config, engine, log)
            checked = run_stage(check_translations(groups, translations, TARGET, config), engine, log)
            lossy = silent = 0
            for group, translation, reason in zip(groups, translations, checked["rejected_by"], strict=True):
                _, wrong = count_kinds([group], [translation])
                del wrong["prose lines changed"]
                if wrong.total():
                    lossy += 1
                    silent += reason is None
            yield Row(f"{name}: rows that lost something, not rejected", f"{silent} of {lossy}", "0")
