"""A scripted endpoint on loopback that speaks chat completions: each test says what it answers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

from aiohttp import web


def completion(content: str | None, **more: Any) -> dict[str, Any]:
    """A chat completion as endpoints send it, around a content."""
    message = {"role": "assistant", "content": content, **more.pop("message", {})}
    choice = {"index": 0, "message": message, "finish_reason": more.pop("finish_reason", "stop")}
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    return {
        "id": "c-1",
        "object": "chat.completion",
        "model": "scripted-1",
        "choices": [choice],
        "usage": usage,
    } | more


def answer(flag: bool, rational: str = "as the text says", confidence: float = 0.9) -> str:  # noqa: FBT001
    said = {"reasoning_steps": ["read"], "rational": rational, "flag": flag, "confidence": confidence}
    return json.dumps(said)


class ScriptedEndpoint:
    """Answers each request by `script(body) -> dict | (status, dict) | (status, dict, headers)`, and keeps it.

    A script may also return an async function, which is given the request and answers as it likes, or not at all.
    """

    def __init__(self, script: Callable[[dict[str, Any]], Any]) -> None:
        self.script = script
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.delay = 0.0
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        assert self.ready.wait(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def narratives(self) -> list[str]:
        """The last message's text of each request."""
        return [body["messages"][-1]["content"] for body in self.requests]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        if self.delay:
            await asyncio.sleep(self.delay)
        said = self.script(body)
        if callable(said):
            answered: web.StreamResponse = await said(request)
            return answered
        status, payload, headers = 200, said, {}
        if isinstance(said, tuple):
            status, payload, *rest = said
            headers = rest[0] if rest else {}
        if isinstance(payload, str):
            return web.Response(status=status, text=payload, content_type="application/json", headers=headers)
        return web.json_response(payload, status=status, headers=headers)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        app = web.Application(client_max_size=20_000_000)
        app.router.add_post("/v1/chat/completions", self._handle)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self.loop.run_until_complete(self.runner.setup())
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        self.loop.run_until_complete(site.start())
        self.port = site._server.sockets[0].getsockname()[1]  # noqa: SLF001 - aiohttp names it nowhere else
        self.ready.set()
        self.loop.run_forever()

    def close(self) -> None:
        if self.loop.is_closed():
            return

        async def stop() -> None:
            await self.runner.cleanup()
            left = asyncio.all_tasks() - {asyncio.current_task()}  # a handler that hangs outlives its client
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()
