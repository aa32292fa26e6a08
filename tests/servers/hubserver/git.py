"""Bare git repositories of loose objects, written without the git binary."""

import hashlib
import json
import os
import re
import threading
import time
import zlib
from datetime import UTC, datetime
from pathlib import Path

PREFIX = {"model": "", "dataset": "datasets/", "space": "spaces/"}
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"
SHA1 = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")


def iso(ts):
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class GitRepo:
    """A bare git repository of loose objects. Trees are handled flat: {path: blob oid}."""

    def __init__(self, path):
        self.path = Path(path)
        self._about = {}  # blob oid -> (size, lfs), immutable

    def init(self):
        for d in ("objects", "refs/heads", "refs/tags"):
            (self.path / d).mkdir(parents=True, exist_ok=True)
        (self.path / "HEAD").write_text("ref: refs/heads/main\n")
        (self.path / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")

    def put(self, kind, data):
        raw = b"%s %d\0" % (kind.encode(), len(data)) + data
        oid = hashlib.sha1(raw).hexdigest()
        file = self.path / "objects" / oid[:2] / oid[2:]
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            write_atomically(file, zlib.compress(raw))
        return oid

    def get(self, oid, kind):
        file = self.path / "objects" / oid[:2] / oid[2:]
        head, _, data = (
            zlib.decompress(file.read_bytes()).partition(b"\0") if file.exists() else (b"", b"", b"")
        )
        return data if head.startswith(kind.encode()) else None

    def about(self, oid):
        """(size, lfs) of a blob; lfs is None or {"oid", "size", "pointerSize"}."""
        if oid not in self._about:
            data = self.get(oid, "blob")
            m = (
                re.fullmatch(POINTER.format("([0-9a-f]{64})", r"(\d+)").encode(), data)
                if len(data) < 200
                else None
            )
            lfs = m and {"oid": m[1].decode(), "size": int(m[2]), "pointerSize": len(data)}
            self._about[oid] = (lfs["size"] if lfs else len(data), lfs)
        return self._about[oid]

    def read_tree(self, tree, prefix="", dirs=None):
        flat, data = {}, self.get(tree, "tree")
        while data:
            head, _, rest = data.partition(b"\0")
            mode, name = head.decode().split(" ", 1)
            oid, data = rest[:20].hex(), rest[20:]
            if mode == "40000":
                if dirs is not None:
                    dirs[prefix + name] = oid
                flat.update(self.read_tree(oid, f"{prefix}{name}/", dirs))
            else:
                flat[prefix + name] = oid
        return flat

    def write_tree(self, flat):
        here, below = {}, {}
        for path, oid in flat.items():
            name, _, rest = path.partition("/")
            if rest:
                below.setdefault(name, {})[rest] = oid
            else:
                here[name] = oid
        entries = [(n, "100644", o) for n, o in here.items()]
        entries += [(n + "/", "40000", self.write_tree(sub)) for n, sub in below.items()]
        return self.put(
            "tree",
            b"".join(
                f"{mode} {name.rstrip('/')}".encode() + b"\0" + bytes.fromhex(oid)
                for name, mode, oid in sorted(entries, key=lambda e: e[0].encode())
            ),
        )

    def commit(self, flat, parents, message, author):
        who = f"{author} <{author}@users.noreply.localhost> {int(time.time())} +0000"
        lines = [
            f"tree {self.write_tree(flat)}",
            *(f"parent {p}" for p in parents),
            f"author {who}",
            f"committer {who}",
        ]
        return self.put("commit", ("\n".join(lines) + f"\n\n{message}\n").encode())

    def read_commit(self, sha):
        data = self.get(sha, "commit")
        if data is None:
            return None
        head, _, message = data.decode().partition("\n\n")
        rows = [line.split(" ", 1) for line in head.split("\n")]
        one = dict(rows)
        return {
            "id": sha,
            "tree": one["tree"],
            "parents": [v for k, v in rows if k == "parent"],
            "author": one["author"].split(" <")[0],
            "ts": int(one["author"].split()[-2]),
            "title": message.split("\n")[0],
            "message": message.partition("\n\n")[2].strip(),
        }

    def files(self, sha, dirs=None):
        return self.read_tree(self.read_commit(sha)["tree"], dirs=dirs)

    def ref(self, name):
        file = self.path / name
        return file.read_text().strip() if file.is_file() else None

    def set_ref(self, name, sha):
        file = self.path / name
        if sha is None:
            return file.unlink()
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, (sha + "\n").encode())
        return None

    def refs(self, under):
        base = self.path / under
        return {
            str(f.relative_to(base)): f.read_text().strip() for f in sorted(base.rglob("*")) if f.is_file()
        }

    def resolve(self, revision):
        """(full ref name or None, sha or None) of a branch, a tag, refs/... or a commit."""
        if not re.fullmatch(r"(?!.*\.\.)[\w.\-/]+", revision) or revision.startswith("/"):
            return None, None
        for name in (
            f"refs/heads/{revision}",
            f"refs/tags/{revision}",
            revision if revision.startswith("refs/") else "",
        ):
            if name and self.ref(name):
                return name, self.ref(name)
        return None, revision if SHA1.fullmatch(revision) and self.read_commit(revision) else None

    def history(self, sha):
        while sha:
            c = self.read_commit(sha)
            yield c
            sha = c["parents"][0] if c["parents"] else None


def write_atomically(file, data):
    tmp = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    tmp.write_bytes(data)
    os.replace(tmp, file)


class Repo(GitRepo):
    def __init__(self, root, type, id):
        super().__init__(Path(root) / "repos" / f"{type}s" / f"{id}.git")
        self.type, self.id, self.ns = type, id, id.split("/")[0]
        meta = self.path / "hub.json"
        self.meta = json.loads(meta.read_text()) if meta.exists() else None

    def lfs_path(self, oid):
        return self.path / "lfs/objects" / oid[:2] / oid[2:4] / oid

    def save(self):
        write_atomically(self.path / "hub.json", json.dumps(self.meta, indent=1).encode())
