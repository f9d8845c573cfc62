"""Mozilla's autoconfiguration file, version 1.1: what Thunderbird and most other clients read.

PRIVATE to the collection. Format: draft-ietf-mailmaint-autoconfig and the ISPDB's files; where clients are narrower than
the format, the document keeps to what all of them read, and warns where the input leaves no such way.
"""

from __future__ import annotations

import typing as t
import xml.etree.ElementTree as ET

from ..input.model import PASSWORD_METHODS, Dav, FormField, Link, LoginForm, Provider, Server
from . import Document, leaf, xml_bytes

PATH = "mail/config-v1.1.xml"
# For the responder to fill in, where logins do not follow from the address.
PERSONAL_PATH = "mail/personal-config-v1.1.xml"
MEDIA_TYPE = "text/xml; charset=utf-8"
_PLACEHOLDER = "%EMAILDOMAIN%"
# Each client fetches the whole list, and anybody reads in it whose domains they are. Domains of one owner are few: nine in ten of
# Mozilla's files (thunderbird/autoconfig) have at most five.
MOST_DOMAINS = 5


def render(provider: Provider, list_domains: bool = True) -> Document:
    """Render the provider's document.

    :arg list_domains: whether it may name the domains of a provider that has a handful
    """
    root = ET.Element("clientConfig", {"version": "1.1"})
    _email_provider(root, provider, list_domains)
    _web_mail(root, provider)
    if provider.oauth2:
        element = ET.SubElement(root, "oAuth2")
        leaf(element, "issuer", provider.oauth2.issuer)
        leaf(element, "scope", provider.oauth2.scope)
        leaf(element, "authURL", provider.oauth2.auth_url)
        leaf(element, "tokenURL", provider.oauth2.token_url)
    _dav(root, "calendar", "caldav", provider.caldav)
    _dav(root, "addressbook", "carddav", provider.carddav)
    if provider.config_update_url:
        ET.SubElement(root, "clientConfigUpdate", {"url": provider.config_update_url})
    return Document(PATH, MEDIA_TYPE, xml_bytes(root), tuple(_warnings(provider)))


def _email_provider(root: ET.Element, provider: Provider, list_domains: bool) -> None:
    element = ET.SubElement(root, "emailProvider", {"id": provider.id})
    for domain in _domains(provider, list_domains):
        leaf(element, "domain", domain)
    leaf(element, "displayName", provider.display_name)
    leaf(element, "displayShortName", provider.short_name)
    for server in provider.incoming:
        _server(element, "incomingServer", server)
    if provider.jmap:
        jmap = ET.SubElement(element, "incomingServer", {"type": "jmap"})
        leaf(jmap, "url", provider.jmap.url)
        leaf(jmap, "authentication", "password-cleartext")
        leaf(jmap, "username", provider.jmap.username)
    for server in provider.outgoing:
        _server(element, "outgoingServer", server)
    _links(element, "documentation", provider.documentation)
    _links(element, "instruction", provider.instructions)
    for link in provider.enable:
        enable = ET.SubElement(element, "enable", {"visiturl": link.url})
        for text in link.texts:
            leaf(enable, "instruction", text.text, lang=text.lang)
    for field in provider.input_fields:
        ET.SubElement(element, "inputField", {"key": field.key, "label": field.label}).text = field.value or None


def _domains(provider: Provider, may_list: bool) -> tuple[str, ...]:
    """The domains to be named: all, or the one that the id names anyhow and the placeholder for the others.

    Thunderbird (readFromXML) and K-9 (RealAutoconfigParser) need one and fill the placeholder in; the other clients do not look
    at them. mailcow (data/web/autoconfig.php) serves the placeholder alone.
    """
    if len(provider.domains) == 1 or (may_list and len(provider.domains) <= MOST_DOMAINS):
        return provider.domains
    return (*(domain for domain in provider.domains if domain == provider.id), _PLACEHOLDER)


def _server(parent: ET.Element, tag: str, server: Server) -> None:
    element = ET.SubElement(parent, tag, {"type": server.type})
    leaf(element, "hostname", server.hostname)
    leaf(element, "port", server.port or "")
    leaf(element, "socketType", server.socket_type)
    leaf(element, "username", server.username)
    for method in server.authentication:
        leaf(element, "authentication", method)
    for name, url in (
        ("url", server.url),
        ("owaURL", server.owa_url),
        ("ewsURL", server.ews_url),
        ("easURL", server.eas_url),
    ):
        leaf(element, name, url)
    if server.pop3:
        pop3 = ET.SubElement(element, "pop3")
        for name, value in (
            ("leaveMessagesOnServer", server.pop3.leave_messages_on_server),
            ("downloadOnBiff", server.pop3.download_on_biff),
        ):
            if value is not None:
                leaf(pop3, name, value)
        leaf(pop3, "daysToLeaveMessagesOnServer", server.pop3.days_to_leave_messages_on_server or "")
        if server.pop3.check_interval:
            ET.SubElement(pop3, "checkInterval", {"minutes": str(server.pop3.check_interval)})
    for restriction in server.restriction:
        leaf(element, "restriction", restriction)
    if server.add_this_server is not None:
        leaf(element, "addThisServer", server.add_this_server)


def _links(parent: ET.Element, tag: str, links: tuple[Link, ...]) -> None:
    for link in links:
        element = ET.SubElement(parent, tag, {"url": link.url})
        for text in link.texts:
            leaf(element, "descr", text.text, lang=text.lang)


def _web_mail(root: ET.Element, provider: Provider) -> None:
    if provider.webmail is None:
        return
    element = ET.SubElement(root, "webMail")
    ET.SubElement(element, "loginPage", {"url": provider.webmail.login_page})
    if provider.webmail.login_form:
        _login_form(element, provider.webmail.login_form)


def _login_form(parent: ET.Element, form: LoginForm) -> None:
    element = ET.SubElement(parent, "loginPageInfo", {"url": form.url})
    leaf(element, "username", form.username)
    for tag, field in (
        ("usernameField", form.username_field),
        ("passwordField", form.password_field),
        ("loginButton", form.login_button),
    ):
        _form_field(element, tag, field)


def _form_field(parent: ET.Element, tag: str, field: FormField) -> None:
    attributes = {key: value for key, value in (("id", field.id), ("name", field.name)) if value}
    if attributes:
        ET.SubElement(parent, tag, attributes)


def _dav(root: ET.Element, tag: str, service: str, dav: Dav | None) -> None:
    if dav is None:
        return
    element = ET.SubElement(root, tag, {"type": service})
    leaf(element, "url", dav.url)
    leaf(element, "authentication", "Basic", system="http")
    leaf(element, "username", dav.username)


def _warnings(provider: Provider) -> t.Iterator[str]:
    """What the clients make of this input, each with the client that breaks (and the one rule it breaks)."""
    for name, text, limit in (
        ("display_name", provider.display_name, 60),
        ("short_name", provider.short_name, 20),
    ):
        if len(text) > limit:
            yield f"{name} has {len(text)} characters; clients cut it after {limit} (draft-ietf-mailmaint-autoconfig)"
        if "%EMAIL" in text:
            yield f"{name} holds a placeholder, which FairEmail and others show as it stands"
    yield from _order_warnings(provider)
    for kind, servers in (("incoming", provider.incoming), ("outgoing", provider.outgoing)):
        for index, server in enumerate(servers):
            for warning in _server_warnings(server):
                yield f"{kind}[{index}] ({server.type}): {warning}"


def _order_warnings(provider: Provider) -> t.Iterator[str]:
    imap_count = sum(server.type == "imap" for server in provider.incoming)
    if not imap_count:
        yield "there is no IMAP server: K-9, Thunderbird for Android and Geary find nothing"
    elif provider.incoming[0].type != "imap":
        yield (
            f"the first incoming server is {provider.incoming[0].type}: FairEmail and Geary look only at the first "
            "and want IMAP there"
        )
    if imap_count > 1:
        yield "there are several IMAP servers: Evolution takes the last, all others the first"
    if len(provider.outgoing) > 1:
        yield "there are several outgoing servers: Evolution and aerc take the last, all others the first"


def _server_warnings(server: Server) -> t.Iterator[str]:
    if server.socket_type == "plain" and server.type in ("imap", "smtp"):
        yield "socket_type plain makes K-9 and Thunderbird for Android reject the whole file, and sends passwords in clear"
    elif server.socket_type == "plain":
        yield "socket_type plain sends passwords in clear"
    if "%" in server.hostname:
        yield "the host name holds a placeholder, which FairEmail and Nextcloud Mail do not replace"
    if "%" in server.username and server.username not in ("%EMAILADDRESS%", "%EMAILLOCALPART%"):
        yield (
            f"user name {server.username!r} is not exactly %EMAILADDRESS% or %EMAILLOCALPART%: FairEmail and aerc "
            "replace only a whole value"
        )
    known_to_k9 = (*PASSWORD_METHODS, "OAuth2")
    if server.type in ("imap", "smtp") and not any(method in known_to_k9 for method in server.authentication):
        yield f"authentication {', '.join(server.authentication)} makes K-9 and Thunderbird for Android reject the whole file"
    elif set(server.authentication) == {"OAuth2"}:
        yield "OAuth2 alone works only where Thunderbird and K-9 have an issuer built in for this host"
