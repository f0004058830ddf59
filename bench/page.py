"""The measured parts of docs/performance.md, and calling the lab."""

import datetime
import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOSTLER = ROOT / "bin" / "hostler"
LAB = "bench"


def lab(*words, **options):
    return subprocess.run([HOSTLER, "lab", "--lab", LAB, *words], check=True, **options)


def lab_folder():
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return pathlib.Path(os.environ.get("HOSTLER_LAB_DIR") or cache / "hostler/lab") / "labs" / LAB


def machine():
    return f"{datetime.date.today()}, {os.cpu_count()} processors, Linux {platform.release()}"


def write(path, name, text):
    """Replaces the part of the page that has this name; what people wrote around it stays."""
    begin, end = f"<!-- measured: {name} -->\n", "<!-- end -->\n"
    old = path.read_text() if path.exists() else "# Performance\n\nWhat `make bench` measured last. Run it where it matters to you.\n\n"
    part = begin + text.rstrip("\n") + "\n" + end
    if begin in old:
        head, rest = old.split(begin, 1)
        old = head + part + rest.split(end, 1)[1]
    else:
        old += part
    path.parent.mkdir(exist_ok=True)
    path.write_text(old)
