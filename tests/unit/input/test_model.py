"""The provider: defaults, and every mistake of an input at once, each with its place."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import model
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import Fields, InputError
from hypothesis import given
from hypothesis import strategies as st

if t.TYPE_CHECKING:
    from tests.unit.conftest import Options, ProviderOptions

IMAP = {"type": "imap", "hostname": "mail.server.tld"}
SMTP = {"type": "smtp", "hostname": "mail.server.tld"}
SMALLEST: Options = {"domains": ["server.tld"], "incoming": [IMAP], "outgoing": [SMTP]}


def problems_of(*providers: Options) -> list[str]:
    """What is wrong with a list of providers."""
    problems: list[str] = []
    model.read_providers(Fields({"providers": list(providers)}, "", problems).mappings("providers"))
    return problems


def test_the_example_providers_are_right() -> None:
    assert problems_of(SMALLEST) == []


# -- mistakes -----------------------------------------------------------------------------------------------------------

MISTAKES: dict[str, tuple[Options, list[str]]] = {
    "nothing": (
        {},
        [
            "providers[0].domains: at least one entry is needed",
            "providers[0].incoming: at least one server is needed",
            "providers[0].outgoing: at least one server is needed",
        ],
    ),
    "a domain that is no name": (
        {**SMALLEST, "domains": ["server.tld", "a b"]},
        [
            "providers[0].domains[1]: 'a b' is not a host name (labels of 1 to 63 letters, digits and inner hyphens, "
            "joined by dots)"
        ],
    ),
    "a placeholder as the domain": (
        {**SMALLEST, "domains": ["%EMAILDOMAIN%"]},
        [
            "providers[0].domains[0]: '%EMAILDOMAIN%' is not a host name (labels of 1 to 63 letters, digits and inner "
            "hyphens, joined by dots)"
        ],
    ),
    "a domain twice": (
        {**SMALLEST, "domains": ["server.tld", "Server.TLD."]},
        ["providers[0].domains[1]: 'Server.TLD.' is listed twice"],
    ),
    "a placeholder as the id": (
        {**SMALLEST, "id": "%EMAILDOMAIN%"},
        [
            "providers[0].id: '%EMAILDOMAIN%' is not a host name (labels of 1 to 63 letters, digits and inner hyphens, "
            "joined by dots)"
        ],
    ),
    "a directory as the id": (
        {**SMALLEST, "id": "../etc"},
        ["providers[0].id: '../etc' is not a host name (labels of 1 to 63 letters, digits and inner hyphens, joined by dots)"],
    ),
    "an unknown option": (
        {**SMALLEST, "catch_all": True},
        [
            "providers[0].catch_all: is unknown; allowed are caldav, carddav, certificate_content, certificate_extra_names, "
            "certificate_key_content, certificates, config_update_url, display_name, documentation, domains, enable, id, "
            "incoming, input_fields, instructions, jmap, logo, managesieve, oauth2, outgoing, profile, short_name, webmail"
        ],
    ),
    "an unknown option of a server": (
        {**SMALLEST, "incoming": [{**IMAP, "password": "x"}]},
        [
            "providers[0].incoming[0].password: is unknown; allowed are add_this_server, authentication, eas_url, ews_url, "
            "hostname, owa_url, pop3, port, restriction, socket_type, type, url, username"
        ],
    ),
    "an unknown kind of server": (
        {**SMALLEST, "incoming": [{**IMAP, "type": "IMAP"}], "outgoing": [{**SMTP, "type": "submission"}]},
        [
            "providers[0].incoming[0].type: 'IMAP' is unknown (did you mean imap?); allowed are imap, pop3, jmap, ews, owa, "
            "graph, activeSync, exchange, nntp",
            "providers[0].outgoing[0].type: 'submission' is unknown (did you mean smtp?); allowed are smtp",
        ],
    ),
    "no kind of server and no name": (
        {**SMALLEST, "incoming": [{}]},
        ["providers[0].incoming[0].type: is required", "providers[0].incoming[0].hostname: is required"],
    ),
    "a server that is no mapping": (
        {**SMALLEST, "incoming": ["mail.server.tld"]},
        [
            "providers[0].incoming[0]: 'mail.server.tld' is not a mapping of options",
            "providers[0].incoming[0].type: is required",
            "providers[0].incoming[0].hostname: is required",
        ],
    ),
    "a server of a URL without one": (
        {**SMALLEST, "incoming": [IMAP, {"type": "ews"}]},
        ["providers[0].incoming[1].url: is required"],
    ),
    "an unknown socket type": (
        {**SMALLEST, "incoming": [{**IMAP, "socket_type": "TLS"}]},
        [
            "providers[0].incoming[0].socket_type: 'TLS' is unknown (did you mean SSL for TLS from the first byte, or "
            "STARTTLS?); allowed are SSL, STARTTLS, plain"
        ],
    ),
    "an unknown authentication": (
        {
            **SMALLEST,
            "incoming": [{**IMAP, "authentication": ["OAuth2", "secure"]}],
            "outgoing": [{**SMTP, "authentication": ["plain"]}],
        },
        [
            "providers[0].incoming[0].authentication[1]: 'secure' is unknown (did you mean password-encrypted?); "
            "allowed are password-cleartext, "
            "password-encrypted, OAuth2, GSSAPI, NTLM, TLS-client-cert, client-IP-address, none",
            "providers[0].outgoing[0].authentication[0]: 'plain' is unknown (did you mean password-cleartext?); "
            "allowed are password-cleartext, "
            "password-encrypted, OAuth2, GSSAPI, NTLM, TLS-client-cert, client-IP-address, none, smtp-after-pop",
        ],
    ),
    "the authentication of an outgoing server for an incoming one": (
        {**SMALLEST, "incoming": [{**IMAP, "authentication": ["smtp-after-pop"]}]},
        [
            "providers[0].incoming[0].authentication[0]: 'smtp-after-pop' is unknown; allowed are password-cleartext, "
            "password-encrypted, OAuth2, GSSAPI, NTLM, TLS-client-cert, client-IP-address, none"
        ],
    ),
    "another socket type than SSL on a port of TLS": (
        {
            **SMALLEST,
            "incoming": [
                {**IMAP, "port": 993, "socket_type": "STARTTLS"},
                {**IMAP, "type": "pop3", "port": 995, "socket_type": "plain"},
            ],
            "outgoing": [
                {**SMTP, "port": 465, "socket_type": "STARTTLS"},
                {**SMTP, "port": "465", "socket_type": "SSL"},
                {**SMTP, "port": 587, "socket_type": "SSL"},
            ],
        },
        [
            "providers[0].incoming[0].socket_type: STARTTLS is not spoken on port 993 (did you mean SSL, or port 143?)",
            "providers[0].incoming[1].socket_type: plain is not spoken on port 995 (did you mean SSL, or port 110?)",
            "providers[0].outgoing[0].socket_type: STARTTLS is not spoken on port 465 (did you mean SSL, or port 587?)",
        ],
    ),
    "domains that are none": (
        {**SMALLEST, "domains": ["server", "anna@server.tld", "autoconfig.server.tld", "Autodiscover.a.tld"]},
        [
            "providers[0].domains[0]: 'server' has no dot: write the whole domain, for example server.tld",
            "providers[0].domains[1]: 'anna@server.tld' is an address; the domain is what stands behind its @",
            "providers[0].domains[2]: 'autoconfig.server.tld' is the name of a host for mail clients (did you mean server.tld?)",
            "providers[0].domains[3]: 'Autodiscover.a.tld' is the name of a host for mail clients (did you mean a.tld?)",
        ],
    ),
    "placeholders of nobody, wherever a user name stands": (
        {
            **SMALLEST,
            "incoming": [{**IMAP, "username": "%EMAIL%"}],
            "outgoing": [{**SMTP, "username": "%EMAILADDRESS"}],
            "caldav": {"url": "https://server.tld/", "username": "%USERNAME%"},
            "webmail": {"login_page": "https://server.tld/", "login_form": {"url": "https://server.tld/", "username": "%u"}},
        },
        [
            f"providers[0].{place}: '{name}': {name} is no placeholder that clients fill in (did you mean {meant}?); "
            "allowed are %EMAILADDRESS%, %EMAILLOCALPART%, %EMAILDOMAIN%, %REALNAME%"
            for place, name, meant in (
                ("incoming[0].username", "%EMAIL%", "%EMAILADDRESS%"),
                ("outgoing[0].username", "%EMAILADDRESS", "%EMAILADDRESS%"),
                ("caldav.username", "%USERNAME%", "%EMAILLOCALPART%"),
                ("webmail.login_form.username", "%u", "%EMAILADDRESS%"),
            )
        ],
    ),
    "wrong types": (
        {
            "id": True,
            "domains": "server.tld",
            "display_name": 365,
            "incoming": {"type": "imap"},
            "outgoing": [[SMTP], {**SMTP, "port": 465.0, "authentication": "OAuth2"}],
            "webmail": "https://server.tld/",
            "documentation": [{"url": "https://server.tld/", "texts": [{"text": "Hjelp", "lang": False}]}],
        },
        [
            "providers[0].id: True is not a string: without quotes, yes, no, on and off are true and false in YAML; "
            "put it in quotes",
            "providers[0].domains: 'server.tld' is not a list; put a single entry into [ ]",
            "providers[0].display_name: 365 is not a string: without quotes it is a number; put it in quotes",
            "providers[0].incoming: {'type': 'imap'} is not a list; put a single entry into [ ]",
            "providers[0].incoming: at least one server is needed",
            "providers[0].outgoing[0]: [{'type': 'smtp', 'hostname': 'mail.server.tld'}] is not a mapping of options",
            "providers[0].outgoing[0].type: is required",
            "providers[0].outgoing[0].hostname: is required",
            "providers[0].outgoing[1].port: 465.0 is not a port (1 to 65535)",
            "providers[0].outgoing[1].authentication: 'OAuth2' is not a list; put a single entry into [ ]",
            "providers[0].webmail: 'https://server.tld/' is not a mapping of options",
            "providers[0].webmail.login_page: is required",
            "providers[0].documentation[0].texts[0].lang: False is not a string: without quotes, yes, no, on and off are true "
            "and false in YAML; put it in quotes",
        ],
    ),
    "a port out of range": (
        {**SMALLEST, "incoming": [{**IMAP, "port": 99999}], "outgoing": [{**SMTP, "port": 0}]},
        [
            "providers[0].incoming[0].port: 99999 is not a port (1 to 65535)",
            "providers[0].outgoing[0].port: 0 is not a port (1 to 65535)",
        ],
    ),
    "POP3 options of an IMAP server": (
        {**SMALLEST, "incoming": [{**IMAP, "pop3": {"leave_messages_on_server": True}}]},
        ["providers[0].incoming[0].pop3: is only for servers of type pop3"],
    ),
    "wrong POP3 options": (
        {
            **SMALLEST,
            "incoming": [
                {
                    **IMAP,
                    "type": "pop3",
                    "pop3": {
                        "leave_messages_on_server": "yes",
                        "days_to_leave_messages_on_server": 0,
                        "check_interval": 99999,
                        "delete": 1,
                    },
                }
            ],
        },
        [
            "providers[0].incoming[0].pop3.leave_messages_on_server: 'yes' is not true or false",
            "providers[0].incoming[0].pop3.days_to_leave_messages_on_server: 0 is not a number of days (1 to 36500)",
            "providers[0].incoming[0].pop3.check_interval: 99999 is not a number of minutes (1 to 10080)",
            "providers[0].incoming[0].pop3.delete: is unknown; allowed are check_interval, "
            "days_to_leave_messages_on_server, download_on_biff, leave_messages_on_server",
        ],
    ),
    "control characters in texts": (
        {**SMALLEST, "display_name": "Ser\x00ver", "short_name": "\x1b[31m"},
        [
            r"providers[0].display_name: 'Ser\x00ver' contains control characters",
            r"providers[0].short_name: '\x1b[31m' contains control characters",
        ],
    ),
    "wrong links": (
        {
            **SMALLEST,
            "documentation": [{"url": "server.tld", "texts": [{"text": "x", "lang": "de_DE"}, {"lang": "en"}]}],
            "instructions": [{}],
            "enable": [{"url": "https://server.tld/", "text": "x"}],
        },
        [
            "providers[0].documentation[0].url: 'server.tld' is not a URL (https://host/path)",
            "providers[0].documentation[0].texts[0].lang: 'de_DE' is not a language tag (BCP 47, for example de or pt-BR)",
            "providers[0].documentation[0].texts[1].text: is required",
            "providers[0].instructions[0].url: is required",
            "providers[0].enable[0].text: is unknown (did you mean texts?); allowed are texts, url",
        ],
    ),
    "wrong web mail": (
        {
            **SMALLEST,
            "webmail": {"login_form": {"username_field": {"id": "a\x00", "title": "x"}, "login_button": ["x"]}},
        },
        [
            "providers[0].webmail.login_page: is required",
            "providers[0].webmail.login_form.url: is required",
            r"providers[0].webmail.login_form.username_field.id: 'a\x00' contains control characters",
            "providers[0].webmail.login_form.username_field.title: is unknown; allowed are id, name",
            "providers[0].webmail.login_form.login_button: ['x'] is not a mapping of options",
        ],
    ),
    "wrong OAuth2": (
        {**SMALLEST, "oauth2": {"auth_url": "x", "client_secret": "y"}},
        [
            "providers[0].oauth2.issuer: is required",
            "providers[0].oauth2.auth_url: 'x' is not a URL (https://host/path)",
            "providers[0].oauth2.token_url: is required",
            "providers[0].oauth2.client_secret: is unknown; allowed are auth_url, issuer, scope, token_url",
        ],
    ),
    "wrong services": (
        {
            **SMALLEST,
            "caldav": {},
            "carddav": {"url": "dav.server.tld"},
            "jmap": {"url": "https://server.tld:99999/"},
            "managesieve": {"port": "sieve", "socket_type": "TLS", "username": "x"},
        },
        [
            "providers[0].caldav.url: is required",
            "providers[0].carddav.url: 'dav.server.tld' is not a URL (https://host/path)",
            "providers[0].jmap.url: 'https://server.tld:99999/' is not a URL (https://host/path)",
            "providers[0].managesieve.hostname: is required",
            "providers[0].managesieve.port: 'sieve' is not a port (1 to 65535)",
            "providers[0].managesieve.socket_type: 'TLS' is unknown (did you mean SSL for TLS from the first byte, or "
            "STARTTLS?); allowed are SSL, STARTTLS, plain",
            "providers[0].managesieve.username: is unknown; allowed are hostname, port, socket_type",
        ],
    ),
    "wrong input fields": (
        {**SMALLEST, "input_fields": [{"key": "k"}], "config_update_url": "/x"},
        [
            "providers[0].input_fields[0].label: is required",
            "providers[0].config_update_url: '/x' is not a URL (https://host/path)",
        ],
    ),
}


@pytest.mark.parametrize(("options", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_each_mistake_is_named_with_its_place(options: Options, expected: list[str]) -> None:
    assert sorted(problems_of(options)) == sorted(expected)


def test_the_mistakes_of_all_providers_are_reported_at_once() -> None:
    good = {**SMALLEST, "id": "good.tld", "domains": ["good.tld"]}
    together = problems_of(good, *(options for options, _expected in MISTAKES.values()))
    for number, (_options, expected) in enumerate(MISTAKES.values(), 1):
        for line in expected:
            assert line.replace("providers[0]", f"providers[{number}]") in together
    assert not [line for line in together if line.startswith("providers[0]")]


def test_a_domain_belongs_to_one_provider_only() -> None:
    second = {**SMALLEST, "id": "second", "domains": ["other.tld", "Server.tld"]}
    assert problems_of(SMALLEST, second, SMALLEST) == [
        "providers[1].domains: 'server.tld' belongs to providers[0] already",
        "providers[2].domains: 'server.tld' belongs to providers[0] already",
    ]


def test_an_id_belongs_to_one_provider_only() -> None:
    second = {**SMALLEST, "id": "server.tld", "domains": ["other.tld"]}
    assert problems_of(SMALLEST, second) == ["providers[1].id: 'server.tld' is the id of providers[0] already"]


def test_an_id_that_follows_from_a_domain_is_compared_too() -> None:
    first, second = {**SMALLEST, "id": "x.tld", "domains": ["a.tld"]}, {**SMALLEST, "domains": ["x.tld"]}
    assert problems_of(first, second) == ["providers[1].id: 'x.tld' is the id of providers[0] already"]


def test_a_wrong_provider_raises_all_its_mistakes() -> None:
    with pytest.raises(InputError) as error:
        Provider.from_dict({"incoming": [{"type": "imap", "hostname": "a", "port": 0}]})
    assert error.value.problems == (
        "domains: at least one entry is needed",
        "incoming[0].port: 0 is not a port (1 to 65535)",
        "outgoing: at least one server is needed",
    )


# -- defaults -----------------------------------------------------------------------------------------------------------


def test_a_domain_alone_means_imap_and_submission_over_tls_on_its_mail_host() -> None:
    provider = Provider.for_domain("server.tld")
    assert provider == Provider(
        id="server.tld",
        domains=("server.tld",),
        display_name="server.tld",
        short_name="server.tld",
        incoming=(model.Server("imap", "mail.server.tld", 993, "SSL", ("password-cleartext",), "%EMAILADDRESS%"),),
        outgoing=(model.Server("smtp", "mail.server.tld", 465, "SSL", ("password-cleartext",), "%EMAILADDRESS%"),),
    )


def test_a_domain_and_its_mail_host_are_enough() -> None:
    provider = Provider.for_domain("server.tld", mail_host="mx1.hosting.example")
    assert [server.hostname for server in (*provider.incoming, *provider.outgoing)] == ["mx1.hosting.example"] * 2


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ({}, ["imap 993 SSL", "smtp 465 SSL"]),
        ({"pop3": True}, ["imap 993 SSL", "pop3 995 SSL", "smtp 465 SSL"]),
        ({"starttls": "outgoing"}, ["imap 993 SSL", "smtp 587 STARTTLS"]),
        ({"starttls": "all"}, ["imap 143 STARTTLS", "smtp 587 STARTTLS"]),
        ({"starttls": "all", "pop3": True}, ["imap 143 STARTTLS", "pop3 110 STARTTLS", "smtp 587 STARTTLS"]),
        ({"starttls": "outgoing", "pop3": True}, ["imap 993 SSL", "pop3 995 SSL", "smtp 587 STARTTLS"]),
    ],
)
def test_a_domain_may_have_pop3_and_starttls(wishes: Options, expected: list[str]) -> None:
    provider = Provider.for_domain("server.tld", username="%EMAILLOCALPART%", mail_host="mx.server.tld", **wishes)
    servers = (*provider.incoming, *provider.outgoing)
    assert [f"{server.type} {server.port} {server.socket_type}" for server in servers] == expected
    assert {(server.username, server.hostname) for server in servers} == {("%EMAILLOCALPART%", "mx.server.tld")}


@pytest.mark.parametrize(
    ("options", "port", "socket_type"),
    [
        ({"type": "imap"}, 993, "SSL"),
        ({"type": "imap", "socket_type": "STARTTLS"}, 143, "STARTTLS"),
        ({"type": "imap", "socket_type": "plain"}, 143, "plain"),
        ({"type": "imap", "port": 143}, 143, "STARTTLS"),
        ({"type": "imap", "port": 993}, 993, "SSL"),
        ({"type": "imap", "port": 143, "socket_type": "SSL"}, 143, "SSL"),
        ({"type": "imap", "port": 9993}, 9993, "SSL"),
        ({"type": "imap", "port": "143"}, 143, "STARTTLS"),
        ({"type": "pop3"}, 995, "SSL"),
        ({"type": "pop3", "port": 110}, 110, "STARTTLS"),
        ({"type": "pop3", "socket_type": "STARTTLS"}, 110, "STARTTLS"),
        ({"type": "pop3", "socket_type": "plain"}, 110, "plain"),
        ({"type": "nntp"}, 563, "SSL"),
        ({"type": "nntp", "port": 119}, 119, "STARTTLS"),
        ({"type": "nntp", "socket_type": "STARTTLS"}, 119, "STARTTLS"),
        ({"type": "nntp", "socket_type": "plain"}, 119, "plain"),
        ({"type": "exchange"}, 443, "SSL"),
        ({"type": "exchange", "socket_type": "STARTTLS"}, 443, "STARTTLS"),
        ({"type": "exchange", "socket_type": "plain"}, 80, "plain"),
        ({"type": "smtp"}, 465, "SSL"),
        ({"type": "smtp", "port": 587}, 587, "STARTTLS"),
        ({"type": "smtp", "port": 25}, 25, "STARTTLS"),
        ({"type": "smtp", "port": 25, "socket_type": "SSL"}, 25, "SSL"),
        ({"type": "smtp", "socket_type": "STARTTLS"}, 587, "STARTTLS"),
        ({"type": "smtp", "socket_type": "plain"}, 25, "plain"),
        ({"type": "ews", "url": "https://server.tld/ews"}, 0, ""),
        ({"type": "jmap", "url": "https://server.tld/jmap"}, 0, ""),
    ],
)
def test_port_and_socket_type_imply_each_other(options: Options, port: int, socket_type: str) -> None:
    side = "outgoing" if options["type"] == "smtp" else "incoming"
    provider = Provider.from_dict({**SMALLEST, side: [{"hostname": "mail.server.tld", **options}]})
    server = getattr(provider, side)[0]
    assert (server.port, server.socket_type) == (port, socket_type)


def test_a_server_takes_passwords_and_the_address_unless_told_otherwise() -> None:
    provider = Provider.from_dict(SMALLEST)
    for server in (*provider.incoming, *provider.outgoing):
        assert server.authentication == ("password-cleartext",)
        assert server.username == "%EMAILADDRESS%"


@pytest.mark.parametrize(
    ("methods", "username"),
    [
        (["none"], ""),
        (["client-IP-address"], ""),
        (["client-IP-address", "password-cleartext"], "%EMAILADDRESS%"),
        (["smtp-after-pop"], "%EMAILADDRESS%"),
    ],
)
def test_an_outgoing_server_without_login_has_no_user_name(methods: list[str], username: str) -> None:
    provider = Provider.from_dict({**SMALLEST, "outgoing": [{**SMTP, "authentication": methods}]})
    assert provider.outgoing[0].username == username


@pytest.mark.parametrize("blank", ["", "  ", None])
def test_a_blank_value_is_as_good_as_none(blank: str | None) -> None:
    server = {**IMAP, "username": blank, "socket_type": blank, "port": blank}
    blanks = {"id": blank, "display_name": blank, "short_name": blank, "config_update_url": blank}
    assert Provider.from_dict({**SMALLEST, **blanks, "incoming": [server]}) == Provider.from_dict(SMALLEST)


def test_names_for_people_follow_from_each_other() -> None:
    provider = Provider.from_dict({**SMALLEST, "id": "id.tld"})
    assert (provider.display_name, provider.short_name) == ("id.tld", "id.tld")
    provider = Provider.from_dict({**SMALLEST, "display_name": "The mail of a long name"})
    assert provider.short_name == "The mail of a long n"
    provider = Provider.from_dict({**SMALLEST, "display_name": "Nineteen characters plus"})
    assert provider.short_name == "Nineteen characters"


def test_names_are_normalised() -> None:
    provider = Provider.from_dict(
        {
            **SMALLEST,
            "domains": ["Müller.Example.", "B.tld"],
            "display_name": " Two \n words ",
            "incoming": [{**IMAP, "hostname": "MAIL.müller.example"}],
        }
    )
    assert provider.domains == ("xn--mller-kva.example", "b.tld")
    assert provider.id == "xn--mller-kva.example"
    assert provider.display_name == "Two words"
    assert provider.incoming[0].hostname == "mail.xn--mller-kva.example"


def test_a_servers_name_is_filled_in_with_the_domain() -> None:
    server = model.Server("imap", "mail.%EMAILDOMAIN%")
    assert server.host_for("server.tld") == "mail.server.tld"


def test_managesieve_is_on_its_port_with_starttls() -> None:
    provider = Provider.from_dict({**SMALLEST, "managesieve": {"hostname": "mail.server.tld"}})
    assert provider.managesieve is not None
    assert (provider.managesieve.port, provider.managesieve.socket_type) == (4190, "STARTTLS")


# -- there and back -----------------------------------------------------------------------------------------------------


@given(data=st.data())
def test_a_providers_options_build_it_again(data: st.DataObject, provider_options: ProviderOptions) -> None:
    provider = Provider.from_dict(data.draw(provider_options))
    again = provider.to_dict()
    assert Provider.from_dict(again) == provider
    assert Provider.from_dict(again).to_dict() == again


def test_pop3_options_that_say_nothing_are_none(make_provider: Callable[..., Provider]) -> None:
    nothing = {"leave_messages_on_server": None, "check_interval": None}
    provider = make_provider(incoming=[{"type": "pop3", "hostname": "mail.server.tld", "pop3": nothing}])
    assert Provider.from_dict(provider.to_dict()) == provider


def test_a_provider_cannot_be_changed() -> None:
    provider = Provider.from_dict(SMALLEST)
    with pytest.raises(AttributeError):
        t.cast("t.Any", provider).id = "other.tld"
