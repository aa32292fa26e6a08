"""polypref train."""

from typing import Annotated

import typer

from polypref.cli.options import Output, RecipeFile, recipe_path

commands = typer.Typer(
    help="Train a policy from published pairs.", no_args_is_help=True, rich_markup_mode=None
)

Model = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="The base model, a folder or Hub id, instead of the recipe's."),
]
Data = Annotated[
    str | None,
    typer.Option(metavar="DATASET", help="A published folder or ORG/NAME, instead of the recipe's."),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Remove another recipe's checkpoint from the folder.")
]


@commands.command("dpo", epilog="Example: polypref train dpo paper-dpo --data my-org/pairs --output runs/dpo")
def train_dpo(
    recipe: RecipeFile,
    model: Model = None,
    data: Data = None,
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """Train by direct preference optimisation (DPO) on published pairs."""
    from polypref.config import read_config
    from polypref.training.dpo import train
    from polypref.training.recipe import DpoRecipe

    overrides = {"model": model, "data": data, "output": output}
    print(train(read_config(recipe_path(recipe), DpoRecipe, overrides=overrides), overwrite))


@commands.command(
    "rloo", epilog="Example: polypref train rloo paper-rloo --data my-org/pairs --output runs/rloo"
)
def train_rloo(
    recipe: RecipeFile,
    model: Model = None,
    data: Data = None,
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """Train by REINFORCE leave-one-out (RLOO) against a reward model.

    The policy completes the prompts of published pairs, and the reward model scores its completions.
    """
    from polypref.config import read_config
    from polypref.training.recipe import RlooRecipe
    from polypref.training.rloo import train

    overrides = {"model": model, "data": data, "output": output}
    print(train(read_config(recipe_path(recipe), RlooRecipe, overrides=overrides), overwrite))
