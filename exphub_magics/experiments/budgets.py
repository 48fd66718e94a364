"""What a run will cost, before the first call, and how much of its limit is left while it runs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from statistics import fmean

from exphub_magics import answers
from exphub_magics.errors import ConfigError
from exphub_magics.experiments import prices
from exphub_magics.experiments.prices import Price, dollars
from exphub_magics.markup import counted
from exphub_magics.questions import Question
from exphub_magics.specs import Spec

CHARACTERS_A_TOKEN = 4.0  # of English, where no reply of the model has told
ANSWER_TOKENS = 150  # likewise
FORM_CHARACTERS = len(json.dumps(answers.SCHEMA))  # sent with each question, and counted as its tokens
LATEST = 1_000  # replies that a history is made of
TRIAL = 4  # calls under way before the first has told what one costs
_MOST = 10**9  # calls: room that is no limit in practice


@dataclass(frozen=True, slots=True)
class History:
    """What earlier replies of a model took together: a row of sql/history.sql.

    Args:
        replies: how many there are.
        characters: of their prompts and narratives; 0 where that is not known.
        prompt_tokens: as the endpoint counted them.
        completion_tokens: likewise, those of the reasoning among them.
    """

    replies: int
    characters: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the calls of a run will take, about.

    Args:
        calls: questions that are to be asked.
        prompt_tokens: of all calls, nothing of them reckoned as kept by the provider.
        completion_tokens: of all calls.
        cost: USD; None where the price is not known.
        source: where the price is from.
        shared: 0 to 1, the share of a prompt's characters that every prompt begins with; a provider's prompt
            caching can use it.
        basis: how the tokens were reckoned.
        least: USD where the provider keeps what every prompt begins with; None where the price is not known.
        told: whether replies of this model have told what one takes.
    """

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    source: str | None
    shared: float
    basis: str
    least: float | None = None
    told: bool = False

    @property
    def each(self) -> float:
        """USD of one call; 0 where the price is not known."""
        return self.cost / self.calls if self.cost and self.calls else 0.0

    def words(self) -> str:
        """One line.

        >>> Estimate(404, 118_170, 60_600, 0.0541, "genai-prices 0.2.3", 0.4, "from 120 replies of this model").words()
        'about 404 calls, 118,000 tokens in and 60,600 out: about $0.054 (prices: genai-prices 0.2.3; tokens: from 120 replies of this model)'
        """  # noqa: E501 - a line is a line
        if not self.calls:
            return "nothing to ask"
        tokens = taken(self.calls, self.prompt_tokens, self.completion_tokens)
        if self.cost is None:
            return f"{tokens} ({self.basis}); price unknown: name it in {prices.FILE}"
        if not self.cost:
            return f"{tokens} ({self.basis}): free ({self.source})"
        return f"{tokens}: about {dollars(self.cost, digits=2)} (prices: {self.source}; tokens: {self.basis})"


def estimate(
    spec: Spec, price: Price | None, *, calls: int, sample: Sequence[Question], history: History | None = None
) -> Estimate:
    """Reckon what `calls` questions will take, from some of them and from what the model's earlier replies took.

    >>> from exphub_magics import prompts
    >>> asked = [Question(str(n), ({"role": "user", "content": "x" * 400},), str(n)) for n in range(2)]
    >>> spec = Spec("first", prompts.parse("Violence?"), model_name="m", provider="p")
    >>> about = estimate(spec, Price(1, 1, 4, "own"), calls=100, sample=asked)
    >>> about.completion_tokens, about.basis
    (15000, '4 characters a token, 150 tokens an answer')
    """
    source = price.source if price else None
    if not calls:
        nothing = 0.0 if price else None
        return Estimate(0, 0, 0, nothing, source, 0.0, "nothing to ask", nothing)
    length = fmean(sum(len(message["content"]) for message in question.messages) for question in sample)
    prompt = math.ceil((length + FORM_CHARACTERS) / _characters_a_token(history))
    answer, basis = _answer(spec, history)
    alike = shared(sample)
    # The first call has the provider keep what the others share.
    each = [price.cost(prompt, kept, answer) or 0.0 for kept in (0, int(alike * prompt))] if price else []
    cost, least = (calls * each[0], each[0] + (calls - 1) * each[1]) if each else (None, None)
    told = history is not None and history.replies > 0
    return Estimate(calls, calls * prompt, calls * answer, cost, source, alike, basis, least, told)


def shared(sample: Sequence[Question]) -> float:
    """The share of a prompt's characters that all of these begin with; 0 where there are not two to compare.

    >>> both = [Question(end, ({"role": "user", "content": "same " + end},), end) for end in ("one", "two")]
    >>> shared(both)
    0.625
    """
    if len(sample) < 2:  # noqa: PLR2004 - one alone shares with nobody
        return 0.0
    # One prompt renders the same roles for every narrative, so that texts alike are messages alike.
    texts = ["".join(message["content"] for message in question.messages) for question in sample]
    # What the first and the last in order begin with, all between them do too.
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(min(texts), max(texts), strict=False)))
    return same / fmean(map(len, texts)) if same else 0.0


def _characters_a_token(history: History | None) -> float:
    if history is None or not (history.replies and history.characters and history.prompt_tokens):
        return CHARACTERS_A_TOKEN
    return (history.characters + history.replies * FORM_CHARACTERS) / history.prompt_tokens


def _answer(spec: Spec, history: History | None) -> tuple[int, str]:
    """Tokens of an answer, and how they and those of the prompts are reckoned."""
    if history is not None and history.replies:
        tokens, basis = math.ceil(history.completion_tokens / history.replies), _from(history.replies)
    else:
        tokens, basis = ANSWER_TOKENS, f"{CHARACTERS_A_TOKEN:g} characters a token, {ANSWER_TOKENS} tokens an answer"
        if spec.reasoning_effort not in (None, "none"):
            basis += ", its reasoning not reckoned"
    if spec.max_tokens is not None and spec.max_tokens < tokens:
        return spec.max_tokens, f"{basis}, at most {spec.max_tokens:,} an answer"
    return tokens, basis


def _from(replies: int) -> str:
    return "from a reply of this model" if replies == 1 else f"from {replies:,} replies of this model"


def taken(calls: int, prompt_tokens: int, completion_tokens: int) -> str:
    """What calls take, in words.

    >>> taken(1, 1_234, 61)
    'about 1 call, 1,230 tokens in and 61 out'
    """
    tokens = f"{_rounded(prompt_tokens)} tokens in and {_rounded(completion_tokens)} out"
    return f"about {counted(calls, 'call')}, {tokens}"


def _rounded(count: int) -> str:
    """A count to three digits.

    >>> _rounded(118_234), _rounded(61)
    ('118,000', '61')
    """
    return f"{round(count, 3 - len(str(count))) if count >= 1_000 else count:,}"  # noqa: PLR2004 - three digits


@dataclass(slots=True)
class Budget:
    """The money of one run: what it may spend, and what it has spent.

    >>> budget = Budget(0.05, Price(1, 1, 1, "own"), expected=0.01)
    >>> budget.add(0.012)
    >>> budget.room(1), budget.words()
    (2, '$0.012 of $0.05')

    Every call under way is reckoned at what the dearest has cost so far, so that what a run spends beyond its limit
    is at most what the calls then under way cost.

    Args:
        limit: USD; None where there is none.
        price: of the model; None where it is not known.
        spent: USD, of earlier runs included where the limit is for them together.
        expected: USD of a call, by an estimate.

    Raises:
        ConfigError: for a limit that is no amount, or that cannot be kept because the price is not known.
    """

    limit: float | None
    price: Price | None
    spent: float = 0.0
    expected: float = 0.0
    dearest: float = 0.0  # USD, of the calls so far
    untold: int = 0  # calls whose endpoint said nothing of tokens

    def __post_init__(self) -> None:
        if self.limit is None:
            return
        if not 0 <= self.limit < math.inf:
            raise ConfigError(f"max_cost is an amount in USD from 0 up, not {self.limit}")
        if self.price is None:
            raise ConfigError(f"max_cost needs a price: nobody knows this model's, so name it in {prices.FILE}")

    def add(self, cost: float | None) -> None:
        """Count a call that has come back; None, where its tokens are not known, counts as the dearest so far."""
        if cost is None:
            self.untold += 1
            cost = self.reckoned
        self.spent += cost
        self.dearest = max(self.dearest, cost)

    @property
    def reckoned(self) -> float:
        """USD that a call is taken to cost before it has come back."""
        if self.price is None or self.price.free:
            return 0.0
        return max(self.dearest, self.expected, self.price.cost(1, 0, 1) or 0.0)

    def room(self, under_way: int) -> int | None:
        """How many more calls the limit allows while some are under way; None where there is no limit to keep."""
        if self.limit is None or not self.reckoned:
            return None
        # A hair more than the quotient, because 0.3 / 0.1 is less than 3.
        calls = math.floor(min((self.limit - self.spent) / self.reckoned + 1e-9, _MOST))
        if not self.dearest:
            calls = min(calls, TRIAL)
        return max(0, calls - under_way)

    @property
    def over(self) -> bool:
        """Whether the limit allows no further call, even when none is under way; it stays so."""
        return self.room(0) == 0

    def words(self) -> str:
        """What has been spent, of what."""
        if self.price is None:
            return "price unknown"
        if self.price.free:
            return "free"
        spent = dollars(self.spent) if self.limit is None else f"{dollars(self.spent)} of {dollars(self.limit)}"
        untold = counted(self.untold, "reply", "replies")
        return f"{spent} ({untold} without token counts reckoned)" if self.untold else spent
