from ansible.plugins.lookup import LookupBase
from ansible.template import trust_as_template

DOCUMENTATION = """
name: told
author: Hostler
short_description: What a lookup can know.
description: What a lookup can know.
options:
  mark:
    description: How it ends.
    default: "."
    vars:
      - name: told_mark
"""


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        text, file = terms
        found = self.find_file_in_search_path(variables, "files", file)
        return [
            str(variables["inventory_hostname"]),
            variables.get("told_nothing", "nothing"),
            "greeting" in variables,
            self._templar.template(trust_as_template(text)),
            self.get_option("mark"),
            found.rsplit("/", 2)[1:],
        ]
