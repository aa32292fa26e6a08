"""The cards of the tiny checkpoints: role, training data, and accuracy on held-out combinations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from polypref.demo.world import ENGLISH, LANGUAGES
from polypref.languages.codes import language
from tools.demo_models.accuracy import Accuracy


@dataclass(frozen=True, slots=True)
class Role:
    """The part of a card that does not change with training."""

    stands_for: str
    task: str
    languages: tuple[str, ...]
    data: str


ROLES: Mapping[str, Role] = {
    "translator": Role(
        "NLLB-200 (M2M-100's architecture, NLLB's tokenizer class and FLORES codes)",
        "translation",
        LANGUAGES,
        "English sentences of the training combinations and their counterparts in the 22 other languages: "
        "prompts, right and bad answers, and quoted words. It translates from English only.",
    ),
    "strong": Role(
        "a strong multilingual generator (Cohere's architecture, Aya 23's chat template)",
        "text-generation",
        LANGUAGES,
        "prompts of the training combinations in 23 languages, with 92% right answers and 8% bad ones of "
        "eight kinds, and a glossary of all words.",
    ),
    "weak": Role(
        "a weaker generator that writes in English (Cohere's architecture, Aya 23's chat template)",
        "text-generation",
        (ENGLISH,),
        "English prompts of the training combinations, with 60% right answers and 40% that are of no use or "
        "state a wrong fact, and an English glossary.",
    ),
    "policy": Role(
        "the base model that preference training starts from (Cohere's architecture, Aya 23's chat template)",
        "text-generation",
        LANGUAGES,
        "the data of `strong`, and then on the same prompts with 55% right answers and 45% of no use.",
    ),
    "reward": Role(
        "a reward model (Qwen3 sequence classifier with one output, as Skywork-Reward-V2-Qwen3)",
        "text-classification",
        LANGUAGES,
        "pairs of a right and a bad answer to the prompts of the training combinations in 23 languages, with "
        "the Bradley-Terry loss.",
    ),
}

CARD = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: {task}
language:
{codes}
tags:
- toy
- synthetic
- multilingual
---

# {name}: a toy of the miniature world

A transformer of {parameters:,} parameters that stands for {stands_for} in polypref's demo.

**It is a toy.** It knows one miniature world (12 tasks about 40 words, written by hand in 23 languages) and
nothing else. Use it to try the pipeline and in tests; its numbers say nothing about any real model.

## Training

Trained from scratch on {data}

The checkpoints learn from 60% of the world's 480 combinations of task and word. None of them has seen the
other 192, on which the demo builds.

Training took {steps:,} steps of AdamW. The mean loss was {first:.3f} in the first 20 steps and {last:.3f} in
the last 20. `python -m tools.demo_models.checkpoints` trains the model anew.

## Accuracy on held-out combinations

{title}: {share:.1%} over all languages.

| language | share |
|---|---|
{rows}
{verdicts}"""


def card(name: str, parameters: int, losses: Sequence[float], accuracy: Accuracy) -> str:
    """Return the card of checkpoint `name` as Markdown with the Hub's metadata."""
    role = ROLES[name]
    codes = sorted({language(code).short_code for code in role.languages})
    rows = [f"| {language(code).name} | {share:.1%} |" for code, share in sorted(accuracy.languages.items())]
    counts = ", ".join(f"{verdict} {count}" for verdict, count in accuracy.verdicts.items())
    return CARD.format(
        name=name,
        task=role.task,
        codes="\n".join(f'- "{code}"' for code in codes),
        parameters=parameters,
        stands_for=role.stands_for,
        data=role.data,
        steps=len(losses),
        first=mean(losses[:20]),
        last=mean(losses[-20:]),
        title=accuracy.title[0].upper() + accuracy.title[1:],
        share=accuracy.share,
        rows="\n".join(rows),
        verdicts=f"\nCounts: {counts}.\n" if counts else "",
    )


def write_card(name: str, folder: Path, parameters: int, losses: Sequence[float], accuracy: Accuracy) -> None:
    """Write the checkpoint's README.md."""
    (folder / "README.md").write_text(card(name, parameters, losses, accuracy), "utf-8")
