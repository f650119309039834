# Messages, and small helpers in plain bash. PROGRAM is the name at the beginning of each message.
# Copied to build/ by `invoke render`: change it in templates/.

# A closed descriptor gets /dev/null: bash itself may have opened this script with its number.
[[ -e /proc/self/fd/0 && ! /proc/self/fd/0 -ef ${BASH_SOURCE[-1]} ]] || exec </dev/null
[[ -e /proc/self/fd/1 && ! /proc/self/fd/1 -ef ${BASH_SOURCE[-1]} ]] || exec >/dev/null
[[ -e /proc/self/fd/2 && ! /proc/self/fd/2 -ef ${BASH_SOURCE[-1]} ]] || exec 2>/dev/null

# Services and desktops start programs without these, or with empty ones.
[[ -n ${PATH:-} ]] || export PATH=/usr/local/bin:/usr/bin:/bin
if [[ -z ${HOME:-} ]]; then
  unset HOME # then `~` is the home folder in the list of users
  export HOME=~
fi

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
