# The extension is what cargo builds for the PHP of this phpize. Cargo knows what has changed.
CR0SYNC_TARGET = $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),$(top_srcdir)/../../target)

$(phplibdir)/cr0sync.so: cr0sync-cargo
	@mkdir -p $(phplibdir)
	@cp "$(CR0SYNC_TARGET)/release/libcr0sync_php.so" $@

cr0sync-cargo:
	cd $(top_srcdir)/../.. && PHP="$(PHP_EXECUTABLE)" PHP_CONFIG="$$(command -v "$(PHP_CONFIG)")" "$(CARGO)" build --release --locked -p cr0sync-php

.PHONY: cr0sync-cargo
