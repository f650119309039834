# Claude Code's own commands, such as `mcp add`: they need no model, and change the settings of our sessions.
# Copied to build/ by `invoke render`: change it in templates/.

# Those that do not start a session.
readonly SUBCOMMANDS=' mcp plugin plugins doctor install update upgrade auth setup-token auto-mode project purge import '

# Whether Claude Code's arguments are one of its commands, not a prompt.
is_subcommand() {
  [[ -n ${rest[0]:-} && $SUBCOMMANDS == *" ${rest[0]} "* ]]
}

# Changes rest so that a command changes what our sessions read, or dies if that is not possible. They read only the
# scope `user`: the scopes `local` and `project` belong to the project, which is not trusted.
check_subcommand() {
  local words="${rest[*]:0:3} " scope
  [[ $words != 'config '@(get|set|add|list|ls|remove|rm)' '* ]] \
    || die "Claude Code has no command \`config\`" 'change preferences with /config in a session: claude-local --sandbox off'
  [[ $words == @(mcp|plugin|plugins)' '* ]] || return 0
  [[ $sandbox != @(jail|container) ]] || refuse_lost_change "$words"
  scope=$(requested_scope)
  [[ $scope != @(local|project) ]] \
    || die "claude-local does not read the scope \`$scope\`, which belongs to the project" 'use --scope user, the default here'
  if [[ -z $scope && $words == 'mcp '@(add|add-json|add-from-claude-desktop)' '* ]]; then
    rest=("${rest[@]:0:2}" --scope user "${rest[@]:2}")
  fi
}

# Prints the value of --scope in rest. After `--` come the arguments of a server.
requested_scope() {
  local -i i
  for ((i = 2; i < ${#rest[@]}; i++)); do
    case ${rest[i]} in
      --) return ;;
      -s | --scope) printf '%s' "${rest[i + 1]:-}" ;;
      --scope=*) printf '%s' "${rest[i]#--scope=}" ;;
      -s?*) printf '%s' "${rest[i]#-s}" ;;
    esac
  done
}

# refuse_lost_change WORDS: dies if a command changes settings that a confined session can only read.
refuse_lost_change() {
  local line
  if [[ $1 == 'mcp '@(list|get|serve|help|)' '* || $1 == @(plugin|plugins)' '@(list|details|validate|help|eval|marketplace list|)' '* ]]; then
    return 0
  fi
  [[ " ${rest[*]} " != *' '@(-h|--help)' '* ]] || return 0
  printf -v line ' %q' "${rest[@]}"
  die "\`${rest[*]:0:2}\` changes settings that a confined session can only read" "use: claude-local --sandbox off$line"
}
