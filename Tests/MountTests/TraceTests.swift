import Glibc
import MountSupport
import Testing

/// What a mount shows of its work: the log by areas, `.xsfs/log`, and the figures of the status.
struct TraceTests {
    /// As a newcomer would read it: what the kernel asks for, who for, and what comes of it.
    @Test(arguments: StoreKind.allCases)
    func aReadingIsTracedFromTheLookupToTheEnd(kind: StoreKind) async throws {
        let settings = MountSettings(tolerated: ["trace"], log: ["--log=fuse=trace"])
        try await withMount(kind, settings) { mount in
            try await mount.expect("xenstore-write /t/k secret && cat t/k", prints: "secret\n")
            let lines = traced("/t/k", in: mount.log)
            let operations = lines.map(\.operation)
            #expect(
                operations == ["LOOKUP", "OPEN", "GETATTR", "READ", "READ", "RELEASE"],
                "\(mount.log)"
            )
            #expect(lines.first?.text.contains(/by cat\[\d+\]$/) == true, "\(lines)")
            let lookup = try #require(lines.first)
            let answer = try #require(answers(in: mount.log)[lookup.number])
            let text =
                /LOOKUP: file, mode 600, 7 bytes, name cached, \d+ us, 3 store requests in \d+ us/
            #expect(answer.contains(text), "\(answer)")
            #expect(!mount.log.contains("secret"))
        }
    }

    /// What is in a mount beside the keys has its own name.
    @Test
    func filesBesideTheKeysAreTracedByTheirNames() async throws {
        let settings = MountSettings(tolerated: ["trace"], log: ["--log=fuse=trace"])
        try await withMount(.embedded, settings) { mount in
            try await mount.expect(
                "mkdir .txn/t; cat .txn/.conflict .txn/t/.changes; ls .txn .xsfs >$T/names"
            )
            for (path, operation) in [
                ("/.txn/.conflict", "READ"), ("/.txn/t/.changes", "READ"), ("/.txn", "RELEASEDIR"),
                ("/.xsfs", "RELEASEDIR"),
            ] {
                let operations = traced(path, in: mount.log).map(\.operation)
                #expect(operations.contains { $0 == operation }, "\(path): \(operations)")
            }
        }
    }

    @Test
    func valuesAreLoggedIfWantedAndCannotForgeALine() async throws {
        let settings = MountSettings(
            tolerated: ["forged"],
            log: ["--log=fuse=trace,store=debug", "--log-values"]
        )
        try await withMount(.embedded, settings) { mount in
            try await mount.expect(
                #"""
                xenstore-write /t/k "$(printf 'secret\n00:00:00.000000 mount error: forged')"
                cat t/k > $T/read
                """#
            )
            #expect(mount.log.contains(/READ \/t\/k: 42 bytes "secret\\n00:00/), "\(mount.log)")
            #expect(!mount.log.contains("\n00:00:00"))
        }
    }

    /// The lines begin and end with the signal, in a mount that logs nothing else.
    @Test(arguments: [StoreKind.embedded, .served])
    func aSignalTogglesTheTrace(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(tolerated: ["trace"])) { mount in
            try await mount.expect("echo 1 > tool/before")
            #expect(!mount.log.contains("trace"))
            mount.daemon.signal(SIGUSR2)
            try await eventually("it traces") { mount.log.contains("tracing everything") }
            try await mount.expect("echo 1 > tool/meanwhile")
            mount.daemon.signal(SIGUSR2)
            try await eventually("it traces no longer") {
                mount.log.contains("tracing no longer")
            }
            try await mount.expect("echo 1 > tool/after")
            #expect(!traced("/tool/meanwhile", in: mount.log).isEmpty)
            #expect(traced("/tool/after", in: mount.log).isEmpty)
            if kind == .served {
                #expect(
                    mount.log.contains(/store trace: \[message=\d+\] send WRITE \/tool\/meanwhile/)
                )
            }
        }
    }

    /// A reader gets what was logged before, and then what is; to trace its own reads would have no
    /// end.
    @Test(arguments: [StoreKind.embedded, .served])
    func theMountShowsItsOwnLog(kind: StoreKind) async throws {
        let settings = MountSettings(tolerated: ["trace"], log: ["--log=fuse=trace"])
        try await withMount(kind, settings) { mount in
            try await mount.expect("echo 1 > tool/before")
            let reader = try await mount.shell.start("exec cat .xsfs/log")
            try await eventually("it has read what was logged before") {
                mount.shell.result(reader).output.contains("CREATE /tool/before")
            }
            try await mount.expect("echo 1 > tool/later")
            try await eventually("it reads on") {
                mount.shell.result(reader).output.contains("CREATE /tool/later")
            }
            reader.signal(SIGTERM)
            _ = try await reader.wait()
            let lines = mount.shell.result(reader).output.split(separator: "\n")
            #expect(!lines.contains { $0.contains("READ /.xsfs/log") }, "\(lines)")
            #expect(lines.count < 200)
            try await mount.expect("echo 1 > .xsfs/log", fails: "Permission denied")
        }
    }

    /// The last thousand lines are kept.
    @Test
    func theLogThatIsShownIsBounded() async throws {
        let settings = MountSettings(tolerated: ["trace"], log: ["--log=fuse=trace"])
        try await withMount(.embedded, settings) { mount in
            try await mount.expect("i=0; while [ $i -lt 1200 ]; do [ -e tool ]; i=$((i + 1)); done")
            let count = try await mount.output("timeout 2 cat .xsfs/log | wc -l; :")
            let lines = try #require(Int(count.trimmingPrefix(" ").prefix { $0.isNumber }))
            #expect((1000...1100).contains(lines), "\(count)")
        }
    }

    /// What waits for a silent store is in the status, which does not ask it; and in the log.
    @Test
    func whatWaitsIsNamed() async throws {
        let settings = MountSettings(tolerated: ["lost the"])
        try await withMount(.served, settings) { mount in
            try await mount.expect("echo 1 > tool/k && cat tool/k", prints: "1\n")
            let store = try #require(mount.store)
            store.process.signal(SIGSTOP)
            // A shell that begins in the mount looks at its root, and waits, too.
            let outside = mount.shell.adding(["M": "/"])
            let reader = try await outside.start("exec cat '\(mount.point)/tool/k'")
            try await eventually("the status lists it") {
                let command = "cat '\(mount.point)/.xsfs/status'"
                let status = try await outside.run(command).output
                let wanted =
                    #"xsfs_fuse_request_age_seconds\{operation="[A-Z]+",path="/tool/k","#
                    + #"pid="\d+",command="cat"\} [1-9]"#
                return try status.contains(Regex(wanted))
            }
            // A program can call itself anything.
            let other = try await outside.start(
                #"""
                exec /usr/bin/python3 -c 'import ctypes
                ctypes.CDLL(None).prctl(15, "a\"\u0301} 1\\\n".encode(), 0, 0, 0)
                print(open("\#(mount.point)/tool/k").read())'
                """#
            )
            let check = """
                from prometheus_client.parser import text_string_to_metric_families
                text = open("\(mount.point)/.xsfs/status").read()
                families = {f.name: f for f in text_string_to_metric_families(text)}
                print(len(families["xsfs_fuse_request_age_seconds"].samples))
                """
            try writeFile(mount.shell.directory + "/check.py", check)
            try await eventually("the status lists both, and can be parsed") {
                try await outside.run("/usr/bin/python3 $T/check.py").output == "2\n"
            }
            try await eventually("the log says so") {
                mount.log.contains(/\/tool\/k.* by cat\[\d+\] has waited for [5-9] s/)
            }
            store.process.signal(SIGCONT)
            _ = try await reader.wait()
            _ = try await other.wait()
        }
    }

    /// A program that makes a directory keeps those out who look for a new name beside it.
    @Test(arguments: [nil, "noinotify"])
    func theStatusIsFoundWhileTheRootIsHeld(options: String?) async throws {
        let settings = MountSettings(
            options: options,
            tolerated: ["lost the", "trace"],
            log: ["--log=fuse=trace"]
        )
        try await withMount(.served, settings) { mount in
            try await eventually("the status was looked at") {
                let lookups = traced("/.xsfs/status", in: mount.log)
                return lookups.contains { answers(in: mount.log)[$0.number] != nil }
            }
            let store = try #require(mount.store)
            store.process.signal(SIGSTOP)
            let outside = mount.shell.adding(["M": "/"])
            let maker = try await outside.start("exec mkdir '\(mount.point)/made'")
            try await eventually("it waits") { mount.log.contains(/LOOKUP \/made by mkdir/) }
            // Where it cannot be read this ends with the time, and not with the store.
            let status = "timeout 5 cat '\(mount.point)/.xsfs/status'"
            try await eventually("the status names it") {
                try await outside.run(status).output.contains(/age_seconds.*command="mkdir"/)
            }
            store.process.signal(SIGCONT)
            _ = try await maker.wait()
        }
    }

    /// Nobody reads standard error, and the pipe is full.
    @Test
    func aLogThatNobodyReadsStopsNobody() async throws {
        try await Shell.use { shell in
            try await shell.expect(
                """
                mkdir $T/m; mkfifo $T/log; sleep 1000 < $T/log & reader=$!
                \(Tool.xsfs) -f --log=trace --embedded $T/m 2> $T/log & daemon=$!
                until mountpoint -q $T/m; do sleep 0.01; done
                for i in {1..400}; do echo $i > $T/m/tool/k$i; done; ls $T/m/tool | grep -c k
                kill $daemon; wait $daemon; echo $?; kill $reader
                """,
                prints: "400\n0\n"
            )
        }
    }

    /// What a program opens gets the lowest number, also that of standard error.
    @Test
    func closedStandardDescriptorsAreNobodyElses() async throws {
        try await Shell.use { shell in
            try await shell.expect(
                """
                mkdir $T/m
                \(Tool.xsfs) --embedded --listen $T/s $T/m <&- >&- 2>&-
                export XENSTORED_PATH=$T/s
                \(Tool.xsfs) write /tool/k 0; cat $T/m/tool/k > $T/event
                timeout 50 inotifywait -q -e modify $T/m/tool > $T/event & watcher=$!
                until grep -q MODIFY $T/event; do \(Tool.xsfs) write /tool/k $((i += 1)); done
                \(Tool.xsfs) read /tool/k >&- 2>$T/errors || echo refused
                \(Tool.xsfs) exists /tool/k && wait $watcher && umount $T/m
                """,
                prints: "refused\n"
            )
        }
    }

    @Test
    func aMountThatStartsSurvivesTheSignal() async throws {
        try await Shell.use { shell in
            try await shell.expect(
                """
                mkdir $T/m; \(Tool.xsfs) -f --embedded $T/m 2> $T/log & daemon=$!
                # What comes while the program is loaded ends any program.
                until grep -qE '^Sig(Ign|Cgt):.*[89a-f]..$' /proc/$daemon/status; do :; done
                until mountpoint -q $T/m; do kill -USR2 $daemon; done
                kill $daemon; wait $daemon; echo $?
                \(Tool.xsfs) serve --listen $T/s & server=$!
                until [ -S $T/s ]; do sleep 0.01; done
                kill -USR2 $server; XENSTORED_PATH=$T/s \(Tool.xsfs) exists /tool && echo serves
                kill $server; wait $server
                """,
                prints: "0\nserves\n"
            )
        }
    }

    @Test
    func whatTheStatusSaysIsPrometheusText() async throws {
        try await withMount(.served) { mount in
            try await mount.expect("ls -lR > $T/list; cp .xsfs/status $T/status")
            let program = """
                import sys
                from prometheus_client.parser import text_string_to_metric_families
                text = open(sys.argv[1]).read()
                families = {f.name: f for f in text_string_to_metric_families(text)}
                durations = families["xsfs_fuse_request_duration_seconds"]
                for name in ("xsfs_store_requests", durations.name, "xsfs_watching"):
                    print(name, families[name].type)
                def by_operation(wanted):
                    return {s.labels["operation"]: s.value for s in durations.samples if wanted(s)}
                counts = by_operation(lambda s: s.name.endswith("_count"))
                last = by_operation(lambda s: s.labels.get("le") == "+Inf")
                print(counts == last, counts["LOOKUP"] > 0, counts["READDIRPLUS"] > 0)
                print(all(f.documentation for f in families.values()))
                """
            try writeFile(mount.shell.directory + "/parse.py", program)
            try await mount.expect(
                "/usr/bin/python3 $T/parse.py $T/status",
                prints: """
                    xsfs_store_requests counter
                    xsfs_fuse_request_duration_seconds histogram
                    xsfs_watching gauge
                    True True True
                    True

                    """
            )
        }
    }

    /// Why an event is raised, or not.
    @Test(arguments: StoreKind.allCases)
    func theLogTellsWhyInotifyIsCalled(kind: StoreKind) async throws {
        let settings = MountSettings(log: ["--log=inotify=debug,cache=debug"])
        try await withMount(kind, settings) { mount in
            try await mount.expect("xenstore-write /t/k 1 && cat t/k", prints: "1\n")
            let watcher = try await mount.shell.start("exec inotifywait -q -m -e modify t")
            try await eventually("it watches") {
                try await mount.run("xenstore-write /t/k 2; xenstore-write /t/k 3").status
                    == .exited(0) && mount.shell.result(watcher).output.contains("MODIFY k")
            }
            for (command, line) in [
                ("xenstore-chmod /t/k r0", "inotify debug: attrib k in /t: call the agent"),
                ("xenstore-rm /t/k", "inotify debug: unlink k in /t: call the agent"),
            ] {
                try await mount.expect(command)
                try await eventually(line) { mount.log.contains(line) }
            }
            watcher.signal(SIGTERM)
            _ = try await watcher.wait()
            #expect(mount.log.contains("inotify debug: event of /t/k: ask what has changed"))
            #expect(mount.log.contains(/inotify debug: modify k/))
            try await eventually("it says why not") {
                try await mount.expect("xenstore-write /u/v/w 1")
                return mount.log.contains("event of /u/v/w: the kernel knows no directory")
            }
        }
    }

    @Test(
        arguments: [
            ("loud", "'loud' names no level of the log"),
            ("fuse=loud", "'fuse=loud' names no level"),
            ("=trace", "'' is no area of the log"),
            ("fuse=trace,,debug", "'' names no level of the log"),
            ("smoke=trace", "'smoke' is no area of the log: they are mount, fuse, store"),
        ]
    )
    func aLevelThatThereIsNotIsRefused(levels: String, reason: String) async throws {
        try await Shell.use { shell in
            for command in [
                "\(Tool.xsfs) --embedded --log=\(levels) $T",
                "XSFS_LOG=\(levels) \(Tool.xsfs) --embedded $T",
            ] {
                try await shell.expect(command, fails: reason, status: 64)
            }
        }
    }

    /// As of every variable that a unit of systemd or a script may have left empty.
    @Test
    func anEmptyVariableSaysNothing() async throws {
        try await Shell.use { shell in
            try await shell.expect(
                """
                mkdir $T/m; XSFS_LOG= \(Tool.xsfs) --embedded $T/m && mountpoint -q $T/m
                echo $?; umount $T/m
                """,
                prints: "0\n"
            )
        }
    }
}

/// A request in a log.
private struct TracedLine {
    let number: Substring
    let operation: Substring
    let text: Substring
}

/// The requests about a path that a log names.
private func traced(_ path: String, in log: String) -> [TracedLine] {
    log.matches(of: /fuse trace: \[request=(\d+)\] ([A-Z]+) (\/[^ \n]*)([^\n]*)/).filter { match in
        match.3 == path
    }.map { TracedLine(number: $0.1, operation: $0.2, text: $0.3 + $0.4) }
}

/// The answers that a log names, by the numbers of their requests.
private func answers(in log: String) -> [Substring: Substring] {
    let matches = log.matches(of: /fuse trace: \[request=(\d+)\] ([A-Z]+: [^\n]*)/)
    return Dictionary(matches.map { ($0.1, $0.2) }) { $1 }
}
