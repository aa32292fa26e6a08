"""Addresses of servers: how they are called, what tells two servers apart, and what of them may be shown."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from polypref.errors import InputError

LOCAL = "local"  # the name of every server on this machine or at a private address
# Reserved by RFC 6762 (appendix G), RFC 8375 and ICANN.
INTERNAL_SUFFIXES = (
    ".local",
    ".localdomain",
    ".internal",
    ".intranet",
    ".private",
    ".corp",
    ".home",
    ".lan",
    ".home.arpa",
)
COMPLETIONS = "/chat/completions"
_CREDENTIALS = re.compile(r"(?<=://)[^/?#\s\"'<>]*@")
_URL = re.compile(r"https?://[^\s\"'<>,{}\[\]]+", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(
    r"(?<=[?&])([^=&]*(?:key|token|secret|sig|password)[^=&]*)=[^&]*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Address:
    """A server's address in parts.

    `base` has no credentials, no query and no slash at its end; `user` and `password` are the credentials.
    """

    base: str
    host: str
    query: str = ""
    user: str = ""
    password: str = ""

    def url(self, path: str) -> str:
        """Return the URL of an endpoint, such as `chat/completions`, with the address's own query."""
        return f"{self.base}/{path}" + (f"?{self.query}" if self.query else "")


def parse_address(base_url: str) -> Address:
    """Split a server's base URL. One that ends in /chat/completions counts as the base before it.

    Raises InputError for anything but an address over HTTP.
    """
    parts = _split(base_url)
    if parts is None:
        shown = without_credentials(base_url).partition("?")[0]
        raise InputError(f"{shown or 'base_url'}: not an address; expected http://HOST:PORT/v1")
    path = parts.path.rstrip("/").removesuffix(COMPLETIONS).rstrip("/")
    place = parts.netloc.rpartition("@")[2]
    return Address(
        base=f"{parts.scheme}://{place}{path}",
        host=(parts.hostname or "").rstrip("."),
        query=parts.query,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def _split(base_url: str) -> SplitResult | None:
    """Return the parts of an address over HTTP, or None."""
    try:
        parts = urlsplit(base_url.strip())
        port = parts.port  # raises ValueError for one that is no number, or too large
    except ValueError:
        return None
    is_http = parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0
    return parts if is_http and not re.search(r"\s", parts.netloc) else None


def server_name(base_url: str) -> str:
    """Return what tells two servers apart: the host, or `local` for loopback and private addresses.

    Scheme, port, path, query and credentials are left out. Raises InputError as `parse_address` does.
    """
    host = parse_address(base_url).host
    try:
        return host if ipaddress.ip_address(host).is_global else LOCAL
    except ValueError:  # a name
        return LOCAL if is_loopback(host) else host


def public_name(base_url: str) -> str:
    """Return the server's name as it may be published: `local` for internal names as well."""
    name = server_name(base_url)
    is_internal = "." not in name.replace(":", ".") or name.endswith(INTERNAL_SUFFIXES)
    return LOCAL if is_internal else name


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def public_urls(text: str) -> str:
    """Return a text whose URLs hold no credentials and no internal hosts."""

    def public(match: re.Match[str]) -> str:
        url = _SECRET_PARAMETER.sub(r"\1=...", match[0])
        parts = _split(url)
        if parts is None or public_name(url) != LOCAL:
            return url
        return parts._replace(netloc=LOCAL).geturl()

    return _URL.sub(public, without_credentials(text))


def without_credentials(text: str) -> str:
    """Return a text without the user names and passwords that stand in its URLs."""
    return _CREDENTIALS.sub("", text)
