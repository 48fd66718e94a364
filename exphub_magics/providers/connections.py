"""The way to an endpoint: the official openai client, its pooled connections, and what a broken one is called."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from exphub_magics import failures, lazily
from exphub_magics.failures import Rejection, Trouble

if TYPE_CHECKING:
    import aiohttp
    import openai
else:
    aiohttp = lazily.load("aiohttp")
    openai = lazily.load("openai")

CONNECT_SECONDS: Final = 15.0  # until a connection stands
NOBODY: Final = "nobody answers"
UNREACHABLE: Final = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN})
TOO_MANY_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})


def is_local(url: str) -> bool:
    """Whether an address is this machine's own, by its literal form alone.

    >>> is_local("http://127.0.0.1:8000/v1"), is_local("http://localhost.example.org/v1")
    (True, False)
    """
    host = (urlsplit(url).hostname or "").rstrip(".").casefold()
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(slots=True)
class Connection:
    """The pooled connections to one endpoint; `heard` once anything at all has come back over them."""

    url: str
    key: str | None = field(repr=False)
    heard: bool = False
    client: openai.AsyncOpenAI | None = field(default=None, repr=False)

    def connect(self) -> openai.AsyncOpenAI:
        """The client; made in the loop that uses it."""
        if self.client is None:
            # A local endpoint's text must not reach a proxy, and no endpoint may hand it on by a redirect. The pool
            # holds 1,000 connections; a deadline is kept in `post`, for a timeout of each read cuts no drip.
            patience = openai.Timeout(None, connect=CONNECT_SECONDS)
            transport = openai.DefaultAioHttpClient(
                follow_redirects=False,
                trust_env=not is_local(self.url),
                timeout=patience,
                verify=not self.url.startswith("http://"),  # it takes 20 ms to read certificates that nothing needs
            )
            self.client = openai.AsyncOpenAI(
                api_key=self.key or "none", base_url=self.url, max_retries=0, timeout=patience, http_client=transport
            )
        return self.client

    async def close(self) -> None:
        """Close the connections."""
        if self.client is not None:
            await self.client.close()
            self.client = None

    async def post(self, body: Mapping[str, Any], deadline_seconds: float) -> bytes | Rejection | Trouble:
        """Ask for one chat completion; the bytes of a response of status 200, or what came in their stead."""
        try:
            async with asyncio.timeout(deadline_seconds):
                said = await self.connect().post("/chat/completions", cast_to=bytes, body=body)
        except openai.APIStatusError as error:
            self.heard = True
            response = error.response
            return failures.rejection(error.status_code, error.body, response.headers, response.reason_phrase)
        except (openai.APIError, aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
            return self.broken(error, deadline_seconds)
        self.heard = True
        return said

    @property
    def address(self) -> str:
        """Where the endpoint listens, without what may stand behind a question mark."""
        return self.url.partition("?")[0]

    def broken(self, error: Exception, deadline_seconds: float) -> Trouble:
        """A transport's error in a line without key or narrative."""
        causes = list(_causes(error))
        numbers = {cause.errno for cause in causes if isinstance(cause, OSError)}
        if any(isinstance(cause, ssl.SSLError) for cause in causes):
            return Trouble("broken", f"{NOBODY} at {self.address} with a certificate that this machine trusts")
        if not UNREACHABLE.isdisjoint(numbers) or any(isinstance(cause, socket.gaierror) for cause in causes):
            return Trouble("broken", f"{NOBODY} at {self.address}")
        if not TOO_MANY_FILES.isdisjoint(numbers):
            return Trouble("broken", "too many connections for this machine: lower concurrency", is_crowded=True)
        if any(isinstance(cause, TimeoutError) for cause in causes):
            return Trouble("broken", f"no answer within {deadline_seconds:g} s", is_crowded=True)
        return Trouble("broken", "the connection broke before the answer came")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
