#!/bin/sh
. "$1"
echo "{\"changed\": true, \"said\": \"$word and $other\"}"
