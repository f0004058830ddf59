"""Ansible's default output, which also writes what it is told as Hostler's events, one JSON object a line, to $HOSTLER_RECORD."""

from __future__ import annotations

DOCUMENTATION = """
    name: recorder
    type: stdout
    short_description: records events beside the default output
    extends_documentation_fragment:
      - default_callback
      - result_format_callback
"""

import json
import os
import re

from ansible.plugins.callback.default import CallbackModule as Default


class CallbackModule(Default):
    CALLBACK_NAME = "recorder"

    def __init__(self):
        super().__init__()
        self._file = open(os.environ["HOSTLER_RECORD"], "w")
        self._ids = {}

    def _record(self, event, **fields):
        self._file.write(json.dumps({"event": event, **fields}, default=str) + "\n")
        self._file.flush()

    def _id(self, task):
        return self._ids.setdefault(task._uuid, len(self._ids) + 1)

    def _task(self, task, is_handler):
        path, line = (task.get_path() or "<none>:0").rsplit(":", 1)
        self._record(
            "task_started", id=self._id(task), name=task.get_name(), action=task.action,
            span={"file": path, "line": int(line), "column": 1, "length": 0}, is_handler=is_handler,
            is_loop=bool(task.loop), is_include=type(task).__name__ == "TaskInclude", check=bool(task.check_mode),
        )

    def _diagnostic(self, summary):
        from ansible._internal import _event_formatting
        lines = _event_formatting.format_event_verbose_message(summary.event).split("\n")
        labels = []
        for line in lines:
            if place := re.match(r"Origin: (.*):(\d+):(\d+)$", line):
                span = {"file": place[1], "line": int(place[2]), "column": int(place[3]), "length": 0}
                labels = [{"span": span, "text": ""}]
        return {"severity": "Error", "message": lines[0], "labels": labels, "causes": [], "help": []}

    def _result(self, event, result, status, **more):
        data = json.loads(json.dumps(result.result, default=str))
        shown = "always" if data.get("_ansible_verbose_always") else "never" if data.get("_ansible_verbose_override") else "verbose"
        diff = data.get("diff") or []
        fields = {
            "task": self._id(result.task), "host": result.host.get_name(), "status": status, "milliseconds": 0, "show": shown,
            "diffs": diff if isinstance(diff, list) else [diff],
            "show_diff": bool(result.task.diff),
            "result": {key: value for key, value in data.items() if not key.startswith("_ansible_")},
            **more,
        }
        if result.task.delegate_to:
            fields["delegated_to"] = {"host": result.task.delegate_to}
        if result.exception:
            fields["error"] = self._diagnostic(result.exception)
        if event == "item_result":
            fields["item"] = self._get_item_label(result.result)
        self._record(event, **fields)

    def v2_playbook_on_play_start(self, play):
        self._record("play_started", name=play.get_name(), hosts=[], roles=0, tasks=0, strategy=play.strategy, check=bool(play.check_mode))
        super().v2_playbook_on_play_start(play)

    def v2_playbook_on_no_hosts_matched(self):
        self._record("no_hosts_matched")
        super().v2_playbook_on_no_hosts_matched()

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._task(task, False)
        super().v2_playbook_on_task_start(task, is_conditional)

    def v2_playbook_on_handler_task_start(self, task):
        self._task(task, True)
        super().v2_playbook_on_handler_task_start(task)

    def v2_runner_on_ok(self, result):
        self._result("host_result", result, "changed" if result.result.get("changed") else "ok")
        super().v2_runner_on_ok(result)

    def v2_runner_on_skipped(self, result):
        self._result("host_result", result, "skipped")
        super().v2_runner_on_skipped(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._result("host_result", result, "failed", ignored=bool(ignore_errors))
        super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result):
        self._result("host_result", result, "unreachable", ignored=bool(result.task.ignore_unreachable))
        super().v2_runner_on_unreachable(result)

    def v2_runner_item_on_ok(self, result):
        self._result("item_result", result, "changed" if result.result.get("changed") else "ok")
        super().v2_runner_item_on_ok(result)

    def v2_runner_item_on_skipped(self, result):
        self._result("item_result", result, "skipped")
        super().v2_runner_item_on_skipped(result)

    def v2_runner_item_on_failed(self, result):
        self._result("item_result", result, "failed")
        super().v2_runner_item_on_failed(result)

    def v2_runner_retry(self, result):
        left = result.result["retries"] - result.result["attempts"]
        self._record("retry", task=self._id(result.task), host=result.host.get_name(), retries_left=left, result=dict(result.result))
        super().v2_runner_retry(result)

    def v2_playbook_on_include(self, included_file):
        item = self._get_item_label(included_file._vars)
        hosts = [host.name for host in included_file._hosts]
        more = {} if item is None else {"item": item}
        self._record("included", task=self._id(included_file._task), file=included_file._filename, hosts=hosts, **more)
        super().v2_playbook_on_include(included_file)

    def v2_playbook_on_stats(self, stats):
        names = {"unreachable": "unreachable", "failures": "failed"}
        hosts = {}
        for host in sorted(stats.processed):
            hosts[host] = {names.get(key, key): count for key, count in stats.summarize(host).items()}
        self._record("recap", hosts=hosts, custom=dict(stats.custom))
        super().v2_playbook_on_stats(stats)
