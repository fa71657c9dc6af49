import MountSupport
import Testing

/// One change of a key by a program is one write in the store, and so one event.
struct WriteCountTests {
    @Test(arguments: StoreKind.remote)
    func everyProgramWritesOnce(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(usesProxy: true)) { mount in
            try await mount.expect("mkdir t && echo other > t/other")
            for (command, value) in [
                ("echo a > t/key", "a"), ("printf b > t/key", "b"), ("echo c >> t/key", "b\\nc"),
                ("cp t/other t/key", "other"), ("echo d | tee t/key >/dev/null", "d"),
                ("sed -i s/d/e/ t/key", "e"),
                ("python3 -c 'open(\"t/key\", \"w\").write(\"f\")'", "f"),
                (": > t/key", ""), ("echo g | dd of=t/key status=none", "g"),
                ("cat t/other > t/key", "other"), ("dd if=/dev/null of=t/key status=none", ""),
                ("awk 'BEGIN {print \"h\" > \"t/key\"}'", "h"),
                ("perl -e 'open(F, \">t/key\"); print F \"i\\n\"; close F'", "i"),
                ("truncate -s 0 t/key", ""), ("install -m 600 t/other t/key", "other"),
                ("mv t/other t/key", "other"), ("touch t/new && mv t/new t/key", ""),
                ("setfattr -n user.xenstore.value -v j t/key", "j"),
            ] {
                // The stat comes after what a close leaves to be done.
                try await mount.expect(
                    """
                    echo other > t/other; stat t/other >/dev/null
                    count() { grep -c "^WRITE /t/key$" $T/proxy/requests; }
                    before=$(count); { \(command); } && stat t/key >/dev/null
                    echo $(($(count) - before)); xenstore-ls -f | grep "^/t/key ="
                    """,
                    prints: "1\n/t/key = \"\(value)\"\n"
                )
            }
            try await mount.expect("ls t", prints: "key\nother\n")
        }
    }

    @Test(arguments: StoreKind.remote)
    func readingWritesNothing(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(usesProxy: true)) { mount in
            try await mount.expect("mkdir -p t/d && echo v > t/key && echo v > t/d/x")
            try await mount.expect(
                """
                changes() { grep -cE "^(WRITE|MKDIR|RM|SET_PERMS|TRANSACTION)" $T/proxy/requests; }
                before=$(changes)
                {
                    ls -lR; cat t/key t/d/x; grep -r v .; find .; du -a .; tar cf - t
                    stat t/key t/none; getfattr -d t/key
                } >/dev/null 2>&1
                : < t/key; [ -w t/key ]; echo x 2>/dev/null > t/none/x; mkdir t/a.b 2>/dev/null
                exec 3<>t/key 3>&-
                echo $(($(changes) - before))
                """,
                prints: "0\n"
            )
        }
    }

    /// What an event says comes once to everyone who watches.
    @Test(arguments: StoreKind.allCases)
    func oneChangeIsOneEvent(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("mkdir t && echo 0 > t/key")
            let watch = try await mount.shell.start("exec stdbuf -oL xenstore-watch /t/key")
            try await eventually("the watch is set") { !mount.shell.result(watch).lines.isEmpty }
            let first = mount.shell.result(watch).lines.count
            for command in ["echo 1 > t/key", "printf 2 > t/key", "echo 3 >> t/key", ": > t/key"] {
                // The stat comes after what a close leaves to be done.
                try await mount.expect("\(command); stat t/key >/dev/null")
            }
            try await mount.expect("xenstore-write /t/key/end 1")
            try await eventually("the last event has come") {
                mount.shell.result(watch).lines.last == "/t/key/end"
            }
            watch.signal(15)
            _ = try await watch.wait(upTo: .seconds(5))
            #expect(mount.shell.result(watch).lines.count - first == 5)
        }
    }
}
