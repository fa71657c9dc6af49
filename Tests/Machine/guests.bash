# What dom0 does with guests. To be sourced, in dom0.
# shellcheck shell=bash

# start_guest NAME COMMAND [ARGUMENT...]: starts a guest that runs a command, whose words have no
# blanks. What it prints goes to `guest_output NAME`; when it is done, `data/exit` in its directory
# is its exit status.
start_guest() {
    local name=$1
    shift
    if [ ! -e /run/xenconsoled.pid ]; then
        xenconsoled --pid-file=/run/xenconsoled.pid --log=guest \
            --log-dir=/var/log/xen/console || return
    fi
    cat >"/run/$name.cfg" <<END
name = "$name"
type = "pv"
kernel = "/machine/linux"
ramdisk = "/machine/guest.cpio"
extra = "console=hvc0 quiet panic=-1 mitigations=off -- $*"
memory = 400
vcpus = 1
on_reboot = "restart"
END
    xl create -q "/run/$name.cfg" >"/run/$name.log" 2>&1 || {
        echo "the guest $name does not start:" >&2
        cat "/run/$name.log" >&2
        return 1
    }
}

# The file that holds what a guest has printed.
guest_output() {
    echo "/var/log/xen/console/guest-$1.log"
}

# run_in_guest COMMAND [ARGUMENT...]: starts a guest, waits until its command is done, and returns
# its exit status.
run_in_guest() {
    local domain status
    start_guest guest "$@" || return
    domain=$(xl domid guest) || return
    until status=$(xenstore-read "/local/domain/$domain/data/exit" 2>/dev/null); do
        xl domid guest >/dev/null 2>&1 || break
        sleep 0.2
    done
    cat "$(guest_output guest)"
    xl destroy guest
    return "${status:-125}"
}
