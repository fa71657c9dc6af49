import XenstoreFilesystem

extension Scenario {
    static let scratchFiles: [Scenario] = [
        Scenario("A name outside the alphabet is a scratch file, which the store never sees") {
            fs in
            for name in ["a.b", "a b", "a:b", ".hidden", "ä", "k~"] {
                try await fs.write("text", to: "/t/" + name)
                try expect(try await fs.text("/t/" + name), "text", name)
                try expect(try await fs.status("/t/" + name).size, 4, name)
                try expect(try await fs.names("/t"), [name])
                try await fs.append("more", to: "/t/" + name)
                try expect(try await fs.text("/t/" + name), "textmore", name)
                try await fs.truncate("/t/" + name, to: 2)
                try expect(try await fs.text("/t/" + name), "te", name)
                try await fs.unlink("/t/" + name)
                try await expectError(.noEntry) { _ = try await fs.read("/t/" + name) }
            }
            try expect(try await fs.names("/t"), [])
        },
        Scenario("A scratch file that is renamed to a key is one write to it") { fs in
            try await fs.put("old", at: "/t/key")
            try await fs.setPermissions("n1,r2", of: "/t/key")
            try await fs.write("new\n", to: "/t/.key.tmp")
            try await fs.rename("/t/.key.tmp", to: "/t/key", .replace)
            try expect(try await fs.value("/t/key"), "new")
            try expect(try await fs.permissions("/t/key"), "n1,r2")
            try expect(try await fs.text("/t/key"), "new\n")
            try expect(try await fs.names("/t"), ["key"])
        },
        Scenario("What mkstemp(3) makes is a scratch file, whatever its name") { fs in
            try await fs.put("old", at: "/t/key")
            for name in ["sedAbcdef", "sedabcdef", "XXabcdef", "tmpab12_x9z", "keyAb12Cd"] {
                try await fs.makeTemporary(Array("\(name)\n".utf8), at: "/t/" + name)
                try expect(try await fs.value("/t/" + name), nil)
                try await expectError(.exists) { try await fs.makeDirectory("/t/" + name) }
                try await fs.rename("/t/" + name, to: "/t/key", .replace)
                try expect(try await fs.value("/t/key"), name)
            }
            try expect(try await fs.names("/t"), ["key"])
        },
        Scenario("O_EXCL makes a key at once under a name that somebody chose") { fs in
            for name in ["lock", "lockfile", "mylock1", "LOCK-A", "123456"] {
                try await fs.createExclusively("/t/" + name)
                try expect(try await fs.value("/t/" + name), "")
                try await expectError(.exists) { try await fs.createExclusively("/t/" + name) }
            }
            try await fs.makeTemporary([1], at: "/t/lockfile2")
            try expect(try await fs.value("/t/lockfile2"), "\u{1}")
        },
        Scenario("mkstemp(3) fails with EEXIST where there is a key") { fs in
            try await fs.put("1", at: "/t/sedAbcdef")
            try await expectError(.exists) {
                try await fs.makeTemporary([1], at: "/t/sedAbcdef")
            }
            try expect(try await fs.value("/t/sedAbcdef"), "1")
        },
        Scenario("Permissions set on a scratch file go to the key that it is renamed to") { fs in
            try await fs.put("old", at: "/t/key")
            try await fs.write("new", to: "/t/.tmp")
            try await fs.setAttribute("user.xenstore.perms", to: Array("n3,r4".utf8), of: "/t/.tmp")
            try expect(try await fs.status("/t/.tmp").userID, 3)
            try await fs.rename("/t/.tmp", to: "/t/key", .replace)
            try expect(try await fs.permissions("/t/key"), "n3,r4")
            try expect(try await fs.value("/t/key"), "new")
        },
        Scenario("The key keeps its owner and entries under a scratch file's own mode") { fs in
            try await fs.put("old", at: "/t/key")
            try await fs.setPermissions("n1,r2", of: "/t/key")
            try await fs.write("new", to: "/t/.tmp")
            try await fs.setMode(0o640, of: "/t/.tmp")
            try expect(try await fs.status("/t/.tmp").mode, 0o640)
            try await fs.rename("/t/.tmp", to: "/t/key", .replace)
            try expect(try await fs.permissions("/t/key"), "n1,r2")
            try await fs.write("newer", to: "/t/.tmp")
            try await fs.setMode(0o644, of: "/t/.tmp")
            try await fs.rename("/t/.tmp", to: "/t/key", .replace)
            try expect(try await fs.permissions("/t/key"), "r1,r2")
        },
        Scenario("A mode that no key can have is EPERM at a scratch file, and costs no value") {
            fs in
            try await fs.put("old", at: "/t/key")
            try await fs.write("new", to: "/t/.tmp")
            for mode: UInt32 in [0o400, 0o444, 0o604, 0o4755, 0o2644] {
                try await expectError(.notPermitted) { try await fs.setMode(mode, of: "/t/.tmp") }
            }
            try await fs.rename("/t/.tmp", to: "/t/key", .replace)
            try expect(try await fs.value("/t/key"), "new")
            try expect(try await fs.permissions("/t/key"), "n0")
        },
        Scenario("A scratch file's mode is the most that anybody gets of the key") { fs in
            for (before, mode, after) in [
                ("n0", 0o640, "n0"), ("n0", 0o755, "r0"), ("r0", 0o660, "n0"), ("n0", 0o664, "r0"),
                ("n1,r2,b3", 0o660, "n1,r2,b3"), ("n1,r2,b3", 0o640, "n1,r2,r3"),
                ("r1,b2", 0o600, "n1,n2"), ("n1,w2", 0o744, "r1,n2"),
            ] as [(String, UInt32, String)] {
                try await fs.put("old", at: "/t/key")
                try await fs.setPermissions(before, of: "/t/key")
                try await fs.write("new", to: "/t/.tmp")
                try await fs.setMode(mode, of: "/t/.tmp")
                try await fs.rename("/t/.tmp", to: "/t/key", .replace)
                try expect(try await fs.value("/t/key"), "new")
                try expect(try await fs.permissions("/t/key"), after)
            }
            // Entries that were set on it are known already.
            try await fs.write("new", to: "/t/.tmp")
            try await fs.setAttribute("user.xenstore.perms", to: Array("n1,b2".utf8), of: "/t/.tmp")
            try await expectError(.notPermitted) { try await fs.setMode(0o640, of: "/t/.tmp") }
            try await fs.setMode(0o664, of: "/t/.tmp")
            try await fs.rename("/t/.tmp", to: "/t/key", .replace)
            try expect(try await fs.permissions("/t/key"), "r1,b2")
        },
        Scenario("RENAME_NOREPLACE of a scratch file keeps a key that is there") { fs in
            try await fs.put("old", at: "/t/key")
            try await fs.write("new", to: "/t/.tmp")
            try await expectError(.exists) { try await fs.rename("/t/.tmp", to: "/t/key", .keep) }
            try expect(try await fs.value("/t/key"), "old")
            try await fs.rename("/t/.tmp", to: "/t/other", .keep)
            try expect(try await fs.value("/t/other"), "new")
        },
        Scenario("A scratch file can be renamed to another, and to .value") { fs in
            try await fs.put("1", at: "/t/d/child")
            try await fs.write("a", to: "/t/d/.a")
            try await fs.write("b", to: "/t/d/.b")
            try await fs.rename("/t/d/.a", to: "/t/d/.b", .replace)
            try expect(try await fs.names("/t/d"), [".b", "child"])
            try expect(try await fs.text("/t/d/.b"), "a")
            try await fs.rename("/t/d/.b", to: "/t/d/.value", .replace)
            try expect(try await fs.value("/t/d"), "a")
            try expect(try await fs.names("/t/d"), [".value", "child"])
        },
        Scenario("A directory with a scratch file in it is not empty, and moves with it") { fs in
            try await fs.makeDirectory("/t/d")
            try await fs.write("a", to: "/t/d/.a")
            try await expectError(.notEmpty) { try await fs.removeDirectory("/t/d") }
            try await fs.makeDirectory("/t/e")
            try await expectError(.notEmpty) { try await fs.rename("/t/e", to: "/t/d", .replace) }
            try await fs.removeDirectory("/t/e")
            try await fs.rename("/t/d", to: "/t/e", .replace)
            try expect(try await fs.text("/t/e/.a"), "a")
            try await fs.unlink("/t/e/.a")
            try await fs.removeDirectory("/t/e")
        },
        Scenario("A scratch file too large for a value stays one: EFBIG") { fs in
            try await fs.put("old", at: "/t/key")
            let large = [UInt8](repeating: 1, count: FilesystemLimits.fileSize + 1)
            try await fs.write(large, to: "/t/.tmp")
            try await expectError(.tooLarge) {
                try await fs.rename("/t/.tmp", to: "/t/key", .replace)
            }
            try expect(try await fs.read("/t/.tmp"), large)
            try expect(try await fs.value("/t/key"), "old")
            try await fs.unlink("/t/.tmp")
        },
        Scenario("Scratch files are bounded: ENOSPC", isOfMemory: true) { fs in
            let piece = [UInt8](repeating: 1, count: 1 << 20)
            for number in 0..<(FilesystemLimits.scratchBytes >> 20) {
                try await fs.write(piece, to: "/t/.piece\(number)")
            }
            try await expectError(.noSpace) { try await fs.write([1], to: "/t/.more") }
            try await fs.unlink("/t/.piece0")
            try await fs.write([1], to: "/t/.more")
            for name in try await fs.names("/t") { try await fs.unlink("/t/" + name) }
            for number in 0..<FilesystemLimits.scratchFiles {
                try await fs.write([], to: "/t/.file\(number)")
            }
            try await expectError(.noSpace) { try await fs.write([], to: "/t/.more") }
            for name in try await fs.names("/t") { try await fs.unlink("/t/" + name) }
        },
    ]
}
