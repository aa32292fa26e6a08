"""Collections of repositories."""

import os
import re
import time

from hubserver.git import PREFIX, iso
from hubserver.handler import Reply, route

COLLECTION = r"/api/collections/([^/]+/[^/]+)"


def find_collection(h, slug, write=False):
    c, user = h.hub.collections.get(slug), h.user(required=write)
    ns = slug.split("/")[0]
    if c is None or (c["private"] and not (user and ns in (user.name, *user.orgs))):
        raise Reply(404, "Collection not found")
    if write:
        h.may_write(ns, user)
    return c


@route("GET POST", "/api/collections")
def collections(h):
    if h.command == "GET":
        owner = h.query.get("owner")
        rows = [
            c
            for c in h.hub.collections.values()
            if not c["private"] and owner in (None, [c["owner"]["name"]])
        ]
        return h.send_page([{k: v for k, v in c.items() if k != "position"} for c in rows])
    user, p = h.user(required=True), h.json()
    h.may_write(p["namespace"], user)
    start = f"{p['namespace']}/{re.sub(r'[^a-z0-9]+', '-', p['title'].lower()).strip('-')}-"
    with h.hub.lock:
        for slug in h.hub.collections:
            if re.fullmatch(re.escape(start) + "[0-9a-f]{24}", slug):
                raise Reply(409, "Collection already exists", slug=slug)
        slug = start + os.urandom(12).hex()
        c = h.hub.collections[slug] = {
            "slug": slug,
            "title": p["title"],
            "description": p.get("description"),
            "private": bool(p.get("private")),
            "theme": "blue",
            "owner": {"name": p["namespace"], "type": "user"},
            "items": [],
            "lastUpdated": iso(time.time()),
            "position": 0,
            "upvotes": 0,
        }
        h.hub.save_collections()
    h.send(200, c)
    return None


@route("GET PATCH DELETE", COLLECTION)
def collection(h, slug):
    c = find_collection(h, slug, write=h.command != "GET")
    if h.command == "GET":
        return h.send(200, c)
    with h.hub.lock:
        if h.command == "DELETE":
            del h.hub.collections[slug]
        else:
            c |= {
                k: v
                for k, v in h.json().items()
                if k in ("title", "description", "private", "theme", "position")
            }
        h.hub.save_collections()
    h.send(200, {"data": c})
    return None


@route("POST", COLLECTION + "/items")
def add_to_collection(h, slug):
    c, p = find_collection(h, slug, write=True), h.json()
    item = p["item"]
    if item["type"] in PREFIX:
        h.find(item["type"], item["id"])
    with h.hub.lock:
        if any((i["id"], i["type"]) == (item["id"], item["type"]) for i in c["items"]):
            raise Reply(409, "This item is already in the collection")
        note = {"note": {"text": p["note"], "html": p["note"]}} if p.get("note") else {}
        c["items"].append(
            {
                "_id": os.urandom(12).hex(),
                "id": item["id"],
                "type": item["type"],
                "position": len(c["items"]),
                **note,
            }
        )
        c["lastUpdated"] = iso(time.time())
        h.hub.save_collections()
    h.send(200, c)


@route("PATCH DELETE", COLLECTION + "/items/([^/]+)")
def change_item(h, slug, item_id):
    c, p = find_collection(h, slug, write=True), h.json()
    with h.hub.lock:
        item = next((i for i in c["items"] if i["_id"] == item_id), None)
        if item is None:
            raise Reply(404, "Item not found")
        if h.command == "DELETE":
            c["items"].remove(item)
        else:
            if "note" in p:
                item["note"] = {"text": p["note"], "html": p["note"]}
            if "position" in p:
                c["items"].remove(item)
                c["items"].insert(p["position"], item)
        for n, i in enumerate(c["items"]):
            i["position"] = n
        h.hub.save_collections()
    h.send(200, {"success": True})
