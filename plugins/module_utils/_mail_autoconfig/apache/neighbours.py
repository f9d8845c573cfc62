"""What the sites of others need: their addresses, their names, and their places as defaults. Ours take none of it away.

PRIVATE to the collection. Judges what Apache itself has understood (``dump``), without ours in it. How Apache chooses: by the
address and port of the connection, where a fixed address beats ``*``; then by name, in the order in which the files are read;
then the first one of the address (server/vhost.c, ``ap_update_vhost_given_ip``, ``check_hostalias``).
"""

from __future__ import annotations

import dataclasses
import fnmatch
import os
import typing as t

from ..findings import Findings, some
from .dump import Dump, VirtualHost

LATE_PREFIX = "zz-"
_ANY = "*"


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What our sites would like to have.

    :ivar names: host names by port
    :ivar files: names of the site files without prefix
    :ivar listen: addresses that the administrator named; ``*`` alone leaves the choice to us
    :ivar adopted: paths of files that the run replaces, so that they are no neighbours
    :ivar adoptable: paths of files that it would replace if it were told to
    """

    names: t.Mapping[int, t.Sequence[str]]
    files: t.Sequence[str]
    listen: tuple[str, ...] = (_ANY,)
    adopted: frozenset[str] = frozenset()
    adoptable: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where our sites go.

    :ivar prefix: what to put before the names of their files
    :ivar addresses: of their virtual hosts, by port
    :ivar defaults: addresses at which nobody else has a virtual host, by port
    :ivar guards: for addresses such as ``192.0.2.7:80`` at which we are only because somebody else is: the file that says so
    """

    prefix: str
    addresses: t.Mapping[int, tuple[str, ...]]
    defaults: t.Mapping[int, tuple[str, ...]]
    findings: Findings
    guards: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Ground:
    """The configuration without ours.

    :ivar sites: the directory of the enabled sites, ``sites_line`` where the main file includes it (0 if it does not)
    :ivar real: where paths of enabled sites lead, and the directory of those that can be enabled
    """

    dump: Dump
    main_file: str
    sites: str
    sites_line: int
    real: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    def at(self, ip: str, port: int) -> tuple[VirtualHost, ...]:
        """The virtual hosts among which Apache chooses for a connection to an address."""
        addresses = [host.address for host in self.dump.virtual_hosts if host.ip == ip and host.port in (port, 0)]
        return tuple(host for host in self.dump.virtual_hosts if host.address == addresses[0]) if addresses else ()

    def position(self, host: VirtualHost) -> tuple[int, str]:
        """When it is read: -1 before the enabled sites, 0 among them with the name of the file there, 1 after them."""
        line = host.line
        if host.file != self.main_file:
            entry = next((entry for entry in self.dump.includes if entry.path == host.file), None)
            if entry is None:
                return -1, ""
            if os.path.dirname(entry.first) == self.sites:
                return 0, os.path.basename(entry.first)
            line = entry.line
        return (-1 if line < self.sites_line else 1), ""

    def others(self, adopted: t.Iterable[str]) -> list[VirtualHost]:
        """The virtual hosts that are in none of these files."""
        files = {self._leads_to(path) for path in adopted}
        return [host for host in self.dump.virtual_hosts if self._leads_to(host.file) not in files]

    def _leads_to(self, path: str) -> str:
        directory, name = os.path.split(path)
        return self.real.get(path, os.path.join(self.real.get(directory, directory), name))

    def without(self, adopted: t.Iterable[str]) -> Ground:
        """The same without the sites of files that the run replaces."""
        hosts = self.others(adopted)
        kept: list[VirtualHost] = []
        for host in hosts:
            first = not any(other.address == host.address for other in kept)
            kept.append(dataclasses.replace(host, default=first))
        return dataclasses.replace(self, dump=dataclasses.replace(self.dump, virtual_hosts=tuple(kept)))


def place(wanted: Wanted, ground: Ground) -> Placement:
    """Find a place for our sites beside the others, or say which line of which file stands in the way."""
    ground = ground.without(wanted.adopted)
    addresses = {port: _addresses(port, wanted.listen, ground) for port in wanted.names}
    shared = [(port, ip, ground.at(ip, port)) for port, ips in addresses.items() for ip in ips]
    # A port that our sites leave must not give them names that the next run takes away again.
    prefix = max(["", *(_late_enough(hosts, wanted.files, ground) for port, _ip, hosts in shared if wanted.names[port])])
    first_file = f"{prefix}{min(wanted.files, default='')}.conf"
    problems = (
        [] if ground.sites_line else [f"{ground.main_file} does not include {ground.sites}: Apache would not read our sites"]
    )
    for port, ip, hosts in shared:
        problems.extend(_address_problems(port, ip, hosts, wanted.listen, ground))
        problems.extend(_place_problems(hosts, ground))
        problems.extend(_name_problems(wanted.names[port], hosts, first_file, ground, wanted.adoptable))
    return Placement(
        prefix=prefix,
        addresses=addresses,
        defaults={port: tuple(ip for other, ip, hosts in shared if other == port and not hosts) for port in addresses},
        findings=Findings(tuple(dict.fromkeys(problems))),
        guards={
            hosts[0].address: hosts[0].file for _port, ip, hosts in shared if hosts and ip != _ANY and wanted.listen == (_ANY,)
        },
    )


def _addresses(port: int, listen: tuple[str, ...], ground: Ground) -> tuple[str, ...]:
    """Ours: where others have a fixed address, ``*`` is not reached there, so we stand beside them."""
    if listen != (_ANY,):
        return listen
    fixed = {host.ip for host in ground.dump.virtual_hosts if host.port == port and host.ip != _ANY}
    return (_ANY, *sorted(fixed))


def _late_enough(hosts: t.Sequence[VirtualHost], files: t.Iterable[str], ground: Ground) -> str:
    """The prefix with which our files are read after the default of an address."""
    name = ground.position(hosts[0])[1] if hosts else ""
    if not name or all(name < f"{file}.conf" for file in files):
        return ""
    return LATE_PREFIX if name < LATE_PREFIX else f"{name[: -len('.conf')]}.{LATE_PREFIX}"


def _address_problems(
    port: int, ip: str, hosts: t.Sequence[VirtualHost], listen: tuple[str, ...], ground: Ground
) -> t.Iterator[str]:
    if hosts and hosts[0].port == 0:
        yield (
            f"the virtual host at {hosts[0].place} answers on every port ({hosts[0].address}), so that of it and one on port "
            f"{port} only the first is ever reached: give it a port, for example <VirtualHost {hosts[0].ip}:{port}>"
        )
    losers = ground.at(_ANY, port)
    if ip != _ANY and not hosts and losers:
        yield (
            f"listen: a virtual host on {ip}:{port} takes all requests to that address, and the one at {losers[0].place} "
            f"({losers[0].address}) is reached there now: leave listen out, then ours stand beside it"
        )
    for host in ground.dump.virtual_hosts:
        if listen != (_ANY,) and _ANY in listen and host.port == port and host.ip not in listen:
            yield (
                f"listen: the virtual host at {host.place} has the address {host.address}, at which sites on * are not reached: "
                f"name {host.ip} too, or leave listen out"
            )


def _place_problems(hosts: t.Sequence[VirtualHost], ground: Ground) -> t.Iterator[str]:
    if hosts and ground.position(hosts[0])[0] > 0:
        yield (
            f"the virtual host at {hosts[0].place} is the default of {hosts[0].address} and is read after {ground.sites}, so "
            f"that ours would become the default in its place: include its file before {ground.sites}, or move it there"
        )


def _name_problems(
    names: t.Sequence[str], hosts: t.Sequence[VirtualHost], first_file: str, ground: Ground, adoptable: frozenset[str]
) -> t.Iterator[str]:
    wanted = set(names)
    others = ground.others(adoptable)
    for host in hosts:
        taken = sorted(wanted.intersection(host.names))
        if taken:
            hint = "" if host in others else "; with adopt: true ours comes in its place"
            yield f"the virtual host at {host.place} answers for {some(taken)} already{hint}"
        caught = [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in host.patterns)]
        if caught and (host.default or ground.position(host) < (0, first_file)):
            yield (
                f"the virtual host at {host.place} has the name {' '.join(host.patterns)}, which catches {some(caught)}, and "
                "comes first: give it its names one by one, or let its file be read later (and another be the default)"
            )
