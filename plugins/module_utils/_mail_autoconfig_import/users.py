"""How users log in, and the domains of their addresses, asked with ``doveadm user``: it needs no password.

PRIVATE to the collection. doveadm-user(1): status 0 for a user that is there, 67 for none, another where it cannot say.
"""

from __future__ import annotations

import typing as t

from .commands import Runner, output_of, result_of, shown
from .domains import DOMAIN
from .model import ADDRESS, LOCAL_PART, MOST, CannotTellError, Domain, Unknown, Username

# Whoever is found under this name is found under any.
_NOBODY = "no-such-user-4b1f9c0e"
_THERE, _NOT_THERE = 0, 67


def username(run: Runner, address: str) -> tuple[Username, tuple[Unknown, ...]]:
    """What the owner of an address logs in with.

    :arg address: ``anna@server.tld``; empty if nobody was named

    Never raises.
    """
    source = shown(("doveadm", "user", address))
    if not address:
        return Username(), (Unknown("username", "no address was given to ask Dovecot about", "doveadm user"),)
    try:
        return _decided(run, address, source), ()
    except CannotTellError as exc:
        return Username(), (Unknown("username", str(exc), source),)


def _decided(run: Runner, address: str, source: str) -> Username:
    """Raises CannotTellError."""
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
