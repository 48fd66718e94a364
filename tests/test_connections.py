import asyncio
import errno
import ssl

import pytest
from aiohttp import web

from endpoint import answer, completion
from exphub_magics.failures import Trouble
from exphub_magics.providers.connections import Connection, is_local

BODY = {"model": "m", "messages": [{"role": "user", "content": "She fell."}]}


def post(url, *, calls=1, key=None, deadline=30.0):
    """As many calls at once over one connection."""

    async def go():
        connection = Connection(url, key)
        try:
            return await asyncio.gather(*(connection.post(BODY, deadline) for _ in range(calls))), connection
        finally:
            await connection.close()

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:1/v1", True),
        ("http://localhost:1/v1", True),
        ("http://LOCALHOST./v1", True),
        ("http://[::1]:1/v1", True),
        ("http://127.0.0.1.nip.io/v1", False),
        ("http://localhost.example.org/v1", False),
        ("http://127.0.0.1@example.org/v1", False),
        ("http://192.168.0.2/v1", False),
        ("http://0.0.0.0/v1", False),
        ("https://api.openai.com/v1", False),
    ],
)
def test_an_address_is_this_machines_own_by_its_host_alone(url, local):
    assert is_local(url) is local


def test_the_bytes_of_an_answer_come_as_they_were_sent(scripted):
    endpoint = scripted(lambda _body: (200, " {} \n"))
    (said,), connection = post(endpoint.url, key="sk-canary")
    assert (said, connection.heard) == (b" {} \n", True)
    assert endpoint.requests == [BODY]
    assert endpoint.headers[0]["Authorization"] == "Bearer sk-canary"


def test_a_thousand_calls_are_out_at_once(scripted):
    out, all_there = 0, asyncio.Event()

    async def respond(_request):
        nonlocal out
        out += 1
        if out == 1000:
            all_there.set()
        await asyncio.wait_for(all_there.wait(), 30)
        return web.json_response({})

    said, _ = post(scripted(lambda _body: respond).url, calls=1000)
    assert said == [b"{}"] * 1000


def test_a_local_endpoint_is_never_reached_through_a_proxy(scripted, monkeypatch):
    endpoint = scripted(lambda _body: completion(answer(True)))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    (said,), _ = post(endpoint.url)
    assert isinstance(said, bytes)


def test_a_rejection_is_heard_and_an_empty_room_is_not(scripted):
    endpoint = scripted(lambda _body: (500, "oops"))
    (rejection,), connection = post(endpoint.url)
    assert (rejection.status, rejection.said, connection.heard) == (500, "oops", True)
    endpoint.close()
    (trouble,), connection = post(f"{endpoint.url}?key=secret")
    assert trouble == Trouble("broken", f"nobody answers at {endpoint.url}")
    assert not connection.heard


@pytest.mark.parametrize(
    ("error", "reason", "crowded"),
    [
        (OSError(errno.EHOSTUNREACH, "no route"), "nobody answers at http://127.0.0.1:1/v1", False),
        (OSError(errno.EMFILE, "too many"), "too many connections for this machine: lower concurrency", True),
        (ssl.SSLCertVerificationError("expired"), "nobody answers at http://127.0.0.1:1/v1 with a certificate", False),
        (TimeoutError(), "no answer within 7 s", True),
        (ConnectionResetError(), "the connection broke before the answer came", False),
    ],
)
def test_what_broke_is_said_in_a_line_wherever_it_stands_among_the_causes(error, reason, crowded):
    outer = RuntimeError("outer")
    outer.__cause__ = error
    for one in (error, outer):
        trouble = Connection("http://127.0.0.1:1/v1", None).broken(one, 7)
        assert trouble.reason.startswith(reason)
        assert (trouble.kind, trouble.is_crowded) == ("broken", crowded)
