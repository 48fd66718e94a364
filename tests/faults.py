"""Everything an endpoint may do wrong, by name: what it sends, and what is owed for it.

Each fault is a script's answer (tests/endpoint.py): a payload with its status and headers, or an async function
that has the request and does as it likes with the connection.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from aiohttp import web

from endpoint import answer, completion

DRIP_SECONDS = 0.05
HTML = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
GOOD = json.dumps(completion(answer(flag=False))).encode()


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    `kind` is how often it may be asked for again (failures.ATTEMPTS), or `answered` where an answer can be read all
    the same; `reason` begins what is kept of it.
    """

    name: str
    kind: str
    respond: Any
    reason: str = ""
    status: str = "failed"


def message(text: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": text, **more}}


def raw(body: bytes, content_type: str = "application/json", **headers: str) -> Callable[[web.Request], Any]:
    """A response of status 200 with these very bytes."""

    async def respond(_request: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": content_type, **headers})

    return respond


def on_the_wire(data: bytes, *, abort: bool = False) -> Callable[[web.Request], Any]:
    """These very bytes in place of a response, then the end of the connection."""

    async def respond(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.write(data)
        await asyncio.sleep(0)
        (request.transport.abort if abort else request.transport.close)()
        return web.Response()

    return respond


def head(length: int, extra: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{extra}\r\n".encode()


def slow(seconds: float) -> Callable[[web.Request], Any]:
    """An answer that takes its time."""

    async def respond(_request: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return web.Response(body=GOOD, content_type="application/json")

    return respond


async def hang(_request: web.Request) -> web.Response:
    await asyncio.sleep(600)
    return web.Response()


async def drip(request: web.Request) -> web.StreamResponse:
    """A good answer, a byte at a time: no read of it ever takes long."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for byte in GOOD:
        await response.write(bytes([byte]))
        await asyncio.sleep(DRIP_SECONDS)
    return response


async def cut_chunks(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(GOOD[:50])
    assert request.transport is not None
    request.transport.close()
    return response


def dated(seconds: float) -> Callable[[web.Request], Any]:
    """A 429 whose Retry-After is a date."""

    async def respond(_request: web.Request) -> web.Response:
        date = formatdate(time.time() + seconds, usegmt=True)
        return web.json_response(message("slow down"), status=429, headers={"Retry-After": date})

    return respond


def odd(**more: Any) -> dict[str, Any]:
    return completion(answer(flag=False), **more)


def without(key: str) -> dict[str, Any]:
    said = completion(answer(flag=False))
    del said[key]
    return said


BROKE, UNREADABLE, TOO_LATE = "the connection broke before the answer came", "unreadable reply: ", "no answer within"

TRANSPORT = [
    Fault("reset before a byte", "broken", on_the_wire(b"", abort=True), BROKE),
    Fault("closed before a byte", "broken", on_the_wire(b""), BROKE),
    Fault("no HTTP", "broken", on_the_wire(b"SSH-2.0-OpenSSH_9.6\r\n"), BROKE),
    Fault("half a head", "broken", on_the_wire(b"HTTP/1.1 200 OK\r\nContent-Ty"), BROKE),
    Fault("body shorter than said", "broken", on_the_wire(head(5000) + GOOD[:80]), BROKE),
    Fault("body cut by a reset", "broken", on_the_wire(head(5000) + GOOD[:80], abort=True), BROKE),
    Fault("chunks that end early", "broken", cut_chunks, BROKE),
    Fault("gzip that is none", "broken", raw(GOOD, **{"Content-Encoding": "gzip"}), BROKE),
    Fault("gzip cut short", "unreadable", raw(gzip.compress(GOOD)[:60], **{"Content-Encoding": "gzip"}), UNREADABLE),
]
LATE = [Fault("hang", "broken", hang, TOO_LATE), Fault("drip", "broken", drip, TOO_LATE)]
STATUSES = [
    Fault("500 as JSON", "broken", (500, message("oops")), "500: oops"),
    Fault("500 without a body", "broken", (500, ""), "500: Internal Server Error"),
    Fault("500 as HTML", "broken", (500, HTML), "500: Internal Server Error"),
    Fault("502 as HTML", "broken", (502, HTML), "502: Bad Gateway"),
    Fault("503 in words", "broken", (503, "no healthy upstream"), "503: no healthy upstream"),
    Fault("503 with Retry-After", "broken", (503, message("loading"), {"Retry-After": "0.02"}), "503: loading"),
    Fault("504", "broken", (504, message("the model took too long")), "504: "),
    Fault("529", "broken", (529, message("overloaded")), "529: overloaded"),
    Fault("408", "broken", (408, message("timeout")), "408: timeout"),
    Fault("409", "broken", (409, message("conflict")), "409: conflict"),
    Fault("425", "broken", (425, message("too early")), "425: too early"),
    Fault("400 as a string", "final", (400, {"error": "no such thing"}), "400: no such thing"),
    Fault("400 for its length", "final", (400, message("the maximum context length is 8 tokens")), "400: the maximum"),
    Fault("413", "final", (413, HTML), "413: "),
    Fault("418", "final", (418, message("no coffee")), "418: no coffee"),
    Fault("422 of a list", "final", (422, {"detail": [{"loc": ["body"], "msg": "bad"}]}), "422: body: bad"),
    Fault("451", "final", (451, ""), "451: "),
]
CROWDED = [
    Fault("429", "busy", (429, message("slow down")), "429: slow down"),
    Fault("429 in seconds", "busy", (429, message("slow down"), {"Retry-After": "0.03"}), "429: slow down"),
    Fault("429 for no time", "busy", (429, message("slow down"), {"Retry-After": "0"}), "429: slow down"),
    Fault("429 in milliseconds", "busy", (429, message("slow down"), {"Retry-After-Ms": "20"}), "429: slow down"),
    Fault("429 until a date", "busy", dated(0), "429: slow down"),
    Fault("429 until a past date", "busy", dated(-1000), "429: slow down"),
    Fault("429 in nonsense", "busy", (429, message("slow down"), {"Retry-After": "soon"}), "429: slow down"),
    Fault("429 back in time", "busy", (429, message("slow down"), {"Retry-After": "-5"}), "429: slow down"),
    Fault("429 as HTML", "busy", (429, HTML), "429: Too Many Requests"),
    Fault("429 within a 200", "busy", (200, message("slow down", code=429)), "429: slow down"),
]
BODIES = [
    Fault("HTML as JSON", "unreadable", (200, HTML), UNREADABLE),
    Fault("HTML as HTML", "unreadable", raw(HTML.encode(), "text/html"), UNREADABLE),
    Fault("nothing", "unreadable", (200, ""), UNREADABLE),
    Fault("JSON cut short", "unreadable", (200, GOOD[:99].decode()), UNREADABLE),
    Fault("JSON of another kind", "unreadable", (200, "[]"), UNREADABLE),
    Fault("null", "unreadable", (200, "null"), UNREADABLE),
    Fault("a number", "unreadable", (200, "7"), UNREADABLE),
    Fault("a text", "unreadable", (200, '"yes"'), UNREADABLE),
    Fault("no UTF-8", "unreadable", raw(b'{"choices": "\xff\xfe'), UNREADABLE),
    Fault("100,000 brackets", "unreadable", (200, "[" * 100_000), UNREADABLE),
    Fault("far too much", "unreadable", raw(b" " * 4_000_000 + GOOD), UNREADABLE),
    Fault("error in a 200", "unreadable", (200, message("overloaded")), UNREADABLE + "overloaded"),
    Fault("error as a text", "unreadable", (200, {"error": "overloaded"}), UNREADABLE + "overloaded"),
    Fault("error of a status", "broken", (200, message("bad gateway", code=502)), "502: bad gateway"),
    Fault("error in a choice", "broken", (200, {"choices": [message("x", code=502)]}), "502: x"),
    Fault("no choices", "unreadable", (200, {"choices": []}), UNREADABLE + "no choices"),
    Fault("choices that are none", "unreadable", (200, {"choices": None}), UNREADABLE + "no choices"),
    Fault("choices in an object", "unreadable", (200, {"choices": {"0": {}}}), UNREADABLE + "no choices"),
    Fault("a choice that is none", "unreadable", (200, {"choices": [None]}), UNREADABLE + "no choices"),
    Fault("a message in words", "unreadable", (200, {"choices": [{"message": "no"}]}), UNREADABLE + "the message"),
    Fault("a content in numbers", "unreadable", completion(5), UNREADABLE + "the content"),
]
READ_ALL_THE_SAME = [
    Fault("a content that is none", "answered", completion(None), "an empty reply"),
    Fault("no message", "answered", {"choices": [{}]}, "an empty reply"),
    Fault("no usage", "answered", without("usage"), status="ok"),
    Fault("usage in words", "answered", odd(usage="none"), status="ok"),
    Fault("usage beyond all bounds", "answered", odd(usage={"prompt_tokens": 10**400}), status="ok"),
    Fault("a model that is a number", "answered", odd(model=7), status="ok"),
    Fault("a model that is a path", "answered", odd(model="/srv/models/of/somebody/m.gguf"), status="ok"),
    Fault("a reason that is a list", "answered", odd(finish_reason=["stop"]), status="ok"),
    Fault("chances that are none", "answered", odd(), status="ok"),
    Fault("JSON as text", "answered", raw(GOOD, "text/plain"), status="ok"),
    Fault("JSON as HTML", "answered", raw(GOOD, "text/html"), status="ok"),
    Fault("JSON of no known encoding", "answered", raw(GOOD, "application/json; charset=klingon"), status="ok"),
    Fault("JSON with a mark before it", "answered", raw(b"\xef\xbb\xbf" + GOOD), status="ok"),
    Fault("JSON in UTF-16", "answered", raw(GOOD.decode().encode("utf-16")), status="ok"),
    Fault("JSON packed", "answered", raw(gzip.compress(GOOD), **{"Content-Encoding": "gzip"}), status="ok"),
    Fault("slow", "answered", slow(0.2), status="ok"),
    Fault("a little slow", "answered", slow(0.02), status="ok"),
    Fault("cut at the limit", "answered", odd(finish_reason="length"), "cut off", "salvaged"),
    Fault("cut before the flag", "answered", completion('{"flag', finish_reason="length"), "cut off"),
    Fault("content filter", "answered", odd(finish_reason="content_filter"), "stopped", "refused"),
    Fault("filtered before", "answered", (400, message("no", code="content_filter")), "stopped", "refused"),
    Fault("moderated", "answered", (403, message("moderation: your input was flagged")), "stopped", "refused"),
    Fault("refusal", "answered", odd(message={"refusal": "No."}), "refused by the model", "refused"),
    Fault("refusal in words", "answered", completion("I can't help with that."), "refused in words", "refused"),
]
FAULTS = [*TRANSPORT, *LATE, *STATUSES, *CROWDED, *BODIES, *READ_ALL_THE_SAME]

# After these no question is asked: what is sent, and the line that says what to do.
ENDS = {
    "wrong key": ((401, message("Incorrect API key provided: sk-ab****wxyz")), "refuses the key"),
    "forbidden": ((403, message("not in your country")), "refuses the key"),
    "unknown model": ((404, message("no such model")), "does not know 'm' or the path"),
    "wrong path": ((405, HTML), "does not know 'm' or the path"),
    "no credit": ((402, message("pay first")), "has no credit left"),
    "no quota": ((429, message("quota", code="insufficient_quota")), "has no credit left"),
    "long wait": ((429, message("daily"), {"Retry-After": "3600"}), "asks to wait 1 h, run it again then"),
    "long wait of the server": ((503, message("closed"), {"Retry-After": "100000"}), "asks to wait 28 h"),
    "elsewhere": ((307, "", {"Location": "http://127.0.0.1:1/v1/chat/completions"}), "to another address"),
}


@dataclass
class Plan:
    """A script that answers each narrative as planned for it, and counts how often it is asked for."""

    plan: Callable[[str, int], Any]
    asked: Counter[str] = field(default_factory=Counter)

    def __call__(self, body: dict[str, Any]) -> Any:
        text = body["messages"][-1]["content"]
        self.asked[text] += 1
        return self.plan(text, self.asked[text])
