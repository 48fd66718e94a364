"""What a model's tokens cost: the user's own table, nothing on this machine, else the kept table of genai-prices.

A price that nobody knows is None, never 0. The kept table is the installed package's: nothing is fetched.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from exphub_magics import lazily
from exphub_magics.errors import ConfigError, named
from exphub_magics.specs import BUILTIN, ENDPOINTS, Endpoint, nodes

if TYPE_CHECKING:
    import genai_prices
    from genai_prices.types import ModelPrice, TieredPrices

    Amount: TypeAlias = Decimal | TieredPrices
else:
    genai_prices = lazily.load("genai_prices")

FILE = "config/prices.yml"
VARIABLE = "EXPHUB_PRICES"
THIS_MACHINE = "this machine"
MAX_BYTES = 100_000
SMALLEST = 1e-6  # USD: less is said to be less
_TOKENS = 1_000_000  # that a price is for
_HALF_HOURS = 48  # of a day: a run may reach into dearer hours, and into tomorrow's price
_LISTED = ("input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok")
# What a price may name beside those, because a question in words never uses it.
_UNUSED = re.compile("audio|image|video|searches|storage|pages|cache_write_")


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost in USD, and who says so.

    >>> Price(2.5, 1.25, 10, "config/prices.yml, 2026-11-01").cost(1_000, 400, 100)
    0.003

    Args:
        input: prompt tokens.
        cached_input: prompt tokens that the provider had kept from an earlier call.
        output: completion tokens, those of the reasoning among them.
        source: the table and how old it is.
        written_input: prompt tokens that the provider keeps for later calls, where they cost more than others.
        long: the prices of prompts with more tokens than a number, ascending.
    """

    input: float
    cached_input: float
    output: float
    source: str
    written_input: float | None = None
    long: tuple[tuple[int, Price], ...] = ()

    @property
    def free(self) -> bool:
        """Whether nothing is to be paid, however many tokens there are."""
        return not (self.input or self.cached_input or self.output)

    def cost(
        self,
        prompt_tokens: int | None,
        cached_tokens: int | None,
        completion_tokens: int | None,
        written_tokens: int | None = None,
    ) -> float | None:
        """What one call cost in USD; None where the endpoint did not say how many tokens it took."""
        if self.free:
            return 0.0
        if prompt_tokens is None or completion_tokens is None:
            return None
        rates = next((price for above, price in reversed(self.long) if prompt_tokens > above), self)
        cached = min(cached_tokens or 0, prompt_tokens)
        written = min(written_tokens or 0, prompt_tokens - cached)
        written_input = rates.input if rates.written_input is None else rates.written_input
        prompt = (prompt_tokens - cached - written) * rates.input + cached * rates.cached_input
        return (prompt + written * written_input + completion_tokens * rates.output) / _TOKENS


@dataclass(frozen=True, slots=True)
class Entry:
    """A price in a user's own table; one without a provider holds for all."""

    model: str
    provider: str | None
    date: date
    price: Price


def price(
    provider: str,
    model_name: str,
    base_url: str | None,
    *,
    local: bool,
    overrides: Iterable[Entry] = (),
    at: datetime | None = None,
) -> Price | None:
    """What a model costs where it is asked, None where nobody knows.

    >>> price("Ollama", "qwen", "http://127.0.0.1:11434/v1", local=True).source
    'this machine'

    Where the price changes with the hour or from a day on, it is the dearest of the 24 hours from `at` (now).
    """
    own = _own(overrides, provider, model_name)
    if own is not None:
        return own
    if local or provider == BUILTIN:
        return Price(0, 0, 0, THIS_MACHINE)
    url = base_url or ENDPOINTS.get(provider, Endpoint(None)).base_url
    return _kept(model_name, url, at or datetime.now(UTC)) if url else None


def dollars(amount: float, *, digits: int = 3) -> str:
    """An amount in USD: cents, and of less than a dollar so many digits that count.

    >>> [dollars(amount) for amount in (0, 0.0123, 0.05, 12.345, 1234.5, 3e-9)]
    ['$0', '$0.0123', '$0.05', '$12.35', '$1,234.50', 'less than $0.000001']
    """
    if amount <= 0:
        return "$0"
    if amount < SMALLEST:
        return f"less than ${SMALLEST:f}"
    cents = 2
    places = cents if amount >= 1 else max(cents, digits - 1 - math.floor(math.log10(amount)))
    whole, _, fraction = f"{amount:,.{places}f}".partition(".")
    return f"${whole}.{fraction.rstrip('0').ljust(cents, '0')}"


# --- the kept table ---------------------------------------------------------------------------------------


def _kept(model_name: str, url: str, at: datetime) -> Price | None:
    """The price by the endpoint's address: another address of the same provider's name may bill otherwise."""
    moments = [at + timedelta(minutes=30 * step) for step in range(_HALF_HOURS)]
    try:
        found = [
            genai_prices.calc_price(
                genai_prices.Usage(), model_name, provider_api_url=url.lower(), genai_request_timestamp=moment
            ).model_price
            for moment in moments
        ]
    except LookupError:
        return None
    known = [one for one in (_read(listed, model_name) for listed in found) if one is not None]
    # Known at one hour and unknown at another is unknown: what is not known may be the dearest.
    return max(known, key=lambda one: (one.output, one.input)) if len(known) == len(found) else None


def _read(listed: ModelPrice, model_name: str) -> Price | None:
    """A price of the kept table; None where a call in words costs something that is not counted here."""
    source = f"genai-prices {genai_prices.__version__}"
    amounts: dict[str, Amount] = {key: amount for key, amount in vars(listed).items() if amount is not None}
    if not amounts:
        # The table has no amounts for what costs nothing and for what it does not know: only the name tells.
        return Price(0, 0, 0, source) if model_name.endswith(":free") else None
    others = [key for key in amounts if key not in _LISTED and not _UNUSED.search(key)]
    if others or "input_mtok" not in amounts or "output_mtok" not in amounts:
        return None
    starts = sorted({tier.start for amount in amounts.values() for tier in getattr(amount, "tiers", ())})
    long = tuple((start, _rates(amounts, start + 1, source)) for start in starts)
    return replace(_rates(amounts, 0, source), long=long)


def _rates(amounts: Mapping[str, Amount], tokens: int, source: str) -> Price:
    """The prices that hold for a prompt of so many tokens."""
    at = {key: _amount(amounts[key], tokens) for key in _LISTED if key in amounts}
    cached = at.get("cache_read_mtok", at["input_mtok"])
    return Price(at["input_mtok"], cached, at["output_mtok"], source, at.get("cache_write_mtok"))


def _amount(amount: Amount, tokens: int) -> float:
    """A longer prompt costs its tier's price from the first token on."""
    if isinstance(amount, Decimal):
        return float(amount)
    return float(next((tier.price for tier in reversed(amount.tiers) if tokens > tier.start), amount.base))


# --- a user's own table -----------------------------------------------------------------------------------


def table(environment: Mapping[str, str] | None = None) -> tuple[Entry, ...]:
    """The user's own prices: those of the file that $EXPHUB_PRICES names, else of config/prices.yml if it is there.

    Raises:
        ConfigError: for a file that is not there though named, or that holds anything but dated prices.
    """
    named = (os.environ if environment is None else environment).get(VARIABLE)
    return read(named or FILE) if named or Path(FILE).exists() else ()


def read(path: str) -> tuple[Entry, ...]:
    """Read a file of prices.

    Raises:
        ConfigError: with every problem and the line it stands on.
    """
    shown = named(path)
    if not Path(path).is_file():
        raise ConfigError(f"the price table {shown!r} is no file: correct ${VARIABLE}, or unset it")
    root = nodes.compose(path, what="a list of prices", most_bytes=MAX_BYTES)
    if root is None:  # nothing but comments
        return ()
    if not isinstance(root, yaml.SequenceNode):
        raise ConfigError(f"{shown} is no list of prices: begin each with '- model: …'")
    reader = _Reader(shown)
    entries = [entry for entry in map(reader.entry, root.value) if entry is not None]
    nodes.refuse(path, reader.notes.problems)
    return tuple(entries)


def _text(said: str) -> str:
    return said.strip()


def usd(said: str) -> float:
    """An amount that is written as a plain number.

    >>> usd("0.50"), usd("2e-1")
    (0.5, 0.2)

    Raises:
        ValueError: for anything else.
    """
    if not re.fullmatch(r"(?:[0-9]+\.?|[0-9]*\.[0-9]+)(?:[eE][-+]?[0-9]+)?", said.strip()):
        raise ValueError(said)  # though Python takes 1_0 and nan for numbers, and digits of other scripts
    amount = float(said)
    if amount == math.inf:
        raise ValueError(said)
    return amount


def _day(said: str) -> date:
    found = date.fromisoformat(said.strip())
    if found > (datetime.now(UTC) + timedelta(hours=14)).date():  # nowhere on earth has it begun
        raise ValueError(said)
    return found


_KINDS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "model": (_text, "the model's name"),
    "provider": (_text, "the provider's name"),
    "input": (usd, "a number, USD for a million tokens"),
    "cached_input": (usd, "a number, USD for a million tokens"),
    "output": (usd, "a number, USD for a million tokens"),
    "date": (_day, "the day the price was looked up, today at the latest, such as 2026-11-01"),
}
_OPTIONAL = ("provider", "cached_input")


class _Reader:
    """Walks the nodes of one table and collects what is wrong."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.notes = nodes.Notes()
        self.seen: set[tuple[str, str, date]] = set()

    def entry(self, node: yaml.Node) -> Entry | None:
        if not isinstance(node, yaml.MappingNode):
            self.notes.add(node, "a price is a list of keys and values, beginning with model")
            return None
        before = len(self.notes.problems)
        found = self.notes.mapping(node, _KINDS).items()
        said = {key: self.notes.scalar(key, value, *_KINDS[key]) for key, value in found}
        missing = [key for key in _KINDS if key not in said and key not in _OPTIONAL]
        if len(self.notes.problems) > before:
            return None
        if missing:
            step = f"add {missing[0]}, {_KINDS[missing[0]][1]}"
            self.notes.add(node, f"a price without {' and '.join(missing)}: {step}")
            return None
        return self.dated(node, said)

    def dated(self, node: yaml.Node, said: Mapping[str, Any]) -> Entry | None:
        model, provider, day = said["model"], said.get("provider"), said["date"]
        identity = (model.casefold(), (provider or "").casefold(), day)
        if identity in self.seen:
            self.notes.add(node, f"a second price of {model!r} with the date {day}: keep one")
            return None
        self.seen.add(identity)
        cached = said.get("cached_input", said["input"])
        return Entry(model, provider, day, Price(said["input"], cached, said["output"], f"{self.shown}, {day}"))


def _own(entries: Iterable[Entry], provider: str, model_name: str) -> Price | None:
    """The user's own price: one for the provider before one for all, then the newest."""
    fits: Sequence[Entry] = [
        entry
        for entry in entries
        if entry.model.casefold() == model_name.casefold()
        and (entry.provider is None or entry.provider.casefold() == provider.casefold())
    ]
    best = max(fits, key=lambda entry: (entry.provider is not None, entry.date), default=None)
    return best.price if best else None
