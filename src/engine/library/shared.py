"""What the processes of plugins share: the Ansible that is installed here, asked by lines of JSON on the standard input. A line asks, a line
answers; between the two, lines ask back, and each of them is answered by one."""
import collections.abc
import dataclasses
import json
import os
import sys

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
questions = os.fdopen(os.dup(0))
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
settings = json.loads(questions.readline())

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins import loader
from ansible.template import Templar
from ansible.utils.display import Display

# What Ansible warns of while it looks for plugins: why one is missing.
warnings = []
Display().display = lambda text, *_, stderr=False, **__: warnings.append(text.strip()) if stderr else None

loader.init_plugin_loader(settings["collections"])
loaders = {kind: getattr(loader, kind + "_loader") for kind in settings["folders"]}
added = set()


def add_folders(kind, folders):
    for folder in folders:
        if (kind, folder) not in added:
            added.add((kind, folder))
            loaders[kind].add_directory(folder)


for kind, folders in settings["folders"].items():
    add_folders(kind, folders)


def say(message):
    answers.write(json.dumps(plain(message)) + "\n")
    answers.flush()


def ask_back(question):
    say(question)
    return json.loads(questions.readline())


def plain(value):
    """A value as JSON has it."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, collections.abc.Mapping) or hasattr(value, "items"):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "__iter__"):
        return [plain(item) for item in value]
    return str(value)


@dataclasses.dataclass
class Valueless:
    """A variable that cannot be rendered: why, and how it is written."""

    why: str
    source: object


class Variables(collections.abc.MutableMapping, dict):
    """The variables where a plugin is called, each asked for when it is read. Mappings that are as large are such mappings too."""

    # What makes a value of what is written, for a variable that cannot be rendered: Ansible gives plugins nothing else.
    gives_sources = None

    def __init__(self, *path):
        super().__init__()
        self.path, self.gone = list(path), set()

    def ask(self, name):
        """Whether there is a variable of the name, which is kept then."""
        if dict.__contains__(self, name):
            return True
        if name in self.gone or not isinstance(name, str):
            return False
        found = ask_back({"variable": self.path + [name]})
        if "scope" in found:
            dict.__setitem__(self, name, Variables(*self.path, name))
        elif "error" in found:
            dict.__setitem__(self, name, Valueless(found["error"], found.get("source")))
        elif "value" in found:
            dict.__setitem__(self, name, found["value"])
        else:
            self.gone.add(name)
        return bool(found)

    def known(self):
        """All that have a value."""
        return {name: self[name] for name in self if self.has_value(name)}

    def has_value(self, name):
        kept = dict.__getitem__(self, name) if self.ask(name) else Valueless("", None)
        return not isinstance(kept, Valueless) or bool(self.gives_sources and kept.source is not None)

    def __getitem__(self, name):
        if not self.ask(name):
            raise KeyError(name)
        value = dict.__getitem__(self, name)
        if not isinstance(value, Valueless):
            return value
        if self.gives_sources and value.source is not None:
            return self.gives_sources(value.source)
        raise AnsibleError(value.why)

    def __contains__(self, name):
        return self.ask(name)

    def __setitem__(self, name, value):
        self.gone.discard(name)
        dict.__setitem__(self, name, value)

    def __delitem__(self, name):
        if name not in self:
            raise KeyError(name)
        dict.__delitem__(self, name)
        self.gone.add(name)

    def __iter__(self):
        names = dict.fromkeys(ask_back({"variables": self.path})["names"])
        names.update(dict.fromkeys(dict.keys(self)))
        return iter([name for name in names if name not in self.gone])

    def __len__(self):
        return len(list(iter(self)))

    def copy(self):
        twin = Variables(*self.path)
        twin.gone = set(self.gone)
        dict.update(twin, dict.items(self))
        return twin

    __copy__ = copy

    def __or__(self, other):
        merged = self.copy()
        merged.update(other)
        return merged

    def __ror__(self, other):
        merged = dict(other)
        merged.update(self)
        return merged

    def __ior__(self, other):
        self.update(other)
        return self

    def __deepcopy__(self, _known):
        return self.copy()

    def __repr__(self):
        return f"<{'.'.join(['variables', *self.path])}>"


# A templar takes no other mapping than a dictionary: it gets one of everything when it is used, which few plugins do.
try:
    from ansible._internal._templating import _jinja_bits
except ImportError:
    pass
else:
    flatten = _jinja_bits._flatten_and_lazify_vars
    _jinja_bits._flatten_and_lazify_vars = lambda mapping: flatten(mapping.known() if isinstance(mapping, Variables) else mapping)


def serve(answer):
    for line in questions:
        try:
            say(answer(json.loads(line)))
        except Exception as error:
            say({"error": str(error) or type(error).__name__})
