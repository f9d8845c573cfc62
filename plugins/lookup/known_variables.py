# Copyright (c) The mailops.autoconfig authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: known_variables
short_description: Refuse variables that the role mail_autoconfig does not know
version_added: 0.1.0
description:
  - Fails if there is a variable whose name begins with C(mail_autoconfig_) and that the role
    P(mailops.autoconfig.mail_autoconfig#role) does not know, because a misspelt one would be ignored. The message has all of
    them, each with the name that was probably meant.
  - Names of the collection's playbooks and results pass, and so does what a task has registered.
  - Only names are looked at; no value is templated.
author:
  - The mailops.autoconfig authors (@mailops)
options:
  _terms:
    description: Nothing.
  own:
    description: Names of your own, or shell patterns of them, that begin with C(mail_autoconfig_).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Refuse misspelt variables
  ansible.builtin.debug:
    msg: "{{ query('mailops.autoconfig.known_variables', own=['mail_autoconfig_customers']) }}"
"""

RETURN = r"""
_list:
  description: Always empty.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.variables import unknown


class LookupModule(LookupBase):
    """Ansible's way in."""

    def run(self, _terms: t.Sequence[t.Any], variables: t.Mapping[str, t.Any] | None = None, **kwargs: t.Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        problems = unknown(variables or {}, self.get_option("own"))
        if problems:
            raise AnsibleLookupError(
                "There are variables that the role does not know, and nothing was changed:\n"
                + "\n".join(problems)
                + "\nNames of your own that begin so go into mail_autoconfig_own_variables."
            )
        return []
