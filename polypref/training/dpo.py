"""Direct preference optimisation (arXiv 2305.18290) of a published revision's pairs, by TRL's DPOTrainer."""

from pathlib import Path

from polypref.training import data, run
from polypref.training.recipe import DpoRecipe

METHOD = {
    "name": "dpo",
    "title": "DPO",
    "citation": "direct preference optimisation ([2305.18290](https://arxiv.org/abs/2305.18290))",
    "curve": {"loss": "loss", "reward_margin": "reward margin", "reward_accuracy": "reward accuracy"},
}


def train(recipe: DpoRecipe, overwrite: bool = False) -> Path:
    """Trains and returns `recipe.output`: a checkpoint (or a LoRA adapter), its tokenizer, README.md, training_log.jsonl, training.json.

    Stopped, it goes on from the last saved state; finished, it returns at once. Raises InputError where the folder holds another
    recipe's checkpoint (`overwrite` removes that first) or foreign files, and for data or a model that cannot be used.
    """
    recipe = run.pinned(recipe)
    rows = data.pairs(recipe)
    if recipe.control == "shuffle":
        rows = data.shuffled(rows, recipe.seed)
    run.quiet()
    with run.folder(recipe.output) as workdir:
        base = workdir.resolve(recipe.model, recipe.revision)
        made_from = run.facts(recipe, METHOD, base, rows)
        if run.finished(recipe.output, made_from, overwrite):
            return recipe.output

        from trl import DPOConfig, DPOTrainer

        trainer = DPOTrainer(
            model=base.location,
            args=DPOConfig(**run.arguments(recipe, base), max_length=recipe.max_length),
            train_dataset=data.dataset(rows),
            processing_class=run.tokenizer(base),
            peft_config=run.adapter(recipe.lora, base),
        )
        # Where the prompt alone fills max_length, chosen and rejected would be cut to the same nothing.
        trainer.train_dataset = trainer.train_dataset.filter(
            lambda row: len(row["prompt_ids"]) < recipe.max_length
        )
        return run.go(trainer, recipe, {**made_from, "left_out": rows.height - len(trainer.train_dataset)})
