from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Calls a module of its collection."""

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        args = dict(self._task.args, word=self._task.args["word"] + "!")
        result.update(self._execute_module(module_name="our.own.shout", module_args=args, task_vars=task_vars))
        return result
