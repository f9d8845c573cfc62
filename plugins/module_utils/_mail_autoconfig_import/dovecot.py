"""What Dovecot 2.3 or 2.4 offers, asked with ``doveconf``.

PRIVATE to the collection. doc.dovecot.org (2.3 and 2.4); what is not there was tried with 2.3.19 and 2.4.1:

- listeners of protocols that are off are shown as well;
- ``auth_mechanisms`` inside ``protocol pop3 {}`` changes nothing of what POP3 offers, ``ssl`` there does;
- 2.4 shows ``ssl_server_cert_file`` as ``cert_file`` in a block ``ssl_server``, and as empty if asked for by its own name;
- 2.3 names the blocks wrongly where only ``service/imap-login/inet_listener`` is asked for, so that the whole service is.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .commands import Runner, output_of, shown
from .doveconf import MOST_WORDS, Block, parse
from .model import (
    CLEARTEXT,
    IMAP,
    MANAGESIEVE,
    MOST,
    PLAIN,
    POP3,
    SSL,
    STARTTLS,
    SUBMISSION,
    CannotTellError,
    CertificateUse,
    Listener,
    Program,
    Unknown,
    is_loopback,
)

NAME = "dovecot"
_VERSION = re.compile(r"(2)\.([34])\.\d+")
# Of these it is certain that they are offered without TLS as well; of the others it is not.
_ENCRYPTED = re.compile(r"(CRAM-MD5|DIGEST-MD5|SCRAM-SHA-(1|256))\Z")
_MECHANISM = re.compile(r"[A-Z0-9_-]{1,20}\Z")


@dataclasses.dataclass(frozen=True)
class _Dialect:
    """What differs between the versions.

    :ivar cleartext: the setting for passwords without TLS, and its value that allows them
    :ivar certificate: what is asked for it
    :ivar addresses: the setting of a listener
    """

    cleartext: tuple[str, str]
    certificate: str
    addresses: str


_DIALECTS = {
    "3": _Dialect(("disable_plaintext_auth", "no"), "ssl_cert", "address"),
    "4": _Dialect(("auth_allow_cleartext", "yes"), "ssl_server/cert_file", "listen"),
}
# The name of each service in ``protocols``, and of the process that listens.
_PROTOCOLS = {
    IMAP: ("imap", "imap-login"),
    POP3: ("pop3", "pop3-login"),
    SUBMISSION: ("submission", "submission-login"),
    MANAGESIEVE: ("sieve", "managesieve-login"),
}


@dataclasses.dataclass(frozen=True)
class _General:
    """What is the same for all protocols."""

    dialect: _Dialect
    protocols: tuple[str, ...]
    addresses: tuple[str, ...]
    mechanisms: tuple[str, ...]
    cleartext: bool


def gather(run: Runner) -> Program:
    """What Dovecot says of itself. Never raises."""
    command = ("dovecot", "--version")
    try:
        version = _version(output_of(run, *command))
    except CannotTellError as exc:
        return Program(NAME, unknown=(Unknown(NAME, str(exc), shown(command)),))
    found = Program(NAME, version, shown(command))
    try:
        general = _general(run, _DIALECTS[version.split(".")[1]])
    except CannotTellError as exc:
        return dataclasses.replace(found, unknown=(Unknown(NAME, str(exc), "doveconf protocols"),))
    listeners: list[Listener] = []
    unknown: list[Unknown] = []
    for service, (protocol, process) in _PROTOCOLS.items():
        if protocol not in general.protocols:
            continue
        asked = ("doveconf", "-f", f"protocol={protocol}", f"service/{process}", "ssl", general.dialect.certificate)
        try:
            settings = parse(output_of(run, *asked))
            files, problem = _certificate(settings, general.dialect)
            listeners += tuple(_listeners(service, process, general, settings, files))
        except CannotTellError as exc:
            unknown.append(Unknown(service, str(exc), shown(asked)))
            continue
        if problem:
            unknown.append(Unknown("certificates", f"{service}: {problem}", shown(asked)))
    uses, more = _by_name(run, general.dialect)
    own = tuple(
        CertificateUse(file, tuple(dict.fromkeys(each.service for each in listeners if file in each.certificates)), source)
        for file, source in {file: each.source for each in listeners for file in each.certificates}.items()
    )
    return dataclasses.replace(
        found,
        protocols=general.protocols,
        listeners=tuple(listeners),
        certificates=(*own, *uses),
        unknown=(*unknown, *more),
    )


def mechanisms(run: Runner) -> tuple[str, ...]:
    """What Dovecot offers to Postfix, too. Raises CannotTellError."""
    return _mechanisms(parse(output_of(run, "doveconf", "auth_mechanisms")))


def _version(text: str) -> str:
    found = _VERSION.match(text)
    if not found:
        raise CannotTellError("it is neither Dovecot 2.3 nor 2.4" if text.strip() else "dovecot does not say its version")
    return found.group()


def _general(run: Runner, dialect: _Dialect) -> _General:
    """Raises CannotTellError."""
    setting, allowing = dialect.cleartext
    shown_settings = parse(output_of(run, "doveconf", "protocols", "listen", "auth_mechanisms", setting))
    return _General(
        dialect,
        protocols=shown_settings.words("protocols"),
        addresses=shown_settings.words("listen"),
        mechanisms=_mechanisms(shown_settings),
        cleartext=shown_settings.boolean(setting) == (allowing == "yes"),
    )


def _mechanisms(settings: Block) -> tuple[str, ...]:
    words = [word.upper() for word in settings.words("auth_mechanisms")]
    if not words or not all(map(_MECHANISM.match, words)):
        raise CannotTellError("auth_mechanisms is not a list of mechanisms")
    return tuple(words)


def _listeners(
    service: str, process: str, general: _General, settings: Block, certificates: tuple[str, ...]
) -> t.Iterator[Listener]:
    """The listeners of one service. Raises CannotTellError."""
    ssl = settings.value("ssl")
    if ssl not in ("yes", "no", "required"):
        raise CannotTellError("doveconf shows ssl as none of yes, no and required")
    cleartext = general.cleartext and ssl != "required"
    blocks = list(settings.block(f"service {process}").named("inet_listener"))
    if len(blocks) > MOST_WORDS:
        raise CannotTellError(f"doveconf shows more listeners of {process} than any server has")
    for name, block in blocks:
        port = block.value("port")
        if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
            raise CannotTellError(f"doveconf shows no port of inet_listener {name}")
        # 2.4 leaves out what is off.
        is_ssl = block.boolean("ssl", None if general.dialect.addresses == "address" else "no")
        if is_ssl and ssl == "no":
            raise CannotTellError(f"inet_listener {name} has ssl = yes, but ssl = no stands for all")
        if port == "0":
            continue
        socket_type = SSL if is_ssl else PLAIN if ssl == "no" else STARTTLS
        addresses = _own_addresses(block, general)
        not_for_clients = (
            "it takes connections of a proxy only (haproxy = yes)"
            if block.boolean("haproxy", "no")
            else "it listens on the loopback only"
            if is_loopback(addresses)
            else ""
        )
        yield Listener(
            service,
            NAME,
            int(port),
            socket_type,
            addresses=addresses,
            before=() if socket_type == SSL else _without_tls(general.mechanisms, cleartext),
            after=() if socket_type == PLAIN else general.mechanisms,
            certificates=certificates,
            not_for_clients=not_for_clients,
            has_dovecots_users=True,
            source=f"doveconf -f protocol={_PROTOCOLS[service][0]} service/{process}",
        )


def _own_addresses(block: Block, general: _General) -> tuple[str, ...]:
    own = block.value(general.dialect.addresses, "")
    return tuple(own.replace(",", " ").split()) or general.addresses


def _without_tls(offered: tuple[str, ...], cleartext: bool) -> tuple[str, ...] | None:
    """The mechanisms that are offered without TLS, to others than the host itself; ``None`` where that cannot be told."""
    if cleartext:
        return offered
    left = tuple(each for each in offered if each not in CLEARTEXT)
    return left if all(map(_ENCRYPTED.match, left)) else None


def _certificate(settings: Block, dialect: _Dialect) -> tuple[tuple[str, ...], str]:
    """The path of the certificate, or why there is none. What stands in the configuration itself is never shown."""
    try:
        if settings.value("ssl") == "no":
            return (), ""
        if dialect.certificate == "ssl_cert":
            found = re.match(r"<\s*(/.*)", settings.value("ssl_cert"))
            path = found.group(1) if found else ""
        else:
            path = settings.block("ssl_server").value("cert_file")
    except CannotTellError as exc:
        return (), str(exc)
    return ((path,), "") if path.startswith("/") else ((), "the certificate is not the path of a file")


def _by_name(run: Runner, dialect: _Dialect) -> tuple[tuple[CertificateUse, ...], tuple[Unknown, ...]]:
    """Certificates for single names and addresses, and whether they could be told."""
    command = ("doveconf", "-n")
    try:
        settings = parse(output_of(run, *command))
        found = []
        for kind in ("local_name", "local"):
            for name, block in settings.named(kind):
                found += [CertificateUse(file, (), shown(command), (name,)) for file in _files_in(block, dialect)]
    except CannotTellError as exc:
        return (), (Unknown("certificates", str(exc), shown(command)),)
    return tuple(found[:MOST]), ()


def _files_in(block: Block, dialect: _Dialect) -> t.Iterator[str]:
    """The certificates in a block and in those that stand in it."""
    name = "ssl_cert" if dialect.certificate == "ssl_cert" else "cert_file"
    for key, value in block.settings:
        path = value[1:].strip() if value.startswith("<") else value
        if key == name and path.startswith("/"):
            yield path
    for inner in block.blocks:
        yield from _files_in(inner, dialect)
