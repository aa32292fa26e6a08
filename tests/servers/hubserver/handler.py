"""HTTP: routing, bodies, injected faults, who may do what."""

import json
import os
import re
import socket
import struct
import time
import traceback
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlencode

from hubserver.git import PREFIX


class Reply(Exception):
    """Raised anywhere in a handler to answer with an error."""

    def __init__(self, status, message, code=None, headers=None, **extra):
        self.status, self.body, self.headers = status, {"error": message, **extra}, dict(headers or {})
        self.headers["X-Error-Message"] = message.split("\n")[0]
        if code:
            self.headers["X-Error-Code"] = code


class Drop(Exception):
    pass


ROUTES = []
REPO = r"/api/(model|dataset|space)s/([^/]+/[^/]+)"


def route(methods, pattern):
    def add(fn):
        ROUTES.append((methods.split(), re.compile(pattern + r"\Z"), fn))
        return fn

    return add


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "hubserver"
    disable_nagle_algorithm = True
    hub = None

    def log_message(self, *args):
        pass

    def handle_any(self):
        self.raw_path, _, query = self.path.partition("?")
        self.query = parse_qs(query, keep_blank_values=True)
        self.base = f"http://{self.headers.get('Host') or f'127.0.0.1:{self.hub.port}'}"
        self.body_read, self.status, self.sent, self.who, self.error = False, 0, 0, None, None
        hub = self.hub
        self.fault = (
            None if self.raw_path.startswith("/_hub/") else hub.next_fault(f"{self.command} {self.path}")
        )
        # Logged before the answer is sent: a test reads the log as soon as its client has the answer.
        self.entry = {"method": self.command, "path": self.path, "status": 0, "fault": bool(self.fault)}
        if not self.raw_path.startswith("/_hub/"):
            with hub.lock:
                hub.log.append(self.entry)
        try:
            if not self.injected():
                self.dispatch()
            if not self.body_read:
                self.body()
        except (Drop, ConnectionError, TimeoutError):
            self.status, self.close_connection = self.status or -1, True
        finally:
            self.entry |= {"status": self.status, "user": self.who, "bytes": self.sent, "error": self.error}

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def dispatch(self):
        for methods, pattern, fn in ROUTES:
            m = pattern.match(self.raw_path)
            if m and self.command in methods:
                try:
                    return fn(self, *(unquote(g) if g is not None else None for g in m.groups()))
                except Reply as r:
                    return self.send(r.status, r.body, r.headers)
                except (Drop, OSError):
                    raise
                except Exception as e:  # a request this server does not understand, or a bug in it
                    self.error = f"{type(e).__name__}: {e}"
                    traceback.print_exc()
                    return self.send(500, {"error": f"hubserver: {self.error}"})
        self.send(404, {"error": "Not Found"})
        return None

    def injected(self):
        """Carry out a fault that replaces the answer; True when there was one."""
        f = self.fault
        if f is None:
            return False
        time.sleep(f.delay)
        if f.drop == "request":
            self.body()
            self.hang_up()
        if f.status:
            self.send(f.status, f.body.encode() if f.body else {"error": f"injected {f.status}"}, f.headers)
        return bool(f.status)

    def hang_up(self):
        if self.fault.rst:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
        else:
            self.connection.shutdown(socket.SHUT_RDWR)
        raise Drop()

    # -- request

    def chunks(self, size=1 << 16):
        """Yield the request's body. Raises Drop where the client or an injected fault ends it early."""
        f = self.fault if self.fault and self.fault.drop == "upload" else None
        got = 0

        def read(n):
            nonlocal got
            while n:
                b = self.rfile.read1(min(n, size))
                if not b:
                    raise Drop()
                got += len(b)
                n -= len(b)
                if f and got >= f.at:
                    self.hang_up()
                yield b

        self.body_read = True
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while n := int(self.rfile.readline().split(b";")[0], 16):
                yield from read(n)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        else:
            yield from read(int(self.headers.get("Content-Length") or 0))

    def body(self):
        return b"".join(self.chunks())

    def json(self):
        try:
            return json.loads(self.body() or b"{}")
        except ValueError:
            raise Reply(400, "Invalid JSON") from None

    # -- answer

    def send(self, status, body=b"", headers=None):
        if isinstance(body, (dict, list)):
            body, headers = (
                json.dumps(body).encode(),
                {"Content-Type": "application/json; charset=utf-8", **(headers or {})},
            )
        if not self.body_read:  # the connection is kept: what was sent must be taken off it
            self.body()
        if self.fault and self.fault.lost:
            self.hang_up()
        self.start(status, len(body), headers)
        if self.command != "HEAD":
            self.write(body)

    def start(self, status, length, headers=None):
        self.status = self.entry["status"] = status
        self.send_response(status)
        for k, v in {
            "Content-Length": length,
            "X-Request-Id": os.urandom(6).hex(),
            **(headers or {}),
        }.items():
            self.send_header(k, str(v).encode("latin-1", "replace").decode("latin-1"))
        self.end_headers()

    def write(self, data):
        f = self.fault
        if f and f.drop == "download" and self.sent + len(data) >= f.at:
            self.wfile.write(data[: f.at - self.sent])
            self.sent = f.at
            self.hang_up()
        self.wfile.write(data)
        self.sent += len(data)

    def send_page(self, items):
        """One page of a listing; the next one is announced in a Link header, as the Hub does."""
        at = int(self.query.get("cursor", ["0"])[0])
        limit = int(self.query.get("limit", [self.hub.page_size])[0])
        headers = {}
        if at + limit < len(items):
            q = urlencode({**self.query, "cursor": at + limit, "limit": limit}, doseq=True)
            headers["Link"] = f'<{self.base}{self.raw_path}?{q}>; rel="next"'
        self.send(200, items[at : at + limit], headers)

    # -- who, and what may they

    def user(self, required=False):
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ").strip()
        user = self.hub.users.get(token) if token else None
        if token and user is None:
            raise Reply(401, "Invalid credentials in Authorization header")
        if required and user is None:
            raise Reply(401, "Invalid username or password.")
        self.who = user and user.name
        return user

    def may_write(self, ns, user):
        if user.role != "write" or ns not in (user.name, *user.orgs):
            raise Reply(403, f'You don\'t have the rights to write in the namespace "{ns}" with this token')

    def find(self, type, id, write=False, content=False):
        user, repo = self.user(), self.hub.repo(type, id)
        member = user and id.split("/")[0] in (user.name, *user.orgs)
        if repo is None or (repo.meta["private"] and not member):
            # Unknown and private look the same. Anonymous clients get 401 as on the Hub; the code is added
            # because the client turns a bare 401 into RepositoryNotFoundError for https:// addresses only.
            raise Reply(
                404 if user else 401,
                "Repository not found" if user else "Invalid username or password.",
                "RepoNotFound",
            )
        if write:
            if user is None:
                raise Reply(401, "Invalid username or password.", "RepoNotFound")
            self.may_write(repo.ns, user)
        if content and repo.meta["gated"] and not member and not (user and f"{type}s/{id}" in user.granted):
            raise Reply(
                403 if user else 401,
                f"Access to {type} {id} is restricted. "
                "You must have access to it and be authenticated to access it.",
                "GatedRepo",
            )
        return repo

    def commit_of(self, repo, revision):
        ref, sha = repo.resolve(revision)
        if sha is None:
            raise Reply(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return ref, sha

    def repo_url(self, repo):
        return f"{self.base}/{PREFIX[repo.type]}{repo.id}"


# -- steering


@route("GET POST DELETE", "/_hub/(faults|log)")
def steer(h, what):
    with h.hub.lock:
        if h.command == "DELETE":
            getattr(h.hub, what).clear()
        elif h.command == "POST":
            h.hub.inject(**h.json())
        rows = [vars(x) if what == "faults" else x for x in getattr(h.hub, what)]
    h.send(200, rows)
