"""The declared rule for narratives that hold nothing to evaluate: none of them is sent to a model."""

from __future__ import annotations

import re

PLACEHOLDER_RULE = "1"
"""The version of the rule that `placeholder` declares: another rule is another number."""

_LONGEST = 100  # characters: a longer text is never a placeholder

# No two alternatives of a repeated group match the same words, so that a long row of them costs its length.
_WHO = (
    r"(?:the|both|other|and|or|c?me|m e|le|leo|law enforcement|police(?: department)?|pd|sheriff(?: s)?|"
    r"medical examiner(?: s)?|coroner(?: s)?|ems)"
)
_OFFICE = rf"{_WHO}(?: {_WHO})*"
_DETAIL = (
    r"(?:any|an?|this|further|more|additional|full|final|initial|original|complete|supplemental|written|"
    r"incident|case|investigative|autopsy|toxicology|death)"
)
_DOCUMENT = (
    r"(?:reports?|narratives?|information|info|records?|documents?|documentation|details?|data|text|summary|"
    r"paperwork|files?|results?|investigation|autopsy|toxicology)"
)
_THING = rf"(?:{_WHO} |{_DETAIL} )*{_DOCUMENT}(?: (?:from|by) {_OFFICE})?"
_STATE = (
    r"(?:is|was|are|were|has|have|been|being|be|still|currently|yet|to date|at present|so far|as of now|"
    r"at (?:this|the) time|at (?:the )?time of (?:abstraction|coding|entry|writing))"
)
_GIVEN = (
    r"(?:available|received|provided|obtained|found|located|on file|"
    r"in (?:the )?(?:files?|system|records?|database)|submitted|sent|released|"
    r"completed?|recorded|entered|known|attached|applicable|reported|given)"
)
_LACKING = (
    r"(?:unavailable|pending|missing|requested|needed|required|outstanding|awaited|unknown|blank|to follow|"
    r"to be (?:provided|added|determined|entered|obtained))"
)
_CASE = r"for (?:this|the) (?:case|incident|decedent|victim|death)"
_ASIDE = rf"(?: {_STATE}| {_CASE})*"

_NOTHING = (  # a word that stands for nothing: "N/A", "none", "pending", "unknown at this time"
    r"(?:n ?a|none|nil|null|nan|unk|unknown|pending|tbd|to be determined|missing|blank|empty|test|"
    rf"placeholder|x{{2,}}|ditto|unavailable|no data|deferred){_ASIDE}"
)
_NOT_GIVEN = rf"(?:none|not)(?: {_STATE})* {_GIVEN}{_ASIDE}"  # "none on file", "not yet received"
_NO_DOCUMENT = (  # "No narrative available", "There is no report on file at this time"
    rf"(?:there (?:is|was|are|were) )?no {_THING}(?: {_STATE}| {_GIVEN}| {_CASE})*"
)
_DOCUMENT_NOT_GIVEN = (  # "LE report not received", "CME narrative has not yet been provided"
    rf"{_THING}(?: {_STATE})* not(?: {_STATE})* {_GIVEN}{_ASIDE}"
)
_DOCUMENT_LACKING = rf"(?:{_THING}|{_OFFICE})(?: {_STATE})* {_LACKING}{_ASIDE}"  # "report pending"
_NEEDED = (  # "Need LE report", "awaiting police", "pending receipt of further information"
    rf"(?:we |{_OFFICE} )?(?:still )?(?:needs?|await(?:ing)?|waiting (?:for|on)|requires?|request(?:ed|ing)?|"
    rf"pending|missing|obtain|get)(?: (?:receipt|copy|completion|review) of)? (?:{_THING}|{_OFFICE}){_ASIDE}"
)
_POINTER = (  # "see CME narrative", "refer to the police report for details", "same as above"
    rf"(?:please )?(?:see|refer to|same as|as per|per|as in|cf) (?:{_THING}|{_OFFICE}|above|below|attached)"
    rf"(?: for (?:{_DETAIL} )*(?:details?|information|info))?"
)
_NOT_OBTAINED = (  # "unable to obtain report"
    r"(?:unable to|could not|cannot|did not|have not|has not)(?: yet)? "
    rf"(?:obtain|locate|find|get|receive|access)(?:d|ed)?(?: a copy of)? {_THING}{_ASIDE}"
)
_PHRASES = (
    _NOTHING,
    _NOT_GIVEN,
    _NO_DOCUMENT,
    _DOCUMENT_NOT_GIVEN,
    _DOCUMENT_LACKING,
    _NEEDED,
    _POINTER,
    _NOT_OBTAINED,
)
_RULE = re.compile("|".join(_PHRASES))
_REMARK = re.compile(  # what may stand beside a placeholder, but is none alone
    r"(?:(?:first|second|third|another|repeat) )?requests? (?:sent|made|submitted)|"
    r"(?:will|to) update(?: (?:when|once|if) (?:available|received))?|"
    r"open case|case (?:is )?(?:still )?open|"
    r"(?:case )?(?:(?:still|currently) )?under investigation|(?:case |investigation )?ongoing"
)
_CLAUSE = re.compile(r"[.,;:()]+")


def placeholder(text: str) -> str | None:
    """Why a text holds nothing to evaluate: `empty`, or the placeholder that it is; None for a real text.

    >>> placeholder("Need LE report"), placeholder("  "), placeholder("Unknown male found deceased.")
    ('placeholder: need le report', 'empty', None)

    The rule, version 1. A text is *empty* if it is nothing but white space. It is a *placeholder* if it is at
    most 100 characters long and, case and punctuation aside, nothing at all or, as a whole, one of these:

    - a word that stands for nothing (n/a, none, unknown, pending, missing, to be determined, …);
    - no, or not yet, a report, narrative, record, information … (on file, available, received, …);
    - a report, narrative … that is pending, missing, unavailable, requested or not received;
    - a need for one, or a wait for one (need, awaiting, requested, pending …);
    - a pointer to another one (see, refer to, same as … the CME narrative, above, …);
    - the failure to obtain one (unable to locate the report);
    - several of these, or one beside a remark on request or case (request sent, will update, open case).

    A sentence that says anything else is a real text, however short.
    """
    stripped = text.strip()
    if not stripped:
        return "empty"
    if len(stripped) > _LONGEST:
        return None
    words = _words(stripped)
    if not words:
        return f"placeholder: {stripped}"
    return f"placeholder: {words}" if _stands_for_nothing(stripped) else None


def _words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def _stands_for_nothing(text: str) -> bool:
    if _RULE.fullmatch(_words(text)):
        return True
    unabbreviated = re.sub(r"\b(\w)\.", r"\1 ", text)  # "M.E." ends no clause
    clauses = [clause for clause in map(_words, _CLAUSE.split(unabbreviated)) if clause]
    said = [clause for clause in clauses if not _RULE.fullmatch(clause)]
    return len(said) < len(clauses) and all(_REMARK.fullmatch(clause) for clause in said)
