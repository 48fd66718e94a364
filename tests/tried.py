"""What the tests of tries begin with: two prompts, a run, and a parent over the sample."""

from exphub_magics import experiments, prompts
from exphub_magics.specs import Spec
from exphub_magics.tries import parents

PROMPT = "Is there evidence that the decedent was physically abused or threatened by a current or former partner?"
MORE = f"{PROMPT} Indirect evidence counts: a shelter, a protective order, fear of the partner."


def go(hub, job):
    *_, last = experiments.run(hub, job)
    return last.experiment_id


def parent(hub):
    go(hub, Spec("partner", prompts.parse(PROMPT), data="sample"))
    return parents.parent(hub)
