"""Mozilla's file: the rules M2 to M12 that keep every known client happy, and what some client cannot do is said."""

from __future__ import annotations

import re
import typing as t
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import thunderbird
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider
from hypothesis import given
from hypothesis import strategies as st

if t.TYPE_CHECKING:
    from tests.unit.conftest import Options, ProviderOptions

MakeProvider = Callable[..., Provider]


def rendered(provider: Provider) -> ET.Element:
    return ET.fromstring(thunderbird.render(provider).content)


def leaves(element: ET.Element) -> list[tuple[str, str | None]]:
    """Tag and text of the children."""
    return [(child.tag, child.text) for child in element]


def server(make_provider: MakeProvider, side: str = "incoming", **options: t.Any) -> ET.Element:
    """The first server of a provider whose server has the options."""
    base: Options = {"type": "imap" if side == "incoming" else "smtp", "hostname": "mail.server.tld"}
    root = rendered(make_provider(**{side: [{**base, **options}]}))
    element = root.find(f"emailProvider/{side}Server")
    assert element is not None
    return element


def warnings(make_provider: MakeProvider, **options: t.Any) -> list[str]:
    return list(thunderbird.render(make_provider(**options)).warnings)


# -- M2: bytes and type -------------------------------------------------------------------------------------------------


def test_it_is_utf8_xml_without_byte_order_mark(make_provider: MakeProvider) -> None:
    document = thunderbird.render(make_provider(display_name="Café 例え 🙂"))
    assert document.media_type == "text/xml; charset=utf-8"
    assert document.path == "mail/config-v1.1.xml"
    assert document.content.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<clientConfig version="1.1">\n')
    assert document.content.endswith(b"</clientConfig>\n")
    assert "Café 例え 🙂".encode() in document.content


def test_it_looks_like_the_files_of_the_ispdb(make_provider: MakeProvider) -> None:
    expected = """\
<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1">
  <emailProvider id="server.tld">
    <domain>server.tld</domain>
    <displayName>server.tld</displayName>
    <displayShortName>server.tld</displayShortName>
    <incomingServer type="imap">
      <hostname>mail.server.tld</hostname>
      <port>993</port>
      <socketType>SSL</socketType>
      <username>%EMAILADDRESS%</username>
      <authentication>password-cleartext</authentication>
    </incomingServer>
    <outgoingServer type="smtp">
      <hostname>mail.server.tld</hostname>
      <port>465</port>
      <socketType>SSL</socketType>
      <username>%EMAILADDRESS%</username>
      <authentication>password-cleartext</authentication>
    </outgoingServer>
  </emailProvider>
</clientConfig>
"""
    assert thunderbird.render(make_provider()).content.decode() == expected


# -- M3, M4: the provider -----------------------------------------------------------------------------------------------


def test_the_id_is_a_literal_host_name_and_all_domains_are_listed(make_provider: MakeProvider) -> None:
    root = rendered(make_provider(id="Mail.Hosting.example", domains=["server.tld", "müller.example"]))
    assert root.attrib == {"version": "1.1"}
    (provider,) = root.findall("emailProvider")
    assert provider.attrib == {"id": "mail.hosting.example"}
    assert [element.text for element in provider.findall("domain")] == ["server.tld", "xn--mller-kva.example"]


def test_both_names_are_present_even_if_none_is_given(make_provider: MakeProvider) -> None:
    root = rendered(make_provider())
    assert root.findtext("emailProvider/displayName") == "server.tld"
    assert root.findtext("emailProvider/displayShortName") == "server.tld"


@pytest.mark.parametrize(("name", "limit"), [("display_name", 60), ("short_name", 20)])
def test_a_name_that_clients_cut_is_named(make_provider: MakeProvider, name: str, limit: int) -> None:
    fits = {"short_name": "short", name: "x" * limit}
    assert warnings(make_provider, **fits) == []
    too_long = {"short_name": "short", name: "x" * (limit + 1)}
    (warning,) = warnings(make_provider, **too_long)
    assert warning.startswith(f"{name} has {limit + 1} characters; clients cut it after {limit}")


def test_a_placeholder_in_a_name_for_people_is_named(make_provider: MakeProvider) -> None:
    (warning,) = warnings(make_provider, display_name="server.tld - %EMAILLOCALPART%", short_name="Server")
    assert "FairEmail" in warning
    assert warning.startswith("display_name")


# -- M5: the servers ----------------------------------------------------------------------------------------------------


def test_servers_keep_their_order_and_jmap_comes_last(make_provider: MakeProvider) -> None:
    root = rendered(
        make_provider(
            incoming=[{"type": "imap", "hostname": "a.tld"}, {"type": "pop3", "hostname": "b.tld"}],
            outgoing=[{"type": "smtp", "hostname": "c.tld"}, {"type": "smtp", "hostname": "d.tld", "port": 587}],
            jmap={"url": "https://server.tld/jmap", "username": "%EMAILLOCALPART%"},
        )
    )
    provider = root.find("emailProvider")
    assert provider is not None
    assert [element.get("type") for element in provider.findall("incomingServer")] == ["imap", "pop3", "jmap"]
    assert [element.findtext("hostname") for element in provider.findall("outgoingServer")] == ["c.tld", "d.tld"]
    assert leaves(provider.findall("incomingServer")[2]) == [
        ("url", "https://server.tld/jmap"),
        ("authentication", "password-cleartext"),
        ("username", "%EMAILLOCALPART%"),
    ]


POP3 = {"type": "pop3", "hostname": "mail.server.tld"}
IMAP = {"type": "imap", "hostname": "mail.server.tld"}
SMTP = {"type": "smtp", "hostname": "mail.server.tld"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"incoming": [POP3]}, "there is no IMAP server: K-9, Thunderbird for Android and Geary find nothing"),
        (
            {"incoming": [POP3, IMAP]},
            "the first incoming server is pop3: FairEmail and Geary look only at the first and want IMAP there",
        ),
        (
            {"incoming": [IMAP, {**IMAP, "port": 143}]},
            "there are several IMAP servers: Evolution takes the last, all others the first",
        ),
        (
            {"outgoing": [SMTP, {**SMTP, "port": 587}]},
            "there are several outgoing servers: Evolution and aerc take the last, all others the first",
        ),
        (
            {"incoming": [{**IMAP, "socket_type": "plain"}]},
            "incoming[0] (imap): socket_type plain makes K-9 and Thunderbird for Android reject the whole file, and sends "
            "passwords in clear",
        ),
        (
            {"outgoing": [{**SMTP, "socket_type": "plain"}]},
            "outgoing[0] (smtp): socket_type plain makes K-9 and Thunderbird for Android reject the whole file, and sends "
            "passwords in clear",
        ),
        (
            {"incoming": [IMAP, {**POP3, "socket_type": "plain"}]},
            "incoming[1] (pop3): socket_type plain sends passwords in clear",
        ),
        (
            {"incoming": [{**IMAP, "hostname": "mail.%EMAILDOMAIN%"}]},
            "incoming[0] (imap): the host name holds a placeholder, which FairEmail and Nextcloud Mail do not replace",
        ),
        (
            {"incoming": [{**IMAP, "username": "%EMAILLOCALPART%.%EMAILDOMAIN%"}]},
            "incoming[0] (imap): user name '%EMAILLOCALPART%.%EMAILDOMAIN%' is not exactly %EMAILADDRESS% or "
            "%EMAILLOCALPART%: FairEmail and aerc replace only a whole value",
        ),
        (
            {"incoming": [{**IMAP, "authentication": ["GSSAPI"]}]},
            "incoming[0] (imap): authentication GSSAPI makes K-9 and Thunderbird for Android reject the whole file",
        ),
        (
            {"outgoing": [{**SMTP, "authentication": ["none"]}]},
            "outgoing[0] (smtp): authentication none makes K-9 and Thunderbird for Android reject the whole file",
        ),
        (
            {"incoming": [{**IMAP, "authentication": ["OAuth2"]}]},
            "incoming[0] (imap): OAuth2 alone works only where Thunderbird and K-9 have an issuer built in for this host",
        ),
    ],
)
def test_what_some_client_cannot_do_is_named_with_the_client(
    make_provider: MakeProvider, options: Options, expected: str
) -> None:
    assert warnings(make_provider, **options) == [expected]


def test_the_usual_providers_leave_nothing_to_warn_of(make_provider: MakeProvider) -> None:
    assert warnings(make_provider) == []
    assert warnings(make_provider, incoming=[IMAP, POP3], outgoing=[{**SMTP, "port": 587}]) == []
    assert warnings(make_provider, incoming=[{**IMAP, "username": "%EMAILLOCALPART%"}]) == []
    assert warnings(make_provider, incoming=[{**IMAP, "authentication": ["OAuth2", "password-cleartext"]}]) == []


# -- M6 to M10: the parts of a server -----------------------------------------------------------------------------------


def test_host_port_and_authentication_are_always_there(make_provider: MakeProvider) -> None:
    assert leaves(server(make_provider)) == [
        ("hostname", "mail.server.tld"),
        ("port", "993"),
        ("socketType", "SSL"),
        ("username", "%EMAILADDRESS%"),
        ("authentication", "password-cleartext"),
    ]


def test_authentication_methods_keep_their_order(make_provider: MakeProvider) -> None:
    element = server(make_provider, authentication=["OAuth2", "password-cleartext", "password-encrypted"])
    methods = [child.text for child in element.findall("authentication")]
    assert methods == ["OAuth2", "password-cleartext", "password-encrypted"]


def test_an_outgoing_server_without_login_has_no_user_name(make_provider: MakeProvider) -> None:
    element = server(make_provider, "outgoing", authentication=["client-IP-address"])
    assert element.find("username") is None


def test_pop3_options_are_written_in_mozillas_words(make_provider: MakeProvider) -> None:
    options = {
        "leave_messages_on_server": True,
        "download_on_biff": False,
        "days_to_leave_messages_on_server": 14,
        "check_interval": 15,
    }
    pop3 = server(make_provider, type="pop3", pop3=options).find("pop3")
    assert pop3 is not None
    assert leaves(pop3) == [
        ("leaveMessagesOnServer", "true"),
        ("downloadOnBiff", "false"),
        ("daysToLeaveMessagesOnServer", "14"),
        ("checkInterval", None),
    ]
    assert pop3[3].attrib == {"minutes": "15"}


def test_a_server_of_an_address_has_no_host_and_no_port(make_provider: MakeProvider) -> None:
    element = server(make_provider, type="ews", hostname="", url="https://server.tld/ews?a=1&b=2", authentication=["OAuth2"])
    assert leaves(element) == [
        ("username", "%EMAILADDRESS%"),
        ("authentication", "OAuth2"),
        ("url", "https://server.tld/ews?a=1&b=2"),
    ]


def test_an_exchange_server_has_its_three_addresses(make_provider: MakeProvider) -> None:
    addresses = {f"{name}_url": f"https://server.tld/{name}" for name in ("owa", "ews", "eas")}
    element = server(make_provider, type="exchange", **addresses)
    assert [element.findtext(tag) for tag in ("owaURL", "ewsURL", "easURL")] == list(addresses.values())


def test_conditions_and_the_old_words_of_a_server_are_kept(make_provider: MakeProvider) -> None:
    element = server(make_provider, "outgoing", restriction=["client-IP-address"], add_this_server=False)
    assert element.findtext("restriction") == "client-IP-address"
    assert element.findtext("addThisServer") == "false"


# -- M11: the rest ------------------------------------------------------------------------------------------------------


def test_pages_for_people_keep_their_languages(make_provider: MakeProvider) -> None:
    texts = [{"text": "How to", "lang": "en"}, {"text": "Wie", "lang": "de"}, {"text": "?"}]
    link = {"url": "https://server.tld/?a=1&b=2", "texts": texts}
    root = rendered(make_provider(documentation=[link], instructions=[link], enable=[link]))
    for tag, attribute, text_tag in (
        ("documentation", "url", "descr"),
        ("instruction", "url", "descr"),
        ("enable", "visiturl", "instruction"),
    ):
        element = root.find(f"emailProvider/{tag}")
        assert element is not None
        assert element.attrib == {attribute: "https://server.tld/?a=1&b=2"}
        assert [(child.tag, child.get("lang"), child.text) for child in element] == [
            (text_tag, "en", "How to"),
            (text_tag, "de", "Wie"),
            (text_tag, None, "?"),
        ]


def test_web_mail_with_its_login_form(make_provider: MakeProvider) -> None:
    form = {
        "url": "https://server.tld/login",
        "username_field": {"id": "user", "name": "u"},
        "password_field": {"name": "p"},
        "login_button": {"id": "go"},
    }
    web_mail = rendered(make_provider(webmail={"login_page": "https://server.tld/", "login_form": form})).find("webMail")
    assert web_mail is not None
    page, info = web_mail
    assert (page.tag, page.attrib) == ("loginPage", {"url": "https://server.tld/"})
    assert (info.tag, info.attrib) == ("loginPageInfo", {"url": "https://server.tld/login"})
    assert [(child.tag, child.text, child.attrib) for child in info] == [
        ("username", "%EMAILADDRESS%", {}),
        ("usernameField", None, {"id": "user", "name": "u"}),
        ("passwordField", None, {"name": "p"}),
        ("loginButton", None, {"id": "go"}),
    ]


def test_oauth2_calendar_and_address_book_stand_at_the_root(make_provider: MakeProvider) -> None:
    root = rendered(
        make_provider(
            oauth2={
                "issuer": "login.server.tld",
                "scope": "imap smtp",
                "auth_url": "https://login.server.tld/auth",
                "token_url": "https://login.server.tld/token",
            },
            caldav={"url": "https://dav.server.tld/cal/"},
            carddav={"url": "https://dav.server.tld/card/", "username": "%EMAILLOCALPART%"},
            config_update_url="https://server.tld/update",
            input_fields=[{"key": "USERNAME", "label": "Your number", "value": "123"}],
        )
    )
    assert [child.tag for child in root] == ["emailProvider", "oAuth2", "calendar", "addressbook", "clientConfigUpdate"]
    assert leaves(root[1]) == [
        ("issuer", "login.server.tld"),
        ("scope", "imap smtp"),
        ("authURL", "https://login.server.tld/auth"),
        ("tokenURL", "https://login.server.tld/token"),
    ]
    for element, kind, url, username in (
        (root[2], "caldav", "https://dav.server.tld/cal/", "%EMAILADDRESS%"),
        (root[3], "carddav", "https://dav.server.tld/card/", "%EMAILLOCALPART%"),
    ):
        assert element.attrib == {"type": kind}
        assert leaves(element) == [("url", url), ("authentication", "Basic"), ("username", username)]
        assert element[1].attrib == {"system": "http"}
    assert root[4].attrib == {"url": "https://server.tld/update"}
    field = root.find("emailProvider/inputField")
    assert field is not None
    assert (field.attrib, field.text) == ({"key": "USERNAME", "label": "Your number"}, "123")


# -- any provider -------------------------------------------------------------------------------------------------------


@given(data=st.data())
def test_no_provider_makes_a_file_that_a_client_misreads(data: st.DataObject, provider_options: ProviderOptions) -> None:
    provider = Provider.from_dict(data.draw(provider_options))
    root = rendered(provider)
    assert root.tag == "clientConfig"
    (email_provider,) = root.findall("emailProvider")
    assert "%" not in email_provider.get("id", "%")
    assert [element.text for element in email_provider.findall("domain")] == list(provider.domains)
    assert email_provider.findtext("displayName")
    assert email_provider.findtext("displayShortName")
    servers = [element for element in email_provider if element.tag in ("incomingServer", "outgoingServer")]
    assert len(servers) == len(provider.incoming) + len(provider.outgoing) + bool(provider.jmap)
    for element in servers:
        assert set(element.attrib) == {"type"}
        assert element.findtext("authentication")
        for leaf in element:
            if leaf.tag != "pop3":
                assert not leaf.attrib
                assert not len(leaf)
                assert leaf.text
                assert leaf.text == leaf.text.strip()
        if element.get("type") in ("imap", "pop3", "smtp"):
            assert element.findtext("hostname")
            assert 0 < int(element.findtext("port", "0")) <= 65535
            assert element.findtext("socketType") in ("SSL", "STARTTLS", "plain")
    assert not list(root.iter("password"))
    assert not list(root.iter("useGlobalPreferredServer"))
    for element in root.iter():
        assert element.text or element.attrib or len(element), f"<{element.tag}> is empty"


@given(data=st.data())
def test_every_text_survives(data: st.DataObject, make_provider: MakeProvider, texts: st.SearchStrategy[str]) -> None:
    name, page = data.draw(texts), data.draw(texts)
    provider = make_provider(
        display_name=name,
        incoming=[{"type": "imap", "hostname": "mail.server.tld", "username": page}],
        documentation=[{"url": "https://server.tld/", "texts": [{"text": page}]}],
        input_fields=[{"key": page, "label": name}],
    )
    root = rendered(provider)
    assert root.findtext("emailProvider/displayName") == " ".join(name.split())
    assert root.findtext("emailProvider/documentation/descr") == " ".join(page.split())
    assert root.findtext("emailProvider/incomingServer/username") == " ".join(page.split())
    field = root.find("emailProvider/inputField")
    assert field is not None
    assert field.attrib == {"key": " ".join(page.split()), "label": " ".join(name.split())}


@pytest.mark.parametrize("text", ["<b>", "a & b", '"quoted"', "it's", "]]>", "<![CDATA[x]]>", "<!-- x -->", "&lt;", "%41"])
def test_the_letters_of_xml_are_only_letters(make_provider: MakeProvider, text: str) -> None:
    assert rendered(make_provider(display_name=text)).findtext("emailProvider/displayName") == text


@given(data=st.data())
def test_the_same_provider_makes_the_same_bytes(data: st.DataObject, provider_options: ProviderOptions) -> None:
    options = data.draw(provider_options)
    first, second = Provider.from_dict(options), Provider.from_dict(dict(reversed(list(options.items()))))
    assert thunderbird.render(first) == thunderbird.render(first) == thunderbird.render(second)


@pytest.mark.parametrize(
    ("count", "options", "list_domains", "expected"),
    [
        (1, {}, True, ["d0.tld"]),
        (1, {}, False, ["d0.tld"]),
        (1, {"id": "hosting.tld"}, False, ["d0.tld"]),
        (5, {}, True, ["d0.tld", "d1.tld", "d2.tld", "d3.tld", "d4.tld"]),
        (6, {}, True, ["d0.tld", "%EMAILDOMAIN%"]),
        (2, {}, False, ["d0.tld", "%EMAILDOMAIN%"]),
        (2, {"id": "d1.tld"}, False, ["d1.tld", "%EMAILDOMAIN%"]),
        (2, {"id": "hosting.tld"}, False, ["%EMAILDOMAIN%"]),
    ],
)
def test_a_file_names_a_handful_of_domains_or_only_the_one_of_its_id(
    count: int, options: Options, list_domains: bool, expected: list[str]
) -> None:
    servers = {"incoming": [{"type": "imap", "hostname": "mail.tld"}], "outgoing": [{"type": "smtp", "hostname": "mail.tld"}]}
    provider = Provider.from_dict({"domains": [f"d{number}.tld" for number in range(count)], **servers, **options})
    content = thunderbird.render(provider, list_domains).content
    assert [element.text for element in ET.fromstring(content).iterfind("emailProvider/domain")] == expected
    named = set(re.findall(r"d\d\.tld", content.decode()))
    assert named <= {*expected, provider.id}
