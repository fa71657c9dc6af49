# Watches files with inotifywait, and compares what it is told. To be sourced; $T is a directory for
# its files.
# shellcheck shell=bash

# watch OPTIONS... PLACE...: begins, and returns when the kernel has taken the watches.
watch() {
    : >"$T/told" >"$T/watch-says"
    inotifywait -m -e modify,close_write,create,delete,attrib,move --format '%e %w%f' "$@" \
        >>"$T/told" 2>>"$T/watch-says" &
    watcher=$!
    seen=0
    until grep -q '^Watches established' "$T/watch-says"; do
        kill -0 "$watcher" || { cat "$T/watch-says" >&2; exit 1; }
        sleep 0.01
    done
}

# watched DIRECTORY: waits until inotifywait, which was told of a new directory, watches it too.
watched() {
    local inode deadline=$((SECONDS + 40))
    inode=$(printf '%x' "$(stat -c %i "$1")")
    until grep -qs "^inotify.* ino:$inode " "/proc/$watcher/fdinfo/"*; do
        [ "$SECONDS" -lt "$deadline" ] || { echo "nobody watches $1"; break; }
        sleep 0.01
    done
}

# told LINE...: waits for these lines after those that were seen already. Paths are relative to the
# mount. Prints what came instead.
told() {
    local count=$# deadline=$((SECONDS + 40)) lines
    while lines=$(tail -n +$((seen + 1)) "$T/told") &&
        [ "$(printf '%s' "$lines" | grep -c '')" -lt "$count" ] && [ "$SECONDS" -lt "$deadline" ]; do
        sleep 0.01
    done
    lines=$(printf '%s\n' "$lines" | head -n "$count" | sed "s| $M/| |")
    seen=$((seen + count))
    [ "$lines" = "$(printf '%s\n' "$@")" ] ||
        printf 'expected:\n%s\ntold:\n%s\n' "$(printf '%s\n' "$@")" "$lines"
}

# nothing_else KEY: makes the key, which must be in a directory that is watched, and waits until
# that is told: nothing else must come before.
nothing_else() {
    xenstore-write "/$1" ''
    told "CREATE $1"
    kill "$watcher"
    wait "$watcher" 2>/dev/null
    tail -n +$((seen + 1)) "$T/told"
}
