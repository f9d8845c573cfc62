# Copyright (c) The mailops.autoconfig authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import tempfile
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import model, options, rendering

MODULE = "mailops.autoconfig.mail_autoconfig_check"
# So many domains go into one call of the module, so that something is seen of the others meanwhile.
BATCH = 50

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    """Calls the module, for many domains in batches; prints and writes the reports here, on the controller."""

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> Result:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        found: list[Result] = []
        batches = _batches(arguments)
        for number, batch in enumerate(batches, 1):
            result = self._execute_module(module_name=MODULE, module_args=batch, task_vars=task_vars)
            if result.get("failed"):
                return dict(result)
            found += result["domains"]
            if len(batches) > 1:
                Display().display(f"{len(found)} domains checked, batch {number} of {len(batches)}")
        summary = model.summary(found)
        _write(arguments.get("reports") or [], found, summary)
        if boolean(arguments.get("show", False), strict=False):
            Display().display("\n" + rendering.render("text", found, summary))
        return _result(str(arguments.get("fail_on") or "never"), found, summary)


def _batches(arguments: Result) -> list[Result]:
    """The arguments of each call; address and password go with the batch that has their domain."""
    domains = arguments.get("domains")
    rest = {**arguments, "fail_on": "never"} if arguments.get("fail_on") in options.FAIL_ON else dict(arguments)
    if not isinstance(domains, list) or len(domains) <= BATCH:
        return [rest]
    domain = str(arguments.get("address") or "").rpartition("@")[2].lower()
    nobody = {key: value for key, value in rest.items() if key not in ("address", "password")}
    parts = [domains[index : index + BATCH] for index in range(0, len(domains), BATCH)]
    homes = [part for part in parts if domain in [str(each).lower() for each in part]] or parts[:1]
    return [{**(rest if part is homes[0] else nobody), "domains": part} for part in parts]


def _write(wanted: t.Iterable[t.Mapping[str, str]], found: list[Result], summary: t.Mapping[str, int]) -> None:
    """Write the reports, each in one step."""
    for report in wanted:
        text = rendering.render(report["format"], found, summary)
        path = os.path.expanduser(report["path"])
        try:
            descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(path)), prefix=".mail_autoconfig_check.")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
            os.replace(temporary, path)
        except OSError as exc:
            raise AnsibleActionFail(f"The report {path} cannot be written: {exc.strerror}.") from None


def _result(fail_on: str, found: list[Result], summary: dict[str, int]) -> Result:
    findings = [finding for each in found for finding in each["findings"]]
    result = {"changed": False, "summary": summary, "domains": found}
    if options.fails(fail_on, findings):
        bad = [each["domain"] for each in found if options.fails(fail_on, each["findings"])]
        shown = ", ".join(bad[:10]) + (f" and {len(bad) - 10} more" if len(bad) > 10 else "")
        codes = sorted({finding["code"] for finding in findings if options.fails(fail_on, [finding])})
        result.update(
            failed=True, msg=f"{summary['errors']} errors, {summary['warnings']} warnings: {shown}: {', '.join(codes)}."
        )
    return result
