import XenstoreFilesystem
import XenstoreProtocol

extension Scenario {
    static let changes: [Scenario] = [
        Scenario("mkdir is exclusive, and needs the directory it is in") { fs in
            try await fs.put("1", at: "/t/k")
            try await expectError(.exists) { try await fs.makeDirectory("/t/k") }
            try expect(try await fs.value("/t/k"), "1")
            try await expectError(.noEntry) { try await fs.makeDirectory("/t/none/d") }
            try expect(try await fs.value("/t/none"), nil)
        },
        Scenario("O_EXCL is exclusive, and makes the key at once") { fs in
            try await fs.createExclusively("/t/lock")
            try expect(try await fs.value("/t/lock"), "")
            try await expectError(.exists) { try await fs.createExclusively("/t/lock") }
            try await fs.put("", at: "/t/other")
            try await expectError(.exists) { try await fs.createExclusively("/t/other") }
        },
        Scenario("A file needs the directory it is in") { fs in
            try await fs.put("1", at: "/t/d/child")
            _ = try await fs.names("/t/d")
            try await fs.store.remove(fs.key("/t/d"))
            try await expectError(.noEntry) { try await fs.write("x", to: "/t/d/new") }
            try expect(try await fs.value("/t/d"), nil)
        },
        Scenario("rmdir is ENOTEMPTY while there are children or a value") { fs in
            try await fs.put("1", at: "/t/d/child")
            try await expectError(.notEmpty) { try await fs.removeDirectory("/t/d") }
            try await fs.put("own", at: "/t/d")
            try await fs.unlink("/t/d/.value")
            try await fs.unlink("/t/d/child")
            try await fs.removeDirectory("/t/d")
            try expect(try await fs.value("/t/d"), nil)
        },
        Scenario("rmdir does not take a child that others made at that moment") { fs in
            try await fs.makeDirectory("/t/d")
            try await fs.put("1", at: "/t/d/child")
            try await expectError(.notEmpty) { try await fs.removeDirectory("/t/d") }
            try expect(try await fs.value("/t/d/child"), "1")
        },
        Scenario("unlink removes a key, and nothing else") { fs in
            try await fs.put("1", at: "/t/a")
            try await fs.put("1", at: "/t/b")
            try await fs.unlink("/t/a")
            try expect(try await fs.names("/t"), ["b"])
            try await expectError(.noEntry) { try await fs.unlink("/t/a") }
            try await fs.put("1", at: "/t/d/child")
            try await expectError(.isDirectory) { try await fs.unlink("/t/d") }
            try expect(try await fs.value("/t/d/child"), "1")
        },
        Scenario(
            "With ro, every change is EROFS",
            options: FilesystemOptions(isReadOnly: true)
        ) { fs in
            try await fs.put("1", at: "/t/k")
            try expect(try await fs.text("/t/k"), "1\n")
            try await expectError(.readOnly) { try await fs.write("x", to: "/t/k") }
            try await expectError(.readOnly) { try await fs.write("x", to: "/t/new") }
            try await expectError(.readOnly) { try await fs.truncate("/t/k", to: 0) }
            try await expectError(.readOnly) { try await fs.makeDirectory("/t/d") }
            try await expectError(.readOnly) { try await fs.unlink("/t/k") }
            try await expectError(.readOnly) { try await fs.rename("/t/k", to: "/t/l", .replace) }
            try await expectError(.readOnly) { try await fs.setMode(0o644, of: "/t/k") }
            try expect(try await fs.value("/t/k"), "1")
        },
    ]
}
