"""The hub's state: repositories, users, injected faults, large files."""

import hashlib
import hmac
import json
import os
import re
import shutil
import struct
import tempfile
import threading
import time
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path

from hubserver.git import PREFIX, Repo, iso, write_atomically
from hubserver.handler import Handler, Reply

LFS_PATTERNS = [
    "*.7z",
    "*.arrow",
    "*.avro",
    "*.bin",
    "*.bz2",
    "*.ckpt",
    "*.ftz",
    "*.gz",
    "*.h5",
    "*.joblib",
    "*.lz4",
    "*.mds",
    "*.mlmodel",
    "*.model",
    "*.msgpack",
    "*.npy",
    "*.npz",
    "*.onnx",
    "*.ot",
    "*.parquet",
    "*.pb",
    "*.pickle",
    "*.pkl",
    "*.pt",
    "*.pth",
    "*.rar",
    "*.safetensors",
    "saved_model/**/*",
    "*.tar.*",
    "*.tar",
    "*.tflite",
    "*.tgz",
    "*.wasm",
    "*.xz",
    "*.zip",
    "*.zst",
    "*tfevents*",
    "*.pcm",
    "*.sam",
    "*.raw",
    "*.aac",
    "*.flac",
    "*.mp3",
    "*.ogg",
    "*.wav",
    "*.bmp",
    "*.gif",
    "*.png",
    "*.tiff",
    "*.jpg",
    "*.jpeg",
    "*.webp",
    "*.mp4",
    "*.webm",
]


@dataclass
class User:
    name: str
    role: str = "write"
    orgs: tuple = ()
    granted: set = field(default_factory=set)  # gated repos this user was let into


@dataclass
class Fault:
    match: str
    status: int = 0
    times: int = 1
    skip: int = 0
    drop: str = ""  # "request", "upload" or "download"
    at: int = 0
    rst: bool = False
    lost: bool = False
    delay: float = 0
    headers: dict = field(default_factory=dict)
    body: str = ""


class HubServer:
    def __init__(
        self,
        root,
        port=0,
        users=None,
        *,
        xet=True,
        cdn=False,
        lfs_threshold=10_000_000,
        multipart_size=0,
        page_size=1000,
    ):
        """Serve the repositories under `root`.

        cdn: large files are served by a redirect to another origin, as on the real Hub.
        multipart_size: LFS uploads above that many bytes use the multipart transfer.
        page_size: of the paginated listings.
        """
        self.root = Path(root).resolve()
        self.users = users or {
            "hf_writer": User("alice", "write", ("acme",)),
            "hf_reader": User("bob", "read"),
            "hf_other": User("mallory", "write"),
        }
        self.xet, self.cdn, self.lfs_threshold = xet, cdn, lfs_threshold
        self.multipart_size, self.page_size = multipart_size, page_size
        self.lock, self.log, self.faults, self.secret = threading.RLock(), [], [], os.urandom(16)
        self._repos = {}
        for d in ("repos", "tmp"):
            (self.root / d).mkdir(parents=True, exist_ok=True)
        file = self.root / "collections.json"
        self.collections = json.loads(file.read_text()) if file.exists() else {}
        handler = type("BoundHandler", (Handler,), {"hub": self})
        self.httpd = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.httpd.daemon_threads = True
        self.port = self.httpd.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.httpd.shutdown()
        self.httpd.server_close()

    def env(self, token=None, home=None, xet=None):
        """The environment a client process needs. xet=False (or a server without it): plain LFS uploads."""
        env = {
            "HF_ENDPOINT": self.url,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "0",
            "NO_PROXY": "127.0.0.1,localhost",
            "HF_HUB_DISABLE_IMPLICIT_TOKEN": "0",
            "HF_TOKEN": token or "",
        }
        if home:
            env["HF_HOME"] = str(home)
        if not (self.xet if xet is None else xet):
            env["HF_HUB_DISABLE_XET"] = "1"
        return env

    def inject(self, match, **kw):
        with self.lock:
            self.faults.append(Fault(match, **kw))
        return self.faults[-1]

    def next_fault(self, line):
        with self.lock:
            for f in self.faults:
                if re.search(f.match, line):
                    if f.skip > 0:
                        f.skip -= 1
                    elif f.times > 0:
                        f.times -= 1
                        return f
        return None

    def repo(self, type, id):
        if type not in PREFIX or not re.fullmatch(r"[\w.\-]{1,96}/[\w.\-]{1,96}", id) or ".." in id:
            return None
        with self.lock:
            if (type, id) not in self._repos:
                repo = Repo(self.root, type, id)
                if repo.meta is None:
                    return None
                self._repos[type, id] = repo
            return self._repos[type, id]

    def all_repos(self, type):
        for file in sorted((self.root / "repos" / f"{type}s").glob("*/*.git/hub.json")):
            yield self.repo(type, f"{file.parent.parent.name}/{file.parent.name[:-4]}")

    def create_repo(self, type, id, user, private=False):
        with self.lock:
            repo = Repo(self.root, type, id)
            repo.init()
            repo.meta = {
                "_id": os.urandom(12).hex(),
                "private": private,
                "gated": False,
                "discussions": [],
                "createdAt": iso(time.time()),
            }
            attributes = "".join(f"{p} filter=lfs diff=lfs merge=lfs -text\n" for p in LFS_PATTERNS)
            blob = repo.put("blob", attributes.encode())
            repo.set_ref(
                "refs/heads/main", repo.commit({".gitattributes": blob}, [], "initial commit", user.name)
            )
            repo.save()
            self._repos[type, id] = repo
            return repo

    def save_collections(self):
        write_atomically(self.root / "collections.json", json.dumps(self.collections, indent=1).encode())

    # -- large files

    def store_lfs(self, repo, tmp, oid):
        target = repo.lfs_path(oid)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(tmp, target)

    def has_lfs(self, repo, oid):
        return repo.lfs_path(oid).exists() or (self.xet and self.adopt_xet(repo, oid))

    def sign(self, *what):
        return hmac.new(self.secret, "|".join(map(str, what)).encode(), "sha256").hexdigest()[:32]

    # -- Xet, upload side. hf_xet accepts a CAS address of the form local:///folder and then keeps its chunks
    # there instead of sending them to a server. Every write token gets its own folder, because the client
    # holds a lock on it for as long as its process lives; when the commit names the file's sha256, the folder
    # that has it is copied, and hf_xet puts the file together from the copy. Files are served over HTTP.

    def new_xet_folder(self, repo):
        (repo.path / "xet").mkdir(exist_ok=True)
        return tempfile.mkdtemp(prefix="cas-", dir=repo.path / "xet")

    def adopt_xet(self, repo, sha256):
        for shard in repo.path.glob("xet/*/xet/xorbs/shards/*.mdb"):
            found = find_in_shard(shard.read_bytes(), sha256)
            if found:
                break
        else:
            return False
        import hf_xet

        with tempfile.TemporaryDirectory(dir=self.root / "tmp") as tmp:
            shutil.copytree(shard.parents[1], f"{tmp}/cas/xet/xorbs")
            out = f"{tmp}/out"
            with hf_xet.XetSession().new_file_download_group(
                endpoint=f"local://{tmp}/cas", token="x", token_expiry_unix_secs=int(time.time()) + 3600
            ) as group:
                group.start_download_file(hf_xet.XetFileInfo(*found), out)
            if file_sha256(out) != sha256:
                raise Reply(400, f"xet file does not have sha256 {sha256}")
            self.store_lfs(repo, out, sha256)
        return True


def file_sha256(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def find_in_shard(data, sha256):
    """(xet hash, size) of the file with that sha256 in an MDB shard, from the public Xet shard format."""
    text = lambda raw: "".join(f"{n:016x}" for n in struct.unpack("<4Q", raw))  # noqa: E731
    at = 48
    while data[at : at + 32] != b"\xff" * 32:
        name, flags, n = data[at : at + 32], *struct.unpack_from("<II", data, at + 32)
        at += 48
        size = sum(struct.unpack_from("<I", data, at + 48 * i + 36)[0] for i in range(n))
        at += 48 * n * (2 if flags & (1 << 31) else 1)
        if flags & (1 << 30):
            if text(data[at : at + 32]) == sha256:
                return text(name), size
            at += 48
    return None
