import MountSupport
import Testing

/// What the process that serves a mount takes of the machine.
struct DaemonTests {
    @Test(arguments: StoreKind.allCases)
    func itHasTwoThreadsAndKeepsNoDescriptor(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            let id = mount.daemon.id
            try await mount.expect("\"$TOOLS/populate\" \"$S\" domains 2; ls -lR >/dev/null")
            let before = try await mount.output("ls /proc/\(id)/fd | wc -l")
            try await mount.expect(
                """
                for i in 1 2 3; do
                    (for n in $(seq 20); do
                        echo $n > k$i; mkdir d$i && rmdir d$i; mv k$i l$i; xenstore-write /k$i $n
                    done) &
                    find . -type f 2>/dev/null | xargs cat >/dev/null 2>&1 &
                done
                wait
                sed -n 's/^Threads:[[:space:]]*//p' /proc/\(id)/status
                """,
                prints: "2\n"
            )
            // Those of clients that have just gone are closed when that is noticed.
            try await eventually("as many descriptors as before") {
                try await mount.output("ls /proc/\(id)/fd | wc -l") == before
            }
        }
    }

    /// It polls while answers come fast. At rest there are seconds in which no thread of it runs.
    @Test(arguments: StoreKind.allCases)
    func atRestItTakesNoTimeOfACPU(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                "$TOOLS/populate" "$S" domains 2
                for i in 1 2 3; do find . -type f | xargs cat >/dev/null 2>&1; done
                """
            )
            // Timers of what was before are due in some of the seconds.
            try await mount.expect(
                """
                cd /
                used() { cat /proc/\(mount.daemon.id)/task/*/schedstat; }
                until before=$(used); sleep 1; [ "$(used)" = "$before" ]; do :; done
                """
            )
        }
    }

    /// A stat of a known name is one question to the store: see docs/ARCHITECTURE.md.
    @Test(arguments: StoreKind.remote)
    func aStatTakesSevenSystemCallsAndOneRequest(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(usesProxy: true)) { mount in
            try await mount.expect("echo v > key; stat key >/dev/null")
            let id = mount.daemon.id
            let output = try await mount.output(
                """
                # With one CPU to run on it does not poll, however slow strace(1) makes the answers.
                cpu=$(sed -nE 's/^Cpus_allowed_list:[[:space:]]*([0-9]+).*/\\1/p' /proc/self/status)
                taskset -a -p -c $cpu \(id) >/dev/null
                strace -f -c -o $T/calls -p \(id) 2>/dev/null &
                strace=$!
                until grep -q '^TracerPid:.[1-9]' /proc/\(id)/status; do :; done
                before=$(wc -l < $T/proxy/requests)
                python3 -c 'import os; [os.stat("key") for _ in range(500)]'
                echo $(($(wc -l < $T/proxy/requests) - before))
                kill -INT $strace; wait $strace
                awk '$NF == "total" {print $4}' $T/calls
                """
            )
            let numbers = output.split(separator: "\n").compactMap { Int($0) }
            try #require(numbers.count == 2, "\(output)")
            // A few more for the program itself, which looks at its working directory.
            #expect((500...510).contains(numbers[0]), "requests of 500 stats")
            #expect((500...3570).contains(numbers[1]), "system calls of 500 stats")
        }
    }
}
