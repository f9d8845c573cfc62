"""Login names that do not follow from the address: a table that the responder looks into at each request. Pure.

PRIVATE to the collection. The table shall tell whoever reads the file as little as possible. An address stands in it as a salted
digest, its login is encrypted with a key made of the address, and the salt follows from all entries, so that the same entries
are the same bytes. So nobody can list addresses or logins. What it does not protect: whoever has the file can try addresses, some
hundred million a second, and anybody can ask the responder for one address after the other, as slowly as that answers.

A line of comment; a line with the salt and the number of buckets; a line for each bucket with its place and length; the buckets,
each of lines of digest and encrypted login. The first four bytes of a digest tell the bucket. All in hexadecimal ASCII, so that
two reads find an entry among any number.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from ..input.model import Dav, Provider, Server

_Service = t.TypeVar("_Service", Server, Dav)

# Placeholders of a user name that the table may replace, and what they are then.
PLACEHOLDERS = {"%EMAILADDRESS%": "%EMAILLOGINADDRESS%", "%EMAILLOCALPART%": "%EMAILLOGINLOCALPART%"}
_ENTRIES_IN_A_BUCKET = 4
# Logins of similar length look the same.
_PADDED_TO = 32
_DIGEST_LENGTH = 16


def table(header: str, logins: t.Mapping[str, str]) -> bytes:
    """Make the table.

    :arg header: a line of comment
    :arg logins: by address, as ``input.logins.key`` makes it
    """
    salt = hashlib.sha256(repr(sorted(logins.items())).encode()).hexdigest()
    buckets: list[list[str]] = [[] for _number in range(1 + len(logins) // _ENTRIES_IN_A_BUCKET)]
    for address, login in logins.items():
        digest = _sha1(salt, "address", address)
        buckets[int(digest[:8], 16) % len(buckets)].append(f"{digest[:_DIGEST_LENGTH]} {_encrypted(salt, address, login)}\n")
    texts = ["".join(sorted(bucket)) for bucket in buckets]
    first = f"# {header}\n{salt} {len(buckets):08x}\n"
    place, index = len(first) + 16 * len(buckets), []
    for text in texts:
        index.append(f"{place:08x}{len(text):07x}\n")
        place += len(text)
    return "".join([first, *index, *texts]).encode("ascii")


def _sha1(*parts: str) -> str:
    """What mod_lua has of digests (``r:sha1``)."""
    return hashlib.sha1(" ".join(parts).encode(), usedforsecurity=False).hexdigest()


def _encrypted(salt: str, address: str, login: str) -> str:
    """The login, filled up with line breaks, XOR the first 16 octets each of digests of the address, which are numbered."""
    text = login.encode()
    text += b"\n" * (-len(text) % _PADDED_TO)
    stream = "".join(_sha1(salt, str(number), address)[:32] for number in range(len(text) // 16))
    return bytes(left ^ right for left, right in zip(text, bytes.fromhex(stream))).hex()


def with_placeholders(provider: Provider) -> Provider:
    """The provider with the placeholders that the table fills, in all user names that are an address or its first part."""
    return dataclasses.replace(
        provider,
        incoming=tuple(_with_placeholder(server) for server in provider.incoming),
        outgoing=tuple(_with_placeholder(server) for server in provider.outgoing),
        caldav=provider.caldav and _with_placeholder(provider.caldav),
        carddav=provider.carddav and _with_placeholder(provider.carddav),
    )


def _with_placeholder(service: _Service) -> _Service:
    return dataclasses.replace(service, username=PLACEHOLDERS.get(service.username, service.username))


def unmapped(provider: Provider) -> list[str]:
    """User names that follow from the address in a way of their own, which the table does not replace."""
    named = {server.username: None for server in (*provider.incoming, *provider.outgoing)}
    return [name for name in named if "%EMAIL" in name and name not in PLACEHOLDERS]
