"""The setup page: the policy for browsers, the facts for the template, and the template itself."""

from __future__ import annotations

import base64
import hashlib
import typing as t
from pathlib import Path

import jinja2
import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.mailops.autoconfig.plugins.filter import setup_page_facts as plugin
from ansible_collections.mailops.autoconfig.plugins.filter.short_form import short_form
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import page
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError

ROLE = Path(__file__).parents[3] / "roles/mail_autoconfig"
TEXTS: dict[str, dict[str, str]] = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__mail_autoconfig_setup_page_texts"]
HTML = "<!DOCTYPE html>\n<html><head><style>p{}</style></head><body data-state='%STATE%'><script>1;</script></body></html>\n"
BASE: dict[str, t.Any] = {
    "domains": ["server.tld", "other.tld"],
    "display_name": "Server",
    "incoming": [
        {"type": "imap", "hostname": "mail.server.tld"},
        {"type": "pop3", "hostname": "mail.server.tld", "port": 110, "username": "%EMAILLOCALPART%"},
        {"type": "jmap", "url": "https://jmap.server.tld/"},
    ],
    "outgoing": [{"type": "smtp", "hostname": "mail.%EMAILDOMAIN%", "username": "%EMAILLOCALPART%.%EMAILDOMAIN%"}],
    "documentation": [{"url": "https://help.server.tld/", "texts": [{"text": "Help", "lang": "en"}]}, {"url": "https://x.tld/"}],
}


def source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


# -- policy -------------------------------------------------------------------------------------------------------------


def test_the_policy_names_what_is_in_the_page_and_nothing_else() -> None:
    assert page.policy(HTML.encode()) == (
        f"default-src 'none'; style-src {source('p{}')}; script-src {source('1;')}; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    assert "script-src" not in page.policy(b"<html><style>a{}</style></html>")


def test_the_digest_is_of_the_text_as_it_stands() -> None:
    text = "\n a < b && c > d; /* \u00e9 &amp; */ \n"
    assert source(text) in page.policy(f"<html><script>{text}</script></html>".encode())


@pytest.mark.parametrize("name", ["style", "script"])
@pytest.mark.parametrize("placeholder", ["%EMAILADDRESS%", "%STATE%", "%EMAILDOMAIN%"])
def test_a_placeholder_in_a_style_or_script_is_refused(name: str, placeholder: str) -> None:
    with pytest.raises(page.PageError, match="holds a placeholder"):
        page.policy(f"<html><{name}>{placeholder}</{name}></html>".encode())


def test_a_page_ends_as_it_should() -> None:
    assert page.document("en", HTML.replace("\n", "\r\n") + "\n\n").content == HTML.encode()
    with pytest.raises(page.PageError, match="does not end in </html>"):
        page.document("en", "<html>")


def test_mistakes_of_pages_are_named_with_their_place() -> None:
    pages = [
        {"provider": "server.tld", "language": "en", "html": HTML},
        {"provider": "server.tld", "language": "en", "html": HTML},
        {"provider": "nobody.tld", "language": "Deutsch", "html": "<html>"},
    ]
    with pytest.raises(InputError) as error:
        settings.read({"domain": "server.tld", "setup_pages": pages})
    assert list(error.value.problems) == [
        "setup_pages[1].language: 'en' is there for server.tld already",
        "setup_pages[2].provider: 'nobody.tld' is unknown; allowed are server.tld",
        "setup_pages[2].language: 'Deutsch' is not a language (two or three letters, for example de)",
        "setup_pages[2].html: the page does not end in </html>",
    ]


# -- facts --------------------------------------------------------------------------------------------------------------


def test_the_facts_of_a_provider() -> None:
    facts = page.facts(Provider.from_dict(BASE))
    assert [(row["protocol"], row["direction"], row["port"], row["security"]) for row in facts["servers"]] == [
        ("IMAP", "incoming", 993, "SSL/TLS"),
        ("POP3", "incoming", 110, "STARTTLS"),
        ("SMTP", "outgoing", 465, "SSL/TLS"),
    ]
    assert facts["servers"][2]["host"] == "mail.%EMAILDOMAIN%"
    assert facts["profile_url"] == "https://autoconfig.server.tld/mail.mobileconfig"
    assert [(link["text"], link["lang"]) for link in facts["help_links"]] == [("Help", "en"), ("https://x.tld/", "")]
    assert page.facts(Provider.from_dict(BASE), https=False)["profile_url"].startswith("http:")
    for https, port, host in ((True, 443, ""), (True, 8443, ":8443"), (False, 80, ""), (False, 8080, ":8080")):
        url = page.facts(Provider.from_dict(BASE), https, port)["profile_url"]
        assert url.partition("://")[2] == f"autoconfig.server.tld{host}/mail.mobileconfig"


def test_a_server_without_tls_is_shown_as_one() -> None:
    plain = [{"type": "imap", "hostname": "mail.server.tld", "socket_type": "plain"}]
    assert page.facts(Provider.from_dict({**BASE, "incoming": plain}))["servers"][0]["security"] == "none"


def test_a_provider_without_mail_for_apple_has_no_profile_to_show() -> None:
    jmap = [{"type": "jmap", "url": "https://jmap.server.tld/"}]
    facts = page.facts(Provider.from_dict({**BASE, "incoming": jmap}))
    assert (facts["profile_path"], facts["profile_url"]) == ("", "")


def test_the_filter_adds_images(tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (facts,) = plugin.setup_page_facts([{**BASE, "logo": "logo.svg"}], directory=str(tmp_path))
    assert base64.b64decode(facts["logo"].removeprefix("data:image/svg+xml;base64,")).startswith(b"<svg")
    assert facts["qr"].startswith("data:image/svg+xml")
    assert plugin.setup_page_facts([short_form("server.tld")])[0]["id"] == "server.tld"
    (facts,) = plugin.setup_page_facts([short_form("server.tld", mail_host="mx.tld", pop3=True, starttls="all")])
    assert [(server["host"], server["port"]) for server in facts["servers"]] == [
        ("mx.tld", 143),
        ("mx.tld", 110),
        ("mx.tld", 587),
    ]


def test_without_the_library_there_is_no_qr_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "segno", None)
    assert plugin.setup_page_facts([BASE])[0]["qr"] == ""


@pytest.mark.parametrize(
    ("logo", "problem"), [("no.svg", "cannot be read"), ("logo.exe", "no image of a type"), ("big.png", "at most 65536")]
)
def test_a_logo_that_cannot_be_shown_is_refused(tmp_path: Path, logo: str, problem: str) -> None:
    (tmp_path / "big.png").write_bytes(b"x" * (plugin.MAX_LOGO + 1))
    with pytest.raises(AnsibleFilterError, match=problem):
        plugin.setup_page_facts([{**BASE, "logo": logo}], directory=str(tmp_path))


def test_the_filter_judges_as_the_module_does() -> None:
    with pytest.raises(AnsibleFilterError, match=r"providers\[0\]\.outgoing: at least one server is needed"):
        plugin.setup_page_facts([{**BASE, "outgoing": []}])


# -- template -----------------------------------------------------------------------------------------------------------


def rendered(language: str, **changes: t.Any) -> str:
    # As Ansible does, which escapes nothing by itself.
    environment = jinja2.Environment(  # noqa: S701
        loader=jinja2.FileSystemLoader(ROLE / "templates"), undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    (facts,) = plugin.setup_page_facts([{**BASE, **changes}])
    return environment.get_template("setup_page.html.j2").render(page=facts, lang=language, texts=TEXTS[language])


def test_every_language_has_every_text() -> None:
    assert {language: set(texts) for language, texts in TEXTS.items()} == {key: set(TEXTS["en"]) for key in ("en", "de", "fr")}


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_the_page_is_one_file_for_all_languages_and_states(language: str) -> None:
    text = rendered(language)
    document = page.document(language, text)
    assert f'<html lang="{language}">' in text
    assert page.policy(document.content) == page.policy(page.document("en", rendered("en")).content)
    assert "%STATE%" in text
    for word in ("http://www.", 'src="http', " style=", " onclick=", "cookie", "localStorage"):
        assert word not in text.replace("http://www.w3.org/", "")


def test_the_templates_values_are_escaped() -> None:
    evil = '"><script>alert(1)</script>'
    text = rendered("en", display_name=evil, documentation=[{"url": "https://x.tld/", "texts": [{"text": evil}]}])
    assert "<script>alert" not in text
    assert text.count("<script>") == 1
