import XenstoreFilesystem
import XenstoreProtocol

extension Scenario {
    static let shapes: [Scenario] = [
        Scenario("A key with children is a directory; one with a value alone, or none, a file") {
            fs in
            try await fs.put("1", at: "/t/d/child")
            try await fs.put("1", at: "/t/f")
            try await fs.put("", at: "/t/e")
            try expect(try await fs.status("/t/d").kind, .directory)
            try expect(try await fs.status("/t/f").kind, .file)
            try expect(try await fs.status("/t/e").kind, .file)
            let listed = try await fs.list("/t").sorted { $0.name < $1.name }
            try expect(listed.map(\.name), ["d", "e", "f"])
            try expect(listed.map(\.kind), [.directory, .file, .file])
        },
        Scenario(
            "With empty=dir, a key with neither is a directory",
            options: FilesystemOptions(emptyKeyKind: .directory)
        ) { fs in
            try await fs.put("", at: "/t/e")
            try expect(try await fs.status("/t/e").kind, .directory)
            try await fs.write("1\n", to: "/t/e/child")
            try expect(try await fs.value("/t/e/child"), "1")
            try await fs.createExclusively("/t/lock")
            try expect(try await fs.status("/t/lock").kind, .file)
        },
        Scenario("What mkdir made stays a directory while it is empty") { fs in
            try await fs.makeDirectory("/t/d")
            try expect(try await fs.status("/t/d").kind, .directory)
            try expect(try await fs.value("/t/d"), "")
            try await fs.write("1\n", to: "/t/d/child")
            try await fs.unlink("/t/d/child")
            try expect(try await fs.status("/t/d").kind, .directory)
        },
        Scenario("A directory that this mount makes or empties stays one, whatever its value") {
            fs in
            try await fs.makeDirectory("/t/d")
            // Programs that copy trees make each file anew.
            try await fs.createExclusively("/t/d/.value")
            try await fs.write("own\n", to: "/t/d/.value")
            try expect(try await fs.names("/t/d"), [".value"])
            try await expectError(.exists) { try await fs.createExclusively("/t/d/.value") }
            try await fs.write("1\n", to: "/t/d/child")
            try await fs.unlink("/t/d/child")
            try expect(try await fs.text("/t/d/.value"), "own\n")
            try await expectError(.notEmpty) { try await fs.removeDirectory("/t/d") }
            try await fs.unlink("/t/d/.value")
            try await fs.removeDirectory("/t/d")
            try expect(try await fs.names("/t"), [])
        },
        Scenario("A child made through KEY.dir turns the key into a directory") { fs in
            try await fs.put("", at: "/t/k")
            try expect(try await fs.status("/t/k").kind, .file)
            try await fs.write("1\n", to: "/t/k.dir/child")
            try await eventually { try await fs.status("/t/k").kind == .directory }
            try expect(try await fs.text("/t/k/child"), "1\n")
        },
        Scenario("A file becomes a directory when others give it a child") { fs in
            try await fs.put("", at: "/t/k")
            try expect(try await fs.status("/t/k").kind, .file)
            try await fs.put("1", at: "/t/k/child")
            try await eventually { try await fs.status("/t/k").kind == .directory }
            try expect(try await fs.text("/t/k/child"), "1\n")
        },
        Scenario("A directory becomes a file when others take its children and leave a value") {
            fs in
            try await fs.put("own", at: "/t/k")
            try await fs.put("1", at: "/t/k/child")
            try expect(try await fs.names("/t/k"), [".value", "child"])
            try await fs.store.remove(fs.key("/t/k/child"))
            try await eventually { try await fs.status("/t/k").kind == .file }
            try expect(try await fs.text("/t/k"), "own\n")
        },
        Scenario("A directory that others replace by a file is a file") { fs in
            try await fs.put("1", at: "/t/k/child")
            try expect(try await fs.text("/t/k/child"), "1\n")
            try await fs.store.remove(fs.key("/t/k"))
            try await fs.put("file", at: "/t/k")
            try await eventually { try await fs.status("/t/k").kind == .file }
            try expect(try await fs.text("/t/k"), "file\n")
        },
        Scenario("What a directory was ends when the one above it is removed") { fs in
            try await fs.makeDirectory("/t/d")
            try await fs.makeDirectory("/t/d/e")
            try await fs.write("1", to: "/t/d/e/.value")
            try await fs.store.remove(fs.key("/t/d"))
            try await fs.put("", at: "/t/d")
            // Whether it was seen to be gone in between is open: it may be a file now.
            try await eventually {
                if (try? await fs.status("/t/d").kind) == .file { return true }
                return (try? await fs.names("/t/d")) == []
            }
            try await fs.put("file", at: "/t/d/e")
            try await eventually { (try? await fs.text("/t/d/e")) == "file\n" }
        },
        Scenario("A directory that goes where a file is being created is gone, and can come back") {
            fs in
            let file = try await fs.open("/t/k", .write, creating: true)
            try await fs.put("1", at: "/t/k/child")
            try await eventually { try await fs.status("/t/k").kind == .directory }
            try await fs.store.remove(fs.key("/t/k"))
            try await expectError(.noEntry) { _ = try await fs.status("/t/k") }
            try await fs.put("2", at: "/t/k/child")
            try await eventually { (try? await fs.text("/t/k/child")) == "2\n" }
            try await fs.unlink("/t/k/child")
            // What closing would leave to do is done.
            try await file.write(Array("end".utf8), at: 0)
            try await file.close()
        },
    ]
}
