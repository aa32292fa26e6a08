"""A work dir: one run's parts, answers, resolved revisions and what it publishes. One run at a time; it can be moved and copied."""

import _thread
import fcntl
import hashlib
import json
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from polypref.errors import InputError
from polypref.schemas import hash16
from polypref.store.answers import AnswerLog
from polypref.store.lease import Lease
from polypref.store.parts import Part
from polypref.store.segments import SegmentLog
from polypref.store.storage import is_local, open_path, write_whole

ROWS_PER_PART = 1000


@dataclass(frozen=True, slots=True)
class Resolved:
    """A model pinned to what it was when the work dir first used it.

    `model` is the Hub id, or a local folder's name; `revision` a commit, or the sha256 of the local files.
    `location` and `hub_revision` are what `from_pretrained(location, revision=hub_revision)` takes.
    """

    model: str
    revision: str
    location: str
    hub_revision: str | None

    def fingerprint(self, identity: dict[str, Any]) -> str:
        """The key of an engine: this model and the identity fields of its config; where local files lie does not matter."""
        model = self.revision if self.hub_revision is None else [self.model, self.revision]
        return hash16({**identity, "model": model, "revision": None})


class Workdir:
    """Opens a work dir and holds its lock: `with Workdir(path) as workdir: …`. A `worker` of the run that holds it needs a name.

    Raises InputError where another run holds it.
    """

    def __init__(self, path: Path | str, update_revisions: bool = False, worker: str = "") -> None:
        self.path = open_path(path)
        self.update_revisions = update_revisions
        self.worker = worker
        self._lock: IO[str] | Lease | None = None
        self._logs: dict[str, AnswerLog] = {}

    def __enter__(self) -> Self:
        holder = f"process {os.getpid()} on {socket.gethostname()} ({Path(sys.argv[0]).name} {' '.join(sys.argv[1:3])})"
        if self.worker:  # of a run that holds the lock
            return self
        if not is_local(self.path):
            self._lock = Lease(self.path / "lease", holder, _thread.interrupt_main)
            return self
        self.path.mkdir(parents=True, exist_ok=True)
        lock = open(self.path / ".lock", "a+")  # closing it, on exit, gives the lock back
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            other = lock.read().strip() or "another process"
            lock.close()
            raise InputError(f"{self.path}: in use by {other}; one work dir, one run") from None
        lock.seek(0)
        lock.truncate()
        lock.write(holder)
        lock.flush()
        self._lock = lock
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for log in self._logs.values():
            log.close()
        self._logs.clear()
        if isinstance(self._lock, Lease):
            self._lock.release()
        elif self._lock:
            self._lock.close()

    @property
    def here(self) -> Path:
        """Where this machine's own files lie: the work dir, or, where that is object storage, runs/NAME."""
        return self.path if is_local(self.path) else Path("runs") / self.path.name

    @property
    def cache(self) -> Path:
        return self.here / "cache"

    @property
    def published(self) -> Path:
        return self.here / "published"

    @property
    def progress(self) -> Path:
        """What a run says of itself while it works."""
        return self.here / "progress.json"

    def answers(self, fingerprint: str) -> AnswerLog:
        """The answer log of an engine; the same object for the same fingerprint. A worker writes to a file of its own."""
        if fingerprint not in self._logs:
            name = f"{fingerprint}.{self.worker}" if self.worker else fingerprint
            if is_local(self.path):
                self._logs[fingerprint] = AnswerLog(
                    self.path / "answers" / f"{name}.jsonl", self.others(fingerprint)
                )
            else:
                self._logs[fingerprint] = SegmentLog(self.path / "answers" / fingerprint, name)
        return self._logs[fingerprint]

    def others(self, fingerprint: str) -> list[Path]:
        """The files of other writers of an engine's answers, on a disk."""
        own = f"{fingerprint}.{self.worker}.jsonl" if self.worker else f"{fingerprint}.jsonl"
        return [
            path for path in sorted((self.path / "answers").glob(f"{fingerprint}*.jsonl")) if path.name != own
        ]

    def parts_for(self, rows: int) -> int:
        """How many parts a language's tables have: fixed by the first build's number of prompts."""
        state = read_json(self.path / "workdir.json")
        if "parts" not in state:
            state["parts"] = max(1, -(-rows // ROWS_PER_PART))
            write_json(self.path / "workdir.json", state)
        return int(state["parts"])

    def table(self, *names: str, parts: int) -> list[Part]:
        """The parts of a table, e.g. `table("prompts", "deu_Latn", parts=4)`; they need not exist yet."""
        return [Part(self.path.joinpath("tables", *names, f"{number:04}.parquet")) for number in range(parts)]

    def resolve(self, model: str, revision: str = "main") -> Resolved:
        """Pins a model: a local folder by its files, a Hub id by its commit, asked once and kept in lock.json.

        Raises InputError where the model or the revision does not exist.
        """
        pinned = read_json(self.path / "lock.json")
        folder = Path(model)
        if folder.is_dir():
            files = sorted(
                file
                for file in folder.rglob("*")
                if file.is_file() and not _unimportant(file.relative_to(folder))
            )
            if not files:
                raise InputError(
                    f"{model}: an empty folder; expected a model's config, tokenizer and weights"
                )
            entry, stamp = (
                f"local/{folder.name}",
                hash16([[str(f.relative_to(folder)), f.stat().st_size, f.stat().st_mtime_ns] for f in files]),
            )
            if pinned.get(entry, {}).get("stamp") != stamp:
                pinned[entry] = {"stamp": stamp, "revision": _sha256(folder, files)}
                write_json(self.path / "lock.json", pinned)
            return Resolved(folder.resolve().name, pinned[entry]["revision"], str(folder), None)
        entry = f"{model}@{revision}"
        if entry not in pinned or self.update_revisions:
            pinned[entry] = {"revision": _hub_commit(model, revision)}
            write_json(self.path / "lock.json", pinned)
        return Resolved(model, pinned[entry]["revision"], model, pinned[entry]["revision"])


def _unimportant(path: Path) -> bool:
    return path.name == "README.md" or any(part.startswith(".") for part in path.parts)


def _sha256(folder: Path, files: list[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        with open(file, "rb") as opened:
            total.update(
                f"{file.relative_to(folder)}\0{hashlib.file_digest(opened, 'sha256').hexdigest()}\n".encode()
            )
    return f"sha256:{total.hexdigest()}"


def _hub_commit(model: str, revision: str) -> str:
    if model.count("/") != 1 or model.startswith((".", "/", "~")):
        raise InputError(f"{model}: no such folder, and not a Hub id (ORG/NAME)")
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        sha = HfApi().model_info(model, revision=revision).sha
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise InputError(
            f"{model}: revision {revision!r} cannot be resolved: {' '.join(str(error).split())[:200]}"
        ) from None
    if sha is None:
        raise InputError(f"{model}: the Hub names no commit for revision {revision!r}")
    return sha


def read_json(path: Path) -> dict[str, Any]:
    """A small file of the work dir; empty where there is none."""
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        raise InputError(f"{path}: not JSON; restore it or remove it") from None
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes it in place of the file at once or not at all."""
    write_whole(path, (json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode())
