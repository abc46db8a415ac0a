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

# _ctx_argument VERB WORD: what an option takes from the word behind it, or nothing. Of
# several letters that is the last one, unless one before it takes the rest.
_ctx_argument()
{
	_ctx_options "$1" | awk -v word="$2" '
		{ takes[$1] = $2 }
		END {
			while (word ~ /^-[^-]./ && !takes[substr(word, 1, 2)])
				word = "-" substr(word, 3)
			print takes[word]
		}'
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

# _ctx_command_at VERB: the word at which the command of run and exec begins, or would
# now; 0 where an option's argument or an ID is expected, -1 where the DURATION that
# comes after the options is: see is_after_options() in run.c.
_ctx_command_at()
{
	local verb=$1 i word next argument durations=0 ids=0 at

	[[ $verb != exec ]] || ids=1
	for ((i = 2; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]} next=${COMP_WORDS[i + 1]}
		[[ $word != -- ]] || { i=$((i + 1)); break; }
		[[ $word == -?* ]] || break
		argument=$(_ctx_argument "$verb" "$word")
		if [[ $next == = ]]; then
			i=$((i + 2))
		elif [[ $argument && $word == -*t && $next == -* && $next != -[0-9]* ]]; then
			durations=1
		elif [[ $argument ]]; then
			i=$((i + 1))
		fi
	done
	at=$((i + durations + ids))
	if [[ $i -gt $COMP_CWORD ]]; then
		echo 0
	elif [[ $((i + durations)) -gt $COMP_CWORD ]]; then
		echo -1
	elif [[ $at -gt $COMP_CWORD ]]; then
		echo 0
	elif [[ $verb == exec && $at -lt $COMP_CWORD && ${COMP_WORDS[at]} == -- ]]; then
		echo $((at + 1))
	else
		echo $at
	fi
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
	local verb=${COMP_WORDS[1]} argument="" at=0 words=""

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
		[[ $at -lt 0 ]] || argument=$(_ctx_argument "$verb" "$prev")
		if [[ $at -gt 0 && $at -le $COMP_CWORD && $cur != -* && -z $argument ]] ||
			[[ $at -gt 0 && $at -lt $COMP_CWORD ]]; then
			_ctx_command "$at"
			return
		elif [[ $argument && $argument != \[* ]]; then
			words=$(_ctx_words "$argument")
		elif [[ $cur == -* ]]; then
			words=$(_ctx_options "$verb" | sed 's/ .*//')
		elif [[ $at -ge 0 ]]; then
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
