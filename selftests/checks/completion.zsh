# SPDX-License-Identifier: GPL-2.0
#
# usage: zsh -f completion.zsh WORD...
#        zsh -f completion.zsh --ids
# Prints what _ctx, asked about the last WORD, hands to zsh's own functions, one a line;
# or what it says of contexts, of which there are three then.

_call_program() { eval "$argv[2,-1]" }
_describe() { print -rl -- ${(P)@[-1]} }
_arguments() { print -rl -- "$@" }
_alternative() { _ctx_verbs; print -l -- --help --version }

if [[ $1 = --ids ]]; then
	ctx() {
		print -l 'ID      USER  STATE      LEFT  CAUSE  BY        PID  COMMAND' \
			'12      www2  live       2m3s  -      -           -  [ctx]' \
			'├─345   root  cancelled     -  EIO    ctx[142]  131  sh build.sh' \
			'│ └─67  root  live          -  -      -           -  [sleep]'
	}
	words=(ctx cancel "") CURRENT=3
	_describe() { [[ $2 != contexts ]] || print -rl -- ${(P)@[-1]} }
	_arguments() { _ctx_ids }
else
	words=("$@")
	CURRENT=$#
fi
source tools/completion/_ctx
