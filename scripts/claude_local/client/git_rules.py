"""What a session gets of the user's git configuration, as data for the generated wrapper.

Everything else is left out: it may contain tokens, or names a program.
"""

from __future__ import annotations

# Keys whose value is plain: no program, no file, no password. `*` stands for the last part of a key, or, in the
# middle, for the name of a subsection (git help config).
PLAIN_KEYS = (
    "user.name", "user.email", "user.useconfigonly", "author.name", "author.email", "committer.name", "committer.email",
    "core.abbrev", "core.autocrlf", "core.bigfilethreshold", "core.checkroundtripencoding", "core.checkstat",
    "core.commentchar", "core.commentstring", "core.commitgraph", "core.compression", "core.deltabasecachelimit",
    "core.eol", "core.filemode", "core.filesreflocktimeout", "core.ignorecase", "core.logallrefupdates",
    "core.loosecompression", "core.multipackindex", "core.notesref", "core.packedrefstimeout",
    "core.precomposeunicode", "core.preloadindex", "core.protecthfs", "core.protectntfs", "core.quotepath",
    "core.safecrlf", "core.sharedrepository", "core.splitindex", "core.symlinks", "core.trustctime",
    "core.untrackedcache", "core.warnambiguousrefs", "core.whitespace", "core.maxtreedepth",
    "init.defaultbranch", "init.defaultobjectformat", "init.defaultrefformat", "safe.barerepository",
    "commit.cleanup", "commit.gpgsign", "commit.status", "commit.verbose", "tag.gpgsign", "tag.forcesignannotated",
    "tag.sort", "format.pretty", "interactive.singlekey", "log.abbrevcommit", "log.date", "log.decorate",
    "log.excludedecoration", "log.follow", "log.graphcolors", "log.initialdecorationset", "log.mailmap", "log.showroot",
    "log.diffmerges", "mailmap.blob", "merge.autostash", "merge.branchdesc", "merge.conflictstyle",
    "merge.defaulttoupstream", "merge.directoryrenames", "merge.ff", "merge.log", "merge.renamelimit", "merge.renames",
    "merge.renormalize", "merge.stat", "merge.suppressdest", "merge.verbosity", "merge.*.name", "merge.*.recursive",
    "diff.algorithm", "diff.autorefreshindex", "diff.colormoved", "diff.colormovedws", "diff.context", "diff.dirstat",
    "diff.dstprefix", "diff.ignoresubmodules", "diff.indentheuristic", "diff.interhunkcontext", "diff.mnemonicprefix",
    "diff.noprefix", "diff.relative", "diff.renamelimit", "diff.renames", "diff.srcprefix", "diff.statgraphwidth",
    "diff.statnamewidth", "diff.submodule", "diff.suppressblankempty", "diff.wordregex", "diff.wserrorhighlight",
    "diff.*.algorithm", "diff.*.binary", "diff.*.cachetextconv", "diff.*.funcname", "diff.*.wordregex",
    "diff.*.xfuncname", "filter.*.required", "trailer.separators", "trailer.where", "trailer.ifexists",
    "trailer.ifmissing", "trailer.*.key", "trailer.*.where", "trailer.*.ifexists", "trailer.*.ifmissing",
    "hook.*.enabled", "hook.*.event", "push.default", "push.autosetupremote", "push.followtags", "pull.ff",
    "pull.rebase", "branch.autosetupmerge", "branch.autosetuprebase", "branch.sort", "submodule.recurse",
    "submodule.propagatebranches", "submodule.alternateerrorstrategy", "protocol.allow", "protocol.*.allow",
    "worktree.guessremote", "worktree.userelativepaths", "checkout.defaultremote", "checkout.guess",
    "clean.requireforce",
    "i18n.commitencoding", "i18n.logoutputencoding", "revert.reference", "clone.defaultremotename",
    "advice.*", "am.*", "add.*", "apply.*", "blame.blankboundary", "blame.coloring", "blame.date", "blame.showemail",
    "blame.showroot", "color.*", "color.*.*", "column.*", "commitgraph.*", "feature.*", "gc.auto", "grep.*",
    "help.autocorrect", "index.*", "maintenance.auto", "notes.*", "pack.*", "pretty.*", "rebase.*",
    "rerere.*", "sparse.*", "stash.*", "status.*", "versionsort.*",
)  # fmt: skip

# Keys that name a text file: a session gets the text.
FILE_KEYS = (
    "core.excludesfile", "core.attributesfile", "commit.template", "mailmap.file", "blame.ignorerevsfile",
    "diff.orderfile",
)  # fmt: skip

# Keys whose value is a command: a session gets those whose programs it can see.
COMMAND_KEYS = (
    "filter.*.clean", "filter.*.smudge", "filter.*.process", "merge.*.driver", "diff.external", "diff.*.command",
    "diff.*.textconv", "trailer.*.command", "trailer.*.cmd", "hook.*.command",
)  # fmt: skip

# Variables that git reads and a session gets.
PASSED_VARIABLES = (
    "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_DATE", "EMAIL", "GIT_ATTR_NOSYSTEM", "GIT_ATTR_SOURCE", "GIT_DEFAULT_HASH",
    "GIT_DEFAULT_REF_FORMAT", "GIT_GLOB_PATHSPECS", "GIT_ICASE_PATHSPECS", "GIT_LITERAL_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS", "GIT_NAMESPACE", "GIT_NO_REPLACE_OBJECTS", "GIT_NOTES_REF", "GIT_OPTIONAL_LOCKS",
    "GIT_REPLACE_REF_BASE",
)  # fmt: skip

# Variables that lead git elsewhere or name a program: a session does not get them, and a line names them.
LEADING_VARIABLES = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_EXTERNAL_DIFF", "GIT_TEMPLATE_DIR", "GIT_EXEC_PATH",
)  # fmt: skip
