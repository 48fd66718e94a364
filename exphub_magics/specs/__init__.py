"""What to run, fully said, and the fingerprint that identifies it."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from exphub_magics import builtin, prompts
from exphub_magics.answers import FORMAT
from exphub_magics.errors import ConfigError, nearest
from exphub_magics.questions import Question, digest
from exphub_magics.specs import families

if TYPE_CHECKING:
    import pandas as pd

BUILTIN = "builtin"
SAMPLE = "sample"  # as a spec's data: the packaged dataset, never a path
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
_DRAW = ("sample", "stratified", "trial", "repeat")  # settings that no single question depends on
MOST = 1000  # calls at once, and repeats: more is a slip of the key


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a provider listens, and the name of the variable that holds its key."""

    base_url: str | None
    api_key_env: str | None = None


ENDPOINTS: Mapping[str, Endpoint] = {
    BUILTIN: Endpoint(None),
    "OpenAI": Endpoint("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "Ollama": Endpoint("http://127.0.0.1:11434/v1"),
    "LM Studio": Endpoint("http://127.0.0.1:1234/v1"),
    "vLLM": Endpoint("http://127.0.0.1:8000/v1"),
    "llama.cpp": Endpoint("http://127.0.0.1:8080/v1"),
    "OpenRouter": Endpoint("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
}


@dataclass(frozen=True, slots=True)
class Spec:
    """One experiment as it is to be run.

    >>> spec = Spec(name="first", prompt=prompts.parse("Violence?"), data="sample")
    >>> spec.model_name, spec.provider
    ('rules-1', 'builtin')

    A `trial` is a try from the studio: an experiment of its own, so that the same prompt can be run under its own name.
    """

    name: str
    prompt: prompts.Prompt
    data: str | pd.DataFrame | None = field(default=None, compare=False)
    model_name: str = builtin.MODEL_NAME
    provider: str = BUILTIN
    author: str | None = None
    columns: str | Mapping[str, str] | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    temperature: float | None = None
    reasoning_effort: str | None = None
    max_tokens: int | None = None
    seed: int | None = None
    sample: int | None = None
    stratified: bool = False
    trial: bool = False
    repeat: int = 1
    concurrency: int = 16
    max_cost: float | None = None
    notes: str | None = None
    data_name: str | None = None

    @property
    def model(self) -> str:
        """The model's name as it is kept: of a path, which some servers go by, the last part.

        >>> Spec(name="x", prompt=prompts.parse("Violence?"), model_name="/home/ann/small.gguf").model
        'small.gguf'
        """
        path = self.model_name.startswith(("/", "~", "\\\\")) or re.match(r"[A-Za-z]:[\\/]", self.model_name)
        return re.split(r"[\\/]", self.model_name)[-1] if path else self.model_name

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the answers beside prompt, model and dataset; only what was said."""
        said = {
            "temperature": self.temperature,
            "reasoning_effort": self.reasoning_effort,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "sample": self.sample,
            "base_url": self.base_url,
        }
        kept = {key: value for key, value in said.items() if value is not None}
        kept |= {name: True for name in ("stratified", "trial") if getattr(self, name)}
        return kept | ({"repeat": self.repeat} if self.repeat > 1 else {})

    def fingerprint(self, dataset_sha256: str) -> str:
        """The identity of the experiment: all that decides its answers, and nothing else."""
        return digest(
            {
                "prompt": self.prompt.digest,
                "provider": self.provider,
                "model": self.model,
                "settings": self.settings,
                "dataset": dataset_sha256,
            }
        )

    def question(self, narrative_id: str, narrative: str, facts: Mapping[str, str]) -> Question:
        """Render one narrative into the question that is put to the model."""
        messages = prompts.render(self.prompt, narrative, facts)
        asked: dict[str, Any] = {
            "provider": self.provider,
            "model": self.model,
            "messages": messages,
            "format": FORMAT,
        }
        # The builtin model reads nothing but the messages, so a drawn sample's answers serve the whole set too.
        if self.provider != BUILTIN:
            asked |= {key: value for key, value in self.settings.items() if key not in _DRAW}
        if self.repeat > 1:
            asked["repeat"] = self.repeat
        return Question(narrative_id, messages, digest(asked))


def complete(spec: Spec, *, environment: Mapping[str, str] | None = None) -> Spec:
    """Check a spec's own values and resolve its endpoint.

    >>> complete(Spec(name="x", prompt=prompts.parse("Violence?"), provider="opnai", model_name="m"))
    Traceback (most recent call last):
    exphub_magics.errors.ConfigError: unknown provider 'opnai': did you mean 'OpenAI'?

    Raises:
        ConfigError: for all values that cannot be run, in one line; nothing has been asked then.
    """
    found = problems(spec, environment=environment)
    if found:
        raise ConfigError("; ".join(found))
    spec = _resolved(spec, environment)
    return replace(spec, base_url=spec.base_url.rstrip("/") if spec.base_url else None)


def problems(spec: Spec, *, environment: Mapping[str, str] | None = None) -> list[str]:
    """Everything that is wrong with a spec's own values.

    >>> problems(Spec(name="a@2", prompt=prompts.parse("Violence?"), sample=0))[1]
    'sample 0 is not a number from 1 up'
    """
    return [text for _, text in problems_by_key(spec, environment=environment)]


def problems_by_key(spec: Spec, *, environment: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """`problems`, each after the key of a configuration that it is about."""
    spec = _resolved(spec, environment)
    found = {
        "experiment_name": _name_problem(spec.name, trial=spec.trial),
        "author": _text_problem("author", spec.author),
        "notes": _text_problem("notes", spec.notes),
        "model_name": _model_problem(spec),
        "provider": _provider_problem(spec),
        "base_url": _url_problem(spec),
        "api_key_env": _variable_problem(spec.api_key_env),
        "temperature": _temperature_problem(spec.temperature),
        "reasoning_effort": _effort_problem(spec.reasoning_effort),
        "max_tokens": _count_problem("max_tokens", spec.max_tokens),
        "sample": _count_problem("sample", spec.sample),
        "stratified": "stratified says how a sample is drawn: add sample"
        if spec.stratified and spec.sample is None
        else None,
        "repeats": _count_problem("repeats", spec.repeat, MOST),
        "concurrency": _count_problem("concurrency", spec.concurrency, MOST),
        "max_cost": _cost_problem(spec.max_cost),
    }
    return [(key, text) for key, text in found.items() if text]


def endpoint(spec: Spec) -> Endpoint:
    """Where a completed spec's model listens, and the variable that holds its key."""
    preset = ENDPOINTS.get(spec.provider, Endpoint(None))
    return Endpoint(spec.base_url or preset.base_url, spec.api_key_env or preset.api_key_env)


def _resolved(spec: Spec, environment: Mapping[str, str] | None) -> Spec:
    """The spec with its provider as it is known, whatever its case, and with the address that is in force."""
    environment = os.environ if environment is None else environment
    known = {name.casefold(): name for name in ENDPOINTS}
    provider = known.get(spec.provider.casefold(), spec.provider)
    base_url = spec.base_url
    if base_url is None and provider == "OpenAI":
        base_url = environment.get("OPENAI_BASE_URL") or None
    return replace(spec, provider=provider, base_url=base_url)


def _text_problem(key: str, text: str | None) -> str | None:
    """What a terminal hands over with a byte that is no UTF-8 cannot be written down."""
    try:
        (text or "").encode()
    except UnicodeEncodeError:
        return f"{key} holds a byte that is no letter: {text!a}"
    return None


def _name_problem(name: str, *, trial: bool) -> str | None:
    if problem := _text_problem("the experiment's name", name):
        return problem
    if not trial and name.endswith((families.TRY, families.AGAIN)):
        return f"the studio names its own experiments so: let {name!r} end otherwise"
    if not name.strip() or any(ord(character) < ord(" ") for character in name):
        return f"an experiment's name is one line of text, not {name!r}"
    if "@" in name:
        return f"'@' in {name!r} would be read as a version: leave it out of the name"
    return None


def _model_problem(spec: Spec) -> str | None:
    if not spec.model_name.strip():
        return "model_name is empty: name the model to ask"
    if spec.provider == BUILTIN and spec.model_name != builtin.MODEL_NAME:
        return f"unknown builtin model{quoted(spec.model_name)}: {nearest(spec.model_name, [builtin.MODEL_NAME])}"
    return None


def _provider_problem(spec: Spec) -> str | None:
    if spec.provider in ENDPOINTS or spec.base_url:
        return None
    return f"unknown provider{quoted(spec.provider)}: {nearest(spec.provider, ENDPOINTS)}"


def quoted(text: str) -> str:
    """A name as a message shows it, after a blank; nothing of what looks like a key, which may stand in a wrong place.

    >>> quoted("opnai"), quoted("sk-1234")
    (" 'opnai'", '')
    """
    return "" if text.startswith("sk-") or _looks_like_a_key(text) else f" {text!r}"


def _looks_like_a_key(text: str) -> bool:
    mixed = r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])\S{20,}"
    lower = r"(?=[a-z]*[0-9])[a-z0-9]{16,}"
    return re.fullmatch(f"{mixed}|{lower}", text) is not None


def _url_problem(spec: Spec) -> str | None:
    if not spec.base_url:
        return None
    if spec.provider == BUILTIN:
        return "the builtin model has no base_url: name the provider that listens there"
    # None of it is shown: a slip in its beginning makes a password a part of its path.
    if "@" in spec.base_url:
        return "base_url holds a user name or password: put the key into a variable, api_key_env"
    if "?" in spec.base_url or "#" in spec.base_url:
        return "base_url goes on behind ? or #, which no call can send: a key goes into a variable, api_key_env"
    if not _is_address(spec.base_url):
        return "base_url is no address: write for example http://127.0.0.1:8000/v1"
    return None


def _variable_problem(name: str | None) -> str | None:
    """What is no variable's name, or of letters as mixed as a key's, may be the key itself: it is not shown."""
    if name is None or (re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and not _looks_like_a_key(name)):
        return None
    return "api_key_env is the name of a variable, such as OPENAI_API_KEY, and never the key itself"


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # a bracket that does not close, a port that no machine has
        return False
    # urlsplit drops line breaks and tabs, and takes a blank for a letter of the host; no API has parameters in its path
    plain = re.fullmatch(r"[\w.~:/\[\]+-]+", url, re.ASCII) is not None
    return plain and parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0


def _temperature_problem(temperature: float | None) -> str | None:
    if temperature is None or 0 <= temperature <= 2:  # noqa: PLR2004 - the APIs' range
        return None
    return f"temperature {temperature} is not between 0 and 2"


def _cost_problem(cost: float | None) -> str | None:
    if cost is None or 0 <= cost < math.inf:
        return None
    return f"max_cost {cost} is no amount of money: name one in USD, such as 0.50"


def _effort_problem(effort: str | None) -> str | None:
    if effort is None or effort in EFFORTS:
        return None
    return f"unknown reasoning effort {effort!r}: {nearest(effort, EFFORTS)}"


def _count_problem(key: str, count: int | None, most: int | None = None) -> str | None:
    if count is not None and count < 1:
        return f"{key} {count} is not a number from 1 up"
    if count is not None and most is not None and count > most:
        return f"{key} {count} is more than {most}: ask for fewer"
    return None
