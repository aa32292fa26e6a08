"""Run the hub as a process: `python -m hubserver --root FOLDER`."""

import argparse
import contextlib

from hubserver import HubServer, User


def main():
    ap = argparse.ArgumentParser(description="A small Hugging Face Hub on 127.0.0.1, for tests.")
    ap.add_argument("--root", required=True, help="folder for the repositories")
    ap.add_argument("--port", type=int, default=8765)
    ap.add_argument(
        "--user", action="append", metavar="TOKEN=NAME:ROLE[:ORG,ORG]", help="replaces the default users"
    )
    ap.add_argument("--no-xet", action="store_true")
    ap.add_argument("--cdn", action="store_true", help="serve large files by a redirect to another origin")
    ap.add_argument("--multipart-size", type=int, default=0)
    ap.add_argument("--page-size", type=int, default=1000)
    a = ap.parse_args()
    users = {}
    for spec in a.user or []:
        token, rest = spec.split("=", 1)
        name, role, orgs = (
            ([*rest.split(":"), "write", ""])[:3] if rest.count(":") != 1 else [*rest.split(":"), ""]
        )
        users[token] = User(name, role, tuple(o for o in orgs.split(",") if o))
    hub = HubServer(
        a.root,
        a.port,
        users or None,
        xet=not a.no_xet,
        cdn=a.cdn,
        multipart_size=a.multipart_size,
        page_size=a.page_size,
    )
    for k, v in hub.env(token=next(iter(hub.users))).items():
        print(f"export {k}={v}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        hub.httpd.serve_forever()


if __name__ == "__main__":
    main()
