"""Measures bare host to Keycloak login: the least that a shell script does, and Hostler with all that the roles do.

Usage: floor.py [--write FILE] [--keycloak VERSION]
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from page import HOSTLER, ROOT, lab, lab_folder, machine, write


def addresses():
    listed = json.loads(lab("ls", "--output", "json", capture_output=True, text=True).stdout)
    return {host["name"]: host["address"] for host in listed}


def copy_in(host, source, target):
    with open(source, "rb") as content:
        lab("ssh", host, f"cat > {target}", stdin=content)


def floor(archive):
    """A shell script on one host; the ACME server is there before. The archive's way to the host counts, as it does for Hostler."""
    lab("up", "idp", "acme")
    at = addresses()
    copy_in("acme", ROOT / "bench/floor/acme.sh", "/root/acme.sh")
    lab("ssh", "acme", f"bash /root/acme.sh {at['acme']} {at['idp']}")
    certificate = lab("ssh", "acme", "cat /etc/pebble/cert.pem", capture_output=True, text=True).stdout
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(certificate)
        file.flush()
        copy_in("idp", file.name, "/root/acme.pem")
    copy_in("idp", ROOT / "bench/floor/keycloak.sh", "/root/keycloak.sh")
    start = time.perf_counter()
    copy_in("idp", archive, "/root/keycloak.tar.gz")
    lab("ssh", "idp", f"bash /root/keycloak.sh {at['acme']} /root/acme.pem /root/keycloak.tar.gz")
    took = time.perf_counter() - start
    lab("down", "--all")
    return took


def hostler(archive):
    """The demo as users run it: three bare hosts, all roles, the realm, a verified login; the same again; and the identity provider alone, bare
    once more beside the two others, as the script finds its ACME server."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="hostler-bench-"))
    try:
        shutil.copytree(ROOT / "inventory", work / "inventory", ignore=shutil.ignore_patterns("lab.yml"))
        lab("up", "idp1", "acme", "store")
        lab("inventory", "--host-vars", work / "inventory/host_vars")
        command = [HOSTLER, "run", "playbooks/site.yml", "-i", work / "inventory/demo.yml"]
        given = os.environ | {"HOSTLER_KEYCLOAK_ARCHIVE": archive, "HOSTLER_STATE_DIR": str(work / "state")}

        def run():
            start = time.perf_counter()
            subprocess.run(command, check=True, cwd=ROOT, env=given)
            return time.perf_counter() - start

        first, again = run(), run()
        lab("reset", "idp1")
        return first, again, run()
    finally:
        lab("down", "--all")
        shutil.rmtree(work)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=pathlib.Path)
    parser.add_argument("--keycloak", default="26.7.3")
    arguments = parser.parse_args()
    archive = subprocess.run([ROOT / "tools/get-keycloak.sh", arguments.keycloak], check=True, capture_output=True, text=True).stdout.strip()
    least = floor(archive)
    first, again, alone = hostler(archive)
    text = (
        f"## From bare hosts to a login\n\nOn {machine()}, Keycloak {arguments.keycloak}.\n\n| | |\n|-|-:|\n"
        f"| `bench/floor/keycloak.sh`: one host, no backups, no bans, no logs shipped, a realm of one user | {least:.0f} s |\n"
        f"| `hostler run playbooks/site.yml`: three bare hosts, everything | {first:.0f} s ({first / least:.2f} of the script's) |\n"
        f"| the same where only `idp1` is bare: one host, everything | {alone:.0f} s ({alone / least:.2f} of the script's) |\n"
        f"| the same again | {again:.1f} s |\n"
    )
    print(text)
    if arguments.write:
        write(arguments.write, "bare host to login", text)


main()
