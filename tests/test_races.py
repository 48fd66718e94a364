"""Two processes start one experiment at the same moment: one runs it, and nothing is asked twice."""

import multiprocessing
import random
import time

import pytest

from endpoint import answer, completion
from exphub_magics import experiments, prompts, specs
from exphub_magics.errors import LeaseError
from exphub_magics.hub import Hub

RACES = 30
NARRATIVES = 40
PROMPT = prompts.parse("Was the decedent hurt or threatened by a partner?")


def spec(url):
    served = {"provider": "scripted", "model_name": "m", "base_url": url, "concurrency": 4, "author": "Ann"}
    return specs.complete(specs.Spec(name="raced", prompt=PROMPT, data="sample", sample=NARRATIVES, **served))


def run(file, url, start, delay, said):
    start.wait()
    time.sleep(delay)
    try:
        with Hub.open(file) as hub:
            *_, last = experiments.run(hub, spec(url))
        said.put((last.state, str(last.asked)))
    except LeaseError as error:
        said.put(("refused", str(error)))


@pytest.fixture(scope="module")
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["exphub_magics.experiments", "test_races", "pandas", "sqlite_utils", "openai"])
    return context


def test_of_two_kernels_on_one_experiment_exactly_one_runs_it(processes, tmp_path, scripted):
    endpoint = scripted(lambda _body: completion(answer(False)))
    endpoint.delay = 0.1
    offsets = random.Random(1)
    for number in range(RACES):
        endpoint.requests.clear()
        start, said = processes.Event(), processes.Queue()
        file = tmp_path / f"{number}.db"
        both = [
            processes.Process(target=run, args=(file, endpoint.url, start, delay, said))
            for delay in (0, offsets.uniform(0, 0.2))
        ]
        for one in both:
            one.start()
        start.set()
        ended = dict(said.get(timeout=60) for _ in both)
        for one in both:
            one.join()
        assert set(ended) == {"done", "refused"}
        assert "raced@1 is being run by Ann, process" in ended["refused"]
        assert " since 20" in ended["refused"]
        asked = endpoint.narratives()
        assert len(asked) == len(set(asked)) == int(ended["done"])
        with Hub.open(file) as hub:
            assert hub.counts(1)["pending"] == 0
