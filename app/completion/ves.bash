# bash completion for ves; the commands and options come from ves itself, so
# this file knows none of them.
_ves()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	case $prev in
	--db | --port-file | --head-file | --tls-cert | --tls-key | --tls-client-ca | --jwt-keys | --key-file | --token-file | --ca | --invite | --payload | --policy | --logs | --dir | --work | --report | --picture | --out | --tiles | --resume | --credential-file | --known | --witness-policy | --entry | --evidence | --signing-key | --admin-key-file)
		mapfile -t COMPREPLY < <(compgen -f -- "${cur#@}")
		return ;;
	--status)
		mapfile -t COMPREPLY < <(compgen -W "pending syncing synced failed conflict" -- "$cur")
		return ;;
	--strategy)
		mapfile -t COMPREPLY < <(compgen -W "accept_local accept_remote merge manual" -- "$cur")
		return ;;
	--state)
		mapfile -t COMPREPLY < <(compgen -W "open resolved all" -- "$cur")
		return ;;
	--type)
		mapfile -t COMPREPLY < <(compgen -W "concurrent_edit version_mismatch deleted_reference" -- "$cur")
		return ;;
	--only)
		mapfile -t COMPREPLY < <(compgen -W "ingest pull append million" -- "$cur")
		return ;;
	--log-format)
		mapfile -t COMPREPLY < <(compgen -W "text json" -- "$cur")
		return ;;
	--log-level)
		mapfile -t COMPREPLY < <(compgen -W "0 1 2" -- "$cur")
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
		mapfile -t COMPREPLY < <(compgen -W "$(if [ "$prev" = rules ]; then echo apply check show; else echo init invite keys revoke policy refusals metrics rules recover migrate-store trail; fi)" -- "$cur")
	elif [ "${COMP_WORDS[1]}" = keys ]; then
		mapfile -t COMPREPLY < <(compgen -W "rotate" -- "$cur")
	elif [ "${COMP_WORDS[1]}" = conflict ] && [ "$COMP_CWORD" -eq 2 ]; then
		mapfile -t COMPREPLY < <(compgen -W "show" -- "$cur")
	elif [ "${COMP_WORDS[1]}" = conflict ] || [ "${COMP_WORDS[1]}" = resolve ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(ves conflicts --json 2> /dev/null | grep -oE '"eventId":"[0-9a-f-]*"' | cut -d '"' -f 4 | sort -u)" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -o filenames -F _ves ves
