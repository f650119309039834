# The report that the user reads after a session.
# Copied to build/ by `invoke render`: change it in templates/.

# Adds to listed one line per changed file that the user should know of. If there are many, it describes only some.
describe_notes() {
  local path line target
  local -i asked=0 more=0
  for path in "${!notes[@]}"; do
    if ((${#listed[@]} >= 20 || asked >= 200)); then
      more+=1
      continue
    fi
    case ${notes[$path]} in
      l\ *)
        asked+=1
        target=$(realpath --canonicalize-missing -- "$workspace/$path")
        ! contains "$workspace" "$target" || continue
        printf -v line '%q is a link that leads out of the workspace, to %q' "$path" "$target"
        ;;
      [bcps]\ *) printf -v line '%q is not a regular file' "$path" ;;
      f\ [0-9][0-9][0-9][0-9]) printf -v line '%q has special permissions (%s)' "$path" "${notes[$path]#f }" ;;
      *)
        printf -v line '%q is executable' "$path"
        ! is_run_on_purpose "$path" || line=${line% is executable}
        ;;
    esac
    listed+=("$line")
  done
  ((more == 0)) || listed+=("… and up to $more more")
}

is_run_on_purpose() {
  local LC_ALL=C
  [[ /$1 =~ ^$RUN_ON_PURPOSE$ ]]
}

# report QUARANTINE: names the files that were put aside, those that could not be, and those to read before use.
report() {
  if [[ ${#moved[@]} -gt 0 ]]; then
    say "${#moved[@]} file(s) that other programs run or follow without asking were moved out of the workspace:"
    list_some "${moved[@]}"
    printf '  read them in %q\n  take them back: claude-local quarantine restore %s\n' "$1" "${1##*/}" >&2
  fi
  if [[ ${#stuck[@]} -gt 0 ]]; then
    say 'other programs also run or follow these, but they cannot be moved; delete them:'
    list_some "${stuck[@]}"
  fi
  if [[ ${#removed[@]} -gt 0 ]]; then
    say 'removed from the repository, because git would have followed them:'
    list_some "${removed[@]}"
  fi
  [[ ${#listed[@]} -gt 0 ]] || return 0
  say 'changed in this session; read them before you build, test or run:'
  printf '  %s\n' "${listed[@]}" >&2
}

list_some() {
  printf '  %q\n' "${@:1:20}" >&2
  (($# <= 20)) || printf '  … and %s more\n' "$(($# - 20))" >&2
}
