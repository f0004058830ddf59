#!/bin/sh
# Installs what building and testing Hostler needs, where it is missing: Debian packages, and the Rust toolchain.
# Quick when all is there. Debian 12 or 13, as root or with sudo.
# Usage: setup.sh            what building needs
#        setup.sh browser    what the tests need on top of it: a browser, and what drives it
set -eu
cd "$(dirname "$0")/.."

packages="ca-certificates curl gcc iproute2 libc6-dev make mmdebstrap mount nftables openssh-client python3-venv systemd-container util-linux"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

say() { printf '%s\n' "setup: $*"; }

# apt-get, quiet unless it fails; it waits for another apt instead of giving up.
apt() {
  log=$(mktemp)
  if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    say "apt-get $* failed; mend what it says above and run this again" >&2
    exit 1
  fi
  rm -f "$log"
}

install_missing() {
  missing=
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  say "installing$missing"
  apt update
  # shellcheck disable=SC2086  # a list of words
  apt install --no-install-recommends $missing
}

install_rust() {
  PATH="$HOME/.cargo/bin:$PATH"
  export PATH
  if ! command -v cargo >/dev/null && ! command -v rustup >/dev/null; then
    if apt-cache policy rustup | grep -q 'Candidate: [0-9]'; then
      install_missing rustup
    else
      # Debian 12 has no package of it: the Rust project's own installer, without touching the user's profile.
      say "installing rustup"
      curl --proto '=https' --tlsv1.2 -sSf https://static.rust-lang.org/rustup/rustup-init.sh | sh -s -- -q -y --no-modify-path --profile minimal --default-toolchain none
    fi
  fi
  # Without rustup the user's own cargo is taken as it is; `rust-version` in Cargo.toml refuses one that is too old.
  command -v rustup >/dev/null || return 0
  channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
  if ! rustup toolchain list | grep -q "^$channel"; then
    say "installing Rust $channel"
    rustup -q toolchain install "$channel" --no-self-update --profile minimal --component rustfmt --component clippy
  fi
}

case ${1-} in
  browser)
    install_missing chromium chromium-driver
    ;;
  *)
    # shellcheck disable=SC2086  # a list of words
    install_missing $packages
    install_rust
    ;;
esac
