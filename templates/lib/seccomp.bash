# The system calls that a confined session is refused.
# Copied to build/ by `invoke render`: change it in templates/.

# The refused calls, as the kernel takes them. The text is one instruction a line, `\x…` and a comment.
write_filter() {
  local -a filter
  mapfile -t filter <"$JAIL_DIR/seccomp.filter"
  printf '%b' "${filter[@]%%[ #]*}"
}
