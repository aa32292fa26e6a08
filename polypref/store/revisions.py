"""Models pinned to a commit of the Hub, or a hash of local files, when a work dir first uses them."""

import errno
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polypref.errors import InputError, PolyprefError, Unavailable
from polypref.files import file_sha256
from polypref.schemas import hash16, hash32
from polypref.store.storage import read_json, write_json


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A pinned model.

    `model` is the Hub id, or the name of a local folder; `revision` a commit, or the SHA-256 of the local
    files. `from_pretrained(location, revision=hub_revision)` loads it.
    """

    model: str
    revision: str
    location: str
    hub_revision: str | None

    def fingerprint(self, identity: dict[str, Any]) -> str:
        """Return an engine's key: a hash of this model and the identity fields of the engine's config.

        The place of local files is no part of it.
        """
        model = self.revision if self.hub_revision is None else [self.model, self.revision]
        return hash32({**identity, "model": model, "revision": None})


def resolve_model(model: str, revision: str, lock: Path, update: bool = False) -> ResolvedModel:
    """Pin a model: a local folder by its files, a Hub id by its commit.

    The Hub is asked once; later calls find the commit in the file `lock`, unless they are told to `update`
    it.

    Raises InputError where the model or the revision does not exist, Unavailable where the Hub is away.
    """
    pinned = read_json(lock)
    folder = Path(model)
    if folder.is_dir():
        return _resolve_folder(folder, pinned, lock)
    entry = f"{model}@{revision}"
    if entry not in pinned or update:
        pinned[entry] = {"revision": _ask_hub(model, revision)}
        write_json(lock, pinned)
    commit = pinned[entry]["revision"]
    return ResolvedModel(model, commit, model, commit)


def _resolve_folder(folder: Path, pinned: dict[str, Any], lock: Path) -> ResolvedModel:
    """Pin a folder by a hash of its files.

    Weights take seconds a GB, so the hash is reused while names, sizes and times of the files stay the same.
    """
    files = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(name.startswith(".") for name in inside.parts)
        if path.is_file() and not hidden and path.name != "README.md":
            files.append(path)
    if not files:
        raise InputError(f"{folder}: an empty folder; expected a model's config, tokenizer and weights")
    stats = [(path, path.stat()) for path in files]
    stamp = hash16([[str(path.relative_to(folder)), stat.st_size, stat.st_mtime_ns] for path, stat in stats])
    entry = f"local/{folder.name}"
    if pinned.get(entry, {}).get("stamp") != stamp:
        pinned[entry] = {"stamp": stamp, "revision": _hash_files(folder, files)}
        write_json(lock, pinned)
    return ResolvedModel(folder.resolve().name, pinned[entry]["revision"], str(folder), None)


def _hash_files(folder: Path, files: list[Path]) -> str:
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.relative_to(folder)}\0{file_sha256(path)}\n".encode())
    return f"sha256:{total.hexdigest()}"


def _ask_hub(model: str, revision: str) -> str:
    if model.count("/") != 1 or model.startswith((".", "/", "~")):
        raise InputError(f"{model}: no such folder, and not a Hub id (ORG/NAME)")
    from huggingface_hub import HfApi, is_offline_mode

    api = HfApi()
    with hub_errors(f"{model}: revision {revision!r} cannot be resolved"):
        if not is_offline_mode():
            # Asked first: the call below would silently answer from its cache while the Hub is away.
            api.model_info(model, revision=revision)
        # Offline, the commit that the revision had when the Hub was last asked.
        return str(api.resolve_revision(model, revision=revision).resolved)


@contextmanager
def hub_errors(problem: str) -> Iterator[None]:
    """Turn what the Hub's libraries raise into one line: Unavailable where the Hub is away, else InputError.

    Catches OSError, ValueError and KeyError, too: transformers raises them for files that are not what it
    expects.
    """
    from httpx2 import HTTPError  # the library that huggingface_hub speaks HTTP with
    from huggingface_hub.errors import RevisionResolutionError

    try:
        yield
    except PolyprefError:
        raise
    except (HTTPError, OSError, ValueError, KeyError, RevisionResolutionError) as error:
        reason = " ".join(str(error).split())[:300]
        if _is_unavailable(error):
            raise Unavailable(f"{problem}: {reason}") from None
        raise InputError(f"{problem}: {reason}") from None


def _is_unavailable(error: BaseException | None) -> bool:
    """Tell whether an error comes from a Hub that is away or a disk that is full.

    transformers wraps such errors in an OSError, so the chain of causes is searched.
    """
    from httpx2 import TransportError
    from huggingface_hub.errors import LocalEntryNotFoundError

    while error is not None:
        response = getattr(error, "response", None)
        if response is not None:
            return bool(response.status_code == 429 or response.status_code >= 500)
        if isinstance(error, TransportError | ConnectionError | TimeoutError | LocalEntryNotFoundError):
            return True
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            return True
        error = error.__cause__ or error.__context__
    return False
