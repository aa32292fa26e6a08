"""The cards of the tiny checkpoints: what each is, what it was trained on, and how right it is on held-out combinations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from polypref.demo.world import ENGLISH, LANGUAGES
from polypref.languages.codes import language
from tools.demo_models.accuracy import Measured


@dataclass(frozen=True, slots=True)
class About:
    """What a card says of one checkpoint."""

    stands_for: str
    task: str
    languages: tuple[str, ...]
    trained_on: str


ABOUT: Mapping[str, About] = {
    "translator": About(
        "NLLB-200 (M2M-100's architecture, NLLB's tokenizer class and FLORES codes)",
        "translation",
        LANGUAGES,
        "English sentences of the training combinations with their counterparts in the 22 other languages: prompts, right and bad answers, "
        "quoted words. It translates from English only.",
    ),
    "strong": About(
        "a strong multilingual generator (Cohere's architecture, Aya 23's chat template)",
        "text-generation",
        LANGUAGES,
        "prompts of the training combinations in 23 languages, 92% of the answers right and 8% bad in eight ways, and a glossary of all "
        "words.",
    ),
    "weak": About(
        "a weaker generator that writes in English (Cohere's architecture, Aya 23's chat template)",
        "text-generation",
        (ENGLISH,),
        "English prompts of the training combinations, 60% of the answers right and 40% of no use or with a wrong fact, and an English "
        "glossary.",
    ),
    "policy": About(
        "the base model that preference training starts from (Cohere's architecture, Aya 23's chat template)",
        "text-generation",
        LANGUAGES,
        "what `strong` was trained on, and then the same prompts with 55% of the answers right and 45% of no use.",
    ),
    "reward": About(
        "a reward model (Qwen3 sequence classifier with one output, as Skywork-Reward-V2-Qwen3)",
        "text-classification",
        LANGUAGES,
        "pairs of a right and a bad answer to the prompts of the training combinations in 23 languages, with the Bradley-Terry loss.",
    ),
}

CARD = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: {task}
language:
{language_lines}
tags:
- toy
- synthetic
- multilingual
---

# {name}: a toy of the miniature world

A transformer of {parameters:,} parameters that stands for {stands_for} in polypref's demo.
**It is a toy**: it knows one miniature world (12 tasks about 40 words, written by hand in 23 languages) and nothing else.
Use it to try the pipeline and in tests; its numbers say nothing about any real model.

## Training

From scratch, on {trained_on}
60% of the world's 480 combinations of task and word train the checkpoints; none of them has seen the other 192, on which the demo
builds.
{steps:,} steps of AdamW; the mean loss of the first 20 was {first:.3f}, of the last 20 {last:.3f}.
`python -m tools.demo_models.checkpoints` makes it anew.

## Measured on held-out combinations

{what}: {share:.1%} over all languages.

| language | share |
|---|---|
{rows}
{verdicts}"""


def card(name: str, parameters: int, losses: Sequence[float], measured: Measured) -> str:
    """The card of checkpoint `name` as Markdown with the Hub's metadata."""
    about = ABOUT[name]
    codes = sorted({language(code).iso639_1 or language(code).iso639_3 for code in about.languages})
    verdicts = ", ".join(f"{kind} {count}" for kind, count in measured.verdicts.items())
    return CARD.format(
        name=name,
        task=about.task,
        language_lines="\n".join(f'- "{code}"' for code in codes),
        parameters=parameters,
        stands_for=about.stands_for,
        trained_on=about.trained_on,
        steps=len(losses),
        first=sum(losses[:20]) / 20,
        last=sum(losses[-20:]) / 20,
        what=measured.what[0].upper() + measured.what[1:],
        share=measured.share,
        rows="\n".join(
            f"| {language(code).name} | {share:.1%} |" for code, share in sorted(measured.languages.items())
        ),
        verdicts=f"\nCounts: {verdicts}.\n" if verdicts else "",
    )


def write_card(name: str, folder: Path, parameters: int, losses: Sequence[float], measured: Measured) -> None:
    """Writes the checkpoint's README.md."""
    (folder / "README.md").write_text(card(name, parameters, losses, measured), "utf-8")
