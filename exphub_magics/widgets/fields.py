"""A try's settings as the fields of a page hold them: texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from exphub_magics import tries
from exphub_magics.errors import ConfigError

NUMBERS: Mapping[str, Callable[[str], float]] = {
    "temperature": float,
    "max_cost": float,
    "max_tokens": int,
    "seed": int,
    "sample": int,
    "concurrency": int,
}


def plain(value: Any) -> str:
    """A setting as a field shows it."""
    return "" if value is None else str(value)


def read(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as fields give them: texts, of which an empty one says nothing.

    >>> read({"temperature": "0.5", "sample": "", "provider": "Ollama"})
    {'temperature': 0.5, 'sample': None, 'provider': 'Ollama'}
    """
    read: dict[str, Any] = {}
    for key, said in settings.items():
        text = plain(said).strip()
        try:
            read[key] = (NUMBERS.get(key, str)(text)) if text else None
        except ValueError:
            raise ConfigError(f"{key.replace('_', ' ')} is a number, not {text!r}") from None
    unknown = read.keys() - set(tries.SETTINGS)
    if unknown:
        raise ConfigError(f"there is no setting {min(unknown)!r}")
    return read
