# Before a session: lists the workspace, and copies small files so that they can be restored.
# Copied to build/ by `invoke render`: change it in templates/.

# audit_before: writes the lists, the copies and `obeyed`: the paths to protect, each ended by NUL.
audit_before() {
  local path copies=() protected=()
  local -a fields
  # A missing folder of hooks could be made by the session; an empty one can be made read-only.
  [[ ! -d $workspace/.git || -L $workspace/.git || -e $workspace/.git/hooks ]] || mkdir "$workspace/.git/hooks" 2>/dev/null || true
  record_mounts
  look "$record" "$record/before" || refuse_full_disk
  refuse_outside_links
  { : >"$record/stamp"; } 2>/dev/null || refuse_full_disk
  { : >"$record/obeyed"; } 2>/dev/null || refuse_full_disk
  [[ ${#entries[@]} -gt 0 ]] || return 0
  while IFS= read -r -d '' path; do
    read -ra fields <<<"${entries[$path]}"
    protected+=("$path")
    [[ ${fields[1]} != f || ${fields[4]} -gt $LARGEST_COPY ]] || copies+=("./$path")
  done < <(printf '%s\0' "${!entries[@]}" | LC_ALL=C sort --zero-terminated)
  printf '%s\0' "${protected[@]}" 2>/dev/null >"$record/obeyed" || refuse_full_disk
  if [[ ${#copies[@]} -gt 0 ]]; then
    printf '%s\0' "${copies[@]}" | (cd "$workspace" && xargs --null cp --parents --preserve --target-directory "$record/old" --) 2>/dev/null \
      || check_copies "${copies[@]}"
  fi
}

# check_copies PATH…: cp also fails for files that may not be read or have gone, which is harmless. An incomplete copy is
# not: it must never be restored.
check_copies() {
  local path
  for path; do
    [[ ! -r $workspace/$path ]] || cmp --silent -- "$workspace/$path" "$record/old/$path" || refuse_full_disk
  done
}

# Refuses files with another name (hard link) outside the workspace: a session would change them there too.
refuse_outside_links() {
  local inode count=0 example=''
  for inode in "${!links[@]}"; do
    # shellcheck disable=SC2004  # names in associative arrays
    ((links[$inode] < link_counts[$inode])) || continue
    count=$((count + 1)) example=${link_names[$inode]}
    [[ -z $break_hardlinks ]] || break_hardlink "$inode"
  done
  ((count == 0)) && return
  if [[ -n $break_hardlinks ]]; then
    say "$count hard link(s) to files outside the workspace were replaced with copies"
    return
  fi
  die "$count file(s) here are hard links to files outside $workspace, for instance $(printf %q "$example"): a session would change those too" \
    'make them separate files: claude-local --break-hardlinks'
}

# break_hardlink INODE: replaces every name of it in the workspace by a copy.
break_hardlink() {
  local path
  while IFS= read -r -d '' path; do
    # A session may have left a link under the name of the copy.
    cp --preserve --no-dereference --remove-destination --no-target-directory -- "$path" "$path.claude-local-copy" && mv --no-target-directory -- "$path.claude-local-copy" "$path"
  done < <(find "$workspace" -xdev -inum "$1" -type f -print0)
}
