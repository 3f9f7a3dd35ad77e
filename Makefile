# gladhand: `make demo` shows the whole story, `make test` runs every test. Both install what is missing.

CARGO  ?= cargo
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
SDK    := $(TARGET)/venv
SUDO   := $(if $(filter 0,$(shell id -u)),,sudo)

export CARGO_TARGET_DIR := $(TARGET)

# $(call apt,COMMAND,PACKAGES): installs them unless the command succeeds.
apt = @$(1) >/dev/null 2>&1 || { echo "installing $(2)"; $(SUDO) apt-get update -qq && \
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(2) >/dev/null; }

ARCHITECTURES := amd64 arm64 armhf
PACKAGES      := $(addprefix deb-,$(ARCHITECTURES))

.PHONY: help demo test lint deny docs ci nightly powercut bench instructions deps sdk prism clean lintian reproducible $(PACKAGES) \
	boot-test boot-arm64 test-arm64 test-armhf

help: ## what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: deps ## one machine, no account: from a trailer left behind to one phone call
	$(CARGO) run --locked -- demo

test: deps sdk ## every test: unit, property, integration, the vendor's own SDK
	@tests/summary $(CARGO) test --locked --no-fail-fast
	@tests/summary $(CARGO) test --locked --no-default-features --test service_manager

lint: deps ## format and clippy, warnings denied
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --all-targets --no-default-features -- -D warnings

# Advisories come over the network; DENY="bans licenses sources" leaves them out.
DENY ?= advisories bans licenses sources

deny: ## dependencies: advisories, licences, sources, what must not come in
	@$(CARGO) deny --version >/dev/null 2>&1 || { echo "first: cargo install --locked cargo-deny"; exit 1; }
	$(CARGO) deny --all-features --locked check $(DENY)

docs: deps ## the documentation builds without a warning
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

ci: lint docs test ## what must hold for every change

nightly: deps sdk ## the same at length: 100,000 histories, every scenario over 200 seeds, 500 kills, 50,000 calls; 300 power cuts if there is the kit; then ARM
	GLADHAND_HISTORIES=100000 GLADHAND_SEEDS=200 GLADHAND_ORDERS=48 GLADHAND_KILLS=500 GLADHAND_LIVES=50000 tests/summary $(CARGO) test --locked --profile long --no-fail-fast
	@if test -n "$$GLADHAND_POWERCUT"; then GLADHAND_CUTS=300 $(MAKE) powercut; \
		else echo "no power cuts: GLADHAND_POWERCUT does not name the directory of the kit"; fi
	$(MAKE) reproducible deb-arm64 deb-armhf lintian test-armhf boot-arm64 test-arm64

powercut: deps ## the daemon under 3,000 power cuts for each model of a disk, 1,800 during recovery, 600 damages
	nice $(CARGO) test --locked --profile long --test store_power_cuts -- --ignored --nocapture no_cut

bench: deps ## every figure beside its goal, and other stacks on the same stream; GLADHAND_BENCH=quick in a few minutes
	$(call apt,command -v mosquitto_sub,mosquitto-clients)
	CARGO="$(CARGO)" bench/run.sh

instructions: deps ## what decoding and deciding a report takes may not grow by more than 5 %
	$(call apt,command -v valgrind,valgrind)
	$(CARGO) bench --locked --bench instructions

deb-amd64: ## the Debian package, and a tarball for other systems; deb-arm64 and deb-armhf likewise
$(PACKAGES): deb-%: deps $(TARGET)/tools/bin/cargo-deb
	.ci/package $*

lintian: ## what Debian's checker says of the packages that were built
	$(call apt,command -v lintian,lintian)
	lintian --allow-root --fail-on error,warning --tag-display-limit 0 $(TARGET)/package/gladhand_*.deb

boot-test: deb-amd64 ## installs the package in a fresh Debian, boots it, and has it crash, reload, be upgraded and purged; as root
	$(call apt,command -v mmdebstrap,mmdebstrap)
	$(SUDO) tests/appliance/boot $(TARGET) amd64

boot-arm64: deb-arm64 ## the same with everything in it for arm64, systemd included, under qemu's user emulation
	$(call apt,command -v mmdebstrap && command -v arch-test,mmdebstrap arch-test)
	$(SUDO) .ci/arm arm64 tests/appliance/boot $(TARGET) arm64

test-arm64: deps sdk ## every test, built for arm64 and run under qemu
	@.ci/arm arm64 tests/summary $(CARGO) test --locked --no-fail-fast

test-armhf: deps ## unit tests, the store's and the demo, built for armhf and run under qemu
	@.ci/arm armhf tests/summary $(CARGO) test --locked --no-fail-fast --lib --test demo_story \
		$(patsubst tests/%.rs,--test %,$(filter-out tests/store_power_cuts.rs,$(wildcard tests/store_*.rs)))

reproducible: deb-amd64 ## builds the commit once more, at another place, and compares
	rm -rf $(TARGET)/reproducible
	mkdir -p $(TARGET)/reproducible/target
	cp -r $(TARGET)/tools $(TARGET)/reproducible/target/
	git clone --quiet . $(TARGET)/reproducible/clone
	$(MAKE) -C $(TARGET)/reproducible/clone CARGO_TARGET_DIR=$(TARGET)/reproducible/target deb-amd64
	cd $(TARGET)/reproducible/target/package && sha256sum * | tee /dev/stderr | (cd $(TARGET)/package && sha256sum --check -)

$(TARGET)/tools/bin/cargo-deb:
	$(CARGO) install --quiet --locked cargo-deb --version 3.8.0 --root $(TARGET)/tools --target-dir $(TARGET)/tools/build
	rm -rf $(TARGET)/tools/build

# Debian's packages that building and testing need, and the file by which each is known to be there.
deps:
	@missing=""; \
	test -x /usr/sbin/mosquitto || command -v mosquitto >/dev/null || missing="$$missing mosquitto"; \
	command -v pkg-config >/dev/null || missing="$$missing pkg-config"; \
	command -v cc >/dev/null || missing="$$missing gcc libc6-dev"; \
	pkg-config --exists libsystemd 2>/dev/null || missing="$$missing libsystemd-dev"; \
	test -e /etc/ssl/certs/ca-certificates.crt || missing="$$missing ca-certificates"; \
	command -v systemd-analyze >/dev/null || missing="$$missing systemd"; \
	test -z "$$missing" || { echo "installing$$missing"; \
		$(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; }

# The vendor's SDK for Python, the second opinion on every byte that we send.
sdk: $(SDK)/ready

# Anew when the line below may have changed.
$(SDK)/ready: Makefile
	@python3 -c 'import venv, ensurepip' 2>/dev/null || { \
		$(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null; }
	python3 -m venv --clear $(SDK)
	$(SDK)/bin/pip install --quiet --disable-pip-version-check 'elevenlabs>=2.78,<3' 'prometheus-client>=0.20,<1'
	@touch $@

# A server made of the vendor's schema, which refuses what the schema does not have. Needs Node.js.
PRISM := $(TARGET)/prism

prism: $(PRISM)/ready ## our client against a server made of the vendor's schema (needs npm)
	$(CARGO) test --locked --test vendor_prism -- --nocapture

$(PRISM)/ready:
	@mkdir -p $(PRISM)
	npm install --silent --no-audit --no-fund --prefix $(PRISM) @stoplight/prism-cli@5.16.0
	@touch $@

clean: ## forget everything that was built
	$(CARGO) clean
