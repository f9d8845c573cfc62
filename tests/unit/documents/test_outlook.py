"""Microsoft's answer: the rules A5 to A9, less the login name that a static file cannot have."""

from __future__ import annotations

import typing as t
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import outlook
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider
from hypothesis import given
from hypothesis import strategies as st

if t.TYPE_CHECKING:
    from tests.unit.conftest import Options, ProviderOptions

MakeProvider = Callable[..., Provider]
NO_LOGIN_NAME = (
    "Outlook gets no login name from a static answer and tries the part before the @, which fails where the server wants "
    "another: users type it in Outlook's next dialogue"
)
RESPONSE = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"
IMAP = {"type": "imap", "hostname": "mail.server.tld"}
POP3 = {"type": "pop3", "hostname": "mail.server.tld"}
SMTP = {"type": "smtp", "hostname": "mail.server.tld"}


def account(provider: Provider) -> ET.Element:
    """The only Account of the rendered answer."""
    document = outlook.render(provider)
    assert document is not None
    (response,) = ET.fromstring(document.content)
    (element,) = response
    assert element.tag == f"{RESPONSE}Account"
    return element


def protocols(provider: Provider) -> dict[str, dict[str, str]]:
    """The children of each Protocol by its Type."""
    found = {}
    for element in account(provider).findall(f"{RESPONSE}Protocol"):
        values = {child.tag.removeprefix(RESPONSE): child.text or "" for child in element}
        found[values["Type"]] = values
    return found


def warnings(provider: Provider) -> tuple[str, ...]:
    document = outlook.render(provider)
    assert document is not None
    found: tuple[str, ...] = document.warnings
    return found


def test_it_is_what_outlook_expects_byte_for_byte(make_provider: MakeProvider) -> None:
    document = outlook.render(make_provider())
    assert document is not None
    assert document.path == "autodiscover/autodiscover.xml"
    assert document.media_type == "text/xml; charset=utf-8"
    assert (
        document.content.decode()
        == """\
<?xml version="1.0" encoding="UTF-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">
  <Response xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a">
    <Account>
      <AccountType>email</AccountType>
      <Action>settings</Action>
      <Protocol>
        <Type>IMAP</Type>
        <Server>mail.server.tld</Server>
        <Port>993</Port>
        <DomainRequired>off</DomainRequired>
        <SPA>off</SPA>
        <SSL>on</SSL>
        <Encryption>SSL</Encryption>
        <AuthRequired>on</AuthRequired>
      </Protocol>
      <Protocol>
        <Type>SMTP</Type>
        <Server>mail.server.tld</Server>
        <Port>465</Port>
        <DomainRequired>off</DomainRequired>
        <SPA>off</SPA>
        <SSL>on</SSL>
        <Encryption>SSL</Encryption>
        <AuthRequired>on</AuthRequired>
      </Protocol>
    </Account>
  </Response>
</Autodiscover>
"""
    )


def test_one_account_has_the_preferred_server_of_each_kind_in_microsofts_order(make_provider: MakeProvider) -> None:
    provider = make_provider(
        incoming=[POP3, {**IMAP, "hostname": "first.tld"}, {**IMAP, "hostname": "second.tld"}, {**POP3, "hostname": "no.tld"}],
        outgoing=[{**SMTP, "port": 587}, SMTP],
    )
    element = account(provider)
    assert [child.tag.removeprefix(RESPONSE) for child in element] == ["AccountType", "Action", *["Protocol"] * 3]
    found = protocols(provider)
    assert list(found) == ["IMAP", "POP3", "SMTP"]
    assert found["IMAP"]["Server"] == "first.tld"
    assert found["POP3"]["Server"] == "mail.server.tld"
    assert found["SMTP"]["Port"] == "587"


@pytest.mark.parametrize(
    ("socket_type", "port", "ssl", "encryption"),
    [("SSL", "993", "on", "SSL"), ("STARTTLS", "143", "on", "TLS"), ("plain", "143", "off", "None")],
)
def test_socket_types_in_microsofts_words(
    make_provider: MakeProvider, socket_type: str, port: str, ssl: str, encryption: str
) -> None:
    imap = protocols(make_provider(incoming=[{**IMAP, "socket_type": socket_type}]))["IMAP"]
    assert (imap["Port"], imap["SSL"], imap["Encryption"]) == (port, ssl, encryption)


@pytest.mark.parametrize(
    ("methods", "spa", "required"),
    [
        (["password-cleartext"], "off", "on"),
        (["password-encrypted"], "off", "on"),
        (["OAuth2"], "off", "on"),
        (["NTLM", "password-cleartext"], "on", "on"),
        (["password-cleartext", "NTLM"], "off", "on"),
        (["none"], "off", "off"),
        (["client-IP-address"], "off", "off"),
        (["smtp-after-pop"], "off", "off"),
    ],
)
def test_authentication_in_microsofts_words(make_provider: MakeProvider, methods: list[str], spa: str, required: str) -> None:
    smtp = protocols(make_provider(outgoing=[{**SMTP, "authentication": methods}]))["SMTP"]
    assert (smtp["SPA"], smtp["AuthRequired"]) == (spa, required)


def test_a_placeholder_in_a_host_name_is_filled_in_with_the_first_domain(make_provider: MakeProvider) -> None:
    incoming = [{**IMAP, "hostname": "mail.%EMAILDOMAIN%"}]
    one = make_provider(incoming=incoming)
    assert protocols(one)["IMAP"]["Server"] == "mail.server.tld"
    assert warnings(one) == (NO_LOGIN_NAME,)
    two = make_provider(incoming=incoming, domains=["server.tld", "other.tld"])
    assert protocols(two)["IMAP"]["Server"] == "mail.server.tld"
    assert warnings(two) == (NO_LOGIN_NAME, "IMAP: Outlook gets mail.server.tld for the addresses of every domain")


def test_without_a_server_of_a_kind_that_outlook_knows_there_is_an_answer_for_the_rest(make_provider: MakeProvider) -> None:
    ews = {"type": "ews", "url": "https://server.tld/ews"}
    assert list(protocols(make_provider(incoming=[ews]))) == ["SMTP"]


def test_without_any_server_that_outlook_knows_there_is_no_answer(make_provider: MakeProvider) -> None:
    provider = make_provider(incoming=[{"type": "ews", "url": "https://server.tld/ews"}])
    without: Options = {**provider.__dict__, "outgoing": ()}
    assert outlook.render(Provider(**without)) is None


@pytest.mark.parametrize(
    ("side", "options", "warning"),
    [
        (
            "outgoing",
            {**SMTP, "port": 25, "socket_type": "SSL"},
            "SMTP port 25: Thunderbird's Autodiscover takes it for STARTTLS",
        ),
        (
            "incoming",
            {**IMAP, "port": 143, "socket_type": "SSL"},
            "IMAP port 143: Thunderbird's Autodiscover takes it for STARTTLS",
        ),
        (
            "incoming",
            {**IMAP, "port": 1993, "socket_type": "STARTTLS"},
            "IMAP port 1993: Thunderbird's Autodiscover takes it for SSL",
        ),
        (
            "outgoing",
            {**SMTP, "port": 2525, "socket_type": "STARTTLS"},
            "SMTP port 2525: Thunderbird's Autodiscover takes it for SSL",
        ),
    ],
)
def test_a_port_that_thunderbird_takes_for_something_else_is_named(
    make_provider: MakeProvider, side: str, options: Options, warning: str
) -> None:
    assert warnings(make_provider(**{side: [options]})) == (NO_LOGIN_NAME, f"{warning}, whatever the answer says")


@pytest.mark.parametrize("options", [{}, {"port": 587}, {"port": 25}, {"socket_type": "plain"}, {"port": 4650}])
def test_a_port_that_means_what_the_answer_says_is_not_named(make_provider: MakeProvider, options: Options) -> None:
    assert warnings(make_provider(outgoing=[{**SMTP, **options}])) == (NO_LOGIN_NAME,)


def test_where_the_local_part_is_the_user_name_outlook_guesses_right(make_provider: MakeProvider) -> None:
    user = {"username": "%EMAILLOCALPART%"}
    assert warnings(make_provider(incoming=[{**IMAP, **user}], outgoing=[{**SMTP, **user}])) == ()


def test_the_personal_answer_has_the_login_name_after_the_port(make_provider: MakeProvider) -> None:
    provider = make_provider(
        incoming=[{**IMAP, "hostname": "mail.%EMAILDOMAIN%"}, {**POP3, "username": "%EMAILLOCALPART%"}],
        outgoing=[{**SMTP, "authentication": ["none"]}],
        domains=["server.tld", "other.tld"],
    )
    document = outlook.render(provider, personal=True)
    assert document is not None
    (response,) = ET.fromstring(document.content)
    found = [[(leaf.tag.removeprefix(RESPONSE), leaf.text) for leaf in element][1:4] for element in response[0][2:]]
    assert found == [
        [("Server", "mail.%EMAILDOMAIN%"), ("Port", "993"), ("LoginName", "%EMAILADDRESS%")],
        [("Server", "mail.server.tld"), ("Port", "995"), ("LoginName", "%EMAILLOCALPART%")],
        [("Server", "mail.server.tld"), ("Port", "465"), ("DomainRequired", "off")],
    ]
    assert document.warnings == ()


@pytest.mark.parametrize("personal", [False, True])
def test_the_users_own_name_cannot_be_told_to_outlook(make_provider: MakeProvider, personal: bool) -> None:
    document = outlook.render(make_provider(incoming=[{**IMAP, "username": "%REALNAME%"}]), personal)
    assert document is not None
    assert "IMAP: Outlook cannot be told %REALNAME%" in document.warnings


@given(data=st.data())
def test_no_provider_makes_an_answer_that_a_client_misreads(data: st.DataObject, provider_options: ProviderOptions) -> None:
    provider = Provider.from_dict(data.draw(provider_options))
    document = outlook.render(provider)
    assert document is not None
    assert document == outlook.render(provider)
    root = ET.fromstring(document.content)
    assert root.tag == "{http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006}Autodiscover"
    for element in root.iter():
        assert not element.attrib
        assert len(element) or element.text, f"<{element.tag}> is empty"
        if not len(element):
            assert element.text == (element.text or "").strip()
    types = list(protocols(provider))
    assert types == [name for name in ("IMAP", "POP3", "SMTP") if name in types]
    order = ["Type", "Server", "Port", "DomainRequired", "SPA", "SSL", "Encryption", "AuthRequired"]
    for values in protocols(provider).values():
        assert list(values) == order
        assert {values[name] for name in ("DomainRequired", "SPA", "SSL", "AuthRequired")} <= {"on", "off"}
        assert (values["SSL"], values["Encryption"]) in (("on", "SSL"), ("on", "TLS"), ("off", "None"))
        assert "%" not in values["Server"]
