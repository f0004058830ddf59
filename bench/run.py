"""Measures a playbook that is applied already, with each tool in turn on the same lab hosts, and writes docs/performance.md.

Usage: run.py [--runs N] [--hosts N] [--delays 0,100] [--tools NAME,…] [--write FILE]      `make bench` does it all
Every tool is run once to warm up; a measured run that changes anything, or fails, ends the measurement.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

from page import HOSTLER, lab, lab_folder, machine, write

HERE = pathlib.Path(__file__).resolve().parent
VENV = pathlib.Path(sys.executable).parent
FIRST_PORT = 22600


class Bench:
    def __init__(self, work, hosts, delay):
        self.work, self.delay = work, delay
        folder = lab_folder()
        self.inventory = work / f"inventory-{delay}.yml"
        self.pyinfra_inventory = work / f"inventory_{delay}.py"
        known = work / f"known_hosts-{delay}"
        pinned = (folder / "known_hosts").read_text()
        key, ports = folder / "key", []
        entries, pyinfra, lines = {}, [], []
        for index, host in enumerate(hosts):
            name, address = host["name"], host["address"]
            reach = {"ansible_host": address, "ansible_port": 22}
            if delay:
                port = FIRST_PORT + index
                ports.append(f"{port}:{address}:22")
                reach = {"ansible_host": "127.0.0.1", "ansible_port": port}
            host_key = next(line.split(" ", 1)[1] for line in pinned.splitlines() if address in line.split(" ")[0].split(","))
            at = f"[{reach['ansible_host']}]:{reach['ansible_port']}" if delay else address
            lines.append(f"{at} {host_key}\n")
            entries[name] = reach
            pyinfra.append(
                (name, {"ssh_hostname": reach["ansible_host"], "ssh_port": reach["ansible_port"], "ssh_user": "root", "ssh_key": str(key),
                        "ssh_known_hosts_file": str(known), "ssh_strict_host_key_checking": "yes"})
            )
        known.write_text("".join(lines))
        common = f"-o UserKnownHostsFile={known} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
        variables = {"ansible_user": "root", "ansible_ssh_private_key_file": str(key), "ansible_ssh_common_args": common}
        self.inventory.write_text(json.dumps({"all": {"hosts": entries, "vars": variables}}, indent=2))
        self.pyinfra_inventory.write_text(f"hosts = {pyinfra!r}\n")
        self.relay = None
        if ports:
            self.relay = subprocess.Popen([sys.executable, HERE / "delay.py", str(delay), *ports], stdout=subprocess.PIPE, text=True)
            assert self.relay.stdout.readline() == "ready\n", "the delaying relay did not start"

    def close(self):
        if self.relay:
            self.relay.terminate()
            self.relay.wait()

    def command(self, tool):
        """The command, what it adds to the environment, and what its output must hold when nothing was changed."""
        playbook = ["-i", str(self.inventory), str(HERE / "common.yml")]
        ansible = [str(VENV / "ansible-playbook"), *playbook]
        plain = {"ANSIBLE_CONFIG": str(self.empty_settings()), "ANSIBLE_HOME": str(self.work / "ansible"), "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3", "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.work / "cp")}
        quiet = r"changed=0 .*unreachable=0 .*failed=0"
        if tool == "hostler":
            return [str(HOSTLER), "run", *playbook], {}, quiet
        if tool == "ansible":
            return ansible, plain, quiet
        if tool == "ansible-pipelining":
            return ansible, plain | {"ANSIBLE_PIPELINING": "1"}, quiet
        if tool == "mitogen":
            import ansible_mitogen

            strategies = str(pathlib.Path(ansible_mitogen.__file__).parent / "plugins" / "strategy")
            return ansible, plain | {"ANSIBLE_STRATEGY": "mitogen_linear", "ANSIBLE_STRATEGY_PLUGINS": strategies}, quiet
        if tool == "pyinfra":
            return [str(VENV / "pyinfra"), "-y", str(self.pyinfra_inventory), str(HERE / "pyinfra_common.py")], {}, None
        raise SystemExit(f"bench: there is no tool `{tool}`")

    def empty_settings(self):
        """So that nothing of this machine's own settings counts."""
        path = self.work / "empty.cfg"
        path.write_text("")
        return path

    def run(self, tool, must_be_quiet):
        command, extra, quiet = self.command(tool)
        start = time.perf_counter()
        done = subprocess.run(command, env=os.environ | extra, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        took = time.perf_counter() - start
        (self.work / f"{re.sub('[^a-z]+', '-', tool)}-{self.delay}.log").write_text(done.stdout)
        if done.returncode != 0:
            raise SystemExit(f"bench: {tool} failed:\n{done.stdout[-3000:]}")
        if must_be_quiet and quiet and not re.search(quiet, done.stdout):
            raise SystemExit(f"bench: {tool} changed something in a run that had nothing to do:\n{done.stdout[-3000:]}")
        return took

    def measure(self, tool, runs):
        self.run(tool, must_be_quiet=False)
        return [self.run(tool, must_be_quiet=True) for _ in range(runs)]


def table(results, tools, delays):
    lines = ["| | " + " | ".join(f"{delay} ms of added delay" for delay in delays) + " |", "|-|" + "-:|" * len(delays)]
    for tool in tools:
        cells = []
        for delay in delays:
            median = statistics.median(results[delay][tool])
            ratio = statistics.median(results[delay]["hostler"]) if "hostler" in results[delay] else None
            times = f" ({median / ratio:.0f} times Hostler's)" if ratio and tool != "hostler" else ""
            cells.append(f"{median:.2f} s{times}")
        lines.append(f"| {tool} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def versions():
    listed = json.loads(subprocess.run([VENV / "pip", "list", "--format", "json"], check=True, capture_output=True, text=True).stdout)
    wanted = {"ansible-core", "mitogen", "pyinfra"}
    return ", ".join(f"{package['name']} {package['version']}" for package in listed if package["name"] in wanted)


def section(results, arguments):
    return (
        f"## A playbook that is applied already\n\n"
        f"On {machine()}: `bench/common.yml` (22 tasks, 28 with their loops) on {arguments.hosts} lab host(s). "
        f"Median of {arguments.runs} runs after one to warm up; every run reports 0 changed.\n"
        f"Delay is added by `bench/delay.py`, a relay that holds every byte back. {versions()}.\n\n"
        f"{table(results, arguments.tools, arguments.delays)}\n\n"
        f"The commands, in `bench/`:\n\n    hostler run -i INVENTORY common.yml\n    ansible-playbook -i INVENTORY common.yml"
        f"                       # and with ANSIBLE_PIPELINING=1\n    ANSIBLE_STRATEGY=mitogen_linear ansible-playbook -i INVENTORY common.yml\n"
        f"    pyinfra -y INVENTORY pyinfra_common.py\n"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--hosts", type=int, default=1)
    parser.add_argument("--delays", type=lambda text: [int(delay) for delay in text.split(",")], default=[0, 100])
    parser.add_argument("--tools", type=lambda text: text.split(","), default=["hostler", "ansible", "ansible-pipelining", "mitogen", "pyinfra"])
    parser.add_argument("--write", type=pathlib.Path)
    arguments = parser.parse_args()
    names = [f"target{number}" for number in range(1, arguments.hosts + 1)]
    work = pathlib.Path.home() / ".cache/hostler/bench"
    work.mkdir(parents=True, exist_ok=True)
    lab("up", *names, "--with", "python3,python3-apt")
    results = {}
    try:
        for name in names:
            lab("ssh", name, "apt-get -qq update", stdout=subprocess.DEVNULL)
        hosts = json.loads(lab("ls", "--output", "json", capture_output=True, text=True).stdout)
        for delay in arguments.delays:
            bench = Bench(work, hosts, delay)
            try:
                results[delay] = {}
                for tool in arguments.tools:
                    results[delay][tool] = bench.measure(tool, arguments.runs)
                    print(f"{delay:4} ms  {tool:22} " + "  ".join(f"{took:.2f}" for took in results[delay][tool]), flush=True)
            finally:
                bench.close()
    finally:
        lab("down", "--all")
    print(table(results, arguments.tools, arguments.delays))
    if arguments.write:
        write(arguments.write, "applied already", section(results, arguments))


main()
