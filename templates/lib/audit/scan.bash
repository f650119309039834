# Lists the files in the workspace that other programs obey. The lists are kept in the record.
# Copied to build/ by `invoke render`: change it in templates/.
#
# An incomplete list would make old files look new. So each list ends with a mark; without the mark nothing is moved.

readonly LARGEST_COPY=1048576 # bytes
global_hooks='' global_files=''
declare -A entries links link_counts link_names notes

# scan RECORD [since]: prints pairs of a description and a path below the workspace, each ended by NUL.
#   o TYPE INODE CHANGED SIZE MODE   other programs obey it, or it is a repository's HEAD
#   h INODE LINKS                    a file with more than one name
#   n TYPE MODE                      with `since`: changed in this session, and the report should name it
#   end                              the last pair of a complete list
#
# Names are bytes here: in the user's locale, patterns would not match names that are not valid text. After a session,
# folders that it made unreadable are made readable again, because they would hide their files.
scan() {
  local since=() open=()
  if [[ ${2:-} == since ]]; then
    open=(-type d ! -perm -500 -exec chmod u+rwx -- '{}' ';' ',')
    since=(',' -cnewer "$1/stamp" '(' -type l -o -type b -o -type c -o -type p -o -type s -o -type f -perm /111 ! -path '*/hooks/*.sample'
      -o -perm /6000 -o -regex "$RUN_ON_PURPOSE" ')' -printf 'n %y %m\0%P\0')
  fi
  # shellcheck disable=SC2153  # OBEYED is data of config.bash
  find_all . -xdev -regextype posix-extended "${open[@]}" \
    '(' -regex "$OBEYED" -o -name HEAD -o -name .git ! -type d ')' -printf 'o %y %i %C@ %s %m\0%P\0' \
    ',' -type f -links +1 -printf 'h %i %n\0%P\0' "${since[@]}"
}

# find_all ARGUMENTS…: runs find. Fails only if find was killed, not if a file was unreadable or disappeared.
find_all() {
  LC_ALL=C find "$@" 2>/dev/null || (($? < 128))
}

# write_list FILE COMMAND…: writes the output of the command, run in the workspace, and the end mark. `cat` writes the
# file, because it stops at the first error; find would continue after a gap.
write_list() {
  (cd "$workspace" && "${@:2}" && printf 'end\0\0') 2>/dev/null | cat 2>/dev/null >"$1"
}

# read_scan FILE: adds to entries (path → description), links (inode → names found) and notes (path → type, mode). Fails if
# the list is missing or incomplete.
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

# look RECORD FILE [since]: lists the workspace as it is now: sets entries, links and notes, and writes FILE. Fails if the
# list is incomplete, because the disk is full or find was killed.
look() {
  entries=() links=() link_counts=() link_names=() notes=()
  write_list "$2" scan "$1" "${3:-}" && read_scan "$2" && write_list "$2.repositories" repository_parts && read_scan "$2.repositories"
}
