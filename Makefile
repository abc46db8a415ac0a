# SPDX-License-Identifier: GPL-2.0
#
# For people. The modules themselves are described in Kbuild, which any
# "make -C KDIR M=$PWD modules" reads.

KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build
PREFIX ?= /usr/local

# The command of "make run" is the user's text, not make's: it goes on unexpanded.
export CTX_CMD := $(value CMD)
export CTX_SCENE := $(value SCENE)
export CTX_TIMEOUT := $(value TIMEOUT)
unexport CMD SCENE TIMEOUT
# ... and what a script makes is not concerned with this make's variables.
script := @env -u MAKEFLAGS -u MFLAGS selftests/vm

all: modules tools

modules: $(KDIR)/Makefile
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

$(KDIR)/Makefile:
	@echo "No kernel headers in $(KDIR): install linux-headers-$(KVER), or say KDIR=" >&2
	@exit 1

tools:
	$(MAKE) -C tools all

install:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install
	depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) $(KVER)
	$(MAKE) -C tools install

run shell:
	$(script)/$@

test:
	$(script)/test full

test-intree test-deb:
	$(script)/test $(@:test-%=%)

test-quick:
	$(script)/test quick

check:
	$(script)/test check

matrix torture fuzz faults soak:
	$(script)/$@

intree patches:
	@[ -n "$(KSRC)" ] || { echo "Say KSRC=: the directory of a kernel's source" >&2; exit 1; }
	@packaging/intree/$@ "$(KSRC)"

deb:
	@packaging/deb

bench:
	@env -u MAKEFLAGS -u MFLAGS selftests/bench/bench

bench-quick:
	@env -u MAKEFLAGS -u MFLAGS selftests/bench/bench --quick

bench-keep:
	@env -u MAKEFLAGS -u MFLAGS selftests/bench/bench --keep

coverage:
	$(script)/coverage

mutants:
	@env -u MAKEFLAGS -u MFLAGS selftests/mutants/run -n 300

clean:
	rm -rf build
	$(MAKE) -C tools clean
	[ ! -e $(KDIR) ] || $(MAKE) -C $(KDIR) M=$(CURDIR) clean

help:
	@echo 'make              build the modules for the running kernel, ctx and libctx'
	@echo 'make install      install them, <linux/ctx.h> and <libctx.h> (as root)'
	@echo '                  KVER=, KDIR=: for another kernel; PREFIX=: default $(PREFIX)'
	@echo
	@echo 'In a virtual machine, with nothing installed but packages:'
	@echo 'make run          boot Debian'"'"'s kernel, and watch threads and processes being cancelled'
	@echo 'make run SCENE=NAME        only that scene, of those in selftests/scene/scenes'
	@echo 'make run CMD=...  run a shell command there under a context; TIMEOUT=5s: with a deadline'
	@echo 'make shell        a shell there, with the module loaded'
	@echo
	@echo 'make test         the tests, on three kernels (most of an hour, the first time)'
	@echo 'make test-quick   those that take less than a minute'
	@echo 'make check        the static checks only'
	@echo 'make test-intree  ctx as a part of the kernel: kunit.py, on UML and x86_64'
	@echo 'make test-deb     the Debian packages, in a Debian system that is installed for it'
	@echo 'make matrix       the tests on more kernels, as a table'
	@echo 'make torture      two minutes of random operations with sanitizers; for longer, other'
	@echo '                  kernels and an earlier seed: selftests/vm/torture --help'
	@echo 'make fuzz         five minutes of programs that a fuzzer makes up, with sanitizers; for'
	@echo '                  longer, and other kernels: selftests/vm/fuzz --help'
	@echo 'make faults       each allocation of the module failing in turn, and a table of them'
	@echo 'make soak         two minutes of processes that are killed while they hold contexts, with'
	@echo '                  little memory; for longer: selftests/vm/soak --help'
	@echo 'make bench        what contexts cost, next to what they can be compared with; plots'
	@echo 'make bench-quick  the same without the big sizes'
	@echo 'make bench-keep   the same as make bench, kept in Documentation/performance'
	@echo 'make coverage     which lines and branches of the module the tests reach'
	@echo 'make mutants      how many of 300 one-line mistakes in it they notice (hours)'
	@echo
	@echo 'make deb               Debian packages: ctx-dkms, libctx0, libctx-dev, ctx-tools; in build/deb'
	@echo 'make intree KSRC=DIR   put ctx into the kernel sources in DIR, as a part of them'
	@echo 'make patches KSRC=DIR  the same as a series of patches, in build/patches'
	@echo
	@echo 'make clean        remove what was built here; kernels stay in the cache'

.PHONY: all modules tools install run shell test test-deb test-intree test-quick check matrix torture \
	fuzz faults soak deb intree patches bench bench-quick bench-keep coverage mutants clean help
