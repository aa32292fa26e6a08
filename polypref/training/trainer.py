"""Code that all methods share around TRL's trainers: arguments, tokenizer, adapter, the run and its files."""

import json
import logging
import os
import warnings
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polypref.cards.model_card import documents
from polypref.engines.checkpoints import load_tokenizer
from polypref.errors import InputError
from polypref.progress import Progress
from polypref.store.revisions import ResolvedModel
from polypref.training.folder import IS_MAIN_PROCESS, write_facts
from polypref.training.recipe import DpoRecipe, Lora, RlooRecipe, TrainRecipe

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback

# The columns of training_log.jsonl, by TRL's names for them.
LOG_COLUMNS = {
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


def training_arguments(recipe: DpoRecipe | RlooRecipe, base: ResolvedModel) -> dict[str, Any]:
    """Return the arguments that TRL's configs share.

    Raises InputError: `batch_size` does not divide into what the devices take at once.
    """
    import torch

    use_cuda = recipe.device == "auto" and torch.cuda.is_available()
    devices = int(os.environ.get("WORLD_SIZE", "1"))  # set by accelerate and torchrun
    micro_batch = min(recipe.micro_batch_size, recipe.batch_size // devices)
    if micro_batch == 0 or recipe.batch_size % (micro_batch * devices):
        raise InputError(
            f"batch_size {recipe.batch_size} is not a multiple of "
            f"micro_batch_size {micro_batch} on {devices} device(s)"
        )
    # TRL's disable_dropout would switch off the adapter's dropout as well.
    keep_dropout = recipe.lora is not None and recipe.lora.dropout > 0
    return {
        "output_dir": str(recipe.output / "checkpoints"),
        # TRL loads the reference model with these, too.
        "model_init_kwargs": {
            "revision": base.hub_revision or "main",
            "dtype": recipe.dtype,
            "trust_remote_code": False,
            "use_safetensors": True,
        },
        "per_device_train_batch_size": micro_batch,
        "gradient_accumulation_steps": recipe.batch_size // (micro_batch * devices),
        "num_train_epochs": recipe.epochs,
        "max_steps": recipe.max_steps or -1,
        "learning_rate": recipe.learning_rate,
        "warmup_steps": recipe.warmup,
        "beta": recipe.beta,
        "seed": recipe.seed,
        "disable_dropout": not keep_dropout,
        "use_cpu": not use_cuda,
        "bf16": use_cuda,
        "gradient_checkpointing": use_cuda,
        "dataloader_pin_memory": use_cuda,
        "logging_steps": recipe.logging_steps,
        "save_steps": recipe.saving_steps,
        "save_total_limit": 1,
        "report_to": "none",
        "disable_tqdm": True,
    }


def adapter_config(lora: Lora | None, base: ResolvedModel) -> "LoraConfig | None":
    """Return PEFT's config, or None for full weights."""
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


def load_chat_tokenizer(base: ResolvedModel) -> "PreTrainedTokenizerBase":
    """Return the base model's tokenizer. Raises InputError if it cannot be loaded or has no chat template."""
    tokenizer: PreTrainedTokenizerBase = load_tokenizer(base)
    if not tokenizer.chat_template:
        raise InputError(
            f"{base.model}: its tokenizer has no chat template; expected an instruction-tuned model"
        )
    return tokenizer


def silence_libraries() -> None:
    """Turn off the progress bars, warnings and telemetry of the libraries below us."""
    import datasets
    import huggingface_hub
    import transformers

    # TRL reports every run to the Hub. The environment variable was read at import and no longer helps.
    huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY = True
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    logging.getLogger("trl").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(torch|trl|transformers|peft|accelerate)\b")


def train_and_save(trainer: "Trainer", recipe: TrainRecipe, facts: Mapping[str, Any]) -> Path:
    """Train, from the last saved state if there is one, and write checkpoint, log, card and training.json."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    with ExitStack() as stack:
        trainer.add_callback(_watching_callback(recipe, facts["method"]["name"], stack))
        state, steps = _last_state(recipe.output / "checkpoints")
        if state and steps["global_step"] >= steps["max_steps"]:
            # Resumed here, the trainer would take one step more; so only load the weights.
            trainer._load_from_checkpoint(str(state))
        else:
            trainer.train(resume_from_checkpoint=str(state) if state else None)
    trainer.save_model(str(recipe.output))
    if IS_MAIN_PROCESS:
        # A pickle with paths of this machine.
        (recipe.output / "training_args.bin").unlink(missing_ok=True)
        _write_documents(recipe, facts)
        write_facts(recipe.output / "training.json", facts)  # last: it marks the checkpoint as finished
    return recipe.output


def _write_documents(recipe: TrainRecipe, facts: Mapping[str, Any]) -> None:
    """Write the card and its pictures."""
    log = (recipe.output / "training_log.jsonl").read_text("utf-8")
    curve = [json.loads(line) for line in log.splitlines()]
    contents = documents({**facts, "lora": recipe.lora is not None, "curve": curve})
    for name, content in contents.items():
        path = recipe.output / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


def _last_state(checkpoints: Path) -> tuple[Path | None, dict[str, Any]]:
    """Return the newest state that was saved completely, and its trainer_state.json, written last."""
    last, steps = None, {"global_step": -1}
    for file in checkpoints.glob("checkpoint-*/trainer_state.json"):
        # A run may have been killed while it wrote this file.
        with suppress(ValueError):
            state = json.loads(file.read_text("utf-8"))
            if state["global_step"] > steps["global_step"]:
                last, steps = file.parent, state
    return last, steps


def _watching_callback(recipe: TrainRecipe, method: str, stack: ExitStack) -> "TrainerCallback":
    """Return a callback that writes training_log.jsonl, one line per logged step, and shows progress.

    `stack` closes the progress display, after an error too.
    """
    from transformers import TrainerCallback

    path = recipe.output / "training_log.jsonl"

    def log_line(logs: Mapping[str, Any], step: int) -> str:
        columns = {column: logs[name] for name, column in LOG_COLUMNS.items() if name in logs}
        return json.dumps({"step": step, **columns}) + "\n"

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if IS_MAIN_PROCESS:
                rows = state.max_steps * recipe.batch_size
                self.progress = stack.enter_context(Progress(f"train {method}", rows))
                self.progress.skip(state.global_step * recipe.batch_size, {})
                # A resumed run repeats the steps after the last saved state: their lines are dropped here.
                earlier = [log_line(logs, logs["step"]) for logs in state.log_history if "loss" in logs]
                path.write_text("".join(earlier), "utf-8")

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if IS_MAIN_PROCESS:
                self.progress.advance(recipe.batch_size, {}, 0)

        def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any], **_: Any) -> None:
            if IS_MAIN_PROCESS and "loss" in logs:  # the summary at the end of a training has no loss
                with open(path, "a", encoding="utf-8") as file:
                    file.write(log_line(logs, state.global_step))

    return Watch()
