from ansible.plugins.lookup import LookupBase

DOCUMENTATION = """
name: doubled
author: Hostler
short_description: Each term twice.
description: Each term twice.
options:
  glue:
    description: What stands between.
    default: "-"
"""


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        return [str(term) + self.get_option("glue") + str(term) for term in terms]
