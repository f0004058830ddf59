"""Measures `hostler realm plan` on realms of three sizes with nothing to change, beside the server's own floor and beside Terraform.

Usage: realm.py [--write FILE] [--keycloak VERSION] [--sizes small,mid,big] [--url URL] [--terraform FOLDER]
    --url takes a running server with the client of tests/keycloak/server.rs; --terraform the folder that terraform.py tells of

The floor is what the server needs to answer the cheapest complete set of requests, over eight connections: the export where it is the
fastest, the flat search for groups in pages where it is not, the clients with their secrets, the profile, and the groups of each user.
"""

import argparse
import concurrent.futures
import http.client
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request

import terraform
from page import HOSTLER, ROOT, lab, machine, write

CLIENT, SECRET = "boot", "boot-secret"
SIZES = {"small": (29, 10, 20), "mid": (1_100, 100, 200), "big": (10_500, 500, 1_000)}
RUNS = 3
# Terraform's plan of the big one takes longer than anybody waits.
BESIDE = ("small", "mid")


def server(version):
    """A lab host with Keycloak and its own database, as the tests have it."""
    archive = subprocess.run([ROOT / "tools/get-keycloak.sh", version], check=True, capture_output=True, text=True).stdout.strip()
    lab("up", "kc", "--with", "openjdk-21-jre-headless")
    address = json.loads(lab("ls", "--output", "json", capture_output=True, text=True).stdout)[0]["address"]
    url = f"http://{address}:8080"
    with open(archive, "rb") as content:
        lab("ssh", "kc", "mkdir -p /opt/keycloak && tar -C /opt/keycloak --strip-components=1 -xz", stdin=content)
    lab("ssh", "kc", "/opt/keycloak/bin/kc.sh build --db=dev-file >/dev/null")
    lab("ssh", "kc", f"systemd-run -q --unit keycloak -E JAVA_OPTS_KC_HEAP=-Xmx1g -E KC_BOOTSTRAP_ADMIN_CLIENT_ID={CLIENT} "
        f"-E KC_BOOTSTRAP_ADMIN_CLIENT_SECRET={SECRET} /opt/keycloak/bin/kc.sh start --optimized --http-enabled=true --cache=local --hostname={url}")
    for _ in range(180):
        try:
            urllib.request.urlopen(f"{url}/realms/master").close()
            return url
        except OSError:
            time.sleep(1)
    raise SystemExit(f"realm.py: Keycloak at {url} does not answer after three minutes")


def declaration(size):
    groups, clients, users = SIZES[size]
    tops = max(1, groups // 30)
    tree = [{"name": f"org {top}", "attributes": {"number": [str(top)]}, "subGroups": []} for top in range(tops)]
    for number in range(groups - tops):
        tree[number % tops]["subGroups"].append({"name": f"team {number // tops}"})
    return {
        "realm": f"bench-{size}",
        "groups": tree,
        "clients": [{"clientId": f"app-{n}", "secret": f"secret-{n}", "redirectUris": [f"https://app-{n}.test/*"]} for n in range(clients)],
        "users": [
            {"username": f"user-{n}", "email": f"user-{n}@a.test", "firstName": "U", "lastName": "N", "groups": [f"/org {n % tops}"]}
            for n in range(users)
        ],
    }


class Admin:
    """The Admin API over kept connections, one a thread. Answers are read, and not looked into more than needed."""

    def __init__(self, url):
        self.at = urllib.parse.urlparse(url).netloc
        form = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET}
        with urllib.request.urlopen(f"{url}/realms/master/protocol/openid-connect/token", urllib.parse.urlencode(form).encode()) as answer:
            self.token = json.load(answer)["access_token"]
        self.own = threading.local()

    def ask(self, method, path):
        if not hasattr(self.own, "connection"):
            self.own.connection = http.client.HTTPConnection(self.at)
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json", "Content-Type": "application/json"}
        self.own.connection.request(method, f"/admin/realms/{path}", "{}" if method == "POST" else None, headers)
        answer = self.own.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"realm.py: {method} {path} answered {answer.status}")
        return body


def floor(url, size):
    """Seconds, and requests."""
    groups, _, users = SIZES[size]
    realm, start = f"bench-{size}", time.perf_counter()
    admin = Admin(url)
    whole = groups <= 1_500
    search = f"{realm}/groups?search=*&populateHierarchy=false&subGroupsCount=false&briefRepresentation"
    asked = [
        ("POST", f"{realm}/partial-export?exportClients=true&exportGroupsAndRoles={str(whole).lower()}"),
        ("GET", f"{realm}/clients"),
        ("GET", f"{realm}/users/profile"),
    ]
    if not whole:
        asked += [("GET", f"{realm}/roles"), ("GET", f"{search}=true&max=1000000")]
        asked += [("GET", f"{search}=false&first={first}&max=500") for first in range(0, groups, 500)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(admin.ask, *words) for words in asked]
        listed = json.loads(admin.ask("GET", f"{realm}/users?max={users}"))
        answers += [pool.submit(admin.ask, "GET", f"{realm}/users/{user['id']}/groups") for user in listed]
        for answer in answers:
            answer.result()
    return time.perf_counter() - start, len(answers) + 1


def plan(url, size, folder, apply=False):
    file = folder / f"{size}.json"
    if not file.exists():
        file.write_text(json.dumps(declaration(size)))
    words = ["apply", "--yes"] if apply else ["plan"]
    command = [HOSTLER, "realm", words[0], file, *words[1:], "--url", url, "--client-id", CLIENT]
    start = time.perf_counter()
    done = subprocess.run(command, env=os.environ | {"HOSTLER_REALM_SECRET": SECRET}, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"realm.py: {size}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - start


def beside(tools, url, size, folder, ours):
    """What Terraform's plan and first apply took, for the table."""
    if not tools or size not in BESIDE:
        return "", ""
    realm = terraform.Beside(tools, folder / f"{size}-terraform", declaration(size), url, CLIENT, SECRET)
    first = realm.apply()
    realm.plan()
    took = [realm.plan() for _ in range(RUNS)]
    if first is None or None in took:
        return f"over {terraform.LIMIT} s", ""
    plan = statistics.median(took)
    return f"{plan:.2f} s ({plan / ours:.0f} times Hostler's)", f"{first:.1f} s"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", type=pathlib.Path)
    parser.add_argument("--keycloak", default="26.7.3")
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--url")
    parser.add_argument("--terraform", type=pathlib.Path, default=terraform.TOOLS)
    given = parser.parse_args()
    tools = terraform.Tools(given.terraform)
    url = given.url or server(given.keycloak)
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for size in given.sizes.split(","):
            first = plan(url, size, pathlib.Path(folder), apply=True)
            plan(url, size, pathlib.Path(folder))
            floor(url, size)
            floors = [floor(url, size) for _ in range(RUNS)]
            least, requests = statistics.median(seconds for seconds, _ in floors), floors[0][1]
            took = statistics.median(plan(url, size, pathlib.Path(folder)) for _ in range(RUNS))
            plans, makes = beside(tools, url, size, pathlib.Path(folder), took)
            groups, clients, users = (f"{number:,}" for number in SIZES[size])
            what = f"{size}: {groups} groups, {clients} clients, {users} users"
            lines.append(f"| {what} | {least:.2f} s ({requests:,} requests) | {took:.2f} s ({took / least:.1f}) | {plans} | {first:.1f} s | {makes} |")
            print(lines[-1], flush=True)
    if not given.url:
        lab("down", "--all")
    peer = f"{tools.versions()}, a realm of its own on the same server" if tools else "not at hand, `bench/terraform.py` says what it takes"
    text = f"""## The plan of a realm with nothing to change

On {machine()}, Keycloak {given.keycloak} on the same machine. Median of {RUNS} runs after one to warm up; in brackets the ratio to the floor: the cheapest
complete set of requests over eight connections, sent by `bench/realm.py`. Terraform: {peer}. keycloak-config-cli is not in Maven Central (tried:
`mvn dependency:copy -Dartifact=de.adorsys.keycloak:keycloak-config-cli:6.5.0`), so it is not in this table.

| | the server's floor | `hostler realm plan` | Terraform's `plan` | the first `hostler realm apply` | Terraform's first `apply` |
|-|-:|-:|-:|-:|-:|
{chr(10).join(lines)}

    hostler realm plan bench-SIZE.json --url URL --client-id boot
    tofu plan -input=false -detailed-exitcode
"""
    if given.write:
        write(given.write, "plan of a realm", text)
    else:
        print(text)


if __name__ == "__main__":
    main()
