# Checks that say what they checked, and go on. To be sourced, in the machine.
# shellcheck shell=bash

passed=0 failed=0
# How long something may take to become so, in seconds: the machine is slow, and its host may be.
patience=60

report() { # STATUS WHAT DETAILS
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
        printf 'ok      %3d s  %s\n' $SECONDS "$2"
    else
        failed=$((failed + 1))
        printf 'FAILED  %3d s  %s: %s\n' $SECONDS "$2" "$3"
    fi
}

# check WHAT COMMAND...: it must succeed.
check() {
    local what=$1 output status=0
    shift
    output=$("$@" 2>&1) || status=$?
    report $status "$what" "status $status: $output"
}

# prints WHAT EXPECTED COMMAND...: it must succeed, and print just this.
prints() {
    local what=$1 expected=$2 output status=0
    shift 2
    output=$("$@" 2>&1) || status=$?
    [ "$output" = "$expected" ] || status=1
    report $status "$what" "expected '$expected', printed '$output'"
}

# fails WHAT ERROR COMMAND...: it must fail, and say why.
fails() {
    local what=$1 expected=$2 output status=1
    shift 2
    output=$("$@" 2>&1) || { [[ $output == *"$expected"* ]] && status=0; }
    report $status "$what" "expected an error '$expected', printed '$output'"
}

# becomes WHAT COMMAND...: it must succeed sooner or later.
becomes() {
    local what=$1 output deadline=$((SECONDS + patience))
    shift
    until output=$("$@" 2>&1); do
        if [ $SECONDS -ge $deadline ]; then
            report 1 "$what" "not so after $patience s: $output"
            return
        fi
        sleep 0.1
    done
    report 0 "$what"
}

is_printed() { # EXPECTED COMMAND...
    local expected=$1 output
    shift
    output=$("$@" 2>&1)
    [ "$output" = "$expected" ] || { echo "$output" && return 1; }
}

# shows WHAT EXPECTED COMMAND...: it must sooner or later print just this.
shows() {
    local what=$1 expected=$2
    shift 2
    becomes "$what" is_printed "$expected" "$@"
}

# Runs a line of shell, for checks of redirections and pipes.
sh_() { bash -c "$1"; }

summary() {
    echo "$1: $passed passed, $failed failed"
    [ $failed -eq 0 ]
}
