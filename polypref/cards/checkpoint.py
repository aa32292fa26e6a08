"""Publishes a trained checkpoint as a model repository, with a card of its training and its win rates."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from polypref.cards.licences import resolve_license
from polypref.cards.model_card import documents
from polypref.cards.push import Contents, Options, Publication, Pushed, Snapshot
from polypref.errors import InputError
from polypref.files import file_sha256

WEIGHTS = (".safetensors", ".safetensors.index.json")


def is_checkpoint(folder: Path) -> bool:
    """Return whether a finished training left its checkpoint here."""
    return (folder / "training.json").is_file()


def require_finished(folder: Path) -> None:
    """Raise InputError if a training in this folder has begun and not ended."""
    begun = folder / "checkpoints" / "training.json"
    if begun.is_file() and not is_checkpoint(folder):
        raise InputError(f"{folder}: its training is not finished; repeat the train command to continue it")


def finished_checkpoints(run: Path) -> Iterator[Path]:
    """Yield the checkpoints of a run, without the controls, which are not for use.

    Raises InputError for one that is not finished.
    """
    for folder in sorted((run / "checkpoints").glob("*")):
        require_finished(folder)
        if is_checkpoint(folder) and not read_training(folder)["key"].get("control"):
            yield folder


def checkpoint_publication(
    folder: Path, repo: str, options: Options, facts: Mapping[str, Any]
) -> Publication:
    """Return the publication of a checkpoint as the model `repo`, in one commit of the files that changed.

    facts: from `checkpoint_facts`. All files are read, for their SHA-256.
    """
    files = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith(".") and path.name != "README.md":
            files[path.name] = file_sha256(path)
    return Publication(repo, "model", options, lambda snapshot: _contents(snapshot, folder, files, facts))


def checkpoint_facts(
    folder: Path, winrate: Path | None = None, pairs: Pushed | None = None
) -> dict[str, Any]:
    """Return what the card of a checkpoint says.

    winrate: the evaluation's winrate.json, used if it judged this checkpoint.
    pairs: the published pairs. If the checkpoint was trained on these very rows in a folder, the card
    names their repository.

    Raises InputError if the checkpoint has no licence, or one that its data's licence forbids.
    """
    facts = read_training(folder)
    data = facts["data"]
    if not facts.get("license"):
        raise InputError(
            f"{folder}: no licence, neither in the recipe nor in the base model's card; "
            "train with `license` set"
        )
    resolve_license(facts["license"], [(f"data {data['name']}", data.get("license"))])
    if pairs and not data["on_hub"] and data.get("content") == pairs.digest:
        data = {**data, "name": pairs.repo, "revision": pairs.commit, "on_hub": True}
    log = folder / "training_log.jsonl"
    curve = log.read_text("utf-8").splitlines() if log.is_file() else []
    return {
        **facts,
        "data": data,
        "curve": [json.loads(line) for line in curve],
        "lora": (folder / "adapter_config.json").is_file(),
        "winrate": _winrate(folder, winrate),
    }


def read_training(folder: Path) -> dict[str, Any]:
    """Return training.json of a checkpoint. Raises InputError if it cannot be read or is of an old layout."""
    path = folder / "training.json"
    try:
        facts: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if "method" not in facts:
        raise InputError(
            f"{path}: no key 'method'; expected a checkpoint trained by this version of polypref"
        )
    return facts


def _contents(
    snapshot: Snapshot, folder: Path, files: Mapping[str, str], facts: Mapping[str, Any]
) -> Contents:
    """Return the files and the card; weights of an earlier checkpoint, cut into other shards, are stale."""
    weights = [path for path in snapshot.files if "/" not in path and path.endswith(WEIGHTS)]
    return Contents(
        folder=folder,
        files=files,
        documents=documents({**facts, "name": snapshot.repo}, snapshot.read("README.md")),
        stale=tuple(path for path in weights if path not in files),
        message=f"Publish {folder.name}",
    )


def _winrate(folder: Path, file: Path | None) -> dict[str, Any] | None:
    """Return the part of the evaluation's result that is about this checkpoint; None if there is none."""
    if file is None or not file.is_file():
        return None
    result = json.loads(file.read_text("utf-8"))
    for name, model in result["models"].items():
        if model["model"] == folder.name and name in result["winrate"]:
            return {
                "base": result["base"],
                "prompts": result["prompts"],
                "judges": result["winrate"][name],
            }
    return None
