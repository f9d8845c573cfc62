"""Walks the table of clients: asks what a client asks, in its order, and ends where it ends.

PRIVATE to the collection. What is asked of the network is asked by ``web`` and ``names``, each question once for all clients.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t
from urllib.parse import quote, urlsplit

from . import clients as table
from . import readers
from .clients import Client
from .clients import Step as Act
from .model import ASKS, FAILS, UNKNOWN, WORKS, ClientResult, Service, Step
from .names import Names, base_domain, mx_of
from .parsing import DocumentError, apple, autodiscover, mozilla, pacc, trees
from .readers import Taken, Who
from .web import REDIRECTS, Answer, Question, Web

# What Thunderbird and Outlook post; the namespaces are theirs (MS-OXDSCLI section 2.2.4.1).
_POX = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>'
    "<EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>"
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
    "</AcceptableResponseSchema></Request></Autodiscover>\n"
)
_MOST_REDIRECTIONS = 3
_MAILCONF = "mailconf="


@dataclasses.dataclass(frozen=True)
class World:
    """Where a client is played.

    :ivar ispdb: whether Mozilla's database is asked as well
    """

    who: Who
    web: Web
    names: Names
    ispdb: bool = False

    @property
    def domain(self) -> str:
        """The mail domain."""
        return self.who.domain


@dataclasses.dataclass(frozen=True)
class Play:
    """How a client fared.

    :ivar asked: URLs and ``owner TYPE`` of what it asked, each on its way to an answer or to nothing
    :ivar further: what it tries next where ``services`` do not work
    :ivar insecure: whether its settings came by a way on which others could change them
    :ivar stopped_at: URL of the useless document after which it looks at no other
    """

    client: Client
    services: tuple[Service, ...] = ()
    winner: str = ""
    because: str = ""
    asks: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    asked: tuple[str, ...] = ()
    insecure: bool = False
    further: tuple[Service, ...] = ()
    stopped_at: str = ""

    @property
    def tried(self) -> tuple[Service, ...]:
        """Its servers, and those that it tries where they do not work."""
        return (*self.services, *self.further)

    def result(self) -> ClientResult:
        """For the report, as far as discovery alone decides it."""
        verdict, because = WORKS, ""
        if self.because:
            verdict, because = FAILS, self.because
        elif self.client.cannot:
            verdict, because = UNKNOWN, self.client.cannot
        elif self.asks:
            verdict, because = ASKS, "; ".join(self.asks)
        waited = sum(step.milliseconds for step in self.steps)
        names = (self.client.id, self.client.name, verdict, because, self.winner)
        return ClientResult(*names, waited, self.services, self.steps)


class _Game:
    """One client on its way; collects what it asked."""

    def __init__(self, client: Client, world: World) -> None:
        self.client = client
        self.world = world
        self.steps: list[Step] = []
        self.asked: list[str] = []
        self.closed: set[str] = set()
        self.reasons: list[str] = []

    def fetch(self, question: Question) -> Answer:
        answer = self.world.web.fetch(question)
        if self.client.full_redirects:
            answer = self._full_redirects_of(answer)
        self.asked += answer.urls
        self.note(str(question), str(answer), answer.milliseconds)
        return answer

    def _full_redirects_of(self, answer: Answer) -> Answer:
        """The answer, or the redirect to a path on the way to it, with which the client does nothing."""
        for number, hop in enumerate(answer.hops):
            if not urlsplit(hop.headers["location"].strip()).scheme:
                self.reasons.append(f"{hop.url}: it does not follow a redirect to a path, only to a full URL")
                return dataclasses.replace(hop, hops=answer.hops[:number])
        return answer

    def note(self, question: str, answer: str, milliseconds: int = 0) -> None:
        self.steps.append(Step(question, answer, milliseconds))

    def end(self, winner: str, taken: Taken, asks: t.Iterable[str] = (), insecure: bool = False) -> Play:
        listed = tuple(each for each in (taken.asks, *asks) if each)
        steps, asked = tuple(self.steps), tuple(self.asked)
        return Play(self.client, taken.services, winner, taken.because, listed, steps, asked, insecure, taken.further)

    def useless(self, answer: Answer, taken: Taken, ends: bool) -> Play | None:
        """What comes of a document from which nothing can be taken: the end, if the client then looks at no other."""
        self.note(answer.url, taken.because)
        reason = f"{answer.url}: {taken.because}"
        self.reasons.append(reason)
        if not ends:
            return None
        end = self.end("", dataclasses.replace(taken, because=f"{reason}; its search ends there"))
        return dataclasses.replace(end, stopped_at=answer.url)


def play(client: Client, world: World) -> Play:
    """How a client fares."""
    game = _Game(client, world)
    partial: tuple[str, Taken] | None = None
    for act in client.steps:
        if act.group and act.group in game.closed:
            continue
        done = _ACTS[act.kind](game, act)
        if isinstance(done, Play):
            return done
        if done is not None and done.services and partial is None:
            partial = (f"SRV of {world.domain}", done)
    if partial is not None:
        return game.end(partial[0], partial[1])
    return game.end("", Taken(because=next(iter(game.reasons), "it finds nothing") + f": {client.nothing}"))


def questions(client: Client, who: Who) -> t.Iterator[Question]:
    """What a client certainly asks over HTTPS if nothing comes before, to be asked beforehand."""
    for act in client.steps:
        if act.kind in (table.AUTOCONFIG, table.AUTODISCOVER, table.JSON, table.PROFILE) and act.url.startswith("https:"):
            yield question(act, who)


def question(act: Act, who: Who, domain: str = "", url: str = "") -> Question:
    """The request of a step."""
    target = url or filled(act.url, who, domain)
    if act.method != "POST":
        return Question(act.method, target)
    headers = (("Content-Type", act.media_type),) if act.media_type else ()
    return Question("POST", target, _POX.format(address=_escaped(who.address)).encode(), headers)


def filled(url: str, who: Who, domain: str = "") -> str:
    """A URL of the table for a user."""
    digest = hashlib.md5(who.address.lower().encode()).hexdigest()  # noqa: S324  Evolution sends it, and nothing depends on it
    values = {"domain": domain or who.domain, "address": quote(who.address, safe=""), "raw": who.address, "md5": digest}
    return url.format(**values)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# -- what a client does ---------------------------------------------------------------------------------------------------
# Each returns the end of the game, what a client would fall back to, or None to go on.


def _autoconfig(game: _Game, act: Act) -> Play | Taken | None:
    return _mozilla(game, act, question(act, game.world.who))


def _mozilla(game: _Game, act: Act, asked: Question, asks: t.Sequence[str] = ()) -> Play | None:
    """Mozilla's file from one URL."""
    answer = game.fetch(asked)
    if not answer.ok:
        return None
    if act.ends == table.GROUP_STATUS:
        game.closed.add(act.group)
    readable = True
    try:
        taken = readers.from_mozilla(mozilla.read(answer.body), answer.media_type, game.client.reader, game.world.who)
    except DocumentError as exc:
        taken, readable = Taken(because=str(exc)), act.ends == table.NESTED and trees.nested(answer.body)
    if not taken.because:
        insecure = not answer.secure
        if insecure and game.client.distrusts_http:
            asks = (*asks, "the settings came over plain HTTP: it asks whether to trust them")
        return game.end(answer.url, taken, asks, insecure)
    ends = act.ends in (table.DOCUMENT, table.NESTED) and readable
    by_status = act.ends == table.STATUS and answer.status == 200 and act is not game.client.steps[-1]
    return game.useless(answer, taken, ends or by_status)


def _autodiscover(game: _Game, act: Act) -> Play | Taken | None:
    return _outlook(game, act, question(act, game.world.who))


def _outlook(game: _Game, act: Act, asked: Question, asks: t.Sequence[str] = ()) -> Play | None:
    """Autodiscover from one URL, and from those that its answers name."""
    for _redirection in range(_MOST_REDIRECTIONS):
        answer = game.fetch(asked)
        if answer.status == 200 and asked.method == "POST" and answer.hops and not answer.fault:
            # A redirect made the POST a GET; Outlook and Thunderbird repeat it where they ended.
            asked = dataclasses.replace(asked, url=answer.url)
            answer = game.fetch(asked)
        if not answer.ok:
            return None
        try:
            document = autodiscover.read(answer.body)
        except DocumentError as exc:
            ends = act.ends == table.NESTED and trees.nested(answer.body)
            return game.useless(answer, Taken(because=str(exc)), ends)
        if not document.redirect_url.startswith("https://"):
            break
        asked = dataclasses.replace(asked, url=document.redirect_url)
    taken = readers.from_autodiscover(document, game.client.outlook, game.world.who)
    if taken.because:
        return game.useless(answer, taken, act.ends == table.NESTED)
    host = urlsplit(answer.url).hostname or ""
    if game.client.distrusts_strangers and base_domain(host) != base_domain(game.world.domain):
        asks = (*asks, f"it asks the user whether {host} may tell the settings of {game.world.domain}")
    return game.end(answer.url, taken, tuple(dict.fromkeys(asks)), insecure=not answer.secure)


def _redirect(game: _Game, act: Act) -> Play | Taken | None:
    """Outlook's look over plain HTTP: only where it is sent to counts."""
    asked = question(act, game.world.who)
    answer = game.world.web.ask(asked)
    game.asked.append(asked.url)
    game.note(str(asked), str(answer), answer.milliseconds)
    target = answer.headers.get("location", "")
    if answer.status not in REDIRECTS or not target.startswith("https://"):
        return None
    post = dataclasses.replace(act, kind=table.AUTODISCOVER, method="POST")
    return _outlook(game, post, question(post, game.world.who, url=target))


def _json(game: _Game, act: Act) -> Play | Taken | None:
    answer = game.fetch(question(act, game.world.who))
    if not answer.ok:
        return None
    try:
        url = autodiscover.read_json(answer.body)
    except DocumentError as exc:
        game.note(answer.url, str(exc))
        return None
    post = Act(table.AUTODISCOVER, method="POST")
    return _outlook(game, post, question(post, game.world.who, url=url)) if url.startswith("https://") else None


def _srv(game: _Game, act: Act) -> Play | Taken | None:
    names, domain = game.world.names, game.world.domain
    found = {service: names.srv(f"{service}._tcp.{domain}") for service in act.services}
    game.asked += [f"{service}._tcp.{domain} SRV" for service in act.services]
    for service, records in found.items():
        shown = ", ".join(f"{record.target or '.'}:{record.port}" for record in records)
        game.note(f"SRV {service}._tcp.{domain}", shown or "nothing")
    if act.services == ("_autodiscover",):
        for record in found["_autodiscover"][:1]:
            target = f"https://{record.target}/autodiscover/autodiscover.xml"
            asks: tuple[str, ...] = ()
            if base_domain(record.target) != base_domain(domain):
                asks = (f"it asks the user whether {record.target} may tell the settings of {domain}",)
            return _outlook(game, act, question(act, game.world.who, url=target), asks) if record.target else None
        return None
    taken = readers.from_srv(found)
    if not taken.because or (act.ends == table.DOCUMENT and taken.services):
        return game.end(f"SRV of {domain}", taken)
    return taken


def _mx(game: _Game, act: Act) -> Play | Taken | None:
    domain = game.world.domain
    answer = game.world.names.look_up(domain, "MX")
    hosts = [host for _preference, host in mx_of(answer.rdatas) if host]
    game.asked.append(f"{domain} MX")
    game.note(f"MX {domain}", ", ".join(hosts) or "nothing")
    for host in hosts[:1]:
        parts = {"host": host, "rest": host.partition(".")[2], "base": base_domain(host)}
        for name in dict.fromkeys(parts[base] for base in act.bases):
            if name and "." in name and name != domain:
                asks: tuple[str, ...] = ()
                if game.client.distrusts_http and not answer.secure:
                    asks = ("the MX record is not signed (DNSSEC): it asks whether to trust what it leads to",)
                done = _mozilla(game, act, question(act, game.world.who, name), asks)
                if done is not None:
                    return done
    return None


def _ispdb(game: _Game, act: Act) -> Play | Taken | None:
    if not game.world.ispdb:
        game.note(filled(act.url, game.world.who), "not asked")
        return None
    return _mozilla(game, act, question(act, game.world.who))


def _txt(game: _Game, act: Act) -> Play | Taken | None:
    domain = game.world.domain
    game.asked.append(f"{domain} TXT")
    for text in game.world.names.texts(domain):
        if text.startswith(f"{_MAILCONF}https://"):
            return _mozilla(game, act, Question("GET", text[len(_MAILCONF) :]))
    return None


def _profile(game: _Game, act: Act) -> Play | Taken | None:
    answer = game.fetch(question(act, game.world.who))
    if not answer.ok:
        return None
    try:
        taken = readers.from_profile(apple.read(answer.body), game.world.who)
    except DocumentError as exc:
        taken = Taken(because=str(exc))
    if taken.because:
        game.reasons.append(f"{answer.url}: {taken.because}")
        return None
    return game.end(answer.url, taken, insecure=not answer.secure)


def _pacc(game: _Game, act: Act) -> Play | Taken | None:
    answer = game.fetch(question(act, game.world.who))
    owner = f"_ua-auto-config.{game.world.domain}"
    game.asked.append(f"{owner} TXT")
    if not answer.ok:
        return None
    if hashlib.sha256(answer.body).digest() not in pacc.digests(game.world.names.texts(owner)):
        game.reasons.append(f"{answer.url}: no TXT record has its digest")
        return None
    try:
        taken = readers.from_pacc(pacc.read(answer.body))
    except DocumentError as exc:
        taken = Taken(because=str(exc))
    return None if taken.because else game.end(answer.url, taken)


_ACTS: dict[str, t.Callable[[_Game, Act], Play | Taken | None]] = {
    table.AUTOCONFIG: _autoconfig,
    table.AUTODISCOVER: _autodiscover,
    table.REDIRECT: _redirect,
    table.JSON: _json,
    table.SRV: _srv,
    table.MX: _mx,
    table.ISPDB: _ispdb,
    table.TXT: _txt,
    table.PROFILE: _profile,
    table.PACC: _pacc,
}
