# `make` alone lists what there is. CI runs the same targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export PATH := $(HOME)/.cargo/bin:$(PATH)

cache := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/hostler
export HOSTLER_ORACLE ?= $(cache)/oracle
export HOSTLER_ARCHIVES ?= $(cache)/archives
keycloak := 26.7.3

# Lab hosts need root. As another user, only what boots them runs under sudo: what is built stays the user's.
root := $(shell id -u | grep -qx 0 || echo 'sudo env PATH=$(PATH) HOSTLER_ORACLE=$(HOSTLER_ORACLE) HOSTLER_ARCHIVES=$(HOSTLER_ARCHIVES)')
triple := x86_64-unknown-linux-gnu
as_root := $(if $(root),--config 'target.$(triple).runner = "$(root)"')
built := $(or $(CARGO_TARGET_DIR),target)/$(triple)/release/hostler
links := ansible-playbook ansible ansible-vault ansible-inventory ansible-doc ansible-config

.PHONY: help setup build demo unit test conformance bench fmt clippy clean

help: ## list these targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

setup: ## install what is missing: Debian packages, the Rust toolchain
	@tools/setup.sh

build: setup ## build bin/hostler, and beside it the links with Ansible's names
	cargo build --release
	@mkdir -p bin
	@install -m 0755 $(built) bin/.hostler.new && mv bin/.hostler.new bin/hostler
	@for link in $(links); do ln -sfn hostler bin/$$link; done

demo: build ## three lab hosts, and on one of them everything up to a Keycloak login
	@tools/get-keycloak.sh $(keycloak) >/dev/null
	@$(root) tools/demo.sh $(keycloak)

unit: setup ## the quick tests: no root, no lab, no network
	cargo test --lib

test: setup ## every test, on lab hosts and with the real parts; the reference is real ansible-core
	@tools/setup.sh browser
	@tools/oracle.sh >/dev/null
	@tools/get-keycloak.sh $(keycloak) >/dev/null
	cargo test $(as_root)

conformance: build ## the reference's own tests against bin/ (TARGETS="copy file" for some of them)
	@$(root) conformance/run.sh $(TARGETS)

bench: build ## measure beside Ansible, Mitogen, pyinfra and a shell script; writes docs/performance.md
	@$(root) bench/run.sh

fmt: ## format the code
	cargo fmt --all

clippy: ## what the code must satisfy: format and lints
	cargo fmt --all --check
	cargo clippy --all-targets -- -D warnings

clean: ## remove what was built; hosts and caches stay
	cargo clean
	rm -rf bin
