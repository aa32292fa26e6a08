"""One commit that gives a repository of the Hub its contents, or the plan of one.

A publication is one commit on top of the commit that it was planned for, so it happens as a whole or
not at all. When it fails, or its answer is lost, it is planned again from what the Hub then holds.
cards/dataset.py and cards/checkpoint.py decide what a repository should contain.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
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
    title of the commit. replace: allow a publication that removes rows.
    """

    languages: tuple[str, ...] | None = None
    private: bool = False
    gated: Literal["auto", "manual"] | None = None
    pr: bool = False
    revision: str | None = None
    message: str | None = None
    replace: bool = False


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
class Contents:
    """The contents that a repository should have, by path. Files that are named nowhere stay as they are.

    files: {path in `folder` and in the repository: the SHA-256 that the file must still have when it is
    uploaded}. documents: files that are written for this repository. stale: files to delete.
    message: the title of the commit. changes: lines about rows for a dry run. removals: languages and splits
    that lose rows. warnings: lines to show before anything is published.
    """

    folder: Path
    files: Mapping[str, str]
    documents: Mapping[str, bytes]
    stale: tuple[str, ...]
    message: str
    changes: tuple[str, ...] = ()
    removals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
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
        lines += [f"  {line}" for line in (*self.contents.changes, *self.contents.warnings)]
        if self.contents.removals:
            lines.append(f"  rows are removed, which needs --replace: {', '.join(self.contents.removals)}")
        before = (self.snapshot.read("README.md") or "").splitlines()
        after = self.contents.documents["README.md"].decode().splitlines()
        diff = unified_diff(before, after, "README.md", "README.md", lineterm="", n=0)
        return lines + [f"  {line}" for line in diff]


@dataclass(frozen=True, slots=True)
class Publication:
    """A repository (ORG/NAME) and the contents that it is to have.

    contents_of: called for each attempt, with what the Hub has then.
    """

    repo: str
    kind: Kind
    options: Options
    contents_of: Callable[[Snapshot], Contents]

    def push(self) -> Pushed:
        """Give the repository its contents in one commit of the files that differ; no commit if none does.

        Raises InputError: no token, no right to write, a file that changed on disk, or what `contents_of`
        refuses; Unavailable: the Hub keeps failing.
        """
        from huggingface_hub import get_token

        if not get_token():
            raise InputError(f"{self.repo}: no token to publish with; run `hf auth login` or set HF_TOKEN")
        return call_hub(self.repo, self.options.revision, self._push)

    def plan(self) -> Plan:
        """Return what `push` would change, without changing anything."""
        return call_hub(self.repo, self.options.revision, lambda: self._plan(self._find_head()))

    def check(self) -> None:
        """Raise the InputErrors of `push` that depend on what the Hub has; print the contents' warnings."""

        def attempt() -> Contents:
            return self.contents_of(self._snapshot(self._find_head()))

        contents = call_hub(self.repo, self.options.revision, attempt)
        self._refuse_removals(contents)
        for line in contents.warnings:
            print(f"{self.repo}: {line}")

    @property
    def _api(self) -> "HfApi":
        from huggingface_hub import HfApi

        return HfApi()

    def _push(self) -> Pushed:
        from huggingface_hub import CommitOperationDelete

        head = self._prepare_head()
        plan = self._plan(head)
        self._refuse_removals(plan.contents)
        digest = plan.contents.digest
        if plan.is_empty():
            page = f"{self._api.endpoint}/{'datasets/' if self.kind == 'dataset' else ''}{self.repo}"
            return Pushed(self.repo, f"{page}/commit/{head}", head, False, digest)
        message = self.options.message or plan.contents.message
        if self.options.pr:
            opened = self._find_pull_request(message)
            if opened is not None:
                return opened
        deletions = [CommitOperationDelete(path) for path in plan.contents.stale]
        info = self._api.create_commit(
            self.repo,
            [*plan.upload.values(), *deletions],
            commit_message=message,
            repo_type=self.kind,
            revision=self.options.revision,
            create_pr=self.options.pr,
            parent_commit=head,
        )
        url = str(info.pr_url if self.options.pr else info.commit_url)
        return Pushed(self.repo, url, info.oid, True, digest)

    def _refuse_removals(self, contents: Contents) -> None:
        if contents.removals and not self.options.replace:
            rows = ", ".join(contents.removals)
            raise InputError(f"{self.repo}: rows would be removed ({rows}); --replace removes them")

    def _snapshot(self, head: str | None) -> Snapshot:
        from huggingface_hub.hf_api import RepoFile

        tree: Iterable[object] = ()
        if head:
            tree = self._api.list_repo_tree(self.repo, recursive=True, revision=head, repo_type=self.kind)
        files = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
        return Snapshot(self.repo, self.kind, head, files)

    def _plan(self, head: str | None) -> Plan:
        from huggingface_hub import CommitOperationAdd

        snapshot = self._snapshot(head)
        files = snapshot.files
        contents = self.contents_of(snapshot)
        upload = {}
        for path, content in contents.documents.items():
            if not _has_content(files.get(path), content):
                upload[path] = CommitOperationAdd(path, content)
        for path, sha256 in contents.files.items():
            file = contents.folder / path
            if _has_file(files.get(path), file, sha256):
                continue
            upload[path] = CommitOperationAdd(path, file)
            if upload[path].upload_info.sha256.hex() != sha256:
                raise InputError(f"{file}: SHA-256 is not {sha256}; the file was changed")
        return Plan(snapshot, contents, upload)

    def _prepare_head(self) -> str:
        """Return the commit to build on, of a repository and branch that are created if missing.

        The repository is gated as the options say.
        """
        api, repo, kind, options = self._api, self.repo, self.kind, self.options
        # A pull request needs a repository: without one, repo_info raises the error.
        if not options.pr and not api.repo_exists(repo, repo_type=kind):
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

    def _find_head(self) -> str | None:
        """Return the commit that a publication would build on; None if the repository does not exist."""
        api, repo, kind, branch = self._api, self.repo, self.kind, self.options.revision
        if not api.repo_exists(repo, repo_type=kind):
            return None
        if branch and not api.revision_exists(repo, branch, repo_type=kind):
            branch = None  # it would be created from main
        return str(api.repo_info(repo, revision=branch, repo_type=kind).sha)

    def _find_pull_request(self, title: str) -> Pushed | None:
        """Return an open pull request that makes these very changes already.

        Without it, every run with --pr, and every retry after a lost answer, would open another one.
        """
        discussions = self._api.get_repo_discussions(
            self.repo, repo_type=self.kind, discussion_type="pull_request", discussion_status="open"
        )
        for discussion in discussions:
            if discussion.title != title:
                continue
            branch = f"refs/pr/{discussion.num}"
            plan = self._plan(branch)
            if plan.is_empty():
                commit = self._api.repo_info(self.repo, revision=branch, repo_type=self.kind).sha
                return Pushed(self.repo, discussion.url, str(commit), False, plan.contents.digest)
        return None


def _has_content(remote: "RepoFile | None", content: bytes) -> bool:
    if remote is None:
        return False
    if remote.lfs:
        return bool(remote.lfs.sha256 == hashlib.sha256(content).hexdigest())
    blob = b"blob %d\0" % len(content) + content  # what git hashes
    return bool(remote.blob_id == hashlib.sha1(blob).hexdigest())


def _has_file(remote: "RepoFile | None", file: Path, sha256: str) -> bool:
    if remote is not None and remote.lfs:
        return bool(remote.lfs.sha256 == sha256)
    # Without LFS a file is small: the Hub refuses large ones.
    return remote is not None and _has_content(remote, file.read_bytes())
