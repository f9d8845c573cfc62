"""What the sites of others need is left to them, and where ours could not be reached the line that stands in the way is named."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import neighbours
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.dump import Dump, Include, VirtualHost
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.neighbours import (
    Ground,
    Placement,
    Wanted,
    place,
    some,
)

MAIN, SITES = "/etc/apache2/apache2.conf", "/etc/apache2/sites-enabled"
NAMES = ("autoconfig.server.tld", "autodiscover.server.tld")
INCLUDED_AT, SITES_AT = 100, 225


def host(file: str, address: str = "*:80", names: str = "www.example", line: int = 1, default: bool = False) -> VirtualHost:
    """A virtual host of others; a file without a directory is an enabled site."""
    literal = tuple(name for name in names.split() if "*" not in name)
    patterns = tuple(name for name in names.split() if "*" in name)
    path = file if file.startswith("/") else f"{SITES}/{file}"
    return VirtualHost(address, literal, patterns, path, line, default)


def ground(*hosts: VirtualHost, includes: t.Mapping[str, tuple[str, int]] | None = None, sites_line: int = SITES_AT) -> Ground:
    """The configuration with these, the first at each address as its default.

    :arg includes: for files that are no enabled sites: which file the main file includes for them, and where
    """
    firsts: dict[str, VirtualHost] = {}
    for item in hosts:
        firsts.setdefault(item.address, item)
    marked = tuple(
        VirtualHost(item.address, item.names, item.patterns, item.file, item.line, firsts[item.address] is item) for item in hosts
    )
    known = [Include(item.file, item.file, SITES_AT) for item in hosts if item.file.startswith(SITES)]
    known += [Include(path, first, line) for path, (first, line) in (includes or {}).items()]
    return Ground(Dump(marked, includes=tuple(known)), MAIN, SITES, sites_line)


def wanted(*, ports: t.Sequence[int] = (80,), listen: tuple[str, ...] = ("*",), **changes: t.Any) -> Wanted:
    return Wanted(dict.fromkeys(ports, NAMES), ("autoconfig.server.tld",), listen, **changes)


def problems(found: Placement) -> list[str]:
    return list(found.findings.problems)


# -- defaults -----------------------------------------------------------------------------------------------------------


def test_alone_we_have_every_address_and_a_default_of_our_own() -> None:
    assert place(wanted(ports=(80, 443)), ground()) == Placement(
        "", {80: ("*",), 443: ("*",)}, {80: ("*",), 443: ("*",)}, neighbours.Findings()
    )


def test_a_port_on_which_nobody_has_a_site_gets_a_default_of_ours() -> None:
    found = place(wanted(ports=(80, 443)), ground(host("000-default.conf")))
    assert found.defaults == {80: (), 443: ("*",)}
    assert (found.prefix, problems(found)) == ("", [])


@pytest.mark.parametrize(
    ("file", "prefix"),
    [
        ("000-default.conf", ""),
        ("autoconfig.conf", ""),
        ("mail-le-ssl.conf", "zz-"),
        ("zz-last.conf", "zz-last.zz-"),
    ],
)
def test_our_files_are_read_after_the_default_of_a_port(file: str, prefix: str) -> None:
    found = place(wanted(), ground(host(file)))
    assert (found.prefix, problems(found)) == (prefix, [])
    assert f"{prefix}autoconfig.server.tld.conf" > file


def test_only_the_default_matters_for_our_place() -> None:
    assert place(wanted(), ground(host("000.conf"), host("zzzz.conf"))).prefix == ""


def test_the_latest_default_of_all_addresses_decides() -> None:
    found = place(wanted(ports=(80, 443)), ground(host("000.conf"), host("www.conf", "*:443")))
    assert found.prefix == "zz-"


def test_a_port_that_our_sites_leave_does_not_decide_about_their_names() -> None:
    late = ground(host("zz.conf", "*:443"))
    assert place(wanted(ports=(80, 443)), late).prefix == "zz.zz-"
    assert place(dataclasses.replace(wanted(), names={80: NAMES, 443: ()}), late).prefix == ""


def test_a_default_that_is_read_after_the_enabled_sites_stands_in_the_way() -> None:
    for item, includes in (
        (host(MAIN, line=300), {}),
        (host("/srv/late.conf"), {"/srv/late.conf": ("/srv/late.conf", 226)}),
    ):
        (problem,) = problems(place(wanted(), ground(item, includes=includes)))
        assert problem.startswith(f"the virtual host at {item.place} is the default of *:80 and is read after {SITES}")


def test_a_default_that_is_read_before_them_is_no_matter_wherever_it_is_written() -> None:
    for item, includes in (
        (host(MAIN, line=200), {}),
        (host("/srv/zzz.conf"), {"/srv/zzz.conf": ("/srv/zzz.conf", INCLUDED_AT)}),
    ):
        found = place(wanted(), ground(item, includes=includes))
        assert (found.prefix, problems(found)) == ("", [])


def test_a_file_that_an_enabled_site_includes_is_read_with_it() -> None:
    found = place(wanted(), ground(host("/srv/a.conf"), includes={"/srv/a.conf": (f"{SITES}/web.conf", SITES_AT)}))
    assert (found.prefix, problems(found)) == ("zz-", [])


def test_enabled_sites_that_apache_does_not_read_are_a_problem() -> None:
    assert problems(place(wanted(), ground(sites_line=0))) == [
        f"{MAIN} does not include {SITES}: Apache would not read our sites"
    ]


# -- addresses ----------------------------------------------------------------------------------------------------------


def test_where_others_have_a_fixed_address_ours_stand_beside_them() -> None:
    found = place(wanted(), ground(host("000.conf"), host("x.conf", "192.0.2.7:80"), host("y.conf", "[2001:db8::7]:80")))
    assert found.addresses == {80: ("*", "192.0.2.7", "[2001:db8::7]")}
    assert (found.defaults, found.prefix, problems(found)) == ({80: ()}, "zz-", [])


def test_with_fixed_addresses_alone_the_others_of_the_host_get_a_default_of_ours() -> None:
    found = place(wanted(), ground(host("000.conf", "192.0.2.7:80")))
    assert (found.addresses, found.defaults) == ({80: ("*", "192.0.2.7")}, {80: ("*",)})


def test_a_fixed_address_of_another_port_is_no_matter() -> None:
    assert place(wanted(), ground(host("x.conf", "192.0.2.7:8080"))).addresses == {80: ("*",)}


def test_an_address_that_would_take_the_requests_of_others_is_refused() -> None:
    found = place(wanted(listen=("192.0.2.7",)), ground(host("shop.conf")))
    assert problems(found) == [
        f"listen: a virtual host on 192.0.2.7:80 takes all requests to that address, and the one at {SITES}/shop.conf:1 (*:80) "
        "is reached there now: leave listen out, then ours stand beside it"
    ]
    beside = place(wanted(listen=("192.0.2.7",)), ground(host("shop.conf"), host("000.conf", "192.0.2.7:80")))
    assert (problems(beside), beside.addresses) == ([], {80: ("192.0.2.7",)})


def test_addresses_that_leave_one_out_are_refused() -> None:
    found = place(wanted(listen=("*", "192.0.2.8")), ground(host("x.conf", "192.0.2.7:80")))
    assert problems(found) == [
        f"listen: the virtual host at {SITES}/x.conf:1 has the address 192.0.2.7:80, at which sites on * are not reached: name "
        "192.0.2.7 too, or leave listen out"
    ]


def test_a_virtual_host_for_every_port_stands_in_the_way_if_it_comes_first() -> None:
    (problem,) = problems(place(wanted(), ground(host("x.conf", "*:*"))))
    assert problem.startswith(f"the virtual host at {SITES}/x.conf:1 answers on every port (*:*)")
    assert problems(place(wanted(), ground(host("a.conf"), host("x.conf", "*:*")))) == []


# -- names --------------------------------------------------------------------------------------------------------------


def test_a_site_that_has_our_name_stands_in_the_way() -> None:
    found = place(wanted(), ground(host("www.conf", names="www.tld autoconfig.server.tld", line=7)))
    assert problems(found) == [f"the virtual host at {SITES}/www.conf:7 answers for autoconfig.server.tld already"]


def test_the_same_name_on_a_port_of_its_own_is_no_matter() -> None:
    assert problems(place(wanted(), ground(host("www.conf", "*:8080", names="autoconfig.server.tld")))) == []


def test_a_wildcard_that_catches_our_names_stands_in_the_way_only_if_it_is_read_first() -> None:
    first = ground(host("000.conf"), host("aaa.conf", names="x.tld *.server.tld"))
    (problem,) = problems(place(wanted(), first))
    assert problem.startswith(
        f"the virtual host at {SITES}/aaa.conf:1 has the name *.server.tld, which catches autoconfig.server.tld, autodiscover."
    )
    later = ground(host("000.conf"), host("zz-wild.conf", names="x.tld *.server.tld"))
    assert problems(place(wanted(), later)) == []


def test_a_default_with_a_wildcard_for_our_names_always_comes_first() -> None:
    for pattern in ("*.server.tld", "*", "auto*"):
        assert len(problems(place(wanted(), ground(host("zzz.conf", names=f"x.tld {pattern}"))))) == 1
    assert problems(place(wanted(), ground(host("zzz.conf", names="x.tld *.other.tld")))) == []


# -- adoption -----------------------------------------------------------------------------------------------------------


def test_a_site_that_the_run_replaces_is_no_neighbour() -> None:
    link, file = f"{SITES}/autoconfig.server.tld.conf", "/etc/apache2/sites-available/autoconfig.server.tld.conf"
    theirs = ground(host("autoconfig.server.tld.conf", names="autoconfig.server.tld"), host("www.conf"))
    there = Ground(theirs.dump, MAIN, SITES, SITES_AT, {link: file})
    assert len(problems(place(wanted(), there))) == 1
    found = place(wanted(adopted=frozenset({file})), there)
    # The one behind it is the default from then on, and keeps that place.
    assert (problems(found), found.prefix) == ([], "zz-")


def test_what_the_run_replaces_is_known_by_where_its_link_and_its_directory_lead() -> None:
    linked, moved = f"{SITES}/guide.conf", "/srv/sites-available"
    there = ground(host("guide.conf", names=NAMES[0]), host("own.conf"))
    real = {linked: f"{moved}/autoconfig.server.tld.conf", "/etc/apache2/sites-available": moved}
    there = dataclasses.replace(there, real=real)
    replaced = {"/etc/apache2/sites-available/autoconfig.server.tld.conf"}
    assert [item.file for item in there.others(replaced)] == [f"{SITES}/own.conf"]
    assert not there.others(replaced)[0].default
    assert [item.default for item in there.without(replaced).dump.virtual_hosts] == [True]


def test_a_long_list_of_names_is_cut() -> None:
    assert some(["a", "b"]) == "a, b"
    assert some([str(number) for number in range(9)]) == "0, 1, 2, 3, 4, 5 and 3 more"
