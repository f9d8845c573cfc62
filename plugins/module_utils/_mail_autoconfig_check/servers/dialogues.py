"""What is said to a mail server, and what its answers mean: greeting, capabilities, STARTTLS, authentication, goodbye.

PRIVATE to the collection. RFC 9051 and 3501 (IMAP), 1939, 2449, 2595 and 5034 (POP3), 5321, 3207 and 4954 (SMTP), 5804
(ManageSieve). No command here reads a mailbox or begins a mail.
"""

from __future__ import annotations

import base64
import re
import typing as t

from .facts import Offer
from .sasl import Mechanism, SaslError, decoded
from .stream import DialogueError, Stream

_MECHANISM = re.compile(r"[A-Z0-9_-]{1,20}\Z")
_MAX_MECHANISMS = 30
# The longest exchange has three challenges.
_MAX_CHALLENGES = 4
# Response codes that may be shown, since nothing else of what a server says after it knows the password is.
_REFUSED = ("AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "CONTACTADMIN", "NOPERM", "AUTH")
_UNWILLING = ("PRIVACYREQUIRED", "AUTH-TOO-WEAK", "ENCRYPT-NEEDED", "TRANSITION-NEEDED")
_TEMPORARY = ("UNAVAILABLE", "INUSE", "LIMIT", "SYS/TEMP", "IN-USE", "LOGIN-DELAY", "TRYLATER")
_BROKEN = ("SERVERBUG", "CLIENTBUG", "CORRUPTION", "SYS/PERM")

_RECOGNISED = (
    ("imap", re.compile(r"\* (OK|PREAUTH|BYE)\b", re.I)),
    ("pop3", re.compile(r"(\+OK|-ERR)(\s|\Z)")),
    ("http", re.compile(r"HTTP/[0-9.]+ \d{3}|<!doctype html|<html", re.I)),
    ("ssh", re.compile(r"SSH-\d")),
    ("managesieve", re.compile(r'"(IMPLEMENTATION|SIEVE|SASL|STARTTLS|VERSION|NOTIFY|MAXREDIRECTS|LANGUAGE|OWNER)"', re.I)),
    ("ftp", re.compile(r"220[ -].*\b(FTP|FileZilla|vsFTPd|ProFTPD|Pure-FTPd)\b", re.I)),
    ("smtp", re.compile(r"(220|421|554)([ -]|\Z)")),
)


class Reply(t.NamedTuple):
    """The end of an authentication: one of ``facts.OUTCOMES``, and a known code."""

    outcome: str
    code: str = ""


def recognised(line: str) -> str:
    """The protocol whose server begins like this, or empty."""
    return next((name for name, pattern in _RECOGNISED if pattern.match(line)), "")


def mechanisms(words: t.Iterable[str]) -> tuple[str, ...]:
    """Those of the words that can be names of mechanisms; not more than any server has."""
    upper = (word.upper() for word in words)
    return tuple(dict.fromkeys(word for word in upper if _MECHANISM.match(word)))[:_MAX_MECHANISMS]


def _by_code(code: str, otherwise: str) -> Reply:
    """What a response code means; one that is not known is not repeated."""
    code = code.upper()
    for outcome, codes in (("refused", _REFUSED), ("unwilling", _UNWILLING), ("temporary", _TEMPORARY), ("broken", _BROKEN)):
        if code in codes:
            return Reply(outcome, code)
    return Reply(otherwise)


def _bracketed(text: str, opening: str = "[") -> str:
    """The word in brackets at the beginning of a text."""
    found = re.match(r"\s*" + re.escape(opening) + r"([A-Za-z/-]{1,30})", text)
    return found.group(1) if found else ""


class Dialogue:
    """A conversation in one protocol after its greeting.

    :cvar first_command: what a client says first, and no server takes amiss
    :cvar login_command: the name of the protocol's own way to log in, or empty
    """

    protocol = ""
    first_command = ""
    login_command = ""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def greet(self, line: str) -> str:
        """Take the rest of the greeting; all of it. Raises DialogueError."""
        raise NotImplementedError

    def offer(self) -> Offer:
        """What the server says it can do now. Raises DialogueError."""
        raise NotImplementedError

    def start_tls(self) -> None:
        """Ask for TLS, until the server awaits the handshake. Raises DialogueError."""
        raise NotImplementedError

    def authenticate(self, mechanism: Mechanism, name: str) -> Reply:
        """Log in. Raises DialogueError, SaslError."""
        raise NotImplementedError

    def log_in(self, username: str, password: str) -> Reply:
        """Log in by the protocol's own command. Raises DialogueError, SaslError."""
        raise SaslError("no_mechanism")

    def end(self) -> None:
        """Say goodbye, and wait for nothing."""
        raise NotImplementedError

    def _exchange(self, mechanism: Mechanism, challenge_in: t.Callable[[str], str | None], quote: str = "") -> str:
        """Answer challenges until something else comes: that line. Raises DialogueError, SaslError."""
        for _round in range(_MAX_CHALLENGES):
            line = self._stream.line()
            challenge = challenge_in(line)
            if challenge is None:
                return line
            response = mechanism.respond(decoded(challenge.encode()))
            self._stream.send(quote + base64.b64encode(response).decode() + quote)
        raise SaslError("broken")


def _proven(reply: Reply, mechanism: Mechanism) -> Reply:
    return Reply("not_genuine") if reply.outcome == "accepted" and not mechanism.is_proven else reply


class Imap(Dialogue):
    """IMAP."""

    protocol = "imap"
    first_command = "a0 CAPABILITY"
    login_command = "LOGIN command"

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._number = 0

    def greet(self, line: str) -> str:
        """One line."""
        if line[:5].upper() == "* BYE":
            raise DialogueError("rejected", line)
        return line

    def offer(self) -> Offer:
        """CAPABILITY."""
        words: list[str] = []
        tag = self._tell("CAPABILITY")
        while not (line := self._stream.line()).startswith(tag):
            if line[:13].upper() == "* CAPABILITY ":
                words = line[13:].upper().split()
        if line[len(tag) :].strip()[:2].upper() != "OK":
            raise DialogueError("garbled", line)
        offered = mechanisms(word[5:] for word in words if word.startswith("AUTH="))
        return Offer(offered, "STARTTLS" in words, "LOGINDISABLED" not in words)

    def start_tls(self) -> None:
        """STARTTLS."""
        tag = self._tell("STARTTLS")
        while not (line := self._stream.line()).startswith(tag):
            pass
        if line[len(tag) :].strip()[:2].upper() != "OK":
            raise DialogueError("starttls_failed", line)

    def authenticate(self, mechanism: Mechanism, name: str) -> Reply:
        """AUTHENTICATE."""
        tag = self._tell(f"AUTHENTICATE {name}")
        line = self._exchange(mechanism, lambda line: line[1:].strip() if line.startswith("+") else None)
        return _proven(self._outcome(tag, line), mechanism)

    def log_in(self, username: str, password: str) -> Reply:
        """LOGIN, whose strings are ASCII without a literal."""
        if not (username + password).isascii():
            raise SaslError("no_mechanism")
        name, secret = (text.replace("\\", "\\\\").replace('"', '\\"') for text in (username, password))
        tag = self._tell(f'LOGIN "{name}" "{secret}"')
        return self._outcome(tag, self._stream.line())

    def end(self) -> None:
        """LOGOUT."""
        self._tell("LOGOUT")

    def _tell(self, command: str) -> str:
        """Send a command; its tag with the space after it."""
        self._number += 1
        self._stream.send(f"a{self._number} {command}")
        return f"a{self._number} "

    def _outcome(self, tag: str, line: str) -> Reply:
        """What the tagged answer means, of which this line may be the first."""
        while not line.startswith(tag):
            if line[:5].upper() == "* BYE":
                return _by_code(_bracketed(line[5:]), "broken")
            line = self._stream.line()
        word, _space, rest = line[len(tag) :].strip().partition(" ")
        if word.upper() == "OK":
            return Reply("accepted")
        return _by_code(_bracketed(rest), "refused" if word.upper() == "NO" else "broken")


class Pop3(Dialogue):
    """POP3."""

    protocol = "pop3"
    first_command = "CAPA"
    login_command = "USER command"

    def greet(self, line: str) -> str:
        """One line."""
        if line.startswith("-ERR"):
            raise DialogueError("rejected", line)
        return line

    def offer(self) -> Offer:
        """CAPA; servers without it know USER and nothing else."""
        self._stream.send("CAPA")
        if not self._stream.line().startswith("+OK"):
            return Offer(login_command=True)
        found: dict[str, list[str]] = {}
        while (line := self._stream.line()) != ".":
            words = line.upper().split()
            if words:
                found[words[0]] = words[1:]
        return Offer(mechanisms(found.get("SASL", ())), "STLS" in found, "USER" in found)

    def start_tls(self) -> None:
        """STLS."""
        self._stream.send("STLS")
        line = self._stream.line()
        if not line.startswith("+OK"):
            raise DialogueError("starttls_failed", line)

    def authenticate(self, mechanism: Mechanism, name: str) -> Reply:
        """AUTH."""
        self._stream.send(f"AUTH {name}")
        line = self._exchange(mechanism, lambda line: line[1:].strip() if line.startswith("+ ") or line == "+" else None)
        return _proven(self._outcome(line), mechanism)

    def log_in(self, username: str, password: str) -> Reply:
        """USER and PASS."""
        self._stream.send(f"USER {username}")
        line = self._stream.line()
        if not line.startswith("+OK"):
            return self._outcome(line)
        self._stream.send(f"PASS {password}")
        return self._outcome(self._stream.line())

    def end(self) -> None:
        """Nothing: QUIT after a login would let the server update the mailbox (RFC 1939 section 6), a closed connection not."""

    @staticmethod
    def _outcome(line: str) -> Reply:
        if line.startswith("+OK"):
            return Reply("accepted")
        return _by_code(_bracketed(line[4:]), "refused" if line.startswith("-ERR") else "broken")


class Smtp(Dialogue):
    """SMTP, of a server that takes mail from users."""

    protocol = "smtp"
    first_command = "EHLO [127.0.0.1]"

    def greet(self, line: str) -> str:
        """One line or several."""
        greeting = line
        while line[3:4] == "-":
            line = self._stream.line()
        if not greeting.startswith("220"):
            raise DialogueError("rejected", greeting)
        return greeting

    def offer(self) -> Offer:
        """EHLO."""
        code, lines = self._ask(f"EHLO {self._stream.own_address}")
        if code != "250":
            raise DialogueError("garbled" if code[:1] == "5" else "rejected", f"{code} {' '.join(lines)}")
        words = [line.upper().replace("AUTH=", "AUTH ", 1).split() for line in lines[1:]]
        offered = mechanisms(word for line in words if line[:1] == ["AUTH"] for word in line[1:])
        return Offer(offered, ["STARTTLS"] in [line[:1] for line in words])

    def start_tls(self) -> None:
        """STARTTLS."""
        code, lines = self._ask("STARTTLS")
        if code != "220":
            raise DialogueError("starttls_failed", f"{code} {' '.join(lines)}")

    def authenticate(self, mechanism: Mechanism, name: str) -> Reply:
        """AUTH."""
        self._stream.send(f"AUTH {name}")
        line = self._exchange(mechanism, lambda line: line[4:].strip() if line.startswith("334") else None)
        code, lines = self._reply(line)
        enhanced = re.match(r"([245]\.\d{1,3}\.\d{1,3})\b", lines[-1])
        shown = f"{code} {enhanced.group(1)}" if enhanced else code
        if code == "235":
            return _proven(Reply("accepted"), mechanism)
        outcomes = {
            "535": "refused",
            "525": "refused",
            "534": "unwilling",
            "504": "unwilling",
            "538": "unwilling",
            "530": "unwilling",
        }
        # Postfix says 503 and 502 where authentication is off.
        outcomes.update({"502": "unwilling", "503": "unwilling"})
        return Reply(outcomes.get(code, "temporary" if code[:1] == "4" else "broken"), shown)

    def end(self) -> None:
        """QUIT."""
        self._stream.send("QUIT")

    def _ask(self, command: str) -> tuple[str, list[str]]:
        self._stream.send(command)
        return self._reply(self._stream.line())

    def _reply(self, line: str) -> tuple[str, list[str]]:
        """The code and the texts of a reply that begins with a line. Raises DialogueError."""
        code, lines = line[:3], [line[4:].strip()]
        if not re.match(r"[2-5][0-9]{2}([ -]|\Z)", line):
            raise DialogueError("garbled", line)
        while line[3:4] == "-":
            line = self._stream.line()
            if line[:3] != code:
                raise DialogueError("garbled", line)
            lines.append(line[4:].strip())
        return code, lines


class ManageSieve(Dialogue):
    """ManageSieve."""

    protocol = "managesieve"
    first_command = "CAPABILITY"

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._offer: Offer | None = None

    def greet(self, line: str) -> str:
        """The capabilities, which are not asked for."""
        self._offer = self._read_offer(line)
        return line

    def offer(self) -> Offer:
        """What the server tells by itself when it begins and once more inside TLS (RFC 5804 section 2.2)."""
        if self._offer is None:
            self._offer = self._read_offer(self._stream.line())
        return self._offer

    def start_tls(self) -> None:
        """STARTTLS."""
        self._stream.send("STARTTLS")
        line = self._stream.line()
        self._offer = None
        if line[:2].upper() != "OK":
            raise DialogueError("starttls_failed", line)

    def authenticate(self, mechanism: Mechanism, name: str) -> Reply:
        """AUTHENTICATE."""
        self._stream.send(f'AUTHENTICATE "{name}"')
        line = self._exchange(mechanism, self._challenge, quote='"')
        word, _space, rest = line.partition(" ")
        if word.upper() != "OK":
            return _by_code(_bracketed(rest, "("), "refused" if word.upper() == "NO" else "broken")
        final = re.match(r'\(SASL "([^"]*)"\)', rest.strip(), re.I)
        if final:
            mechanism.respond(decoded(final.group(1).encode()))
        return _proven(Reply("accepted"), mechanism)

    def end(self) -> None:
        """LOGOUT."""
        self._stream.send("LOGOUT")

    def _challenge(self, line: str) -> str | None:
        """A quoted string, or a literal of one line."""
        if line.startswith('"') and line.endswith('"') and len(line) > 1:
            return line[1:-1]
        if re.match(r"\{\d{1,4}\+?\}\Z", line):
            return self._stream.line().strip()
        return None

    def _read_offer(self, line: str) -> Offer:
        """Capabilities from a line on until OK. Raises DialogueError."""
        found: dict[str, str] = {}
        while not (end := re.match(r"(OK|NO|BYE)\b", line, re.I)):
            pair = re.match(r'"([^"]*)"(?:\s+"([^"]*)")?', line)
            if pair:
                found[pair.group(1).upper()] = pair.group(2) or ""
            line = self._stream.line()
        if end.group(1).upper() != "OK":
            raise DialogueError("rejected", line)
        return Offer(mechanisms(found.get("SASL", "").split()), "STARTTLS" in found)


DIALOGUES: dict[str, type[Dialogue]] = {each.protocol: each for each in (Imap, Pop3, Smtp, ManageSieve)}
