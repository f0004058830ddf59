"""Runs the module that the first argument names, with the options that come on the standard input."""
import os
import runpy
import sys

options = sys.stdin.buffer.read()
name = sys.argv.pop()
folder = os.path.dirname(os.path.abspath(__file__))

from ansible.module_utils import basic

basic._ANSIBLE_ARGS = options
if hasattr(basic, "_ANSIBLE_PROFILE"):
    basic._ANSIBLE_PROFILE = "legacy"
runpy.run_module(name, init_globals={"_module_fqn": name, "_modlib_path": folder}, run_name="__main__", alter_sys=True)
