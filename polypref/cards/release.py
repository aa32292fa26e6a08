"""Publishes a run's folder: the repositories beside the pairs first, the pairs after them, then checkpoints and a collection.

Each repository changes by one commit of its own and names the commits of those before it: whatever stops a publication in
between, what a card names is there. Repeating it does what is left.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from polypref.cards import checkpoint
from polypref.cards.dataset_card import BESIDE
from polypref.cards.folder import content_of, read_facts
from polypref.cards.push import Kind, Options, Plan, Pushed, dry_run, publishable, push
from polypref.cards.retries import one_line, patiently
from polypref.errors import InputError


def datasets(run: Path, repo: str, rejected: bool = False) -> list[tuple[str, Path, str]]:
    """(name, folder, repository) of what a run publishes, in the order in which it goes out.

    `run` is a run's folder (`runs/demo`), or a published folder by itself; none are in a checkpoint. Raises InputError otherwise.
    """
    if checkpoint.is_checkpoint(run):
        return []
    if read_facts(run) is not None:
        return [("", run, repo)]
    published = run / "published"
    if read_facts(published / "pairs") is None:
        raise InputError(
            f"{run}: found no published/pairs, expected a run's folder, a published folder or a checkpoint"
        )
    beside = [name for name in BESIDE if name != "rejected" or rejected]
    if rejected and read_facts(published / "rejected") is None:
        raise InputError(
            f"{run}: found no published/rejected; build the recipe again, nothing is asked twice"
        )
    found = [
        (name, published / name, f"{repo}-{name}")
        for name in beside
        if read_facts(published / name) is not None
    ]
    return [*found, ("pairs", published / "pairs", repo)]


def plans(
    run: Path, repo: str, options: Options, *, rejected: bool = False, models: bool = False
) -> list[Plan]:
    """What `release` would change, repository by repository."""
    found = {name: dry_run(folder, called, options) for name, folder, called in datasets(run, repo, rejected)}
    pairs = found.get("pairs")
    if pairs is None:
        there = None
    else:
        commit = str(pairs.head) if pairs.is_empty() else "the commit to come"
        there = Pushed(pairs.repo, "", commit, False, content_of(pairs.facts))
    for path, name in _models(run, repo, models):
        found[name] = checkpoint.dry_run(path, name, options, checkpoint.about(path, _winrate(run), there))
    return list(found.values())


def release(
    run: Path,
    repo: str,
    options: Options,
    *,
    tag: str | None = None,
    rejected: bool = False,
    models: bool = False,
    say: Callable[[str], object] = print,
) -> list[Pushed]:
    """Publishes `run` as ORG/NAME and the repositories called after it, and says a line for each.

    `tag` names the commits; `rejected` adds NAME-rejected, `models` the run's checkpoints as NAME-<checkpoint>. A collection
    called after the pairs ties several repositories together, unless this is a pull request or a branch.
    Raises InputError for what cannot be published, before the Hub is asked where it can be seen there.
    """
    wanted, checkpoints = datasets(run, repo, rejected), _models(run, repo, models)
    for _, folder, _ in wanted:
        publishable(folder, options.languages)
    for path, _ in checkpoints:
        checkpoint.about(path)
    done: dict[str, Pushed] = {}
    for name, folder, called in wanted:
        done[name] = push(folder, called, options, dict(done))
        say(_line(done[name]))
        if tag:
            set_tag(called, tag, done[name].commit)
    items: list[tuple[str, Kind]] = [(pushed.repo, "dataset") for pushed in done.values()]
    for path, called in checkpoints:
        pushed = checkpoint.push(
            path, called, options, checkpoint.about(path, _winrate(run), done.get("pairs"))
        )
        say(_line(pushed))
        items.append((pushed.repo, "model"))
        if tag:
            set_tag(called, tag, pushed.commit, "model")
    if len(items) > 1 and not options.pr and options.revision is None:
        say(collect(repo, items[::-1], options.private))
    return list(done.values())


def _models(run: Path, repo: str, wanted: bool) -> list[tuple[Path, str]]:
    """The run's checkpoints, or the one that `run` is, and the repositories that they go to."""
    if checkpoint.is_checkpoint(run):
        return [(run, repo)]
    return [(path, f"{repo}-{path.name}") for path in checkpoint.finished(run)] if wanted else []


def _winrate(run: Path) -> Path:
    return run / "eval" / "winrate.json"


def set_tag(repo: str, name: str, commit: str, kind: Kind = "dataset") -> None:
    """Names a commit of `repo`; nothing to do where it has that name. Raises InputError where the name is taken."""
    with one_line(repo, commit):
        from huggingface_hub import HfApi

        api = HfApi()

        def attempt() -> None:
            known = {tag.name: tag.target_commit for tag in api.list_repo_refs(repo, repo_type=kind).tags}
            if name in known and known[name] != commit:
                raise InputError(
                    f"{repo}: the tag {name!r} names {known[name]}, expected a new name for {commit}"
                )
            if name not in known:
                api.create_tag(repo, tag=name, revision=commit, repo_type=kind)

        patiently(attempt)


def collect(repo: str, items: Sequence[tuple[str, Kind]], private: bool = False) -> str:
    """Puts repositories into the collection that is called after `repo`, made where there is none; returns its address."""
    namespace, _, name = repo.partition("/")
    with one_line(repo, None):
        from huggingface_hub import HfApi

        api = HfApi()

        def attempt() -> str:
            found = api.create_collection(name, namespace=namespace, private=private, exists_ok=True)
            there = {(item.item_type, item.item_id) for item in found.items}
            for item, kind in items:
                if (kind, item) not in there:
                    api.add_collection_item(found.slug, item, kind, exists_ok=True)
            return f"{api.endpoint}/collections/{found.slug}"

        return patiently(attempt)


def _line(pushed: Pushed) -> str:
    return pushed.url if pushed.changed else f"{pushed.url} (nothing changed)"
