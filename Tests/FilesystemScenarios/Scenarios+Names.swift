import XenstoreFilesystem
import XenstoreProtocol

extension Scenario {
    static let names: [Scenario] = [
        Scenario("No directory can have a name outside the alphabet") { fs in
            for name in ["a.b", "a b", "a:b", ".hidden", "ä"] {
                try await expectError(.noEntry) { _ = try await fs.read("/t/" + name) }
                try await expectError(.notPermitted) { try await fs.makeDirectory("/t/" + name) }
            }
            try expect(try await fs.names("/t"), [])
        },
        Scenario("Names that stand for something else cannot be made") { fs in
            for name in ["k.dir", "k.watch", ".watch", ".dir", ".txn", ".xsfs"] {
                try await expectError(.notPermitted) { try await fs.write("x", to: "/t/" + name) }
            }
            try expect(try await fs.names("/t"), [])
        },
        Scenario("A path longer than the protocol's limit is ENAMETOOLONG") { fs in
            var path = "/t"
            // 12 names of 250 bytes reach 3012 bytes; more cannot be asked for at all.
            for _ in 0..<12 { path += "/" + String(repeating: "n", count: 250) }
            let deep = path + "/" + String(repeating: "n", count: 100)
            try await expectError(.nameTooLong) { _ = try await fs.lookUpDirectly(deep) }
        },
        Scenario("KEY.value and KEY.dir reach both sides of a key, and are not listed") { fs in
            try await fs.put("", at: "/t/k")
            try expect(try await fs.status("/t/k").kind, .file)
            try expect(try await fs.status("/t/k.dir").kind, .directory)
            try await fs.write("1\n", to: "/t/k.dir/child")
            try expect(try await fs.value("/t/k/child"), "1")
            try await fs.write("own\n", to: "/t/k.value")
            try expect(try await fs.value("/t/k"), "own")
            try expect(try await fs.names("/t"), ["k"])
            try expect(try await fs.text("/t/k.value"), "own\n")
        },
        Scenario("A directory's own value is .value, listed while it is not empty") { fs in
            try await fs.put("1", at: "/t/d/child")
            try expect(try await fs.names("/t/d"), ["child"])
            try expect(try await fs.text("/t/d/.value"), "")
            try await fs.write("own\n", to: "/t/d/.value")
            try expect(try await fs.value("/t/d"), "own")
            try expect(try await fs.names("/t/d"), [".value", "child"])
            try await fs.unlink("/t/d/.value")
            try expect(try await fs.value("/t/d"), "")
            try expect(try await fs.names("/t/d"), ["child"])
            try await expectError(.noEntry) { try await fs.unlink("/t/d/.value") }
        },
        Scenario("Listings of any size are complete, with true types", hasLongListing: true) { fs in
            let count = 1500
            let writes = (0..<count).map { number in
                Request.write(fs.key("/t/d/key-with-a-long-name-\(number)"), value: [])
            }
            for answer in await fs.store.send(writes, in: .none) { _ = try answer.get() }
            try await fs.put("1", at: "/t/d/directory/child")
            let entries = try await fs.list("/t/d")
            try expect(entries.count, count + 1)
            try expect(Set(entries.map(\.name)).count, count + 1)
            let directories = entries.filter { $0.kind == .directory }.map(\.name)
            try expect(directories, ["directory"])
        },
    ]
}

extension Surface {
    /// Looks at a path of which no part may exist.
    func lookUpDirectly(_ path: String) async throws -> Status {
        // Each directory is made, so that the walk gets to the last name.
        var made = "/t"
        for name in path.split(separator: "/").dropFirst() {
            made += "/" + name
            do {
                _ = try await status(made + ".dir")
            } catch FilesystemError.noEntry {
                try await makeDirectory(made)
            }
        }
        return try await status(path)
    }
}
