"""How a client proves that it knows a password: PLAIN, LOGIN, CRAM-MD5 and SCRAM. Pure.

PRIVATE to the collection. RFC 4616 (PLAIN), draft-murchison-sasl-login (LOGIN), 2195 (CRAM-MD5), 5802 and 7677 (SCRAM). No
message of an error contains anything of what it is about.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import stringprep
import typing as t
import unicodedata

# What a server may have us compute: about a second. OWASP's advice of 2023 for PBKDF2 is 600,000.
MAX_ITERATIONS = 1_000_000
_PROHIBITED = (
    *(stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3, stringprep.in_table_c4),
    *(stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8, stringprep.in_table_c9),
)


class SaslError(Exception):
    """An exchange that cannot go on; ``outcome`` is one of ``facts.OUTCOMES``."""

    def __init__(self, outcome: str) -> None:
        self.outcome = outcome
        super().__init__(outcome)


class Mechanism:
    """One exchange: what a client answers to each challenge.

    :ivar is_proven: whether all is said, so that the server may call it a login
    """

    def __init__(self, username: str, password: str) -> None:
        self._username = username
        self._password = password
        self.is_proven = False

    def __repr__(self) -> str:
        return type(self).__name__

    def respond(self, challenge: bytes) -> bytes:
        """The answer to a challenge. Raises SaslError."""
        raise NotImplementedError


class Plain(Mechanism):
    """The password as it is."""

    def respond(self, challenge: bytes) -> bytes:
        """User name and password at once, and no second time."""
        if not self._password:
            raise SaslError("broken")
        response = f"\0{self._username}\0{self._password}".encode()
        self._password = ""
        self.is_proven = True
        return response


class Login(Mechanism):
    """The password as it is, asked for; the first question is for the name, whatever its words."""

    def __init__(self, username: str, password: str) -> None:
        super().__init__(username, password)
        self._answers = [password.encode(), username.encode()]

    def respond(self, challenge: bytes) -> bytes:
        """User name, then password."""
        if not self._answers:
            raise SaslError("broken")
        answer = self._answers.pop()
        self.is_proven = not self._answers
        return answer


class CramMd5(Mechanism):
    """An answer that only the password gives."""

    def respond(self, challenge: bytes) -> bytes:
        """User name and digest."""
        if not challenge or not self._password:
            raise SaslError("broken")
        try:
            digest = hmac.new(self._password.encode(), challenge, "md5").hexdigest()
        except ValueError:
            # A system whose policy knows no MD5.
            raise SaslError("no_mechanism") from None
        self._password = ""
        self.is_proven = True
        return f"{self._username} {digest}".encode()


class Scram(Mechanism):
    """Both sides prove that they know it. Without channel binding, which the standard library cannot tell for TLS 1.3."""

    digest = ""

    def __init__(self, username: str, password: str, nonce: str = "") -> None:
        super().__init__(username, password)
        self._nonce = nonce or secrets.token_urlsafe(18)
        name = prepared(username).replace("=", "=3D").replace(",", "=2C")
        self._first = f"n={name},r={self._nonce}"
        self._signature = b""
        self._steps = [self._last, self._final, self._begin]

    def respond(self, challenge: bytes) -> bytes:
        """The three messages of the client, the last of them empty."""
        if not self._steps:
            raise SaslError("broken")
        return self._steps.pop()(challenge)

    def _begin(self, challenge: bytes) -> bytes:
        if challenge:
            raise SaslError("broken")
        return f"n,,{self._first}".encode()

    def _final(self, challenge: bytes) -> bytes:
        nonce, salt, iterations = _server_first(challenge)
        # The server must add something of its own.
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise SaslError("not_genuine")
        salted = hashlib.pbkdf2_hmac(self.digest, prepared(self._password).encode(), salt, iterations)
        self._password = ""
        without_proof = f"c=biws,r={nonce}"
        message = b",".join((self._first.encode(), challenge, without_proof.encode()))
        key = self._hmac(salted, b"Client Key")
        proof = _xor(key, self._hmac(hashlib.new(self.digest, key).digest(), message))
        self._signature = self._hmac(self._hmac(salted, b"Server Key"), message)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def _last(self, challenge: bytes) -> bytes:
        name, _equals, value = challenge.partition(b",")[0].partition(b"=")
        if name == b"e":
            raise SaslError("refused")
        if name != b"v" or not hmac.compare_digest(decoded(value), self._signature):
            raise SaslError("not_genuine")
        self.is_proven = True
        return b""

    def _hmac(self, key: bytes, message: bytes) -> bytes:
        return hmac.new(key, message, self.digest).digest()


class ScramSha1(Scram):
    """RFC 5802."""

    digest = "sha1"


class ScramSha256(Scram):
    """RFC 7677."""

    digest = "sha256"


MECHANISMS: dict[str, t.Callable[[str, str], Mechanism]] = {
    "PLAIN": Plain,
    "LOGIN": Login,
    "CRAM-MD5": CramMd5,
    "SCRAM-SHA-1": ScramSha1,
    "SCRAM-SHA-256": ScramSha256,
}


def decoded(text: bytes) -> bytes:
    """Base64. Raises SaslError."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SaslError("broken") from None


def prepared(text: str) -> str:
    """As SCRAM compares it: SASLprep (RFC 4013) for a query; what it forbids stays as it is, as most servers store it."""
    mapped = "".join(" " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char))
    normal = unicodedata.normalize("NFKC", mapped)
    return text if any(table(char) for char in normal for table in _PROHIBITED) else normal


def _server_first(message: bytes) -> tuple[str, bytes, int]:
    """Nonce, salt and iterations. Raises SaslError."""
    try:
        parts = message.decode("ascii").split(",")
        values = dict(part.split("=", 1) for part in parts[:3])
        nonce, salt, iterations = values["r"], decoded(values["s"].encode()), int(values["i"])
    except (ValueError, KeyError):
        raise SaslError("broken") from None
    if not salt or not 1 <= iterations <= MAX_ITERATIONS:
        raise SaslError("broken")
    return nonce, salt, iterations


def _xor(first: bytes, second: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(first, second))
