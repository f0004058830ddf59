from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Finds a file of its role."""

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        with open(self._find_needle("files", "of_role.txt")) as file:
            result["text"] = file.read()
        result["role"] = self._task._role.get_name()
        result["path"] = task_vars["role_path"].rsplit("/", 1)[-1]
        return result
