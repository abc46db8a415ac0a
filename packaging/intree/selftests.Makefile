# SPDX-License-Identifier: GPL-2.0
#
# First run: make -C ../../../.. headers_install

CFLAGS += -Wall -O2 -pthread $(KHDR_INCLUDES)

LOCAL_HDRS += $(wildcard *.h)
TEST_GEN_PROGS := $(patsubst %.c,%,$(wildcard *_test.c))

include ../lib.mk
