import XenstoreFilesystem

extension Scenario {
    static let renames: [Scenario] = [
        Scenario("A renamed key keeps value and permissions") { fs in
            try await fs.put("1", at: "/t/a")
            try await fs.setPermissions("n1,r2", of: "/t/a")
            try await fs.rename("/t/a", to: "/t/b", .replace)
            try expect(try await fs.value("/t/a"), nil)
            try expect(try await fs.value("/t/b"), "1")
            try expect(try await fs.permissions("/t/b"), "n1,r2")
            try expect(try await fs.text("/t/b"), "1\n")
            try await expectError(.noEntry) { _ = try await fs.read("/t/a") }
        },
        Scenario("A renamed directory takes all below it along") { fs in
            try await fs.put("own", at: "/t/a")
            for number in 0..<20 {
                try await fs.put("\(number)", at: "/t/a/d/k\(number)")
            }
            try await fs.setPermissions("r0,b1", of: "/t/a/d/k7")
            _ = try await fs.names("/t/a/d")
            try await fs.rename("/t/a", to: "/t/b", .replace)
            try expect(try await fs.value("/t/a"), nil)
            try expect(try await fs.value("/t/b"), "own")
            try expect(try await fs.text("/t/b/d/k19"), "19\n")
            try expect(try await fs.permissions("/t/b/d/k7"), "r0,b1")
            try expect(try await fs.names("/t/b/d").count, 20)
        },
        Scenario("An empty directory in a renamed directory stays one") { fs in
            try await fs.makeDirectory("/t/a")
            try await fs.makeDirectory("/t/a/empty")
            try await fs.rename("/t/a", to: "/t/b", .replace)
            try expect(try await fs.status("/t/b/empty").kind, .directory)
            try await fs.write("1\n", to: "/t/b/empty/child")
            try expect(try await fs.value("/t/b/empty/child"), "1")
        },
        Scenario("A file replaces a file, a directory an empty directory") { fs in
            try await fs.put("1", at: "/t/a")
            try await fs.put("2", at: "/t/b")
            try await fs.rename("/t/a", to: "/t/b", .replace)
            try expect(try await fs.value("/t/b"), "1")
            try expect(try await fs.names("/t"), ["b"])
            try await fs.put("1", at: "/t/d/child")
            try await fs.makeDirectory("/t/empty")
            try await fs.rename("/t/d", to: "/t/empty", .replace)
            try expect(try await fs.value("/t/empty/child"), "1")
            try await fs.put("1", at: "/t/full/child")
            try await expectError(.notEmpty) {
                try await fs.rename("/t/empty", to: "/t/full", .replace)
            }
            try expect(try await fs.value("/t/empty/child"), "1")
        },
        Scenario("RENAME_NOREPLACE keeps what is there") { fs in
            try await fs.put("1", at: "/t/a")
            try await fs.put("2", at: "/t/b")
            try await expectError(.exists) { try await fs.rename("/t/a", to: "/t/b", .keep) }
            try expect(try await fs.value("/t/b"), "2")
            try await fs.rename("/t/a", to: "/t/c", .keep)
            try expect(try await fs.value("/t/c"), "1")
        },
        Scenario("RENAME_EXCHANGE swaps two keys with all below them") { fs in
            try await fs.put("1", at: "/t/a")
            try await fs.put("2", at: "/t/b/child")
            try await fs.rename("/t/a", to: "/t/b", .exchange)
            try expect(try await fs.value("/t/b"), "1")
            try expect(try await fs.value("/t/a/child"), "2")
            try expect(try await fs.text("/t/b"), "1\n")
            try expect(try await fs.text("/t/a/child"), "2\n")
        },
        Scenario("Into itself is EINVAL; onto a name that no key can have EPERM") { fs in
            try await fs.put("1", at: "/t/a/b/c")
            try await expectError(.invalid) {
                try await fs.rename("/t/a", to: "/t/a/b/d", .replace)
            }
            try await fs.put("1", at: "/t/k")
            try await expectError(.notPermitted) {
                try await fs.rename("/t/k", to: "/t/k.bak", .replace)
            }
            try expect(try await fs.value("/t/k"), "1")
            try expect(try await fs.value("/t/a/b/c"), "1")
        },
        Scenario("KEY.value and KEY.dir follow the name, not the key that was renamed") { fs in
            try await fs.put("old", at: "/t/a")
            try await fs.put("1", at: "/t/d/x")
            try expect(try await fs.text("/t/a.value"), "old\n")
            try expect(try await fs.names("/t/d.dir"), ["x"])
            try await fs.rename("/t/a", to: "/t/b", .replace)
            try await fs.rename("/t/d", to: "/t/e", .replace)
            try await expectError(.noEntry) { _ = try await fs.read("/t/a.value") }
            try await expectError(.noEntry) { _ = try await fs.names("/t/d.dir") }
            try await fs.write("new", to: "/t/c.value")
            try await fs.rename("/t/c", to: "/t/a", .replace)
            try await expectError(.noEntry) { _ = try await fs.read("/t/c.value") }
            try expect(try await fs.text("/t/a.value"), "new\n")
        },
        Scenario("A directory with a scratch file in it can be exchanged") { fs in
            try await fs.makeDirectory("/t/d")
            try await fs.write("a", to: "/t/d/.a")
            try await fs.put("1", at: "/t/key")
            try await fs.rename("/t/key", to: "/t/d", .exchange)
            try expect(try await fs.value("/t/d"), "1")
            try expect(try await fs.text("/t/key/.a"), "a")
        },
        Scenario("What others make of exchanged names is seen") { fs in
            for round in 0..<10 {
                let name = "/t/\(round)"
                try await fs.put("1", at: name + "d/child")
                try await fs.put("file", at: name + "f")
                try expect(try await fs.names(name + "d"), ["child"])
                try await fs.rename(name + "d", to: name + "f", .exchange)
                try expect(try await fs.text(name + "d"), "file\n")
                try await fs.put("2", at: name + "d/other")
                try await eventually { try await fs.status(name + "d").kind == .directory }
                try expect(try await fs.text(name + "f/child"), "1\n")
            }
        },
    ]
}
