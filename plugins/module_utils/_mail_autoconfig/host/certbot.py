"""certbot on a host: what it has, and having it order.

PRIVATE to the collection. Seen with certbot 2.1 (Debian 12):

- with ``--cert-name`` it replaces the names of a lineage without a question, so the name has to be one that is ours or free;
- it exits with 0 also if it keeps what is there, so a new certificate shows in where ``live`` leads alone;
- one at a time: another one is refused, also where that one is the timer's;
- it takes a new nonce once (RFC 8555 section 6.5). If that is no good either, it ends, with words that say nothing of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
import os
import re
import shlex
import time
import typing as t
from urllib.parse import urlsplit

from ..apache.managed_domains import AcmeOptions
from ..certificates import Certificate
from ..lineages import BETWEEN_ATTEMPTS, CERTBOT_DIRECTORY, Failure, Lineage, Store, names_of
from . import certbot_log, filesystem
from .certbot_log import Answer
from .commands import Result, Runner
from .platform import Platform
from .server import Server

PROGRAM = "certbot"
FAILURES = "failed-orders.json"
# Set while a run orders: it reloads Apache itself, and looks at it first.
_ORDERING = "MAIL_AUTOCONFIG_ORDERING"
_PAUSE = 2.0
_FIRST_WITH_PROFILES = 4
_LONGEST_WORDS = 300
_BUSY = "Another instance of Certbot is already running"
# The words of acme/client.py (_send_request) and of requests; those of an authority about a host of ours read otherwise.
_NOT_REACHED = ("ValueError: Requesting ", "requests.exceptions.")
# Between the kind and the detail of what an authority refuses (acme/messages.py, Error).
_PROBLEM, _NONCE = " :: ", "anti-replay nonce"
# RFC 8555 section 6.7; it comes of no order, so that each one would end so.
_NO_ACCOUNT = "accountDoesNotExist"
_ATTEMPTS = 3
_DETAILS = re.compile(r"^\s*Domain: (.+)\n\s*Type: .*\n\s*Detail: (.+)$", re.MULTILINE)
_SETTING = re.compile(r"^(\w+) *= *(.*)$", re.MULTILINE)
# Of a lineage: the paths of its parts, and the first line of what it is renewed with.
_NEEDED = {"cert", "privkey", "chain", "fullchain", "authenticator"}
_FRAME = ("Saving debug log", "Requesting a certificate", "Ask for help", "Hint:", "Account registered", "Renewing an existing")

# Runs a command in an environment with these additions, for so many seconds. Raises OSError, TimeoutError among them.
Call = t.Callable[[t.Sequence[str], t.Mapping[str, str], float], Result]


# -- what it has ----------------------------------------------------------------------------------------------------------


def look(
    platform: Platform,
    server: Server,
    state_directory: str,
    domains: t.Collection[str],
    is_installed: bool,
    lineages: t.Collection[str] = (),
    webroot: str = "",
) -> Store:
    """What there is of certbot.

    :arg domains: mail domains for which it may have to order
    :arg lineages: those of which to tell which names are validated from ``webroot``
    """
    directory = platform.certbot_directory
    return Store(
        directory=directory,
        # Which unit of systemd it runs in, and what was issued when, matters only if something may be ordered.
        reload=platform.reload_when_sound(server.unit(), server.pid_file) if domains else "",
        is_installed=is_installed,
        is_renewing=platform.renews_lineages(),
        taken=frozenset(name for domain in domains for name in names_of(domain) if _is_taken(directory, name)),
        validated={name: _validated(f"{directory}/renewal/{name}.conf", webroot) for name in lineages},
        issued=filesystem.changed_at(directory, "archive/*/cert*.pem") if domains else (),
        failures=failures(state_directory),
    )


def can_renew(pair: Certificate) -> bool:
    """Whether certbot takes a pair in its ``live`` for a lineage (RenewableCert in storage.py), and renews that.

    Of others it neither says much nor uses the name again: what is ordered by that gets another one.
    """
    live, name = os.path.split(os.path.dirname(pair.file))
    try:
        with open(f"{os.path.dirname(live)}/renewal/{name}.conf", encoding="utf-8") as stream:
            keys = {key for key, value in _SETTING.findall(stream.read()) if value}
    except (OSError, ValueError):
        return False
    return keys >= _NEEDED


def takes_profiles(run: Runner) -> bool:
    """Whether certbot knows profiles of certificates, by its version (CHANGELOG.md, 4.0.0); True where that cannot be told."""
    try:
        version = re.search(r"^certbot (\d+)\.", run([PROGRAM, "--version"], {"LC_ALL": "C"}).said, re.MULTILINE)
    except OSError:
        return True
    return not version or int(version[1]) >= _FIRST_WITH_PROFILES


def _is_taken(directory: str, name: str) -> bool:
    return any(os.path.lexists(f"{directory}/{path}") for path in (f"renewal/{name}.conf", f"live/{name}", f"archive/{name}"))


def _validated(path: str, webroot: str) -> frozenset[str]:
    """The host names of a lineage whose challenges are answered from a directory: the section ``webroot_map`` of its file."""
    try:
        with open(path, encoding="utf-8") as stream:
            lines = stream.read().partition("[[webroot_map]]")[2].partition("[")[0].splitlines()
    except (OSError, ValueError):
        return frozenset()
    entries = [line.partition("=") for line in lines]
    return frozenset(
        name.strip() for name, _sign, root in entries if root and os.path.realpath(root.strip()) == os.path.realpath(webroot)
    )


# -- what failed ----------------------------------------------------------------------------------------------------------


def failures(state_directory: str) -> dict[str, Failure]:
    """The orders that have failed, by mail domain; what cannot be read is forgotten."""
    try:
        with open(os.path.join(state_directory, FAILURES), encoding="utf-8") as stream:
            return {domain: Failure(**entry) for domain, entry in json.load(stream).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def remember(state_directory: str, domain: str, failure: Failure | None) -> None:
    """Keep that the order of a mail domain has failed, or forget it; with it goes what forbids nothing any more."""
    _change(state_directory, [domain], {domain: failure} if failure else {})


def forget(state_directory: str, domains: t.Collection[str]) -> None:
    """Forget the failures of mail domains."""
    _change(state_directory, domains, {})


def _change(state_directory: str, gone: t.Collection[str], new: t.Mapping[str, Failure]) -> None:
    path = os.path.join(state_directory, FAILURES)
    before, now = failures(state_directory), time.time()
    kept = {domain: entry for domain, entry in before.items() if domain not in gone and _counts(entry, now)}
    known = {**kept, **new}
    if known == before:
        return
    if known:
        text = json.dumps({domain: vars(entry) for domain, entry in known.items()}, indent=1, sort_keys=True)
        filesystem.write(path, f"{text}\n".encode())
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _counts(failure: Failure, now: float) -> bool:
    return now < failure.until or now - failure.at < BETWEEN_ATTEMPTS


# -- ordering -------------------------------------------------------------------------------------------------------------


def places(directory: str) -> list[str]:
    """The directories into which it writes.

    :arg directory: of its configuration
    """
    below = [directory, *filter(os.path.ismount, (f"{directory}/{name}" for name in ("accounts", "archive", "live", "renewal")))]
    return [*below, *_elsewhere(directory).values()]


def _elsewhere(directory: str) -> dict[str, str]:
    """By option, the other directories that it uses: its own ones belong to its own configuration."""
    names = {"--work-dir": "work", "--logs-dir": "logs"}
    if directory != CERTBOT_DIRECTORY:
        return {option: f"{directory}/{name}" for option, name in names.items()}
    return {"--work-dir": "/var/lib/letsencrypt", "--logs-dir": "/var/log/letsencrypt"}


def hook(reload: str) -> str:
    """What certbot runs after each renewal of a lineage; its first word has to be a program, so it is not a script as such.

    :arg reload: a command for a shell that lets Apache use a new certificate
    """
    return f"sh -c {shlex.quote(f'test ${{{_ORDERING}:-0}} = 1 || {{ {reload}; }}')}"


def command(store: Store, lineage: Lineage, webroot: str, options: AcmeOptions, keeps_key: bool) -> list[str]:
    """What orders a lineage.

    :arg keeps_key: whether its renewals shall have the same key
    """
    directory = store.directory
    elsewhere = [word for pair in _elsewhere(directory).items() for word in pair] if directory != CERTBOT_DIRECTORY else []
    return [
        *(PROGRAM, "certonly", "--non-interactive", "--agree-tos", "--email", options.contact, "--server", options.directory),
        *("--config-dir", directory, *elsewhere, "--webroot", "--webroot-path", webroot),
        *("--cert-name", lineage.name, "--keep-until-expiring", "--deploy-hook", hook(store.reload)),
        *(["--reuse-key"] if keeps_key else []),
        # Without one of that name, the authority's default: certificates go on coming when it has changed its profiles.
        *(["--preferred-profile", options.profile] if options.profile else []),
        *(word for host in lineage.hosts for word in ("--domain", host)),
    ]


def environment(options: AcmeOptions) -> dict[str, str]:
    """The variables for it."""
    return {_ORDERING: "1", **({"REQUESTS_CA_BUNDLE": options.ca_file} if options.ca_file else {})}


def order(arguments: t.Sequence[str], options: AcmeOptions, end: float, call: Call) -> Failure | None:
    """Have certbot order, once more where it stumbled or another one was in its way; why it failed.

    :arg end: until when, of ``time.monotonic``
    """
    stumbles = 0
    while True:
        seconds = max(1.0, end - time.monotonic())
        try:
            result = call(arguments, environment(options), seconds)
        except OSError as exc:
            return Failure(time.time(), options.directory, str(exc), alone=False)
        if result.status == 0:
            return None
        answer = certbot_log.last_answer(result.said, arguments[2:], time.time())
        reason = _reason(result.said, answer)
        stumbles += reason is _Reason.STUMBLED
        is_over = reason not in (_Reason.STUMBLED, _Reason.BUSY) or stumbles == _ATTEMPTS
        if is_over or time.monotonic() + _PAUSE >= end:
            return _failure(reason, answer, result.said, options.directory)
        time.sleep(_PAUSE)


class _Reason(enum.Enum):
    """Why certbot failed.

    The authority refused the order, or does not know our account, or has had enough of us, or has trouble of its own, or is away;
    another certbot runs; or this one stumbled over something.
    """

    REFUSED, LOST, LIMITED, TROUBLED, AWAY, BUSY, STUMBLED = range(7)


def _reason(said: str, answer: Answer) -> _Reason:
    answered = {
        _Reason.LIMITED: answer.is_limit,
        _Reason.TROUBLED: answer.is_trouble,
        _Reason.LOST: answer.kind == _NO_ACCOUNT,
        _Reason.REFUSED: answer.is_refusal or _DETAILS.search(said) or (_PROBLEM in said and _NONCE not in said),
        _Reason.BUSY: _BUSY in said,
        _Reason.AWAY: any(text in said for text in _NOT_REACHED),
    }
    return next((reason for reason, is_so in answered.items() if is_so), _Reason.STUMBLED)


def _failure(reason: _Reason, answer: Answer, said: str, directory: str) -> Failure:
    now = time.time()
    # An authority counts what it refuses.
    is_counted = reason in (_Reason.REFUSED, _Reason.STUMBLED) or (reason is _Reason.LIMITED and not answer.again)
    until = now + BETWEEN_ATTEMPTS if is_counted else answer.again
    text = answer.words if answer.words and reason is not _Reason.BUSY and not _DETAILS.search(said) else words(said)
    url = urlsplit(directory)
    mend = f"; delete accounts/{url.netloc}{url.path} in {PROGRAM}'s directory" if reason is _Reason.LOST else ""
    is_alone = reason in (_Reason.REFUSED, _Reason.STUMBLED)
    return Failure(now, directory, " ".join(text.split())[:_LONGEST_WORDS] + mend, until, is_alone)


def words(said: str) -> str:
    """Why an order failed, without what certbot says each time; the authority's own words where there are any."""
    details = _DETAILS.findall(said)
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.strip().startswith(_FRAME)]
    text = "; ".join(f"{domain}: {detail}" for domain, detail in details) or " ".join(lines)
    return " ".join(text.split())[:_LONGEST_WORDS] or "certbot does not say why"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of orders, by mail domain.

    :ivar begun: those that certbot was asked for
    :ivar issued: those that have a new certificate
    :ivar failed: why the others have none
    """

    begun: frozenset[str] = frozenset()
    issued: frozenset[str] = frozenset()
    failed: t.Mapping[str, Failure] = dataclasses.field(default_factory=dict)


def order_all(
    lineages: t.Mapping[str, Lineage],
    arguments: t.Callable[[Lineage], t.Sequence[str]],
    directory: str,
    state_directory: str,
    options: AcmeOptions,
    call: Call,
    progress: t.Callable[[str], None],
) -> Outcome:
    """Have certbot order one after the other, as long as there is time and the authority takes orders.

    :arg lineages: by mail domain
    :arg arguments: the command for one
    :arg directory: certbot's
    """
    end = time.monotonic() + options.wait_seconds
    begun: list[str] = []
    issued: list[str] = []
    failed: dict[str, Failure] = {}
    for domain, lineage in lineages.items():
        if time.monotonic() >= end:
            break
        file = f"{directory}/live/{lineage.name}/fullchain.pem"
        before = os.path.realpath(file) if os.path.exists(file) else ""
        begun.append(domain)
        failure = order(arguments(lineage), options, end, call)
        remember(state_directory, domain, failure)
        if failure is not None:
            failed[domain] = failure
        elif os.path.realpath(file) != before:
            issued.append(domain)
        progress(f"certbot was asked for {len(begun)} of {len(lineages)} certificates, {len(failed)} failed")
        if failure is not None and not failure.alone:
            break
    return Outcome(frozenset(begun), frozenset(issued), failed)
