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

    /// What an event says comes once to everyone who watches, and nothing else does: no program's
    /// own files are seen.
    @Test(arguments: StoreKind.allCases)
    func oneChangeIsOneEvent(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("mkdir t && echo 0 > t/key")
            let watch = try await mount.shell.start("exec stdbuf -oL xenstore-watch /t")
            try await eventually("the watch is set") { !mount.shell.result(watch).lines.isEmpty }
            let first = mount.shell.result(watch).lines.count
            let commands = [
                "echo 1 > t/key", "printf 2 > t/key", "echo 3 >> t/key", ": > t/key",
                "echo 4 > $T/four; cp $T/four t/key", "echo 5 | tee t/key", "sed -i s/5/6/ t/key",
                "perl -i -pe s/6/7/ t/key",
                "dd if=$T/four of=t/key bs=4096 status=none", "truncate -s 1 t/key",
                "rsync --ignore-times $T/four t/key",
                "rsync --inplace --ignore-times $T/four t/key",
                "echo 8 > t/.key && mv t/.key t/key",
                "f=$(mktemp -p t keyXXXXXX.tmp) && echo 9 > $f && mv $f t/key",
                "python3 -c 'print(10, file=open(\"t/key\", \"w\"))'",
                """
                python3 -c 'import os, tempfile
                f = tempfile.NamedTemporaryFile("w", dir="t", delete=False)
                f.write("11"); f.close(); os.replace(f.name, "t/key")'
                """,
                "vim -N -u NONE -es -c 'set swapfile writebackup' -c 's/11/12/' -c wq t/key",
                """
                vim -N -u NONE -es -c 'set swapfile backup backupskip=' -c 's/12/13/' -c wq t/key
                rm t/key~
                """,
                "\"$TOOLS/nano-type\" 1 t/key",
                "touch t/new",
            ]
            for command in commands {
                // The stat comes after what a close leaves to be done.
                try await mount.expect(
                    "{ \(command); } >/dev/null; stat t/key t/new >/dev/null 2>&1 || :"
                )
            }
            try await mount.expect("xenstore-write /t/end 1")
            try await eventually("the last event has come") {
                mount.shell.result(watch).lines.last == "/t/end"
            }
            watch.signal(15)
            _ = try await watch.wait()
            let events = mount.shell.result(watch).lines.dropFirst(first)
            #expect(
                events.dropLast(2) == Array(repeating: "/t/key", count: commands.count - 1)[...]
            )
            #expect(events.suffix(2) == ["/t/new", "/t/end"])
            try await mount.expect("cat t/key", prints: "113\n")
        }
    }
}
