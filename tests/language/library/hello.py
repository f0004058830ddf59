#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.greetings import greeting


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "times": {"type": "int", "default": 1},
            "fail": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    words = [greeting(module.params["name"])] * module.params["times"]
    if module.params["fail"]:
        module.fail_json(msg="as it was asked to", words=words)
    module.warn("somebody said hello")
    module.exit_json(changed=not module.check_mode, words=words, ansible_facts={"hello_said": True}, diff={"before": "silence\n", "after": "hello\n"})


main()
