"""What clients fill into user names: which placeholders there are, and what only looks like one.

PRIVATE to the collection. A client that does not know a placeholder sends it to the server as it stands, and every login fails.
Mozilla's own list of providers had ``%EMAILADDRESS`` without its end in two files (thunderbird/autoconfig, March 2026).
"""

from __future__ import annotations

import re
import typing as t

from . import reading
from .reading import Check, shown

# draft-ietf-mailmaint-autoconfig; AccountConfig.sys.mjs (Thunderbird), which alone knows %REALNAME%.
KNOWN = ("EMAILADDRESS", "EMAILLOCALPART", "EMAILDOMAIN", "REALNAME")
# Words of others: guesses, and Dovecot's variables %u, %n and %d.
_HINTS = {
    f"%{word}%": placeholder
    for placeholder, words in (
        ("%EMAILADDRESS%", ("email", "mail", "address", "u", "lu")),
        ("%EMAILLOCALPART%", ("user", "username", "local", "localpart", "n", "ln")),
        ("%EMAILDOMAIN%", ("domain", "d", "ld")),
    )
    for word in words
}
# A lone per cent sign stays possible: user%domain is a login name of older servers.
_LOOKS_LIKE_ONE = re.compile(r"%\w+%|%\{\w+\}|%?EMAIL(?:ADDRESS|LOCALPART|DOMAIN)%?|%[LTU]?[und](?!\w)", re.IGNORECASE)


def user_name(keys: t.Iterable[str] = ()) -> Check:
    """Make a check for a user name.

    What only looks like a placeholder is refused, because it cannot be right for any client.

    :arg keys: of ``inputField``, which are placeholders, too (Mozilla's format; no client read asks for them)
    """
    allowed = [f"%{name}%" for name in dict.fromkeys((*KNOWN, *keys))]

    def check(value: str) -> str:
        text = reading.text_line(value)
        rest = text
        for placeholder in allowed:
            rest = rest.replace(placeholder, " ")
        found = _LOOKS_LIKE_ONE.search(rest)
        if found:
            name = found[0].strip("%{}").lower()
            meant = reading.meant(f"%{name}%", allowed, _HINTS)
            raise ValueError(
                f"{shown(text)}: {found[0]} is no placeholder that clients fill in{meant}; allowed are {', '.join(allowed)}"
            )
        return text

    return check
