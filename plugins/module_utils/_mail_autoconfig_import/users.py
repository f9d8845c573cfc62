"""How users log in, and the domains of their addresses, asked with ``doveadm user``: it needs no password.

PRIVATE to the collection. doveadm-user(1): status 0 for a user that is there, 67 for none, another where it cannot say.
"""

from __future__ import annotations

import re
import typing as t

from .commands import Runner, output_of, result_of, shown
from .domains import DOMAIN
from .model import ADDRESS, LOCAL_PART, MOST, CannotTellError, Domain, Unknown, Username

# A user that may be handed to a command.
USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=@-]{0,200}\Z")
# Whoever is found under this name is found under any.
_NOBODY = "no-such-user-4b1f9c0e"
_THERE, _NOT_THERE = 0, 67


def username(run: Runner, address: str, domain: str = "") -> tuple[Username, tuple[Unknown, ...]]:
    """What the owner of an address logs in with; without one, users whom Dovecot lists.

    :arg address: ``anna@server.tld``; empty if nobody was named
    :arg domain: a mail domain of users who are listed without one; empty if none is known

    Never raises.
    """
    source = shown(("doveadm", "user", address or "*"))
    try:
        found = [_decided(run, each) for each in ([address] if address else _listed(run, domain))]
        if len({each.format for each in found}) > 1:
            raise CannotTellError(f"{' but '.join(each.because for each in found)}: give the address of a user")
    except CannotTellError as exc:
        return Username(), (Unknown("username", str(exc), source),)
    return found[0], ()


def _listed(run: Runner, domain: str) -> list[str]:
    """Addresses to ask for: of the last listed user with a domain, and of the last without. Raises CannotTellError.

    Of the users of a system people are the last.
    """
    users = [user for user in output_of(run, "doveadm", "user", "*").split("\n") if USER.match(user)]
    whole = [user for user in users if "@" in user][-1:]
    bare = [f"{user}@{domain}" for user in users if "@" not in user][-1:] if domain else []
    if not (whole or bare):
        raise CannotTellError("no address was given, and Dovecot lists no user whose address is known: give one")
    return [*whole, *bare]


def _decided(run: Runner, address: str) -> Username:
    """Raises CannotTellError."""
    source = shown(("doveadm", "user", address))
    local, _at, domain = address.rpartition("@")
    for nobody in (_NOBODY, f"{_NOBODY}@{domain}"):
        if _found(run, nobody) is not None:
            raise CannotTellError("Dovecot finds any user, also those that do not exist")
    whole, part = _found(run, address), _found(run, local)
    if whole is None and part is None:
        raise CannotTellError(f"Dovecot knows neither {address} nor {local}")
    if whole is not None and part is not None and whole != part:
        raise CannotTellError(f"Dovecot knows {address} and {local} as two users")
    if part is None:
        return Username(ADDRESS, f"Dovecot knows {address}, and not {local}", source)
    if whole is None:
        return Username(LOCAL_PART, f"Dovecot knows {local}, and not {address}", source)
    return Username(ADDRESS, f"Dovecot knows {address} and {local} as the same user", source)


def _found(run: Runner, user: str) -> str | None:
    """What Dovecot tells of a user, ``None`` if there is none. Raises CannotTellError."""
    result = result_of(run, "doveadm", "user", user)
    if result.status == _NOT_THERE:
        return None
    if result.status != _THERE or not result.output.endswith("\n"):
        # Not what it says on its errors, which may be lines of a configuration.
        raise CannotTellError(f"doveadm user cannot say it (status {result.status}): does Dovecot run?")
    return result.output


def domains(run: Runner) -> tuple[tuple[Domain, ...], tuple[Unknown, ...]]:
    """The domains of all users that Dovecot can list. Never raises."""
    command = ("doveadm", "user", "*")
    source = shown(command)
    try:
        names = _domains_in(output_of(run, *command).split("\n"))
    except CannotTellError as exc:
        return (), (Unknown("domains", f"Dovecot cannot list its users: {exc}", source),)
    more = (
        (Unknown("domains", f"there are {len(names)}, of which the first {MOST} are told", source),) if len(names) > MOST else ()
    )
    return tuple(Domain(name, source) for name in names[:MOST]), more


def _domains_in(users: t.Iterable[str]) -> list[str]:
    found = (user.rpartition("@")[2].lower() for user in users if "@" in user)
    return sorted({name for name in found if DOMAIN.match(name)})
