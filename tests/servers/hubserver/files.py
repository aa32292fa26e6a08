"""Listings of a commit's files, and the files themselves."""

import json
import re
from urllib.parse import parse_qs, quote

from hubserver.git import iso
from hubserver.handler import REPO, Reply, route


def entries(repo, sha, expand=False):
    """{path: entry} for every file and folder of a commit."""
    dirs = {}
    out = {}
    for path, oid in repo.files(sha, dirs).items():
        size, lfs = repo.about(oid)
        out[path] = {"type": "file", "oid": oid, "size": size, "path": path, **({"lfs": lfs} if lfs else {})}
    out |= {path: {"type": "directory", "oid": oid, "size": 0, "path": path} for path, oid in dirs.items()}
    if expand:
        left = dict.fromkeys(out)
        for c in repo.history(sha):
            older_dirs = {}
            older = repo.files(c["parents"][0], older_dirs) | older_dirs if c["parents"] else {}
            for path in [p for p in left if older.get(p) != out[p]["oid"]]:
                del left[path]
                out[path]["lastCommit"] = {"id": c["id"], "title": c["title"], "date": iso(c["ts"])}
    return out


@route("GET", REPO + "/tree/([^/]+)(?:/(.+))?")
def tree(h, type, id, revision, folder):
    repo = h.find(type, id)
    _, sha = h.commit_of(repo, revision)
    flag = lambda k: h.query.get(k, ["false"])[0].lower() in ("true", "1")  # noqa: E731
    all_entries = entries(repo, sha, flag("expand"))
    if folder and all_entries.get(folder, {}).get("type") != "directory":
        raise Reply(404, f"{folder} does not exist on {revision}", "EntryNotFound", {"X-Repo-Commit": sha})
    under = f"{folder}/" if folder else ""
    h.send_page(
        [
            e
            for p, e in sorted(all_entries.items())
            if p.startswith(under) and (flag("recursive") or "/" not in p[len(under) :])
        ]
    )


@route("POST", REPO + "/paths-info/([^/]+)")
def paths_info(h, type, id, revision):
    repo = h.find(type, id)
    _, sha = h.commit_of(repo, revision)
    raw = h.body()
    p = json.loads(raw) if "json" in h.headers.get("Content-Type", "") else parse_qs(raw.decode())
    all_entries = entries(repo, sha, str(p.get("expand", ["false"])).lower().find("true") >= 0)
    h.send(200, [all_entries[x.strip("/")] for x in p.get("paths", []) if x.strip("/") in all_entries])


@route("GET HEAD", r"/(?:(dataset|space)s/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
def resolve(h, type, id, revision, path):
    repo = h.find(type or "model", id, content=True)
    _, sha = h.commit_of(repo, revision)
    oid = repo.files(sha).get(path)
    if oid is None:
        raise Reply(404, "Entry not found", "EntryNotFound", {"X-Repo-Commit": sha})
    size, lfs = repo.about(oid)
    name = path.rsplit("/", 1)[-1]
    headers = {
        "X-Repo-Commit": sha,
        "Accept-Ranges": "bytes",
        "ETag": f'"{lfs["oid"] if lfs else oid}"',
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(name)}",
    }
    if not lfs:
        return send_ranges(h, headers, data=repo.get(oid, "blob"))
    headers |= {"X-Linked-Size": size, "X-Linked-ETag": headers["ETag"]}
    if h.hub.cdn:  # another origin, so that a client drops its Authorization header, as for the real one
        host = "localhost" if h.headers.get("Host", "").startswith("127.") else "127.0.0.1"
        return h.send(
            302, b"", {**headers, "Location": cdn_url(h, repo, lfs["oid"], f"http://{host}:{h.hub.port}")}
        )
    send_ranges(h, headers, file=repo.lfs_path(lfs["oid"]))
    return None


def cdn_url(h, repo, oid, base):
    return f"{base}/_cdn/{repo.type}s/{repo.id}/{oid}?sig={h.hub.sign('get', repo.type, repo.id, oid)}"


@route("GET HEAD", "/_cdn/(model|dataset|space)s/([^/]+/[^/]+)/([0-9a-f]{64})")
def cdn(h, type, id, oid):
    if h.headers.get("Authorization") or h.query.get("sig") != [h.hub.sign("get", type, id, oid)]:
        raise Reply(403, "Bad signature, or an Authorization header reached the CDN")
    send_ranges(h, {"ETag": f'"{oid}"', "Accept-Ranges": "bytes"}, file=h.hub.repo(type, id).lfs_path(oid))


def send_ranges(h, headers, data=None, file=None):
    size = len(data) if file is None else file.stat().st_size
    start, end, status = 0, size, 200
    m = re.fullmatch(r"bytes=(\d*)-(\d*)", (h.headers.get("Range") or "").replace(" ", ""))
    if m and (m[1] or m[2]):
        status = 206
        start = int(m[1]) if m[1] else max(0, size - int(m[2]))
        end = min(size, int(m[2]) + 1) if m[1] and m[2] else size
        if start >= size or start >= end:
            raise Reply(416, "Range Not Satisfiable", headers={"Content-Range": f"bytes */{size}"})
        headers = {**headers, "Content-Range": f"bytes {start}-{end - 1}/{size}"}
    h.start(status, end - start, {"Content-Type": "application/octet-stream", **headers})
    if h.command == "HEAD":
        return None
    if file is None:
        return h.write(data[start:end])
    with open(file, "rb") as f:
        f.seek(start)
        left = end - start
        while left and (b := f.read(min(left, 1 << 16))):
            h.write(b)
            left -= len(b)
    return None
