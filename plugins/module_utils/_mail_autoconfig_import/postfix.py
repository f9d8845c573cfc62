"""What Postfix offers to mail clients, asked with ``postconf``, and the domains that it knows.

PRIVATE to the collection. postconf(1), postconf(5), master(5). Each service of ``master.cf`` is read twice, with its
overrides in its line (``-M``) and one by one (``-P``): where the two do not have the same ones, something is missing.
"""

from __future__ import annotations

import dataclasses
import re
import socket
import typing as t

from . import dovecot
from .commands import Runner, output_of
from .domains import DOMAIN, domains_of_postfix
from .model import (
    CLEARTEXT,
    PLAIN,
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

NAME = "postfix"
_SETTINGS = (
    *("mail_version", "myhostname", "mydestination", "virtual_mailbox_domains", "inet_interfaces", "message_size_limit"),
    *("multi_instance_directories", "smtpd_sasl_auth_enable", "smtpd_sasl_type", "smtpd_sasl_path"),
    *("smtpd_sasl_security_options", "smtpd_sasl_tls_security_options", "smtpd_tls_wrappermode", "smtpd_tls_security_level"),
    *("smtpd_use_tls", "smtpd_enforce_tls", "smtpd_tls_auth_only", "smtpd_upstream_proxy_protocol"),
    *("smtpd_tls_cert_file", "smtpd_tls_eccert_file"),
)
_USUAL_FILTER = "!external, static:rest"
# Settings of newer versions: since which Postfix 3 there are, and what the older ones do.
_NEWER = {
    "smtpd_sasl_mechanism_filter": (6, _USUAL_FILTER),
    "tls_server_sni_maps": (4, ""),
    "smtpd_tls_chain_files": (4, ""),
}
_PORTS = {"smtp": 25, "smtps": 465, "submissions": 465, "submission": 587}
# More network services than any server has.
_MOST_SERVICES = 100
_OVERRIDE = re.compile(r"(\S+)/([a-z-]+)/([A-Za-z0-9_]+) =(?: (.*))?\Z")
_OPTION = re.compile(r"-o\s*(?:\{\s*([A-Za-z0-9_]+)\s*=[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|([A-Za-z0-9_]+)=\S*)")


@dataclasses.dataclass(frozen=True)
class _Service:
    """A network service of master.cf: its name there, and every setting as it has it."""

    name: str
    settings: t.Mapping[str, str]

    @property
    def source(self) -> str:
        """The command that tells of it."""
        return f"postconf -P '{self.name}/inet/*'"

    def boolean(self, key: str) -> bool:
        """A setting that is yes or no. Raises CannotTellError."""
        value = self.settings[key].lower()
        if value not in ("yes", "no"):
            raise CannotTellError(f"{key} of {self.name} is neither yes nor no")
        return value == "yes"

    def words(self, key: str) -> tuple[str, ...]:
        """A setting that is a list."""
        return tuple(self.settings[key].replace(",", " ").split())


class _Offered(t.NamedTuple):
    """Mechanisms, or why they cannot be told."""

    mechanisms: tuple[str, ...] | None = None
    problem: str = ""


def gather(run: Runner) -> Program:
    """What Postfix says of itself. Never raises."""
    source = "postconf -x"
    try:
        settings = _settings(output_of(run, "postconf", "-x", *_SETTINGS, *_NEWER))
    except CannotTellError as exc:
        return Program(NAME, unknown=(Unknown(NAME, str(exc), source),))
    hostname = settings["myhostname"].lower()
    domains, unknown = domains_of_postfix(run, settings)
    found = Program(
        NAME, settings["mail_version"], source, hostname if DOMAIN.match(hostname) else "", domains=domains, unknown=unknown
    )
    if settings["multi_instance_directories"]:
        found = _with_unknown(
            found, Unknown(SUBMISSION, "there are further instances of Postfix, which are not looked at", source)
        )
    try:
        services = _services(output_of(run, "postconf", "-Mx"), output_of(run, "postconf", "-Px"), settings)
    except CannotTellError as exc:
        return _with_unknown(found, Unknown(SUBMISSION, str(exc), "postconf -Mx; postconf -Px"))
    offered = _dovecots(run, services)
    for service in services:
        try:
            if service.boolean("smtpd_sasl_auth_enable"):
                listener, problem = _listener(service, offered)
                found = dataclasses.replace(found, listeners=(*found.listeners, listener))
                found = _with_unknown(found, *([Unknown(SUBMISSION, problem, service.source)] if problem else []))
        except CannotTellError as exc:
            found = _with_unknown(found, Unknown(SUBMISSION, str(exc), service.source))
    return _with_certificates(found, settings)


def _with_unknown(found: Program, *unknown: Unknown) -> Program:
    return dataclasses.replace(found, unknown=(*found.unknown, *unknown))


def _with_certificates(found: Program, settings: t.Mapping[str, str]) -> Program:
    sources = {file: each.source for each in found.listeners for file in each.certificates}
    found = dataclasses.replace(found, certificates=tuple(CertificateUse(*each) for each in _uses(sources)))
    if settings["tls_server_sni_maps"]:
        why = "certificates by name stand in tables (tls_server_sni_maps), which hold keys too and are not read"
        return _with_unknown(found, Unknown("certificates", why, "postconf -x tls_server_sni_maps"))
    return found


def _uses(sources: t.Mapping[str, str]) -> t.Iterator[tuple[str, tuple[str, ...], str]]:
    return ((file, (SUBMISSION,), source) for file, source in sources.items())


# -- settings -----------------------------------------------------------------------------------------------------------


def _settings(text: str) -> dict[str, str]:
    """main.cf, with the settings of newer versions. Raises CannotTellError unless all are there."""
    found: dict[str, str] = {}
    for line in text.split("\n"):
        name, equals, value = line.partition(" =")
        if line and (not equals or name not in (*_SETTINGS, *_NEWER) or found.get(name, value.strip()) != value.strip()):
            raise CannotTellError("what postconf printed is not what it was asked for")
        if line:
            found[name] = value.strip()
    # 3.7.11, or 3.12-20260101 of those who develop it.
    version = re.match(r"3\.(\d{1,2})\b", found.get("mail_version", ""))
    if "mail_version" in found and not version:
        raise CannotTellError("it is no Postfix 3")
    older = {name: value for name, (since, value) in _NEWER.items() if version and int(version.group(1)) < since}
    missing = [name for name in (*_SETTINGS, *_NEWER) if name not in found and name not in older]
    if missing:
        raise CannotTellError(f"postconf does not show {', '.join(missing[:5])}")
    return {**older, **found}


def _overrides(text: str) -> dict[str, dict[str, str]]:
    """What network services have in place of main.cf, by their names. Raises CannotTellError."""
    own: dict[str, dict[str, str]] = {}
    for line in filter(None, text.split("\n")):
        found = _OVERRIDE.match(line)
        if not found:
            raise CannotTellError("what postconf -P printed is not a list of overrides")
        name, kind, key, value = found.groups()
        if kind == "inet":
            own.setdefault(name, {})[key] = (value or "").strip()
    return own


def _services(master: str, overrides: str, settings: t.Mapping[str, str]) -> list[_Service]:
    """The services for SMTP. Raises CannotTellError where the two outputs do not fit each other."""
    own = _overrides(overrides)
    services: dict[str, _Service] = {}
    named: dict[str, set[str]] = {}
    for line in filter(None, master.split("\n")):
        fields = line.split(None, 8)
        if len(fields) < 8 or line[0].isspace():
            raise CannotTellError("what postconf -M printed is not a list of services")
        name, kind, command = fields[0], fields[1], fields[7]
        if kind == "inet":
            if name in named:
                raise CannotTellError(f"postconf -M shows {name} twice")
            named[name] = {braced or plain for braced, plain in _OPTION.findall(fields[8] if len(fields) > 8 else "")}
        if kind == "inet" and command == "smtpd":
            services[name] = _Service(name, {**settings, **own.get(name, {})})
    differing = [name for name in (*named, *own) if named.get(name) != set(own.get(name, ()))]
    if differing:
        raise CannotTellError(f"postconf -M and postconf -P do not say the same of {differing[0]}")
    if len(named) > _MOST_SERVICES:
        raise CannotTellError("postconf -M shows more network services than any server has")
    if not named:
        raise CannotTellError("postconf -M shows no network service at all")
    return list(services.values())


# -- listeners ----------------------------------------------------------------------------------------------------------


def _listener(service: _Service, dovecots: _Offered) -> tuple[Listener, str]:
    """Where users hand in mail, and what of it could not be told. Raises CannotTellError."""
    port, addresses = _place(service)
    files = _certificates(service)
    socket_type = _socket_type(service, bool(files))
    offered, problem = _mechanisms(service, dovecots)
    in_clear = socket_type != SSL and not service.boolean("smtpd_tls_auth_only") and not _is_enforced(service)
    limit = service.settings["message_size_limit"]
    listener = Listener(
        SUBMISSION,
        NAME,
        port,
        socket_type,
        addresses,
        before=_allowed(offered, service.words("smtpd_sasl_security_options")) if in_clear else (),
        after=() if socket_type == PLAIN else _allowed(offered, service.words("smtpd_sasl_tls_security_options")),
        certificates=files if socket_type != PLAIN else (),
        not_for_clients=_not_for_clients(service, port, addresses),
        has_dovecots_users=_asks_this_dovecot(service),
        message_size_limit=int(limit) if re.fullmatch(r"[0-9]{1,18}", limit) else None,
        source=service.source,
    )
    return listener, problem


def _place(service: _Service) -> tuple[int, tuple[str, ...]]:
    """Port and addresses. Raises CannotTellError."""
    address, _colon, name = service.name.rpartition(":")
    port = int(name) if re.fullmatch(r"[0-9]{1,5}", name) else _PORTS.get(name, 0) or _known(name)
    if not 0 < port < 65536:
        raise CannotTellError(f"{name} is not the name of a port here")
    interfaces = service.words("inet_interfaces")
    if address:
        return port, (address.strip("[]"),)
    if interfaces == ("loopback-only",):
        return port, ("127.0.0.1", "::1")
    return port, () if "all" in interfaces else interfaces


def _known(name: str) -> int:
    try:
        return socket.getservbyname(name, "tcp")
    except (OSError, UnicodeError, ValueError):
        return 0


def _not_for_clients(service: _Service, port: int, addresses: tuple[str, ...]) -> str:
    if service.settings["smtpd_upstream_proxy_protocol"]:
        return "it takes connections of a proxy only (smtpd_upstream_proxy_protocol)"
    if is_loopback(addresses):
        return "it listens on the loopback only"
    return "port 25 is for mail from other servers, and many networks block it" if port == 25 else ""


def _socket_type(service: _Service, has_certificate: bool) -> str:
    """Raises CannotTellError."""
    level = service.settings["smtpd_tls_security_level"]
    if level not in ("", "none", "may", "encrypt"):
        raise CannotTellError(f"smtpd_tls_security_level of {service.name} is none of none, may and encrypt")
    if service.boolean("smtpd_tls_wrappermode"):
        found = SSL
    elif level in ("may", "encrypt") or (
        not level and (service.boolean("smtpd_use_tls") or service.boolean("smtpd_enforce_tls"))
    ):
        found = STARTTLS
    else:
        found = PLAIN
    if found != PLAIN and not has_certificate:
        raise CannotTellError(f"{service.name} is to have TLS, but no certificate is set")
    return found


def _is_enforced(service: _Service) -> bool:
    """Whether nothing is done before TLS."""
    level = service.settings["smtpd_tls_security_level"]
    return level == "encrypt" or (not level and service.boolean("smtpd_enforce_tls"))


def _certificates(service: _Service) -> tuple[str, ...]:
    """The files that Postfix looks into; the first setting wins."""
    keys = (
        ("smtpd_tls_chain_files",)
        if service.settings["smtpd_tls_chain_files"]
        else ("smtpd_tls_cert_file", "smtpd_tls_eccert_file")
    )
    return tuple(file for key in keys for file in service.words(key) if file.startswith("/"))


def _asks_this_dovecot(service: _Service) -> bool:
    """Whether passwords are checked by the Dovecot of this host."""
    settings = service.settings
    return settings["smtpd_sasl_type"] == "dovecot" and not settings["smtpd_sasl_path"].startswith("inet:")


def _dovecots(run: Runner, services: t.Iterable[_Service]) -> _Offered:
    """What Dovecot offers to Postfix, if that asks it at all."""
    if not any(map(_asks_this_dovecot, services)):
        return _Offered()
    try:
        return _Offered(dovecot.mechanisms(run))
    except CannotTellError as exc:
        return _Offered(None, str(exc))


def _mechanisms(service: _Service, dovecots: _Offered) -> tuple[tuple[str, ...] | None, str]:
    """What is offered before Postfix leaves out some, or why that cannot be told."""
    kind = service.settings["smtpd_sasl_type"]
    if kind != "dovecot":
        return (
            None,
            f"the mechanisms of {service.name} are those of {kind or 'nothing'} (smtpd_sasl_type), which is not looked at",
        )
    if not _asks_this_dovecot(service):
        return None, f"{service.name} asks a Dovecot over the network (smtpd_sasl_path), which may be another one"
    if service.settings["smtpd_sasl_mechanism_filter"] != _USUAL_FILTER:
        return None, f"{service.name} leaves out mechanisms in a way of its own (smtpd_sasl_mechanism_filter)"
    if dovecots.mechanisms is None:
        return None, f"the mechanisms of {service.name} are Dovecot's: {dovecots.problem}"
    return tuple(each for each in dovecots.mechanisms if each != "EXTERNAL"), ""


def _allowed(offered: tuple[str, ...] | None, options: t.Iterable[str]) -> tuple[str, ...] | None:
    """What the security options leave of the mechanisms; ``None`` where that cannot be told."""
    without = {"noanonymous": frozenset(("ANONYMOUS",)), "noplaintext": CLEARTEXT, "": frozenset[str]()}
    words = tuple(options)
    if offered is None or not all(word in without for word in words):
        return None
    return tuple(each for each in offered if not any(each in without[word] for word in words))
