# ---- What sessions left for other programs to obey: claude-local quarantine [list | restore NAME]

manage_quarantine() {
  case ${1:-list} in
    list) list_quarantine ;;
    restore)
      [[ -n ${2:-} ]] || die 'restore needs the name of a quarantine' 'list them: claude-local quarantine'
      restore_quarantine "$2"
      ;;
    *) die 'claude-local quarantine [list | restore NAME]' ;;
  esac
}

list_quarantine() {
  local place found=''
  for place in "$STATE_DIR"/quarantine/*/; do
    [[ -d $place ]] || continue
    place=${place%/} found=yes
    printf '%s  from %q\n' "${place##*/}" "$(<"$place.workspace")"
    find "$place" -mindepth 1 ! -type d -printf '%P\0' | while IFS= read -r -d '' name; do printf '  %q\n' "$name"; done
  done
  [[ -n $found ]] || say 'nothing was put aside'
}

refuse_sessions() {
  local other neighbours
  find_neighbours
  for other in "${neighbours[@]}"; do
    ! has_wrapper "$other" || refuse_company "$(<"$other/workspace")"
    [[ ! -f $other/begun ]] || die "the last session in $(printf %q "$(<"$other/workspace")") was cut off, and nobody looked yet at what it left" \
      'start claude-local there once, which looks first'
  done
}

# Puts the files back where nothing is in their place, and while no session could put something else there.
restore_quarantine() {
  local place=$STATE_DIR/quarantine/$1 record workspace name folder
  [[ $1 != */* && -d $place ]] || die "there is no quarantine named $1" 'list them: claude-local quarantine'
  workspace=$(<"$place.workspace")
  open_record # as a session's: none begins meanwhile
  refuse_sessions
  while IFS= read -r -d '' name; do
    folder=$workspace/$name folder=${folder%/*}
    # A later session may have put a link where the folder was.
    if [[ $(realpath --canonicalize-missing -- "$folder/.") != "$folder" ]]; then
      say "the folder of $(printf %q "$name") is elsewhere now; it stays in $(printf %q "$place")"
      continue
    fi
    mkdir -p -- "$folder"
    if [[ -e $workspace/$name || -L $workspace/$name ]]; then
      say "$(printf %q "$name") is there again already; yours stays, the other is $(printf %q "$place/$name")"
    else
      mv --no-target-directory -- "$place/$name" "$workspace/$name"
    fi
  done < <(find "$place" -mindepth 1 ! -type d -printf '%P\0')
  find "$place" -depth -type d -empty -delete
  [[ -d $place ]] || rm -f "$place.workspace"
}
