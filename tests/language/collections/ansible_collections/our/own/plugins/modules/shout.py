#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule

from ..module_utils.loud import loud


def main():
    module = AnsibleModule(argument_spec={"word": {"type": "str", "required": True}})
    module.exit_json(changed=False, said=loud(module.params["word"]))


main()
