"""Files that administrators have already: read and rendered again they mean the same, and what is dropped is named.

The comparison uses a reader of its own, which knows nothing of the library: an element is its attributes, its text with
single blanks, and its children by tag in their order.
"""

from __future__ import annotations

import codecs
import typing as t
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import thunderbird
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents.thunderbird_import import read
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.conftest import DATA

if t.TYPE_CHECKING:
    from tests.unit.conftest import ProviderOptions


# -- a reader of our own ------------------------------------------------------------------------------------------------


class Meaning(t.NamedTuple):
    """What an element says, whatever the order of unlike children."""

    attributes: dict[str, str]
    text: str
    children: dict[str, list[t.Any]]

    def all(self, tag: str) -> list[Meaning]:
        return self.children.get(tag, [])

    def drop(self, tag: str) -> list[Meaning]:
        return self.children.pop(tag, [])

    def servers(self) -> list[Meaning]:
        return [server for tag in ("incomingServer", "outgoingServer") for server in self.all("emailProvider")[0].all(tag)]


def meaning(content: bytes | str) -> Meaning:
    def of(element: ET.Element) -> Meaning:
        children: dict[str, list[Meaning]] = {}
        for child in element:
            children.setdefault(child.tag, []).append(of(child))
        return Meaning(dict(element.attrib), " ".join((element.text or "").split()), children)

    return of(ET.fromstring(content))


def rendered(content: bytes | str) -> Meaning:
    return meaning(thunderbird.render(read(content).provider).content)


# -- deliberate differences ---------------------------------------------------------------------------------------------
# Each takes the original's meaning and changes it to what is expected; true if it found something to change.


def _without_global_preferred_server(root: Meaning) -> bool:
    """M12: Thunderbird would use another server than the one of the file."""
    return bool([server.drop("useGlobalPreferredServer") for server in root.servers() if server.all("useGlobalPreferredServer")])


def _with_short_name(root: Meaning) -> bool:
    """M4: FairEmail shows the short name, so that one is made of the name where it is absent."""
    provider = root.all("emailProvider")[0]
    if provider.all("displayShortName"):
        return False
    provider.children["displayShortName"] = [Meaning({}, provider.all("displayName")[0].text[:20].rstrip(), {})]
    return True


def _without_misspelt_short_name(root: Meaning) -> bool:
    """<displayNameShort> is a slip of nili.ca.xml that no client reads."""
    return bool(root.all("emailProvider")[0].drop("displayNameShort"))


def _with_pages_in_the_provider(root: Meaning) -> bool:
    """The draft has them as children of emailProvider (thunderbird/autoconfig#52); older files at the root."""
    found = False
    for tag in ("documentation", "enable", "instruction"):
        moved = root.drop(tag)
        if moved:
            root.all("emailProvider")[0].children.setdefault(tag, []).extend(moved)
            found = True
    return found


def _with_new_words(root: Meaning) -> bool:
    """`plain` and `secure` are the words of version 1.0."""
    found = False
    for server in root.servers():
        for index, method in enumerate(server.all("authentication")):
            new = {"plain": "password-cleartext", "secure": "password-encrypted"}.get(method.text)
            if new:
                server.children["authentication"][index] = Meaning({}, new, {})
                found = True
    return found


def _with_lower_case_id(root: Meaning) -> bool:
    """An id is a host name, and those are written in lower case."""
    attributes = root.all("emailProvider")[0].attributes
    before = attributes["id"]
    attributes["id"] = before.lower()
    return attributes["id"] != before


def _with_whole_placeholders(root: Meaning) -> bool:
    """%EMAILADDRESS is a slip of office365.com.xml: a client that read it would send it as it stands."""
    found = False
    for server in root.servers():
        if [name.text for name in server.all("username")] == ["%EMAILADDRESS"]:
            server.children["username"] = [Meaning({}, "%EMAILADDRESS%", {})]
            found = True
    return found


def _with_a_placeholder_for_many_domains(root: Meaning) -> bool:
    """Nobody looks at them but Thunderbird and K-9, which fill the placeholder in."""
    provider = root.all("emailProvider")[0]
    domains = provider.all("domain")
    if len(domains) <= thunderbird.MOST_DOMAINS:
        return False
    kept = [domain for domain in domains if domain.text == provider.attributes["id"].lower()]
    provider.children["domain"] = [*kept, Meaning({}, "%EMAILDOMAIN%", {})]
    return True


DELIBERATE = (
    _with_a_placeholder_for_many_domains,
    _with_whole_placeholders,
    _without_global_preferred_server,
    _with_short_name,
    _without_misspelt_short_name,
    _with_pages_in_the_provider,
    _with_lower_case_id,
)


def ispdb_files() -> list[Path]:
    return sorted((DATA / "ispdb").glob("*.xml"))


@pytest.mark.parametrize("path", ispdb_files(), ids=lambda path: path.name)
def test_a_file_of_the_ispdb_means_the_same_after_reading_and_rendering(path: Path) -> None:
    content = path.read_bytes()
    expected = meaning(content)
    for change in DELIBERATE:
        change(expected)
    assert rendered(content) == expected


def test_every_deliberate_difference_occurs_in_the_ispdb() -> None:
    originals = [meaning(path.read_bytes()) for path in (DATA / "ispdb").glob("*.xml")]
    assert originals
    for change in DELIBERATE:
        assert any(change(original) for original in originals), change.__doc__


def test_what_the_ispdbs_files_lose_is_in_the_notes() -> None:
    notes = {path.name: read(path.read_bytes()).notes for path in sorted((DATA / "ispdb").glob("*.xml"))}
    assert {name: lines for name, lines in notes.items() if lines} == {
        "nili.ca.xml": ("emailProvider: <displayNameShort> is left out, no client reads it there",),
        "office365.com.xml": (
            "incomingServer[5]: <useGlobalPreferredServer> true is left out; Thunderbird would use another server than this one",
            *(
                f"left out, incoming[{number}].username: '%EMAILADDRESS': %EMAILADDRESS is no placeholder that clients fill in "
                "(did you mean %EMAILADDRESS%?); allowed are %EMAILADDRESS%, %EMAILLOCALPART%, %EMAILDOMAIN%, %REALNAME%"
                for number in (2, 3)
            ),
        ),
    }


# -- every kind of element ----------------------------------------------------------------------------------------------

EVERYTHING = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- before -->
<clientConfig version="1.1">
  <emailProvider id="server.tld">
    <!-- a comment <domain>comment.tld</domain> -->
    <domain>server.tld</domain>
    <domain>other.tld</domain>
    <displayName>Sérver &amp; Söhne</displayName>
    <displayShortName>Server</displayShortName>
    <incomingServer type="imap">
      <hostname>imap.%EMAILDOMAIN%</hostname>
      <port>993</port>
      <socketType>SSL</socketType>
      <username>%EMAILADDRESS%</username>
      <authentication>OAuth2</authentication>
      <authentication>password-cleartext</authentication>
      <authentication>GSSAPI</authentication>
    </incomingServer>
    <incomingServer type="imap">
      <hostname>imap.server.tld</hostname>
      <port>143</port>
      <socketType>STARTTLS</socketType>
      <username>%EMAILLOCALPART%</username>
      <authentication>password-encrypted</authentication>
    </incomingServer>
    <incomingServer type="pop3">
      <hostname>pop.server.tld</hostname>
      <port>110</port>
      <socketType>plain</socketType>
      <username>%EMAILLOCALPART%.%EMAILDOMAIN%</username>
      <authentication>password-cleartext</authentication>
      <pop3>
        <leaveMessagesOnServer>true</leaveMessagesOnServer>
        <downloadOnBiff>false</downloadOnBiff>
        <daysToLeaveMessagesOnServer>14</daysToLeaveMessagesOnServer>
        <checkInterval minutes="15"/>
      </pop3>
    </incomingServer>
    <incomingServer type="exchange">
      <hostname>exchange.server.tld</hostname>
      <port>443</port>
      <socketType>SSL</socketType>
      <username>%EMAILADDRESS%</username>
      <authentication>OAuth2</authentication>
      <owaURL>https://exchange.server.tld/owa/</owaURL>
      <ewsURL>https://exchange.server.tld/ews/</ewsURL>
      <easURL>https://exchange.server.tld/eas/</easURL>
    </incomingServer>
    <incomingServer type="ews">
      <username>%EMAILADDRESS%</username>
      <authentication>OAuth2</authentication>
      <url>https://exchange.server.tld/ews/?a=1&amp;b=2</url>
    </incomingServer>
    <incomingServer type="owa">
      <username>%EMAILADDRESS%</username>
      <authentication>OAuth2</authentication>
      <url>https://exchange.server.tld/owa/</url>
    </incomingServer>
    <incomingServer type="graph">
      <username>%EMAILADDRESS%</username>
      <authentication>OAuth2</authentication>
      <url>https://graph.server.tld/</url>
    </incomingServer>
    <incomingServer type="jmap">
      <username>%EMAILADDRESS%</username>
      <authentication>password-cleartext</authentication>
      <url>https://server.tld/jmap</url>
    </incomingServer>
    <incomingServer type="nntp">
      <hostname>news.server.tld</hostname>
      <port>563</port>
      <socketType>SSL</socketType>
      <username>%EMAILADDRESS%</username>
      <authentication>none</authentication>
    </incomingServer>
    <outgoingServer type="smtp">
      <hostname>smtp.server.tld</hostname>
      <port>587</port>
      <socketType>STARTTLS</socketType>
      <username>%EMAILADDRESS%</username>
      <authentication>password-cleartext</authentication>
      <restriction>client-IP-address</restriction>
      <addThisServer>true</addThisServer>
    </outgoingServer>
    <outgoingServer type="smtp">
      <hostname>relay.server.tld</hostname>
      <port>25</port>
      <socketType>plain</socketType>
      <authentication>client-IP-address</authentication>
      <addThisServer>false</addThisServer>
    </outgoingServer>
    <outgoingServer type="smtp">
      <hostname>old.server.tld</hostname>
      <port>25</port>
      <socketType>plain</socketType>
      <username>%EMAILADDRESS%</username>
      <authentication>smtp-after-pop</authentication>
    </outgoingServer>
    <documentation url="https://server.tld/help?a=1&amp;b=2">
      <descr lang="en">How to set up</descr>
      <descr lang="de">So geht's</descr>
      <descr>without language</descr>
    </documentation>
    <documentation url="https://server.tld/more"/>
    <instruction url="https://server.tld/steps">
      <descr lang="pt-BR">Passo</descr>
    </instruction>
    <enable visiturl="https://server.tld/settings">
      <instruction lang="en">Allow IMAP</instruction>
      <instruction lang="fr">Permettre</instruction>
    </enable>
    <inputField key="USERNAME" label="Your number">123</inputField>
    <inputField key="OTHER" label="Something"/>
  </emailProvider>
  <webMail>
    <loginPage url="https://server.tld/mail"/>
    <loginPageInfo url="https://server.tld/login">
      <username>%EMAILLOCALPART%</username>
      <usernameField id="u" name="user"/>
      <passwordField name="p"/>
      <loginButton id="go"/>
    </loginPageInfo>
  </webMail>
  <oAuth2>
    <issuer>login.server.tld</issuer>
    <scope>imap smtp offline</scope>
    <authURL>https://login.server.tld/auth?x=%EMAILADDRESS%</authURL>
    <tokenURL>https://login.server.tld/token</tokenURL>
  </oAuth2>
  <calendar type="caldav">
    <url>https://dav.server.tld/cal/</url>
    <authentication system="http">Basic</authentication>
    <username>%EMAILADDRESS%</username>
  </calendar>
  <addressbook type="carddav">
    <url>https://dav.server.tld/card/</url>
    <authentication system="http">Basic</authentication>
    <username>%EMAILLOCALPART%</username>
  </addressbook>
  <clientConfigUpdate url="https://server.tld/mail/config-v1.1.xml"/>
</clientConfig>
"""


def test_a_file_with_every_kind_of_element_means_the_same() -> None:
    assert rendered(EVERYTHING) == meaning(EVERYTHING)
    assert read(EVERYTHING).notes == ()


def test_text_and_bytes_read_the_same() -> None:
    assert read(EVERYTHING) == read(EVERYTHING.encode()) == read(codecs.BOM_UTF8 + EVERYTHING.encode())
    latin = EVERYTHING.replace("UTF-8", "ISO-8859-1").encode("latin-1")
    assert read(latin) == read(EVERYTHING)


def test_comments_are_not_read() -> None:
    assert read(EVERYTHING).provider.domains == ("server.tld", "other.tld")


SERVER = """\
<hostname>mail.server.tld</hostname><port>993</port><socketType>SSL</socketType><username>%EMAILADDRESS%</username>\
<authentication>password-cleartext</authentication>"""
INCOMING = f'<incomingServer type="imap">{SERVER}</incomingServer>'
OUTGOING = f'<outgoingServer type="smtp">{SERVER.replace("993", "465")}</outgoingServer>'
DOMAIN = "<domain>server.tld</domain><displayName>Server</displayName><displayShortName>S</displayShortName>"


def file(incoming: str = INCOMING, outgoing: str = OUTGOING, head: str = DOMAIN, provider: str = "", root: str = "") -> str:
    """A small file with parts exchanged."""
    return (
        f'<clientConfig version="1.1"><emailProvider id="server.tld">{head}{incoming}{outgoing}{provider}</emailProvider>'
        f"{root}</clientConfig>"
    )


def imported(*arguments: str, **parts: str) -> Provider:
    """The provider of a file that leaves nothing to note."""
    result = read(file(*arguments, **parts))
    assert result.notes == ()
    return result.provider


def test_the_small_file_means_the_same() -> None:
    assert rendered(file()) == meaning(file())


def test_the_words_of_version_1_0_become_those_of_1_1() -> None:
    incoming = INCOMING.replace("password-cleartext", "secure")
    outgoing = OUTGOING.replace("password-cleartext", "plain")
    expected = meaning(file(incoming, outgoing))
    assert _with_new_words(expected)
    assert rendered(file(incoming, outgoing)) == expected
    assert imported(incoming, outgoing).incoming[0].authentication == ("password-encrypted",)
    assert imported(incoming, outgoing).outgoing[0].authentication == ("password-cleartext",)


@pytest.mark.parametrize(("old", "new"), [("SMTP-after-POP", "smtp-after-pop"), ("client-ip-based", "client-IP-address")])
def test_other_old_words_of_outgoing_servers_are_known(old: str, new: str) -> None:
    outgoing = OUTGOING.replace("password-cleartext", old)
    assert imported(outgoing=outgoing).outgoing[0].authentication == (new,)


def test_an_old_word_beside_its_new_one_counts_once() -> None:
    both = "<authentication>plain</authentication><authentication>password-cleartext</authentication>"
    incoming = INCOMING.replace("<authentication>password-cleartext</authentication>", both)
    assert imported(incoming).incoming[0].authentication == ("password-cleartext",)


def test_unknown_methods_beside_a_known_one_do_no_harm() -> None:
    both = "<authentication>quantum</authentication><authentication>password-cleartext</authentication>"
    incoming = INCOMING.replace("<authentication>password-cleartext</authentication>", both)
    assert imported(incoming).incoming[0].authentication == ("password-cleartext",)


def test_the_first_known_socket_type_counts() -> None:
    several = "<socketType>quantum</socketType><socketType>STARTTLS</socketType><socketType>plain</socketType>"
    incoming = INCOMING.replace("<socketType>SSL</socketType>", several).replace("993", "143")
    assert imported(incoming).incoming[0].socket_type == "STARTTLS"


def test_blanks_around_values_do_not_count() -> None:
    spread = file().replace(">", ">\n   ").replace("</", "   </")
    assert read(spread).provider == read(file()).provider


def test_upper_case_and_repeated_domains_are_one() -> None:
    head = DOMAIN.replace("</domain>", "</domain><domain>Server.TLD</domain><domain> other.tld </domain>")
    assert imported(head=head).domains == ("server.tld", "other.tld")


@pytest.mark.parametrize("tag", ["addressbook", "addressBook"])
@pytest.mark.parametrize("url_tag", ["url", "serverURL"])
def test_both_spellings_of_the_address_book_are_known(tag: str, url_tag: str) -> None:
    root = f'<{tag} type="carddav"><{url_tag}>https://dav.server.tld/</{url_tag}></{tag}>'
    carddav = imported(root=root).carddav
    assert carddav is not None
    assert (carddav.url, carddav.username) == ("https://dav.server.tld/", "%EMAILADDRESS%")


def test_an_address_book_of_another_kind_is_not_carddav() -> None:
    assert read(file(root='<addressbook type="ldap"><url>https://x.tld/</url></addressbook>')).provider.carddav is None


@pytest.mark.parametrize("place", ["provider", "root"])
def test_pages_are_read_in_the_provider_and_at_the_root(place: str) -> None:
    pages = (
        '<documentation url="https://a.tld/"><descr lang="en">A</descr></documentation>'
        '<instruction url="https://b.tld/"><descr>B</descr></instruction>'
        '<enable visiturl="https://c.tld/"><instruction lang="de">C</instruction></enable>'
    )
    provider = imported(**{place: pages})
    expected = meaning(file(**{place: pages}))
    assert _with_pages_in_the_provider(expected) == (place == "root")
    assert rendered(file(**{place: pages})) == expected
    assert (provider.enable[0].url, provider.enable[0].texts[0].lang) == ("https://c.tld/", "de")


def test_a_name_for_people_is_made_where_none_is() -> None:
    provider = imported(head="<domain>server.tld</domain>")
    assert (provider.display_name, provider.short_name) == ("server.tld", "server.tld")


# -- what is left out ---------------------------------------------------------------------------------------------------

LEFT_OUT = {
    "a password": (
        {"incoming": INCOMING.replace("</incomingServer>", "<password>secret</password></incomingServer>")},
        "incomingServer[0]: <password> is left out; a published file must not carry one",
    ),
    "the preferred server of Thunderbird": (
        {
            "outgoing": OUTGOING.replace(
                "</outgoingServer>", "<useGlobalPreferredServer>true</useGlobalPreferredServer></outgoingServer>"
            )
        },
        "outgoingServer[0]: <useGlobalPreferredServer> true is left out; Thunderbird would use another server than this one",
    ),
    "an unknown element": (
        {"provider": "<displayNameShort>S</displayNameShort>"},
        "emailProvider: <displayNameShort> is left out, no client reads it there",
    ),
    "an unknown element of a server": (
        {"incoming": INCOMING.replace("</incomingServer>", "<color>red</color></incomingServer>")},
        "incomingServer[0]: <color> is left out, no client reads it there",
    ),
    "an unknown element at the root": (
        {"root": "<chatServer/>"},
        "clientConfig: <chatServer> is left out, no client reads it there",
    ),
    "a second provider": (
        {"root": '<emailProvider id="second.tld"/>'},
        "clientConfig: a second emailProvider, 'second.tld', is left out; clients read one",
    ),
    "a placeholder as a domain": (
        {"head": DOMAIN + "<domain>%EMAILDOMAIN%</domain>"},
        "emailProvider: a domain that is a placeholder is left out; the provider is for server.tld alone",
    ),
    "a server of an unknown kind": (
        {"incoming": INCOMING + '<incomingServer type="gopher"/>'},
        "incomingServer[1]: type 'gopher' is left out, no client knows it",
    ),
    "a server with unknown authentication": (
        {"incoming": INCOMING + INCOMING.replace("password-cleartext", "quantum")},
        "incomingServer[1]: is left out, because no client knows its authentication quantum",
    ),
    "a server with unknown socket type": (
        {"incoming": INCOMING + INCOMING.replace("SSL", "TLS")},
        "incomingServer[1]: is left out, because no client knows its socketType TLS",
    ),
    "a server without socket type": (
        {"incoming": INCOMING + INCOMING.replace("<socketType>SSL</socketType>", "")},
        "incomingServer[1]: is left out, because no client knows its socketType (none)",
    ),
    "a page that is no URL": (
        {"provider": '<documentation url="help.html"><descr>x</descr></documentation>'},
        "left out, documentation[0].url: 'help.html' is not a URL (https://host/path)",
    ),
    "a page to enable without URL": (
        {"root": "<enable><instruction>x</instruction></enable>"},
        "left out, enable[0].url: is required",
    ),
    "web mail without URL": (
        {"root": "<webMail><loginPage/></webMail>"},
        "left out, webmail.login_page: is required",
    ),
    "web mail without a page": (
        {"root": '<webMail><loginPageInfo url="https://server.tld/"><username>x</username></loginPageInfo></webMail>'},
        "left out, webmail.login_page: is required",
    ),
    "web mail without anything": (
        {"root": "<webMail/>"},
        "left out, webmail.login_page: is required",
    ),
    "a login form without URL": (
        {"root": '<webMail><loginPage url="https://server.tld/"/><loginPageInfo/></webMail>'},
        "left out, webmail.login_form.url: is required",
    ),
}


@pytest.mark.parametrize(("parts", "note"), LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_what_is_left_out_is_named_and_nothing_else_changes(parts: dict[str, str], note: str) -> None:
    result = read(file(**parts))
    assert result.notes == (note,)
    kept = result.provider.to_dict()
    if "login_form" in note:
        assert kept.pop("webmail") == {"login_page": "https://server.tld/"}
    assert kept == read(file()).provider.to_dict()


def test_the_preferred_server_switched_off_is_no_loss() -> None:
    off = "<useGlobalPreferredServer>false</useGlobalPreferredServer></incomingServer>"
    assert imported(INCOMING.replace("</incomingServer>", off)) == read(file()).provider


def test_a_file_for_any_domain_is_read_for_its_id_and_that_is_noted() -> None:
    result = read(file(head=DOMAIN.replace("server.tld", "%EMAILDOMAIN%")))
    assert result.provider.domains == ("server.tld",)
    assert result.notes


# -- what cannot be used ------------------------------------------------------------------------------------------------

BILLION = '<?xml version="1.0"?>\n<!DOCTYPE clientConfig [<!ENTITY a "b">]>\n'


@pytest.mark.parametrize("content", [BILLION + file(), (BILLION + file()).encode()])
def test_a_file_with_a_doctype_is_refused(content: str | bytes) -> None:
    with pytest.raises(InputError, match="DOCTYPE"):
        read(content)


def test_a_file_with_a_doctype_is_refused_in_every_encoding() -> None:
    with pytest.raises(InputError, match="DOCTYPE"):
        read((BILLION + file()).encode("utf-16"))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not xml",
        "<clientConfig>",
        file() + "<!-- open",
        file() + "<x/>",
        file().replace("</emailProvider>", ""),
        file(head=DOMAIN + "<a>&unknown;</a>"),
        file(head=DOMAIN + "<a b=c/>"),
        b"\xff\xfe\x00",
        b'<?xml version="1.0" encoding="klingon"?><clientConfig/>',
        file(head=DOMAIN + "\x00"),
    ],
)
def test_what_is_not_well_formed_is_refused(content: str | bytes) -> None:
    with pytest.raises(InputError, match="is not well-formed XML"):
        read(content)


@pytest.mark.parametrize(
    "content",
    [
        "<clientConfig/>",
        "<html><body>Not found</body></html>",
        '<config><emailProvider id="server.tld"/></config>',
        '<clientConfig xmlns="urn:x"><emailProvider id="server.tld"/></clientConfig>',
    ],
)
def test_what_is_no_client_configuration_is_refused(content: str) -> None:
    with pytest.raises(InputError, match="no clientConfig with an emailProvider"):
        read(content)


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"incoming": ""}, "incoming: at least one server is needed"),
        ({"outgoing": ""}, "outgoing: at least one server is needed"),
        ({"incoming": INCOMING.replace("SSL", "TLS")}, "incoming: at least one server is needed"),
        ({"incoming": INCOMING.replace(">993<", ">99999<")}, "left out, incoming[0].port: 99999 is not a port (1 to 65535)"),
        ({"incoming": INCOMING.replace("mail.server.tld", "")}, "left out, incoming[0].hostname: is required"),
        ({"head": "<domain>my domain</domain>"}, "domains: at least one entry is needed"),
    ],
)
def test_a_file_that_no_client_can_use_is_refused(parts: dict[str, str], problem: str) -> None:
    with pytest.raises(InputError) as error:
        read(file(**parts))
    assert problem in error.value.problems


def test_a_name_that_sites_cannot_have_is_refused_rather_than_left_out() -> None:
    with pytest.raises(InputError, match=r"^id: 'my provider' is not a host name"):
        read(file().replace('id="server.tld"', 'id="my provider"'))


TOLERABLE = {
    "OAuth2 without end points": {"root": "<oAuth2><issuer>login.server.tld</issuer></oAuth2>"},
    "a calendar without address": {"root": '<calendar type="caldav"><username>x</username></calendar>'},
    "an update without address": {"root": '<clientConfigUpdate url="config.xml"/>'},
    "a language in another spelling": {
        "provider": '<documentation url="https://a.tld/"><descr lang="de_DE">x</descr></documentation>'
    },
    "POP3 options at the wrong server": {
        "incoming": INCOMING.replace(
            "</incomingServer>", "<pop3><leaveMessagesOnServer>true</leaveMessagesOnServer></pop3></incomingServer>"
        )
    },
    "no days for POP3": {
        "incoming": INCOMING.replace("imap", "pop3").replace(
            "</incomingServer>",
            "<pop3><daysToLeaveMessagesOnServer>0</daysToLeaveMessagesOnServer></pop3></incomingServer>",
        )
    },
    "an input field without label": {"provider": '<inputField key="K"/>'},
    "one usable and one unusable server": {"incoming": INCOMING + INCOMING.replace(">993<", ">99999<")},
}


@pytest.mark.parametrize("parts", TOLERABLE.values(), ids=TOLERABLE.keys())
def test_a_file_that_clients_use_is_not_refused_for_parts_that_they_skip(parts: dict[str, str]) -> None:
    assert read(file(**parts)).notes


@pytest.mark.parametrize(
    "parts",
    [
        {"incoming": INCOMING + INCOMING.replace(">993<", ">99999<").replace("mail.server.tld", "") + INCOMING},
        {
            "provider": '<documentation url="x"><descr></descr><descr lang="de_DE">a</descr></documentation>'
            '<inputField/><inputField key="K" label="L"/>'
        },
    ],
)
def test_an_entry_with_two_mistakes_is_left_out_alone(parts: dict[str, str]) -> None:
    provider = read(file(**parts)).provider
    assert len(provider.incoming) == (2 if "incoming" in parts else 1)
    assert len(provider.input_fields) == (1 if "provider" in parts else 0)


# -- any provider -------------------------------------------------------------------------------------------------------


@given(data=st.data())
def test_what_the_library_renders_it_reads_again(data: st.DataObject, provider_options: ProviderOptions) -> None:
    options = data.draw(provider_options)
    # JMAP as an option of its own and as an incoming server are the same in the file; the others are not in it.
    for name in ("jmap", "managesieve", "profile", "logo"):
        options.pop(name, None)
    provider = Provider.from_dict(options)
    result = read(thunderbird.render(provider).content)
    assert result.provider == provider
    assert result.notes == ()


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with pytest.raises(InputError):
        read(content)


def test_reading_is_a_function(make_provider: Callable[..., Provider]) -> None:
    content = thunderbird.render(make_provider()).content
    assert read(content) == read(content)
