"""The configuration that is not ours: read tolerantly, and nothing is taken away from it."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import neighbours
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.neighbours import Line, VirtualHost
from hypothesis import given
from hypothesis import strategies as st

OURS = "autoconfig.server.tld"


def site(address: str, *names: str) -> str:
    """The text of a site."""
    lines = [f"ServerName {names[0]}", *(f"ServerAlias {name}" for name in names[1:])] if names else []
    return "\n".join([f"<VirtualHost {address}>", *lines, "</VirtualHost>", ""])


def hosts(**files: str) -> list[VirtualHost]:
    """The virtual hosts of files; their names with underscores for hyphens and without suffix."""
    found: list[VirtualHost] = neighbours.virtual_hosts({f"{name.replace('_', '-')}.conf": text for name, text in files.items()})
    return found


# -- reading ------------------------------------------------------------------------------------------------------------


def test_directives_are_found_with_the_sections_around_them() -> None:
    text = """
# ServerName commented.tld
<VirtualHost *:80 [::]:80>
  ServerName "a.tld"
\tServerAlias  b.tld \\
    c.tld
  <Directory "/var/www/a b">
    Require all granted
  </Directory>
  <IfModule mod_x.c>
    <Location />
      Deny
    </Location>
    Late word
  </IfModule>
</VirtualHost>
Listen 80
"""
    assert list(neighbours.scan(text)) == [
        Line("virtualhost", ("*:80", "[::]:80"), ()),
        Line("servername", ("a.tld",), ("virtualhost",)),
        Line("serveralias", ("b.tld", "c.tld"), ("virtualhost",)),
        Line("directory", ("/var/www/a b",), ("virtualhost",)),
        Line("require", ("all", "granted"), ("virtualhost", "directory")),
        Line("ifmodule", ("mod_x.c",), ("virtualhost",)),
        Line("location", ("/",), ("virtualhost",)),
        Line("deny", (), ("virtualhost", "location")),
        Line("late", ("word",), ("virtualhost",)),
        Line("listen", ("80",), ()),
    ]


@pytest.mark.parametrize("name", ["IfModule", "ifdefine", "IfVersion", "IfFile", "IfDirective", "IfSection"])
def test_conditions_open_no_scope_of_their_own(name: str) -> None:
    lines = list(neighbours.scan(f"<{name} x>\nListen 80\n</{name}>\nListen 81\n"))
    assert [(line.name, line.scopes) for line in lines] == [(name.lower(), ()), ("listen", ()), ("listen", ())]


@given(st.text('<>/VirtualHost *:80\n\\"#$ServerName', max_size=60))
def test_no_text_stops_the_reading(text: str) -> None:
    for line in neighbours.scan(text):
        assert line.name == line.name.lower()
    neighbours.virtual_hosts({"x.conf": text})


def test_virtual_hosts_come_in_apaches_order_with_all_their_names() -> None:
    found = hosts(
        b=site("*:80", "B.tld", "www.b.tld") + site("*:443", "b.tld:443"),
        a="<IfModule mod_ssl.c>\n" + site("_default_:443", "a.tld") + "</IfModule>\nServerName global.tld\n",
    )
    assert found == [
        VirtualHost("a.conf", ("_default_:443",), ("a.tld",)),
        VirtualHost("b.conf", ("*:80",), ("b.tld", "www.b.tld")),
        VirtualHost("b.conf", ("*:443",), ("b.tld",)),
    ]


def test_names_in_sections_of_a_virtual_host_are_not_its_names() -> None:
    text = """
<VirtualHost *:80>
  <Location /x>
    ServerName x.tld
  </Location>
  <IfModule y>
    ServerName y.tld
  </IfModule>
</VirtualHost>
"""
    assert hosts(a=text) == [VirtualHost("a.conf", ("*:80",), ("y.tld",))]


@pytest.mark.parametrize("name", ["a.tld", "A.tld:443", "https://a.tld:443"])
def test_a_server_name_is_read_without_scheme_and_port(name: str) -> None:
    assert hosts(a=site("*:443", name))[0].names == ("a.tld",)


@pytest.mark.parametrize(
    ("address", "port", "expected"),
    [
        ("*:80", 80, True),
        ("*:80", 443, False),
        ("*:8080", 80, False),
        ("*", 80, True),
        ("*", 443, True),
        ("*:*", 443, True),
        ("_default_:443", 443, True),
        ("_default_:443", 80, False),
        ("_default_", 80, True),
        ("203.0.113.7:80", 80, True),
        ("203.0.113.7:80", 443, False),
        ("203.0.113.7", 443, True),
        ("host.tld:80", 80, True),
        ("host.tld", 80, True),
        ("[2001:db8::80]:443", 443, True),
        ("[2001:db8::80]:443", 80, False),
        ("[2001:db8::80]", 443, True),
        ("[::]:80", 80, True),
    ],
)
def test_a_virtual_host_listens_on_its_port_or_on_all(address: str, port: int, expected: bool) -> None:
    assert VirtualHost("x.conf", (address,), ()).listens(port) is expected


def test_one_of_several_addresses_is_enough() -> None:
    assert VirtualHost("x.conf", ("203.0.113.7:8080", "[::1]:443"), ()).listens(443)
    assert not VirtualHost("x.conf", (), ()).listens(443)


# -- who comes first ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "prefix"),
    [
        ({}, ""),
        ({"000_default": site("*:80")}, ""),
        ({"aaa": site("*:80")}, ""),
        ({"default": site("*:80")}, "zz-"),
        ({"www.server.tld": site("*:80", "www.server.tld")}, "zz-"),
        ({"000_default": site("*:80"), "www": site("*:80")}, ""),
        ({"www": site("*:8080")}, ""),
        ({"www": site("*:443")}, "zz-"),
        ({"000_default": site("*:80"), "default_ssl": site("_default_:443")}, "zz-"),
        ({"000_default": site("*:80") + site("*:443")}, ""),
        ({"www": site("*")}, "zz-"),
        ({"www": site("[2001:db8::7]:443")}, "zz-"),
        ({"www": site("[2001:db8::7]")}, "zz-"),
        ({"www": site("203.0.113.7:80")}, "zz-"),
    ],
)
def test_a_neighbour_that_is_the_default_of_a_port_stays_it(files: dict[str, str], prefix: str) -> None:
    assert neighbours.site_prefix(OURS, [80, 443], hosts(**files)) == prefix


def test_only_the_ports_that_we_use_matter() -> None:
    foreign = hosts(www=site("*:443"))
    assert neighbours.site_prefix(OURS, [80], foreign) == ""
    assert neighbours.site_prefix(OURS, [8443], foreign) == ""


@pytest.mark.parametrize("default", ["www", "zz", "zz-", "zz-autoconfig.server.tld-www", "zzz-default", "zzz.zz-zz", "~last"])
def test_the_prefix_is_late_enough_for_any_neighbour(default: str) -> None:
    foreign = neighbours.virtual_hosts({f"{default}.conf": site("*:80")})
    prefix = neighbours.site_prefix(OURS, [80], foreign)
    assert f"{prefix}{OURS}-ssl.conf" > f"{default}.conf"
    assert f"{prefix}{OURS}.conf" > f"{default}.conf"


def test_the_latest_of_the_prefixes_that_the_ports_need_is_taken() -> None:
    foreign = hosts(www=site("*:80"), zzz_tls=site("*:443"))
    first = neighbours.site_prefix(OURS, [80, 443], foreign)
    assert first == neighbours.site_prefix(OURS, [443, 80], foreign)
    assert f"{first}{OURS}-ssl.conf" > "zzz-tls.conf"


def test_a_neighbour_of_a_name_of_ours_is_no_neighbour_to_be_let_before() -> None:
    assert neighbours.site_prefix(OURS, [80], neighbours.virtual_hosts({f"{OURS}-ssl.conf": site("*:80")})) == ""


def test_a_neighbour_between_our_two_sites_stays_the_default() -> None:
    foreign = neighbours.virtual_hosts({f"{OURS}-www.conf": site("*:443")})
    assert f"{OURS}-ssl.conf" < foreign[0].file < f"{OURS}.conf"
    assert neighbours.site_prefix(OURS, [80, 443], foreign) == "zz-"


# -- who has the name ---------------------------------------------------------------------------------------------------


def test_a_site_that_answers_for_our_host_by_name_is_a_conflict() -> None:
    foreign = hosts(mail=site("*:80", "mail.tld", OURS, "autodiscover.server.tld") + site("*:443", "mail.tld", OURS))
    assert neighbours.conflicts([OURS, "autodiscover.server.tld"], [80, 443], foreign) == [
        f"the enabled site mail.conf answers for {OURS}, autodiscover.server.tld already",
        f"the enabled site mail.conf answers for {OURS} already",
    ]


@pytest.mark.parametrize(
    "text",
    [
        site("*:80", "www.server.tld"),
        site("*:80", "*.server.tld"),
        site("*:8080", OURS),
        site("*:80"),
    ],
)
def test_other_names_wildcards_and_other_ports_are_no_conflict(text: str) -> None:
    assert neighbours.conflicts([OURS], [80, 443], hosts(www=text)) == []


def test_a_wildcard_that_catches_our_host_is_named() -> None:
    foreign = hosts(www=site("*:80", "server.tld", "*.server.tld"), other=site("*:80", "auto*.tld", "x.tld"))
    assert neighbours.shadows([OURS, "autodiscover.other.example"], [80], foreign) == [
        f"site other.conf has a wildcard name that catches {OURS} if it comes first",
        f"site www.conf has a wildcard name that catches {OURS} if it comes first",
    ]


@pytest.mark.parametrize("address", ["203.0.113.7:80", "[2001:db8::7]:80", "203.0.113.7", "[2001:db8::7]", "mail.tld:80"])
def test_a_site_with_an_address_of_its_own_hides_ours(address: str) -> None:
    (reason,) = neighbours.shadows([OURS], [80], hosts(www=site(address, "www.tld")))
    assert reason == (
        f"site www.conf listens on {address}; requests to that address never reach sites on *: name it in the option listen"
    )


def test_all_addresses_of_a_site_are_named_and_those_that_we_listen_on_are_not() -> None:
    foreign = hosts(www=site("*:80 203.0.113.7:80 _default_:80 [2001:db8::7]:80", "www.tld"))
    (reason,) = neighbours.shadows([OURS], [80], foreign)
    assert reason.startswith("site www.conf listens on 203.0.113.7:80, [2001:db8::7]:80; ")
    (reason,) = neighbours.shadows([OURS], [80], foreign, ["203.0.113.7"])
    assert reason.startswith("site www.conf listens on [2001:db8::7]:80; ")
    assert neighbours.shadows([OURS], [80], foreign, ["203.0.113.7", "[2001:db8::7]"]) == []


def test_a_name_without_wildcard_is_no_reason() -> None:
    assert neighbours.shadows([OURS], [80], hosts(www=site("*:80", "www.tld", OURS))) == []


def test_reasons_are_given_once() -> None:
    text = site("203.0.113.7:80", "a.tld") + site("203.0.113.7:80", "b.tld")
    assert len(neighbours.shadows([OURS], [80], hosts(www=text))) == 1
    assert len(neighbours.conflicts([OURS], [80], hosts(www=site("*:80", OURS) + site("*:80", OURS)))) == 1


def test_usual_neighbours_are_neither_conflict_nor_shadow() -> None:
    foreign = hosts(
        **{
            "000_default": site("*:80"),
            "www": site("*:80", "server.tld", "www.server.tld"),
            "ssl": site("_default_:443", "x.tld"),
        }
    )
    assert neighbours.conflicts([OURS], [80, 443], foreign) == []
    assert neighbours.shadows([OURS], [80, 443], foreign) == []


def test_a_site_on_another_port_shadows_nothing() -> None:
    assert neighbours.shadows([OURS], [80], hosts(www=site("203.0.113.7:8080", "*.server.tld"))) == []
