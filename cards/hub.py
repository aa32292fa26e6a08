"""Published folders and the Hub: publish one, tag it, read one back.

A publication is one commit on top of the commit that it was planned for, so it happens as a whole or not at all; when that
fails, or its answer is lost, it is planned again from what the Hub then has. Does not know recipes or work dirs.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from cards import mixtures
from cards.dataset_card import dataset_card
from cards.errors import InputError
from cards.folder import Facts, arrow_schema, facts_text, merged, parquet_files, parsed_facts, read_facts
from cards.languages import language as find_language
from cards.mixtures import Mixture

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

ATTEMPTS = 6
FIRST_PAUSE = 0.5  # seconds; doubled after each attempt, unless the Hub names another


# Publishing


def publish(
    folder: Path, repo: str, *, private: bool = False, revision: str | None = None, pr: bool = False, message: str | None = None
) -> str:
    """Publishes `folder` (of `write_dataset`) as the dataset `repo` (ORG/NAME), and returns the address of the commit.

    One commit with the files that changed, or none. Languages that stand only in the repository stay in it and in its card,
    and so does the text that people wrote there. `revision`: a branch, made where there is none. `pr`: as a pull request, whose
    address is returned. Raises InputError: no licence, no token, no right to write, a folder that was changed by hand,
    a Hub that keeps failing.
    """
    facts = _publishable(folder)
    with _one_line(repo, revision):
        from huggingface_hub import HfApi, get_token

        if not get_token():
            raise InputError(f"{repo}: no token to publish with; run `hf auth login` or set HF_TOKEN")
        api = HfApi()
        message = message or f"Publish {facts['table']}: {_named(list(facts['languages']))}"
        return _patiently(lambda: _publish(api, folder, facts, repo, private, revision, pr, message))


def tag(repo: str, name: str, revision: str | None = None) -> None:
    """Names a commit of the dataset `repo`. Raises InputError where the name is taken."""
    with _one_line(repo, revision):
        from huggingface_hub import HfApi

        HfApi().create_tag(repo, tag=name, revision=revision, repo_type="dataset")


def _publishable(folder: Path) -> Facts:
    facts = read_facts(folder)
    if facts is None:
        raise InputError(f"{folder}: found no facts.json, expected the folder of a published dataset")
    if not facts.get("license"):
        raise InputError(f"{folder}: found no licence, expected one in the recipe: nothing is published without")
    for file in _files(facts):
        path = folder / file["path"]
        if not path.is_file() or path.stat().st_size != file["bytes"]:
            raise InputError(
                f"{path}: found {'another size' if path.is_file() else 'no file'}, expected the file that facts.json describes"
            )
    return facts


def _publish(api: "HfApi", folder: Path, facts: Facts, repo: str, private: bool, revision: str | None, pr: bool, message: str) -> str:
    head = _head(api, repo, private, revision, pr)
    operations = _operations(api, folder, facts, repo, head)
    if not operations:
        return f"{api.endpoint}/datasets/{repo}/commit/{head}"
    if pr:
        for opened in api.get_repo_discussions(repo, repo_type="dataset", discussion_type="pull_request", discussion_status="open"):
            if opened.title == message and not _operations(api, folder, facts, repo, f"refs/pr/{opened.num}"):
                return opened.url
    done = api.create_commit(
        repo, operations, commit_message=message, repo_type="dataset", revision=revision, create_pr=pr, parent_commit=head
    )
    return str(done.pr_url if pr else done.commit_url)


def _head(api: "HfApi", repo: str, private: bool, revision: str | None, pr: bool) -> str:
    """The commit to build on; a missing repository or branch is made."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        info = api.dataset_info(repo)
    except GatedRepoError:
        raise
    except RepositoryNotFoundError:
        if pr:
            raise
        api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        info = api.dataset_info(repo)
    if private and not info.private:
        raise InputError(f"{repo}: is a public repository, expected a private one; make it private first, or publish it as a public one")
    if revision is None:
        return str(info.sha)
    if not api.revision_exists(repo, revision, repo_type="dataset"):
        api.create_branch(repo, branch=revision, repo_type="dataset", exist_ok=True)
    return str(api.dataset_info(repo, revision=revision).sha)


def _operations(api: "HfApi", folder: Path, facts: Facts, repo: str, revision: str) -> list[Any]:
    """What has to change at this revision."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.hf_api import RepoFile

    there = {file.path: file for file in api.list_repo_tree(repo, recursive=True, revision=revision, repo_type="dataset")}
    files = {path: file for path, file in there.items() if isinstance(file, RepoFile)}

    def text(path: str) -> str | None:
        if path not in files:
            return None
        return Path(api.hf_hub_download(repo, path, revision=revision, repo_type="dataset")).read_text("utf-8")

    published = text("facts.json")
    new = merged(parsed_facts(published, f"{repo}: facts.json") if published else None, facts)
    draft = folder / "README.md"
    card = dataset_card(new, text("README.md"), repo, draft.read_text("utf-8") if draft.exists() else None)
    written = {"facts.json": facts_text(new).encode(), "README.md": card.encode()}

    operations: list[Any] = [CommitOperationAdd(path, content) for path, content in written.items() if not _is(files.get(path), content)]
    for file in _files(facts):
        if not _is(files.get(file["path"]), folder / file["path"], file["sha256"]):
            added = CommitOperationAdd(file["path"], folder / file["path"])
            if added.upload_info.sha256.hex() != file["sha256"]:
                raise InputError(f"{folder / file['path']}: found another content, expected the file that facts.json describes")
            operations.append(added)
    expected = {file["path"] for file in _files(facts)}
    folders = tuple(f"data/{code}/" for code in facts["languages"])
    stale = [path for path in files if path.startswith(folders) and path.endswith(".parquet") and path not in expected]
    return [*operations, *(CommitOperationDelete(path) for path in stale)]


def _is(there: "RepoFile | None", content: bytes | Path, sha256: str | None = None) -> bool:
    """Whether the file in the repository has this content."""
    if there is None:
        return False
    if there.lfs and sha256:
        return bool(there.lfs.sha256 == sha256)
    data = content if isinstance(content, bytes) else content.read_bytes()
    if there.lfs:
        return bool(there.lfs.sha256 == hashlib.sha256(data).hexdigest())
    return bool(there.blob_id == hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest())


def _files(facts: Facts) -> list[Mapping[str, Any]]:
    return [file for about in facts["languages"].values() for file in about["files"]]


def _named(codes: Sequence[str]) -> str:
    return ", ".join(codes) if len(codes) <= 3 else f"{len(codes)} languages"


# Reading


def resolved(repo: str, revision: str | None = None) -> str:
    """The full SHA that a branch, tag or shortened commit of the dataset `repo` means now."""
    if revision and re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    with _one_line(repo, revision):
        from huggingface_hub import HfApi

        return str(HfApi().dataset_info(repo, revision=revision).sha)


def load(
    source: str | Path,
    *,
    language: str | None = None,
    mixture: str | Mixture | Mapping[str, object] | None = None,
    revision: str | None = None,
    split: str | None = None,
) -> "Dataset | DatasetDict":
    """A published folder or repository (ORG/NAME) as a `datasets` object: a DatasetDict, or a Dataset where `split` is given.

    language: one of them, by any name. mixture: a named or own one, taken from the train split (or from `split`): a Dataset.
    Folders and mixtures are held in memory. Raises InputError for what cannot be found or read.
    """
    if mixture is not None:
        if language is not None:
            raise InputError("found a language and a mixture, expected one of them")
        return _dataset(*_mixed(source, mixtures.mixture(mixture), revision, split or "train"))
    code = None if language is None else find_language(language).code
    if Path(source).is_dir():
        folder = _folder(source, revision, None, None)
        facts = read_facts(folder) or {}
        splits = [split] if split else list(dict.fromkeys(f["split"] for f in _files(facts) if code is None or f"/{code}/" in f["path"]))
        found = {name: _read(parquet_files(folder, (code,) if code else None, name)) for name in splits or ["train"]}
        return found[split] if split else _dataset_dict(found)
    with _one_line(str(source), revision):
        from datasets import load_dataset

        return load_dataset(str(source), code, split=split, revision=resolved(str(source), revision))


def scan(
    source: str | Path,
    *,
    languages: Sequence[str] | None = None,
    split: str | None = None,
    revision: str | None = None,
    columns: Sequence[str] | None = None,
) -> pl.LazyFrame:
    """The rows of a published folder or repository, lazily; of a repository the files that are needed are downloaded first.

    Raises InputError for a language, split or column that it does not have.
    """
    codes = None if languages is None else tuple(find_language(name).code for name in languages)
    rows = pl.scan_parquet(parquet_files(_folder(source, revision, codes, split), codes, split))
    if columns is None:
        return rows
    names = rows.collect_schema().names()
    if unknown := [column for column in columns if column not in names]:
        raise InputError(f"{source}: found no column {unknown[0]!r}, expected one of {', '.join(names)}")
    return rows.select(columns)


def _folder(source: str | Path, revision: str | None, languages: Sequence[str] | None, split: str | None) -> Path:
    """`source` itself, or where its files of these languages and this split were downloaded to."""
    if Path(source).is_dir():
        if revision is not None:
            raise InputError(f"{source}: found revision {revision!r} for a folder, expected none: only repositories have them")
        return Path(source)
    sha = resolved(str(source), revision)
    wanted = [f"data/{code}/{split or ''}*.parquet" for code in languages or ["*"]]
    with _one_line(str(source), revision):
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(str(source), repo_type="dataset", revision=sha, allow_patterns=["facts.json", *wanted]))


def _mixed(source: str | Path, mixture: Mixture, revision: str | None, split: str) -> tuple[pl.DataFrame, str]:
    """The rows that the mixture takes, and their table."""
    folder = _folder(source, revision, mixture.languages, split)
    facts = read_facts(folder)
    present = {file["path"].split("/")[1] for file in _files(facts or {"languages": {}}) if file["split"] == split}
    files = parquet_files(folder, tuple(code for code in mixture.languages if code in present) or mixture.languages, split)
    return mixtures.apply(pl.scan_parquet(files), mixture), str(facts and facts["table"])


def _dataset(rows: pl.DataFrame, table: str) -> "Dataset":
    from datasets import Dataset

    return Dataset(rows.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(arrow_schema(table)).combine_chunks())


def _read(files: Sequence[Path]) -> "Dataset":
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import Dataset

    return Dataset(pa.concat_tables(pq.read_table(file, partitioning=None) for file in files))


def _dataset_dict(splits: "Mapping[str, Dataset]") -> "DatasetDict":
    from datasets import DatasetDict

    return DatasetDict(splits)


# What can go wrong at the Hub


def _patiently(attempt: Callable[[], str]) -> str:
    """Tries again what fails in passing. An attempt plans anew, so one whose answer was lost finds nothing left to do."""
    from httpx2 import HTTPError
    from huggingface_hub.errors import LocalEntryNotFoundError

    for n in range(ATTEMPTS - 1):
        try:
            return attempt()
        except (HTTPError, LocalEntryNotFoundError, json.JSONDecodeError) as error:  # no JSON: validate-yaml behind a failing proxy
            response = getattr(error, "response", None)
            if response is not None and response.status_code not in (409, 412, 429) and response.status_code < 500:
                raise
            named = response.headers.get("Retry-After", "") if response is not None else ""
            time.sleep(min(float(named), 60.0) if re.fullmatch(r"\d+(\.\d+)?", named) else FIRST_PAUSE * 2**n)
    return attempt()


@contextmanager
def _one_line(repo: str, revision: str | None) -> Iterator[None]:
    """Turns what the Hub's libraries raise into an InputError of one line, which holds neither addresses nor the token."""
    from httpx2 import HTTPError  # the library that huggingface_hub speaks HTTP with
    from huggingface_hub.errors import HFValidationError

    try:
        yield
    except InputError:
        raise
    except HFValidationError:
        raise InputError(f"{repo}: found neither a folder nor the name of a repository, expected ORG/NAME") from None
    except (HTTPError, OSError) as error:
        raise InputError(f"{repo}: {_reason(error, revision)}") from None
    except ValueError as error:  # a card that the Hub refuses, an unknown config or split, an answer that is no JSON
        raise InputError(f"{repo}: {' '.join(str(error).split())}") from None


def _reason(error: Exception, revision: str | None) -> str:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    response = getattr(error, "response", None)
    match error:
        case GatedRepoError():
            return "gated: ask for access on its page, then run `hf auth login` or set HF_TOKEN"
        case RepositoryNotFoundError():
            return "found no such dataset repository, or a private one that this token may not see (`hf auth login`, HF_TOKEN)"
        case RevisionNotFoundError():
            return f"found no revision {revision!r}"
    match response.status_code if response is not None else None:
        case None if isinstance(error, FileNotFoundError):  # DatasetNotFoundError, and the like
            return " ".join(str(error).split())
        case None if isinstance(error, OSError) and error.strerror:
            return f"{error.filename}: {error.strerror}"
        case None:
            return f"the Hub gave no answer ({type(error).__name__}); it is safe to try again"
        case 401:
            return "the Hub did not accept the token; run `hf auth login` or set HF_TOKEN"
        case 403:
            return "this token may not do that here; it needs the right to write to the repository"
        case status:
            said = (getattr(error, "server_message", None) or "").split("\n")[0]
            passing = "; it is safe to try again" if status in (412, 429) or status >= 500 else ""
            return f"the Hub answered {status}{f' ({said})' if said else ''}{passing}"
