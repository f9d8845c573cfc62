"""What is said against settings of the whole server, and what of it gives way to the administrator's own directives."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import directives, server_settings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.directives import Node


def said(nodes: list[Node]) -> list[str]:
    """The lines without indentation."""
    return [line.strip() for line in directives.write(nodes).splitlines()]


def of_all_paths(extra: str = "", tls: bool = False) -> list[str]:
    return said(server_settings.of_all_paths(tls, directives.parse(extra)))


def of_the_server(extra: str = "", tls: bool = False) -> list[str]:
    return said(server_settings.of_the_server(tls, directives.parse(extra)))


def test_directives_of_modules_that_may_be_missing_are_conditional() -> None:
    always = {"Require", "SetHandler", "LimitRequestBody", "ErrorDocument", "SSLVerifyClient", "SetEnvIf"}
    for nodes in (server_settings.of_all_paths(True, ()), server_settings.of_the_server(True, ())):
        assert {node.name for node in nodes if isinstance(node, directives.Directive)} <= always
        assert {node.name for node in nodes if isinstance(node, directives.Section)} == {"IfModule"}


def test_client_certificates_are_a_matter_of_tls() -> None:
    assert "SSLVerifyClient none" in of_all_paths(tls=True)
    assert "SSLVerifyClient none" in of_the_server(tls=True)
    assert not [line for line in (*of_all_paths(), *of_the_server()) if line.startswith("SSL")]


@pytest.mark.parametrize(
    ("extra", "gone"),
    [
        ("<Location />\nRequire ip 192.0.2.0/24\n</Location>", {"Require", "Order"}),
        ("<RequireAny>\nRequire ip 192.0.2.0/24\n</RequireAny>", {"Require", "Order"}),
        ("<IfModule x.c>\ndeny from 192.0.2.1\n</IfModule>", {"Require", "Order"}),
        ("errordocument 404 /x", {"ErrorDocument"}),
        ("LimitRequestBody 99", {"LimitRequestBody"}),
        ("<Files x>\nSetHandler x\n</Files>", {"SetHandler"}),
        ("RewriteEngine On\nRewriteRule ^ /x", {"RewriteEngine"}),
        ("Header set X-A b", set()),
        ("# Require nothing", set()),
    ],
)
def test_what_the_administrator_says_himself_is_not_overridden(extra: str, gone: set[str]) -> None:
    before, after = ({line.split()[0] for line in of_all_paths(text)} - {"<IfModule", "</IfModule>"} for text in ("", extra))
    assert before - after == gone
    assert after <= before


@pytest.mark.parametrize("extra", ["Include /etc/x.conf", "IncludeOptional /etc/x.conf", "Use Macro x"])
def test_where_the_administrator_may_say_anything_nothing_is_overridden(extra: str) -> None:
    assert of_all_paths(extra, True) == of_the_server(extra, True) == []


@pytest.mark.parametrize("extra", ["ProxyPass /x http://x.tld/", "<Location /x>\nProxyPassMatch http://x.tld/\n</Location>"])
def test_a_proxy_of_the_administrators_own_stays_on(extra: str) -> None:
    assert "SetEnvIf Request_URI ^ no-proxy" in of_the_server()
    assert "SetEnvIf Request_URI ^ no-proxy" in of_the_server("SetEnvIf Request_URI x y")
    assert [line for line in of_the_server(extra) if "no-proxy" in line] == []
