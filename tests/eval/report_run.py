"""The folder of a run for tests of the report: two languages with pairs, training, evaluation."""

import json
from pathlib import Path
from typing import Any

from polypref.cards.folder import write_dataset
from polypref.cards.funnel import stage_rows
from polypref.schemas import prompt_id
from polypref.training.dpo import METHOD
from tests.frames import rows_to_frame

ATTACK = "<script>alert(1)</script> & \"quoted\" <b onclick='x'>"
FUNNEL = [
    *stage_rows("prompts", "arb_Arab", 30, {"wrong_language": 100, "not_sampled": 1100}),
    *stage_rows("strong-native", "arb_Arab", 27, {"prompt_rejected": 1200, "repetition": 3}),
    *stage_rows("weak-translated", "arb_Arab", 30, {"prompt_rejected": 1200}),
    *stage_rows("pairs", "arb_Arab", 25, {"tie": 4, "identical": 1}),
    *stage_rows("prompts", "deu_Latn", 50, {}),
    *stage_rows("strong-native", "deu_Latn", 50, {}),
    *stage_rows("pairs", "deu_Latn", 40, {"tie": 10}),
    *stage_rows("prompts", "eng_Latn", 5, {"duplicate": 2}),
]
PAIRS = {"arb_Arab": 25, "deu_Latn": 40}
TEXTS = {"arb_Arab": "ما هي عاصمة كندا؟", "deu_Latn": f"Was ist das? {ATTACK}"}
GAMES = {
    "win": 0.4567,
    "loss": 0.2,
    "tie": 0.3433,
    "difference": 0.2567,
    "low": 0.1,
    "high": 0.41,
    "games": 80,
    "prompts": 40,
}


def messages(role: str, content: str) -> list[dict[str, str]]:
    return [{"role": role, "content": content}]


def make_run(folder: Path, notes: tuple[str, ...] = ("About a <miniature> world.",)) -> Path:
    pairs: dict[str, Any] = {"eng_Latn": rows_to_frame([], "pairs")}
    prompts: dict[str, Any] = {}
    for code, text in TEXTS.items():
        ids = [prompt_id(messages("user", f"Question {i}")) for i in range(PAIRS[code])]
        shared = [{"prompt_id": id_, "language": code, "prompt": messages("user", text)} for id_ in ids]
        prompts[code] = rows_to_frame(
            [{**row, "prompt_en": messages("user", "What is it?"), "source": "s"} for row in shared],
            "prompts",
        )
        side = {
            "chosen_model": "strong",
            "chosen_origin": "native",
            "rejected_model": "weak",
            "rejected_origin": "translated",
        }
        rows = [
            {
                **row,
                **side,
                "builder": "native-vs-translated",
                "rank": 0,
                "chosen": messages("assistant", f"{text} 1"),
                "rejected": messages("assistant", f"{text} 2"),
                "chosen_score": 3.0 + i,
                "rejected_score": 0.5,
                "margin": 2.5 + i,
            }
            for i, row in enumerate(shared)
        ]
        pairs[code] = rows_to_frame(rows, "pairs")
    facts = {
        "title": f"Pairs {ATTACK}",
        "license": "apache-2.0",
        "test_share": 0.2,
        "notes": notes,
        "recipe": "name: <recipe>\n",
        "models": [{"role": "generator", "name": "strong", "model": "org/<model>", "revision": "f" * 40}],
        "sources": ["questions"],
        "funnel": FUNNEL,
    }
    write_dataset(folder / "published" / "pairs", "pairs", pairs, facts | {"name": "acme/pairs"})
    write_dataset(folder / "published" / "prompts", "prompts", prompts, facts | {"name": "acme/prompts"})
    return folder


def add_training_and_evaluation(run: Path, control: str | None = None) -> None:
    (run / "checkpoints" / "dpo").mkdir(parents=True)
    lines = [
        {"step": step, "loss": 0.7 - step / 100, "reward_margin": step / 10, "reward_accuracy": 0.5}
        for step in range(1, 61)
    ]
    lines.append({"step": 61, "loss": float("nan")})
    (run / "checkpoints" / "dpo" / "training_log.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines)
    )
    key = {
        "method": "dpo",
        "data": "sha256:d",
        "beta": 0.1,
        "max_steps": None,
        "lora": {"r": 16},
        "control": control,
    }
    made_from = {"key": key, "data": {"rows": {"deu_Latn": 40}}, "method": METHOD}
    (run / "checkpoints" / "dpo" / "training.json").write_text(json.dumps(made_from))
    result = {
        "base": "base",
        "prompts": {"name": "published/prompts", "split": "test", "count": 40},
        "models": {"base": "b", "dpo <1>": "d"},
        "without_completion": {"base": 0, "dpo <1>": 3},
        "mean_score": {
            judge: {"base": {"all": 0.25}, "dpo <1>": {"all": 1.75}} for judge in ("reward_model", "oracle")
        },
        "winrate": {
            "dpo <1>": {
                "reward_model": {**GAMES, "win": 0.9, "languages": {"deu_Latn": GAMES}},
                "oracle": {
                    **GAMES,
                    "languages": {"arb_Arab": {**GAMES, "low": None, "high": None}, "deu_Latn": GAMES},
                },
            }
        },
    }
    (run / "eval" / "second").mkdir(parents=True)
    (run / "eval" / "second" / "winrate.json").write_text(json.dumps(result))
    (run / "results.json").write_text(json.dumps({"seconds": 327.4}))
