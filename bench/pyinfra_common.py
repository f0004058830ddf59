"""The tasks of common.yml, as pyinfra says them."""

from io import StringIO

from pyinfra import host
from pyinfra.facts.files import File
from pyinfra.facts.server import Command
from pyinfra.operations import apt, crontab, files, server, systemd

PEOPLE = ["ann", "bob", "cid"]
UNIT = """[Unit]
Description=An application that does nothing

[Service]
User=app
ExecStart=/usr/bin/sleep infinity

[Install]
WantedBy=multi-user.target
"""

apt.packages(name="Packages", packages=["cron", "logrotate", "curl"])
server.group(name="Group", group="app", gid=2100)
server.user(name="User", user="app", uid=2100, group="app", home="/srv/app", shell="/usr/sbin/nologin", ensure_home=False)
for folder in ["etc", "log", "data", "run", "cache"]:
    files.directory(name="Folders", path=f"/srv/app/{folder}", user="app", group="app", mode="750")
files.template(name="Settings", src="templates/pyinfra.conf.j2", dest="/srv/app/etc/app.conf", user="root", group="app", mode="640", people=PEOPLE)
for person in PEOPLE:
    files.put(
        name="Settings of each person",
        src=StringIO(f"name={person}\nhome=/srv/app/data/{person}\n"),
        dest=f"/srv/app/etc/{person}.conf",
        mode="644",
    )
files.put(name="A file from here", src="files/motd", dest="/etc/motd", mode="644")
files.line(name="A line in a file", path="/etc/ssh/sshd_config", line=r"^#?ClientAliveInterval.*", replace="ClientAliveInterval 120")
files.block(name="A block in a file", path="/etc/profile", content="export APP_HOME=/srv/app\numask 027")
files.line(name="A replacement", path="/etc/default/cron", line=r"^#?READ_ENV=.*", replace='READ_ENV="no"')
files.link(name="A link", path="/etc/app", target="/srv/app/etc")
files.file(name="A file that must not be there", path="/etc/app.old", present=False)
crontab.crontab(
    name="A job",
    command="find /srv/app/cache -type f -mtime +7 -delete",
    cron_name="clean the cache",
    user="app",
    minute="17",
    hour="3",
)
unit = files.put(name="A unit", src=StringIO(UNIT), dest="/etc/systemd/system/app.service", mode="644")
systemd.service(name="The unit runs", service="app", running=True, enabled=True)
systemd.service(name="Another service runs", service="cron", running=True, enabled=True)
assert host.get_fact(File, "/srv/app/etc/app.conf") is not None
assert host.get_fact(Command, "systemctl is-active app || true") is not None
if host.get_fact(File, "/srv/app/data/installed") is None:
    server.shell(name="A command for later", commands=["touch /srv/app/data/installed"])
