import MountSupport
import Testing

/// A domain dies under a mount. All stores but C xenstored before 4.22 take it out of permissions,
/// oxenstored removes the keys that it owned, too, and none sends events of that.
struct ReleasedDomainTests {
    private static let cases = StoreKind.allCases.flatMap { kind in
        ["cache=strict", "cache=watch"].map { (kind, $0) }
    }

    /// `die N` ends a domain: as the hypervisor tells a daemon, or by RELEASE.
    private static let tools = """
        source "$TOOLS/events.bash"
        ctl() { exec 3<> .xsfs/ctl; echo "$*" >&3; grep -qx ok <&3; exec 3>&-; }
        die() {
            if [ -e "$T/store/domains" ]; then
                sed -i "s/\\b$1,//" "$T/store/domains"; printf '\\1\\0\\0\\0' >"$T/store/evtchn"
            else ctl release "$1"; fi
        }
        perms() { getfattr --only-values -n user.xenstore.perms "$1"; }
        # What the store says itself.
        stored() { xenstore-ls -fp | sed -n "s|^/$1 = .*(\\(.*\\)).*|\\1|p"; }
        # Waits until the mount says the same.
        is() {
            local deadline=$((SECONDS + 20))
            until [ "$(perms "$1")" = "$(stored "$1")" ] || [ "$SECONDS" -ge "$deadline" ]; do :; done
            [ "$(perms "$1")" = "$(stored "$1")" ] || echo "$1: $(perms "$1"), not $(stored "$1")"
        }
        # These lines, in any order.
        told_all() {
            local deadline=$((SECONDS + 20)) count=$#
            until [ "$(grep -c '' "$T/told")" -ge "$count" ] || [ "$SECONDS" -ge "$deadline" ]; do
                sleep 0.01
            done
            sed "s| $M/| |" "$T/told" | sort | diff <(printf '%s\\n' "$@" | sort) -
            seen=$count
        }
        ctl introduce 5 1 2; ctl introduce 2 1 3
        xenstore-write /t/k v /t/kept v /t/d/own v /t/d/dir/x v /t/d/other v
        xenstore-chmod /t/k n0 r2 r5; xenstore-chmod /t/kept n0 r2
        xenstore-chmod /t/d/own n5; xenstore-chmod /t/d/dir n5; xenstore-chmod /t/d/dir/x n5

        """

    @Test(arguments: cases)
    func nothingOfADeadDomainStays(kind: StoreKind, cache: String) async throws {
        try await withMount(kind, MountSettings(options: cache)) { mount in
            try await mount.expect(
                Self.tools + """
                    ls -lR t >$T/0; ls -lR t >$T/0; cat t/d/own; perms t/k; echo
                    die 5
                    while [ -e t/d/own ] || [ -e t/d/dir ]; do :; done
                    ls t/d; is t/k; is t/kept; is t/d/other
                    # The kernel knows the name no more, or it would not let it be made.
                    mkdir t/d/own; ls t/d
                    """,
                prints: "v\nn0,r2,r5\nother\nother\nown\n"
            )
        }
    }

    /// A program that copies permissions would give them to the next domain of that number.
    @Test(arguments: cases.filter { $0.0 != .xenstored })
    func nothingOfItIsWrittenBack(kind: StoreKind, cache: String) async throws {
        try await withMount(kind, MountSettings(options: cache)) { mount in
            try await mount.expect(
                Self.tools + """
                    ls -l t >$T/0; ls -l t >$T/0; getfacl -p t/k >$T/0
                    die 5; until [ "$(stored t/k)" = n0,r2 ]; do :; done
                    is t/k
                    setfacl -m u:7:r t/k; stored t/k; cp -p t/k t/copy; stored t/copy
                    """,
                prints: "n0,r2,r7\nn0,r2,r7\n"
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func inotifyTellsOfWhatGoesWithIt(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            let attrib = kind == .xenstored ? "" : "'ATTRIB t/k'"
            try await mount.expect(
                Self.tools + """
                    watch -r $M/t
                    die 5
                    told_all \(attrib) 'DELETE t/d/own' 'DELETE t/d/dir/x' 'DELETE,ISDIR t/d/dir'
                    nothing_else t/end
                    """
            )
        }
    }
}
