"""LangChain's ChatOpenAI with a structured output in a loop, which does nothing with the answers."""

from typing import Any

from langchain_openai import ChatOpenAI
from stopwatch import KEY, compete, swarm


async def loop(url: str, requests: list[Any]) -> None:
    model = ChatOpenAI(model=requests[0]["model"], base_url=url, api_key=KEY)
    schema = requests[0]["response_format"]["json_schema"]["schema"]
    structured = model.with_structured_output({"title": "answer", **schema}, method="json_schema", strict=True)
    await swarm(structured.ainvoke, [one["messages"] for one in requests])


if __name__ == "__main__":
    compete(loop)
