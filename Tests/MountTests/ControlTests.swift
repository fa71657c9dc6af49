import MountSupport
import Testing

/// The files in `.xsfs`: commands for the store, and what the mount tells of itself.
struct ControlTests {
    /// Gives one command by `.xsfs/ctl`, and prints what it says.
    private static let command = """
        ctl() {
            exec 3<> .xsfs/ctl
            echo "$*" 1>&3 2> $T/refused || sed 's/.*write error: //' $T/refused
            cat <&3; exec 3>&-
        }

        """

    @Test(arguments: StoreKind.allCases)
    func commandsAreAnswered(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.command + """
                    ctl domain-path 7; ctl is-introduced 77; ctl release 77
                    ctl no-such 1; ctl release; ctl resume x; ctl introduce 5 1
                    ctl set-target 1 2 3; ctl control; ctl feature 1 2 3; ctl quota 1 a 2 3
                    """,
                prints: """
                    /local/domain/7
                    no
                    \(kind.isOxenstored ? "Invalid argument" : "No such file or directory")
                    the store refused: \(kind.isOxenstored ? "EINVAL" : "ENOENT")
                    Invalid argument
                    no such command: no-such
                    Invalid argument
                    release: the wrong number of arguments
                    Invalid argument
                    resume: x is no number
                    Invalid argument
                    introduce: the wrong number of arguments
                    Invalid argument
                    set-target: the wrong number of arguments
                    Invalid argument
                    control: the wrong number of arguments
                    Invalid argument
                    feature: the wrong number of arguments
                    Invalid argument
                    quota: the wrong number of arguments

                    """
            )
            try await mount.expect("grep -c release .xsfs/ctl", prints: "1\n")
            try await mount.expect(
                "ls .xsfs",
                prints: "@introduceDomain\n@releaseDomain\nctl\nlog\nstatus\n"
            )
            try await mount.expect("ls -la .xsfs > $T/listing; ls -a | grep xsfs || :")
            try await mount.expect(
                "stat -c %a .xsfs .xsfs/ctl .xsfs/status",
                prints: "700\n600\n400\n"
            )
            try await mount.expect("touch .xsfs/new", fails: "Operation not permitted")
            try await mount.expect("rm .xsfs/status", fails: "Operation not permitted")
        }
    }

    /// On the store without Xen a domain is made and taken away, and everybody is told.
    @Test(arguments: [StoreKind.embedded, .served])
    func aDomainComesAndGoes(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.command + """
                    cat .xsfs/@introduceDomain > $T/introduced & in=$!
                    cat .xsfs/@releaseDomain > $T/released & out=$!
                    until [ "$(grep -c '^xsfs_files_open 2' .xsfs/status)" = 1 ]; do :; done
                    ctl introduce 42 1 2; ctl is-introduced 42
                    until [ -s $T/introduced ]; do :; done; cat $T/introduced
                    ctl release 42; ctl is-introduced 42
                    until [ -s $T/released ]; do :; done; cat $T/released
                    kill $in $out; wait $in $out || :
                    """,
                prints: "ok\nyes\n@introduceDomain\nok\nno\n@releaseDomain\n"
            )
            try await mount.expect(
                Self.command + """
                    ctl introduce 5 1 1; ctl introduce 6 1 1; ctl set-target 6 5; ctl resume 5
                    ctl resume 7; ctl set-target 7 5
                    """,
                prints: "ok\nok\nok\nok\n"
                    + String(
                        repeating: "No such file or directory\nthe store refused: ENOENT\n",
                        count: 2
                    )
            )
        }
    }

    /// The mount sets its own watch again, and what was open is a conflict.
    @Test(arguments: StoreKind.allCases)
    func itsOwnWatchesSurviveAReset(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("mkdir t .txn/x; echo 1 > t/a; cat t/a", prints: "1\n")
            try await mount.expect(Self.command + "ctl reset-watches", prints: "ok\n")
            try await mount.expect(
                "mv .txn/x .txn/commit",
                fails: "Resource temporarily unavailable"
            )
            try await mount.expect(
                "xenstore-write /t/a/child 5; until cat t/a/child; do :; done 2> $T/tries",
                prints: "5\n"
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func theStatusCounts(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                count() { sed -n 's/^xsfs_store_requests_total{operation="WRITE"} //p' .xsfs/status; }
                mkdir t .txn/x; echo 1 > t/a; before=$(count)
                for i in 1 2 3 4 5; do echo $i > t/a; done; echo $(($(count) - before))
                grep '^xsfs_\\(connected\\|watching\\|transactions_open\\) ' .xsfs/status
                rmdir .txn/x; grep '^xsfs_transactions_open ' .xsfs/status
                grep -v '^#' .xsfs/status | grep -vE '^xsfs_[a-z_]+(\\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\\})? [0-9.]+$' || :
                """,
                prints: """
                    5
                    xsfs_connected 1
                    xsfs_watching 1
                    xsfs_transactions_open 1
                    xsfs_transactions_open 0

                    """
            )
        }
    }

    @Test
    func aReadOnlyMountGivesNoCommands() async throws {
        try await withMount(.embedded, MountSettings(options: "ro")) { mount in
            try await mount.expect("echo 'release 1' > .xsfs/ctl", fails: "Read-only file system")
            try await mount.expect("grep -c release .xsfs/ctl", prints: "1\n")
            try await mount.expect("mkdir .txn/x", fails: "Read-only file system")
        }
    }

    /// Each name with a line of help, and all of it without a request to the store.
    @Test(arguments: StoreKind.allCases)
    func theStatusTellsOfStoreAndMount(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            let names = """
                connected connected_since_timestamp_seconds files_open fuse_request_duration_seconds
                inotify_calls_queued inotify_calls_total invalidations_total kernel_feature keys_known
                leases_total readahead_files_total store_errors_total store_events_total store_features store_info
                store_requests_total store_wait_seconds transactions_open watching
                """.split { $0 == " " || $0 == "\n" }.filter {
                    $0 != "store_features" || kind == .embedded || kind == .served
                }
            try await mount.expect(
                """
                requests() { awk '/^xsfs_store_requests_total/ { n += $2 } END { print n }' status; }
                cat none 2> $T/none; cd .xsfs; cp status $T/status
                sed -n 's/^# HELP xsfs_\\([a-z_]*\\) [A-Z].*/\\1/p' $T/status | sort | xargs |
                sed 's/ \\(fuse_request\\|transaction\\)_age_seconds//g'
                grep -v '^#' $T/status | sed 's/[{ ].*//; s/_\\(sum\\|count\\|bucket\\)$//' | sort -u | sed s/xsfs_// | xargs
                grep -c 'store_info{address="'$([ $K = embedded ] || echo $S)'",transport="' $T/status
                grep -c '_errors_total{error="ENOENT"} [1-9]' $T/status
                before=$(requests); echo $(($(requests) - before))
                since=$(sed -n 's/^xsfs_connected_since_timestamp_seconds //p' $T/status)
                [ $(($(date +%s) - since)) -lt 60 ] || echo "since $since"
                """,
                prints: [
                    names.joined(separator: " "), names.joined(separator: " "), "1", "1", "0", "",
                ].joined(separator: "\n")
            )
        }
    }

    /// C xenstored and oxenstored 4.17 know neither features nor quotas over the wire.
    @Test(arguments: StoreKind.allCases)
    func whatTheStoreDoesNotKnowIsNotSupported(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            let isOurs = kind == .embedded || kind == .served
            let refusal = "Operation not supported\nthe store refused: ENOSYS\n"
            try await mount.expect(
                Self.command
                    + "ctl feature; ctl quota 5 nodes; ctl quota 5 nodes 7; ctl quota 5 nodes",
                prints: isOurs ? "12\n1000\nok\n7\n" : String(repeating: refusal, count: 4)
            )
            try await mount.expect(
                Self.command + "ctl control print hello; ctl control no-such",
                prints: kind.isOxenstored
                    ? "OK\nOK\n" : "OK\nInvalid argument\nthe store refused: EINVAL\n"
            )
        }
    }

    @Test(arguments: [StoreKind.xenstored, .oxenstored])
    func aGuestIsRefusedByTheStore(kind: StoreKind) async throws {
        try await withMount(kind) { host in
            try await host.asGuest(5) { guest in
                try await guest.expect(
                    Self.command + "ctl introduce 7 1 1; ctl release 5; ctl domain-path 5",
                    prints: """
                        Permission denied
                        the store refused: EACCES
                        Permission denied
                        the store refused: EACCES
                        /local/domain/5

                        """
                )
            }
        }
    }

    @Test func nobodyElseMayOpenThem() async throws {
        try await withMount(.embedded, MountSettings(options: "allow_other,umask=0")) { mount in
            try await mount.expect("chmod 755 . $T")
            let other = "setpriv --reuid 65534 --regid 65534 --clear-groups"
            for command in ["cat .xsfs/status", "cat .xsfs/ctl", "ls .txn", "mkdir .txn/x"] {
                try await mount.expect("\(other) \(command)", fails: "Permission denied")
            }
            try await mount.expect("\(other) ls", prints: "tool\n")
        }
    }
}
