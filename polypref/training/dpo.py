"""Direct preference optimisation (arXiv 2305.18290) on published pairs, by TRL's DPOTrainer."""

from pathlib import Path

from polypref.training.data import read_pairs, swap_at_random, to_dataset
from polypref.training.folder import begin_training, open_folder, pin_data_revision, training_facts
from polypref.training.recipe import DpoRecipe
from polypref.training.trainer import (
    adapter_config,
    load_chat_tokenizer,
    silence_libraries,
    train_and_save,
    training_arguments,
)

METHOD = {
    "name": "dpo",
    "title": "DPO",
    "citation": "direct preference optimisation ([2305.18290](https://arxiv.org/abs/2305.18290))",
    "curve": {"loss": "loss", "reward_margin": "reward margin", "reward_accuracy": "reward accuracy"},
}


def train(recipe: DpoRecipe, overwrite: bool = False) -> Path:
    """Train on the recipe's pairs and return `recipe.output`.

    The folder then holds the checkpoint or LoRA adapter, its tokenizer, README.md, training_log.jsonl and
    training.json. A stopped run continues from its last saved state; a finished one returns at once. With
    `overwrite`, a checkpoint that another recipe left in the folder is removed first.

    Raises InputError: the folder holds another recipe's checkpoint or foreign files, or the data or the model
    cannot be used.
    """
    recipe = pin_data_revision(recipe)
    rows = read_pairs(recipe)
    if recipe.control == "shuffle":
        rows = swap_at_random(rows, recipe.seed)
    silence_libraries()
    with open_folder(recipe.output) as workdir:
        base = workdir.resolve(recipe.model, recipe.revision)
        facts = training_facts(recipe, METHOD, base, rows)
        if not begin_training(recipe.output, facts, overwrite):
            return recipe.output

        from trl import DPOConfig, DPOTrainer

        trainer = DPOTrainer(
            model=base.location,
            args=DPOConfig(**training_arguments(recipe, base), max_length=recipe.max_length),
            train_dataset=to_dataset(rows),
            processing_class=load_chat_tokenizer(base),
            peft_config=adapter_config(recipe.lora, base),
        )
        # If the prompt alone fills max_length, chosen and rejected are both cut to nothing.
        trainer.train_dataset = trainer.train_dataset.filter(
            lambda row: len(row["prompt_ids"]) < recipe.max_length
        )
        facts["left_out"] = rows.height - len(trainer.train_dataset)
        return train_and_save(trainer, recipe, facts)
