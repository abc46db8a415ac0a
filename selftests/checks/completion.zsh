# SPDX-License-Identifier: GPL-2.0
#
# usage: zsh -f completion.zsh WORD...
# Prints what _ctx, asked about the last WORD, hands to zsh's own functions, one a line.

_call_program() { eval "$argv[2,-1]" }
_describe() { print -rl -- ${(P)@[-1]} }
_arguments() { print -rl -- "$@" }
_alternative() { _ctx_verbs; print -l -- --help --version }

words=("$@")
CURRENT=$#
source tools/completion/_ctx
