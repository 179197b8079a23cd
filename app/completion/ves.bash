# bash completion for ves; the commands and options come from ves itself, so
# this file knows none of them.
_ves()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	case $prev in
	--db | --port-file | --tls-cert | --tls-key | --key-file | --token-file | --ca | --invite | --payload)
		mapfile -t COMPREPLY < <(compgen -f -- "${cur#@}")
		return ;;
	--status)
		mapfile -t COMPREPLY < <(compgen -W "pending syncing synced failed conflict" -- "$cur")
		return ;;
	--format)
		mapfile -t COMPREPLY < <(compgen -W "online-retail" -- "$cur")
		return ;;
	esac
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(ves --help | sed -n 's/^  \([a-z]*\) .*/\1/p') --help --version" -- "$cur")
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(ves "${COMP_WORDS[1]}" --help | sed -n 's/^  \(--[a-z0-9-]*\).*/\1/p')" -- "$cur")
	elif [ "${COMP_WORDS[1]}" = admin ]; then
		mapfile -t COMPREPLY < <(compgen -W "invite keys revoke refusals metrics" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -o filenames -F _ves ves
