from ansible.errors import AnsibleFilterError


def shout(value, times=1, mark="!"):
    return value.upper() + mark * times


def refuse(value):
    raise AnsibleFilterError("this filter takes nothing like " + value)


class FilterModule:
    def filters(self):
        return {"shout": shout, "refuse": refuse, "pairs": lambda value: [(key, value[key]) for key in sorted(value)]}
