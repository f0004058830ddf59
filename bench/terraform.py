"""The realms of realm.py, described for terraform-provider-keycloak, made by it, and planned with nothing to change.

It needs a folder with `tofu` (or `terraform`) and `terraform-provider-keycloak_vVERSION`, as their projects release them; neither is fetched
here. A plan reads a thing a request, ten at a time, which is Terraform's own number.
"""

import json
import os
import pathlib
import subprocess
import time

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
TOOLS = CACHE / "hostler/bench/tools"
PROVIDER = "terraform-provider-keycloak_v"
# Seconds that making a realm, or planning it, may take.
LIMIT = 600


class Tools:
    """Both programs of a folder; false where one is missing."""

    def __init__(self, folder):
        self.program = next((folder / name for name in ("tofu", "terraform") if (folder / name).exists()), None)
        self.provider = next(folder.glob(f"{PROVIDER}*"), None)

    def __bool__(self):
        return bool(self.program and self.provider)

    def versions(self):
        shown = subprocess.run([self.program, "version"], check=True, capture_output=True, text=True, env=os.environ | {"CHECKPOINT_DISABLE": "1"})
        return f"{shown.stdout.splitlines()[0]}, terraform-provider-keycloak {self.provider.name.removeprefix(PROVIDER)}"


def resources(declared, realm):
    """A declaration of realm.py, as resources."""
    out = {kind: {} for kind in ("realm", "group", "openid_client", "user", "user_groups")}
    out["realm"]["realm"] = {"realm": realm}
    of_realm = {"realm_id": "${keycloak_realm.realm.id}"}
    for top, group in enumerate(declared["groups"]):
        out["group"][f"org_{top}"] = of_realm | {"name": group["name"], "attributes": {key: value[0] for key, value in group["attributes"].items()}}
        for team, below in enumerate(group["subGroups"]):
            out["group"][f"org_{top}_team_{team}"] = of_realm | {"name": below["name"], "parent_id": f"${{keycloak_group.org_{top}.id}}"}
    for number, client in enumerate(declared["clients"]):
        out["openid_client"][f"app_{number}"] = of_realm | {
            "client_id": client["clientId"], "client_secret": client["secret"], "access_type": "CONFIDENTIAL", "standard_flow_enabled": True,
            "valid_redirect_uris": client["redirectUris"],
        }
    for number, user in enumerate(declared["users"]):
        tops = [f"${{keycloak_group.{path.strip('/').replace(' ', '_')}.id}}" for path in user["groups"]]
        out["user"][f"user_{number}"] = of_realm | {
            "username": user["username"], "email": user["email"], "first_name": user["firstName"], "last_name": user["lastName"],
        }
        out["user_groups"][f"user_{number}"] = of_realm | {"user_id": f"${{keycloak_user.user_{number}.id}}", "group_ids": tops}
    return {f"keycloak_{kind}": named for kind, named in out.items()}


class Beside:
    """One realm, made by Terraform."""

    def __init__(self, tools, folder, declared, url, client, secret):
        self.program, self.folder = tools.program, folder
        folder.mkdir()
        (folder / "tofurc").write_text(f'provider_installation {{\n  dev_overrides {{ "keycloak/keycloak" = "{tools.provider.parent}" }}\n}}\n')
        described = {
            "terraform": {"required_providers": {"keycloak": {"source": "keycloak/keycloak"}}},
            "resource": resources(declared, f"{declared['realm']}-terraform"),
        }
        (folder / "main.tf.json").write_text(json.dumps(described))
        self.env = os.environ | {
            "TF_CLI_CONFIG_FILE": str(folder / "tofurc"), "CHECKPOINT_DISABLE": "1", "KEYCLOAK_URL": url, "KEYCLOAK_CLIENT_ID": client,
            "KEYCLOAK_CLIENT_SECRET": secret,
        }

    def run(self, *words):
        """Seconds; none when it took longer than it may."""
        start = time.perf_counter()
        command = [self.program, words[0], "-input=false", "-no-color", *words[1:]]
        try:
            done = subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            return None
        if done.returncode != 0:
            raise SystemExit(f"terraform.py: {words[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return time.perf_counter() - start

    def apply(self):
        return self.run("apply", "-auto-approve")

    def plan(self):
        # A plan with something to change is no measure of one without: it exits with 2.
        return self.run("plan", "-detailed-exitcode")
