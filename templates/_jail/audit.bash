# ---- Before and after a session: what other programs would obey
#
# A record is a folder of the state folder: `workspace`, `before` (what was there), `old/` (copies), and `stamp`,
# whose time is the session's beginning. It goes when its session was audited.

readonly LARGEST_COPY=1048576 # bytes

# scan RECORD [since]: pairs of a description and a path below the workspace, each ended by NUL.
#   o TYPE INODE CHANGED SIZE MODE   other programs obey it, or it is a repository's HEAD
#   h INODE LINKS                    a file with more than one name
#   n TYPE MODE                      with `since`: changed in this session and of a kind worth a line
scan() {
  local since=()
  if [[ ${2:-} == since ]]; then
    since=(',' -cnewer "$1/stamp" '(' -type l -o -type b -o -type c -o -type p -o -type s -o -type f -perm /111
      -o -perm /6000 -o -regex "$RUN_ON_PURPOSE" ')' -printf 'n %y %m\0%P\0')
  fi
  find "$workspace" -xdev -regextype posix-extended \
    '(' -regex "$OBEYED" -o -name HEAD -o -name .git ! -type d ')' -printf 'o %y %i %C@ %s %m\0%P\0' \
    ',' -type f -links +1 -printf 'h %i %n\0%P\0' "${since[@]}"
}

# repository_parts: the same for what a program obeys in the repositories whose HEAD files `scan` found.
repository_parts() {
  local path folder places=()
  for path in "${!entries[@]}"; do
    [[ $path == HEAD || $path == */HEAD ]] || continue
    folder=$workspace/${path%HEAD}
    [[ -d $folder/objects && -d $folder/refs || -e $folder/commondir ]] || continue
    places+=("${folder%/}/config" "${folder%/}/config.worktree" "${folder%/}/commondir" "${folder%/}/hooks")
  done
  [[ ${#places[@]} -gt 0 ]] || return 0
  find "${places[@]}" -xdev ! -name '*.sample' -printf 'o %y %i %C@ %s %m\0%p\0' 2>/dev/null || true
}

# read_scan FILE: fills entries (path → description), links (inode → names found), notes (path → type, mode).
read_scan() {
  local description path
  local -a fields
  while IFS= read -r -d '' description && IFS= read -r -d '' path; do
    read -ra fields <<<"$description"
    case ${fields[0]} in
      o) entries[${path#"$workspace/"}]=$description ;;
      h)
        links[${fields[1]}]=$((${links[${fields[1]}]:-0} + 1))
        link_counts[${fields[1]}]=${fields[2]}
        link_names[${fields[1]}]=$path
        ;;
      n) notes[$path]=${description#n } ;;
    esac
  done <"$1"
}

# look RECORD FILE [since]: what is in the workspace now, into FILE and into entries, links and notes.
look() {
  entries=() links=() link_counts=() link_names=() notes=()
  scan "$1" "${3:-}" >"$2" 2>/dev/null || true # a folder that cannot be read has nothing that was changed
  read_scan "$2"
  repository_parts >"$2.repositories"
  read_scan "$2.repositories"
}

# Makes the record of this session. Its name tells whether its wrapper still runs.
open_record() {
  local start
  start=$(process_start "$$")
  record=$STATE_DIR/sessions/$$-$start
  [[ -d $STATE_DIR/sessions ]] || mkdir -p "$STATE_DIR/sessions"
  mkdir -m 700 "$record" "$record/door" "$record/old" || die "cannot write into $STATE_DIR" 'choose another folder: CLAUDE_LOCAL_STATE_DIR, then invoke render'
  printf '%s' "$workspace" >"$record/workspace"
}

# process_start PID: the tick in which a process began; the kernel gives the number out again, but not this.
process_start() {
  local stat
  IFS= read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  read -ra stat <<<"${stat##*) }"
  printf '%s' "${stat[19]}"
}

# Sessions that ended without an audit, because they were killed or the machine went down.
audit_interrupted() {
  local old pid now
  for old in "$STATE_DIR"/sessions/*-*; do
    [[ -f $old/workspace && $old != "$record" && $(<"$old/workspace") == "$workspace" ]] || continue
    pid=${old##*/}
    now=$(process_start "${pid%-*}") || now=''
    [[ $now != "${pid#*-}" ]] || continue # it runs
    # Of a container it is known only when it is gone.
    if [[ -f $old/container ]] && ! docker rm --force --volumes "$(<"$old/container")" >/dev/null 2>&1; then
      docker info >/dev/null 2>&1 || { say "cannot look at what the last session in this folder left: Docker does not answer" && continue; }
    fi
    if [[ -f $old/stamp ]]; then
      say 'the last session in this folder was cut off; looking at what it left'
      audit_after "$old"
    fi
    rm -rf "$old"
  done
}

# What is there before the session, with copies of what is small.
audit_before() {
  local -A entries links link_counts link_names notes
  local path copies=()
  local -a fields
  # Git obeys hooks that are not there yet as well: an empty folder can be made read-only.
  [[ ! -d $workspace/.git || -L $workspace/.git || -e $workspace/.git/hooks ]] || mkdir "$workspace/.git/hooks" 2>/dev/null || true
  : >"$record/stamp"
  look "$record" "$record/before"
  refuse_outside_links
  [[ ${#entries[@]} -gt 0 ]] || return 0
  while IFS= read -r -d '' path; do
    read -ra fields <<<"${entries[$path]}"
    obeyed+=("$path")
    [[ ${fields[1]} != f || ${fields[4]} -gt $LARGEST_COPY ]] || copies+=("./$path")
  done < <(printf '%s\0' "${!entries[@]}" | LC_ALL=C sort --zero-terminated)
  if [[ ${#copies[@]} -gt 0 ]]; then
    printf '%s\0' "${copies[@]}" | (cd "$workspace" && xargs --null cp --parents --preserve --target-directory "$record/old" --) 2>/dev/null || true
  fi
}

# A file with another name outside the workspace would be changed there too.
refuse_outside_links() {
  local inode count=0 example=''
  for inode in "${!links[@]}"; do
    ((links[$inode] < link_counts[$inode])) || continue
    count=$((count + 1)) example=${link_names[$inode]}
    [[ -z $break_hardlinks ]] || break_hardlink "$inode"
  done
  ((count == 0)) && return
  if [[ -n $break_hardlinks ]]; then
    say "$count file(s) had other names outside the workspace; they are files of their own now"
    return
  fi
  rm -rf "$record"
  die "$count file(s) here have other names outside $workspace, for instance $(printf %q "$example"): a change here would be a change there" \
    'make them files of their own: claude-local --break-hardlinks'
}

# break_hardlink INODE: gives every name of it in the workspace a copy.
break_hardlink() {
  local path
  while IFS= read -r -d '' path; do
    cp --preserve --no-dereference -- "$path" "$path.claude-local-copy" && mv --no-target-directory -- "$path.claude-local-copy" "$path"
  done < <(find "$workspace" -xdev -inum "$1" -type f -print0)
}

# audit_after RECORD: moves away what is new or changed and obeyed by other programs, and tells of the rest.
audit_after() {
  local -A entries links link_counts link_names notes before=()
  local path quarantine moved=() listed=() folder=''
  entries=() links=() link_counts=() link_names=() notes=()
  [[ ! -f $1/before ]] || { read_scan "$1/before"; read_scan "$1/before.repositories"; }
  for path in "${!entries[@]}"; do before[$path]=${entries[$path]}; done
  look "$1" "$1/after" since
  quarantine=$STATE_DIR/quarantine/$(printf '%(%Y%m%d-%H%M%S)T' -1)-$$
  while IFS= read -r -d '' path; do
    [[ -n $path ]] || continue
    if [[ -n $folder && $path == "$folder/"* ]] || is_unchanged "$path" || is_harmless "$path"; then
      continue
    fi
    put_aside "$path" "$quarantine" "$1" && moved+=("$path")
    [[ -n ${before[$path]:-} ]] || folder=$path
  done < <(printf '%s\0' "${!entries[@]}" | LC_ALL=C sort --zero-terminated)
  for path in "${!notes[@]}"; do listed+=("$(describe_note "$path")"); done
  report "$quarantine"
}

# Folders change whenever something in them does; what is in them is looked at by itself.
is_unchanged() {
  [[ ${entries[$1]} == "${before[$1]:-}" || (${entries[$1]} == 'o d '* && ${before[$1]:-} == 'o d '*) ]]
}

# is_harmless PATH: HEAD files, and a repository's parts that start nothing.
is_harmless() {
  local file=$workspace/$1
  ! is_obeyed "$1" || return 1
  case $1 in
    HEAD | */HEAD) return 0 ;;
    config | */config | config.worktree | */config.worktree) [[ -f $file && ! -L $file ]] && is_harmless_config "$file" ;;
    hooks | */hooks) [[ ${entries[$1]} == 'o d '* ]] ;; # the hooks in it are looked at
    .git | */.git) is_own_worktree "$file" ;;
    *) return 1 ;;
  esac
}

is_obeyed() {
  [[ /$1 =~ ^$OBEYED$ ]]
}

# is_harmless_config FILE: whether a repository's configuration has only keys that start nothing.
is_harmless_config() {
  local key
  type -P git >/dev/null || return 1
  while IFS= read -r -d '' key; do
    if [[ $key =~ ^remote\..+\.(url|pushurl)$ ]]; then continue; fi
    [[ ${key,,} =~ $HARMLESS_GIT_KEYS ]] || return 1
  done < <(env -i PATH=/usr/bin:/bin HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 git config --file "$1" --no-includes --null --name-only --list 2>/dev/null || printf 'unreadable\0')
  ! env -i PATH=/usr/bin:/bin HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 git config --file "$1" --no-includes --get-regexp '^remote\..*\.(url|pushurl)$' '^-|^[a-z0-9+.-]+::' >/dev/null 2>&1
}

# A file `.git` of a worktree or submodule is harmless where it leads to a repository that the scan has seen.
is_own_worktree() {
  local target
  [[ -f $1 && ! -L $1 && $(wc -c <"$1") -lt 4096 ]] || return 1
  target=$(<"$1")
  [[ $target == 'gitdir: '* ]] || return 1
  target=$(cd "${1%/*}" && realpath --canonicalize-missing -- "${target#gitdir: }")
  contains "$workspace" "$target" && [[ -f $target/HEAD && $target != *$'\n'* ]]
}

# put_aside PATH QUARANTINE RECORD: moves it out of the workspace; what was there before comes back.
put_aside() {
  local target=$2/$1
  mkdir -p "${target%/*}" || return 1 # for us alone: the umask says so
  printf '%s' "$workspace" >"$2.workspace"
  mv --no-target-directory -- "$workspace/$1" "$target" 2>/dev/null || return 1
  if [[ -n ${before[$1]:-} && -e $3/old/$1 ]]; then
    cp --preserve --no-dereference --recursive -- "$3/old/$1" "$workspace/$1"
  fi
}

# describe_note PATH: why this changed file is worth a line.
describe_note() {
  local file=$workspace/$1 target
  case ${notes[$1]} in
    l\ *)
      target=$(realpath --canonicalize-missing -- "$file")
      contains "$workspace" "$target" && return
      printf '%q is a link that leads out of the workspace, to %q' "$1" "$target"
      ;;
    [bcps]\ *) printf '%q is no ordinary file' "$1" ;;
    f\ [0-9][0-9][0-9][0-9]) printf '%q has special permissions (%s)' "$1" "${notes[$1]#f }" ;;
    *)
      if [[ /$1 =~ ^$RUN_ON_PURPOSE$ ]]; then printf '%q' "$1"; else printf '%q can be run' "$1"; fi
      ;;
  esac
}

# report QUARANTINE: what was put aside, and what to read before running it.
report() {
  local line shown=0
  if [[ ${#moved[@]} -gt 0 ]]; then
    say "${#moved[@]} file(s) that other programs would obey were put aside:"
    printf '  %q\n' "${moved[@]}" >&2
    printf '  read them in %q\n  take them back: claude-local quarantine restore %s\n' "$1" "${1##*/}" >&2
  fi
  [[ ${#listed[@]} -gt 0 ]] || return 0
  for line in "${listed[@]}"; do
    [[ -n $line ]] || continue
    ((shown++ > 0)) || say 'changed in this session; read them before you build, test or run:'
    ((shown > 20)) || printf '  %s\n' "$line" >&2
  done
  ((shown <= 20)) || printf '  … and %s more\n' "$((shown - 20))" >&2
}
