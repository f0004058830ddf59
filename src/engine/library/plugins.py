"""Calls filters, tests and lookups of a project through the Ansible that is installed here: a line of JSON asks, a line answers."""
import json
import os
import sys

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
settings = json.loads(sys.stdin.readline())

from ansible.parsing.dataloader import DataLoader
from ansible.plugins import loader
from ansible.template import Templar

loader.init_plugin_loader(settings["collections"])
loaders = {"filter": loader.filter_loader, "test": loader.test_loader, "lookup": loader.lookup_loader}
for kind, folders in settings["folders"].items():
    for folder in folders:
        loaders[kind].add_directory(folder)


def function(kind, name):
    try:
        plugin = loaders[kind].get(name)
    except KeyError:
        return None
    return getattr(plugin, "j2_function", None)


def answer(asked):
    kind, name, arguments, named = asked["kind"], asked["name"], asked["arguments"], asked["named"]
    if kind == "lookup":
        data = DataLoader()
        lookup = loaders[kind].get(name, loader=data, templar=Templar(loader=data, variables={}))
        if lookup is None:
            return {"missing": True}
        return {"value": list(lookup.run(arguments, variables={}, **named))}
    called = function(kind, name)
    if called is None:
        return {"missing": True}
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
        reply = json.dumps(answer(json.loads(line)), default=plain)
    except Exception as error:
        reply = json.dumps({"error": str(error) or type(error).__name__})
    answers.write(reply + "\n")
    answers.flush()
