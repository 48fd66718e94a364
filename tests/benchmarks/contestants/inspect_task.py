"""A task of Inspect AI's over the same messages: generated, scored by the flag, logged as it does by itself."""

import json
import tempfile
from typing import Any

from inspect_ai import Task
from inspect_ai import eval as evaluate
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, ResponseSchema, get_model
from inspect_ai.scorer import Score, Scorer, Target, accuracy, scorer
from inspect_ai.solver import TaskState, generate
from inspect_ai.util import JSONSchema
from stopwatch import CONCURRENCY, KEY, WARMING, given, timed

ROLES = {"system": ChatMessageSystem, "user": ChatMessageUser}


@scorer(metrics=[accuracy()])
def flag() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        said = json.loads(state.output.completion)
        return Score(value=str(said["flag"]) == target.text, answer=str(said["flag"]), explanation=said["rational"])

    return score


def task(requests: list[Any]) -> Task:
    asked = [[ROLES[one["role"]](content=one["content"]) for one in request["messages"]] for request in requests]
    dataset = MemoryDataset([Sample(input=messages, target="True") for messages in asked])
    return Task(dataset=dataset, solver=generate(), scorer=flag())


def run(url: str, requests: list[Any]) -> None:
    schema = JSONSchema.model_validate(requests[0]["response_format"]["json_schema"]["schema"])
    form = ResponseSchema(name="answer", json_schema=schema, strict=True)
    config = GenerateConfig(response_schema=form, max_connections=CONCURRENCY)
    name = f"openai-api/bench/{requests[0]['model']}"
    model = get_model(name, base_url=url, api_key=KEY, config=config, memoize=False)
    with tempfile.TemporaryDirectory() as folder:
        (log,) = evaluate(task(requests), model=model, log_dir=folder, display="none", max_samples=CONCURRENCY)
    if log.status != "success" or log.results.completed_samples != len(requests):
        raise SystemExit(f"the task ended as {log.status}: {log.error}")


if __name__ == "__main__":
    url, requests = given()
    run(url, requests[:WARMING])
    with timed():
        run(url, requests)
