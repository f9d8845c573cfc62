# Copyright (c) The mailops.autoconfig authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os
import tempfile
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import model, options, rendering

MODULE = "mailops.autoconfig.mail_autoconfig_check"
# So many domains go into one call of the module, so that something is seen of the others meanwhile.
BATCH = 50

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    """Calls the module, for many domains in batches; prints and writes the reports here, on the controller."""

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> Result:
        super().run(tmp, task_vars)
        arguments = _without_certificates(self._task.args)
        try:
            wanted = _read(arguments, self._connection.transport == "local" and not self._task.become)
        except InputError as exc:
            refused = {"changed": False, "failed": True, "msg": f"Nothing was checked:\n{exc}", "problems": list(exc.problems)}
            # As a module's results are treated: a password may have been written in the place of something else.
            return dict(remove_values(refused, filter(None, [str(self._task.args.get("password") or "")])))
        found: list[Result] = []
        batches = _batches(arguments, wanted)
        for number, batch in enumerate(batches, 1):
            result = self._execute_module(module_name=MODULE, module_args=batch, task_vars=task_vars)
            if result.get("failed"):
                return dict(result)
            found += result["domains"]
            if len(batches) > 1:
                Display().display(f"{len(found)} domains checked, batch {number} of {len(batches)}")
            if _nobody_answers(result, wanted):
                found += [_alike(found[-1], domain, wanted) for domain in wanted.domains[len(found) :]]
                break
        summary = model.summary(found)
        problems = [problem for report in wanted.reports for problem in _written(report, found, summary)]
        if wanted.show:
            Display().display("\n" + rendering.render("text", found, summary))
        result = _result(wanted.fail_on, found, summary, problems)
        if wanted.show and result.get("failed"):
            # It has been printed for people, who would not find it above thousands of lines of the same.
            del result["domains"]
        return result


def _without_certificates(arguments: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    """The same without the certificates of providers: the check has no need of their keys, and logs its arguments."""
    providers = arguments.get("providers")
    if not isinstance(providers, list):
        return arguments
    kept = [
        {key: value for key, value in each.items() if not key.startswith("certificate")} if isinstance(each, dict) else each
        for each in providers
    ]
    return {**arguments, "providers": kept}


def _read(arguments: t.Mapping[str, t.Any], is_here: bool) -> options.Options:
    """The options, before any domain is asked about: a mistake in the last of many would come late. Raises InputError.

    :arg is_here: whether the module runs on the controller as this user, so that its files can be looked at
    """
    checked = ArgumentSpecValidator(options.argument_spec()).validate(dict(arguments))
    if checked.error_messages:
        raise InputError(checked.error_messages)
    params = checked.validated_parameters
    problems = _unwritable(params["reports"])
    try:
        found = options.read(params if is_here else {**params, "ca_file": None})
    except InputError as exc:
        raise InputError([*exc.problems, *problems]) from None
    if problems:
        raise InputError(problems)
    return found


def _unwritable(reports: t.Iterable[t.Mapping[str, t.Any]]) -> list[str]:
    """What would keep reports from being written."""
    problems, seen = [], set()
    for index, report in enumerate(reports):
        if not report.get("path"):
            continue  # the options say so
        path = _target(report["path"])
        directory, where = os.path.dirname(path), f"reports[{index}].path: {report['path']}"
        if os.path.exists(path) and not os.path.isfile(path):
            # A device would be gone afterwards.
            problems.append(f"{where} is a directory or a device, not a file")
        elif not os.path.isdir(directory):
            problems.append(f"{where} cannot be written: there is no directory {directory}")
        elif not os.access(directory, os.W_OK | os.X_OK):
            problems.append(f"{where} cannot be written: no right to write in {directory}")
        elif path in seen:
            problems.append(f"{where} is listed twice")
        seen.add(path)
    return problems


def _target(path: str) -> str:
    """The file that a path means, so that a symbolic link stays one."""
    return os.path.realpath(path)


def _batches(arguments: t.Mapping[str, t.Any], wanted: options.Options) -> list[Result]:
    """The arguments of each call; address and password go with the batch that has their domain."""
    rest = {**arguments, "fail_on": "never", "reports": []}
    nobody = {key: value for key, value in rest.items() if key not in ("address", "password")}
    domain = wanted.address.rpartition("@")[2]
    parts = [list(wanted.domains[index : index + BATCH]) for index in range(0, len(wanted.domains), BATCH)]
    return [{**(rest if domain in part else nobody), "domains": part} for part in parts]


def _nobody_answers(result: Result, wanted: options.Options) -> bool:
    """Whether all other domains would get the same report: there is no resolver, nor any address given in place of DNS."""
    alike = all([finding["code"] for finding in each["findings"]] == ["dns.unreachable"] for each in result["domains"])
    return alike and not result.get("resolver_answers", True) and not wanted.addresses


def _alike(data: Result, domain: str, wanted: options.Options) -> Result:
    """What is found of another domain where nobody answers: each batch would wait for that anew."""
    findings = [{**finding, "where": domain} for finding in data["findings"]]
    return {**data, "domain": domain, "address": wanted.address_for(domain), "findings": findings}


def _written(report: options.ReportFile, found: list[Result], summary: t.Mapping[str, int]) -> t.Iterator[str]:
    """Write a report, in one step; why that failed, if it did."""
    path = _target(report.path)
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".mail_autoconfig_check.")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(rendering.render(report.format, found, summary))
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except OSError as exc:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        yield f"The report {path} cannot be written: {exc.strerror}."


def _result(fail_on: str, found: list[Result], summary: dict[str, int], problems: t.Sequence[str] = ()) -> Result:
    """What the task returns; what was found is in it, whatever has failed."""
    findings = [finding for each in found for finding in each["findings"]]
    lines = list(problems)
    if options.fails(fail_on, findings):
        bad = [each["domain"] for each in found if options.fails(fail_on, each["findings"])]
        shown = ", ".join(bad[:10]) + (f" and {len(bad) - 10} more" if len(bad) > 10 else "")
        codes = sorted({finding["code"] for finding in findings if options.fails(fail_on, [finding])})
        lines.append(f"{summary['errors']} errors, {summary['warnings']} warnings: {shown}: {', '.join(codes)}.")
    result: Result = {"changed": False, "summary": summary, "domains": found}
    return {**result, "failed": True, "msg": "\n".join(lines)} if lines else result
