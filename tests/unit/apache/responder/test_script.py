"""What each function of the script makes of a request, under the Lua versions of Apache's mod_lua."""

from __future__ import annotations

import json
import re
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import signing
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents.page import Page
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.http_client import OUTLOOK_REQUEST

from .conftest import Answer, Lua, Script

XML = "/autodiscover/autodiscover.xml"
JSON = "/autodiscover/autodiscover.json"
CONFIG = "/.well-known/autoconfig/mail/config-v1.1.xml"
DOMAINS = (
    *("server.tld", "other.tld", "xn--bcher-kva.example", "xn--e1afmkfd.example", "xn--hxajbheg2az3al.example"),
    # With letters that IDNA 2003 does not have.
    *("xn--strae-oqa.example", "xn--nxasmm1c.example", "xn--strae-oqa.xn--bcher-kva.example"),
)
SETTINGS = (
    "<Autodiscover><Server>mail.%EMAILDOMAIN%</Server><LoginName>%EMAILADDRESS%</LoginName>"
    "<LoginName>shared</LoginName><LoginName>%EMAILLOCALPART%</LoginName><Name>%REALNAME%</Name></Autodiscover>\n"
)
NEUTRAL = "<Autodiscover><Server>mail.server.tld</Server><LoginName>shared</LoginName><Name>%REALNAME%</Name></Autodiscover>\n"
NAMESPACE = uuid.UUID("0b1f2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d")
PROFILE = f"<plist>%EMAILADDRESS% %UUID-{NAMESPACE}% %UUID-{NAMESPACE}%</plist>\n"
PAGE = "<html>%STATE% %EMAILADDRESS% %EMAILLOCALPART% %EMAILDOMAIN%</html>\n"
HOSTILE = 16384


def settings_of(address: str, domain: str = "") -> str:
    """The settings for an address that needs no escape."""
    user, _at, typed = address.partition("@")
    text = SETTINGS.replace("%EMAILADDRESS%", address).replace("%EMAILLOCALPART%", user)
    return text.replace("%EMAILDOMAIN%", domain or typed)


@pytest.fixture(scope="module")
def script(lua: Lua, tmp_path_factory: pytest.TempPathFactory) -> Script:
    """A provider with everything but a signing certificate."""
    directory = tmp_path_factory.mktemp("responder")
    documents = {
        "autodiscover": SETTINGS,
        "profile": PROFILE,
        "general_profile": "<plist>general</plist>\n",
    }
    pages = []
    for language, text in (("en", PAGE), ("de", PAGE.replace("<html>", "<html>de "))):
        file = directory / f"{language}.html"
        file.write_text(text)
        pages.append(Page(language, str(file), f"policy {language}"))
    return Script(lua, directory, DOMAINS, documents, pages=tuple(pages), profile_name="server.mobileconfig")


@pytest.fixture
def make_script(lua: Lua, tmp_path: Path) -> Callable[..., Script]:
    """Other scripts; arguments as for :class:`Script`."""

    def make(domains: tuple[str, ...] = DOMAINS, **options: Any) -> Script:
        return Script(lua, tmp_path, domains, **{"documents": {"autodiscover": SETTINGS}, **options})

    return make


def post(script: Script, body: str | bytes | None, **request: Any) -> Answer:
    return script.call("handle", method="POST", uri=XML, body=body, **request)


def ask(script: Script, address: str) -> Answer:
    """As Outlook asks; the address is part of the XML as it is."""
    return post(script, OUTLOOK_REQUEST.format(address=address))


def is_settings(answer: Answer, address: str, domain: str = "") -> bool:
    return (answer.returned, answer.status, answer.body.decode()) == (0, 200, settings_of(address, domain))


def error(answer: Answer) -> str:
    """The code in an error document; empty for another answer."""
    if (answer.returned, answer.status) != (0, 200):
        return ""
    return ET.fromstring(answer.body).findtext(".//{*}ErrorCode") or ""


# -- Outlook ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_without_an_address_there_are_settings_without_anything_personal(script: Script, method: str) -> None:
    for query in (None, "", "Email=", "x=user@server.tld"):
        answer = script.call("handle", method=method, uri=XML, args=query)
        assert (answer.returned, answer.status, answer.body.decode()) == (0, 200, NEUTRAL)
        assert answer.content_type == "text/xml; charset=utf-8"
        assert answer.headers == {"Cache-Control": "no-store", "Content-Length": str(len(NEUTRAL))}


@pytest.mark.parametrize(
    "query",
    [
        *("Email=user@server.tld", "EMAILADDRESS=user%40Server.TLD", "x&emailaddress=+user@server.tld%20&"),
        # Encoded once more by a server on the way.
        *("Email=user%2540server.tld", "Email=%2575ser%2540server.tld%2520%250A"),
    ],
)
def test_get_with_an_address_gives_its_settings(script: Script, query: str) -> None:
    assert is_settings(script.call("handle", uri=XML, args=query), "user@server.tld")


def test_what_is_encoded_in_an_address_with_an_at_sign_or_for_a_third_time_stays(script: Script) -> None:
    assert is_settings(script.call("handle", uri=XML, args="Email=us%2540er@server.tld"), "us%40er@server.tld")
    assert is_settings(ask(script, "us%40er@server.tld"), "us%40er@server.tld")
    assert error(ask(script, "user%40server.tld")) == "600"
    for query in ("Email=user%252540server.tld", "Email=%2540server.tld", "Email=user%2540foreign.tld", "Email=user%25"):
        assert error(script.call("handle", uri=XML, args=query)) == "600"


def test_get_with_a_foreign_address_is_an_invalid_request(script: Script) -> None:
    assert error(script.call("handle", uri=XML, args="Email=user@foreign.tld")) == "600"


@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "POS", "get"])
def test_other_methods_are_refused_and_told_which_are_not(script: Script, method: str) -> None:
    for function, allowed in (("handle", "GET, HEAD, POST"), ("page", "GET, HEAD, POST"), ("profile", "GET, HEAD")):
        answer = script.call(function, method=method, uri=XML)
        assert (answer.returned, answer.headers, answer.body) == (405, {"Allow": allowed}, b"")
    assert script.call("profile", method="POST").returned == 405


def test_post_gives_the_settings_for_the_address_in_the_body(script: Script) -> None:
    assert is_settings(ask(script, "User.Name@Server.TLD"), "User.Name@server.tld")


@pytest.mark.parametrize("prefix", ["a:", "ns1:", "A-b_c.d:", "ü:"])
@pytest.mark.parametrize("attribute", ["", ' x="y"', "\n", " a='>' b=\"'>\"", " a='/'"])
def test_the_address_has_any_prefix_and_attributes(script: Script, prefix: str, attribute: str) -> None:
    body = f"<{prefix}Request><{prefix}EMailAddress{attribute}>user@server.tld</{prefix}EMailAddress></{prefix}Request>"
    assert is_settings(post(script, body), "user@server.tld")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "EMailAddress",
        "<EMailAddress>user@server.tld",
        "<EMailAddress",
        "<EMailAddressX>user@server.tld</EMailAddressX>",
        "<XEMailAddress>user@server.tld</XEMailAddress>",
        "<a b:EMailAddress>user@server.tld</a>",
        "<x>EMailAddress>user@server.tld</x>",
        "</EMailAddress>user@server.tld<",
        "<EMailAddress>user@server.tld user@server.tld</EMailAddress>",
    ],
)
def test_a_body_without_an_address_is_an_invalid_request(script: Script, body: str) -> None:
    assert error(post(script, body)) == "600"


def test_an_address_is_found_behind_other_places_of_its_name(script: Script) -> None:
    body = "<EMailAddressX/>EMailAddress</EMailAddress><EMailAddress>user@server.tld</EMailAddress>"
    for before in ("", "EMailAddress " * 50, "<EMailAddressX/>" * 50, "<a EMailAddress='EMailAddress>x'/>"):
        assert is_settings(post(script, before + body), "user@server.tld")


@pytest.mark.parametrize(
    "empty", ["<EMailAddress/>", "<n:EMailAddress a='/' />no@server.tld", "<EMailAddress>\r\n</EMailAddress>"]
)
def test_of_several_addresses_the_first_counts_that_is_not_empty(script: Script, empty: str) -> None:
    assert is_settings(post(script, empty + ADDRESS + ADDRESS.replace("user", "no") + empty), "user@server.tld")
    assert error(post(script, empty)) == "600"
    assert error(post(script, empty + "<EMailAddress>user@server.tld")) == "600"
    assert error(post(script, f"{empty}<EMailAddress>user@foreign.tld</EMailAddress>{ADDRESS}")) == "600"


def test_a_legacy_name_alone_is_an_invalid_request(script: Script) -> None:
    body = OUTLOOK_REQUEST.replace("EMailAddress", "LegacyDN").format(address="/o=x/ou=y/cn=Recipients/cn=user@server.tld")
    assert error(post(script, body)) == "600"


def test_a_body_that_is_too_large_or_cut_off_is_refused(script: Script) -> None:
    assert post(script, None, headers_in={"content-length": "20000"}).returned == 413
    assert error(post(script, None, headers_in={"Content-Length": "0"})) == "600"
    assert error(post(script, None)) == "600"


def test_a_chunked_body_which_mod_lua_does_not_read_gets_settings_without_a_login_name(script: Script) -> None:
    answer = post(script, None, headers_in={"Transfer-Encoding": "chunked"})
    assert (answer.returned, answer.body.decode()) == (0, NEUTRAL)


SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006"
ADDRESS = "<EMailAddress>user@server.tld</EMailAddress>"


@pytest.mark.parametrize("schema", [SCHEMA, SCHEMA + "a", SCHEMA.upper() + "B", f"\n {SCHEMA}a "])
def test_schemas_that_begin_as_outlooks_are_answered(script: Script, schema: str) -> None:
    body = f"{ADDRESS}<AcceptableResponseSchema>{schema}</AcceptableResponseSchema>"
    assert is_settings(post(script, body), "user@server.tld")


@pytest.mark.parametrize("schema", ["", "urn:x", SCHEMA.replace("outlook", "mobilesync")])
def test_other_schemas_are_not_available(script: Script, schema: str) -> None:
    body = f"{ADDRESS}<a:AcceptableResponseSchema>{schema}</a:AcceptableResponseSchema>"
    assert error(post(script, body)) == "601"


def test_without_a_schema_there_are_settings(script: Script) -> None:
    assert is_settings(post(script, ADDRESS), "user@server.tld")


# -- the address in the body ---------------------------------------------------------------------------------------------

UTF16 = [
    ("utf-16-le", b"\xff\xfe"),
    ("utf-16-be", b"\xfe\xff"),
    ("utf-16-le", b""),
    ("utf-16-be", b""),
]


@pytest.mark.parametrize(("encoding", "mark"), UTF16)
@pytest.mark.parametrize("address", ["user@server.tld", "üser@bücher.example", "\U0001f4e7\uffee@server.tld"])
def test_bodies_in_utf16_are_read(script: Script, encoding: str, mark: bytes, address: str) -> None:
    body = OUTLOOK_REQUEST.replace('"utf-8"', '"utf-16"').format(address=address)
    domain = "xn--bcher-kva.example" if "bücher" in address else ""
    assert is_settings(post(script, mark + body.encode(encoding)), address, domain)
    # A byte too many, as a body has that was cut off.
    assert is_settings(post(script, mark + body.encode(encoding) + b"<"), address, domain)


@pytest.mark.parametrize(("encoding", "mark"), UTF16)
@pytest.mark.parametrize("half", [b"\xd8\x3d", b"\xdc\xe7", b"\xd8\x3d\xd8\x3d", b"\xdc\xe7\xd8\x3d", b"\xd8\x3d\xe0\x00"])
def test_half_a_character_of_utf16_is_no_part_of_an_address(script: Script, encoding: str, mark: bytes, half: bytes) -> None:
    text = half.decode("utf-16-be", "surrogatepass")
    for address in (f"{text}@server.tld", f"a{text}b@server.tld"):
        body = OUTLOOK_REQUEST.format(address=address).encode(encoding, "surrogatepass")
        assert error(post(script, mark + body)) == "600"
    cut = OUTLOOK_REQUEST.format(address="user@server.tld") + text
    assert is_settings(post(script, mark + cut.encode(encoding, "surrogatepass")), "user@server.tld")


def test_a_byte_order_mark_of_utf8_changes_nothing(script: Script) -> None:
    assert is_settings(post(script, "\ufeff" + OUTLOOK_REQUEST.format(address="user@server.tld")), "user@server.tld")


@pytest.mark.parametrize("declared", ["utf-16", "UTF-16LE", "iso-8859-1"])
def test_bodies_in_utf8_are_read_whatever_they_are_declared_as(script: Script, declared: str) -> None:
    body = OUTLOOK_REQUEST.replace("utf-8", declared).format(address="üser@server.tld")
    for head in (body, body.replace("?>", ">", 1), "\r\n" + body):
        assert is_settings(post(script, head, headers_in={"Content-Type": f"text/xml; charset={declared}"}), "üser@server.tld")


# .NET writes a carriage return as a reference.
@pytest.mark.parametrize("blank", [" ", "\r\n\t", "&#xD;\n", "&#13;&#10;&#x20;&#9;", "<![CDATA[ ]]>"])
def test_blanks_around_the_address_are_no_part_of_it(script: Script, blank: str) -> None:
    assert is_settings(ask(script, f"{blank}user@server.tld{blank}"), "user@server.tld")


@pytest.mark.parametrize(
    "written",
    [
        "user&#64;server.tld",
        "user&#x40;server.tld",
        "&#117;ser&#0064;server&#x2e;tld",
        "user&#x000040;server.tld",
        f"user&#{'0' * 300}64;&#x{'0' * 300}73;erver.tld",
        "<![CDATA[user@server.tld]]>",
        "\n<![CDATA[user@server.tld]]>\n",
        "user<![CDATA[@]]>server<![CDATA[]]>.tld",
        "user&#64;<![CDATA[server.tld]]>",
        "us<!-- x -->er@server.tld<!--<EMailAddress>-->",
        "<!----><!-- -- >-->user@server.tld",
        "us<?x EMailAddress>?>er<??>@server.tld",
    ],
)
def test_an_address_may_be_written_as_xml_allows(script: Script, written: str) -> None:
    assert is_settings(ask(script, written), "user@server.tld")


def test_what_is_written_as_a_reference_is_escaped_on_output(script: Script) -> None:
    for written in ("o&apos;neil&amp;co@server.tld", "o&#39;neil&#x26;co@server.tld", "<![CDATA[o'neil&co]]>@server.tld"):
        assert b"<LoginName>o&apos;neil&amp;co@server.tld</LoginName>" in ask(script, written).body
    assert is_settings(ask(script, "&#252;ser@b&#xFC;cher.example"), "üser@bücher.example", "xn--bcher-kva.example")
    # References are those of XML, and are read once; &unknown; and &amp;#64; stay what they are.
    for written in (
        "<![CDATA[user&#64;server.tld]]>",
        "user&amp;#64;server.tld",
        "user&unknown;@server.tld",
        "user&#64server.tld",
    ):
        assert error(ask(script, written)) == "600"


@pytest.mark.parametrize(
    "reference",
    [
        *(
            "&#0;",
            "&#10;",
            "&#32;",
            "&#60;",
            "&#x85;",
            "&#xD83D;",
            "&#xDCE7;",
            "&#xFFFE;",
            "&#xFFFF;",
            "&#x110000;",
            "&#1114112;",
            "&#x0000110000;",
        ),
        *("&#;", "&#x;", "&#xg;", "&#a;", "&#X41;", "&#-1;", "&#1e1;", "&#" + "9" * 30 + ";", "&#x" + "f" * 30 + ";", "&;"),
    ],
)
def test_no_reference_makes_an_address_of_what_is_none(script: Script, reference: str) -> None:
    assert error(ask(script, f"u{reference}@server.tld")) == "600"


@pytest.mark.parametrize("section", ["<!---->", "<![CDATA[]]>", "<?x?>", "<!x>"])
def test_more_sections_than_anybody_sends_are_no_address(script: Script, section: str) -> None:
    assert is_settings(ask(script, f"user{section * 255}@server.tld"), "user@server.tld")
    assert error(ask(script, f"user{section * 256}@server.tld")) == "600"


@pytest.mark.parametrize(
    "body",
    [
        "<!-- <EMailAddress>user@server.tld</EMailAddress> -->",
        "<!--<EMailAddress>user@server.tld</EMailAddress>",
        "<![CDATA[<EMailAddress>user@server.tld</EMailAddress>]]>",
        "<![CDATA[<EMailAddress>user@server.tld</EMailAddress>",
        "<EMailAddress><![CDATA[user@server.tld",
        "<EMailAddress>user@<!--server.tld",
        "<!",
        "<!-",
        "<!-->" + ADDRESS,
        f"<?x {ADDRESS}?>",
        f"<?x {ADDRESS}",
        f'<!DOCTYPE x [<!-- it\'s --><!ENTITY b "{ADDRESS}">]>',
        f"<!DOCTYPE x SYSTEM '{ADDRESS}",
        f"<!DOCTYPE x [<!ENTITY b '{ADDRESS}'",
        "<!DOCTYPE x [<!ENTITY b 'user@server.tld'>]><EMailAddress>&b;</EMailAddress>",
    ],
)
def test_what_stands_in_a_comment_or_as_text_is_no_element(script: Script, body: str) -> None:
    assert error(post(script, body)) == "600"


_WRITTEN = st.lists(
    st.one_of(
        st.sampled_from(
            ["jo", "@", "server", ".", "tld", "server.tld", "bücher.example", "BÜCHER", "&amp;", "&lt;", "&quot;", " ", "\n"]
        ),
        st.sampled_from(
            ["\U0001f4e7", "%", "&#64;", "&#x40;", "&#46;", "&#252;", "&#x1F4E7;", "]]", ">", "--", "!", "?>", "'", "|", "="]
        ),
        st.sampled_from(["", "@", "jo", "&", "&amp;", "&#64;", "<", "<EMailAddress>", "]]", "ü"]).map("<![CDATA[{}]]>".format),
        st.sampled_from(["", "@", "jo", "<", "</EMailAddress>", "<EMailAddress>", "&", "->", "]]>"]).map("<!--{}-->".format),
    ),
    max_size=8,
).map("".join)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=_WRITTEN.map("<x>{}</x>".format) | _WRITTEN.map("<!--{}-->".format) | st.just(""),
    written=_WRITTEN | st.builds("{0}jo{1}@{2}server.tld{0}".format, _WRITTEN, _WRITTEN, _WRITTEN),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_the_address_is_the_one_that_an_xml_parser_reads(script: Script, before: str, written: str, encoding: str) -> None:
    body = f"<r>{before}<n:EMailAddress xmlns:n='urn:n'>{written}</n:EMailAddress></r>".encode(encoding)
    try:
        read = ET.fromstring(body).findtext("{urn:n}EMailAddress")
    except ET.ParseError:
        return
    address = (read or "").strip()
    user, _at, typed = address.partition("@")
    known = {"server.tld": "server.tld", "bücher.example": "xn--bcher-kva.example"}
    if re.fullmatch(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\x80-\U0010ffff-]+", user) and typed.lower() in known:
        answer = post(script, body)
        logins = ET.fromstring(answer.body).findall("LoginName")
        assert [login.text for login in logins] == [f"{user}@{typed.lower()}", "shared", user]
        assert f"<Server>mail.{known[typed.lower()]}</Server>".encode() in answer.body
    else:
        assert error(post(script, body)) == "600"


@pytest.mark.parametrize(
    "declared", ["", " SYSTEM '[>'", " [<!-- it's -->]", ' [<!ENTITY b "<EMailAddress>no@server.tld</EMailAddress>">\n]']
)
def test_the_address_behind_a_comment_and_a_doctype_counts(script: Script, declared: str) -> None:
    comment = "<!-- <EMailAddress>old@server.tld</EMailAddress> -->"
    body = f"<?xml version='1.0'?><!DOCTYPE x{declared}>{comment}<?x {comment}?><r>{ADDRESS}<!-- x --></r>"
    assert is_settings(post(script, body), "user@server.tld")


@pytest.mark.parametrize(
    "address",
    [
        "user@foreign.tld",
        "user@server.tld.evil",
        "user@xserver.tld",
        "user@erver.tld",
        "user@server.tld.",
        "user",
        "@server.tld",
        "user@",
        "@",
        "a b@server.tld",
        "user@server.tld|",
        "user@|server.tld",
        "user@b\xfccher.example=xn--bcher-kva.example",
        "a@b@server.tld",
        "a,b@server.tld",
        *('"a b"@server.tld', '"a\\"b"@server.tld', '"a@b"@server.tld', '""@server.tld', '"a@server.tld', 'a"b"@server.tld'),
        "&lt;a&gt;@server.tld",
        "\x7f@server.tld",
        "\x85@server.tld",
        "\ufffe@server.tld",
        "",
    ],
)
def test_what_is_no_address_of_ours_is_an_invalid_request(script: Script, address: str) -> None:
    assert error(ask(script, address)) == "600"
    body = OUTLOOK_REQUEST.format(address="\0").encode()
    for wrong in (b"\xff@server.tld", b"a\xc3@server.tld", b"\xc0\x80@server.tld", b"\xed\xa0\xbd@server.tld", b"\0@server.tld"):
        assert error(post(script, body.replace(b"\0", wrong))) == "600"


@pytest.mark.parametrize("written", ['"jo.doe"', "&quot;jo.doe&quot;"])
def test_quotation_marks_that_mean_nothing_are_no_part_of_an_address(script: Script, written: str) -> None:
    assert is_settings(ask(script, f"{written}@server.tld"), "jo.doe@server.tld")


@pytest.mark.parametrize(("length", "expected"), [(64, ""), (65, "600")])
def test_a_local_part_has_64_bytes_at_most(script: Script, length: int, expected: str) -> None:
    for user in ("a" * length, "ü" * (length // 2) + "a" * (length % 2)):
        assert error(ask(script, f"{user}@server.tld")) == expected


def test_an_address_has_254_bytes_at_most(make_script: Callable[..., Script]) -> None:
    domain = ".".join(["a" * 60] * 4) + ".tld"
    script = make_script((domain,))
    assert is_settings(ask(script, f"{'u' * (253 - len(domain))}@{domain}"), f"{'u' * (253 - len(domain))}@{domain}")
    assert error(ask(script, f"{'u' * (254 - len(domain))}@{domain}")) == "600"


@pytest.mark.parametrize(
    ("typed", "lower", "ascii_form"),
    [
        ("BÜCHER.example", "bücher.example", "xn--bcher-kva.example"),
        ("Bücher.Example", "bücher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.EXAMPLE", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("ПРИМЕР.example", "пример.example", "xn--e1afmkfd.example"),
        ("Пример.EXAMPLE", "пример.example", "xn--e1afmkfd.example"),
        ("ΠΑΡΆΔΕΙΓΜΑ.example", "παράδειγμα.example", "xn--hxajbheg2az3al.example"),
        ("Straße.Example", "straße.example", "xn--strae-oqa.example"),
        ("STRAßE.BÜCHER.example", "straße.bücher.example", "xn--strae-oqa.xn--bcher-kva.example"),
        ("Βόλος.example", "βόλος.example", "xn--nxasmm1c.example"),
    ],
)
def test_an_idn_is_known_in_capitals(script: Script, typed: str, lower: str, ascii_form: str) -> None:
    assert is_settings(ask(script, f"jo@{typed}"), f"jo@{lower}", ascii_form)
    assert error(ask(script, f"jo@x{typed}")) == "600"


def test_an_idn_of_2008_is_not_the_one_that_2003_makes_of_it(script: Script) -> None:
    for other in ("strasse.example", "βόλοσ.example"):
        assert error(ask(script, f"jo@{other}")) == "600"


def test_capitals_of_the_local_part_stay(script: Script) -> None:
    assert is_settings(ask(script, "JÜ@BÜCHER.example"), "JÜ@bücher.example", "xn--bcher-kva.example")


_LABEL = st.from_regex(r"[a-zäößéşжяλω中]{1,6}", fullmatch=True)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.builds("{}.tld".format, _LABEL), min_size=1, max_size=40), st.lists(st.builds("{}.tld".format, _LABEL)), st.data()
)
def test_every_domain_is_found_however_it_is_written_and_no_other(
    lua: Lua, tmp_path_factory: pytest.TempPathFactory, given_names: list[str], others: list[str], data: st.DataObject
) -> None:
    ascii_forms = sorted({name.encode("idna").decode() for name in given_names})
    script = Script(lua, tmp_path_factory.mktemp("any"), ascii_forms, {"autodiscover": SETTINGS})
    for domain in ascii_forms:
        readable = domain.encode().decode("idna")
        for form in (
            domain,
            readable,
            domain.upper(),
            data.draw(st.sampled_from([readable, readable.title(), readable.upper()])),
        ):
            if form.lower() == readable or form.lower() == domain:
                assert is_settings(ask(script, f"jo@{form}"), f"jo@{form.lower()}", domain)
    for other in others:
        if other.encode("idna").decode() not in ascii_forms:
            assert error(ask(script, f"jo@{other}")) == "600"


# -- documents ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("%", "%"),
        ("%%%", "%%%"),
        ("100% of %EMAILADDRESS", "100% of %EMAILADDRESS"),
        ("%EMAILADDRESS%", "a@server.tld"),
        ("%EMAILADDRESS%EMAILDOMAIN%", "a@server.tldEMAILDOMAIN%"),
        ("%EMAILADDRESS%%EMAILDOMAIN%", "a@server.tldserver.tld"),
        ("%REALNAME%", "%REALNAME%"),
        ("%REALNAME%EMAILDOMAIN%", "%REALNAMEserver.tld"),
        ("%REALNAME%%EMAILLOCALPART%%REALNAME%", "%REALNAME%a%REALNAME%"),
        ("%EMAILOTHER%", "%EMAILOTHER%"),
        ("%UUID-x%", "%UUID-x%"),
        ("%STATE%", "%STATE%"),
        ("%A%" * 50, "%A%" * 50),
    ],
)
def test_placeholders_are_filled_in_and_what_is_none_stays(make_script: Callable[..., Script], text: str, expected: str) -> None:
    script = make_script(documents={"autodiscover": f"{text}</Autodiscover>\n"})
    assert ask(script, "a@server.tld").body.decode() == f"{expected}</Autodiscover>\n"


def test_a_placeholder_in_an_address_is_not_filled_in_again(script: Script) -> None:
    assert b"<LoginName>%EMAILDOMAIN%@server.tld</LoginName>" in ask(script, "%EMAILDOMAIN%@server.tld").body


def test_a_document_is_read_once(make_script: Callable[..., Script]) -> None:
    script = make_script()
    assert is_settings(ask(script, "a@server.tld"), "a@server.tld")
    Path(script.files["autodiscover"]).unlink()
    assert is_settings(ask(script, "a@server.tld"), "a@server.tld")


@pytest.mark.parametrize("content", [None, "", "<Autodiscover>", "<Autodiscover></Autodiscover>"])
def test_a_damaged_document_is_500_and_a_line_in_the_log(make_script: Callable[..., Script], content: str | None) -> None:
    script = make_script()
    file = Path(script.files["autodiscover"])
    file.unlink() if content is None else file.write_text(content)
    for answer in (ask(script, "secret@server.tld"), script.call("handle", uri=XML)):
        assert (answer.returned, answer.body, answer.content_type) == (500, b"", "")
        assert answer.log == [f"mail_autoconfig: {file} is missing or damaged"]
    # Mended, it is read.
    file.write_text(SETTINGS)
    assert is_settings(ask(script, "a@server.tld"), "a@server.tld")


# -- JSON -----------------------------------------------------------------------------------------------------------------


def url_in(answer: Answer) -> str:
    assert (answer.returned, answer.status, answer.content_type) == (0, 200, "application/json; charset=utf-8")
    said = json.loads(answer.body)
    assert said.keys() == {"Protocol", "Url"}
    assert said["Protocol"] == "AutodiscoverV1"
    return str(said["Url"])


@pytest.mark.parametrize(
    ("host", "answering"),
    [
        ("AutoDiscover.Other.TLD", "autodiscover.other.tld"),
        ("autodiscover.other.tld.", "autodiscover.other.tld"),
        ("other.tld", "autodiscover.other.tld"),
        ("autodiscover.foreign.tld", "autodiscover.server.tld"),
        ('"other.tld', "autodiscover.server.tld"),
        ("autoconfig.other.tld", "autodiscover.server.tld"),
        ("", "autodiscover.server.tld"),
        (None, "autodiscover.server.tld"),
    ],
)
def test_json_names_the_host_that_answers(script: Script, host: str | None, answering: str) -> None:
    for uri, query in (
        (JSON, "Protocol=autodiscoverv1&Email=user@server.tld"),
        (JSON.upper() + "/V1.0/a@other.tld", "protocol=AutodiscoverV1"),
        (JSON + "/v1.0/a%40other.tld", "Protocol=AutodiscoverV1"),
        (JSON, "Protocol=AutodiscoverV1&Email=a%2540other.tld"),
    ):
        for scheme in ("http", "https"):
            answer = script.call("handle", uri=uri, args=query, hostname=host, is_https=scheme == "https")
            assert url_in(answer) == f"{scheme}://{answering}{XML}"


def test_json_names_ports_and_the_site_itself_where_not_every_domain_has_a_host(make_script: Callable[..., Script]) -> None:
    script = make_script(own_hosts=False, ports=(8080, 8443))
    query = {"uri": JSON, "args": "Protocol=AutodiscoverV1", "hostname": "other.tld"}
    assert url_in(script.call("handle", **query)) == f"http://other.tld:8080{XML}"
    assert url_in(script.call("handle", **query, is_https=True)) == f"https://other.tld:8443{XML}"


@pytest.mark.parametrize(
    ("uri", "query", "code"),
    [
        (JSON, None, "InvalidProtocol"),
        (JSON, "Protocol=ActiveSync&Email=a@server.tld", "InvalidProtocol"),
        (JSON, "Protocol=AutodiscoverV1&Email=a@foreign.tld", "InvalidDomain"),
        (JSON, "Protocol=AutodiscoverV1&Email=", "InvalidDomain"),
        (JSON + "/v1.0/a@foreign.tld", "Protocol=AutodiscoverV1", "InvalidDomain"),
    ],
)
def test_other_questions_in_json_are_400(script: Script, uri: str, query: str | None, code: str) -> None:
    answer = script.call("handle", uri=uri, args=query)
    assert (answer.returned, answer.status) == (0, 400)
    assert json.loads(answer.body)["ErrorCode"] == code


# -- the page -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("fr, *", "en"),
        ("de", "de"),
        ("DE-at,en;q=0.9", "de"),
        ("en;q=0.2, de;q=0.3", "de"),
        ("de;q=0, en;q=0", "en"),
        ("de;q=x", "de"),
        ("de;q=1.2.3", "en"),
    ],
)
def test_the_page_has_the_language_that_the_browser_prefers(script: Script, accepted: str | None, language: str) -> None:
    answer = script.call("page", headers_in={"Accept-Language": accepted})
    assert answer.headers["Content-Language"] == language
    assert answer.variables == {"MAIL_AUTOCONFIG_POLICY": f"policy {language}"}
    assert answer.body.startswith(b"<html>de form" if language == "de" else b"<html>form")


def test_the_page_without_an_address(script: Script) -> None:
    answer = script.call("page")
    assert (answer.returned, answer.status, answer.body) == (0, 200, b"<html>form   server.tld</html>\n")
    assert answer.content_type == "text/html; charset=utf-8"
    assert answer.headers.items() >= {
        ("Referrer-Policy", "no-referrer"),
        ("Vary", "Accept-Language"),
        ("Cache-Control", "no-store"),
    }


@pytest.mark.parametrize(
    "request_",
    [
        {"args": "emailaddress=o'neil%2Bx@other.tld"},
        {"args": "emailaddress=o'neil+x@other.tld"},
        {"method": "POST", "body": "a=b&emailaddress=+o%27neil%2Bx%40other.tld+", "args": "emailaddress=x"},
    ],
)
def test_the_page_with_an_address(script: Script, request_: dict[str, Any]) -> None:
    answer = script.call("page", **request_)
    expected = b"<html>settings o&apos;neil+x@other.tld o&apos;neil+x other.tld</html>\n"
    assert (answer.returned, answer.status, answer.body) == (0, 200, expected)


def test_the_page_says_nothing_of_an_address_that_is_refused(script: Script) -> None:
    for request in ({"args": "emailaddress=a@foreign.tld"}, {"method": "POST", "body": "emailaddress=a+b@server.tld"}):
        answer = script.call("page", **request)
        assert (answer.returned, answer.status, answer.body) == (0, 400, b"<html>refused   server.tld</html>\n")


def test_forms_without_a_body_and_too_large_ones(script: Script) -> None:
    assert script.call("page", method="POST", headers_in={"Content-Length": "99999"}).returned == 413
    assert script.call("page", method="POST").body.startswith(b"<html>form")


def test_a_damaged_page_is_500(script: Script, make_script: Callable[..., Script], tmp_path: Path) -> None:
    broken = make_script(pages=(Page("en", str(tmp_path / "nowhere"), ""),))
    answer = broken.call("page")
    assert (answer.returned, answer.body, len(answer.log)) == (500, b"", 1)


# -- Apple's profile ------------------------------------------------------------------------------------------------------


def test_a_personal_profile_has_uuids_of_the_address(script: Script) -> None:
    for typed in ("Jo@Bücher.example", "JO@xn--bcher-kva.example"):
        answer = script.call("profile", args=f"email={typed}")
        expected = str(uuid.uuid5(NAMESPACE, "jo@xn--bcher-kva.example")).upper()
        found = re.fullmatch(r"<plist>(\S+) (\S+) (\S+)</plist>\n", answer.body.decode())
        assert found
        assert (found[2], found[3]) == (expected, expected)
    assert (answer.returned, answer.status, answer.content_type) == (0, 200, "application/x-apple-aspen-config")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="server.mobileconfig"'
    assert answer.headers["Cache-Control"] == "no-store"


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True))
def test_the_uuids_are_those_of_the_standard(script: Script, user: str) -> None:
    expected = str(uuid.uuid5(NAMESPACE, f"{user}@server.tld")).upper()
    assert script.call("profile", args=f"email={user}@server.tld").body.decode().count(expected) == 2


def test_a_profile_without_an_address_is_the_general_one(script: Script) -> None:
    for query in (None, "email="):
        assert script.call("profile", args=query).body == b"<plist>general</plist>\n"


def test_no_profile_for_others(script: Script, make_script: Callable[..., Script]) -> None:
    answer = script.call("profile", args="email=a@foreign.tld")
    assert (answer.returned, answer.status, answer.body) == (0, 400, b"<html>refused   server.tld</html>\n")
    without_page = make_script(documents={"profile": PROFILE}).call("profile", args="email=a@foreign.tld")
    assert (without_page.returned, without_page.status, without_page.content_type) == (0, 400, "text/plain; charset=utf-8")
    assert b"foreign" not in without_page.body
    assert "Content-Disposition" not in answer.headers


def test_a_damaged_profile_is_500(make_script: Callable[..., Script]) -> None:
    script = make_script(documents={"profile": "", "general_profile": ""})
    assert [script.call("profile", args=query).returned for query in (None, "email=a@server.tld")] == [500, 500]


def test_profiles_wait_for_their_signature_in_places_of_their_own_so_many_a_second(make_script: Callable[..., Script]) -> None:
    script = make_script(documents={"profile": PROFILE}, signing_slots=signing.SLOTS)
    for second in (1, 2):
        places = set()
        for number in range(signing.STARTED_A_SECOND):
            answer = script.call("profile", args="email=a@server.tld", clock=second * 1000000 + number)
            assert (answer.returned, answer.status, answer.headers["Cache-Control"]) == (0, 200, "no-store")
            # The filter changes the length.
            assert "Content-Length" not in answer.headers
            places |= answer.variables.keys()
        assert len(places) == signing.STARTED_A_SECOND
        assert places <= {f"{signing.SLOT}{slot}" for slot in range(signing.SLOTS)}
        busy = script.call("profile", args="email=a@server.tld", clock=second * 1000000 + 999999)
        assert (busy.returned, busy.status, busy.headers["Retry-After"], busy.variables) == (0, 503, "5", {})
        assert busy.headers["Content-Disposition"] == "inline"
        assert busy.content_type == "text/plain; charset=utf-8"


def der(size: int, length: bytes) -> bytes:
    return b"\x30" + length + b"x" * size


@pytest.mark.parametrize(
    "signed",
    [
        der(128, b"\x81\x80"),
        der(300, b"\x82\x01\x2c"),
        der(70000, b"\x83\x01\x11\x70"),
        der(5, b"\x84\0\0\0\5"),
        der(0, b"\x81\0"),
    ],
)
def test_what_is_signed_passes_in_whatever_pieces(script: Script, signed: bytes) -> None:
    for size in (1000, 100000):
        pieces = [signed[index : index + size] for index in range(0, len(signed), size)]
        answer = script.call("signed", pieces, content_type="application/x-apple-aspen-config")
        assert (answer.filtered, answer.status) == (signed, 200)
        assert (answer.content_type, answer.headers, answer.log) == ("application/x-apple-aspen-config", {}, [])


@pytest.mark.parametrize(
    "made",
    [
        *(b"", b"\x30", b"<?xml", PROFILE.encode(), der(127, b"\x81\x80"), der(129, b"\x81\x80"), der(127, b"\x7f")),
        *(b"\x30\x82\x01", b"\x30\x80\0\0", der(5, b"\x85\0\0\0\0\5"), b"\x31\x81\0"),
    ],
)
def test_what_is_not_signed_is_503(script: Script, made: bytes) -> None:
    answer = script.call("signed", [made] if made else [], content_type="application/x-apple-aspen-config")
    assert answer.filtered == b"The profile could not be signed just now. Please try again in a moment.\n"
    assert (answer.status, answer.content_type) == (503, "text/plain; charset=utf-8")
    assert answer.headers == {"Retry-After": "5", "Content-Disposition": "inline"}
    assert len(answer.log) == 1


def test_what_is_no_profile_passes_the_filter(script: Script) -> None:
    answer = script.call("signed", [b"no ", b"address"], status=400)
    assert (answer.filtered, answer.status, answer.log) == (b"no address", 400, [])


# -- sites that are not ours, and wildcards -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["foreign.tld", "www.server.tld", "autoconfig.server.tld", "server.tld.evil", "", None, "|server.tld|"]
)
def test_other_hosts_are_left_to_their_site(script: Script, host: str | None) -> None:
    answer = script.call("translate", uri=CONFIG, hostname=host)
    assert (answer.returned, answer.filename, answer.variables, answer.headers) == (-1, "", {}, {})


def translated(script: Script, uri: str, host: str = "server.tld", **request: Any) -> tuple[int, str, str]:
    answer = script.call("translate", uri=uri, hostname=host, **request)
    assert answer.headers == {}
    assert answer.variables.keys() == {"MAIL_AUTOCONFIG"}
    return answer.returned, answer.filename, answer.variables["MAIL_AUTOCONFIG"]


@pytest.mark.parametrize("host", ["server.tld", "Server.TLD", "server.tld.", "xn--bcher-kva.example"])
@pytest.mark.parametrize("is_https", [True, False])
def test_our_hosts_are_answered(script: Script, make_script: Callable[..., Script], host: str, is_https: bool) -> None:
    request = {"host": host, "is_https": is_https}
    assert translated(script, CONFIG, **request) == (0, "/www/config-v1.1.xml", "document")
    for uri in (XML, "/AutoDiscover/AutoDiscover.xml", JSON):
        assert translated(script, uri, **request) == (0, str(script.path), "responder")
    static = make_script(personal=False)
    assert translated(static, XML, **request) == (0, static.files["autodiscover"], "document")


def test_without_an_answer_for_outlook_its_paths_are_left_to_the_site(make_script: Callable[..., Script]) -> None:
    script = make_script(documents={}, secure={"autodiscover.server.tld"})
    answer = script.call("translate", uri=XML, hostname="server.tld")
    assert (answer.returned, answer.filename, answer.variables, answer.headers) == (-1, "", {}, {})


def location(script: Script, host: str, uri: str, **request: Any) -> str:
    answer = script.call("translate", hostname=host, uri=uri, **request)
    assert (answer.returned, answer.filename, answer.variables, answer.body) == (302, "", {}, b"")
    assert answer.headers.keys() == {"Location"}
    return answer.headers["Location"]


@pytest.mark.parametrize(("port", "written"), [(443, ""), (8443, ":8443")])
def test_in_clear_our_hosts_lead_to_those_with_a_certificate(make_script: Callable[..., Script], port: int, written: str) -> None:
    hosts = {f"{label}.{domain}" for label in ("autoconfig", "autodiscover") for domain in DOMAINS}
    script = make_script(secure=hosts, ports=(80, port))
    for uri in (XML, "/AUTODISCOVER/Autodiscover.xml"):
        assert location(script, "Other.TLD.", uri) == f"https://autodiscover.other.tld{written}{XML}"
    assert location(script, "server.tld", CONFIG) == f"https://autoconfig.server.tld{written}/mail/config-v1.1.xml"
    assert location(script, "xn--bcher-kva.example", XML) == f"https://autodiscover.xn--bcher-kva.example{written}{XML}"
    assert location(script, "server.tld", XML, args="Email=a%40b") == f"https://autodiscover.server.tld{written}{XML}?Email=a%40b"
    assert script.call("translate", uri=XML, hostname="foreign.tld").returned == -1
    for uri in (XML, CONFIG):
        assert translated(script, uri, is_https=True)[0] == 0


def test_in_clear_a_question_in_json_leads_to_its_answer(make_script: Callable[..., Script]) -> None:
    script = make_script(secure={"autodiscover.server.tld"})
    raw, query = JSON + "/v1.0/a%40server.tld", "Protocol=AutodiscoverV1"
    there = f"https://autodiscover.server.tld{raw}?{query}"
    for target in (f"{raw}?{query}", f"http://server.tld{raw}?{query}"):
        said = location(script, "server.tld", JSON + "/v1.0/a@server.tld", args=query, unparsed_uri=target)
        assert said == there


@pytest.mark.parametrize("has_a_certificate", [[True, False, False], [True, True, False], [False] * 3, [True] * 3])
def test_each_host_leads_to_its_own_certificate_or_answers(
    make_script: Callable[..., Script], has_a_certificate: list[bool]
) -> None:
    domains = ("a.tld", "b.tld", "c.tld")
    secure = {domain for domain, has in zip(domains, has_a_certificate, strict=True) if has}
    autodiscover, autoconfig = ({f"{label}.{domain}" for domain in secure} for label in ("autodiscover", "autoconfig"))
    for hosts, uri, other in ((autodiscover, XML, CONFIG), (autoconfig, CONFIG, XML)):
        script = make_script(domains, secure=hosts)
        for domain in domains:
            assert script.call("translate", uri=uri, hostname=domain).returned == (302 if domain in secure else 0)
            assert script.call("translate", uri=other, hostname=domain).returned == 0


# -- hostile bodies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "piece",
    [
        *(b"<!", b"<!--", b"<!-->", b"-->", b"<!---->", b"<![CDATA[", b"<![CDATA[]]>", b"]]>", b"<!--<EMailAddress>-->", b"<"),
        *(
            b"EMailAddress",
            b"<a:",
            b"&",
            b"&#",
            b"&#64;",
            b"&#0",
            b"&#x",
            b"&a",
            b"0",
            b" ",
            b"@",
            b"<EMailAddress>",
            b"\0",
            b"\xff",
        ),
        *(b"a", b"\0<", b"<\0", b"\xff\xfe", b"\xd8\x3d", b"\x3d\xd8", b"\xc3\xbc", b"%"),
        *(
            b"<?",
            b"?>",
            b"<??>",
            b"<?xml",
            b"<!>",
            b"<!x ",
            b"<![",
            b"[",
            b"'",
            b"''",
            b"\"'",
            b"<EMailAddress/>",
            b":EMailAddress",
        ),
        *(b"<EMailAddress ", b"<EMailAddress></EMailAddress>", b"<EMailAddress a=''>&#32;<", b"\n"),
    ],
)
def test_a_hostile_body_costs_steps_in_proportion_to_its_length(script: Script, piece: bytes) -> None:
    for frame in (
        b"%b",
        b"<EMailAddress>%b</EMailAddress>",
        b"<EMailAddress>&#0%b;</EMailAddress>",
        b"<!%b",
        b"\xff\xfe%b",
        b"\0%b",
    ):
        body = frame % (piece * (HOSTILE // len(piece)))
        assert post(script, body[:HOSTILE]).steps <= 25 * HOSTILE // 1000 * 1000
