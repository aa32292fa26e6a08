"""A small Hugging Face Hub for tests: real HTTP, real uploads, no internet.

Speaks the subset of the Hub's API that huggingface_hub 2.4 and datasets 5.2 use to publish and read models
and datasets. Standard library + PyYAML (+ hf_xet, only when a client uploads through Xet); both come with
huggingface_hub. Binds to 127.0.0.1 only.

Inside a test, on a thread, with the clients as subprocesses (huggingface_hub reads HF_ENDPOINT on import):

    with HubServer(tmp_path) as hub:
        env = {**os.environ, **hub.env(token="hf_writer", home=tmp_path / "hf")}
        hub.inject("PUT /_lfs/", status=503, times=2)          # the first two uploads fail
        subprocess.run([sys.executable, "publish.py"], env=env, check=True)
        assert any(r["method"] == "PUT" and r["status"] == 503 for r in hub.log)

Or as a process, from the folder above this package; it prints the variables to export (port 0: a free one):

    python -m hubserver --root hubdata --port 8765

Tokens (``users=``): hf_writer = alice, may write to alice/* and acme/*; hf_reader = bob, read only;
hf_other = mallory, may write to mallory/* only. Without a token, public repos can be read.

On disk: ``repos/<type>s/<ns>/<name>.git`` is a real bare git repository (``git log`` and ``git fsck`` work on
it), written without the git binary; its large files are under ``lfs/objects/aa/bb/<sha256>``, where git-lfs
keeps them too. An upload becomes visible only after its sha256 was checked.

Faults: ``inject(match, ...)``, or ``POST /_hub/faults`` with the same names as JSON. ``match`` is a regular
expression looked for in "METHOD /path?query". ``status`` answers that status; ``drop`` closes the connection:
"request" after reading the request, "upload" after ``at`` bytes of its body, "download" after ``at`` bytes of
the answer's body; ``rst=True`` closes with a TCP reset instead of an orderly end; ``lost=True`` carries the
request out and loses the answer; ``delay`` waits first. The first ``skip`` matches go through, the next
``times`` fail. ``GET /_hub/log`` is the list of requests; DELETE on either path empties it.
"""

from hubserver import collections, commits, files, repos, uploads  # noqa: F401  (each adds its routes)
from hubserver.hub import Fault, HubServer, User

__all__ = ["Fault", "HubServer", "User"]
