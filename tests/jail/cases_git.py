"""What git reads from outside a workspace. Used by test_git.py."""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """The user's files, what else to ask git, and the differences that a session names."""

    name: str
    prepare: str
    ask: str = ""
    says: str = ""
    found: str = ""
    """What the session answers, if it is not the same as outside."""
    folder: str = "@WORK@"
    variables: str = ""


def have(key: str, value: str, file: str = "~/.gitconfig") -> str:
    """A command that sets a key."""
    return f"mkdir -p $(dirname {file}) && git config -f {file} --add {shlex.quote(key)} {shlex.quote(value)}"


def text(file: str, line: str) -> str:
    """A command that writes a file."""
    return f"mkdir -p $(dirname {file}) && printf '%s\\n' {shlex.quote(line)} >{file}"


def repository(*before: str) -> str:
    """Commands, then a repository with a commit and an untracked file."""
    return " && ".join(
        [*before, "git init -q . && echo one >a && echo x >a.tmp && git add a && git commit -q -m one"]
    )


def hook(folder: str) -> str:
    """A command that makes a hook, which leaves its mark in the message."""
    return f"mkdir -p {folder} && printf '#!/bin/sh\\necho hooked >>\"$1\"\\n' >{folder}/commit-msg && chmod +x {folder}/commit-msg"


WORK = have("user.email", "ada@work.example", "~/.gitconfig-work")
CONFLICT = (
    "echo s >a; git switch -q -c side; git commit -qam side; git switch -q -; echo mine >a; git commit -qam mine; "
    "git merge side -m merged 2>&1; cat a; git rerere status"
)
CONDITIONS = (
    "gitdir:~/projects/", "gitdir:~/projects/*/", "gitdir:ws/", "gitdir/i:~/PROJECTS/", "gitdir:~/projects/ws/.git",
    "gitdir:~/projects/ws/sub/", "gitdir:~/other/", "gitdir:./projects/", "gitdir:**/.git", "gitdir:/",
    "gitdir:~/pro[j]ects/", "onbranch:release", "onbranch:ma*/", "hasconfig:remote.*.url:https://example.com/firm/**",
    "hasconfig:remote.*.url:https://other/**",
)  # fmt: skip


def when(number: int, condition: str) -> str:
    """Commands for a conditional file with a key of its own."""
    file = f"~/conditional-{number}"
    return f"{have(f'includeIf.{condition}.path', file)} && {have(f'advice.case{number}', condition, file)}"


IDENTITIES = [
    Case("nothing but a name", repository()),
    Case("no name at all", repository() + " && rm ~/.gitconfig"),
    Case(
        "a name in XDG's folder",
        repository("mkdir -p ~/.config/git && mv ~/.gitconfig ~/.config/git/config"),
    ),
    Case("two files", repository(have("user.email", "ada@xdg.example", "~/.config/git/config"))),
    Case("include.path", repository(WORK, have("include.path", ".gitconfig-work"))),
    Case("a later value after an include", repository(WORK, have("include.path", ".gitconfig-work"), have("user.email", "last@x"))),
    Case(
        "includeIf",
        repository(*(when(number, condition) for number, condition in enumerate(CONDITIONS)))
        + " && git remote add origin https://example.com/firm/x.git && git init -q sub",
        "for i in 1 2; do git -C sub config --get-regexp ^advice; git config --get-regexp ^advice; git switch -q -c release; done",
    ),
    Case(
        "a condition in a conditional file",
        repository(
            WORK,
            have("includeIf.onbranch:release.path", ".gitconfig-work", "~/first"),
            have("includeIf.gitdir:~/.path", "first"),
        )
        + " && git switch -q -c release",
    ),
    Case(
        "a way through a link",
        repository(WORK, have("includeIf.gitdir:~/way/.path", "~/.gitconfig-work"), "ln -s projects ~/way"),
        folder="@HOME@/way/ws",
    ),
    Case(
        "useConfigOnly",
        repository() + " && git config -f ~/.gitconfig user.useConfigOnly true && git config -f ~/.gitconfig --unset user.email",
    ),
    Case("a value with quotes", repository(have("user.name", 'Ada "the\\first" # ; = x'))),
    Case("an author and a committer", repository(have("author.email", "author@x"), have("committer.name", "Com Mitter"))),
    Case("mailmap.file", repository(text("~/mailmap", "Ada Lovelace <ada@example.com>"), have("mailmap.file", "~/mailmap"))),
]  # fmt: skip
FILES = [
    Case("core.excludesFile", repository(text("~/ignored", "*.tmp"), have("core.excludesFile", "~/ignored"))),
    Case("the default ignore file", repository(text("~/.config/git/ignore", "*.tmp"))),
    Case(
        "an ignore file that is not there",
        repository(text("~/.config/git/ignore", "*.tmp"), have("core.excludesFile", "~/none")),
    ),
    Case(
        "an ignore file on a condition",
        repository(
            text("~/ignored", "*.tmp"),
            have("core.excludesFile", "~/ignored", "~/first"),
            have("includeIf.gitdir:~/projects/.path", "first"),
        ),
    ),
    Case(
        "core.attributesFile",
        repository(text("~/attributes", "*.txt text"), have("core.attributesFile", "~/attributes")),
    ),
    Case("the default attributes file", repository(text("~/.config/git/attributes", "*.txt text"))),
    Case(
        "commit.template",
        repository(text("~/form", "the form"), have("commit.template", "~/form")),
        "GIT_EDITOR='echo said >>' git commit --allow-empty -q; git log -1 --format=%B",
    ),
    Case("autocrlf", repository(have("core.autocrlf", "input"))),
    Case("safecrlf", repository(have("core.autocrlf", "input"), have("core.safecrlf", "true"))),
    Case("eol", repository(have("core.eol", "crlf")) + " && echo '*.txt text' >.gitattributes"),
    Case("fileMode", repository(have("core.fileMode", "false")) + " && git config --unset core.filemode && chmod +x a"),
    Case("init.defaultBranch", repository(have("init.defaultBranch", "trunk")), "git init -q sub; git -C sub symbolic-ref HEAD"),
]  # fmt: skip
PROGRAMS = [
    Case(
        "a filter that is there",
        repository(
            have("filter.up.clean", "tr a-z A-Z"),
            have("filter.up.smudge", "tr A-Z a-z"),
            text("~/.config/git/attributes", "*.bin filter=up"),
        ),
        "rm b.bin; git checkout -q b.bin; cat b.bin",
    ),
    Case(
        "a filter of the repository",
        repository() + " && git config filter.up.clean 'sed /x/d' && echo '*.bin filter=up' >.gitattributes",
    ),
    Case(
        "a missing filter that no file uses",
        repository(have("filter.lfs.clean", "git-lfs clean -- %f"), have("filter.lfs.process", "git-lfs filter-process")),
    ),
    Case("hooks of the repository", repository() + " && " + hook(".git/hooks")),
    Case("hooks in the workspace", repository(hook(".githooks"), have("core.hooksPath", ".githooks"))),
    Case("hooks that are nowhere", repository(have("core.hooksPath", "~/none")) + " && " + hook(".git/hooks")),
    Case(
        "a configuration and hooks in the workspace",
        repository(
            have("core.hooksPath", "$PWD", "team").replace("'$PWD'", "$PWD"),
            have("includeIf.gitdir:$PWD/.path", "$PWD/team").replace("'", '"'),
        )
        + " && "
        + hook("."),
    ),
    Case("aliases", repository(have("alias.st", "status --short"), have("alias.hi", "!f() { echo hi $1; }; f")), "git st; git hi you"),
    Case(
        "textconv and a merge driver",
        repository(
            "echo 'a diff=loud merge=mine' >.gitattributes",
            have("diff.loud.textconv", "tr a-z A-Z <"),
            have("merge.mine.driver", "true"),
        ),
        "echo other >a; git diff; " + CONFLICT,
    ),
    Case("a merge without a driver", repository("echo 'a merge=mine' >.gitattributes"), CONFLICT),
    Case("rerere", repository(have("rerere.enabled", "true")), CONFLICT),
    Case(
        "programs that change no result",
        repository(
            have("credential.helper", "store"),
            have("core.editor", "code --wait"),
            have("core.pager", "delta"),
            have("core.fsmonitor", "false"),
            have("url.https://secret@x/.insteadOf", "x:"),
        ),
    ),
]  # fmt: skip
VARIABLES = [
    Case("the variables of a name", repository(), variables="GIT_AUTHOR_NAME=Other GIT_COMMITTER_EMAIL=other@x EMAIL=third@x"),
    Case("an address in EMAIL", repository() + " && git config -f ~/.gitconfig --unset user.email", variables="EMAIL=third@x"),
    Case("a configuration in variables", repository(), variables="GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=user.email GIT_CONFIG_VALUE_0=v@x GIT_CONFIG_KEY_1=http.extraHeader GIT_CONFIG_VALUE_1=CANARY-5f1c7d"),
    Case("-c of git", repository() + " && git config user.email local@x", variables="GIT_CONFIG_PARAMETERS=\"'user.email'='p@x'\""),
    Case("the system's configuration", repository(have("core.excludesFile", "~/ignored", "~/system"), text("~/ignored", "*.tmp")), variables="GIT_CONFIG_SYSTEM=$HOME/system"),
    Case("another global configuration", repository(have("user.name", "Glo Bal", "~/global")), variables="GIT_CONFIG_GLOBAL=$HOME/global EMAIL=third@x"),
    Case("another folder for XDG", repository(text("~/xdg/git/ignore", "*.tmp")), variables="XDG_CONFIG_HOME=$HOME/xdg"),
]  # fmt: skip
PLACES = [
    Case(
        "a .git that is a link",
        repository() + " && mv .git kept.git && ln -s kept.git .git && echo /kept.git >.git/info/exclude",
    ),
    Case(
        "a sparse checkout",
        "mkdir in out && touch in/x out/y && git init -q . && git add . && git commit -qm one && git sparse-checkout set in",
    ),
    Case(
        "a submodule",
        "git init -q ~/m && git -C ~/m commit -q --allow-empty -m m && "
        + repository()
        + " && git -c protocol.file.allow=always submodule --quiet add ~/m m && git commit -qm m",
        "cd m && echo x >x && git add x && git commit -qm sub && cd .. && git status --porcelain && git submodule status | wc -l",
    ),
    Case(
        "a worktree",
        f"mkdir ../main && cd ../main && {repository()} && git worktree add -q ../tree",
        folder="@HOME@/projects/tree",
    ),
    Case(
        "a worktree with relative pointers",
        f"mkdir ../main && cd ../main && {repository()} && git worktree add -q ../tree && "
        "echo 'gitdir: ../main/.git/worktrees/tree' >../tree/.git && echo ../../../../tree/.git >.git/worktrees/tree/gitdir",
        folder="@HOME@/projects/tree",
    ),
    Case(
        "a worktree of a conditional identity",
        f"mkdir ../main && cd ../main && {repository(WORK, have('includeIf.gitdir:~/projects/main/.path', '~/.gitconfig-work'))} && git worktree add -q ../tree",
        folder="@HOME@/projects/tree",
    ),
    Case(
        "objects borrowed inside",
        "git init -q sub && git -C sub commit -q --allow-empty -m one && git clone -q --shared sub new && mv new/.git . && echo /sub/ >.git/info/exclude",
    ),
]
SAME = [*IDENTITIES, *FILES, *PROGRAMS, *VARIABLES, *PLACES]

SIGNED = "commits are not signed"
DIFFERENT = [
    Case(
        "a filter that is not there",
        repository(
            have("filter.big.clean", "~/bin/big clean %f"),
            have("filter.big.smudge", "~/bin/big smudge %f"),
            text("~/bin/big", "#!/bin/sh") + " && chmod +x ~/bin/big",
            "echo '*.bin filter=big' >.gitattributes",
        ),
        "touch a.bin; git add a.bin && echo stored",
        says="the filter big does not run (~/bin/big is not visible), so git refuses its files",
    ),
    Case(
        "a filter of the repository that is not there",
        repository() + " && mkdir -p sub ~/bin && cp /usr/bin/tr ~/bin/up && git config filter.up.clean \"$HOME/bin/up a-z A-Z\" && echo '*.bin filter=up' >sub/.gitattributes && git add sub",
        "echo x >sub/a.bin; git add sub/a.bin && echo stored",
        says="the filter up does not run (@HOME@/bin/up is not visible), so git refuses its files",
    ),
    Case(
        "hooks outside",
        repository(hook("~/.githooks"), have("core.hooksPath", "~/.githooks")) + " && " + hook(".git/hooks"),
        "git commit -q --allow-empty -m two && git log -1 --format=%B",
        found="two\n\n",
        says="hooks in @HOME@/.githooks do not run",
    ),
    Case(
        "hooks outside, named by the repository",
        repository(hook("~/.githooks")) + " && git config core.hooksPath ~/.githooks",
        says="hooks in @HOME@/.githooks do not run",
    ),
    Case(
        "hooks outside on a condition",
        repository(hook("~/.githooks"), have("core.hooksPath", "~/.githooks", "~/first"), have("includeIf.gitdir:~/projects/.path", "first")),
        says="hooks in @HOME@/.githooks do not run",
    ),
    Case(
        "signatures",
        repository() + f" && {have('commit.gpgSign', 'true')} && {have('gpg.format', 'ssh')} && {have('user.signingKey', '~/.ssh/id_ed25519.pub')} && {have('tag.gpgSign', '1')}",
        "git commit -q --allow-empty -m two && git tag -m x t && git log -1 --format=%B",
        found="two\n\n",
        says="commits are not signed; tags are not signed",
    ),
    Case(
        "signatures of the repository",
        repository() + " && git config commit.gpgSign true",
        "git commit -q --allow-empty -m two && git log -1 --format=%B",
        found="two\n\n",
        says="commits are not signed",
    ),
    Case(
        "borrowed objects",
        "git init -q ~/r && git -C ~/r commit -q --allow-empty -m one && git clone -q --shared ~/r new && mv new/.git . && rmdir new",
        says="objects in @HOME@/r/.git/objects are missing; to have them here: git repack -a -d && rm .git/objects/info/alternates",
    ),
    Case(
        "a folder of a repository",
        f"cd .. && {repository()}",
        says="no repository here: @HOME@/projects, to which this folder belongs, is not visible; start there to use git",
    ),
    Case(
        "files of the repository's configuration",
        repository(text("~/ignored", "*.tmp"), WORK) + " && git config core.excludesFile ~/ignored && git config include.path ~/.gitconfig-work",
        says="@HOME@/ignored is not read (core.excludesfile of this repository); @HOME@/.gitconfig-work is not read (include.path of this repository)",
    ),
    Case("a work tree elsewhere", repository("mkdir ~/tree") + " && git config core.worktree ~/tree", says="its work tree @HOME@/tree is not visible (core.worktree)"),
    Case("a template", repository(hook("~/template/hooks"), have("init.templateDir", "~/template")), says="new repositories are made without the template @HOME@/template"),
    Case("a partial clone", repository() + " && git config remote.origin.promisor true", says="what this partial clone has not fetched is missing"),
    Case("a repository elsewhere", f"git init -q ~/dotfiles && {repository()}", says="not passed on: GIT_DIR GIT_WORK_TREE", variables="GIT_DIR=$HOME/dotfiles/.git GIT_WORK_TREE=$HOME"),
    Case("a broken configuration", repository() + " && echo '[user' >>~/.gitconfig", says="your configuration cannot be read: fatal: bad config line 6 in file @HOME@/.gitconfig"),
    Case("an ignore file that may not be read", repository(text("~/ignored", "*.tmp"), "chmod 0 ~/ignored", have("core.excludesFile", "~/ignored")), says="@HOME@/ignored is not read (core.excludesfile)"),
    Case(
        "a tool for diffs",
        repository(have("diff.external", "difft --color"), have("alias.x", "!x-tool"), have("trailer.t.cmd", "~/t")),
        "echo two >a; git diff --shortstat",
        found=" 1 file changed, 1 insertion(+), 1 deletion(-)\n",
        says="diff.external is not used (difft is not visible); no alias x (x-tool is not visible); trailer.t.cmd is not used (~/t is not visible)",
    ),
]  # fmt: skip
