# The system calls that are refused in a confined session.
# Copied to build/ by `invoke render`: change it in templates/.

# Prints the filter in the kernel's binary format. The text file has one instruction a line: `\x…` and a comment.
write_filter() {
  local -a filter
  mapfile -t filter <"$JAIL_DIR/seccomp.filter"
  printf '%b' "${filter[@]%%[ #]*}"
}
