"""The form in which an answer is asked for: the fullest that an endpoint takes, found out from what it turns down.

A JSON schema is asked for first, then JSON, then plain text with one fixed sentence; beside it the chances of the
tokens, from which P(true) is read, and the key under which the limit of tokens is sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, TypeAlias, get_args

from exphub_magics import answers
from exphub_magics.questions import Question, Reply
from exphub_magics.specs import Spec

AnswerForm: TypeAlias = Literal["schema", "json", "text"]
LengthKey: TypeAlias = Literal["max_tokens", "max_completion_tokens"]

SETTINGS: Final = ("temperature", "reasoning_effort", "max_tokens", "seed")
# The token chosen and its strongest rival: a third would be a rest of the same two words, and each costs the reply
# some hundred bytes a token.
ALTERNATIVES: Final = 2
NAMED: Final = frozenset({400, 403, 404, 415, 422, 500, 501})  # where the words are about the form, these are too
UNNAMED: Final = frozenset({400, 415, 422, 501})

_PLAINER: Final[Mapping[AnswerForm, AnswerForm]] = {"schema": "json", "json": "text"}
_ABOUT_LOGPROBS: Final = re.compile(r"log_?probs", re.IGNORECASE)
_ABOUT_ANSWER: Final = re.compile(
    r"response_?format|json_?schema|json_?object|json mode|structured[ _]outputs?|guided[ _]|grammar"
    r"|requested parameters",
    re.IGNORECASE,
)
_ABOUT_LENGTH: Final = re.compile(r"max_completion_tokens", re.IGNORECASE)
_ABOUT_CONTEXT: Final = re.compile(
    r"context[ _](?:length|size|window)|maximum[ _](?:context|input|sequence|model)|prompt (?:is )?too long",
    re.IGNORECASE,
)
_ABOUT_SIZE: Final = re.compile(
    r"too (?:long|large|many tokens)|longer than|exceed|(?:token|length) limit|maximum(?: number of)? tokens"
    r"|input (?:length|tokens)",
    re.IGNORECASE,
)
_OTHER_NAMES: Final[Mapping[str, str]] = {
    "max_tokens": "max_completion_tokens",
    "reasoning_effort": r"reasoning\.effort",
}
_NO_OBJECT: Final = "no answer object"  # the reader's words for prose


@dataclass(frozen=True, slots=True)
class Form:
    """How the answer is asked for.

    >>> Form.of(Form("json", logprobs=False).as_json())
    Form(answer='json', logprobs=False, length='max_tokens')
    """

    answer: AnswerForm = "schema"
    logprobs: bool = True
    length: LengthKey = "max_tokens"

    def as_json(self) -> str:
        """The form as a text that can be kept."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str | None) -> Form:
        """The form that a text keeps; the fullest where the text is none.

        >>> Form.of('{"answer": "essay"}') == Form.of(None) == Form()
        True
        """
        try:
            said = json.loads(text or "")
            form = cls(said["answer"], said["logprobs"], said["length"])
            known = form.answer in get_args(AnswerForm) and form.length in get_args(LengthKey)
        except (ValueError, TypeError, KeyError, RecursionError):
            return cls()
        return form if known and isinstance(form.logprobs, bool) else cls()

    @property
    def richness(self) -> tuple[int, bool]:
        """What orders forms: the fuller its answer, then whether the tokens' chances come with it."""
        return -get_args(AnswerForm).index(self.answer), self.logprobs


def request(spec: Spec, question: Question, form: Form) -> dict[str, Any]:
    """The body that is sent: only what the spec says, and the form of the answer."""
    body: dict[str, Any] = {"model": spec.model_name, "messages": list(question.messages)}
    for key in SETTINGS:
        value = getattr(spec, key)
        if value is not None:
            if key == "seed":
                value += spec.repeat - 1  # the same seed would have a repeat say the same
            body[form.length if key == "max_tokens" else key] = value
    if form.logprobs:
        body |= {"logprobs": True, "top_logprobs": ALTERNATIVES}
    if form.answer == "schema":
        schema = {"name": "answer", "strict": True, "schema": answers.SCHEMA}
        return body | {"response_format": {"type": "json_schema", "json_schema": schema}}
    body["messages"] = _with_sentence(question)
    return body | ({"response_format": {"type": "json_object"}} if form.answer == "json" else {})


def _with_sentence(question: Question) -> list[dict[str, str]]:
    """The messages with the sentence about the form behind the first one's text."""
    first, *others = question.messages
    return [{**first, "content": f"{first['content']}\n\n{answers.FORMAT_SENTENCE}"}, *others]


def parameters(body: Mapping[str, Any]) -> str:
    """What was sent beside model and messages, as JSON; of the form of the answer only its type.

    >>> parameters({"model": "m", "messages": [], "seed": 7, "response_format": {"type": "json_object"}})
    '{"response_format": "json_object", "seed": 7}'
    """
    said = {key: value for key, value in body.items() if key not in ("model", "messages")}
    if "response_format" in said:
        said["response_format"] = said["response_format"]["type"]
    return json.dumps(said, sort_keys=True)


def is_about_length(message: str) -> bool:
    """Whether an endpoint's words say that the text does not fit, in whatever form it is asked about.

    >>> is_about_length("This model's maximum context length is 8192 tokens.")
    True
    >>> is_about_length("response_format: the schema exceeds 5 levels")
    False
    """
    if _ABOUT_CONTEXT.search(message):
        return True
    return bool(_ABOUT_SIZE.search(message)) and not (_ABOUT_LOGPROBS.search(message) or _ABOUT_ANSWER.search(message))


def is_about_form(message: str) -> bool:
    """Whether an endpoint's words name a part of the form, so that it is not the narrative it minds.

    >>> is_about_form("'logprobs' is not supported"), is_about_form("the context length is 4096 tokens")
    (True, False)
    """
    named = any(part.search(message) for part in (_ABOUT_LOGPROBS, _ABOUT_ANSWER, _ABOUT_LENGTH))
    return named and not is_about_length(message)


def setting(spec: Spec, message: str) -> str | None:
    """The setting of a spec that an endpoint's words name, if it is one that was set.

    >>> from exphub_magics.prompts import parse
    >>> setting(Spec(name="first", prompt=parse("Is it?"), seed=7), "Unsupported parameter: 'seed'")
    'seed'
    """
    if _ABOUT_CONTEXT.search(message):
        return None
    named = (key for key in SETTINGS if re.search(rf"\b(?:{key}|{_OTHER_NAMES.get(key, key)})\b", message))
    return next((key for key in named if getattr(spec, key) is not None), None)


def plainer(form: Form, status: int, message: str) -> Form | None:
    """The form to try next after a rejection; None where the rejection is not about the form, or none is left.

    Where the message names nothing, the parts go one by one: the chances of the tokens, the schema, JSON.

    >>> plainer(Form(), 400, "logprobs are not supported by this model")
    Form(answer='schema', logprobs=False, length='max_tokens')
    >>> plainer(Form(), 400, "Use 'max_completion_tokens' instead.").length
    'max_completion_tokens'
    >>> plainer(Form(logprobs=False), 422, "response_format: extra fields not permitted").answer
    'json'
    >>> plainer(Form("text", logprobs=False), 400, "bad request")
    """
    if is_about_length(message) or status not in (NAMED if is_about_form(message) else UNNAMED):
        return None
    if _ABOUT_LOGPROBS.search(message) and form.logprobs:
        return replace(form, logprobs=False)
    if _ABOUT_LENGTH.search(message) and form.length == "max_tokens":
        return replace(form, length="max_completion_tokens")
    if form.logprobs and not _ABOUT_ANSWER.search(message):
        return replace(form, logprobs=False)
    if form.answer in _PLAINER:
        return replace(form, answer=_PLAINER[form.answer])
    return replace(form, logprobs=False) if form.logprobs else None


def ignored(form: Form, reply: Reply) -> Form | None:
    """The form to try next where a reply shows that the one asked for was passed over in silence.

    An endpoint that knows no schema may drop it unsaid; the model then was never told how to answer.

    >>> ignored(Form(), Reply("It may well be so.")).answer
    'json'
    >>> ignored(Form(), Reply('{"flag": true}'))
    """
    if form.answer not in _PLAINER or not is_prose(reply):
        return None
    return replace(form, answer=_PLAINER[form.answer])


def is_prose(reply: Reply) -> bool:
    """Whether a reply is words alone, without an object, a bare yes or no, or a refusal."""
    said = answers.parse(reply.body, refusal=reply.refusal, finish_reason=reply.finish_reason)
    return said.error == _NO_OBJECT
