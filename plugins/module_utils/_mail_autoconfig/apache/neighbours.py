"""What the Apache configuration that is not ours says: so that our sites take nothing away from it.

PRIVATE to the collection. Reads tolerantly: the configuration is somebody else's, and Apache, not this, judges it.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import re
import typing as t

from .directives import split_words

# These do not open a scope of their own: what stands in them belongs to the section around them.
_TRANSPARENT = ("ifmodule", "ifdefine", "ifversion", "iffile", "ifdirective", "ifsection")
LATE_PREFIX = "zz-"


@dataclasses.dataclass(frozen=True)
class Line:
    """A directive and the lower-case names of the sections that it stands in."""

    name: str
    words: tuple[str, ...]
    scopes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class VirtualHost:
    """A virtual host of a site: the file's name, addresses such as ``*:80``, and server names with wildcards."""

    file: str
    addresses: tuple[str, ...]
    names: tuple[str, ...]

    def listens(self, port: int) -> bool:
        """Whether it answers on the port; an address without port answers on all."""
        return any(address.rpartition("]")[2].rpartition(":")[2] in (str(port), "*", "", address) for address in self.addresses)


def scan(text: str) -> t.Iterator[Line]:
    """The directives of a configuration file in order; a section start counts as a directive of its name."""
    scopes: list[str] = []
    for raw in re.sub(r"\\\r?\n", " ", text).splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        closing = re.match(r"</\s*([A-Za-z]+)", line)
        if closing:
            if scopes and closing.group(1).lower() not in _TRANSPARENT:
                scopes.pop()
            continue
        opening = re.match(r"<\s*([A-Za-z]+)\s*(.*?)>\s*\Z", line)
        name, arguments = opening.groups() if opening else ([*line.split(None, 1), ""])[:2]
        yield Line(name.lower(), tuple(split_words(arguments)), tuple(scopes))
        if opening and name.lower() not in _TRANSPARENT:
            scopes.append(name.lower())


def virtual_hosts(files: t.Mapping[str, str]) -> list[VirtualHost]:
    """The virtual hosts of the site files (by file name), in Apache's order."""
    hosts: list[VirtualHost] = []
    for file in sorted(files):
        for line in scan(files[file]):
            if line.name == "virtualhost":
                hosts.append(VirtualHost(file, line.words, ()))
            elif line.name in ("servername", "serveralias") and line.scopes == ("virtualhost",) and hosts:
                names = tuple(re.sub(r"\Ahttps?://|:\d+\Z", "", word.lower()) for word in line.words)
                hosts[-1] = dataclasses.replace(hosts[-1], names=hosts[-1].names + names)
    return hosts


def site_prefix(site: str, ports: t.Iterable[int], foreign: t.Sequence[VirtualHost]) -> str:
    """What to put before our sites' names so that no neighbour loses its place as the default of a port.

    Apache gives a request that names no known host to the first virtual host of the address, and reads the sites in the
    order of their names.
    """
    latest = ""
    for port in ports:
        first = next((host.file for host in foreign if host.listens(port)), None)
        # Of our two files, the one for TLS comes first.
        if first is not None and first > f"{site}-ssl.conf":
            late_enough = LATE_PREFIX if first < LATE_PREFIX else f"{first[: -len('.conf')]}.{LATE_PREFIX}"
            latest = max(latest, late_enough)
    return latest


def conflicts(hosts: t.Iterable[str], ports: t.Collection[int], foreign: t.Iterable[VirtualHost]) -> list[str]:
    """Sites that answer for the hosts already by their literal name, in words."""
    wanted = set(hosts)
    found = []
    for virtual_host in foreign:
        taken = sorted(wanted.intersection(virtual_host.names))
        if taken and any(virtual_host.listens(port) for port in ports):
            found.append(f"the enabled site {virtual_host.file} answers for {', '.join(taken)} already")
    return list(dict.fromkeys(found))


def shadows(
    hosts: t.Iterable[str], ports: t.Collection[int], foreign: t.Iterable[VirtualHost], listen: t.Collection[str] = ("*",)
) -> list[str]:
    """Reasons why a request for the hosts may never reach our sites, in words."""
    wanted = list(hosts)
    found = []
    for virtual_host in foreign:
        if not any(virtual_host.listens(port) for port in ports):
            continue
        fixed = [
            address
            for address in virtual_host.addresses
            if not address.startswith(("*", "_default_")) and re.sub(r":(\d+|\*)\Z", "", address) not in listen
        ]
        if fixed:
            found.append(
                f"site {virtual_host.file} listens on {', '.join(fixed)}; requests to that address never reach sites on "
                "*: name it in the option listen"
            )
        patterns = [name for name in virtual_host.names if set("*?") & set(name)]
        caught = [host for host in wanted if any(fnmatch.fnmatchcase(host, pattern) for pattern in patterns)]
        if caught:
            found.append(f"site {virtual_host.file} has a wildcard name that catches {', '.join(caught)} if it comes first")
    return list(dict.fromkeys(found))
