from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """One that knows no check mode, and works once for all hosts."""

    BYPASS_HOST_LOOP = True
    _supports_check_mode = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        result["host"] = task_vars["inventory_hostname"]
        return result
