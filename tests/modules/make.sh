#!/bin/sh
echo "$1" > by-script
