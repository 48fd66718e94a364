"""What to run, fully said, and the fingerprint that identifies it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from exphub_magics import builtin, prompts
from exphub_magics.answers import FORMAT
from exphub_magics.errors import ConfigError, unknown
from exphub_magics.questions import Question, digest

if TYPE_CHECKING:
    import pandas as pd

BUILTIN = "builtin"
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")


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
    repeat: int = 1
    concurrency: int = 16
    notes: str | None = None
    data_name: str | None = None

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
        return kept | ({"repeat": self.repeat} if self.repeat > 1 else {})

    def fingerprint(self, dataset_sha256: str) -> str:
        """The identity of the experiment: all that decides its answers, and nothing else."""
        return digest(
            {
                "prompt": self.prompt.digest,
                "provider": self.provider,
                "model": self.model_name,
                "settings": self.settings,
                "dataset": dataset_sha256,
            }
        )

    def question(self, narrative_id: str, narrative: str, facts: Mapping[str, str]) -> Question:
        """Render one narrative into the question that is put to the model."""
        messages = prompts.render(self.prompt, narrative, facts)
        asked: dict[str, Any] = {
            "provider": self.provider,
            "model": self.model_name,
            "messages": messages,
            "format": FORMAT,
        }
        # The builtin model reads nothing but the messages, so a drawn sample's answers serve the whole set too.
        if self.provider != BUILTIN:
            asked |= {key: value for key, value in self.settings.items() if key not in ("sample", "repeat")}
        if self.repeat > 1:
            asked["repeat"] = self.repeat
        return Question(narrative_id, messages, digest(asked))


def complete(spec: Spec, *, environment: Mapping[str, str] | None = None) -> Spec:
    """Check a spec's own values and resolve its endpoint.

    >>> complete(Spec(name="x", prompt=prompts.parse("Violence?"), provider="opnai", model_name="m"))
    Traceback (most recent call last):
    exphub_magics.errors.UnknownNameError: unknown provider 'opnai': did you mean 'OpenAI'?

    Raises:
        ConfigError: for the first value that cannot be run; nothing has been asked then.
    """
    environment = os.environ if environment is None else environment
    _check_values(spec)
    known = {name.casefold(): name for name in ENDPOINTS}
    provider = known.get(spec.provider.casefold())
    if provider is None:
        if not spec.base_url:
            raise unknown("provider", spec.provider, ENDPOINTS)
        return replace(spec, base_url=_checked_url(spec.base_url))
    if provider == BUILTIN:
        if spec.model_name != builtin.MODEL_NAME:
            raise unknown("builtin model", spec.model_name, [builtin.MODEL_NAME])
        if spec.base_url:
            raise ConfigError("the builtin model has no base_url: name the provider that listens there")
        return replace(spec, provider=provider)
    base_url = spec.base_url
    if base_url is None and provider == "OpenAI":
        base_url = environment.get("OPENAI_BASE_URL") or None
    return replace(spec, provider=provider, base_url=_checked_url(base_url) if base_url else None)


def endpoint(spec: Spec) -> Endpoint:
    """Where a completed spec's model listens, and the variable that holds its key."""
    preset = ENDPOINTS.get(spec.provider, Endpoint(None))
    return Endpoint(spec.base_url or preset.base_url, spec.api_key_env or preset.api_key_env)


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"base_url {url!r} is no address: write for example http://127.0.0.1:8000/v1")
    if parts.username or parts.password:
        raise ConfigError("base_url holds a user name or password: put the key into a variable, api_key_env")
    return url.rstrip("/")


def _check_values(spec: Spec) -> None:
    if not spec.name.strip() or any(ord(character) < ord(" ") for character in spec.name):
        raise ConfigError(f"an experiment's name is one line of text, not {spec.name!r}")
    if "@" in spec.name:
        raise ConfigError(f"'@' in {spec.name!r} would be read as a version: leave it out of the name")
    if not spec.model_name.strip():
        raise ConfigError("model_name is empty: name the model to ask")
    if spec.temperature is not None and not 0 <= spec.temperature <= 2:  # noqa: PLR2004 - the APIs' range
        raise ConfigError(f"temperature {spec.temperature} is not between 0 and 2")
    if spec.reasoning_effort is not None and spec.reasoning_effort not in EFFORTS:
        raise unknown("reasoning effort", spec.reasoning_effort, EFFORTS)
    for key in ("max_tokens", "sample", "repeat", "concurrency"):
        value = getattr(spec, key)
        if value is not None and value < 1:
            raise ConfigError(f"{key} {value} is not a number from 1 up")
