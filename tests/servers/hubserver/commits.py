"""Commits, discussions and pull requests."""

import base64
import json
import os
import time

from hubserver.git import POINTER, SHA256, iso
from hubserver.handler import REPO, Reply, route
from hubserver.metadata import card_problems


@route("POST", REPO + "/commit/([^/]+)")
def commit(h, type, id, revision):
    as_pr = "create_pr" in h.query
    repo, user = h.find(type, id, write=not as_pr), h.user(required=True)
    try:
        rows = [json.loads(line) for line in h.body().splitlines() if line.strip()]
    except ValueError:
        raise Reply(400, "Invalid NDJSON") from None
    if not rows or rows[0].get("key") != "header" or not rows[0]["value"].get("summary"):
        raise Reply(400, "The first line must be the header, with a summary")
    header = rows[0]["value"]
    blobs = {}
    for row in rows[1:]:  # everything that can be slow or fail is done before the lock
        v = row["value"]
        path = v.get("path", "")
        if not path or path.startswith("/") or {"", ".", "..", ".git"} & set(path.rstrip("/").split("/")):
            raise Reply(400, f"Invalid path: {path}")
        if row["key"] == "file":
            content = (
                base64.b64decode(v["content"]) if v.get("encoding") == "base64" else v["content"].encode()
            )
            if len(content) > 10_000_000 and len(content) > h.hub.lfs_threshold:
                raise Reply(413, f"{path} is too large for a regular file, use LFS")
            if path == "README.md":
                errors, _ = card_problems(content.decode("utf-8", "replace"))
                if errors:
                    raise Reply(400, "Invalid metadata in README.md: " + "; ".join(errors))
            blobs[path] = repo.put("blob", content)
        elif row["key"] == "lfsFile":
            oid = v["oid"]
            if not SHA256.fullmatch(oid) or not h.hub.has_lfs(repo, oid):
                raise Reply(400, f"LFS object {oid} of {path} was not uploaded")
            size = repo.lfs_path(oid).stat().st_size
            if v.get("size", size) != size:
                raise Reply(400, f"LFS object {oid} has another size")
            blobs[path] = repo.put("blob", POINTER.format(oid, size).encode())
        elif row["key"] not in ("deletedFile", "deletedFolder"):
            raise Reply(400, f"Unknown operation {row['key']}")
    with h.hub.lock:
        ref, head = h.commit_of(repo, revision)
        if not as_pr and (ref is None or ref.startswith("refs/tags/")):
            raise Reply(400, f"{revision} is not a branch")
        parent = header.get("parentCommit")
        if parent and as_pr:
            head = h.commit_of(repo, parent)[1]
        elif parent and not head.startswith(parent):
            raise Reply(412, "A commit has happened since. Please refresh and try again.")
        files = repo.files(head)
        for row in rows[1:]:
            path = row["value"]["path"]
            if row["key"] == "deletedFolder":
                gone = [p for p in files if p.startswith(path.rstrip("/") + "/")]
            elif row["key"] == "deletedFile":
                gone = [path] if path in files else []
            else:
                if any(p.startswith(path + "/") or path.startswith(p + "/") for p in files):
                    raise Reply(400, f"{path} is a file and a folder")
                files[path] = blobs[path]
                continue
            if not gone:
                raise Reply(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
            for p in gone:
                del files[p]
        message = header["summary"] + (f"\n\n{header['description']}" if header.get("description") else "")
        sha = repo.commit(files, [head], message, user.name)
        if as_pr:
            pr = open_discussion(
                repo, user, header["summary"], header.get("description", ""), True, sha, head
            )
        else:
            repo.set_ref(ref, sha)
    h.send(
        200,
        {
            "success": True,
            "commitOid": sha,
            "commitUrl": f"{h.repo_url(repo)}/commit/{sha}",
            "hookOutput": "",
            **({"pullRequestUrl": f"{h.repo_url(repo)}/discussions/{pr['num']}"} if as_pr else {}),
        },
    )


# -- discussions and pull requests


def event(user, type, data):
    return {
        "id": os.urandom(12).hex(),
        "type": type,
        "author": {"name": user.name},
        "createdAt": iso(time.time()),
        "data": data,
    }


def comment(user, text):
    latest = {"raw": text, "html": text, "updatedAt": iso(time.time()), "author": {"name": user.name}}
    return event(user, "comment", {"edited": False, "hidden": False, "latest": latest, "history": [latest]})


def open_discussion(repo, user, title, text, is_pr, sha=None, base=None):
    d = {
        "num": len(repo.meta["discussions"]) + 1,
        "title": title,
        "status": "open",
        "isPullRequest": is_pr,
        "createdAt": iso(time.time()),
        "author": {"name": user.name},
        "repo": {"name": repo.id, "type": repo.type},
        "events": [comment(user, text)],
    }
    if is_pr:
        d |= {
            "status": "open" if sha else "draft",
            "changes": {"base": "refs/heads/main"},
            "filesWithConflicts": [],
            "from": base or repo.ref("refs/heads/main"),
        }
        repo.set_ref(f"refs/pr/{d['num']}", sha or d["from"])
    repo.meta["discussions"].append(d)
    repo.save()
    return d


@route("GET POST", REPO + "/discussions")
def discussions(h, type, id):
    repo = h.find(type, id)
    if h.command == "POST":
        user, p = h.user(required=True), h.json()
        with h.hub.lock:
            d = open_discussion(repo, user, p["title"], p.get("description", ""), bool(p.get("pullRequest")))
        return h.send(
            200,
            {
                "num": d["num"],
                "pullRequest": d["isPullRequest"],
                "url": f"{h.repo_url(repo)}/discussions/{d['num']}",
            },
        )
    rows = [
        d
        for d in repo.meta["discussions"]
        if h.query.get("status", ["all"])[0] in ("all", d["status"])
        and {"pull_request": d["isPullRequest"], "discussion": not d["isPullRequest"]}.get(
            h.query.get("type", [""])[0], True
        )
    ]
    h.send(
        200, {"discussions": rows if h.query.get("p", ["0"]) == ["0"] else [], "count": len(rows), "start": 0}
    )
    return None


@route("GET POST", REPO + r"/discussions/(\d+)(?:/(comment|status|title|merge))?")
def discussion(h, type, id, num, action):
    repo = h.find(type, id)
    d = next((d for d in repo.meta["discussions"] if d["num"] == int(num)), None)
    if d is None:
        raise Reply(404, f"Discussion {num} not found")
    if h.command == "GET":
        return h.send(200, {**d, **({"diff": ""} if d["isPullRequest"] else {})})
    user, p = h.user(required=True), h.json()
    with h.hub.lock:
        if action != "comment":
            h.may_write(repo.ns, user)
        if action == "comment":
            new = comment(user, p["comment"])
        elif action == "title":
            new, d["title"] = event(user, "title-change", {"from": d["title"], "to": p["title"]}), p["title"]
        else:
            if action == "merge":
                merge(repo, d, user)
            d["status"] = p.get("status", "merged")
            new = event(user, "status-change", {"status": d["status"]})
        d["events"].append(new)
        repo.save()
    h.send(200, {"newMessage": new, "newStatus": new, "newTitle": new})
    return None


def merge(repo, d, user):
    """Take over the files the pull request changed, unless main changed them too since it was opened."""
    if not d["isPullRequest"] or d["status"] in ("merged", "closed"):
        raise Reply(400, "Not an open pull request")
    main = repo.ref("refs/heads/main")
    base, ours, theirs = repo.files(d["from"]), repo.files(main), repo.files(repo.ref(f"refs/pr/{d['num']}"))
    for path in {p for p in {*base, *theirs} if base.get(p) != theirs.get(p)}:
        if ours.get(path) not in (base.get(path), theirs.get(path)):
            raise Reply(409, f"Conflict in {path}")
        ours.pop(path, None)
        if path in theirs:
            ours[path] = theirs[path]
    sha = repo.commit(ours, [main, repo.ref(f"refs/pr/{d['num']}")], f"{d['title']} (#{d['num']})", user.name)
    repo.set_ref("refs/heads/main", sha)
    d["changes"]["mergeCommitId"] = sha
