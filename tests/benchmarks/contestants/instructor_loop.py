"""Instructor in a loop: each answer is read into a model of Pydantic's, and nothing is done with it."""

from typing import Annotated, Any

import instructor
from openai import AsyncOpenAI
from pydantic import BaseModel, Field, StringConstraints
from stopwatch import KEY, compete, swarm


class Answer(BaseModel):
    reasoning_steps: Annotated[list[Annotated[str, StringConstraints(max_length=300)]], Field(max_length=8)]
    rational: Annotated[str, StringConstraints(max_length=1000)]
    flag: bool
    confidence: Annotated[float, Field(ge=0, le=1)]


async def loop(url: str, requests: list[Any]) -> None:
    async with AsyncOpenAI(base_url=url, api_key=KEY) as client:
        patched = instructor.from_openai(client, mode=instructor.Mode.JSON_SCHEMA)

        async def ask(one: Any) -> object:
            return await patched.chat.completions.create(
                model=one["model"], messages=one["messages"], response_model=Answer
            )

        await swarm(ask, requests)


if __name__ == "__main__":
    compete(loop)
