import os
import tempfile

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """What an action plugin does on the host."""

    TRANSFERS_FILES = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        path = self._task.args["path"]
        shell = self._connection._shell

        def module(name, /, **args):
            return self._execute_module(module_name=name, module_args=args, task_vars=task_vars)

        def action(name, /, **args):
            task = self._task.copy()
            task.args = args
            loaded = self._shared_loader_obj.action_loader.get(
                name,
                task=task,
                connection=self._connection,
                play_context=self._play_context,
                loader=self._loader,
                templar=self._templar,
                shared_loader_obj=self._shared_loader_obj,
            )
            return loaded.run(task_vars=task_vars)

        folder = module("ansible.legacy.file", path=path, state="directory", mode="0700")
        result["changed"] = folder["changed"]
        result["folder"] = [folder["changed"], folder["mode"]]
        written = action("ansible.legacy.copy", content="hello\n", dest=path + "/copied")
        result["copied"] = [written["changed"], written["checksum"]]
        again = action("ansible.legacy.copy", content="hello\n", dest=path + "/copied")
        result["again"] = again["changed"]
        result["found"] = action("copy", src="seen.txt", dest=path + "/seen")["checksum"]
        result["said"] = module("command", _raw_params="cat copied", chdir=path)["stdout"]
        result["shell"] = module("command", _raw_params="echo $WORD | tr a b", _uses_shell=True)["stdout_lines"]
        result["own"] = module("hello", name="ann")["words"]
        failed = module("command", _raw_params="false")
        result["failed"] = failed["failed"], failed["rc"], failed["msg"]
        failed = module("hello", name="ann", fail=True)
        result["refused"] = failed["failed"], failed["msg"], failed["words"]
        del result["failed"]

        said = self._low_level_execute_command("cat; echo to stderr >&2; exit 3", in_data=b"from stdin\n")
        result["command"] = [said["rc"], said["stdout"], said["stdout_lines"], said["stderr"]]
        result["here"] = self._low_level_execute_command("pwd", chdir=path)["stdout"] == path + "\n"
        result["raw"] = [str(part) for part in self._connection.exec_command("echo raw")[:2]]
        result["is_there"] = [self._remote_file_exists(path + "/copied"), self._remote_file_exists(path + "/nothing")]
        result["home"] = self._remote_expand_user("~") == os.path.expanduser("~")
        stat = self._execute_remote_stat(path + "/copied", all_vars=task_vars, follow=True)
        result["stat"] = [stat["exists"], stat["checksum"], stat["size"]]

        temporary = shell.tmpdir
        result["temporary"] = self._remote_file_exists(temporary)
        there = self._transfer_data(shell.join_path(temporary, "data"), "carried")
        self._fixup_perms2([temporary, there])
        moved = module("ansible.legacy.copy", src=there, dest=path + "/data")
        result["moved"] = moved["changed"]
        with tempfile.TemporaryDirectory() as here:
            self._connection.fetch_file(path + "/data", os.path.join(here, "data"))
            with open(os.path.join(here, "data")) as file:
                result["fetched"] = file.read()
        module("ansible.legacy.file", path=path, state="absent")
        result["gone"] = not self._remote_file_exists(path)
        return result
