"""Calls filters, tests and lookups of a project through the Ansible that is installed here. A line of JSON asks, a line answers; between the
two, lines ask for the variables that a lookup reads."""
import collections.abc
import json
import os
import sys

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
settings = json.loads(sys.stdin.readline())

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins import loader
from ansible.template import Templar
from ansible.utils.display import Display

# What Ansible warns of while it looks for plugins: why one is missing.
warnings = []
Display().display = lambda text, *_, stderr=False, **__: warnings.append(text.strip()) if stderr else None

loader.init_plugin_loader(settings["collections"])
loaders = {"filter": loader.filter_loader, "test": loader.test_loader, "lookup": loader.lookup_loader}
for kind, folders in settings["folders"].items():
    for folder in folders:
        loaders[kind].add_directory(folder)


def say(message):
    answers.write(json.dumps(message, default=plain) + "\n")
    answers.flush()


class Variables(collections.abc.Mapping):
    """The variables where a lookup is called, each asked for when it is read."""

    def __init__(self):
        self.known = {}

    def ask(self, name):
        if name not in self.known:
            say({"variable": name})
            self.known[name] = json.loads(sys.stdin.readline())
        return self.known[name]

    def __getitem__(self, name):
        found = self.ask(name)
        if "error" in found:
            raise AnsibleError(found["error"])
        return found["value"]

    def __contains__(self, name):
        return bool(self.ask(name))

    def __iter__(self):
        return iter(self.ask(None)["value"])

    def __len__(self):
        return len(self.ask(None)["value"])


class LateTemplar:
    """A templar over all variables, which are read when it is used: few lookups do."""

    def __init__(self, data, variables):
        self._data, self._variables = data, variables

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        # These two hold all others, of every host.
        names = [name for name in self._variables if name not in ("hostvars", "vars")]
        known = {name: self._variables[name] for name in names if "value" in self._variables.ask(name)}
        self.__dict__ = Templar(loader=self._data, variables=known).__dict__
        self.__class__ = Templar
        return getattr(self, name)


def function(kind, name):
    try:
        plugin = loaders[kind].get(name)
    except KeyError:
        return None
    return getattr(plugin, "j2_function", None)


def answer(asked):
    kind, name, arguments, named = asked["kind"], asked["name"], asked["arguments"], asked["named"]
    warnings.clear()
    if kind == "lookup":
        data = DataLoader()
        data.set_basedir(settings["folder"])
        variables = Variables()
        lookup = loaders[kind].get(name, loader=data, templar=LateTemplar(data, variables))
        if lookup is None:
            return {"missing": warnings}
        return {"value": list(lookup.run(arguments, variables=variables, **named))}
    called = function(kind, name)
    if called is None:
        return {"missing": warnings}
    wanted = getattr(called, "jinja_pass_arg", None)
    if wanted is not None:
        arguments = [Templar(loader=DataLoader(), variables={}).environment] + arguments
    value = called(*arguments, **named)
    return {"value": bool(value) if kind == "test" else value}


def plain(value):
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, dict) or hasattr(value, "items"):
        return dict(value.items())
    if hasattr(value, "__iter__"):
        return list(value)
    return str(value)


for line in sys.stdin:
    try:
        say(answer(json.loads(line)))
    except Exception as error:
        say({"error": str(error) or type(error).__name__})
