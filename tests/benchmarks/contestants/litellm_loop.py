"""LiteLLM's `acompletion` in a loop, which does nothing with the answers."""

from typing import Any

import litellm
from stopwatch import KEY, compete, swarm


async def loop(url: str, requests: list[Any]) -> None:
    async def ask(one: Any) -> object:
        return await litellm.acompletion(**one | {"model": f"openai/{one['model']}"}, api_base=url, api_key=KEY)

    await swarm(ask, requests)


if __name__ == "__main__":
    compete(loop)
