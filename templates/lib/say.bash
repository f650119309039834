# Messages, and small helpers in plain bash. PROGRAM is the name at the beginning of each message.
# Copied to build/ by `invoke render`: change it in templates/.

die() {
  printf "$PROGRAM: %s\n" "$@" >&2
  exit 1
}

say() {
  printf "$PROGRAM: %s\n" "$1" >&2
}

# contains FOLDER PATH: whether PATH is FOLDER or is in it.
contains() {
  [[ $2 == "$1" || $2 == "${1%/}/"* ]]
}

# pause SECONDS: sleeps without starting a program.
pause() {
  read -r -t "$1" <> <(:) || true
}
