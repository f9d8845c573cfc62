"""What Apache itself has understood of its configuration: ``-t -D DUMP_VHOSTS`` and its relatives, as data.

PRIVATE to the collection. Formats: ``dump_vhosts`` in server/vhost.c, ``show_includes`` in server/config.c, ``ap_show_modules``
in modules/core/mod_so.c, ``core_dump_config`` in server/core.c, ``ssl_hook_ConfigTest`` in modules/ssl/ssl_engine_config.c, and
mod_macro's way to name a place.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import typing as t

QUESTIONS = ("-t", "-D", "DUMP_VHOSTS", "-D", "DUMP_MODULES", "-D", "DUMP_INCLUDES", "-D", "DUMP_RUN_CFG", "-D", "DUMP_CERTS")

_ADDRESS = re.compile(r"(\S+:(?:\d+|\*)) +(.*)\Z")
_HOST = re.compile(r" +port (?:\d+|\*) namevhost (.*)\Z")
_PLACE = re.compile(r"(\S*?) \((.*):(\d+)\)\Z")
_MACRO = re.compile(r'macro .* used on line (\d+) of "(.*)"\Z')
_ALIAS = re.compile(r" +(wild )?alias (\S+)\Z")
# Two spaces a level, the main file at the first.
_FIRST_DEPTH = 4
_INCLUDED = re.compile(r"( +)\((\*|\d+)\) (.*)\Z")


@dataclasses.dataclass(frozen=True)
class VirtualHost:
    """A virtual host at one address.

    :ivar address: as Apache writes it: ``*:80``, ``192.0.2.7:443``, ``[2001:db8::7]:443``, ``*:*``
    :ivar names: its literal names in lower case, ServerName first; wildcards are in ``patterns``
    :ivar file: where it is written (for a macro, where it is used), with ``line``
    :ivar default: whether requests for unknown names at the address come to it
    """

    address: str
    names: tuple[str, ...]
    patterns: tuple[str, ...]
    file: str
    line: int
    default: bool = False

    @property
    def ip(self) -> str:
        """The address without the port."""
        return self.address.rpartition(":")[0]

    @property
    def port(self) -> int:
        """The port; 0 for all."""
        text = self.address.rpartition(":")[2]
        return 0 if text == "*" else int(text)

    @property
    def place(self) -> str:
        """Where it is written, for messages."""
        return f"{self.file}:{self.line}"


@dataclasses.dataclass(frozen=True)
class Include:
    """A file that Apache has read.

    :ivar first: the file, it or one that leads to it, that the main file includes; empty for the main file itself
    :ivar line: where the main file includes ``first``; 0 for the main file itself
    """

    path: str
    first: str = ""
    line: int = 0


@dataclasses.dataclass(frozen=True)
class Dump:
    """All that Apache told.

    :ivar virtual_hosts: in the order in which Apache looks at them, address by address
    :ivar lonely: addresses with a single virtual host, of which Apache does not list the aliases
    :ivar modules: names without ``_module``
    :ivar includes: every file that it has read, in its order
    :ivar certificates: those of all virtual hosts, some relative to ``root``
    :ivar root: its ServerRoot
    """

    virtual_hosts: tuple[VirtualHost, ...] = ()
    lonely: tuple[str, ...] = ()
    modules: frozenset[str] = frozenset()
    includes: tuple[Include, ...] = ()
    pid_file: str = ""
    error_log: str = ""
    user: str = ""
    certificates: tuple[str, ...] = ()
    root: str = ""


def read(output: str) -> Dump:
    """Read the output of :data:`QUESTIONS`; lines of other kinds are passed over."""
    hosts, lonely = _virtual_hosts(output)
    return Dump(
        virtual_hosts=tuple(hosts),
        lonely=tuple(lonely),
        modules=frozenset(re.findall(r"^ (\w+)_module \((?:static|shared)\)$", output, re.MULTILINE)),
        includes=tuple(_includes(output)),
        pid_file=_setting(output, r'^PidFile: "(.*)"$'),
        error_log=_setting(output, r'^Main ErrorLog: "(.*)"$'),
        user=_setting(output, r'^User: name="([^"]*)"'),
        certificates=tuple(_certificates(output)),
        root=_setting(output, r'^ServerRoot: "(.*)"$'),
    )


def _certificates(output: str) -> t.Iterator[str]:
    """The indented lines behind a headline."""
    lines = iter(output.partition("\nServer certificates:\n")[2].splitlines())
    for line in itertools.takewhile(lambda line: line.startswith("  "), lines):
        yield line[2:]


def _setting(output: str, pattern: str) -> str:
    found = re.search(pattern, output, re.MULTILINE)
    return found[1] if found else ""


def _virtual_hosts(output: str) -> tuple[list[VirtualHost], list[str]]:
    hosts: list[VirtualHost] = []
    lonely: list[str] = []
    address = ""
    for line in output.splitlines():
        begins, named, alias = _ADDRESS.match(line), _HOST.match(line), _ALIAS.match(line)
        if begins:
            address = begins[1]
            if begins[2] != "is a NameVirtualHost":
                lonely.append(address)
                hosts.append(_host(address, begins[2], default=True))
        elif named and address:
            first = not hosts or hosts[-1].address != address
            hosts.append(_host(address, named[1], default=first))
        elif alias and address:
            hosts[-1] = _with_alias(hosts[-1], alias[2].lower(), bool(alias[1]))
        elif not line.startswith(" "):
            address = ""
    return hosts, lonely


def _with_alias(host: VirtualHost, name: str, is_pattern: bool) -> VirtualHost:
    if is_pattern:
        return dataclasses.replace(host, patterns=(*host.patterns, name))
    return dataclasses.replace(host, names=(*host.names, name))


def _host(address: str, text: str, default: bool) -> VirtualHost:
    found = _PLACE.match(text)
    if found is None:
        return VirtualHost(address, (text.split(maxsplit=1)[0].lower(),), (), "", 0, default)
    name, file, line = found.groups()
    macro = _MACRO.search(file)
    if macro:
        line, file = macro.groups()
    return VirtualHost(address, (name.lower(),) if name else (), (), file, int(line), default)


def _includes(output: str) -> list[Include]:
    found: list[Include] = []
    for line in output.splitlines():
        entry = _INCLUDED.match(line)
        if entry is None:
            continue
        depth, number, path = len(entry[1]), entry[2], entry[3]
        if number == "*":
            found.append(Include(path))
        elif depth <= _FIRST_DEPTH:
            found.append(Include(path, path, int(number)))
        else:
            found.append(Include(path, found[-1].first, found[-1].line))
    return found
