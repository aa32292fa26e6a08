"""The output folder of a training: its lock, what the checkpoint is made from, and whether it is finished.

During a run, `checkpoints/` in the folder holds the lock, the resolved revisions, training.json and the last
saved state. When the run ends well, `checkpoints/` is removed and only the result stays. Under
`accelerate launch` every process runs this code; only the first one locks, writes and removes.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import polars as pl

from polypref.cards.folder import content_of
from polypref.cards.licences import card_license
from polypref.cards.published import published_facts, resolve_revision
from polypref.errors import InputError
from polypref.files import write_atomically
from polypref.store.revisions import ResolvedModel
from polypref.store.workdir import Workdir
from polypref.training.data import rows_digest
from polypref.training.recipe import TrainRecipe

IS_MAIN_PROCESS = os.environ.get("RANK", "0") == "0"  # set by accelerate and torchrun

# Identity fields that do not enter the key under their own name: the models and the data enter it by their
# content, and a licence changes no weight.
NOT_IN_KEY = {"model", "revision", "data", "data_revision", "languages", "mixture", "reward", "license"}

R = TypeVar("R", bound=TrainRecipe)


@contextmanager
def open_folder(output: Path) -> Iterator[Workdir]:
    """Lock the output folder and yield its `checkpoints` as a work dir; remove that when the block ends well.

    After an error it stays, for the next run to continue from; after an InputError only if a state was saved.

    Raises InputError: another run holds the folder, or it has files that no training wrote.
    """
    if not IS_MAIN_PROCESS:
        with TemporaryDirectory() as folder:
            yield Workdir(folder)  # takes no lock: the first process holds it
        return
    checkpoints = output / "checkpoints"
    is_finished = (output / "training.json").exists()
    is_begun = (checkpoints / ".lock").exists()
    if output.exists() and any(output.iterdir()) and not is_finished and not is_begun:
        raise InputError(f"{output}: holds files that no training wrote; expected an empty or a new folder")
    with Workdir(checkpoints) as workdir:
        try:
            yield workdir
        except InputError:
            if not any(checkpoints.glob("checkpoint-*")):
                shutil.rmtree(checkpoints)
                if not is_finished:  # else the log is that of the finished checkpoint
                    (output / "training_log.jsonl").unlink(missing_ok=True)
            raise
        shutil.rmtree(checkpoints)


def pin_data_revision(recipe: R) -> R:
    """Return the recipe with the data's revision as a commit, so that the Hub is asked for it only once."""
    if Path(recipe.data).is_dir():
        return recipe
    commit = resolve_revision(recipe.data, recipe.data_revision)
    return recipe.model_copy(update={"data_revision": commit})


def training_facts(
    recipe: TrainRecipe, method: Mapping[str, Any], base: ResolvedModel, rows: pl.DataFrame
) -> dict[str, Any]:
    """Return what a checkpoint is made from, as plain JSON: the content of training.json.

    `key` holds everything that can change the weights; the rest is for the card. `method` is the METHOD of a
    trainer's module.
    """
    is_on_hub = not Path(recipe.data).is_dir()
    published = published_facts(recipe.data, recipe.data_revision)
    digest = rows_digest(rows)
    settings = {name: value for name, value in recipe.identity().items() if name not in NOT_IN_KEY}
    return {
        "key": {"method": method["name"], "base": base.revision, "data": digest, **settings},
        "method": method,
        "name": recipe.output.resolve().name,
        "license": recipe.license or card_license(base.location, base.hub_revision),
        "base": model_facts(base),
        "data": {
            "name": recipe.data if is_on_hub else Path(recipe.data).resolve().name,
            "revision": recipe.data_revision,
            "digest": digest,
            "on_hub": is_on_hub,
            "license": published["license"],
            "content": content_of(published),  # to recognise this data once it is published
            "mixture": recipe.mixture,
            "rows": dict(rows["language"].value_counts().sort("language").iter_rows()),
        },
    }


def model_facts(model: ResolvedModel) -> dict[str, Any]:
    """Return what the card says of a model."""
    return {"model": model.model, "revision": model.revision, "on_hub": model.hub_revision is not None}


def begin_training(output: Path, facts: Mapping[str, Any], overwrite: bool) -> bool:
    """Record what is about to be trained; return False if the folder already holds this very checkpoint.

    With `overwrite`, another checkpoint in the folder is removed first.

    Raises InputError: the folder holds another checkpoint, finished or begun, and may not be overwritten.
    """
    finished = output / "training.json"
    begun = output / "checkpoints" / "training.json"
    for file in (finished, begun):
        if not file.exists():
            continue
        old, new = json.loads(file.read_text("utf-8"))["key"], facts["key"]
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        if not changed:
            continue
        if not overwrite:
            raise InputError(
                f"{output}: holds a checkpoint made with another {', '.join(changed)}; "
                "remove it or choose another output"
            )
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            # The other processes would look for files while the first one removes them.
            raise InputError(f"{output}: several processes cannot overwrite a checkpoint; remove it first")
        _remove_checkpoint(output)
    if finished.exists():
        return False
    if IS_MAIN_PROCESS:
        write_facts(begun, facts)
    return True


def _remove_checkpoint(output: Path) -> None:
    """Remove everything but the lock and the resolved revisions in `checkpoints`."""
    checkpoints = output / "checkpoints"
    for path in (*output.iterdir(), *checkpoints.glob("checkpoint-*"), checkpoints / "training.json"):
        if path.is_dir() and path != checkpoints:
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()


def write_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """Write training.json."""
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")
