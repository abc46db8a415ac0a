# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Completion of ctx(1) for bash. Verbs and options are those that --help has, so
# that nothing here can be out of date. Works with bash-completion and without.

# The verbs of --help.
_ctx_verbs()
{
	ctx --help 2> /dev/null | sed -n 's/^  \([a-z][a-z]*\)   *[^ ].*/\1/p'
}

# _ctx_options VERB: what stands in front of --help's descriptions, an option a line,
# with its argument: "-t DURATION", "--timeout DURATION", "--watch [DURATION]".
_ctx_options()
{
	ctx "$1" --help 2> /dev/null | awk '
		/^ +(-[a-z], )?--[a-z]/ {
			sub(/^ +/, "")
			sub(/  .*/, "")
			sub(/\[=/, " [")
			if (sub(/,/, ""))
				print $1, $3
			print $2 ~ /^--/ ? $2 " " $3 : $1 " " $2
		}'
}

# _ctx_argument VERB OPTION: what that option takes, or nothing.
_ctx_argument()
{
	_ctx_options "$1" | awk -v option="$2" '$1 == option { print $2 }'
}

# The numbers of the contexts there are.
_ctx_ids()
{
	ctx tree --all 2> /dev/null | sed -n 's/^[^0-9]*\([0-9][0-9]*\) .*/\1/p'
}

# _ctx_words KIND: what an argument called KIND can be.
_ctx_words()
{
	case $1 in
	ID)
		_ctx_ids
		;;
	SIGNAL)
		compgen -A signal | sed -n 's/^SIG//p'
		;;
	CAUSE)
		echo ECANCELED EINTR EIO EPIPE ENODEV ENOSPC ETIMEDOUT ECONNRESET EOWNERDEAD ESHUTDOWN
		;;
	EVENT)
		echo derive cancel expire "done" release on_done
		;;
	KEY)
		echo left user below new id
		;;
	FD)
		(cd /proc/$$/fd && echo *)
		;;
	esac
}

# The word at which the command of run and exec begins, or where it would.
_ctx_command_at()
{
	local verb=$1 i argument ids=0

	[[ $verb != exec ]] || ids=1
	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--)
			echo $((i + 1))
			return
			;;
		-*)
			argument=$(_ctx_argument "$verb" "${COMP_WORDS[i]}")
			[[ ${COMP_WORDS[i + 1]} != = ]] || { i=$((i + 2)); continue; }
			[[ -z $argument ]] || i=$((i + 1))
			;;
		*)
			[[ $ids -gt 0 ]] || break
			ids=$((ids - 1))
			;;
		esac
	done
	# Nothing of a command yet, but an ID is missing.
	[[ $ids -eq 0 ]] || { echo 0; return; }
	echo "$i"
}

# _ctx_command WORD: completes as if the command line began with that word.
_ctx_command()
{
	if declare -F _command_offset > /dev/null; then
		_command_offset "$1"
	elif [[ $COMP_CWORD -eq $1 ]]; then
		readarray -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
	else
		readarray -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
	fi
}

_ctx()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local verb=${COMP_WORDS[1]} argument at=0 words

	COMPREPLY=()
	if [[ $COMP_CWORD -eq 1 ]]; then
		words="$(_ctx_verbs) --help --version"
	else
		# "--cause=E" is three words here.
		[[ $cur != = ]] || cur=
		[[ $prev != = ]] || prev=${COMP_WORDS[COMP_CWORD - 2]}
		case $verb in
		run | exec)
			at=$(_ctx_command_at "$verb")
			;;
		esac
		argument=$(_ctx_argument "$verb" "$prev")
		if [[ $at -gt 0 && $at -le $COMP_CWORD && $cur != -* && -z $argument ]] ||
			[[ $at -gt 0 && $at -lt $COMP_CWORD ]]; then
			_ctx_command "$at"
			return
		elif [[ $argument && $argument != \[* ]]; then
			words=$(_ctx_words "$argument")
		elif [[ $cur == -* ]]; then
			words=$(_ctx_options "$verb" | sed 's/ .*//')
		else
			case $verb in
			exec | tree | info | wait | cancel | trace)
				words=$(_ctx_ids)
				;;
			esac
		fi
	fi
	readarray -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _ctx ctx
