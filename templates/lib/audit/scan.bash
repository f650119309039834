# The look at the workspace: what other programs obey in it, as lists in the record.
# Copied to build/ by `invoke render`: change it in templates/.
#
# A list that is not whole would make old files look new, so each ends with a mark, and without it nothing is moved.

readonly LARGEST_COPY=1048576 # bytes
global_hooks=''
declare -A entries links link_counts link_names notes

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
  # shellcheck disable=SC2153  # OBEYED is data of config.bash
  find_all . -xdev -regextype posix-extended "${open[@]}" \
    '(' -regex "$OBEYED" -o -name HEAD -o -name .git ! -type d ')' -printf 'o %y %i %C@ %s %m\0%P\0' \
    ',' -type f -links +1 -printf 'h %i %n\0%P\0' "${since[@]}"
}

# find_all ARGUMENTS…: find, which has not failed if it met what it may not read, or what was gone; only if it was ended.
find_all() {
  LC_ALL=C find "$@" 2>/dev/null || (($? < 128))
}

# write_list FILE COMMAND…: what the command lists of the workspace, and the mark at its end. A program of its own writes
# it, which stops at the first error; find would go on behind a gap.
write_list() {
  (cd "$workspace" && "${@:2}" && printf 'end\0\0') 2>/dev/null | cat 2>/dev/null >"$1"
}

# read_scan FILE: Sets more of entries (path → description), links (inode → names found), notes (path → type, mode). False if
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

# look RECORD FILE [since]: Sets entries, links and notes, and writes FILE: what is in the workspace now. False if that is
# not all: the disk is full, or find was ended.
look() {
  entries=() links=() link_counts=() link_names=() notes=()
  write_list "$2" scan "$1" "${3:-}" && read_scan "$2" && write_list "$2.repositories" repository_parts && read_scan "$2.repositories"
}
