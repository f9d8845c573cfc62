"""Reading plain dictionaries so that every mistake is reported at once, each with its path.

PRIVATE to the collection. A :class:`Fields` wraps one mapping of the input. Reading a field returns a usable value in
any case, so that reading goes on after a mistake; what was wrong is collected in the list shared by all of them.
"""

from __future__ import annotations

import collections.abc
import difflib
import re
import types
import typing as t
from urllib.parse import urlsplit

Check = t.Callable[[str], str]

# Characters that XML 1.0 cannot carry (section 2.2), plus DEL and the C1 controls that no text needs.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
LONGEST_NAME = 253
# What no encoding can carry; JSON brings it in as an escape.
_SURROGATE = re.compile("[\ud800-\udfff]")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
# IDNA 2008 keeps these, Python's codec (IDNA 2003, RFC 3490) turns them into another name: a different domain.
IDNA_DEVIATIONS = "\u00df\u03c2\u200c\u200d"


_NO_HINTS: t.Mapping[str, str] = types.MappingProxyType({})
# A mistake that ten thousand domains have in common makes no message of ten thousand lines.
_SHOWN_PROBLEMS = 100


class InputError(ValueError):
    """One input and everything that is wrong with it.

    :ivar problems: lines of the form ``providers[2].incoming[0].port: 99999 is not a port (1 to 65535)``
    """

    def __init__(self, problems: t.Iterable[str]) -> None:
        self.problems = tuple(problems)
        left_out = len(self.problems) - _SHOWN_PROBLEMS
        lines = [*self.problems[:_SHOWN_PROBLEMS], f"... and {left_out} more, which the result has in problems"]
        super().__init__("\n".join(lines if left_out > 0 else self.problems))


def shown(value: t.Any) -> str:
    """Quote a value of the input for a message, short enough for a line; no private key, not even its beginning."""
    text = repr(value)
    if "PRIVATE KEY-----" in text:
        return "what has a private key in it"
    return text if len(text) <= 80 else text[:77] + "..."


def text_line(value: str) -> str:
    """Check a text for people; line breaks and runs of blanks become one blank. Raises ValueError."""
    if _FORBIDDEN.search(value):
        raise ValueError(f"{shown(value)} contains control characters")
    return " ".join(value.split())


def hostname(value: str) -> str:
    """Normalise a host name to lower-case ASCII (RFC 1123 section 2.1; IDN as punycode). Raises ValueError."""
    name = value[:-1] if value.endswith(".") else value
    if any(char in IDNA_DEVIATIONS for char in name):
        raise ValueError(f"{shown(value)} has a letter that IDNA 2003 and 2008 read differently: write its xn-- form")
    try:
        ascii_name = name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        ascii_name = ""
    labels = ascii_name.split(".")
    if not ascii_name or len(ascii_name) > LONGEST_NAME or not all(_LABEL.match(label) for label in labels):
        raise ValueError(
            f"{shown(value)} is not a host name (labels of 1 to 63 letters, digits and inner hyphens, joined by dots)"
        )
    if labels[-1].isdigit():
        raise ValueError(f"{shown(value)} is an IP address or a number, not a host name")
    return ascii_name


def host_pattern(value: str) -> str:
    """As :func:`hostname`; ``{domain}`` may stand for the mail domain at its end."""
    if "*" in value:
        raise ValueError(f"{shown(value)} is a wildcard, which only the challenge dns-01 validates; name the hosts")
    start, placeholder, end = value.partition("{domain}")
    if end or (placeholder and start and not start.endswith(".")):
        raise ValueError(f"{shown(value)} is not a host name: {{domain}} stands at the end, alone or behind a dot")
    # A top-level domain in its place, because a label alone may be a number.
    return hostname(f"{start}tld")[: -len("tld")] + placeholder if placeholder else hostname(value)


def server_hostname(value: str) -> str:
    """As :func:`hostname`; ``%EMAILDOMAIN%`` may stand for whole labels (Thunderbird and K-9 fill it in)."""
    placeholder = "%EMAILDOMAIN%"
    if placeholder not in value:
        return hostname(value)
    # One label at a time, with a top-level domain put after it, because a label alone may be a number.
    labels = [label if label == placeholder else hostname(f"{label}.tld")[: -len(".tld")] for label in value.split(".")]
    return ".".join(labels)


def url(value: str) -> str:
    """Check an absolute http or https URL; placeholders may stand in it. Raises ValueError."""
    text = value.strip()
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or _FORBIDDEN.search(text) or any(char.isspace() for char in text):
        raise ValueError(f"{shown(value)} is not a URL (https://host/path)")
    if re.search("%EMAIL", re.sub("%EMAIL(ADDRESS|LOCALPART|DOMAIN)%", "", text)):
        allowed = "%EMAILADDRESS%, %EMAILLOCALPART%, %EMAILDOMAIN%"
        raise ValueError(f"{shown(value)} has a placeholder that no client fills in; allowed are {allowed}")
    return text


def one_of(*allowed: str, hints: t.Mapping[str, str] = _NO_HINTS) -> Check:
    """Make a check that lets only the given spellings pass.

    :arg hints: what is meant by words of other programs, by their lower-case spelling
    """

    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"{shown(value)} is unknown{meant(value, allowed, hints)}; allowed are {', '.join(allowed)}")
        return value

    return check


def meant(value: str, allowed: t.Collection[str], hints: t.Mapping[str, str] = _NO_HINTS) -> str:
    """What an unknown word probably means, as a part of a message; empty where nothing is near."""
    found = hints.get(value.lower()) or nearest(value, allowed)
    return f" (did you mean {found}?)" if found else ""


def nearest(value: str, allowed: t.Collection[str]) -> str:
    """The word that is most like an unknown one, in upper or lower case; empty where none is near."""
    spellings = {word.lower(): word for word in allowed}
    near = difflib.get_close_matches(value.lower(), spellings, n=1, cutoff=0.7)
    return spellings[near[0]] if near else ""


_IN_BRACKETS = "; put a single entry into [ ]"


def _in_quotes(value: t.Any) -> str:
    """Why something is no string that may look like one in YAML, where the language ``no`` is false and 1.10 is 1.1."""
    if isinstance(value, bool):
        return ": without quotes, yes, no, on and off are true and false in YAML; put it in quotes"
    return ": without quotes it is a number; put it in quotes" if isinstance(value, (int, float)) else ""


class Fields:
    """One mapping of the input, where it stands, and the problems found so far.

    :arg value: the mapping; ``None`` and blank texts count as absent, as Ansible passes what was not given
    :arg path: where it stands in the input, ``""`` at the top
    :arg problems: collects the messages of this mapping and of all below it
    """

    def __init__(self, value: t.Any, path: str, problems: list[str]) -> None:
        self.path = path
        self.problems = problems
        self._known: list[str] = []
        self._values: dict[str, t.Any] = {}
        if isinstance(value, collections.abc.Mapping):
            given = {key: item.strip() if isinstance(item, str) else item for key, item in value.items()}
            self._values = {str(key): value[key] for key, item in given.items() if item not in (None, "")}
        else:
            self.problem("", f"{shown(value)} is not a mapping of options")

    def _path(self, key: str) -> str:
        return ".".join(part for part in (self.path, key) if part)

    def problem(self, key: str, message: str) -> None:
        """Note that the field is wrong."""
        self.problems.append(f"{self._path(key)}: {message}")

    def _get(self, key: str) -> t.Any:
        self._known.append(key)
        return self._values.get(key)

    def given(self, key: str) -> bool:
        """Whether the input has a value for the field."""
        return key in self._values

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields that are given, of a mapping whose names are the user's own."""
        return tuple(self._values)

    @property
    def is_empty(self) -> bool:
        """Whether there is no field at all."""
        return not self._values

    def _checked(self, key: str, value: t.Any, check: Check, is_secret: bool = False) -> str:
        what = "the value" if is_secret else shown(value)
        if not isinstance(value, str):
            self.problem(key, f"{what} is not a string{_in_quotes(value)}")
            return ""
        if _SURROGATE.search(value):
            self.problem(key, f"{what} contains half of a character (a lone surrogate)")
            return ""
        try:
            return check(value)
        except ValueError as exc:
            self.problem(key, str(exc))
            return ""

    def text(self, key: str, check: Check = text_line, default: str = "", required: bool = False) -> str:
        """Read a text."""
        value = self._get(key)
        if value is None:
            if required:
                self.problem(key, "is required")
            return default
        return self._checked(key, value, check)

    def secret(self, key: str, check: Check) -> str:
        """Read a text that no message may show; the check must not show it either."""
        value = self._get(key)
        return "" if value is None else self._checked(key, value, check, is_secret=True)

    def texts(self, key: str, check: Check = text_line, default: tuple[str, ...] = (), required: bool = False) -> tuple[str, ...]:
        """Read a list of texts in its order; a value given twice is a mistake, and so is an empty list if required."""
        value = self._get(key)
        if value is None or value == []:
            if required:
                self.problem(key, "at least one entry is needed")
            return default
        if not isinstance(value, (list, tuple)):
            self.problem(key, f"{shown(value)} is not a list{_IN_BRACKETS}")
            return default
        found: dict[str, None] = {}  # in order, and quick to look into for ten thousand domains
        for index, item in enumerate(value):
            text = self._checked(f"{key}[{index}]", item, check)
            if text and text in found:
                self.problem(f"{key}[{index}]", f"{shown(item)} is listed twice")
            elif text:
                found[text] = None
        return tuple(found)

    def integer(self, key: str, low: int, high: int, what: str, default: int = 0) -> int:
        """Read a whole number from low to high."""
        value = self._get(key)
        if value is None:
            return default
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.problem(key, f"{shown(value)} is not {what} ({low} to {high})")
            return default
        return value

    def port(self, key: str, default: int = 0) -> int:
        """Read a TCP port."""
        return self.integer(key, 1, 65535, "a port", default)

    def boolean(self, key: str, default: bool | None = False) -> bool | None:
        """Read a truth value."""
        value = self._get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.problem(key, f"{shown(value)} is not true or false")
            return default
        return value

    def mapping(self, key: str) -> Fields | None:
        """Read a mapping, ``None`` where it is absent."""
        value = self._get(key)
        return None if value is None else Fields(value, self._path(key), self.problems)

    def mappings(self, key: str) -> list[Fields]:
        """Read a list of mappings."""
        value = self._get(key)
        if value is None:
            return []
        if not isinstance(value, (list, tuple)):
            self.problem(key, f"{shown(value)} is not a list{_IN_BRACKETS}")
            return []
        return [Fields(item, self._path(f"{key}[{index}]"), self.problems) for index, item in enumerate(value)]

    def close(self) -> None:
        """Report the fields that nobody read: a misspelt option must not be ignored."""
        for key in sorted(set(self._values) - set(self._known)):
            allowed = sorted(set(self._known))
            self.problem(key, f"is unknown{meant(key, allowed)}; allowed are {', '.join(allowed)}")
