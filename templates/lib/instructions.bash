# The project's own instructions (CLAUDE.md and similar files), which a confined session reads as plain text.
# Copied to build/ by `invoke render`: change it in templates/.
#
# Claude Code reads them together with the project's settings, hooks and MCP servers, or not at all. So a session that
# does not trust the project gets another folder, which contains only links to these files. Nothing is read here:
# Claude Code follows the links inside the jail, where they cannot lead out.

readonly INSTRUCTIONS=/run/claude-local/project
declare -i instruction_characters=0
instructions=() # alternating: file in the workspace, link below INSTRUCTIONS

# Sets instructions. AGENTS.md counts only where there is no CLAUDE.md.
find_instructions() {
  [[ $sources == user ]] || return 0 # Claude Code reads the files itself
  add_instruction CLAUDE.md CLAUDE.md
  add_instruction .claude/CLAUDE.md .claude/CLAUDE.md
  [[ -e $workspace/CLAUDE.md || -e $workspace/.claude/CLAUDE.md ]] || add_instruction AGENTS.md CLAUDE.md
  add_instruction CLAUDE.local.md .claude/rules/CLAUDE.local.md
}

# add_instruction NAME LINK: adds a file to instructions, or says why not. Four characters are about a token.
add_instruction() {
  local file=$workspace/$1 text=''
  local -i most="$((${context:-$GOOD_CONTEXT} / 2))"
  if [[ ! -e $file ]]; then
    return 0
  elif ! is_in_workspace "$file"; then
    say "$1 is not read: it is a link that leads out of the workspace"
  elif [[ ! -f $file || ! -r $file ]]; then
    say "$1 is not read: it is not a file that you can read"
  else
    IFS= read -r -N "$((most + 1))" text <"$file" || true
    if ((instruction_characters + ${#text} > most)); then
      say "$1 is not read: the project's instructions may have $most characters together, an eighth of the context; shorten it"
      return 0
    fi
    instruction_characters+=${#text}
    instructions+=("$file" "$2")
  fi
}

# is_in_workspace FILE: whether FILE is there, and not somewhere else behind a link.
is_in_workspace() {
  [[ ! -L $1 ]] || contains "$workspace" "$(realpath -- "$1")"
}
