# What the benchmarks share: their places, and processes that end with them. To be sourced.
# shellcheck shell=bash
# shellcheck disable=SC2034 # Whoever sources this uses them.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
built=$here/.build
# Short, for the path of a socket.
work=$(mktemp -d "${TMPDIR:-/tmp}/xsfs-bench.XXXXXX")
results=$work/results

fail() {
    printf 'Benchmarks/%s: %s\n' "${0##*/}" "$1" >&2
    exit 2
}

need() { # COMMAND PACKAGE
    type -P "$1" >/dev/null || fail "no $1 found: install the Debian package $2"
}

is_number() { [[ $1 =~ ^[0-9]+$ ]]; }

# The CPU that everything is pinned to where nobody says which.
last_cpu() {
    local allowed
    allowed=$(awk '/^Cpus_allowed_list/ { print $2 }' /proc/self/status)
    printf '%s\n' "${allowed##*[,-]}"
}

# ---- Floors ------------------------------------------------------------------------------------

compile() { # NAME FLAG...
    local name=$1
    shift
    mkdir -p "$built"
    cc -std=c11 -O2 -Wall -Wextra -o "$built/$name" "$here/floors/$name.c" "$@"
}

compile_filesystem() { # NAME
    local fuse
    read -ra fuse <<<"$(pkg-config --cflags --libs fuse3)"
    compile "$1" "${fuse[@]}"
}

# ---- Processes ---------------------------------------------------------------------------------

# What was started and is to be ended, the latest last, and where something was mounted.
processes=()
mounts=()

# start LOG COMMAND...: in the background. The commands exec, so that the id stays the daemon's.
start() {
    local log=$1
    shift
    "$@" >>"$log" 2>&1 </dev/null &
    processes+=($!)
}

# until_true SECONDS WHAT COMMAND...: waits for the command to succeed while the process that was
# started last lives.
until_true() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        kill -0 "${processes[-1]}" 2>/dev/null || give_up "ended instead: $what"
        [[ $SECONDS -lt $deadline ]] || give_up "takes too long: $what"
        sleep 0.05
    done
}

give_up() {
    tail -n 20 "$work"/*.log >&2 || true
    fail "$1"
}

# end PROCESS [SIGNAL]: asks a process of ours to end, and makes it.
end() {
    local process=$1 deadline=$((SECONDS + 5))
    kill -s "${2-TERM}" "$process" 2>/dev/null || true
    while kill -0 "$process" 2>/dev/null && [[ $SECONDS -lt $deadline ]]; do
        sleep 0.05
    done
    kill -s KILL "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
}

stop_all() {
    local place index
    # Filesystems before the store that they stand on.
    for ((index = ${#processes[@]} - 1; index >= 0; index--)); do
        end "${processes[index]}"
    done
    processes=()
    for place in "${mounts[@]}"; do
        if grep -qF " $place " /proc/self/mounts; then
            fusermount3 -u -z "$place" || true
        fi
    done
    mounts=()
}

# shellcheck disable=SC2317 # The trap calls it.
clean_up() {
    stop_all
    # Never across a mount that is left: to remove files there would remove keys.
    rm -rf --one-file-system "$work"
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ---- Figures -----------------------------------------------------------------------------------

# A function of awk.
median_of="$(cat <<'AWK'
function median_of(list, n,    i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && list[j] < list[j - 1]; j--) {
            t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
        }
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}
AWK
)"
