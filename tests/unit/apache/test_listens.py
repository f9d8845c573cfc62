"""Where Apache would listen with a module that is off."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.listens import with_module

DEBIAN = "Listen 80\n\n<IfModule ssl_module>\n\tListen 443\n</IfModule>\n\n<IfModule mod_gnutls.c>\n\tListen 444\n</IfModule>\n"


def test_debians_ports() -> None:
    assert (with_module(DEBIAN, "ssl"), with_module(DEBIAN, "gnutls"), with_module(DEBIAN, "lua")) == ({443}, {444}, set())


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("<IfModule mod_ssl.c>\nListen 192.0.2.7:8443 https\nlisten [::1]:9443\n</IfModule>\n", {8443, 9443}),
        ('<ifmodule "ssl_module">\nListen \\\n 443\n</ifmodule>\n', {443}),
        (
            "<IfModule ssl_module>\n<IfModule http2_module>\nListen 443\n</IfModule>\nListen 444\n</IfModule>\nListen 80\n",
            {443, 444},
        ),
        ("<IfModule !ssl_module>\nListen 8080\n</IfModule>\n", set()),
        ("# <IfModule ssl_module>\nListen 443\n", set()),
        ("</IfModule>\nListen 443\n", set()),
    ],
)
def test_other_ways_to_write_it(text: str, ports: set[int]) -> None:
    assert with_module(text, "ssl") == ports
