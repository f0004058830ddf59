#!/usr/bin/python
# WANT_JSON
import json
import sys

with open(sys.argv[1]) as options:
    given = json.load(options)
print("before the result")
print(json.dumps({"given": given, "rc": given.get("rc", 0)}))
