"""Uploads: which way a file travels, LFS, and tokens for Xet."""

import base64
import fnmatch
import os
import shutil
import tempfile
import time
from pathlib import Path

from hubserver.files import cdn_url
from hubserver.git import PREFIX, SHA256
from hubserver.handler import REPO, Reply, route
from hubserver.hub import file_sha256


def ignored(path, gitignore):
    for rule in (gitignore or "").splitlines():
        rule = rule.strip()
        if rule and not rule.startswith(("#", "!")):
            parts, rule = path.split("/"), rule.rstrip("/")
            if (
                any(fnmatch.fnmatch(p, rule) for p in parts)
                or fnmatch.fnmatch(path, rule.lstrip("/"))
                or path.startswith(rule.lstrip("/") + "/")
            ):
                return True
    return False


@route("POST", REPO + "/preupload/([^/]+)")
def preupload(h, type, id, revision):
    repo = h.find(type, id, write="create_pr" not in h.query)
    h.user(required=True)
    _, sha = h.commit_of(repo, revision)
    files, p, out = repo.files(sha), h.json(), []
    attributes = repo.get(files[".gitattributes"], "blob").decode() if ".gitattributes" in files else ""
    patterns = [row.split()[0] for row in attributes.splitlines() if "filter=lfs" in row]
    gitignore = p.get("gitIgnore")
    if gitignore is None and ".gitignore" in files:
        gitignore = repo.get(files[".gitignore"], "blob").decode()
    for f in p["files"]:
        path, name = f["path"], f["path"].rsplit("/", 1)[-1]
        lfs = (
            f["size"] > h.hub.lfs_threshold
            or b"\0" in base64.b64decode(f.get("sample", ""))
            or any(fnmatch.fnmatch(path if "/" in g else name, g) for g in patterns)
        )
        row = {
            "path": path,
            "uploadMode": "lfs" if lfs and f["size"] else "regular",
            "shouldIgnore": ignored(path, gitignore),
        }
        if path in files:  # what the client compares with to leave out unchanged files
            stored = repo.about(files[path])[1]
            row["oid"] = stored["oid"] if stored else files[path]
        out.append(row)
    h.send(200, {"files": out})


@route("POST", r"/(?:(dataset|space)s/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch")
def lfs_batch(h, type, id):
    repo, p = h.find(type or "model", id), h.json()
    user, hub = h.user(required=True), h.hub
    upload = p.get("operation") == "upload"
    if upload and "ref" in p:  # absent when the upload is for a new pull request, which anyone may open
        h.may_write(repo.ns, user)
    out, transfer = [], "basic"
    for o in p["objects"]:
        oid, size = o["oid"], o["size"]
        row = {"oid": oid, "size": size, "authenticated": True}
        if not SHA256.fullmatch(oid):
            row["error"] = {"code": 422, "message": "oid must be a sha256"}
        elif not upload:
            row |= (
                {"actions": {"download": {"href": cdn_url(h, repo, oid, h.base)}}}
                if hub.has_lfs(repo, oid)
                else {"error": {"code": 404, "message": "Object does not exist"}}
            )
        elif not hub.has_lfs(repo, oid):  # no "actions" for what is already there
            signature = hub.sign("put", repo.type, id, oid, size)
            url = f"{h.base}/_lfs/{repo.type}s/{id}/{oid}?size={size}&sig={signature}"
            header = {}
            if hub.multipart_size and size > hub.multipart_size and "multipart" in p.get("transfers", []):
                transfer = "multipart"
                header = {"chunk_size": str(hub.multipart_size)}
                header |= {str(i + 1): f"{url}&part={i + 1}" for i in range(-(-size // hub.multipart_size))}
            row["actions"] = {
                "upload": {"href": url, "header": header},
                "verify": {"href": f"{h.base}/{PREFIX[repo.type]}{id}.git/info/lfs/objects/verify"},
            }
        out.append(row)
    h.send(200, {"transfer": transfer, "objects": out}, {"Content-Type": "application/vnd.git-lfs+json"})


@route("PUT POST", "/_lfs/(model|dataset|space)s/([^/]+/[^/]+)/([0-9a-f]{64})")
def lfs_put(h, type, id, oid):
    hub, size = h.hub, h.query.get("size", [""])[0]
    if h.query.get("sig") != [hub.sign("put", type, id, oid, size)]:
        raise Reply(403, "SignatureDoesNotMatch")
    part = lambda n: hub.root / "tmp" / f"{h.query['sig'][0]}.{int(n)}"  # noqa: E731
    with tempfile.NamedTemporaryFile(dir=hub.root / "tmp", delete=False) as tmp:
        try:
            if (
                h.command == "POST"
            ):  # the end of a multipart upload: {"oid", "parts": [{"partNumber", "etag"}]}
                pieces = [part(p["partNumber"]) for p in h.json()["parts"]]
                for piece in pieces:
                    if not piece.exists():
                        raise Reply(400, f"missing part {piece.name}")
                    with open(piece, "rb") as f:
                        shutil.copyfileobj(f, tmp)
            else:
                for b in h.chunks():
                    tmp.write(b)
            tmp.close()
            digest = file_sha256(tmp.name)
            if h.command == "PUT" and "part" in h.query:
                os.replace(tmp.name, part(h.query["part"][0]))
            elif digest != oid or os.path.getsize(tmp.name) != int(size):
                raise Reply(400, "BadDigest: the content does not have the announced sha256 or size")
            else:
                hub.store_lfs(hub.repo(type, id), tmp.name, oid)
                if h.command == "POST":
                    for piece in pieces:
                        piece.unlink()
        finally:
            tmp.close()
            Path(tmp.name).unlink(missing_ok=True)
    h.send(200, b"", {"ETag": f'"{digest}"'})


@route("POST", r"/(?:(dataset|space)s/)?([^/]+/[^/]+)\.git/info/lfs/objects/verify")
def lfs_verify(h, type, id):
    repo = h.find(type or "model", id)
    h.user(required=True)
    p = h.json()
    file = repo.lfs_path(p["oid"])
    if not file.exists() or file.stat().st_size != p["size"]:
        raise Reply(404, "Object does not exist or has another size")
    h.send(200, {})


@route("GET", REPO + "/xet-(read|write)-token/([^/]+)")
def xet_token(h, type, id, kind, revision):
    repo = h.find(type, id, write=kind == "write" and "create_pr" not in h.query, content=True)
    if not h.hub.xet or kind == "read":
        raise Reply(404, "This hub has no Xet storage: set HF_HUB_DISABLE_XET=1")
    h.user(required=True)
    cas, exp = f"local://{h.hub.new_xet_folder(repo)}", int(time.time()) + 3600
    h.send(
        200,
        {"casUrl": cas, "accessToken": "xet", "exp": exp},
        {"X-Xet-Cas-Url": cas, "X-Xet-Access-Token": "xet", "X-Xet-Token-Expiration": exp},
    )
