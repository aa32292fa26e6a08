"""Direct preference optimisation (arXiv 2305.18290) on published pairs, by TRL's DPOTrainer."""

from pathlib import Path

from polypref.engines.checkpoints import loading_errors
from polypref.training import data, folder, trainer
from polypref.training.recipe import DpoRecipe

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
    recipe = folder.pin_data_revision(recipe)
    rows = data.read_pairs(recipe)
    if recipe.control == "shuffle":
        rows = data.swap_at_random(rows, recipe.seed)
    trainer.silence_libraries()
    with folder.open_folder(recipe.output) as workdir:
        base = workdir.resolve(recipe.model, recipe.revision)
        facts = folder.training_facts(recipe, METHOD, base, rows)
        if not folder.begin_training(recipe.output, facts, overwrite):
            return recipe.output

        from trl import DPOConfig, DPOTrainer

        with loading_errors(base):
            dpo = DPOTrainer(
                model=base.location,
                args=DPOConfig(**trainer.training_arguments(recipe, base), max_length=recipe.max_length),
                train_dataset=data.to_dataset(rows),
                processing_class=trainer.load_chat_tokenizer(base),
                peft_config=trainer.adapter_config(recipe.lora, base),
            )
        # If the prompt alone fills max_length, chosen and rejected are both cut to nothing.
        dpo.train_dataset = dpo.train_dataset.filter(lambda row: len(row["prompt_ids"]) < recipe.max_length)
        facts["left_out"] = rows.height - len(dpo.train_dataset)
        return trainer.train_and_save(dpo, recipe, facts)
