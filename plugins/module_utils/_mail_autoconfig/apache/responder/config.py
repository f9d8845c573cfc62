"""The values of a responder: a table ``CONFIG`` of Lua, which stands before the body of the script.

PRIVATE to the collection. Whatever a value contains, it is a string of Lua and nothing else.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import hashlib
import re
import typing as t

from ... import clients
from ...documents.page import Page
from ...input.reading import IDNA_DEVIATIONS
from .. import signing
from .script import BODY

# Tells the requests that the script has answered on a site that is not ours from all others of that site.
MARK = "MAIL_AUTOCONFIG"
DOCUMENT, RESPONDER = "document", "responder"
# Hands Apache the policy of the page that was sent.
POLICY = "MAIL_AUTOCONFIG_POLICY"
_DOMAINS_IN_A_BUCKET = 16
_HASH_MODULUS = 65521
# Almost all strings are; looking at each character of ten thousand domains takes a while.
_PLAIN = re.compile(r"[ !#-\[\]-~]*")

_Value = t.Union[str, int, t.Mapping[str, "_Value"], t.Sequence["_Value"]]


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a script answers with: paths of documents on the host, empty where it has none.

    :ivar autodiscover: what Outlook gets; ``personal`` if the script answers it itself, else it is sent as it lies there
    :ivar own_hosts: whether every domain has a host ``autodiscover`` that is reached as its site is
    :ivar secure: the host names that have a certificate
    :ivar profile: Apple's profile with placeholders, ``general_profile`` the one without an address
    :ivar personal_autoconfig: Thunderbird's file with placeholders, where there are logins that do not follow from the address
    :ivar logins: the table of these (see ``documents.logins``)
    :ivar profile_name: the name under which a browser saves it; of letters that need no escape in a header
    :ivar signing_slots: how many signing filters there are (see ``signing``), 0 without signing
    :ivar pages: the setup page by language, the first for everybody else
    """

    autoconfig: str
    autodiscover: str = ""
    personal: bool = False
    own_hosts: bool = True
    secure: t.Collection[str] = ()
    profile: str = ""
    general_profile: str = ""
    personal_autoconfig: str = ""
    logins: str = ""
    profile_name: str = ""
    signing_slots: int = 0
    pages: tuple[Page, ...] = ()


def script(
    header: str, domains: t.Sequence[str], path: str, answers: Answers, contents: t.Iterable[bytes], ports: tuple[int, int]
) -> bytes:
    """Render the script.

    :arg header: a line of comment
    :arg domains: the provider's mail domains, the first for requests that name none; lower-case ASCII
    :arg path: where the script itself will lie
    :arg contents: the documents that the script reads
    :arg ports: for HTTP and HTTPS
    """
    http_port, https_port = ports
    values: dict[str, _Value] = {
        **_domain_values(domains),
        **_document_values(path, answers, contents),
        "http_port": "" if http_port == 80 else f":{http_port}",
        "https_port": "" if https_port == 443 else f":{https_port}",
        "own_hosts": answers.own_hosts,
        "secure": {label: _secure_hosts(label, domains, answers.secure) for label in clients.LABELS},
        "signing": {
            "slots": answers.signing_slots,
            "started_a_second": signing.STARTED_A_SECOND,
            "variable": signing.SLOT,
        },
        "variables": {"mark": MARK, "policy": POLICY},
    }
    return f"-- {' '.join(header.splitlines())}\nlocal CONFIG = {_lua(values)}\n{BODY}".encode("ascii")


def _domain_values(domains: t.Sequence[str]) -> dict[str, _Value]:
    readable = dict(_readable_forms(domains))
    return {"primary": domains[0], "domains": _buckets(domains, readable), "lower": _lower_letters(readable)}


def _document_values(path: str, answers: Answers, contents: t.Iterable[bytes]) -> dict[str, _Value]:
    names = ("autoconfig", "personal_autoconfig", "autodiscover", "profile", "general_profile", "logins")
    return {
        "files": {name: getattr(answers, name) for name in names if getattr(answers, name)},
        "paths": {"autoconfig": clients.AUTOCONFIG_PATH, "autodiscover": clients.AUTODISCOVER_PATH},
        "targets": {
            "autoconfig": {"file": answers.autoconfig, "kind": DOCUMENT},
            **_autodiscover_target(path, answers),
        },
        "pages": {page.language: {"file": page.file, "policy": page.policy} for page in answers.pages},
        "language": answers.pages[0].language if answers.pages else "",
        "profile_name": answers.profile_name,
        # A new document is a new script with this, for which Apache is reloaded.
        "digest": hashlib.sha256(b"".join(contents)).hexdigest(),
    }


def _autodiscover_target(path: str, answers: Answers) -> dict[str, _Value]:
    if not answers.autodiscover:
        return {}
    if answers.personal:
        return {"autodiscover": {"file": path, "kind": RESPONDER}}
    return {"autodiscover": {"file": answers.autodiscover, "kind": DOCUMENT}}


def _readable_forms(domains: t.Iterable[str]) -> t.Iterator[tuple[str, str]]:
    """For each IDN, how people write it, and its form in ASCII."""
    for domain in domains:
        if "xn--" in domain:
            readable = ".".join(map(_readable_label, domain.split(".")))
            if readable != domain:
                yield readable, domain


def _readable_label(label: str) -> str:
    """A label as people write it; as it is if nobody can write it otherwise."""
    if not label.startswith("xn--"):
        return label
    try:
        return label.encode("ascii").decode("idna")
    except UnicodeError:
        pass
    # Python's codec (IDNA 2003) refuses letters that only IDNA 2008 keeps; without them it must know the label.
    try:
        text = label[len("xn--") :].encode("ascii").decode("punycode")
        others = "".join(letter for letter in text if letter not in IDNA_DEVIATIONS)
        return text if text != others and others == others.encode("idna").decode("idna") else label
    except UnicodeError:
        return label


def _buckets(domains: t.Collection[str], readable: t.Mapping[str, str]) -> list[str]:
    """The domains in strings of a few, by a hash that the script computes too; an IDN also as ``readable=ascii``.

    A table of ten thousand names would cost each of Apache's threads a megabyte, one long string a search through all of it.
    """
    buckets: list[list[str]] = [[] for _number in range(1 + len(domains) // _DOMAINS_IN_A_BUCKET)]
    for form in sorted({*domains, *readable}):
        buckets[_hash(form.encode()) % len(buckets)].append(form if form not in readable else f"{form}={readable[form]}")
    return ["".join(f"|{form}" for form in bucket) + "|" for bucket in buckets]


def _hash(name: bytes) -> int:
    value = 0
    for byte in name:
        value = (value * 31 + byte) % _HASH_MODULUS
    return value


def _lower_letters(names: t.Iterable[str]) -> dict[str, str]:
    """The letters of the names by their capitals beyond ASCII, which Lua's own ``string.lower`` does not know."""
    letters = sorted({letter for name in names for letter in name})
    return {letter.upper(): letter for letter in letters if _is_lower_form(letter, letter.upper())}


def _is_lower_form(letter: str, capital: str) -> bool:
    return len(capital) == 1 and not capital.isascii() and capital != letter == capital.lower()


def _secure_hosts(label: str, domains: t.Sequence[str], secure: t.Collection[str]) -> dict[str, _Value]:
    """For which domains the host of a service has a certificate: what is usual, and the domains for which it is otherwise."""
    parts: dict[bool, list[str]] = {True: [], False: []}
    for domain in domains:
        parts[f"{label}.{domain}" in secure].append(domain)
    usual = len(parts[True]) > len(parts[False])
    return {"usual": usual, "exceptions": _buckets(parts[not usual], {})}


def _lua(value: _Value, indent: str = "") -> str:
    """A value as an expression of Lua."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _quoted(value)
    inner = indent + "  "
    if isinstance(value, collections.abc.Mapping):
        # Names in brackets, because one that is a word of Lua (the language "or") could not stand alone.
        items = [f"[{_quoted(key)}] = {_lua(item, inner)}" for key, item in value.items()]
    else:
        items = [_lua(item, inner) for item in value]
    return "{\n" + "".join(f"{inner}{item},\n" for item in items) + indent + "}"


def _quoted(text: str) -> str:
    """A string of Lua: what is not a plain character of ASCII as three decimal digits (Lua 5.3 reference manual, section 3.1)."""
    if _PLAIN.fullmatch(text):
        return f'"{text}"'
    return '"' + "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03}" for byte in text.encode()) + '"'
