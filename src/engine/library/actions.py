"""Runs action plugins: in the base class that Ansible has for them, over a connection whose other end is the engine. What a plugin asks of its
host - a module, an action, a command, a file there, a file back - the engine does, as it does for any task."""
import traceback
import types

try:
    from ansible._internal import _display_utils
    from ansible._internal._errors import _captured, _error_factory, _error_utils
    from ansible.errors import AnsibleTaskError
    from ansible.module_utils._internal import _event_utils
    from ansible.template import trust_as_template
except ImportError as error:
    sys.exit(say({"error": f"action plugins in Python need ansible-core 2.19 or later on this machine: {error}"}))
from ansible.errors import AnsibleConnectionFailure, AnsibleFileNotFound
from ansible.executor.task_executor import TaskExecutor
from ansible.playbook import task as playbook_task
from ansible.playbook.block import Block
from ansible.playbook.play import Play
from ansible.playbook.play_context import PlayContext
from ansible.plugins.action import ActionBase
from ansible.plugins.connection import ConnectionBase



def trusted(value):
    """What the project's own files say, for a templar."""
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {name: trusted(item) for name, item in value.items()}
    return [trusted(item) for item in value] if isinstance(value, list) else value


Variables.gives_sources = staticmethod(trusted)
Display().verbosity = settings["verbosity"]
Display().display = lambda text, *_, stderr=False, **__: warnings.append(text.strip()) if stderr else say({"message": str(text)})

# Ansible's own way: of actions that took another connection than the task's, such as one to this machine.
execute_module, execute_command, get_action = (
    ActionBase._execute_module,
    ActionBase._low_level_execute_command,
    loader.action_loader.get,
)


def do(action, /, **asked):
    """Has the engine do something for an action, under the conditions that its task names by now."""
    task, environment = action._task, {}
    for more in task.environment or []:
        environment.update(more if isinstance(more, dict) else {})
    asked.update(check=bool(task.check_mode), diff=bool(task.diff), environment=environment, become=bool(action._connection.become))
    return done(asked)


def done(asked):
    answer = ask_back(asked)
    if "unreachable" in answer:
        raise AnsibleConnectionFailure(answer["unreachable"])
    if "error" in answer:
        raise AnsibleError(answer["error"])
    return answer["result"]


class Connection(ConnectionBase):
    """The link that the engine has to the task's host."""

    transport, has_pipelining = "ssh", True

    def __init__(self, play_context, told):
        self.transport, self._load_name = told["transport"], told["transport"]
        loader.connection_loader.get(self.transport, class_only=True)
        super().__init__(play_context)
        self.ansible_aliases = [self.transport, "ansible.builtin." + self.transport]
        self._options.update(told["options"])
        self._connected = True

    def _connect(self):
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        said = done({"command": plain(cmd), "stdin": in_data, "become": False})
        return said["rc"], said["stdout"].encode(), said["stderr"].encode()

    def put_file(self, in_path, out_path):
        if not os.path.exists(in_path):
            raise AnsibleFileNotFound(f"file or module does not exist: {plain(in_path)}")
        done({"put": os.path.abspath(plain(in_path)), "to": out_path})

    def fetch_file(self, in_path, out_path):
        done({"fetch": in_path, "to": os.path.abspath(plain(out_path))})

    def close(self):
        pass

    reset = close


class Vault:
    """The vault passwords of the run, which the engine keeps."""

    secrets = ("those of the engine",)

    def decrypt(self, vaulttext, *_, **__):
        return done({"decrypt": plain(vaulttext)}).encode("utf-8", "surrogateescape")


class Task(playbook_task.Task):
    """The task as the engine has rendered it."""

    searched = ()

    def get_search_path(self):
        return list(self.searched)

    def copy(self, *arguments, **named):
        twin = super().copy(*arguments, **named)
        twin.searched = self.searched
        return twin


class Native(ActionBase):
    """An action of the engine's own."""

    def run(self, tmp=None, task_vars=None):
        return do(self, action=self._load_name, args=self._task.args)


def run_module(
    self,
    module_name=None,
    module_args=None,
    tmp=None,
    task_vars=None,
    persist_files=False,
    delete_remote_tmp=None,
    wrap_async=False,
    ignore_unknown_opts=False,
):
    if not isinstance(self._connection, Connection):
        return execute_module(self, module_name, module_args, task_vars=task_vars, persist_files=persist_files, wrap_async=wrap_async)
    args = self._task.args if module_args is None else module_args
    result = do(self, module=module_name or self._task.action, args=args, background=bool(wrap_async), lenient=ignore_unknown_opts)
    _captured.AnsibleModuleCapturedError.normalize_result_exception(result)
    return result


def run_command(self, cmd, sudoable=True, in_data=None, executable=None, encoding_errors=None, chdir=None):
    shell = self._connection._shell
    if not isinstance(self._connection, Connection):
        return execute_command(self, cmd, sudoable=sudoable, in_data=in_data, executable=executable, chdir=chdir)
    if chdir:
        cmd = shell.append_command(f"cd {chdir}", cmd)
    if executable:
        shell.executable = executable
    become = bool(sudoable and self._connection.become)
    said = done({"command": cmd, "stdin": in_data, "executable": executable, "become": become})
    said.update({name + "_lines": said[name].splitlines() for name in ("stdout", "stderr")})
    return said


def find_action(name, *arguments, **named):
    short = name.removeprefix("ansible.legacy.")
    is_theirs = any(os.path.isfile(os.path.join(folder, short + ".py")) for kind, folder in added if kind == "action")
    if "task" not in named or is_theirs or short.removeprefix("ansible.builtin.") not in settings["native"]:
        return get_action(name, *arguments, **named)
    action = Native(*arguments, **named)
    action._load_name = name
    return action


ActionBase._execute_module = run_module
ActionBase._low_level_execute_command = run_command
loader.action_loader.get = find_action


def become_plugin(told):
    plugin = loader.become_loader.get(told["method"])
    plugin.set_options(direct={"become_user": told["user"]})
    return plugin


def make_task(told):
    task = Task()
    for name, value in told["fields"].items():
        setattr(task, name, value)
    task.args.update({name: trusted(task.args[name]) for name in told["literal"]})
    task._parent = Block(play=Play())
    task._squashed = task._finalized = True
    task.searched = told["search"]
    if role := told["role"]:
        task._role = types.SimpleNamespace(
            _role_path=role["path"],
            _role_name=role["name"],
            _role_collection=role["collection"],
            get_name=lambda include_role_fqcn=True: role["name"],
        )
    return task


def make_play_context(told):
    play_context = PlayContext()
    for name, value in told["play_context"].items():
        setattr(play_context, name, value)
    return play_context


def act(asked):
    told, variables, data = asked["task"], Variables(), DataLoader()
    warnings.clear()
    add_folders("action", asked["folders"])
    data.set_basedir(told["folder"])
    data._vault = Vault()
    with _display_utils.DeferredWarningContext(variables=variables) as context:
        result = settled(lambda: run(asked["plugin"], told, variables, data), context)
    result.pop("warnings", None)
    result.pop("deprecations", None)
    said = [_event_utils.format_event_brief_message(warning.event) for warning in context.get_warnings()] + [text.removeprefix("[WARNING]: ") for text in warnings]
    return {
        "result": {name: value for name, value in result.items() if not str(name).startswith("_ansible_")},
        "hidden": bool(result.get("_ansible_no_log")),
        "shown": bool(result.get("_ansible_verbose_always")),
        "raised": result.get("_ansible_raised"),
        "warnings": said,
        "deprecations": [_event_utils.deprecation_as_dict(entry) for entry in context.get_deprecation_warnings()],
    }


def run(name, told, variables, data):
    play_context = make_play_context(told)
    connection = Connection(play_context, told["connection"])
    connection._shell.set_options(var_options=variables)
    if told["become"]:
        connection.set_become_plugin(become_plugin(told["become"]))
    action = get_action(
        name,
        task=make_task(told),
        connection=connection,
        play_context=play_context,
        loader=data,
        templar=Templar(loader=data, variables=variables),
        shared_loader_obj=loader,
    )
    if action is None:
        raise AnsibleError("; ".join([f"the action plugin `{name}` was not loaded", *warnings]))
    try:
        return action.run(task_vars=variables)
    finally:
        action.cleanup()


def settled(work, context):
    """The result as a task has it: of a failure too, in Ansible's words."""
    try:
        result = work()
        result.setdefault("failed", result.get("rc", 0) not in (0, "0"))
        result.setdefault("changed", False)
        TaskExecutor._apply_task_result_compat(result, context)
        _captured.AnsibleActionCapturedError.maybe_raise_on_result(result)
    except Exception as error:
        try:
            raise AnsibleTaskError() from error
        except AnsibleTaskError as failure:
            result = _error_utils.result_dict_from_exception(failure, accept_result_contribution=True)
            result.setdefault("changed", False)
            result["_ansible_raised"] = whence(failure, error)
    # As `register` has it, it tells no traceback.
    result.pop("exception", None)
    return result


def whence(failure, error):
    """What is said of a failure, and where in a file that is not Ansible's own it was raised."""
    event = _error_factory.ControllerEventFactory.from_exception(failure, False)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith((settings["core"], "<"))]
    last = frames and frames[-1]
    place = {"file": last.filename, "line": last.lineno, "column": (getattr(last, "colno", None) or 0) + 1} if last else {}
    return {"reason": _event_utils.format_event_brief_message(event), **place}


serve(act)
