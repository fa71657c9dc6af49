import XenstoreFilesystem

extension Scenario {
    static let transactions: [Scenario] = [
        Scenario("What is done in a transaction is seen outside when it is committed") { fs in
            try await fs.put("1", at: "/t/a")
            try await fs.makeDirectory("/.txn/x")
            try await fs.write("2\n", to: "/.txn/x/t/a")
            try await fs.write("3\n", to: "/.txn/x/t/b")
            try await fs.makeDirectory("/.txn/x/t/d")
            try expect(try await fs.text("/.txn/x/t/a"), "2\n")
            try expect(try await fs.names("/.txn/x/t"), ["a", "b", "d"])
            try expect(try await fs.value("/t/a"), "1")
            try expect(try await fs.names("/t"), ["a"])
            try await fs.rename("/.txn/x", to: "/.txn/commit", .keep)
            try expect(try await fs.value("/t/a"), "2")
            try expect(try await fs.text("/t/b"), "3\n")
            try expect(try await fs.status("/t/d").kind, .directory)
            try expect(try await fs.names("/.txn"), [])
        },
        Scenario("What utimensat sets in a transaction stays") { fs in
            for key in ["/t/a", "/t/b", "/t/d/x"] { try await fs.put("1", at: key) }
            var old: [String: Times] = [:]
            for path in ["/t/a", "/t/b", "/t", "/t/d", "/t/d/x"] {
                old[path] = try await fs.times(path)
            }
            try await fs.makeDirectory("/.txn/x")
            try expect(try await fs.times("/.txn/x/t/a").modified, old["/t/a"]?.modified)
            try await fs.write("2\n", to: "/.txn/x/t/a")
            try await fs.write("2\n", to: "/.txn/x/t/b")
            try await fs.write("2\n", to: "/.txn/x/t/d/x")
            try await fs.write("2\n", to: "/.txn/x/t/new")
            let time = Timestamp(seconds: 2000, nanoseconds: 0)
            for name in ["b", "new"] { try await fs.setModified(time, of: "/.txn/x/t/" + name) }
            try expect(try await fs.times("/t/a").modified, old["/t/a"]?.modified ?? 0)
            try await fs.rename("/.txn/x", to: "/.txn/commit", .keep)
            for path in ["/t/a", "/t/b", "/t/d/x", "/t"] {
                let now = try await fs.times(path)
                try expect(now.modified != old[path]?.modified, true, path)
                try expect(now.changed > old[path]?.changed ?? 0, true, path)
            }
            try expect(try await fs.times("/t/d"), old["/t/d"])
            for name in ["b", "new"] {
                let modified = try await fs.times("/t/" + name).modified
                try expect(modified, 2000 * 1_000_000_000, name)
            }
        },
        Scenario("A transaction that is removed leaves nothing") { fs in
            try await fs.put("1", at: "/t/a")
            try await fs.makeDirectory("/.txn/x")
            try await fs.write("2\n", to: "/.txn/x/t/a")
            try await fs.unlink("/.txn/x/t/a")
            try await fs.removeDirectory("/.txn/x")
            try expect(try await fs.value("/t/a"), "1")
            try expect(try await fs.names("/.txn"), [])
            try await expectError(.noEntry) {
                try await fs.rename("/.txn/x", to: "/.txn/commit", .keep)
            }
        },
        Scenario("A conflict is EAGAIN, leaves nothing, and is told with its key") { fs in
            try await fs.put("1", at: "/t/a")
            try await fs.makeDirectory("/.txn/x")
            try expect(try await fs.text("/.txn/x/t/a"), "1\n")
            try await fs.put("other", at: "/t/a")
            try await fs.write("2\n", to: "/.txn/x/t/a")
            try await expectError(.again) {
                try await fs.rename("/.txn/x", to: "/.txn/commit", .keep)
            }
            try expect(try await fs.value("/t/a"), "other")
            try expect(try await fs.names("/.txn"), [])
            try expect(try await fs.text("/.txn/.conflict"), "x: /t/a was changed meanwhile\n")
            try await fs.makeDirectory("/.txn/x")
            try await fs.write("2\n", to: "/.txn/x/t/a")
            try await fs.rename("/.txn/x", to: "/.txn/commit", .keep)
            try expect(try await fs.value("/t/a"), "2")
            try expect(try await fs.text("/.txn/.conflict"), "")
        },
        Scenario("What others commit meanwhile is not seen inside") { fs in
            try await fs.put("1", at: "/t/a")
            try await fs.makeDirectory("/.txn/x")
            try expect(try await fs.text("/.txn/x/t/a"), "1\n")
            try await fs.put("2", at: "/t/a")
            try expect(try await fs.text("/.txn/x/t/a"), "1\n")
            try expect(try await fs.text("/t/a"), "2\n")
            try await fs.removeDirectory("/.txn/x")
        },
        Scenario("Transactions have any name, and several are open at once") { fs in
            for name in ["a b", "x.y.z", "-", "f(1)"] {
                try await fs.makeDirectory("/.txn/\(name)")
                try await fs.write("\(name)\n", to: "/.txn/\(name)/t/k")
            }
            try expect(try await fs.names("/.txn"), ["-", "a b", "f(1)", "x.y.z"])
            for name in ["a b", "x.y.z", "-", "f(1)"] {
                try expect(try await fs.text("/.txn/\(name)/t/k"), "\(name)\n")
            }
            try await expectError(.exists) { try await fs.makeDirectory("/.txn/a b") }
            try await expectError(.notPermitted) { try await fs.makeDirectory("/.txn/commit") }
            try await fs.rename("/.txn/a b", to: "/.txn/b", .keep)
            try expect(try await fs.text("/.txn/b/t/k"), "a b\n")
            try await expectError(.exists) {
                try await fs.rename("/.txn/b", to: "/.txn/-", .keep)
            }
            try await fs.rename("/.txn/b", to: "/.txn/commit", .keep)
            try expect(try await fs.value("/t/k"), "a b")
            for name in ["x.y.z", "-", "f(1)"] {
                try await fs.removeDirectory("/.txn/\(name)")
            }
        },
        Scenario("A transaction says what it would do") { fs in
            try await fs.put("1", at: "/t/a")
            try await fs.put("1", at: "/t/d/e")
            try await fs.put("1", at: "/t/p")
            try await fs.makeDirectory("/.txn/x")
            try expect(try await fs.text("/.txn/x/.changes"), "")
            try await fs.write("2\n", to: "/.txn/x/t/a")
            try await fs.unlink("/.txn/x/t/d/e")
            try await fs.setOwner(1, of: "/.txn/x/t/p")
            try await fs.rename("/.txn/x/t/a", to: "/.txn/x/t/b", .keep)
            try expect(
                try await fs.text("/.txn/x/.changes"),
                "remove /t/d/e\npermissions /t/p\nwrite /t/b\nremove /t/a\n"
            )
            // What was not there, and is not there now.
            try await fs.makeDirectory("/.txn/x/t/new")
            try await fs.write("1\n", to: "/.txn/x/t/new/k")
            try await fs.rename("/.txn/x/t/new/k", to: "/.txn/x/t/new/l", .keep)
            try await fs.unlink("/.txn/x/t/new/l")
            try await fs.removeDirectory("/.txn/x/t/new")
            // What was there, is there again, and is gone.
            try await fs.write("1\n", to: "/.txn/x/t/d/e")
            try expect(
                try await fs.text("/.txn/x/.changes"),
                "write /t/d/e\npermissions /t/p\nwrite /t/b\nremove /t/a\n"
            )
            try await fs.unlink("/.txn/x/t/d/e")
            try expect(
                try await fs.text("/.txn/x/.changes"),
                "permissions /t/p\nwrite /t/b\nremove /t/a\nremove /t/d/e\n"
            )
            try await expectError(.accessDenied) {
                try await fs.write("no\n", to: "/.txn/x/.changes")
            }
            try await fs.removeDirectory("/.txn/x")
        },
        Scenario("Nothing is moved between transactions and the store") { fs in
            try await fs.put("1", at: "/t/a")
            try await fs.makeDirectory("/.txn/x")
            try await fs.makeDirectory("/.txn/y")
            try await expectError(.crossDevice) {
                try await fs.rename("/t/a", to: "/.txn/x/t/b", .keep)
            }
            try await expectError(.crossDevice) {
                try await fs.rename("/.txn/x/t/a", to: "/.txn/y/t/b", .keep)
            }
            try await fs.removeDirectory("/.txn/x")
            try await fs.removeDirectory("/.txn/y")
            try expect(try await fs.names("/t"), ["a"])
        },
        Scenario("The root lists keys alone") { fs in
            try await fs.makeDirectory("/.txn/x")
            try expect(try await fs.names("/").contains(".txn"), false)
            try expect(try await fs.names("/.txn/x").contains(".changes"), false)
            try expect(try await fs.names("/.txn"), ["x"])
            try expect(try await fs.status("/.txn").mode, 0o700)
            try await fs.removeDirectory("/.txn/x")
        },
    ]
}
