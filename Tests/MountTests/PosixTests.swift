import Glibc
import MountSupport
import Testing

/// The cases of pjdfstest that apply to a mount of a store, as tables of calls: docs/TESTING.md
/// says which do not.
struct PosixTests {
    @Test(arguments: StoreKind.allCases)
    func callsDoWhatPosixSays(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            // The event of a change sets the time too, so what times are set on must be older.
            try await mount.expect("xenstore-write /times/f v /times/d/x 1 && ls -lR >/dev/null")
            for (name, table) in Self.tables {
                let directory = mount.point + "/" + name
                #expect(mkdir(directory, 0o755) == 0 || name == "times")
                for line in table.split(separator: "\n").compactMap(PosixLine.init) {
                    let result = try await outcome(of: line, in: directory)
                    #expect(result == line.expected, "\(name): \(line)")
                }
            }
            try await mount.expectSameAsStore()
        }
    }

    /// The calls on a mount that refuses changes: the refusal comes before any other error.
    @Test(arguments: StoreKind.allCases)
    func changesAreRefusedByAReadOnlyMount(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(options: "ro")) { mount in
            try await mount.expect(
                "xenstore-write /t/f v /t/d/x 1 /t/e/x 1; xenstore-ls -fp > $T/before"
            )
            for line in Self.refused.split(separator: "\n").compactMap(PosixLine.init) {
                let result = try await outcome(of: line, in: mount.point + "/t")
                #expect(result == line.expected, "\(line)")
            }
            try await mount.expect("xenstore-ls -fp | diff - $T/before")
            for command in [
                "setfattr -n user.xenstore.perms -v r0 t/f", "setfacl -m u:5:r t/f",
                "setfattr -x user.xenstore.perms t/f", "echo v > t/.scratch",
            ] {
                try await mount.expect(command, fails: "Read-only file system")
            }
            try await mount.expect("xenstore-ls -fp | diff - $T/before")
        }
    }

    /// What a line leaves to be done at its last close is done when the next one begins.
    private func outcome(of line: PosixLine, in directory: String) async throws -> String {
        try await whileNothingStarts { Result { try line.run(in: directory) } }.get()
    }

    private static let refused = """
        EROFS mkdir new 0755
        EROFS rmdir d
        EROFS unlink f
        EROFS rename f g
        EROFS renameat2 f g 1
        EROFS renameat2 f d 2
        EROFS link f g
        EROFS symlink f g
        EROFS mkfifo g
        EROFS mknod g file
        EROFS truncate f 0
        EROFS chmod f 0644
        EROFS chown f 5 -
        EROFS utimensat f 1 1
        EROFS open f WRONLY
        EROFS open f RDWR
        EROFS open f RDONLY,TRUNC
        EROFS open new WRONLY,CREAT
        EROFS open new WRONLY,CREAT,EXCL
        EEXIST mkdir d 0755
        v pread f RDONLY
        0 open d RDONLY,DIRECTORY
        """

    static let tables: [(name: String, table: String)] = [
        ("mkdir", mkdirTable), ("rmdir", rmdirTable), ("open", openTable), ("unlink", unlinkTable),
        ("rename", renameTable), ("truncate", truncateTable), ("chmod", chmodTable),
        ("chown", chownTable), ("times", timesTable), ("kinds", kindsTable),
    ]
}
