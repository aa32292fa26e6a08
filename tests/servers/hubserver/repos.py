"""Accounts, repositories, branches and tags."""

import contextlib
import hashlib
import json
import os
import re
import shutil

import yaml

from hubserver.git import PREFIX, Repo, iso
from hubserver.handler import REPO, Reply, route
from hubserver.metadata import card_metadata, card_problems

# -- accounts, cards


@route("GET", "/api/whoami-v2")
def whoami(h):
    u = h.user(required=True)
    h.send(
        200,
        {
            "type": "user",
            "id": hashlib.md5(u.name.encode()).hexdigest()[:24],
            "name": u.name,
            "fullname": u.name,
            "email": f"{u.name}@users.noreply.localhost",
            "orgs": [{"type": "org", "name": o, "roleInOrg": u.role} for o in u.orgs],
            "auth": {"type": "access_token", "accessToken": {"displayName": "test", "role": u.role}},
        },
    )


@route("POST", "/api/validate-yaml")
def validate_yaml(h):
    errors, warnings = card_problems(h.json().get("content", ""))
    h.send(
        400 if errors else 200,
        {"errors": [{"message": e} for e in errors], "warnings": [{"message": w} for w in warnings]},
    )


# -- repositories


@route("POST", "/api/repos/create")
def create_repo(h):
    user, p = h.user(required=True), h.json()
    type, ns, name = p.get("type") or "model", p.get("organization") or user.name, p.get("name") or ""
    if (
        type not in PREFIX
        or not re.fullmatch(r"(?![.\-])(?!.*(--|\.\.))[\w.\-]{1,96}(?<![.\-])", name)
        or name.endswith(".git")
    ):
        raise Reply(400, f'Invalid repo name or type: "{name}"')
    h.may_write(ns, user)
    id = f"{ns}/{name}"
    url = f"{h.base}/{PREFIX[type]}{id}"
    with h.hub.lock:
        if h.hub.repo(type, id):
            raise Reply(409, f"You already created this {type} repo", url=url)
        private = p.get("visibility") == "private" or bool(p.get("private"))
        repo = h.hub.create_repo(type, id, user, private)
    h.send(200, {"url": url, "name": id, "id": repo.meta["_id"], "private": private})


@route("DELETE", "/api/repos/delete")
def delete_repo(h):
    user, p = h.user(required=True), h.json()
    id = f"{p.get('organization') or user.name}/{p['name']}"
    repo = h.find(p.get("type") or "model", id, write=True)
    with h.hub.lock:
        h.hub._repos.pop((repo.type, id), None)
        shutil.rmtree(repo.path)
    h.send(200, b"OK")


@route("POST", "/api/repos/move")
def move_repo(h):
    p = h.json()
    repo = h.find(p["type"], p["fromRepo"], write=True)
    h.may_write(p["toRepo"].split("/")[0], h.user())
    with h.hub.lock:
        if h.hub.repo(p["type"], p["toRepo"]):
            raise Reply(409, "Target repo already exists")
        target = Repo(h.hub.root, p["type"], p["toRepo"]).path
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(repo.path, target)
        h.hub._repos.pop((repo.type, repo.id))
    h.send(200, {"success": True})


@route("PUT", REPO + "/settings")
def settings(h, type, id):
    repo, p = h.find(type, id, write=True), h.json()
    with h.hub.lock:
        if "visibility" in p or "private" in p:
            repo.meta["private"] = (
                p.get("visibility", "private" if p.get("private") else "public") == "private"
            )
        repo.meta["gated"] = p.get("gated", repo.meta["gated"])
        repo.save()
    h.send(200, {"private": repo.meta["private"], "gated": repo.meta["gated"]})


def describe(h, repo, sha, blobs=False):
    files, commit, meta = repo.files(sha), repo.read_commit(sha), {}
    if "README.md" in files:
        with contextlib.suppress(yaml.YAMLError):
            meta = card_metadata(repo.get(files["README.md"], "blob").decode("utf-8", "replace")) or {}
    meta = meta if isinstance(meta, dict) else {}
    listed = lambda k: meta[k] if isinstance(meta.get(k), list) else [meta[k]] if meta.get(k) else []  # noqa: E731
    tags = [
        *listed("tags"),
        *(
            f"{k}:{v}"
            for k in ("task_categories", "language", "license", "size_categories")
            for v in listed(k)
        ),
    ]
    siblings, used = [], 0
    for path, oid in sorted(files.items()):
        size, lfs = repo.about(oid)
        used += size
        s = {"rfilename": path}
        if blobs:
            s |= {"blobId": oid, "size": size}
            if lfs:
                s["lfs"] = {"sha256": lfs["oid"], "size": size, "pointerSize": lfs["pointerSize"]}
        siblings.append(s)
    out = {
        "_id": repo.meta["_id"],
        "id": repo.id,
        "author": repo.ns,
        "sha": sha,
        "lastModified": iso(commit["ts"]),
        "createdAt": repo.meta["createdAt"],
        "private": repo.meta["private"],
        "gated": repo.meta["gated"],
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": tags,
        "siblings": siblings,
        "cardData": json.loads(json.dumps(meta, default=str)) or None,
        "usedStorage": used,
    }
    if repo.type == "model":
        out |= {
            "modelId": repo.id,
            "pipeline_tag": meta.get("pipeline_tag"),
            "library_name": meta.get("library_name"),
        }
    return out


@route("GET HEAD", REPO + "(?:/revision/([^/]+))?")
def repo_info(h, type, id, revision):
    repo = h.find(type, id)
    _, sha = h.commit_of(repo, revision or "main")
    out = describe(h, repo, sha, blobs=h.query.get("blobs", ["false"])[0].lower() in ("true", "1"))
    wanted = h.query.get("expand", []) + h.query.get("expand[]", [])
    h.send(200, {k: v for k, v in out.items() if not wanted or k in ("_id", "id", *wanted)})


@route("GET", "/api/(model|dataset|space)s")
def list_repos(h, type):
    user, q = h.user(), h.query
    out = []
    for repo in h.hub.all_repos(type):
        if repo.meta["private"] and not (user and repo.ns in (user.name, *user.orgs)):
            continue
        d = describe(h, repo, h.commit_of(repo, "main")[1])
        if (
            q.get("author", [repo.ns])[0] == repo.ns
            and all(s.lower() in repo.id.lower() for s in q.get("search", []))
            and all(f in d["tags"] for f in q.get("filter", []))
        ):
            out.append(d)
    h.send_page(out)


@route("GET", REPO + "/auth-check(/write)?")
def auth_check(h, type, id, write):
    h.find(type, id, write=bool(write), content=True)
    h.send(200, {})


@route("GET", REPO + "/refs")
def refs(h, type, id):
    repo = h.find(type, id)

    def row(under):
        return [{"name": n, "ref": f"{under}/{n}", "targetCommit": s} for n, s in repo.refs(under).items()]

    out = {"branches": row("refs/heads"), "tags": row("refs/tags"), "converts": []}
    if h.query.get("include_prs"):
        out["pullRequests"] = row("refs/pr")
    h.send(200, out)


@route("GET", REPO + "/commits/([^/]+)")
def commits(h, type, id, revision):
    repo = h.find(type, id)
    h.send_page(
        [
            {
                "id": c["id"],
                "title": c["title"],
                "message": c["message"],
                "date": iso(c["ts"]),
                "authors": [{"user": c["author"]}],
            }
            for c in repo.history(h.commit_of(repo, revision)[1])
        ]
    )


@route("POST DELETE", REPO + "/branch/([^/]+)")
def branch(h, type, id, name):
    repo, p = h.find(type, id, write=True), h.json()
    if not re.fullmatch(r"(?!.*(\.\.|//|/$|\.lock$))[\w][\w.\-/]*", name) or name.startswith("refs/"):
        raise Reply(400, f"Invalid branch name: {name}")
    with h.hub.lock:
        exists = repo.ref(f"refs/heads/{name}")
        if h.command == "DELETE":
            if not exists or name == "main":
                raise Reply(
                    404 if not exists else 403,
                    f"Cannot delete branch {name}",
                    None if exists else "RevisionNotFound",
                )
            repo.set_ref(f"refs/heads/{name}", None)
        elif exists:
            raise Reply(409, f"Reference already exists: {name}")
        else:
            repo.set_ref(f"refs/heads/{name}", h.commit_of(repo, p.get("startingPoint") or "main")[1])
    h.send(200, b"OK")


@route("POST DELETE", REPO + "/tag/([^/]+)")
def tag(h, type, id, at):
    repo, p = h.find(type, id, write=True), h.json()
    name = at if h.command == "DELETE" else p.get("tag", "")
    if not re.fullmatch(r"(?!.*(\.\.|//|/$|\.lock$))[\w][\w.\-/]*", name):
        raise Reply(400, f"Invalid tag name: {name}")
    with h.hub.lock:
        exists = repo.ref(f"refs/tags/{name}")
        if h.command == "DELETE":
            if not exists:
                raise Reply(404, f"Tag not found: {name}", "RevisionNotFound")
            repo.set_ref(f"refs/tags/{name}", None)
        elif exists:
            raise Reply(409, f"Tag already exists: {name}")
        else:
            repo.set_ref(f"refs/tags/{name}", h.commit_of(repo, at)[1])
    h.send(200, b"OK")
