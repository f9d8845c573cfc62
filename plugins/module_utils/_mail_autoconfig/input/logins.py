"""Login names that do not follow from the address, as an administrator gives them.

PRIVATE to the collection.
"""

from __future__ import annotations

import re
import typing as t

from . import reading
from .model import Provider
from .reading import Fields, shown

# Of what a mail client sends (RFC 5321 section 4.1.2, RFC 6531 section 3.3), without quoted strings.
_LOCAL_PART = re.compile(r"[^\x00- \"(),:;<>@\[\\\]\x7f-\x9f]+")
# RFC 5321 section 4.5.3.1, in octets.
_LONGEST_LOCAL_PART, _LONGEST = 64, 254


def key(address: str) -> str:
    """An address as it is looked up: no two mailboxes differ by the case of letters alone.

    Letters beyond ASCII keep theirs, because the responder's language knows no others.
    """
    return "".join(letter.lower() if letter.isascii() else letter for letter in address)


def read(fields: Fields, providers: t.Iterable[Provider]) -> dict[str, str]:
    """Login names by address, as :func:`key` makes it, from the option ``logins``."""
    entry = fields.mapping("logins")
    if entry is None:
        return {}
    served = {domain for provider in providers for domain in provider.domains}
    found: dict[str, str] = {}
    for address in entry.names:
        name = entry.text(address, login)
        try:
            mailbox = _mailbox(address, served)
        except ValueError as exc:
            entry.problem(address, str(exc))
            continue
        if found.setdefault(mailbox, name) != name:
            entry.problem(address, f"is there twice, with the logins '{found[mailbox]}' and '{name}'")
    return found


def _mailbox(value: str, served: t.Collection[str]) -> str:
    """An address as it is looked up. Raises ValueError.

    :arg served: the mail domains of all providers
    """
    local, at, domain = value.rpartition("@")
    is_short = len(local.encode()) <= _LONGEST_LOCAL_PART and len(value.encode()) <= _LONGEST
    if not (at and is_short and _LOCAL_PART.fullmatch(local)):
        raise ValueError("is not a mail address (RFC 5321 section 4.1.2, without quotes)")
    name = reading.hostname(domain)
    if name not in served:
        raise ValueError(f"{name} is a domain of no provider")
    return key(f"{local}@{name}")


def login(value: str) -> str:
    """Check a login name. Raises ValueError."""
    text = reading.text_line(value)
    if text != value or len(text.encode()) > _LONGEST:
        raise ValueError(f"{shown(value)} is not a login name (one line of at most {_LONGEST} octets)")
    return text
