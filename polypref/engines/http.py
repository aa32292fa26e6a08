"""Chat servers with an OpenAI-compatible API: calls are retried, paced and waited for, within bounds."""

import asyncio
import base64
import os
import random
import re
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from polypref.engines.address import Address, is_loopback, parse_address, without_credentials
from polypref.engines.base import Answer, Failure, Outcome, Rejection, Request, fold_system
from polypref.engines.config import VARIABLE, HttpGenerator, Parameter
from polypref.engines.limiter import Limiter
from polypref.engines.responses import Reader, read_completion, read_response
from polypref.errors import InputError
from polypref.schemas import hash32

PAUSE = 0.5  # seconds before the second try, doubled for each that follows
LONGEST_PAUSE = 60.0  # whatever a server asks for
SHOWN_PAUSE = 5.0  # shorter ones are not worth a word
START_PAUSE = 2.0  # between tries while a server starts
HOPS = 3  # redirects that are followed
SHORTEST_SECRET = 8  # characters: shorter keys, such as `none`, are words of texts


class Response(NamedTuple):
    """A server's response; status 0 where the connection failed, with the reason as the body."""

    status: int
    body: bytes
    pause: float | None = None  # seconds that the server asks to wait
    may_be_starting: bool = False


class HttpEngine:
    """One model behind `base_url`. Keys are read from the environment and written nowhere."""

    def __init__(self, config: HttpGenerator, name: str) -> None:
        self.name, self.config = name, config
        self.fingerprint = hash32(config.identity())
        self.concurrency = config.concurrency
        self.price = config.price
        self.limiter = Limiter(config.concurrency)
        self.address = parse_address(config.base_url)
        self._sampling: dict[str, Any] = {}
        sampling: dict[Parameter, Any] = config.sampling.identity()  # type: ignore[assignment]
        for parameter, value in sampling.items():
            if parameter not in config.drop:
                self._sampling[config.rename.get(parameter, parameter)] = value
        self.on_wait: Callable[[str], None] = print_nothing
        self._session: Any = None  # opened by the first call, in its event loop
        self._secrets: re.Pattern[str] | None = None
        self._proxy: str | None = None
        self._wait_until: float | None = None  # for a server to start; None once it has responded
        self._is_waiting = False

    async def generate(self, request: Request) -> Outcome:
        """Return the answer, or why the call failed.

        Raises InputError if the key, the model or the address is wrong.
        """
        return await self.call("chat/completions", self._payload(request), read_completion)

    def _payload(self, request: Request) -> dict[str, Any]:
        config = self.config
        system = [{"role": "system", "content": config.system}] if config.system else []
        messages: Sequence[Mapping[str, str]] = [*system, *request.messages]
        if config.system_as_user:
            messages = fold_system(messages)
        payload = {"model": config.model, "messages": messages, **self._sampling}
        if request.sample and "seed" not in config.drop:
            payload[config.rename.get("seed", "seed")] = request.sample
        return payload | config.extra_body

    async def call(self, path: str, payload: dict[str, Any], read: Reader) -> Outcome:
        """Post until there is an outcome that lasts, or no try is left."""
        if self._session is None:
            self._open()
        failures = 0
        while True:
            await self.limiter.acquire(first=failures > 0)
            began, response = time.monotonic(), Response(0, b"")
            outcome: Outcome = Failure("")
            try:
                response = await self._post(path, payload)
                outcome = read_response(response.status, response.body, read)
            finally:
                pause, is_bounded = _bounded_pause(response.pause, failures)
                is_busy = isinstance(outcome, Failure) and outcome.busy
                is_success = response.status // 100 == 2 and not is_busy
                self.limiter.release(time.monotonic() - began, is_success, is_busy, pause)
            if not response.may_be_starting:
                self._wait_until = None
            if not isinstance(outcome, Failure):
                self._show_wait("")
                return self._checked(outcome)
            reason = self._mask(outcome.reason)
            if self._wait_until and time.monotonic() < self._wait_until:
                pause = START_PAUSE * random.uniform(0.5, 1.0)
                self._show_wait(
                    f"waiting up to {self.config.start_seconds:.0f} s for the server to start: {reason}"
                )
            else:
                failures += 1
                if failures > self.config.retries:
                    self._show_wait("")
                    return replace(outcome, reason=reason)
                if is_bounded:
                    self._show_wait(
                        f"the server asks to wait {response.pause:,.0f} s, waiting {pause:.0f} s: {reason}"
                    )
                elif pause > SHOWN_PAUSE:
                    self._show_wait(f"waiting {pause:.0f} s: {reason}")
            await asyncio.sleep(pause)

    def _checked(self, outcome: Answer | Rejection) -> Answer | Rejection:
        """Return an outcome without our key in it. Raises InputError for a rejection that stops the run."""
        if isinstance(outcome, Answer):
            text, thinking = self._mask(outcome.text), self._mask(outcome.thinking)
            return replace(outcome, text=text, thinking=thinking) if self._secrets else outcome
        if outcome.stops:
            status, _, message = self._mask(outcome.reason).partition(": ")
            model, key = self.config.model, self.config.key_env
            raise InputError(f"{self.address.base}: {status} for model {model!r}, key {key}: {message}")
        return replace(outcome, reason=self._mask(outcome.reason))

    def _show_wait(self, reason: str) -> None:
        if reason or self._is_waiting:
            self._is_waiting = bool(reason)
            self.on_wait(reason)

    def _mask(self, text: str) -> str:
        """Return a text with our secrets, which some servers repeat, replaced."""
        return self._secrets.sub(f"${self.config.key_env}", text) if self._secrets else text

    async def _post(self, path: str, payload: dict[str, Any]) -> Response:
        import aiohttp

        url = self.address.url(path)
        try:
            for _ in range(HOPS):
                async with self._session.post(
                    url, json=payload, proxy=self._proxy, allow_redirects=False
                ) as response:
                    status, body, headers = response.status, await response.read(), response.headers
                if not 300 <= status < 400:
                    pause = _seconds(headers.get("Retry-After"))
                    return Response(status, body, pause, may_be_starting=status in (502, 503, 504))
                location = urljoin(url, headers.get("Location", ""))
                # Other redirects would turn the call into a GET, and another host would get our key.
                if status not in (307, 308) or urlsplit(location).netloc != urlsplit(url).netloc:
                    break
                url = location
            target = location.partition("?")[0]
            return Response(status, f"redirects to {target}; expected its final address".encode())
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            raise InputError(f"{self.address.base}: {' '.join(str(error).split())}") from None
        except ValueError:  # of a host that no name can be
            raise InputError(f"{self.address.base}: not an address; expected http://HOST:PORT/v1") from None
        except TimeoutError:
            return Response(0, b"timed out")
        except aiohttp.ClientConnectorDNSError as error:
            return Response(0, str(error).encode())
        except (aiohttp.ClientError, OSError) as error:
            return Response(0, (str(error) or type(error).__name__).encode(), may_be_starting=True)

    def _open(self) -> None:
        """Open the session. Raises InputError for a key or a header that cannot be sent."""
        import aiohttp

        config, address = self.config, self.address
        key = os.environ.get(config.key_env, "").strip()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        if address.user or address.password:
            if key:
                found = f"credentials in the address and a key in {config.key_env}"
                raise InputError(f"{address.base}: found {found}, expected one of them")
            credentials = base64.b64encode(f"{address.user}:{address.password}".encode()).decode()
            headers["Authorization"] = f"Basic {credentials}"
        secrets = [key, address.password]
        for name, value in config.headers.items():
            headers[name] = VARIABLE.sub(_variable, value)
            secrets += [os.environ[variable].strip() for variable in VARIABLE.findall(value)]
        for name, value in headers.items():
            if not (value.isascii() and value.isprintable()):
                source = config.key_env if name == "Authorization" else f"headers.{name}"
                raise InputError(f"{source}: holds characters that no header can; expected printable ASCII")
        self._secrets = _pattern_of(secrets)
        self._proxy = find_proxy(address)
        self._wait_until = time.monotonic() + config.start_seconds
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=config.timeout),
            connector=aiohttp.TCPConnector(limit=0),  # no limit of its own: the limiter's is enough
            headers=headers,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session, self.limiter = None, Limiter(self.concurrency)


def print_nothing(reason: str) -> None:
    """Be told why calls wait, where nothing shows it."""


def _variable(match: re.Match[str]) -> str:
    if match[1] not in os.environ:
        raise InputError(f"headers: the environment variable {match[1]} is not set")
    return os.environ[match[1]].strip()


def _pattern_of(secrets: Sequence[str]) -> re.Pattern[str] | None:
    """Return a pattern of secrets, also if they are cut or stand in a URL; None if there are none."""
    alternatives = []
    for secret in secrets:
        if len(secret) < SHORTEST_SECRET:
            continue
        for written in {secret, quote(secret, safe="")}:
            start = written[: max(SHORTEST_SECRET, len(written) // 2)]
            alternatives.append(rf"{re.escape(start)}[\w%.+/=~-]*")
    return re.compile("|".join(alternatives)) if alternatives else None


def find_proxy(address: Address) -> str | None:
    """Return the proxy that the environment names for a server: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY.

    A proxy would look for a server on this machine on its own.
    """
    if is_loopback(address.host) or urllib.request.proxy_bypass(address.host):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(address.base.partition(":")[0]) or proxies.get("all")
    if proxy and "://" not in proxy:
        return f"http://{proxy}"
    if proxy and not proxy.startswith("http"):
        shown = without_credentials(proxy)
        raise InputError(f"{shown}: a proxy of this kind is not supported; expected http://HOST:PORT")
    return proxy


def _bounded_pause(asked: float | None, failures: int) -> tuple[float, bool]:
    """Return the seconds before the next try, and whether the server asked for more."""
    if asked is not None:
        return min(asked, LONGEST_PAUSE), asked > LONGEST_PAUSE
    # The exponent is bounded as well: a thousandth doubling has no float.
    return min(LONGEST_PAUSE, PAUSE * 2 ** min(failures, 16)) * random.uniform(0.5, 1.0), False


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks to wait: it holds a number or a date."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass  # a date
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
