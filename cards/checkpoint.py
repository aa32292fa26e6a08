"""Publishes a trained checkpoint as a model repository: its files as they are, its card with the win rates that are known by now."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.calls import one_line, patiently
from cards.errors import InputError
from cards.model_card import model_card
from cards.push import Options, Pushed, commit_to_build_on, is_same

if TYPE_CHECKING:
    from huggingface_hub import HfApi


def is_checkpoint(folder: Path) -> bool:
    """Whether a training ended here."""
    return (folder / "training.json").is_file()


def finished(run: Path) -> Iterator[Path]:
    """The checkpoints of a run that are there to be used: controls are not."""
    for path in sorted((run / "checkpoints").glob("*/training.json")):
        if not _facts(path.parent)["key"].get("control"):
            yield path.parent


def push(folder: Path, repo: str, options: Options | None = None, winrate: Path | None = None) -> Pushed:
    """Publishes a checkpoint as the model `repo`: one commit with the files that changed, or none.

    `winrate`: eval's winrate.json; it is used where it judged this checkpoint. Raises InputError as `cards.push.push` does.
    """
    options = options or Options()
    facts = _facts(folder)
    if not facts.get("license"):
        raise InputError(f"{folder}: found no licence, neither in the recipe nor in the base model's card; train with `license` set")
    card = model_card({**facts, "name": repo, "curve": _curve(folder), "lora": _is_adapter(folder), "winrate": _winrate(folder, winrate)})
    with one_line(repo, options.revision):
        from huggingface_hub import HfApi, get_token

        if not get_token():
            raise InputError(f"{repo}: no token to publish with; run `hf auth login` or set HF_TOKEN")
        return patiently(lambda: _push(HfApi(), folder, card.encode(), repo, options))


def _push(api: "HfApi", folder: Path, card: bytes, repo: str, options: Options) -> Pushed:
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.hf_api import RepoFile

    head = commit_to_build_on(api, repo, options, "model")
    there = {file.path: file for file in api.list_repo_tree(repo, recursive=True, revision=head) if isinstance(file, RepoFile)}
    files = {path.name: path for path in sorted(folder.iterdir()) if path.is_file() and path.name != "README.md" and path.name[0] != "."}
    add = [CommitOperationAdd("README.md", card)] if not is_same(there.get("README.md"), card) else []
    for name, path in files.items():
        operation = CommitOperationAdd(name, path)
        if not is_same(there.get(name), path, operation.upload_info.sha256.hex()):
            add.append(operation)
    if not add:
        return Pushed(repo, f"{api.endpoint}/{repo}/commit/{head}", head, False, "")
    done = api.create_commit(
        repo,
        add,
        commit_message=options.message or f"Publish {folder.name}",
        revision=options.revision,
        create_pr=options.pr,
        parent_commit=head,
    )
    return Pushed(repo, str(done.pr_url if options.pr else done.commit_url), done.oid, True, "")


def _facts(folder: Path) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads((folder / "training.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / 'training.json'}: cannot be read: {error}") from None
    return facts


def _curve(folder: Path) -> list[dict[str, Any]]:
    log = folder / "training_log.jsonl"
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()] if log.is_file() else []


def _is_adapter(folder: Path) -> bool:
    return (folder / "adapter_config.json").is_file()


def _winrate(folder: Path, file: Path | None) -> dict[str, Any] | None:
    """The part of eval's result that judged this checkpoint."""
    if file is None or not file.is_file():
        return None
    result = json.loads(file.read_text("utf-8"))
    name = next((name for name, model in result["models"].items() if model["model"] == folder.name and name in result["winrate"]), None)
    return None if name is None else {"base": result["base"], "prompts": result["prompts"], "judges": result["winrate"][name]}
