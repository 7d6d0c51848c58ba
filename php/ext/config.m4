dnl phpize && ./configure && make && make install, as for every extension. Cargo builds it.
PHP_ARG_ENABLE([cr0sync],
  [whether to enable cr0sync],
  [AS_HELP_STRING([--disable-cr0sync], [Leave cr0sync out])],
  [yes])

if test "$PHP_CR0SYNC" != "no"; then
  AC_PATH_PROG([CARGO], [cargo], [no], [$PATH:$HOME/.cargo/bin])
  if test "$CARGO" = "no"; then
    AC_MSG_ERROR([cargo is missing: install Rust 1.88 or newer with rustup, then configure again])
  fi
  PHP_SUBST([CARGO])
  PHP_SUBST([PHP_CONFIG])
  PHP_MODULES="$PHP_MODULES \$(phplibdir)/cr0sync.so"
  PHP_ADD_MAKEFILE_FRAGMENT([$abs_srcdir/Makefile.frag], [$abs_srcdir], [$abs_builddir])
fi
