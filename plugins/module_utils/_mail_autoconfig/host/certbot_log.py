"""What an authority said last, from the log that certbot writes of each call.

PRIVATE to the collection. What certbot itself says is not enough: Debian 12's (2.1) says "AttributeError: can't set attribute"
for whatever an authority refuses, and none of them tells the headers of an answer.
"""

from __future__ import annotations

import dataclasses
import email.utils
import json
import re
import typing as t

from ..orders import PROBLEM_KINDS, again_in

_PATH = re.compile(r"^Saving debug log to (/.+)$", re.MULTILINE)
# As acme/client.py writes it (ClientNetwork._send_request): status, headers, and the body up to the next entry.
_ANSWER = re.compile(
    r":acme\.client:Received response:\nHTTP (\d{3})\n(.*?)\n\n(.*?)(?=^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,|\Z)",
    re.MULTILINE | re.DOTALL,
)
_RETRY_AFTER = re.compile(r"^Retry-After: *(.+?) *$", re.MULTILINE | re.IGNORECASE)
_TROUBLE = 500
_TOO_MANY = 429
# No limit of an authority lasts longer; what says so is a clock that is wrong.
_LONGEST = 7 * 24 * 60 * 60


@dataclasses.dataclass(frozen=True)
class Answer:
    """An answer that is a problem document (RFC 8555 section 6.7), or nothing of the protocol.

    :ivar status: of HTTP; 0 where nothing is known
    :ivar kind: the type of the problem, without its namespace
    :ivar words: of the authority
    :ivar again: before when it wants no more, in seconds since the epoch; 0 where it does not say
    """

    status: int = 0
    kind: str = ""
    words: str = ""
    again: float = 0

    @property
    def is_trouble(self) -> bool:
        """Whether it is the authority's own fault."""
        return self.status >= _TROUBLE and not self.is_limit

    @property
    def is_limit(self) -> bool:
        """Whether there were too many requests (RFC 8555 section 6.6)."""
        return self.kind == "rateLimited" or self.status == _TOO_MANY

    @property
    def is_refusal(self) -> bool:
        """Whether it refuses the request as such."""
        return bool(self.kind) and not self.is_limit and not self.is_trouble and self.kind != "badNonce"


def last_answer(said: str, arguments: t.Sequence[str], now: float) -> Answer:
    """The last answer to a call, if it was one of those; nothing where the log is not there, or is that of another call.

    :arg said: what certbot has said, with the path of its log
    :arg arguments: those of the call
    """
    found = _PATH.search(said)
    try:
        with open(found[1] if found else "", encoding="utf-8", errors="replace") as stream:
            text = stream.read()
    except OSError:
        return Answer()
    answers = _ANSWER.findall(text) if f"Arguments: {[*arguments]!r}" in text else []
    return read(int(answers[-1][0]), answers[-1][1], answers[-1][2], now) if answers else Answer()


def read(status: int, headers: str, body: str, now: float) -> Answer:
    """What an answer says; nothing for one that is no refusal."""
    try:
        document = json.loads(body)
    except ValueError:
        document = {}
    problem = document if isinstance(document, dict) else {}
    kind = str(problem.get("type", "")).partition(PROBLEM_KINDS)[2]
    if status < 400:
        return Answer()
    detail = str(problem.get("detail", ""))
    words = (
        ": ".join(filter(None, [kind and f"{PROBLEM_KINDS}{kind}", detail])) or f"the authority answers with HTTP status {status}"
    )
    return Answer(status, kind, words, _again(headers, detail, now))


def _again(headers: str, detail: str, now: float) -> float:
    found = _RETRY_AFTER.search(headers)
    return min(max(_moment(found[1], now) if found else 0, again_in(detail)), now + _LONGEST)


def _moment(value: str, now: float) -> float:
    """A time as ``Retry-After`` has it: seconds, or a date (RFC 9110 section 10.2.3)."""
    if value.isdigit():
        return now + int(value)
    try:
        return email.utils.parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError):
        return 0
