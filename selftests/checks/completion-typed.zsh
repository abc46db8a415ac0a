# SPDX-License-Identifier: GPL-2.0
#
# usage: zsh -f completion-typed.zsh DIR TEXT
# Types TEXT and a tab into a zsh of its own, with compinit and all the rest, and prints
# what the line is then. DIR is for files of that zsh.

zmodload zsh/zpty

# ^G says what the line is, and ends it.
print -r -- "
PS1=READY
fpath=(${(q)PWD}/tools/completion \$fpath)
autoload -Uz compinit
compinit -u -d ${(q)1}/dump
tell() { print -r -- \"<\$BUFFER>\"; exit }
zle -N tell
bindkey '^G' tell
" > $1/.zshrc

zpty typed "TERM=dumb ZDOTDIR=${(q)1} zsh -d -i"
zpty -r typed part '*READY*'
zpty -w -n typed "$2"$'\t\a'
output=
while zpty -r typed part; do
	output+=$part
done
print -r -- "${${output##*<}%%>*}"
