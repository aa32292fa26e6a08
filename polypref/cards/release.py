"""Publishes a run: the repositories beside the pairs, then the pairs, then checkpoints and a collection.

Each repository changes by one commit of its own and names the commits of those before it, so that
whatever stops a publication in between, what a card names exists. Running it again does what is left.
"""

from collections.abc import Sequence
from pathlib import Path

from polypref.cards.checkpoint import (
    checkpoint_facts,
    checkpoint_publication,
    finished_checkpoints,
    is_checkpoint,
    require_finished,
)
from polypref.cards.dataset import dataset_publication
from polypref.cards.dataset_card import BESIDE
from polypref.cards.folder import described_files, read_facts
from polypref.cards.push import Kind, Options, Plan, Pushed
from polypref.cards.retries import call_hub
from polypref.errors import InputError


def run_datasets(run: Path, repo: str, rejected: bool = False) -> list[tuple[str, Path, str]]:
    """Return (table, folder, repository) of the datasets that a run publishes, in the order of publication.

    run: a run's folder (`runs/demo`), a published folder by itself, or a checkpoint, which has no datasets.
    Raises InputError for anything else.
    """
    require_finished(run)
    if is_checkpoint(run):
        return []
    if read_facts(run) is not None:
        return [("", run, repo)]
    published = run / "published"
    if read_facts(published / "pairs") is None:
        raise InputError(
            f"{run}: no published/pairs; expected a run's folder, a published folder or a checkpoint"
        )
    if rejected and read_facts(published / "rejected") is None:
        raise InputError(
            f"{run}: no published/rejected; build the recipe again (answers are kept and not asked for twice)"
        )
    datasets = []
    for table in BESIDE:
        facts = read_facts(published / table)
        if facts and (table != "rejected" or (rejected and described_files(facts))):
            datasets.append((table, published / table, f"{repo}-{table}"))
    return [*datasets, ("pairs", published / "pairs", repo)]


def plan_run(
    run: Path, repo: str, options: Options, *, rejected: bool = False, models: bool = False
) -> list[Plan]:
    """Return what `publish_run` would change, one plan per repository."""
    plans = []
    pairs = None
    for table, folder, name in run_datasets(run, repo, rejected):
        plan = dataset_publication(folder, name, options).plan()
        plans.append(plan)
        if table == "pairs":
            commit = str(plan.snapshot.commit) if plan.is_empty() else "the commit to come"
            pairs = Pushed(name, "", commit, False, plan.contents.digest)
    for folder, name in _checkpoints(run, repo, models):
        facts = checkpoint_facts(folder, _winrate(run), pairs)
        plans.append(checkpoint_publication(folder, name, options, facts).plan())
    return plans


def publish_run(
    run: Path,
    repo: str,
    options: Options,
    *,
    tag: str | None = None,
    rejected: bool = False,
    models: bool = False,
) -> list[Pushed]:
    """Publish a run as `repo` (ORG/NAME) and the repositories named after it; print a line for each.

    tag: a name for the commits. rejected: also publish NAME-rejected. models: also publish the run's
    checkpoints, as NAME-<checkpoint>. A collection named after the pairs holds all of them; pull requests
    and branches do not touch it.

    Raises InputError for what cannot be published, if possible before the Hub is asked; Unavailable if the
    Hub keeps failing.
    """
    datasets, checkpoints = run_datasets(run, repo, rejected), _checkpoints(run, repo, models)
    for folder, _ in checkpoints:
        checkpoint_facts(folder)
    publications = [dataset_publication(folder, name, options) for _, folder, name in datasets]
    for publication in publications:
        publication.check()
    pushed: dict[str, Pushed] = {}
    items: list[tuple[str, Kind]] = []
    for table, folder, name in datasets:
        pushed[table] = dataset_publication(folder, name, options, dict(pushed)).push()
        _finish(pushed[table], tag, "dataset")
        items.append((name, "dataset"))
    for folder, name in checkpoints:
        facts = checkpoint_facts(folder, _winrate(run), pushed.get("pairs"))
        _finish(checkpoint_publication(folder, name, options, facts).push(), tag, "model")
        items.append((name, "model"))
    if len(items) > 1 and not options.pr and options.revision is None:
        print(collect(repo, items[::-1], options.private))
    return list(pushed.values())


def _checkpoints(run: Path, repo: str, models: bool) -> list[tuple[Path, str]]:
    """Return (folder, repository) of the checkpoints to publish: the run's own, or the one that `run` is."""
    if is_checkpoint(run):
        return [(run, repo)]
    return [(path, f"{repo}-{path.name}") for path in finished_checkpoints(run)] if models else []


def _winrate(run: Path) -> Path:
    return run / "eval" / "winrate.json"


def _finish(pushed: Pushed, tag: str | None, kind: Kind) -> None:
    print(pushed.url if pushed.changed else f"{pushed.url} (nothing changed)")
    if tag:
        set_tag(pushed.repo, tag, pushed.commit, kind)


def set_tag(repo: str, name: str, commit: str, kind: Kind = "dataset") -> None:
    """Tag a commit of `repo`, unless it has that tag. Raises InputError if the tag names another commit."""
    from huggingface_hub import HfApi

    api = HfApi()

    def attempt() -> None:
        tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(repo, repo_type=kind).tags}
        if name not in tags:
            api.create_tag(repo, tag=name, revision=commit, repo_type=kind)
        elif tags[name] != commit:
            raise InputError(f"{repo}: the tag {name!r} names {tags[name]}; expected a new name for {commit}")

    call_hub(repo, commit, attempt)


def collect(repo: str, items: Sequence[tuple[str, Kind]], private: bool = False) -> str:
    """Put repositories into the collection named after `repo`, created if missing, and return its address."""
    from huggingface_hub import HfApi

    namespace, _, name = repo.partition("/")
    api = HfApi()

    def attempt() -> str:
        collection = api.create_collection(name, namespace=namespace, private=private, exists_ok=True)
        present = {(item.item_type, item.item_id) for item in collection.items}
        for item, kind in items:
            if (kind, item) not in present:
                api.add_collection_item(collection.slug, item, kind, exists_ok=True)
        return f"{api.endpoint}/collections/{collection.slug}"

    return call_hub(repo, None, attempt)
