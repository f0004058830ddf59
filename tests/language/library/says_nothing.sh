#!/bin/sh
echo "no result" >&2
exit 3
