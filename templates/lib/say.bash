# What every program says, and small questions without a program of their own. PROGRAM is the name that it says first.
# Copied to build/ by `invoke render`: change it in templates/.

die() {
  printf "$PROGRAM: %s\n" "$@" >&2
  exit 1
}

say() {
  printf "$PROGRAM: %s\n" "$1" >&2
}

# contains FOLDER PATH: whether PATH is FOLDER or lies in it.
contains() {
  [[ $2 == "$1" || $2 == "${1%/}/"* ]]
}

# pause SECONDS, without starting a program
pause() {
  read -r -t "$1" <> <(:) || true
}
