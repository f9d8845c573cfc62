# Copyright (c) The mailops.autoconfig authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: setup_page_facts
short_description: What the setup page shows of each provider
version_added: 0.1.0
description:
  - Gives the role's template what it needs to show the settings to people, from the same input as the module
    M(mailops.autoconfig.mail_autoconfig) has, and with the same judgement of it.
  - Draws the QR code of the profile's address if the Python library C(segno) is installed on the controller.
author:
  - The mailops.autoconfig authors (@mailops)
positional: _input
options:
  _input:
    description: The providers, as in O(mailops.autoconfig.mail_autoconfig#module:providers).
    type: list
    elements: dict
    required: true
  https:
    description: As O(mailops.autoconfig.mail_autoconfig#module:https).
    type: bool
    default: true
  port:
    description: Port of the sites over HTTPS, or over HTTP if O(https=false); 0 for the usual one.
    type: int
    default: 0
  logins:
    description: As O(mailops.autoconfig.mail_autoconfig#module:logins).
    type: dict
    default: {}
  directory:
    description: Where relative paths of logos begin.
    type: path
    default: .
seealso:
  - module: mailops.autoconfig.mail_autoconfig
  - plugin: mailops.autoconfig.short_form
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what the setup page will say
  ansible.builtin.debug:
    msg: "{{ ['server.tld' | mailops.autoconfig.short_form] | mailops.autoconfig.setup_page_facts }}"
"""

RETURN = r"""
_value:
  description:
    - A mapping for each provider, with C(id), C(display_name), C(domains), C(servers), C(help_links), C(profile_path),
      C(profile_url), C(webmail), C(outlook), C(has_logins), and C(logo) and C(qr) as C(data:) URLs or empty.
  type: list
  elements: dict
"""

import base64
import typing as t
from pathlib import Path

from ansible.errors import AnsibleFilterError

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import page
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError

try:
    import segno
except ImportError:
    segno = None

IMAGE_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
# The image is part of the page, of each language of it, which Apache's processes keep in memory.
MAX_LOGO = 64 * 1024


def data_url(media_type: str, content: bytes) -> str:
    """An image that is part of the page (RFC 2397)."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def logo_url(path: str, directory: str) -> str:
    """Read the logo. Raises AnsibleFilterError."""
    if not path:
        return ""
    file = Path(directory) / path
    media_type = IMAGE_TYPES.get(file.suffix.lower())
    if media_type is None:
        raise AnsibleFilterError(f"logo: {path} is no image of a type that browsers show; allowed are {', '.join(IMAGE_TYPES)}")
    try:
        content = file.read_bytes()
    except OSError as exc:
        raise AnsibleFilterError(f"logo: {file} cannot be read on the controller: {exc.strerror}") from exc
    if len(content) > MAX_LOGO:
        raise AnsibleFilterError(f"logo: {file} has {len(content)} bytes; at most {MAX_LOGO} are put into the page")
    return data_url(media_type, content)


def qr_url(text: str) -> str:
    """The QR code of a text as an image; empty without the library."""
    if segno is None or not text:
        return ""
    # Black on white in both colour schemes, with the margin that readers need (ISO/IEC 18004).
    return str(segno.make(text, error="m", micro=False).svg_data_uri(border=4, light="#fff", omitsize=True))


def setup_page_facts(
    providers: list[dict[str, t.Any]],
    https: bool = True,
    port: int = 0,
    directory: str = ".",
    logins: dict[str, str] | None = None,
) -> list[dict[str, t.Any]]:
    """The filter."""
    try:
        wanted = settings.read({"providers": providers, "logins": logins or {}})
    except InputError as exc:
        raise AnsibleFilterError(f"The setup page cannot be made:\n{exc}") from exc
    result = []
    for provider in wanted.providers:
        facts = page.facts(provider, https, int(port), bool(wanted.logins_of(provider)))
        result.append({**facts, "logo": logo_url(provider.logo, directory), "qr": qr_url(facts["profile_url"])})
    return result


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"setup_page_facts": setup_page_facts}
