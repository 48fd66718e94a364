"""The bare client with its default transport, which does nothing with the answers."""

from typing import Any

from openai import AsyncOpenAI
from stopwatch import KEY, compete, swarm


async def loop(url: str, requests: list[Any]) -> None:
    async with AsyncOpenAI(base_url=url, api_key=KEY) as client:

        async def ask(one: Any) -> object:
            return await client.chat.completions.create(**one)

        await swarm(ask, requests)


if __name__ == "__main__":
    compete(loop)
