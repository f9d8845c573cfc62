"""What the log directives make of a path, by the rules of mod_setenvif."""

from __future__ import annotations

import re

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.directives import Directive, word
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.logs import logs


def named(name: str, directory: str = "", queries: bool = False) -> list[tuple[str, ...]]:
    nodes = [node for node in logs(directory, "autoconfig.server.tld", queries) if isinstance(node, Directive)]
    return [node.words for node in nodes if node.name == name]


def logged(path: str) -> str:
    """The value of the variable that the access log has in place of the path; later rules count."""
    (log,) = named("CustomLog")
    variable = re.findall(r"%<\{(.*?)\}e", log[1])[0]
    value = "-"
    for attribute, pattern, setting in named("SetEnvIf"):
        assert attribute == "Request_URI"
        assert setting.startswith(f"{variable}=")
        found = re.search(pattern, path)
        if found:
            value = re.sub(r"\$(\d)", lambda match, found=found: found[int(match[1])], setting.partition("=")[2])
    return value


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/mail/config-v1.1.xml",
        "/.well-known/autoconfig/mail/config-v1.1.xml",
        "/AutoDiscover/AutoDiscover.xml",
        "/autodiscover/autodiscover.json",
        "/mail.mobileconfig",
        "/.well-known/acme-challenge/token",
        "/wp-login.php",
        "*",
    ],
)
def test_paths_without_an_address_are_logged_as_they_are(path: str) -> None:
    assert logged(path) == path


@pytest.mark.parametrize(
    ("path", "shortened"),
    [
        ("/mail/config-v1.1.xml/secret@server.tld", "/mail/config-v1.1.xml/..."),
        ("/mail/config-v1.1.xml/secret/x@server.tld", "/mail/config-v1.1.xml/..."),
        ("/autodiscover/autodiscover.json/v1.0/secret@server.tld", "/autodiscover/autodiscover.json/..."),
        ("/Autodiscover/Autodiscover.JSON/v1.0/secret", "/Autodiscover/Autodiscover.JSON/..."),
        ("/a/b/secret@server.tld/c", "/a/b/..."),
        ("/a/secret%40server.tld", "/a/..."),
        ("/a/secret%2540server.tld", "/a/..."),
        ("/%73ecret%40server.tld", "/..."),
        ("secret@server.tld", "-"),
    ],
)
def test_a_path_is_logged_without_the_address_in_it(path: str, shortened: str) -> None:
    assert logged(path) == shortened


def test_no_field_of_the_log_can_have_an_address() -> None:
    ((file, log_format),) = named("CustomLog")
    assert file == "${APACHE_LOG_DIR}/autoconfig.server.tld-access.log"
    fields = re.findall(r"%[<>]?(?:\{[^}]*\})?[a-zA-Z]", log_format)
    assert "%>s" in fields
    assert not {"%U", "%q", "%r", "%u", "%{Referer}i", "%f"} & set(fields)
    ((error_format,),) = named("ErrorLogFormat")
    assert "Referer" not in error_format


def test_the_administrator_can_have_everything_logged() -> None:
    ((_file, log_format),) = named("CustomLog", queries=True)
    assert log_format == '%h %l %u %t "%m %U%q %H" %>s %O'
    assert named("SetEnvIf", queries=True) == named("ErrorLogFormat", queries=True) == []


def test_logs_lie_where_the_administrator_wants_them() -> None:
    for queries in (False, True):
        (((file, _format),), ((error_file,),)) = (named(name, "/srv/my ${logs}x", queries) for name in ("CustomLog", "ErrorLog"))
        assert (file, error_file) == tuple(f"/srv/my ${{logs}}x/autoconfig.server.tld-{kind}.log" for kind in ("access", "error"))
        with pytest.raises(ValueError, match="Apache would replace"):
            word(file)
