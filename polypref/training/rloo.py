"""REINFORCE with a leave-one-out baseline (arXiv 2402.14740) on published prompts, by TRL's RLOOTrainer."""

from pathlib import Path

from polypref.engines.checkpoints import loading_errors
from polypref.training import data, folder, trainer
from polypref.training.recipe import RlooRecipe
from polypref.training.rewards import reward_function

METHOD = {
    "name": "rloo",
    "title": "RLOO",
    "citation": "REINFORCE with a leave-one-out baseline ([2402.14740](https://arxiv.org/abs/2402.14740))",
    # Without the loss: it is about 0 by construction.
    "curve": {
        "reward": "reward",
        "kl": "KL to the base",
        "completion_tokens": "tokens per completion",
        "without_eos": "share cut",
    },
}


def train(recipe: RlooRecipe, overwrite: bool = False) -> Path:
    """Train on the recipe's prompts and return `recipe.output`; see `dpo.train` for files and errors."""
    recipe = folder.pin_data_revision(recipe)
    rows = data.read_prompts(recipe)
    trainer.silence_libraries()
    with folder.open_folder(recipe.output) as workdir:
        base = workdir.resolve(recipe.model, recipe.revision)
        judge = workdir.resolve(recipe.reward.model, recipe.reward.revision)
        facts = folder.training_facts(recipe, METHOD, base, rows)
        facts["reward"] = folder.model_facts(judge)
        facts["key"]["reward"] = {**recipe.reward.identity(), "model": judge.revision, "revision": None}
        if not folder.begin_training(recipe.output, facts, overwrite):
            return recipe.output

        from trl import RLOOConfig, RLOOTrainer

        from polypref.engines.rewards import RewardEngine

        tokenizer = trainer.load_chat_tokenizer(base)
        prompts = data.short_prompts(recipe, rows, tokenizer)
        facts["left_out"] = rows.height - len(prompts)
        order = data.prompt_order(len(prompts), recipe)
        arguments = {
            **trainer.training_arguments(recipe, base),
            # One long pass in an order of our own: resumed in a later epoch, TRL's sampler would start again
            # with the order of the first epoch.
            "shuffle_dataset": False,
            "max_steps": len(order) * recipe.num_generations // recipe.batch_size,
            "num_generations": recipe.num_generations,
            "max_completion_length": recipe.max_new_tokens,
            "temperature": recipe.temperature,
            "mask_truncated_completions": recipe.missing_eos_penalty is None,
        }
        with loading_errors(base):
            rloo = RLOOTrainer(
                model=base.location,
                reward_funcs=reward_function(
                    RewardEngine(recipe.reward, "reward", judge),
                    lambda: rloo.eos_token_ids,  # the trainer does not exist yet
                    recipe.missing_eos_penalty,
                ),
                args=RLOOConfig(**arguments),
                train_dataset=prompts.select(order),
                processing_class=tokenizer,
                peft_config=trainer.adapter_config(recipe.lora, base),
            )
        return trainer.train_and_save(rloo, recipe, facts)
