# Everything a person types. `make demo` and `make test` need nothing but this checkout and Rust: what else is
# missing is installed first (apt), or named. No rule here knows what the software does.

# Where `install` puts things: below DESTDIR, for packagers; the library and the scripts below PREFIX.
DESTDIR =
PREFIX = /usr/local
# Which PHP `build`, `install` and `uninstall` are for: PHP_CONFIG=/opt/php/bin/php-config, else the php-config of PATH.
# Where `install-system` lays out the whole system, where its website is, and whose it is.
ROOT = /data/cr0_system
WEB = /var/www/html
OWNER = cr0
GROUP = www-data
# Options of `bench`, see benches/README.md: BENCH='--rows 5000000', BENCH=--quick.
BENCH =
# Where `admin-demo` serves its pages; a free port unless given.
PORT =

.PHONY: help build library demo admin-demo test test-valgrind install-test bench install install-strip uninstall \
	install-system uninstall-system clean packages

help:
	@echo 'make demo      build, then watch three sides of a small infrastructure become one'
	@echo 'make admin-demo   build, then serve the admin pages on what the demo left, until Ctrl-C (PORT=8480)'
	@echo 'make test      build, then run every test'
	@echo 'make test-valgrind   build, then run the tests of the extension under valgrind, which takes long'
	@echo 'make install-test    install everything in clean systems of Debian 12 and trixie, and boot one (as root; some minutes)'
	@echo 'make bench     measure beside sqldiff, Unison, rsync, AIDE, Symfony and others, and report it (BENCH=--quick)'
	@echo 'make build     build the PHP extension: build/cr0sync.so'
	@echo 'make library   build the C library: build/library'
	@echo 'make install   put extension, scripts and C library in their places (DESTDIR and PREFIX are honoured)'
	@echo 'make install-strip    the same without what only debuggers read, a sixth of the size'
	@echo 'make uninstall take them away again'
	@echo 'make install-system   lay out the directories and cron scripts of the whole system (ROOT, WEB, OWNER, GROUP)'
	@echo 'make uninstall-system take its scripts away again; data stays'
	@echo 'make clean     remove what was built, and the playground of the demo'
	@echo 'PHP_CONFIG=/opt/php/bin/php-config after build, install and uninstall: for that PHP'

build: packages
	@sh .ci/extension

library: packages
	@sh .ci/library

demo: build
	@python3 -B tests/demo/demo.py

admin-demo: build
	@python3 -B tests/demo/admin.py $(if $(PORT),--port $(PORT))

test: build library
	@sh .ci/packages test
	@sh tests/run.sh

test-valgrind: build
	@sh .ci/packages test
	@sh php/tests/run.sh --valgrind build/cr0sync.so

install-test:
	@sh .ci/packages install-test
	@python3 -B tests/install/install.py

bench: build
	@sh .ci/packages bench
	@python3 -B benches/databases $(BENCH)

# Builds nothing, as it mostly runs as root.
install:
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" sh .ci/install install

install-strip:
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" STRIP=yes sh .ci/install install

uninstall:
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" sh .ci/install uninstall

install-system:
	@DESTDIR="$(DESTDIR)" ROOT="$(ROOT)" WEB="$(WEB)" OWNER="$(OWNER)" GROUP="$(GROUP)" sh .ci/install-system install

uninstall-system:
	@DESTDIR="$(DESTDIR)" ROOT="$(ROOT)" WEB="$(WEB)" OWNER="$(OWNER)" GROUP="$(GROUP)" sh .ci/install-system uninstall

clean:
	rm -rf build demo
	cargo clean

packages:
	@sh .ci/packages
