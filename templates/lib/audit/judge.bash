# Whether a file that a session made or changed can start a program.
# Copied to build/ by `invoke render`: change it in templates/.

# is_unchanged PATH: a folder changes whenever an entry in it does, and its entries are checked one by one.
is_unchanged() {
  [[ ${entries[$1]} == "${before[$1]:-}" || (${entries[$1]} == 'o d '* && ${before[$1]:-} == 'o d '*) ]]
}

# is_harmless PATH: whether it is a HEAD file, or a part of a repository that starts nothing.
is_harmless() {
  local file=$workspace/$1
  local -a fields
  read -ra fields <<<"${entries[$1]}"
  [[ ${entries[$1]} != 'o l '* ]] || return 1
  ! is_obeyed "$1" || return 1
  case $1 in
    HEAD | */HEAD) return 0 ;;
    config | */config | config.worktree | */config.worktree) [[ ${fields[1]} == f && ${fields[4]} -le $LARGEST_COPY ]] && is_harmless_config "$file" ;;
    hooks | */hooks) [[ ${entries[$1]} == 'o d '* ]] ;; # the hooks in it are checked one by one
    .git | */.git) leads_inside "$file" 'gitdir: ' ;;
    commondir | */commondir) leads_inside "$file" '' ;;
    */objects/info/alternates) borrows_inside "$file" ;;
    */git-rebase-todo) [[ -f $file ]] && ! has_command "$file" ;;
    *) return 1 ;;
  esac
}

is_obeyed() {
  local LC_ALL=C
  [[ /$1 =~ ^$OBEYED$ ]]
}

# is_harmless_config FILE: whether a repository's configuration has only keys that start nothing.
is_harmless_config() {
  local key
  type -P git >/dev/null || return 1
  while IFS= read -r -d '' key; do
    if [[ $key =~ ^remote\..+\.(url|pushurl)$ ]]; then continue; fi
    [[ ${key,,} =~ $HARMLESS_GIT_KEYS ]] || return 1
  done < <(harmless_git config --file "$1" --no-includes --null --name-only --list || printf 'unreadable\0')
  # Some addresses run programs.
  ! harmless_git config --file "$1" --no-includes --get-regexp '^(remote\..*\.(url|pushurl)|branch\..*\.(remote|pushremote))$' '^-|^[a-z0-9+.-]+::' >/dev/null
}

# leads_inside FILE PREFIX: whether a repository's pointer, such as a worktree's .git, names a repository in the workspace.
leads_inside() {
  local target=''
  [[ -f $1 && $(wc -c <"$1") -lt 4096 ]] || return 1
  target=$(<"$1")
  [[ $target == "$2"* && $target != *$'\n'* ]] || return 1
  target=$(cd "${1%/*}" && realpath --canonicalize-missing -- "${target#"$2"}")
  contains "$workspace" "$target" && [[ -f $target/HEAD && ($2 != '' || -d $target/objects && -d $target/refs) ]]
}

# borrows_inside ALTERNATES: whether a repository borrows objects only from others in the workspace.
borrows_inside() {
  local path
  [[ -f $1 && $(wc -c <"$1") -lt 4096 ]] || return 1
  while IFS= read -r path || [[ $path ]]; do
    path=$(cd "${1%/info/alternates}" && realpath --canonicalize-missing -- "$path") && contains "$workspace" "$path" || return 1
  done <"$1"
}

# has_command FILE: whether the unfinished rebase would run a command.
has_command() {
  grep --quiet --text --extended-regexp '^[[:space:]]*(x|exec)([[:space:]]|$)' -- "$1"
}

# is_older_than TIME PATH: whether PATH last changed before TIME, in seconds since 1970.
is_older_than() {
  local -a fields
  read -ra fields <<<"${entries[$2]}"
  [[ ${fields[3]} < $1 ]]
}
