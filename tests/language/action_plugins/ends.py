from ansible.errors import AnsibleActionFail, AnsibleActionSkip, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """The ways an action plugin can end."""

    _VALID_ARGS = frozenset(("how",))

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        how = self._task.args.get("how")
        if how == "fail":
            raise AnsibleActionFail("it was asked to fail", result={"more": 1})
        if how == "skip":
            raise AnsibleActionSkip("it was asked to skip")
        if how == "error":
            raise AnsibleError("it was asked for an error")
        if how == "unreachable":
            raise AnsibleConnectionFailure("it was asked to be lost")
        if how == "break":
            raise ValueError("it was asked to break")
        if how == "say":
            return dict(failed=True, msg="it says so", exception="a traceback\n")
        if how == "rc":
            return dict(rc=3)
        if how == "skipped":
            return dict(skipped=True, msg="skipped")
        if how == "facts":
            self._display.warning("this is a warning")
            return dict(changed=True, ansible_facts={"our_fact": [1, 2]}, warnings=["and another"], _ansible_inner=1)
        if how == "module":
            return self._execute_module("hello", module_args={"name": "ann", "fail": True}, task_vars=task_vars)
        result["checks"] = self._task.check_mode
        return result
