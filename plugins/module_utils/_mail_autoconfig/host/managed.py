"""What mod_md has in its store, and waiting for what it orders.

PRIVATE to the collection. The store belongs to mod_md: ``domains/NAME`` is what Apache serves, ``staging/NAME`` what comes with
the next reload, or an order under way (modules/md/md_reg.c, md_status.c). Seen with Apache 2.4.68 and 2.4.71:

- in the first graceful restart with the module mod_md does nothing at all (``mod_md_init_key`` in mod_md.c); the second counts;
- an order that failed is tried again by itself, half a minute later and then in ever longer times, or next day if the authority
  wants something else; a reload does not shorten that unless what is staged is gone.
"""

from __future__ import annotations

import concurrent.futures
import email.utils
import json
import os
import shutil
import socket
import syslog
import time
import typing as t

from ..certificates import PairFacts
from ..orders import PROBLEM_KINDS, Addresses, Entry, again_in
from . import filesystem, twin_network

_AT_ONCE = 16
_PAUSE = 0.5
# A second attempt follows half a minute after the first, and mends what was a moment's fault.
_ATTEMPTS = 2
# It has written down all that it is told of when a reload is over; what is not there by then is somewhere else.
_APPEARS_WITHIN = 30
# Let's Encrypt allows five failed validations an hour, host name and account.
_BETWEEN_ATTEMPTS = 15 * 60
# Of what no authority counts, because it was away or had trouble.
_BETWEEN_CONTACTS = 60
# After a limit of an authority that does not say when it ends.
_LIMITED = 60 * 60
# What mod_md says of an answer that is no problem document (md_acme.c).
_TROUBLE = "unexpected http status: 5"
_CONTACTING = "Contacting ACME server"
_NO_CONTACT = "Unsuccessful in contacting ACME server"
# APR_EGENERAL (apr_errno.h), for which curl's errors stand but a few.
_UNSPECIFIC = 20014
# The kinds of problem that it finds in Apache rather than with the authority, such as a command that fails.
_OF_APACHE = "urn:org:apache:httpd:log:"
_LONGEST_WORDS = 300

Read = t.Callable[[str], PairFacts]


def entries(store: str, names: t.Iterable[str], read: Read) -> dict[str, Entry]:
    """What the store has of managed domains; those that it does not know are left out.

    :arg read: tells the names in a certificate, and the time of its validity
    """
    return {name: entry for name in names for entry in [_entry(store, name, read)] if entry is not None}


def _entry(store: str, name: str, read: Read) -> Entry | None:
    known = _json(f"{store}/domains/{name}/md.json")
    if not known:
        return None
    facts = read(f"{store}/domains/{name}/pubcert.pem")
    job = _json(f"{store}/staging/{name}/job.json")
    last = _mapping(job.get("last"))
    errors = job["errors"] if isinstance(job.get("errors"), int) else 0
    words, tried = _words(job, last), _time(job.get("last-run"))
    staged = job.get("finished") is True and os.path.isfile(f"{store}/staging/{name}/pubcert.pem")
    # ``urls`` are those that the configuration names now; ``url`` stays that of the last order (md_reg_sync_finish in md_reg.c).
    authority = _mapping((_json(f"{store}/staging/{name}/md.json") if staged else known).get("ca")).get("url")
    return Entry(
        names=tuple(item for item in known.get("domains", ()) if isinstance(item, str)),
        certified=facts.names,
        begins=facts.begins,
        ends=facts.ends,
        staged=staged,
        errors=errors,
        tried=tried,
        tries=_time(job.get("next-run")),
        words=words or ("no reason is told" if errors else ""),
        reached=not _is_away(last),
        again=(again_in(words) or tried + _LIMITED) if words.startswith(f"{PROBLEM_KINDS}rateLimited") else 0,
        authority=authority if isinstance(authority, str) else "",
    )


def places(store: str) -> list[str]:
    """The directories into which it writes: the store, and what may be mounted below it."""
    return [store, *filter(os.path.ismount, (f"{store}/{name}" for name in ("accounts", "archive", "domains", "staging", "tmp")))]


def _json(path: str) -> dict[str, t.Any]:
    try:
        with open(path, encoding="utf-8") as stream:
            return _mapping(json.load(stream))
    except (OSError, ValueError):
        return {}  # not there, or being written at this moment


def _mapping(value: t.Any) -> dict[str, t.Any]:
    return value if isinstance(value, dict) else {}


def issued(store: str) -> tuple[float, ...]:
    """When the certificates in the store came."""
    return filesystem.changed_at(store, "domains/*/pubcert*.pem")


def _time(value: t.Any) -> float:
    if not isinstance(value, str):
        return 0
    try:
        return email.utils.parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError):
        return 0


def _words(job: t.Mapping[str, t.Any], last: t.Mapping[str, t.Any]) -> str:
    """Why an order failed or stands still, in the authority's words as far as mod_md passes them on; empty for no reason.

    A command of the administrator's that fails (``MDMessageCmd``) stops an order, and is not counted as an error of it.
    """
    if job.get("finished") is True or not (job.get("errors") or last.get("status")):
        return ""
    log = _mapping(job.get("log")).get("entries")
    details = [str(_mapping(entry).get("detail", "")) for entry in (log if isinstance(log, list) else ())]
    refused = next((detail.partition(": ")[2] for detail in details if " failed, CA considers " in detail), "")
    detail = _no_contact(last) or refused or last.get("detail")
    said = dict.fromkeys(str(part).rstrip(":") for part in (last.get("problem"), detail) if part)
    return " ".join(": ".join(said).split())[:_LONGEST_WORDS]


def _no_contact(last: t.Mapping[str, t.Any]) -> str:
    """Why the authority was not reached, where that is so; mod_md itself gives advice of many words, and not the reason."""
    detail = str(last.get("detail", ""))
    if not detail.startswith(_NO_CONTACT):
        return ""
    what = detail.partition(">. ")[0].rstrip(".").rstrip(">") + ">"
    if last.get("status") == _UNSPECIFIC:
        return f"{what}: it does not answer, or its certificate is not valid here (acme_ca_file, the clock of this host)"
    return f"{what}: {last.get('status-description') or 'no reason is told'}"


def _is_away(last: t.Mapping[str, t.Any]) -> bool:
    """Whether the authority was not reached, or had trouble of its own."""
    is_trouble = str(last.get("problem", "")) == f"{PROBLEM_KINDS}serverInternal" or str(last.get("detail", "")).startswith(
        _TROUBLE
    )
    return is_trouble or str(last.get("activity", "")).startswith(_CONTACTING)


def due_again(entry: Entry, now: float, end: float) -> bool:
    """Whether an order that has failed, or stands still, should be begun anew, rather than be tried when mod_md does so.

    :arg end: until when a run waits; what mod_md tries by then is not begun anew
    """
    if entry.staged or now < entry.again or (entry.errors and now < entry.tries <= end):
        return False
    if not entry.errors:
        return _stands_still(entry)
    return now > entry.tried + (_BETWEEN_ATTEMPTS if entry.reached else _BETWEEN_CONTACTS)


def _stands_still(entry: Entry) -> bool:
    """Whether mod_md has given up without an attempt; it does not go on with that before the next reload."""
    return not entry.errors and entry.words.startswith(_OF_APACHE)


def kept(entry: Entry, before: Entry) -> Entry:
    """What a failed order is still about where a reload made mod_md forget why it failed; it knows only when it tries again."""
    is_forgotten = before.errors and not (entry.errors or entry.words or entry.staged or entry.certified)
    return before if is_forgotten else entry


def forget_failure(store: str, name: str) -> None:
    """Let mod_md begin an order anew at the next reload."""
    shutil.rmtree(f"{store}/staging/{name}", ignore_errors=True)


def wait(
    look: t.Callable[[], t.Mapping[str, Entry]],
    wanted: t.Mapping[str, t.Collection[str]],
    seconds: float,
    progress: t.Callable[[str], None],
) -> t.Mapping[str, Entry]:
    """Wait until certificates are there; what the store has then.

    Not longer for orders that have failed twice, or are not tried again in time, or not as long as the authority wants no more:
    mod_md goes on with them by itself. Nor for those that it does not go on with, nor for those that the store does not know,
    once nothing has come to it for a while.

    :arg look: reads the entries of the store
    :arg wanted: the names that each certificate is to have, by managed domain
    :arg progress: is told how far it is
    """
    end = time.monotonic() + seconds
    begun: dict[str, int] = {}
    said = known = -1
    appears = 0.0
    while True:
        found = look()
        if len(found) != known:
            known, appears = len(found), time.monotonic() + _APPEARS_WITHIN
        for name, entry in found.items():
            begun.setdefault(name, entry.errors if not entry.reached else 0)
        left = [name for name, names in wanted.items() if name not in found or not found[name].has(names)]
        latest = time.time() + end - time.monotonic()
        is_late = time.monotonic() >= appears
        open_ones = [name for name in left if not (_is_hopeless(found[name], begun[name], latest) if name in found else is_late)]
        if len(wanted) - len(left) != said:
            said = len(wanted) - len(left)
            progress(f"{said} of {len(wanted)} certificates are there")
        if not open_ones or time.monotonic() >= end:
            return found
        time.sleep(_PAUSE)


def _is_hopeless(entry: Entry, begun: int, end: float) -> bool:
    """Whether nothing comes of waiting for an order.

    :arg begun: how often it had failed before, with an authority that was away; that may be over by the next attempt
    """
    if not entry.errors:
        return _stands_still(entry)
    return entry.errors >= max(_ATTEMPTS, begun + 1) or max(entry.tries, entry.again) > end


def tell(line: str) -> None:
    """Say how far a run is, in the system's log: Ansible shows nothing of a module before it ends."""
    syslog.openlog("mail_autoconfig")
    syslog.syslog(syslog.LOG_INFO, line)


# -- DNS ----------------------------------------------------------------------------------------------------------------


def resolve(names: t.Sequence[str]) -> dict[str, Addresses]:
    """The addresses of host names, asked of this host's resolver, several at once."""
    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(names, pool.map(_resolved, names)))


def _resolved(name: str) -> Addresses:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as exc:
        if exc.errno == socket.EAI_AGAIN:
            return Addresses(failure="could not be looked up in DNS, which does not answer")
        return Addresses()
    except UnicodeError:
        return Addresses(failure="is no name that DNS can have")
    return Addresses(tuple(sorted({str(item[4][0]) for item in found})))


def own_addresses() -> frozenset[str]:
    """The addresses of this host. Raises OSError."""
    return frozenset({"127.0.0.1", "::1", *map(str, twin_network.survey().addresses)})
