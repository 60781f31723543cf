#!/bin/sh
# Puts koor, its manual pages and its completions below PREFIX: ~/.local, unless it is set (for all users: /usr/local).
# To be run where an archive was unpacked; nothing else is touched, and what it puts there is listed.
set -eu
from=$(cd "$(dirname "$0")" && pwd)
prefix=${PREFIX:-$HOME/.local}

put() { # <mode> <file> <directory> [<name>]
    mkdir -p "$prefix/$3"
    install -m "$1" "$from/$2" "$prefix/$3/${4:-${2##*/}}"
    echo "$prefix/$3/${4:-${2##*/}}"
}

put 755 koor bin
for page in "$from"/man/*.1; do
    put 644 "man/${page##*/}" share/man/man1
done
put 644 completions/koor.bash share/bash-completion/completions koor
put 644 completions/_koor share/zsh/site-functions
put 644 completions/koor.fish share/fish/vendor_completions.d
put 644 LICENSES-THIRD-PARTY.txt share/doc/koor

case ":$PATH:" in
    *":$prefix/bin:"*) ;;
    *) echo "$prefix/bin is not in PATH; for now, and in ~/.profile for good: export PATH=\"$prefix/bin:\$PATH\"" ;;
esac
