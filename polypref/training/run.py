"""What a run does around TRL's trainer: one run at a time in an output folder, resume, the curve, the finished checkpoint and its card.

While a run lasts, `output/checkpoints` holds its lock, the resolved revisions and the last state; when it has ended, only the result stays.
Under `accelerate launch` every process comes through here; the first one alone locks, writes and tidies.
"""

import json
import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl

from polypref.cards.folder import content_of
from polypref.cards.load import published_facts, resolve_revision
from polypref.cards.model_card import base_license, documents
from polypref.errors import InputError
from polypref.progress import Progress
from polypref.store.workdir import Resolved, Workdir
from polypref.training.data import digest
from polypref.training.recipe import DpoRecipe, Lora, RlooRecipe, TrainRecipe

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback

# Fields that name what the key holds by its content.
TOLD_OTHERWISE = {"model", "revision", "data", "data_revision", "languages", "mixture", "reward", "license"}

MAIN_PROCESS = os.environ.get("RANK", "0") == "0"

R = TypeVar("R", bound=TrainRecipe)

# What TRL calls it, and what the curve calls it.
CURVE = {
    "loss": "loss",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
    "rewards/margins": "reward_margin",
    "rewards/accuracies": "reward_accuracy",
    "rewards/chosen": "reward_chosen",
    "rewards/rejected": "reward_rejected",
    "reward": "reward",
    "reward_std": "reward_std",
    "kl": "kl",
    "entropy": "entropy",
    "completions/mean_length": "completion_tokens",
    "completions/clipped_ratio": "without_eos",
}


@contextmanager
def folder(output: Path) -> Iterator[Workdir]:
    """The output folder, locked, as a work dir that is gone when the run has ended well.

    Raises InputError where another run holds it, and where it holds files that no training wrote.
    """
    path = output / "checkpoints"
    ours = (
        not output.exists()
        or not any(output.iterdir())
        or (output / "training.json").exists()
        or (path / ".lock").exists()
    )
    if not ours:
        raise InputError(f"{output}: holds files that no training wrote; expected an empty or a new folder")
    if not MAIN_PROCESS:
        (path / os.environ["RANK"]).mkdir(parents=True, exist_ok=True)
        yield Workdir(path / os.environ["RANK"])
        return
    with Workdir(path) as workdir:
        try:
            yield workdir
        except InputError:
            if not any(path.glob("checkpoint-*")):
                shutil.rmtree(path)
            raise
        shutil.rmtree(path)


def pinned(recipe: R) -> R:
    """The recipe with the data's revision as a commit, asked once."""
    on_hub = not Path(recipe.data).is_dir()
    return (
        recipe.model_copy(update={"data_revision": resolve_revision(recipe.data, recipe.data_revision)})
        if on_hub
        else recipe
    )


def facts(
    recipe: TrainRecipe, method: Mapping[str, Any], base: Resolved, rows: pl.DataFrame, **more: Any
) -> dict[str, Any]:
    """What a checkpoint was made from, as plain JSON: `key` is all that can change it, the rest is for the card."""
    content = digest(rows)
    key = {"method": method["name"], "base": base.revision, "data": content}
    key |= {name: value for name, value in recipe.identity().items() if name not in TOLD_OTHERWISE} | more
    counts = rows["language"].value_counts().sort("language")
    on_hub = not Path(recipe.data).is_dir()
    published = published_facts(recipe.data, recipe.data_revision)
    return {
        "key": json.loads(json.dumps(key)),
        "method": method,
        "name": recipe.output.resolve().name,
        "license": recipe.license or base_license(base.location, base.hub_revision),
        "base": {"model": base.model, "revision": base.revision, "on_hub": base.hub_revision is not None},
        "data": {
            "name": recipe.data if on_hub else Path(recipe.data).resolve().name,
            "revision": recipe.data_revision,
            "digest": content,
            "on_hub": on_hub,
            "license": published["license"],
            "content": content_of(published),  # tells whether it is what is published later
            "mixture": recipe.mixture,
            "rows": dict(counts.iter_rows()),
        },
    }


def finished(output: Path, made_from: Mapping[str, Any], overwrite: bool) -> bool:
    """Whether the folder already holds this very checkpoint.

    Raises InputError where it holds another one, finished or begun, unless that is to be overwritten: then it is removed.
    """
    ended = output / "training.json"
    begun = output / "checkpoints" / "training.json"
    for file in (ended, begun):
        there = json.loads(file.read_text("utf-8"))["key"] if file.exists() else made_from["key"]
        if changed := sorted(
            k for k in {*there, *made_from["key"]} if there.get(k) != made_from["key"].get(k)
        ):
            if not overwrite:
                raise InputError(
                    f"{output}: holds a checkpoint made with another {', '.join(changed)}; remove it or choose another output"
                )
            if int(os.environ.get("WORLD_SIZE", "1")) > 1:
                raise InputError(
                    f"{output}: several processes cannot overwrite a checkpoint; remove it first"
                )
            _clear(output)
    if not ended.exists() and MAIN_PROCESS:
        begun.write_text(json.dumps(made_from), "utf-8")
    return ended.exists()


def _clear(output: Path) -> None:
    """Removes all but the lock and the resolved revisions."""
    kept = output / "checkpoints"
    for path in (*output.iterdir(), *kept.glob("checkpoint-*"), kept / "training.json"):
        if path.is_dir() and path != kept:
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()


def arguments(recipe: DpoRecipe | RlooRecipe, base: Resolved) -> dict[str, Any]:
    """The arguments that all of TRL's configs share. Raises InputError where the batch does not divide into what the devices take."""
    import torch

    cuda = recipe.device == "auto" and torch.cuda.is_available()
    devices = int(os.environ.get("WORLD_SIZE", "1"))
    micro = min(recipe.micro_batch_size, recipe.batch_size // devices)
    if micro == 0 or recipe.batch_size % (micro * devices):
        raise InputError(
            f"batch_size {recipe.batch_size} is not a multiple of micro_batch_size {micro} on {devices} device(s)"
        )
    return {
        "output_dir": str(recipe.output / "checkpoints"),
        # The reference model is loaded with them, too.
        "model_init_kwargs": {"revision": base.hub_revision or "main", "dtype": recipe.dtype},
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": recipe.batch_size // (micro * devices),
        "num_train_epochs": recipe.epochs,
        "max_steps": recipe.max_steps or -1,
        "learning_rate": recipe.learning_rate,
        "warmup_steps": recipe.warmup,
        "beta": recipe.beta,
        "seed": recipe.seed,
        "disable_dropout": not (
            recipe.lora and recipe.lora.dropout
        ),  # it would switch the adapter's dropout off as well
        "use_cpu": not cuda,
        "bf16": cuda,
        "gradient_checkpointing": cuda,
        "dataloader_pin_memory": cuda,
        "logging_steps": recipe.logging_steps,
        "save_steps": recipe.saving_steps,
        "save_total_limit": 1,
        "report_to": "none",
        "disable_tqdm": True,
    }


def adapter(lora: Lora | None, base: Resolved) -> "LoraConfig | None":
    """PEFT's config, or None for full weights."""
    if lora is None:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        revision=base.hub_revision,
    )


def tokenizer(base: Resolved) -> "PreTrainedTokenizerBase":
    """The base model's tokenizer. Raises InputError where it cannot be read or has no chat template."""
    from transformers import AutoTokenizer

    try:
        loaded = AutoTokenizer.from_pretrained(base.location, revision=base.hub_revision or "main")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{base.model}: no tokenizer can be read: {' '.join(str(error).split())[:200]}"
        ) from None
    if not loaded.chat_template:
        raise InputError(
            f"{base.model}: its tokenizer has no chat template; expected an instruction-tuned model"
        )
    return loaded


def quiet() -> None:
    """Leaves warnings that a person can act on to our own messages, and the network alone."""
    import datasets
    import huggingface_hub
    import transformers

    huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY = (
        True  # TRL reports every run; the environment was read long ago
    )
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    logging.getLogger("trl").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(torch|trl|transformers|peft|accelerate)\b")


def go(trainer: "Trainer", recipe: TrainRecipe, made_from: Mapping[str, Any]) -> Path:
    """Trains, from the last whole state if there is one, and leaves checkpoint, curve, card and training.json in the output folder."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    with ExitStack() as stack:
        trainer.add_callback(_watch(recipe, made_from["method"]["name"], stack))
        last = _last_state(recipe.output / "checkpoints")
        if last and _ended(last):
            trainer._load_from_checkpoint(
                str(last)
            )  # resumed after its last step, the trainer would take one more
        else:
            trainer.train(resume_from_checkpoint=str(last) if last else None)
    trainer.save_model(str(recipe.output))
    if MAIN_PROCESS:
        (recipe.output / "training_args.bin").unlink(missing_ok=True)  # a pickle with this machine's paths
        curve = [
            json.loads(line)
            for line in (recipe.output / "training_log.jsonl").read_text("utf-8").splitlines()
        ]
        for path, content in documents({**made_from, "lora": bool(recipe.lora), "curve": curve}).items():
            (recipe.output / path).parent.mkdir(exist_ok=True)
            (recipe.output / path).write_bytes(content)
        (recipe.output / "training.json").write_text(
            json.dumps(made_from, indent=1, ensure_ascii=False) + "\n", "utf-8"
        )
    return recipe.output


def _last_state(checkpoints: Path) -> Path | None:
    """The newest checkpoint that was written to its end: trainer_state.json comes last."""
    whole = [file.parent for file in checkpoints.glob("checkpoint-*/trainer_state.json") if _is_json(file)]
    return max(whole, key=lambda path: int(path.name.removeprefix("checkpoint-")), default=None)


def _ended(checkpoint: Path) -> bool:
    state = json.loads((checkpoint / "trainer_state.json").read_text("utf-8"))
    return bool(state["global_step"] >= state["max_steps"])


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text("utf-8"))
    except ValueError:
        return False
    return True


def _watch(recipe: TrainRecipe, method: str, stack: ExitStack) -> "TrainerCallback":
    """Keeps the curve, a line a logged step, and shows progress, which the stack closes."""
    from transformers import TrainerCallback

    path = recipe.output / "training_log.jsonl"

    def line(logs: Mapping[str, Any], step: int) -> str:
        return (
            json.dumps({"step": step, **{ours: logs[trl] for trl, ours in CURVE.items() if trl in logs}})
            + "\n"
        )

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if MAIN_PROCESS:
                self.progress = stack.enter_context(
                    Progress(f"train {method}", state.max_steps * recipe.batch_size)
                )
                self.progress.advance(state.global_step * recipe.batch_size, {}, 0)
                path.write_text(
                    "".join(line(logs, logs["step"]) for logs in state.log_history if "loss" in logs), "utf-8"
                )

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if MAIN_PROCESS:
                self.progress.advance(recipe.batch_size, {}, 0)

        def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any], **_: Any) -> None:
            if MAIN_PROCESS and "loss" in logs:
                with open(path, "a", encoding="utf-8") as file:
                    file.write(line(logs, state.global_step))

    return Watch()
