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

state=${HOSTLER_STATE_DIR:-$HOME/.local/share/hostler/demo}
address=$(sed -n 's/^ansible_host: //p' inventory/host_vars/idp1/lab.yml)
# Who came by sudo needs it again for what is root's.
sudo=${SUDO_USER:+sudo }
cat <<END

Keycloak is at  https://idp.lab.test/  (realm demo)
  this machine finds it with   echo "$address idp.lab.test" | ${sudo}tee -a /etc/hosts
  its test CA is in            $state/acme-root.pem
    for this shell             ${sudo}curl --cacert $state/acme-root.pem https://idp.lab.test/realms/demo
    for this machine           ${sudo}cp $state/acme-root.pem /usr/local/share/ca-certificates/hostler-lab.crt && ${sudo}update-ca-certificates
  log in as                    ada
  with the first password      ${sudo}cat $state/demo-first-password      (it asks for a new one)

The hosts   ${sudo}bin/hostler lab ls          log in  ${sudo}bin/hostler lab ssh idp1
again       make demo                   away    ${sudo}bin/hostler lab down idp1 acme store
END
