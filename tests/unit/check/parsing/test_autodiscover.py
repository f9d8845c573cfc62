"""What Autodiscover's JSON says, and why one is none."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.parsing import (
    LARGEST,
    DocumentError,
    autodiscover,
)

URL = "https://autodiscover.server.tld/autodiscover/autodiscover.xml"


@pytest.mark.parametrize("protocol", ["AutodiscoverV1", "autodiscoverv1"])
def test_the_url_is_read_however_the_protocol_is_written(protocol: str) -> None:
    assert autodiscover.read_json(f'{{"Protocol":"{protocol}","Url":"{URL}"}}'.encode()) == URL


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f'{{"Protocol":"ActiveSync","Url":"{URL}"}}', "wrong_root"),
        (f'{{"Url":"{URL}"}}', "wrong_root"),
        ('{"Protocol":"AutodiscoverV1","Url":7}', "wrong_root"),
        ("[1]", "wrong_root"),
        (" \n", "empty"),
        ("<html><body/></html>", "html"),
        ("{", "not_json"),
        (" " * (LARGEST + 1), "too_large"),
    ],
)
def test_what_names_no_url_has_a_problem_of_its_kind(text: str, code: str) -> None:
    with pytest.raises(DocumentError) as caught:
        autodiscover.read_json(text.encode())
    assert caught.value.code == code
