"""Publishes a trained checkpoint as a model repository: its files as they are, its card with the win rates that are known by now."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polypref.cards.licences import licence
from polypref.cards.model_card import documents
from polypref.cards.push import (
    Options,
    Plan,
    Pushed,
    api_to_publish,
    commit_to_build_on,
    files_there,
    head_there,
    is_same,
)
from polypref.cards.retries import one_line, patiently
from polypref.errors import InputError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

WEIGHTS = (".safetensors", ".safetensors.index.json")


def is_checkpoint(folder: Path) -> bool:
    """Whether a training ended here."""
    return (folder / "training.json").is_file()


def finished(run: Path) -> Iterator[Path]:
    """The checkpoints of a run that are there to be used: controls are not."""
    for path in sorted((run / "checkpoints").glob("*/training.json")):
        if not read_training(path.parent)["key"].get("control"):
            yield path.parent


def push(folder: Path, repo: str, options: Options, facts: Mapping[str, Any]) -> Pushed:
    """Publishes a checkpoint as the model `repo`: one commit with the files that changed, or none. `facts`: see `about`.

    Raises InputError as `polypref.cards.push.push` does.
    """
    with one_line(repo, options.revision):
        api = api_to_publish(repo)
        return patiently(lambda: _push(api, folder, facts, repo, options))


def dry_run(folder: Path, repo: str, options: Options, facts: Mapping[str, Any]) -> Plan:
    """What `push` would change; nothing is made at the Hub."""
    with one_line(repo, options.revision):
        from huggingface_hub import HfApi

        api = HfApi()
        return patiently(
            lambda: _plan(api, folder, facts, repo, head_there(api, repo, options.revision, "model"))
        )


def about(folder: Path, winrate: Path | None = None, pairs: Pushed | None = None) -> dict[str, Any]:
    """What the card says of a checkpoint. Raises InputError where there is no licence, or one that the data's forbids.

    `winrate`: eval's winrate.json, used where it judged this checkpoint; `pairs`: the published pairs, named where it was
    trained on these very rows, in a folder.
    """
    facts = read_training(folder)
    data = facts["data"]
    if not facts.get("license"):
        raise InputError(
            f"{folder}: found no licence, neither in the recipe nor in the base model's card; train with `license` set"
        )
    licence(facts["license"], [(f"data {data['name']}", data.get("license"))])
    if pairs and not data["on_hub"] and data.get("content") == pairs.digest:
        data = {**data, "name": pairs.repo, "revision": pairs.commit, "on_hub": True}
    log = folder / "training_log.jsonl"
    return {
        **facts,
        "data": data,
        "curve": [json.loads(line) for line in log.read_text("utf-8").splitlines()] if log.is_file() else [],
        "lora": (folder / "adapter_config.json").is_file(),
        "winrate": _winrate(folder, winrate),
    }


def read_training(folder: Path) -> dict[str, Any]:
    """The folder's training.json: what `polypref.training.run.facts` recorded."""
    try:
        facts: dict[str, Any] = json.loads((folder / "training.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / 'training.json'}: cannot be read: {error}") from None
    return facts


def _push(api: "HfApi", folder: Path, facts: Mapping[str, Any], repo: str, options: Options) -> Pushed:
    from huggingface_hub import CommitOperationDelete

    head = commit_to_build_on(api, repo, options, "model")
    plan = _plan(api, folder, facts, repo, head)
    if plan.is_empty():
        return Pushed(repo, f"{api.endpoint}/{repo}/commit/{head}", head, False, "")
    done = api.create_commit(
        repo,
        [*plan.add.values(), *(CommitOperationDelete(path) for path in plan.delete)],
        commit_message=options.message or f"Publish {folder.name}",
        revision=options.revision,
        create_pr=options.pr,
        parent_commit=head,
    )
    return Pushed(repo, str(done.pr_url if options.pr else done.commit_url), done.oid, True, "")


def _plan(api: "HfApi", folder: Path, facts: Mapping[str, Any], repo: str, head: str | None) -> Plan:
    """Files that differ, and weights of an earlier checkpoint that is cut otherwise."""
    from huggingface_hub import CommitOperationAdd

    there = files_there(api, repo, head, "model")
    old = (
        Path(api.hf_hub_download(repo, "README.md", revision=head)).read_text("utf-8")
        if "README.md" in there
        else ""
    )
    written = documents({**facts, "name": repo}, old)
    add = {
        path: CommitOperationAdd(path, content)
        for path, content in written.items()
        if not is_same(there.get(path), content)
    }
    files = {
        path.name: path
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != "README.md" and path.name[0] != "."
    }
    for name, path in files.items():
        operation = CommitOperationAdd(name, path)
        if not is_same(there.get(name), path, operation.upload_info.sha256.hex()):
            add[name] = operation
    stale = tuple(path for path in there if "/" not in path and path.endswith(WEIGHTS) and path not in files)
    return Plan(
        repo,
        head,
        {"languages": {}},
        None,
        add,
        frozenset(there),
        stale,
        (old, written["README.md"].decode()),
    )


def _winrate(folder: Path, file: Path | None) -> dict[str, Any] | None:
    """The part of eval's result that judged this checkpoint."""
    if file is None or not file.is_file():
        return None
    result = json.loads(file.read_text("utf-8"))
    name = next(
        (
            name
            for name, model in result["models"].items()
            if model["model"] == folder.name and name in result["winrate"]
        ),
        None,
    )
    return (
        None
        if name is None
        else {"base": result["base"], "prompts": result["prompts"], "judges": result["winrate"][name]}
    )
