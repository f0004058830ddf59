from ansible.plugins.action.debug import ActionModule as Base


class ActionModule(Base):
    """One of Ansible's own, with something added."""

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        result["is_own"] = True
        return result
