# The files that git obeys, or writes through, in the repositories of the workspace.
# Copied to build/ by `invoke render`: change it in templates/.

# Where the whole workspace is a folder of hooks, these are the hooks (githooks(5)).
readonly HOOKS=(applypatch-msg pre-applypatch post-applypatch pre-commit pre-merge-commit prepare-commit-msg commit-msg
  post-commit pre-rebase post-checkout post-merge pre-push post-rewrite reference-transaction post-index-change
  sendemail-validate fsmonitor-watchman)

# repository_parts: the same pairs as `scan`, for what git obeys or writes through in the repositories whose HEAD `scan` found.
repository_parts() {
  local path folder tree hooks file folders=() places=()
  local -A included=()
  while IFS= read -r file; do
    [[ -z $file ]] || places+=("$(relative_path . "$file")")
  done <<<"${global_files:-}"
  for path in "${!entries[@]}"; do
    [[ $path == HEAD || $path == */HEAD ]] || continue
    folder=./${path%HEAD} folder=${folder%/}
    [[ -d $folder/objects && -d $folder/refs || -e $folder/commondir ]] || continue
    folders+=("$folder")
    places+=("$folder/config" "$folder/config.worktree" "$folder/commondir" "$folder/hooks" "$folder/rebase-merge/git-rebase-todo"
      "$folder/objects/info/alternates")
    tree=${folder%/.git}
    while IFS= read -r hooks; do
      [[ -n $hooks ]] || continue
      hooks=$(relative_path "$tree" "$hooks")
      if [[ $hooks != . ]]; then places+=("$hooks"); else places+=("${HOOKS[@]/#/./}"); fi
    done <<<"$(hooks_path "$folder/config")"$'\n'"${global_hooks:-}"
    included_files "$folder/config"
    included_files "$folder/config.worktree"
  done
  places+=("${!included[@]}")
  [[ ${#places[@]} -gt 0 ]] || return 0
  find_all "${places[@]}" -xdev ! -name '*.sample' -printf 'o %y %i %C@ %s %m\0%p\0' \
    && { [[ ${#folders[@]} -eq 0 ]] || find_all "${folders[@]}" -xdev -type l -printf 'o %y %i %C@ %s %m\0%p\0'; }
}

# included_files CONFIG: adds to included the files in the workspace that a configuration includes, under whatever condition.
included_files() {
  local text='' value path
  [[ -f $1 ]] || return 0
  IFS= read -r -d '' -n "$LARGEST_COPY" text <"$1" || true
  [[ ${text,,} == *include* ]] || return 0
  while IFS= read -r -d '' value; do
    path=${value#*$'\n'}
    [[ $path != \~/* ]] || path=$HOME/${path#\~/}
    path=$(relative_path "${1%/*}" "$path")
    [[ $path == ./* && ! ${included[$path]:-} ]] || continue
    included[$path]=yes
    included_files "$path"
  done < <(harmless_git config --file "$PWD/$1" --no-includes --null --get-regexp '^include(if\..*)?\.path$')
}

# hooks_path CONFIG: prints the folder of hooks that a repository's configuration names, if it names one.
hooks_path() {
  local text=''
  [[ -f $1 ]] || return 0
  IFS= read -r -d '' -n "$LARGEST_COPY" text <"$1" || true
  [[ ${text,,} != *hookspath* ]] || harmless_git config --file "$PWD/$1" --no-includes --get core.hookspath || true
}

# relative_path FOLDER PATH: prints a path in the workspace as find does, and a path that does not exist for one outside.
relative_path() {
  local path
  path=$(cd "$1" && realpath --canonicalize-missing -- "$2") || return 0
  if [[ $path == "$PWD" ]]; then printf .; elif contains "$PWD" "$path"; then printf './%s' "${path#"$PWD/"}"; else printf '/nonexistent'; fi
}

# harmless_git ARGUMENTS…: runs git outside every repository, with no configuration except the one in the arguments.
harmless_git() {
  (cd / && env -i PATH=/usr/bin:/bin HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 GIT_DIR=/nonexistent git "$@" 2>/dev/null)
}
