import Glibc
import MountSupport
import Testing

/// How the command starts, refuses to start, and ends.
struct CommandLineTests {
    // MARK: What it refuses, in one line, with status 1

    @Test func withoutAStoreItNamesThePlaces() async throws {
        try await Shell.use { shell in
            try await shell.expect(
                "unset XENSTORED_PATH; mkdir $T/m; \"$XSFS\" $T/m",
                refuses: [
                    "no xenstore found", "XENSTORED_PATH", "/run/xenstored/socket",
                    "/dev/xen/xenbus", "--embedded",
                ]
            )
        }
    }

    @Test(arguments: ["nonsense", "ro,nonsense", "raw=yes,nonsense=1", "allow_others"])
    func anUnknownMountOptionIsNamed(options: String) async throws {
        let unknown = options.contains("raw=yes") ? "raw" : options.split(separator: ",").last ?? ""
        try await Shell.use { shell in
            try await shell.expect(
                "mkdir $T/m; \"$XSFS\" --embedded -o \(options) $T/m",
                refuses: ["'\(unknown.split(separator: "=")[0])'"],
                status: 64
            )
        }
    }

    @Test(arguments: [
        ("--embedded $T/none", "No such file or directory"),
        ("--embedded $T/file", "not a directory"),
        ("--socket $T/none.socket $T/m", "none.socket"),
        ("--socket $T/file $T/m", "$T/file"),
        ("--socket $T/m --embedded $T/m", "exclude each other"),
        ("--load $T/file --socket $T/none $T/m", "--embedded"),
        ("--compatibility c --socket $T/none $T/m", "--embedded"),
        ("--embedded --load $T/none $T/m", "No such file"),
        ("--embedded --listen $T/none/socket $T/m", "cannot listen"),
    ])
    func aMistakeIsToldInOneLine(arguments: String, reason: String) async throws {
        try await Shell.use { shell in
            let reason = reason.replacing("$T", with: shell.directory)
            let setup = "mkdir $T/m; : > $T/file; "
            for foreground in ["", "-f "] {
                let script = setup + "\"$XSFS\" \(foreground)\(arguments)"
                let isWrongUse = reason.contains("exclude") || reason == "--embedded"
                let status: Int32 = isWrongUse ? 64 : 1
                try await shell.expect(script, refuses: [reason], status: status)
                #expect(!isMounted(shell.directory + "/m"))
                _ = try await shell.run("rmdir $T/m")
            }
        }
    }

    @Test func theLineOfAMalformedListingIsNamed() async throws {
        try await Shell.use { shell in
            try await shell.expect(
                """
                printf '/a = "1"   (n0)\\n/b = nonsense\\n' > $T/list; mkdir $T/m
                "$XSFS" --embedded --load $T/list $T/m
                """,
                refuses: ["\(shell.directory)/list", "line 2"]
            )
        }
    }

    @Test func aSocketThatIsInUseIsNotTaken() async throws {
        try await withMount(.served) { mount in
            try await mount.shell.expect(
                "mkdir $T/m; \"$XSFS\" --embedded --listen \"$S\" $T/m",
                refuses: ["cannot listen at"]
            )
            try await mount.shell.expect("\"$XSFS\" serve --listen \"$S\"", refuses: ["listen"])
            try await mount.expect("xenstore-write /t 1 && cat t", prints: "1\n")
        }
    }

    // MARK: Starting

    /// oxenstored has nodes by these names, and no special ones.
    @Test func theEmbeddedStoreBehavesLikeEitherDaemon() async throws {
        try await Shell.use { shell in
            try await shell.expect(
                """
                mkdir $T/m; echo '/a = "1"   (n0)' > $T/list
                for name in c oxenstored; do
                    "$XSFS" --embedded --compatibility $name --load $T/list --listen $T/socket $T/m
                    ls $T/m; XENSTORED_PATH=$T/socket xenstore-list / | xargs
                    fusermount3 -u $T/m; until [ ! -e $T/socket ]; do :; done
                done
                """,
                prints: """
                    a
                    a
                    @introduceDomain
                    @releaseDomain
                    a
                    @introduceDomain @releaseDomain a

                    """
            )
        }
    }

    @Test func inTheBackgroundItReturnsWhenTheMountIsUsable() async throws {
        try await Shell.use { shell in
            let result = try await shell.run(
                """
                mkdir $T/m && "$XSFS" --embedded --listen $T/socket $T/m &&
                    cat $T/m/local/domain/1/name
                XENSTORED_PATH=$T/socket xenstore-read /local/domain/2/name
                fusermount3 -u $T/m && echo "$?"
                """
            )
            #expect(result.status == .exited(0), "\(result)")
            #expect(result.output == "web\ndatabase\n0\n", "\(result)")
            try await eventually("its socket is gone") {
                try await shell.run("[ ! -e $T/socket ]").status == .exited(0)
            }
        }
    }

    @Test func aMountpointOfADeadProcessIsTakenOver() async throws {
        try await withMount(.served, MountSettings(mayBeKilled: true)) { mount in
            mount.daemon.signal(SIGKILL)
            _ = try await mount.daemon.wait()
            let shell = mount.shell.adding(["M": "/"])
            let result = try await shell.run(
                """
                "$XSFS" --socket "$S" '\(mount.point)' && xenstore-write /t v &&
                    cat '\(mount.point)/t' && fusermount3 -u '\(mount.point)'
                """
            )
            #expect(result.status == .exited(0) && result.output == "v\n", "\(result)")
        }
    }

    @Test func xenstoredPathIsFollowed() async throws {
        try await withMount(.xenstored) { mount in
            try await mount.expect(
                """
                mkdir $T/m && "$XSFS" $T/m && xenstore-write /t v && cat $T/m/t
                fusermount3 -u $T/m
                """,
                prints: "v\n"
            )
        }
    }

    // MARK: Ending

    @Test(arguments: [SIGTERM, SIGINT], [StoreKind.embedded, .oxenstored])
    func aSignalEndsTheMount(signal: Int32, kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("mkdir t && echo 1 > t/a")
            mount.daemon.signal(signal)
            #expect(try await mount.daemon.wait() == .exited(0))
            #expect(!isMounted(mount.point))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func unmountingEndsTheProcess(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("echo 1 > t; cd / && fusermount3 -u \"$M\"")
            #expect(try await mount.daemon.wait() == .exited(0))
            #expect(!isMounted(mount.point))
        }
    }
}

extension Shell {
    /// Expects that the command ends with the status and one line on standard error that has these
    /// parts.
    func expect(
        _ script: String,
        refuses parts: [String],
        status: Int32 = 1,
        _ location: SourceLocation = #_sourceLocation
    ) async throws {
        let result = try await run(script)
        let lines = result.errors.split(separator: "\n")
        #expect(
            result.status == .exited(status) && result.output.isEmpty && lines.count == 1
                && parts.allSatisfy { result.errors.contains($0) },
            "\(script): \(result), expected \(parts)",
            sourceLocation: location
        )
    }
}
