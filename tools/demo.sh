#!/bin/sh
# From nothing to a Keycloak login on three lab hosts. Run again after an interruption, it goes on; as it stands, it changes nothing.
# Usage: demo.sh KEYCLOAK-VERSION      (`make demo` builds first)
set -eu
cd "$(dirname "$0")/.."
HOSTLER_KEYCLOAK_ARCHIVE=$(tools/get-keycloak.sh "$1")
export HOSTLER_KEYCLOAK_ARCHIVE

bin/hostler lab up idp1 acme store
bin/hostler lab inventory --host-vars inventory/host_vars
bin/hostler run playbooks/site.yml -i inventory/demo.yml

printf '\nThe hosts: bin/hostler lab ls    log in: bin/hostler lab ssh idp1    throw them away: bin/hostler lab down idp1 acme store\n'
