# shellcheck shell=bash
# The versions of Xen's daemons: where each comes from, where it is, and how they differ to those
# who start them. Sourced by what is beside this file.

# The one that runs where none is named.
# shellcheck disable=SC2034
default_version=4.17
# Those that the tests compare with. Whoever sources this reads it.
# shellcheck disable=SC2034
tested_versions=(4.17 4.20)

# The suite of Debian that has a version.
suite_of() { # VERSION
    case $1 in
        4.17) echo bookworm ;;
        4.20) echo trixie ;;
        *) return 1 ;;
    esac
}

# Where `fetch` puts a version: beside what the compiler builds, which nobody keeps either.
tree_of() { # VERSION
    local here
    here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
    echo "${XSFS_TEST_DAEMONS:-$here/../../.build/daemons}/xen-$1"
}

# The program: the host's own, or one that `fetch` has unpacked.
daemon_of() { # xenstored|oxenstored VERSION
    local program=/usr/lib/xen-$2/bin/$1
    if [[ -x $program ]]; then echo "$program"; else echo "$(tree_of "$2")$program"; fi
}

# The tree that such a program must run in, or nothing for the host's: it has a libc of its own,
# and oxenstored 4.20 loads a plugin from /usr/lib/xen-4.20.
tree_of_daemon() { # PROGRAM VERSION
    case $1 in /usr/lib/*) ;; *) tree_of "$2" ;; esac
}

# From 4.18 on C xenstored keeps all in memory, and does not know the option that asks for it.
c_options() { # VERSION
    if [[ $(printf '%s\n' "$1" 4.18 | sort -V | head -n 1) != 4.18 ]]; then echo --internal-db; fi
}
