# ---- Before and after a session: what other programs would obey
#
# A record is a folder of the state folder: `workspace`, `before` (what was there), `old/` (copies), `stamp`, whose time
# is the session's beginning, and `begun`, without which nothing ran that could have left anything. It goes when its
# session was audited, or refused. A list that is not whole would make old files look new, so each ends with a mark, and
# without it nothing is moved.

readonly LARGEST_COPY=1048576 # bytes

# scan RECORD [since]: pairs of a description and a path below the workspace, each ended by NUL.
#   o TYPE INODE CHANGED SIZE MODE   other programs obey it, or it is a repository's HEAD
#   h INODE LINKS                    a file with more than one name
#   n TYPE MODE                      with `since`: changed in this session and of a kind worth a line
#   end                              the last pair of a list that is whole
#
# Names are bytes here: in a locale of their own, patterns would not match those that are no text. After a session
# folders that it closed are opened again, or they would hide what is in them.
scan() {
  local since=() open=()
  if [[ ${2:-} == since ]]; then
    open=(-type d ! -perm -500 -exec chmod u+rwx -- '{}' ';' ',')
    since=(',' -cnewer "$1/stamp" '(' -type l -o -type b -o -type c -o -type p -o -type s -o -type f -perm /111 ! -path '*/hooks/*.sample'
      -o -perm /6000 -o -regex "$RUN_ON_PURPOSE" ')' -printf 'n %y %m\0%P\0')
  fi
  find_all . -xdev -regextype posix-extended "${open[@]}" \
    '(' -regex "$OBEYED" -o -name HEAD -o -name .git ! -type d ')' -printf 'o %y %i %C@ %s %m\0%P\0' \
    ',' -type f -links +1 -printf 'h %i %n\0%P\0' "${since[@]}"
}

# find_all ARGUMENTS…: find, which has not failed if it met what it may not read, or what was gone; only if it was ended.
find_all() {
  LC_ALL=C find "$@" 2>/dev/null || (($? < 128))
}

# repository_parts: the same for what git obeys, or writes through, in the repositories whose HEAD files `scan` found.
repository_parts() {
  local path folder tree hooks folders=() places=()
  for path in "${!entries[@]}"; do
    [[ $path == HEAD || $path == */HEAD ]] || continue
    folder=./${path%HEAD} folder=${folder%/}
    [[ -d $folder/objects && -d $folder/refs || -e $folder/commondir ]] || continue
    folders+=("$folder")
    places+=("$folder/config" "$folder/config.worktree" "$folder/commondir" "$folder/hooks" "$folder/rebase-merge/git-rebase-todo")
    tree=${folder%/.git}
    for hooks in "$(hooks_path "$folder/config")" "${global_hooks:-}"; do
      [[ -z $hooks ]] || places+=("$(relative_path "$tree" "$hooks")")
    done
  done
  [[ ${#folders[@]} -gt 0 ]] || return 0
  find_all "${places[@]}" -xdev ! -name '*.sample' -printf 'o %y %i %C@ %s %m\0%p\0' \
    && find_all "${folders[@]}" -xdev -type l -printf 'o %y %i %C@ %s %m\0%p\0'
}

# hooks_path CONFIG: the folder of hooks that a repository's configuration names, if it names one.
hooks_path() {
  local text=''
  [[ -f $1 ]] || return 0
  IFS= read -r -d '' -n "$LARGEST_COPY" text <"$1" || true
  [[ ${text,,} != *hookspath* ]] || harmless_git config --file "$PWD/$1" --no-includes --get core.hookspath || true
}

# relative_path FOLDER PATH: a path in the workspace as find prints it; a place that is not there for one outside.
relative_path() {
  local path
  path=$(cd "$1" && realpath --canonicalize-missing -- "$2") || return 0
  if contains "$PWD" "$path"; then printf './%s' "${path#"$PWD/"}"; else printf '/nonexistent'; fi
}

# harmless_git ARGUMENTS…: git far from every repository, and with no configuration but the one in the arguments.
harmless_git() {
  (cd / && env -i PATH=/usr/bin:/bin HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 GIT_DIR=/nonexistent git "$@" 2>/dev/null)
}

# write_list FILE COMMAND…: what the command lists of the workspace, and the mark at its end. A program of its own writes
# it, which stops at the first error; find would go on behind a gap.
write_list() {
  (cd "$workspace" && "${@:2}" && printf 'end\0\0') 2>/dev/null | cat 2>/dev/null >"$1"
}

# read_scan FILE: fills entries (path → description), links (inode → names found), notes (path → type, mode). False if
# the list is not there or not whole.
read_scan() {
  [[ -r $1 ]] || return 1
  local description path
  local -a fields
  while IFS= read -r -d '' description && IFS= read -r -d '' path; do
    read -ra fields <<<"$description"
    case ${fields[0]} in
      o) entries[${path#./}]=$description ;;
      h)
        links[${fields[1]}]=$((${links[${fields[1]}]:-0} + 1))
        link_counts[${fields[1]}]=${fields[2]}
        link_names[${fields[1]}]=$path
        ;;
      n) notes[$path]=${description#n } ;;
      end) return 0 ;;
    esac
  done <"$1"
  return 1
}

# look RECORD FILE [since]: what is in the workspace now, into FILE and into entries, links and notes. False if that is
# not all: the disk is full, or find was ended.
look() {
  entries=() links=() link_counts=() link_names=() notes=()
  write_list "$2" scan "$1" "${3:-}" && read_scan "$2" && write_list "$2.repositories" repository_parts && read_scan "$2.repositories"
}

# why_not RECORD: why no list came to be, in the system's words if it is the disk.
why_not() {
  local answer
  if answer=$( (printf '%65536s' '' >"$1/probe") 2>&1); then
    printf 'find could not go through it'
  else
    printf 'cannot write into %q: %s' "$STATE_DIR" "${answer##*: }"
  fi
  rm -f "$1/probe"
}

# Without a record nobody could tell afterwards what the session made.
refuse_full_disk() {
  local reason
  check_workspace_again
  reason=$(why_not "$record")
  die "no list of what is in this folder, which is needed after the session: $reason" \
    "make room (how much there is: df -h $(printf %q "$STATE_DIR")), or choose another folder: CLAUDE_LOCAL_STATE_DIR, then $CHECKOUT_TASK render"
}

# Makes the record of this session. Its name tells whether its wrapper still runs.
open_record() {
  local start
  start=$(process_start "$$")
  record=$STATE_DIR/sessions/$$-$start
  [[ -d $STATE_DIR/sessions ]] || mkdir -p "$STATE_DIR/sessions"
  # shellcheck disable=SC2064  # the value of now; this lasts until the session begins
  trap "rm -rf ${record@Q}" EXIT
  mkdir -m 700 "$record" "$record/door" "$record/old" || die "cannot write into $STATE_DIR" "choose another folder: CLAUDE_LOCAL_STATE_DIR, then $CHECKOUT_TASK render"
  printf '%s' "$workspace" 2>/dev/null >"$record/workspace" || refuse_full_disk
}

# From here on there is something to look at afterwards.
begin_session() {
  { : >"$record/begun"; } 2>/dev/null || refuse_full_disk
  trap - EXIT
}

# Somebody may have emptied the state folder meanwhile.
check_record() {
  [[ ! -f $record/begun ]] || return 0
  tidy_terminal
  die "the record of this session is gone from $STATE_DIR, so nobody can tell what it left" \
    "look yourself before you use what is in $(printf %q "$workspace"): git status --ignored"
}

# process_start PID: the tick in which a process began; the kernel gives the number out again, but not this.
process_start() {
  local stat
  IFS= read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  read -ra stat <<<"${stat##*) }"
  printf '%s' "${stat[19]}"
}

# A session that runs could exchange folders for links while another is looked at or begins: then files outside would
# be moved, or shown to it.
refuse_company() {
  die "another session runs in $(printf %q "$1")" "end it first${2:-}"
}

# find_neighbours: sets neighbours to the records of others whose workspaces are ours, lie in it or around it.
find_neighbours() {
  local other place
  neighbours=()
  for other in "$STATE_DIR"/sessions/*-*; do
    [[ -f $other/workspace && $other != "$record" ]] || continue
    place=$(<"$other/workspace")
    if contains "$workspace" "$place" || contains "$place" "$workspace"; then neighbours+=("$other"); fi
  done
}

# has_wrapper RECORD: whether the one that made it still runs.
has_wrapper() {
  local pid=${1##*/} now
  now=$(process_start "${pid%-*}") && [[ $now == "${pid#*-}" ]]
}

# Sessions that ended without an audit, because they were killed or the machine went down.
audit_interrupted() {
  local old place audited neighbours
  find_neighbours
  for old in "${neighbours[@]}"; do
    place=$(<"$old/workspace")
    ! has_wrapper "$old" || refuse_company "$place" ', or give this one a folder of its own: git worktree add ../other'
    end_jail "$old"
    [[ $place == "$workspace" ]] || continue
    # Of a container it is known only when it is gone.
    if [[ -f $old/container ]] && ! docker rm --force --volumes "$(<"$old/container")" >/dev/null 2>&1; then
      docker info >/dev/null 2>&1 || { say "cannot look at what the last session in this folder left: Docker does not answer" && continue; }
    fi
    if [[ -f $old/begun ]]; then
      if [[ -e $old/after ]]; then
        say 'the last session in this folder was not looked at to the end; looking at what it left'
      else
        say 'the last session in this folder was cut off; looking at what it left'
      fi
      audited=''
      audit_after "$old"
      [[ -n $audited ]] || exit 1
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
  record_mounts
  look "$record" "$record/before" || refuse_full_disk
  refuse_outside_links
  { : >"$record/stamp"; } 2>/dev/null || refuse_full_disk
  [[ ${#entries[@]} -gt 0 ]] || return 0
  while IFS= read -r -d '' path; do
    read -ra fields <<<"${entries[$path]}"
    obeyed+=("$path")
    [[ ${fields[1]} != f || ${fields[4]} -gt $LARGEST_COPY ]] || copies+=("./$path")
  done < <(printf '%s\0' "${!entries[@]}" | LC_ALL=C sort --zero-terminated)
  if [[ ${#copies[@]} -gt 0 ]]; then
    printf '%s\0' "${copies[@]}" | (cd "$workspace" && xargs --null cp --parents --preserve --target-directory "$record/old" --) 2>/dev/null \
      || check_copies "${copies[@]}"
  fi
}

# check_copies PATH…: cp fails also for what may not be read, or is gone; but half a copy must not come back.
check_copies() {
  local path
  for path; do
    [[ ! -r $workspace/$path ]] || cmp --silent -- "$workspace/$path" "$record/old/$path" || refuse_full_disk
  done
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
  die "$count file(s) here have other names outside $workspace, for instance $(printf %q "$example"): a change here would be a change there" \
    'make them files of their own: claude-local --break-hardlinks'
}

# break_hardlink INODE: gives every name of it in the workspace a copy.
break_hardlink() {
  local path
  while IFS= read -r -d '' path; do
    # A session may have left a link under the name of the copy.
    cp --preserve --no-dereference --remove-destination --no-target-directory -- "$path" "$path.claude-local-copy" && mv --no-target-directory -- "$path.claude-local-copy" "$path"
  done < <(find "$workspace" -xdev -inum "$1" -type f -print0)
}

# audit_after RECORD: moves away what is new or changed and obeyed by other programs, and tells of the rest. Sets
# audited, unless nothing could be told: then the record is needed once more.
audit_after() {
  local -A entries links link_counts link_names notes before=()
  local path quarantine moved=() stuck=() listed=() folder='' began='' pid=${1##*/}
  entries=() links=() link_counts=() link_names=() notes=()
  if read_scan "$1/before" && read_scan "$1/before.repositories"; then
    for path in "${!entries[@]}"; do before[$path]=${entries[$path]}; done
  else
    began=$(find "$1/stamp" -printf %T@)
  fi
  [[ -r $workspace && -x $workspace ]] || chmod u+rwx -- "$workspace" 2>/dev/null || true # a session may have closed it
  look "$1" "$1/after" since || { postpone_audit "$1" && return; }
  audited=yes
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
    if put_aside "$path" "$quarantine" "$1"; then moved+=("$path"); else stuck+=("$path"); fi
    [[ -n ${before[$path]:-} ]] || folder=$path
  done < <(printf '%s\0' "${!entries[@]}" | LC_ALL=C sort --zero-terminated)
  audit_repository "$1"
  audit_mounts "$1"
  describe_notes
  [[ -z $began ]] || say 'the list of what was here before is lost, as after a power failure: nothing is put aside'
  report "$quarantine"
}

# postpone_audit RECORD: tells that nothing was looked at; the record stays.
postpone_audit() {
  say "what the session in $(printf %q "$workspace") left was not looked at: $(why_not "$1")"
  say "do not use what it left; make room (how much there is: df -h $(printf %q "$STATE_DIR")) and start claude-local here again, which looks first"
  { : >"$1/after"; } 2>/dev/null || true # half a list takes room
}

# is_older_than TIME PATH: whether it last changed before, in seconds of the epoch.
is_older_than() {
  local -a fields
  read -ra fields <<<"${entries[$2]}"
  [[ ${fields[3]} < $1 ]]
}

# audit_repository RECORD: the same for the repository behind a worktree, of which a session may write some folders.
# Git makes no links there, and writes through them.
audit_repository() {
  local folders=() path
  [[ -s $1/repository ]] || return 0
  mapfile -d '' -t folders <"$1/repository"
  while IFS= read -r -d '' path; do
    [[ $path != */git-rebase-todo ]] || has_command "$path" || continue
    if rm -f -- "$path"; then listed+=("$(printf 'removed: %q' "$path")"); else stuck+=("$path"); fi
  done < <(find "${folders[@]}" -xdev '(' -type l -o -name git-rebase-todo ')' -cnewer "$1/stamp" -print0 2>/dev/null)
}

# has_command FILE: whether a rebase that is under way would run a command.
has_command() {
  grep --quiet --text --extended-regexp '^[[:space:]]*(x|exec)([[:space:]]|$)' -- "$1"
}

# Folders change whenever something in them does; what is in them is looked at by itself.
is_unchanged() {
  [[ ${entries[$1]} == "${before[$1]:-}" || (${entries[$1]} == 'o d '* && ${before[$1]:-} == 'o d '*) ]]
}

# is_harmless PATH: HEAD files, and a repository's parts that start nothing.
is_harmless() {
  local file=$workspace/$1
  local -a fields
  read -ra fields <<<"${entries[$1]}"
  [[ ${entries[$1]} != 'o l '* ]] || return 1
  ! is_obeyed "$1" || return 1
  case $1 in
    HEAD | */HEAD) return 0 ;;
    config | */config | config.worktree | */config.worktree) [[ ${fields[1]} == f && ${fields[4]} -le $LARGEST_COPY ]] && is_harmless_config "$file" ;;
    hooks | */hooks) [[ ${entries[$1]} == 'o d '* ]] ;; # the hooks in it are looked at
    .git | */.git) leads_inside "$file" 'gitdir: ' ;;
    commondir | */commondir) leads_inside "$file" '' ;;
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
  # Some addresses are programs.
  ! harmless_git config --file "$1" --no-includes --get-regexp '^(remote\..*\.(url|pushurl)|branch\..*\.(remote|pushremote))$' '^-|^[a-z0-9+.-]+::' >/dev/null
}

# leads_inside FILE PREFIX: whether a repository's pointer, as of a worktree, leads to one that the scan has seen.
leads_inside() {
  local target=''
  [[ -f $1 && $(wc -c <"$1") -lt 4096 ]] || return 1
  target=$(<"$1")
  [[ $target == "$2"* && $target != *$'\n'* ]] || return 1
  target=$(cd "${1%/*}" && realpath --canonicalize-missing -- "${target#"$2"}")
  contains "$workspace" "$target" && [[ -f $target/HEAD && ($2 != '' || -d $target/objects && -d $target/refs) ]]
}

# put_aside PATH QUARANTINE RECORD: moves it out of the workspace; what was there before comes back.
put_aside() {
  local target=$2/$1 source=$workspace/$1
  mkdir -p "${target%/*}" || return 1 # for us alone: the umask says so
  printf '%s' "$workspace" 2>/dev/null >"$2.workspace" || return 1 # without it, the way back is unknown
  # Moving changes the folder above, and a folder itself; a session may have forbidden both.
  [[ -w ${source%/*} ]] || chmod u+rwx -- "${source%/*}" 2>/dev/null || return 1
  [[ -L $source || ! -d $source || -w $source ]] || chmod u+rwx -- "$source" 2>/dev/null || return 1
  mv --no-target-directory -- "$source" "$target" 2>/dev/null || return 1
  if [[ -n ${before[$1]:-} && -e $3/old/$1 ]]; then
    cp --preserve --no-dereference --recursive -- "$3/old/$1" "$source" || return 1
  fi
}

# describe_notes: adds to listed why a changed file is worth a line; of many, only some are looked at.
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
      [bcps]\ *) printf -v line '%q is no ordinary file' "$path" ;;
      f\ [0-9][0-9][0-9][0-9]) printf -v line '%q has special permissions (%s)' "$path" "${notes[$path]#f }" ;;
      *)
        printf -v line '%q can be run' "$path"
        ! is_run_on_purpose "$path" || line=${line% can be run}
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

# report QUARANTINE: what was put aside, what could not be, and what to read before running it.
report() {
  if [[ ${#moved[@]} -gt 0 ]]; then
    say "${#moved[@]} file(s) that other programs would obey were put aside:"
    list_some "${moved[@]}"
    printf '  read them in %q\n  take them back: claude-local quarantine restore %s\n' "$1" "${1##*/}" >&2
  fi
  if [[ ${#stuck[@]} -gt 0 ]]; then
    say 'other programs would obey these too, but they cannot be put aside; delete them:'
    list_some "${stuck[@]}"
  fi
  [[ ${#listed[@]} -gt 0 ]] || return 0
  say 'changed in this session; read them before you build, test or run:'
  printf '  %s\n' "${listed[@]}" >&2
}

list_some() {
  printf '  %q\n' "${@:1:20}" >&2
  (($# <= 20)) || printf '  … and %s more\n' "$(($# - 20))" >&2
}
