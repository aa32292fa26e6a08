"""One commit that gives a repository of the Hub its contents, or the plan of one.

A publication is one commit on top of the commit that it was planned for, so it happens as a whole or
not at all. When it fails, or its answer is lost, it is planned again from what the Hub then holds.
cards/dataset.py and cards/checkpoint.py decide what a repository should contain.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from polypref.cards.retries import call_hub
from polypref.errors import InputError

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.hf_api import RepoFile

Kind = Literal["dataset", "model"]


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a publication.

    languages: FLORES codes; all of the folder's by default. private: for repositories that do not exist
    yet. pr: open a pull request. revision: the branch to commit to, created if missing. message: the
    title of the commit.
    """

    languages: tuple[str, ...] | None = None
    private: bool = False
    gated: Literal["auto", "manual"] | None = None
    pr: bool = False
    revision: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Pushed:
    """A publication: the page of its commit or pull request, the commit, and whether this run made it.

    digest: of the rows of a dataset; empty for a model.
    """

    repo: str
    url: str
    commit: str
    changed: bool
    digest: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files of a repository at one commit.

    A repository that does not exist has no commit and no files.
    """

    repo: str
    kind: Kind
    commit: str | None
    files: Mapping[str, "RepoFile"]

    def read(self, path: str) -> str | None:
        """Return the text of a file; None if it does not exist."""
        if path not in self.files:
            return None
        from huggingface_hub import hf_hub_download

        file = hf_hub_download(self.repo, path, revision=self.commit, repo_type=self.kind)
        return Path(file).read_text("utf-8")


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on disk, and the SHA-256 that it must still have when it is uploaded."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents that a repository should have, by path. Files that are named nowhere stay as they are.

    documents: files that are written for this repository. stale: files to delete.
    message: the title of the commit. row_changes: lines about rows for a dry run.
    """

    files: Mapping[str, LocalFile]
    documents: Mapping[str, bytes]
    stale: tuple[str, ...]
    message: str
    row_changes: tuple[str, ...] = ()
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes that turn a snapshot into the wanted contents."""

    snapshot: Snapshot
    contents: Contents
    upload: Mapping[str, "CommitOperationAdd"]

    def is_empty(self) -> bool:
        return not self.upload and not self.contents.stale

    def lines(self) -> list[str]:
        """Describe the plan: files, rows by language and split, changed lines of the card."""
        repo, stale = self.snapshot.repo, self.contents.stale
        if self.is_empty():
            return [f"{repo}: nothing changes"]
        new = "" if self.snapshot.commit else ", in a new repository"
        lines = [f"{repo}: {len(self.upload)} files to upload, {len(stale)} to delete{new}"]
        for path, operation in sorted(self.upload.items()):
            sign = "~" if path in self.snapshot.files else "+"
            lines.append(f"  {sign} {path} ({operation.upload_info.size:,} bytes)")
        lines += [f"  - {path}" for path in stale]
        lines += [f"  {line}" for line in self.contents.row_changes]
        before = (self.snapshot.read("README.md") or "").splitlines()
        after = self.contents.documents["README.md"].decode().splitlines()
        diff = unified_diff(before, after, "README.md", "README.md", lineterm="", n=0)
        return lines + [f"  {line}" for line in diff]


ContentsOf = Callable[[Snapshot], Contents]  # called for each attempt, with what the Hub has then


def push_contents(repo: str, kind: Kind, options: Options, contents_of: ContentsOf) -> Pushed:
    """Give `repo` (ORG/NAME) its contents in one commit of the files that differ; no commit if none does.

    Raises InputError: no token, no right to write, a file that changed on disk, or what `contents_of`
    refuses; Unavailable: the Hub keeps failing.
    """
    from huggingface_hub import HfApi, get_token

    if not get_token():
        raise InputError(f"{repo}: no token to publish with; run `hf auth login` or set HF_TOKEN")
    api = HfApi()
    return call_hub(repo, options.revision, lambda: _push(api, repo, kind, options, contents_of))


def plan_contents(repo: str, kind: Kind, options: Options, contents_of: ContentsOf) -> Plan:
    """Return what `push_contents` would change, without changing anything."""
    from huggingface_hub import HfApi

    api = HfApi()

    def attempt() -> Plan:
        return _plan(api, repo, kind, _find_head(api, repo, kind, options.revision), contents_of)

    return call_hub(repo, options.revision, attempt)


def _push(api: "HfApi", repo: str, kind: Kind, options: Options, contents_of: ContentsOf) -> Pushed:
    from huggingface_hub import CommitOperationDelete

    head = _prepare_head(api, repo, kind, options)
    plan = _plan(api, repo, kind, head, contents_of)
    digest = plan.contents.digest
    if plan.is_empty():
        page = f"{api.endpoint}/{'datasets/' if kind == 'dataset' else ''}{repo}"
        return Pushed(repo, f"{page}/commit/{head}", head, False, digest)
    message = options.message or plan.contents.message
    if options.pr:
        opened = _find_pull_request(api, repo, kind, message, contents_of)
        if opened is not None:
            url, commit = opened
            return Pushed(repo, url, commit, False, digest)
    deletions = [CommitOperationDelete(path) for path in plan.contents.stale]
    info = api.create_commit(
        repo,
        [*plan.upload.values(), *deletions],
        commit_message=message,
        repo_type=kind,
        revision=options.revision,
        create_pr=options.pr,
        parent_commit=head,
    )
    return Pushed(repo, str(info.pr_url if options.pr else info.commit_url), info.oid, True, digest)


def _plan(api: "HfApi", repo: str, kind: Kind, head: str | None, contents_of: ContentsOf) -> Plan:
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.hf_api import RepoFile

    tree = api.list_repo_tree(repo, recursive=True, revision=head, repo_type=kind) if head else ()
    files = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
    snapshot = Snapshot(repo, kind, head, files)
    contents = contents_of(snapshot)
    upload = {}
    for path, content in contents.documents.items():
        if not _has_content(files.get(path), content):
            upload[path] = CommitOperationAdd(path, content)
    for path, file in contents.files.items():
        if _has_file(files.get(path), file):
            continue
        upload[path] = CommitOperationAdd(path, file.path)
        if upload[path].upload_info.sha256.hex() != file.sha256:
            raise InputError(f"{file.path}: SHA-256 is not {file.sha256}; the file was changed")
    return Plan(snapshot, contents, upload)


def _has_content(remote: "RepoFile | None", content: bytes) -> bool:
    if remote is None:
        return False
    if remote.lfs:
        return bool(remote.lfs.sha256 == hashlib.sha256(content).hexdigest())
    blob = b"blob %d\0" % len(content) + content  # what git hashes
    return bool(remote.blob_id == hashlib.sha1(blob).hexdigest())


def _has_file(remote: "RepoFile | None", file: LocalFile) -> bool:
    if remote is not None and remote.lfs:
        return bool(remote.lfs.sha256 == file.sha256)
    # Without LFS a file is small: the Hub refuses large ones.
    return remote is not None and _has_content(remote, file.path.read_bytes())


def _prepare_head(api: "HfApi", repo: str, kind: Kind, options: Options) -> str:
    """Return the commit to build on, of a repository and branch that are created if missing.

    The repository is gated as the options say.
    """
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
            f"{repo}: is a public repository; expected a private one "
            "(make it private first, or leave out --private)"
        )
    if options.gated and info.gated != options.gated:
        api.update_repo_settings(repo, gated=options.gated, repo_type=kind)
    if options.revision is None:
        return str(info.sha)
    if not api.revision_exists(repo, options.revision, repo_type=kind):
        api.create_branch(repo, branch=options.revision, repo_type=kind, exist_ok=True)
    return str(api.repo_info(repo, revision=options.revision, repo_type=kind).sha)


def _find_head(api: "HfApi", repo: str, kind: Kind, revision: str | None) -> str | None:
    """Return the commit that a publication would build on; None if the repository does not exist."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        return str(api.repo_info(repo, revision=revision, repo_type=kind).sha)
    except GatedRepoError:
        raise
    except RevisionNotFoundError:
        # A missing branch would be created from main.
        return str(api.repo_info(repo, repo_type=kind).sha)
    except RepositoryNotFoundError:
        return None


def _find_pull_request(
    api: "HfApi", repo: str, kind: Kind, title: str, contents_of: ContentsOf
) -> tuple[str, str] | None:
    """Return the page and commit of an open pull request that makes these very changes already.

    Without it, every run with --pr, and every retry after a lost answer, would open another one.
    """
    discussions = api.get_repo_discussions(
        repo, repo_type=kind, discussion_type="pull_request", discussion_status="open"
    )
    for discussion in discussions:
        if discussion.title != title:
            continue
        branch = f"refs/pr/{discussion.num}"
        if _plan(api, repo, kind, branch, contents_of).is_empty():
            return discussion.url, str(api.repo_info(repo, revision=branch, repo_type=kind).sha)
    return None
