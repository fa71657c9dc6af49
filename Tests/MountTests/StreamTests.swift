import MountSupport
import Testing

/// `.watch` and `KEY.watch`: changes as lines of a file.
struct StreamTests {
    /// Reads a stream in the background. `told` waits for lines, and prints what came instead.
    private static let tools = """
        listen() { : >$T/lines; exec {stream}<"$1"; cat <&$stream >>$T/lines & listener=$!; seen=0; }
        told() {
            for ((i = 0; i < 4000; i++)); do
                [ "$(tail -n +$((seen + 1)) $T/lines | grep -c '')" -ge $# ] && break
                sleep 0.01
            done
            lines=$(tail -n +$((seen + 1)) $T/lines); seen=$((seen + $#))
            [ "$lines" = "$(printf '%s\\n' "$@")" ] || echo "not $*: $lines"
        }
        unlisten() { exec {stream}<&-; kill $listener; wait $listener 2>/dev/null || :; }

        """

    @Test(arguments: StoreKind.allCases)
    func aLineForEachChange(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.tools + """
                    xenstore-write /t/d/x 1 /u 1
                    listen t/d/.watch
                    xenstore-write /u 2 /t/d/x 2; told /t/d/x
                    xenstore-write /t/d/y/z 1; told /t/d/y/z
                    echo own > t/d/x; told /t/d/x
                    xenstore-chmod /t/d r0; told /t/d
                    xenstore-rm /t/d/y; told /t/d/y
                    xenstore-write /t/dd 1
                    xenstore-chmod /t r0
                    xenstore-rm /t; told /t/d
                    xenstore-write /t/d/x 3; told /t/d/x
                    unlisten
                    listen .watch
                    xenstore-write /u 3; told /u
                    unlisten
                    # A key that is not there, in a directory that is.
                    listen t/none.watch
                    xenstore-write /t/d/x 4 /t/none 1; told /t/none
                    xenstore-rm /t/none; told /t/none
                    xenstore-write /t/none/a/b 1; told /t/none/a/b
                    unlisten
                    """
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func everyCallThatWaits(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                xenstore-write /t/key 1
                "$TOOLS/stream-calls" t/key.watch /t/key 'xenstore-write /t/key 2'
                "$TOOLS/stream-calls" t/.watch /t/key 'echo 3 > t/key'
                """
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aSlowReaderIsToldWhatItMissed(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                xenstore-write /t/a 1
                exec 5< t/.watch
                for i in $(seq 300); do echo /t/a $i /t/b $i; done | xargs -n 200 xenstore-write
                dd bs=64k count=1 <&5 2>/dev/null | sort | uniq -c | sed 's/^ *//'
                python3 -c '
                import os, sys
                sys.path.insert(0, os.environ["TOOLS"])
                from xenstore import Store, WRITE
                store = Store(os.environ["S"])
                for i in range(5000):
                    store.post(WRITE, b"/t/c/%d\\0" % i)
                    # oxenstored would stop where the mount is 2200 events behind.
                    if i % 500 == 499: store.flush(); os.stat("t")'
                echo last > t/last
                head -c 9 <&5
                # The events come as soon as the store has sent them.
                while read -r line; do
                    case $line in /t/last) echo "$line"; break ;; esac
                done <&5
                """,
                prints: "1 /t/a\n1 /t/b\noverflow\n/t/last\n"
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func itIsNotAKey(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                "xenstore-write /t/d/x 1 && ls -A t t/d",
                prints: "t:\nd\n\nt/d:\nx\n"
            )
            try await mount.expect(
                "stat -c '%F %s %a' t/.watch",
                prints: "regular empty file 0 444\n"
            )
            try await mount.expect("echo x > t/.watch", fails: "Operation not permitted")
            try await mount.expect("echo x > t/k.watch", fails: "Operation not permitted")
            try await mount.expect("rm -f t/.watch", fails: "Operation not permitted")
            try await mount.expect("mkdir t/k.watch", fails: "")
            try await mount.expect("mv t/d/x t/k.watch", fails: "Operation not permitted")
            try await mount.expect("cat t/d/none/.watch", fails: "No such file or directory")
            try await mount.expectSameAsStore()
        }
    }

    /// Who waits when the mount ends gets the end of the file; when the store is gone, a line when
    /// it is back.
    @Test(arguments: [StoreKind.embedded, .served])
    func itEndsWithTheMount(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            let reader = try await mount.shell.start("cd /; exec cat $M/.watch")
            try await eventually("the stream is open") {
                try await mount.expect("xenstore-write /u 1")
                return mount.shell.result(reader).output.hasPrefix("/u\n")
            }
            try await eventually("it waits") {
                whereabouts(reader.id).contains("request_wait_answer")
            }
            mount.daemon.signal(15)
            #expect(try await reader.wait() == .exited(0))
            #expect(try await mount.daemon.wait() == .exited(0))
        }
    }

    @Test func theStoresRestartIsToldAsMissing() async throws {
        try await withMount(
            .xenstored,
            MountSettings(tolerated: ["lost the socket"], usesProxy: true)
        ) { mount in
            try await mount.expect(
                Self.tools + """
                    xenstore-write /t/d/x 1
                    listen t/d/.watch
                    echo close > $T/proxy/fault; stat t/d/x 2>/dev/null; rm $T/proxy/fault
                    until stat t/d/x >/dev/null 2>&1 && grep -q overflow $T/lines; do :; done
                    # Once for each attempt to connect that got so far, all before the next event.
                    until xenstore-write /t/d/marker ''; grep -q marker $T/lines; do sleep 0.01; done
                    xenstore-write /t/d/last ''; until grep -q last $T/lines; do sleep 0.01; done
                    seen=$(grep -c '' $T/lines)
                    xenstore-write /t/d/x 2; told /t/d/x
                    unlisten
                    """
            )
        }
    }
}
