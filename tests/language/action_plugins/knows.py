from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """What an action plugin knows of its task."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        task = self._task
        result["task"] = {
            "action": task.action,
            "name": task.name,
            "args": task.args,
            "check": task.check_mode,
            "diff": task.diff,
            "hidden": task.no_log,
            "delegate": task.delegate_to,
            "become": bool(task.become),
            "async": task.async_val,
            "environment": [dict(more) for more in task.environment or []],
            "copy": task.copy().args,
        }
        result["play_context"] = [self._play_context.check_mode, self._play_context.diff, bool(self._play_context.become)]
        result["variables"] = [
            task_vars["inventory_hostname"],
            task_vars.get("nowhere", "none"),
            "greeting" in task_vars,
            sorted(name for name in task_vars if name.startswith("our_")),
            sorted(task_vars["hostvars"]["web2"]["group_names"]),
            task_vars.copy()["our_word"],
            {**task_vars}["our_word"],
        ]
        result["found"] = self._find_needle("files", "seen.txt").rsplit("/", 2)[1:]
        self._templar.available_variables = {"nothing": 2}
        result["written"] = [self._templar.template("as it is"), self._templar.template(task_vars["useless"])]
        result["folder"] = self._loader.get_basedir().rsplit("/", 1)[-1]
        result["transport"] = self._connection.transport
        return result
