"""An endpoint in a process of its own, so that the processor time of a client is the client's alone.

    python server.py [--latency SECONDS] [--logprobs]

It prints its address, answers every chat completion alike after the latency, says under /usage how many it has
answered, when, and what that cost it, and ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from functools import cache
from typing import Any

from aiohttp import web

ALTERNATIVES = re.compile(rb'"top_logprobs":\s*(\d+)')
SAID = {
    "reasoning_steps": ["The report names a former partner.", "It tells of one threat, the week before."],
    "rational": "The report says that a former partner threatened V the week before; nothing in it says otherwise.",
    "flag": True,
    "confidence": 0.9,
}


def tokens(text: str) -> list[str]:
    """A text in pieces as small as a model's: words with the blank before them, and marks."""
    pieces, piece = [], ""
    for character in text:
        if not character.isalnum() and piece:
            pieces.append(piece)
            piece = ""
        piece += character
    return [*pieces, piece]


def chance(token: str, alternatives: int) -> dict[str, Any]:
    """One token with its likeliest alternatives, itself among them, as endpoints give it."""
    others = ["false" if token.strip() == "true" else "other", *(f"other{number}" for number in range(20))]
    words = [token, *others][:alternatives]
    likeliest = [
        {"token": word, "logprob": -0.105 - 2.197 * place, "bytes": list(word.encode())}
        for place, word in enumerate(words)
    ]
    return {**likeliest[0], "top_logprobs": likeliest}


@cache
def completion(alternatives: int) -> bytes:
    """The one answer as it goes over the wire, each of its tokens with so many alternatives, or with none."""
    content = json.dumps(SAID)
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": content, "refusal": None},
        "logprobs": {"content": [chance(token, alternatives) for token in tokens(content)]} if alternatives else None,
        "finish_reason": "stop",
    }
    usage = {
        "prompt_tokens": 400,
        "completion_tokens": 60,
        "total_tokens": 460,
        "prompt_tokens_details": {"cached_tokens": 256, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
    whole = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": "bench-1",
        "choices": [choice],
        "usage": usage,
        "system_fingerprint": "fp_1",
    }
    return json.dumps(whole).encode()


class Endpoint:
    """Answers every chat completion alike, and counts."""

    def __init__(self, *, latency: float, logprobs: bool) -> None:
        self.latency, self.logprobs = latency, logprobs
        self.arrivals: list[float] = []  # of the requests, on the clock that all processes share
        self.departures: list[float] = []  # of the replies

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/usage":
            usage = {"arrivals": self.arrivals, "departures": self.departures, "processor": time.process_time()}
            return web.json_response(usage)
        self.arrivals.append(time.monotonic())
        body = await request.read()
        if self.latency:
            await asyncio.sleep(self.latency)
        self.departures.append(time.monotonic())
        wanted = ALTERNATIVES.search(body) if self.logprobs else None
        return web.Response(body=completion(int(wanted[1]) if wanted else 0), content_type="application/json")


async def serve(endpoint: Endpoint) -> None:
    runner = web.ServerRunner(web.Server(endpoint.handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    host, port = runner.addresses[0]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--latency", type=float, default=0.0)
    options.add_argument("--logprobs", action="store_true")
    asyncio.run(serve(Endpoint(**vars(options.parse_args()))))
