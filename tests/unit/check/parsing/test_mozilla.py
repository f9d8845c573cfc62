"""What is no file of Mozilla's, and what of a file is told as odd."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.parsing import DocumentError, mozilla


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("<clientConfig/>", "wrong_root"),
        ("<clientConfig><webMail/></clientConfig>", "wrong_root"),
        ("<emailProvider id='server.tld'/>", "wrong_root"),
        ("<html><body/></html>", "html"),
    ],
)
def test_what_has_no_provider_is_refused(text: str, code: str) -> None:
    with pytest.raises(DocumentError) as caught:
        mozilla.read(text.encode())
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("leaf", "odd"),
    [
        ("<port>993</port>", ()),
        ("<port><b/>993</port>", ("<port> has children",)),
        ("<port> </port>", ("<port> is empty",)),
        ("<port/>", ("<port> is empty",)),
        ("<port>\n993</port>", ("<port> has spaces around its text",)),
        ("<port n='1'>993</port>", ("<port> has attributes",)),
        ("<pop3 n='1'/>", ()),
    ],
)
def test_what_is_odd_in_a_server_is_told(leaf: str, odd: tuple[str, ...]) -> None:
    text = f"<clientConfig><emailProvider><incomingServer type='imap'>{leaf}</incomingServer></emailProvider></clientConfig>"
    (server,) = mozilla.read(text.encode()).servers
    assert server.odd == odd
