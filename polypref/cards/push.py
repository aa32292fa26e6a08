"""Publishes one folder (of `write_dataset`) as one repository of the Hub: what would change, and the commit that does it.

A publication is one commit on top of the commit that it was planned for, so it happens as a whole or not at all; when that
fails, or its answer is lost, it is planned again from what the Hub then has. Does not know recipes or work dirs.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from polypref.cards.folder import (
    Facts,
    content_of,
    described_files,
    documents,
    merged,
    parsed_facts,
    read_facts,
)
from polypref.cards.funnel import without_languages
from polypref.cards.licences import licence, parts
from polypref.cards.markers import listed, taken_apart
from polypref.cards.retries import one_line, patiently
from polypref.errors import InputError

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.hf_api import RepoFile


Kind = Literal["dataset", "model"]


@dataclass(frozen=True, slots=True)
class Options:
    """How to publish: `revision` a branch, made where there is none; `pr` as a pull request; `languages` FLORES codes."""

    languages: tuple[str, ...] | None = None
    private: bool = False
    gated: Literal["auto", "manual"] | None = None
    pr: bool = False
    revision: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Pushed:
    """Where a publication stands: the address to look at, the commit that holds it, whether that is a new one, and what it holds."""

    repo: str
    url: str
    commit: str
    changed: bool
    digest: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to change in a repository. `head` is the commit to build on; None for a repository that has yet to be made."""

    repo: str
    head: str | None
    facts: Facts
    before: Facts | None = None
    add: dict[str, "CommitOperationAdd"] = field(default_factory=dict)
    there: frozenset[str] = frozenset()
    delete: tuple[str, ...] = ()
    card: tuple[str, str] = ("", "")  # before, after

    def is_empty(self) -> bool:
        return not self.add and not self.delete

    def lines(self) -> list[str]:
        """The plan for a person: files, rows by language and split, lines of the card."""
        if self.is_empty():
            return [f"{self.repo}: nothing changes"]
        made = "" if self.head else ", in a new repository"
        out = [f"{self.repo}: {len(self.add)} files to upload, {len(self.delete)} to delete{made}"]
        size = {path: operation.upload_info.size for path, operation in self.add.items()}
        out += [
            f"  {'~' if path in self.there else '+'} {path} ({size[path]:,} bytes)"
            for path in sorted(self.add)
        ]
        out += [f"  - {path}" for path in self.delete]
        old, new = _split_rows(self.before), _split_rows(self.facts)
        changed = [
            (where, old.get(where, 0), new.get(where, 0))
            for where in sorted({*old, *new})
            if old.get(where) != new.get(where)
        ]
        out += [f"  {code} {split}: {was:,} -> {now:,} rows" for (code, split), was, now in changed]
        diff = unified_diff(
            self.card[0].splitlines(), self.card[1].splitlines(), "README.md", "README.md", lineterm="", n=0
        )
        return [*out, *(f"  {line}" for line in diff)]


def push(
    folder: Path, repo: str, options: Options | None = None, related: Mapping[str, Pushed] | None = None
) -> Pushed:
    """Publishes `folder` as the dataset `repo` (ORG/NAME): one commit with the files that changed, or none.

    Languages that stand only in the repository stay in it and in its card, and so does the text that people wrote there.
    `related`: the repositories beside it, by name, for its card to point to. Raises InputError: no licence or licences in
    conflict, no token, no right to write, other columns than the languages that stay, a folder that was changed by hand,
    a Hub that keeps failing.
    """
    options = options or Options()
    facts = publishable(folder, options.languages)
    with one_line(repo, options.revision):
        api = api_to_publish(repo)
        return patiently(lambda: _push(api, folder, facts, repo, options, related or {}))


def dry_run(folder: Path, repo: str, options: Options | None = None) -> Plan:
    """What `push` would change; nothing is made at the Hub. The commits of repositories beside it are not known yet."""
    options = options or Options()
    facts = publishable(folder, options.languages)
    with one_line(repo, options.revision):
        from huggingface_hub import HfApi

        api = HfApi()
        return patiently(lambda: _plan(api, folder, facts, repo, head_there(api, repo, options.revision), {}))


def publishable(folder: Path, languages: Sequence[str] | None = None) -> Facts:
    """The folder's facts.json, with these languages alone. Raises InputError for what cannot go out."""
    facts = read_facts(folder)
    if facts is None:
        raise InputError(f"{folder}: found no facts.json, expected the folder of a published dataset")
    if languages is not None:
        if missing := [code for code in languages if code not in facts["languages"]]:
            raise InputError(f"{folder}: no language {missing[0]!r}; found {', '.join(facts['languages'])}")
        others = facts["languages"].keys() - set(languages)
        facts = {
            **facts,
            "languages": {code: facts["languages"][code] for code in languages},
            "funnel": without_languages(facts["funnel"], others),
        }
    facts = {**facts, "license": licence(facts["license"], parts(facts))}
    for file in described_files(facts):
        path = folder / file["path"]
        if not path.is_file() or path.stat().st_size != file["bytes"]:
            raise InputError(
                f"{path}: found {'another size' if path.is_file() else 'no file'}, expected the file that facts.json describes"
            )
    return facts


def _push(
    api: "HfApi", folder: Path, facts: Facts, repo: str, options: Options, related: Mapping[str, Pushed]
) -> Pushed:
    from huggingface_hub import CommitOperationDelete

    head = commit_to_build_on(api, repo, options)
    plan = _plan(api, folder, facts, repo, head, related)
    digest = content_of(plan.facts)
    if plan.is_empty():
        return Pushed(repo, f"{api.endpoint}/datasets/{repo}/commit/{head}", head, False, digest)
    message = options.message or f"Publish {facts['table']}: {_named(list(facts['languages']))}"
    if options.pr:
        for opened in api.get_repo_discussions(
            repo, repo_type="dataset", discussion_type="pull_request", discussion_status="open"
        ):
            tip = f"refs/pr/{opened.num}"
            if opened.title == message and _plan(api, folder, facts, repo, tip, related).is_empty():
                return Pushed(repo, opened.url, str(api.dataset_info(repo, revision=tip).sha), False, digest)
    operations: list[Any] = [*plan.add.values(), *(CommitOperationDelete(path) for path in plan.delete)]
    done = api.create_commit(
        repo,
        operations,
        commit_message=message,
        repo_type="dataset",
        revision=options.revision,
        create_pr=options.pr,
        parent_commit=head,
    )
    return Pushed(repo, str(done.pr_url if options.pr else done.commit_url), done.oid, True, digest)


def commit_to_build_on(api: "HfApi", repo: str, options: Options, kind: Kind = "dataset") -> str:
    """The head of what is published to; a missing repository or branch is made, and its settings are what was asked for."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        info = api.repo_info(repo, repo_type=kind)
    except GatedRepoError:
        raise
    except RepositoryNotFoundError:
        if options.pr:
            raise
        api.create_repo(repo, repo_type=kind, private=options.private, exist_ok=True)
        info = api.repo_info(repo, repo_type=kind)
    if options.private and not info.private:
        raise InputError(
            f"{repo}: is a public repository, expected a private one; make it private first, or publish it as a public one"
        )
    if options.gated and info.gated != options.gated:
        api.update_repo_settings(repo, gated=options.gated, repo_type=kind)
    if options.revision is None:
        return str(info.sha)
    if not api.revision_exists(repo, options.revision, repo_type=kind):
        api.create_branch(repo, branch=options.revision, repo_type=kind, exist_ok=True)
    return str(api.repo_info(repo, revision=options.revision, repo_type=kind).sha)


def api_to_publish(repo: str) -> "HfApi":
    """Raises InputError where there is no token."""
    from huggingface_hub import HfApi, get_token

    if not get_token():
        raise InputError(f"{repo}: no token to publish with; run `hf auth login` or set HF_TOKEN")
    return HfApi()


def files_there(api: "HfApi", repo: str, head: str | None, kind: Kind = "dataset") -> dict[str, "RepoFile"]:
    """The files of a commit by their paths; none where there is no commit."""
    from huggingface_hub.hf_api import RepoFile

    listed = api.list_repo_tree(repo, recursive=True, revision=head, repo_type=kind) if head else ()
    return {file.path: file for file in listed if isinstance(file, RepoFile)}


def head_there(api: "HfApi", repo: str, revision: str | None, kind: Kind = "dataset") -> str | None:
    """The head of what would be published to; nothing is made. None for a repository that is not there."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        return str(api.repo_info(repo, revision=revision, repo_type=kind).sha)
    except GatedRepoError:
        raise
    except RevisionNotFoundError:  # a branch that would be made from main
        return str(api.repo_info(repo, repo_type=kind).sha)
    except RepositoryNotFoundError:
        return None


def _plan(
    api: "HfApi", folder: Path, facts: Facts, repo: str, head: str | None, related: Mapping[str, Pushed]
) -> Plan:
    from huggingface_hub import CommitOperationAdd

    files = files_there(api, repo, head)

    def there(path: str) -> str | None:
        if path not in files:
            return None
        return Path(api.hf_hub_download(repo, path, revision=head, repo_type="dataset")).read_text("utf-8")

    published, card = there("facts.json"), there("README.md")
    before = parsed_facts(published, f"{repo}: facts.json") if published else None
    if before is None:
        _refuse_foreign(card, repo, facts)
    pointers = {
        name: _pointer(other, (before or {}).get("related", {}).get(name)) for name, other in related.items()
    }
    new = merged(
        before, {**facts, "name": repo, "related": {**(before or {}).get("related", {}), **pointers}}
    )
    draft = folder / "README.md"
    written = documents(new, card, repo, draft.read_text("utf-8") if draft.exists() else None)
    add = {
        path: CommitOperationAdd(path, new_content)
        for path, new_content in written.items()
        if not is_same(files.get(path), new_content)
    }
    for file in described_files(facts):
        if not is_same(files.get(file["path"]), folder / file["path"], file["sha256"]):
            added = add[file["path"]] = CommitOperationAdd(file["path"], folder / file["path"])
            if added.upload_info.sha256.hex() != file["sha256"]:
                raise InputError(
                    f"{folder / file['path']}: found another content, expected the file that facts.json describes"
                )
    expected = {file["path"] for file in described_files(facts)}
    folders = tuple(f"data/{code}/" for code in facts["languages"])
    stale = tuple(
        path
        for path in files
        if path.startswith(folders) and path.endswith(".parquet") and path not in expected
    )
    return Plan(
        repo, head, new, before, add, frozenset(files), stale, (card or "", written["README.md"].decode())
    )


def _refuse_foreign(card: str | None, repo: str, facts: Facts) -> None:
    """Raises InputError where the repository has configs of our names that we did not publish: they would be lost."""
    configs = listed(taken_apart(card or "")[0].get("configs"))
    if taken := [
        name
        for config in configs
        if (name := config.get("config_name", "default")) in {"default", *facts["languages"]}
    ]:
        raise InputError(
            f"{repo}: holds a config {taken[0]!r} but no facts.json, expected a repository that polypref published, or a new one"
        )


def _pointer(other: Pushed, known: Mapping[str, str] | None) -> dict[str, str]:
    """Where a repository beside this one holds its rows; the commit that was named before, while it holds the same ones."""
    found = {"repo": other.repo, "commit": other.commit, "digest": other.digest}
    same = known and (known["repo"], known["digest"]) == (other.repo, other.digest)
    return dict(known) if known and same else found


def is_same(there: "RepoFile | None", content: bytes | Path, sha256: str | None = None) -> bool:
    """Whether the file in a repository (None: there is none) has this content."""
    if there is None:
        return False
    if there.lfs and sha256:
        return bool(there.lfs.sha256 == sha256)
    data = content if isinstance(content, bytes) else content.read_bytes()
    if there.lfs:
        return bool(there.lfs.sha256 == hashlib.sha256(data).hexdigest())
    return bool(there.blob_id == hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest())


def _split_rows(facts: Facts | None) -> dict[tuple[str, str], int]:
    rows: dict[tuple[str, str], int] = {}
    for code, about in (facts or {"languages": {}})["languages"].items():
        for file in about["files"]:
            rows[code, file["split"]] = rows.get((code, file["split"]), 0) + file["rows"]
    return rows


def _named(codes: Sequence[str]) -> str:
    return ", ".join(codes) if len(codes) <= 3 else f"{len(codes)} languages"
