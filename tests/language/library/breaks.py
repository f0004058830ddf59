#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule

AnsibleModule({})
raise ValueError("this was to be expected")
