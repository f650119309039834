# After a session: puts new files that other programs obey aside, and names the rest.
# Copied to build/ by `invoke render`: change it in templates/.

declare -gA before=()
moved=() stuck=() listed=() removed=()

# audit_after: moves new or changed files that other programs obey out of the workspace, and names the rest. Fails if it
# could not list the workspace: then the record is needed again.
audit_after() {
  local path quarantine folder='' began='' pid=${record##*/}
  if read_scan "$record/before" && read_scan "$record/before.repositories"; then
    for path in "${!entries[@]}"; do before[$path]=${entries[$path]}; done
  else
    began=$(find "$record/stamp" -printf %T@)
  fi
  [[ -r $workspace && -x $workspace ]] || chmod u+rwx -- "$workspace" 2>/dev/null || true # a session may have changed its mode
  look "$record" "$record/after" since || { postpone_audit && return 1; }
  quarantine=$STATE_DIR/quarantine/$(printf '%(%Y%m%d-%H%M%S)T' -1)-${pid%-*}
  while IFS= read -r -d '' path; do
    [[ -n $path ]] || continue
    if [[ -n $folder && $path == "$folder/"* ]] || is_unchanged "$path" || is_harmless "$path"; then
      continue
    fi
    if [[ -n $began ]]; then
      is_older_than "$began" "$path" || listed+=("$(printf %q "$path")")
      continue
    fi
    if put_aside "$path" "$quarantine"; then moved+=("$path"); else stuck+=("$path"); fi
    [[ -n ${before[$path]:-} ]] || folder=$path
  done < <(printf '%s\0' "${!entries[@]}" | LC_ALL=C sort --zero-terminated)
  audit_repository "$record"
  audit_mounts "$record"
  describe_notes
  [[ -z $began ]] || say 'the list of files from before the session is lost (power failure?), so nothing was moved: check the changed files yourself'
  report "$quarantine"
}

# Says that there was no audit; the record stays.
postpone_audit() {
  local reason remedy
  remedy="free disk space (check: df -h $(printf %q "$STATE_DIR")) and "
  reason=$(why_not "$record") || remedy=''
  say "the session in $(printf %q "$workspace") could not be audited: $reason"
  say "do not use what it left; ${remedy}start claude-local here again, which audits first"
  { : >"$record/after"; } 2>/dev/null || true # an incomplete list takes disk space
}

# Adds to removed and stuck: removes new links and rebase commands from the repository behind a worktree, in which a
# session may write some folders. Git itself makes no links there, but writes through them.
audit_repository() {
  local folders=() path
  [[ -s $record/repository ]] || return 0
  mapfile -d '' -t folders <"$record/repository"
  while IFS= read -r -d '' path; do
    [[ $path != */git-rebase-todo ]] || has_command "$path" || continue
    if rm -f -- "$path"; then removed+=("$path"); else stuck+=("$path"); fi
  done < <(find "${folders[@]}" -xdev '(' -type l -o -name git-rebase-todo -o -path '*/objects/info/alternates' ')' -cnewer "$record/stamp" -print0 2>/dev/null)
}

# Adds to listed what was mounted below the workspace since the session began. If such a mount reaches the jail, it is
# writable there. If not, it hides files that the session wrote under it from the audit.
audit_mounts() {
  local -i i
  local known mounts mount_facts name path
  [[ -f $record/mounts ]] || return 0
  known=$'\n'$(<"$record/mounts")$'\n'
  read_mounts
  list_mounts "$workspace"
  for i in "${!mounts[@]}"; do
    [[ $known != *$'\n'"${mount_facts[i]}"$'\n'* ]] || continue
    name=${mounts[i]#"$workspace/"}
    listed+=("$(printf '%q was mounted during the session: check the files in it, and those that it hides' "$name")")
    while IFS= read -r -d '' path; do
      listed+=("$(printf %q "${path#./}")")
    done < <(cd "$workspace" && find_all "./$name" -xdev -regextype posix-extended -regex "$OBEYED" -cnewer "$record/stamp" -print0)
  done
}

# put_aside PATH QUARANTINE: moves PATH out of the workspace, and copies the earlier version back if there was one.
put_aside() {
  local target=$2/$1 source=$workspace/$1
  mkdir -p "${target%/*}" || return 1 # private, by our umask
  printf '%s' "$workspace" 2>/dev/null >"$2.workspace" || return 1 # `quarantine restore` needs it
  # Moving writes to the parent folder, and to the entry itself if it is a folder; a session may have made both read-only.
  [[ -w ${source%/*} ]] || chmod u+rwx -- "${source%/*}" 2>/dev/null || return 1
  [[ -L $source || ! -d $source || -w $source ]] || chmod u+rwx -- "$source" 2>/dev/null || return 1
  mv --no-target-directory -- "$source" "$target" 2>/dev/null || return 1
  if [[ -n ${before[$1]:-} && -e $record/old/$1 ]]; then
    cp --preserve --no-dereference --recursive -- "$record/old/$1" "$source" || return 1
  fi
}
