import XenstoreFilesystem
import XenstoreProtocol

extension Scenario {
    static let values: [Scenario] = [
        Scenario("A value reads with a newline at its end, and a newline at the end is not stored")
        {
            fs in
            try await fs.put("one", at: "/t/k")
            try expect(try await fs.text("/t/k"), "one\n")
            try expect(try await fs.status("/t/k").size, 4)
            try await fs.write("two\n", to: "/t/k")
            try expect(try await fs.value("/t/k"), "two")
            try await fs.write("three", to: "/t/k")
            try expect(try await fs.value("/t/k"), "three")
        },
        Scenario("What is read and written back is the same value, whatever its bytes") { fs in
            let all = [UInt8](0...255)
            for value in [all, [10], [10, 10], [97, 10], [0], [0, 10], []] {
                try await fs.store.write(value, to: fs.key("/t/k"))
                let bytes = try await fs.read("/t/k")
                try await fs.write(bytes, to: "/t/copy")
                try await eventually { try await fs.store.read(fs.key("/t/copy")) == value }
            }
        },
        Scenario(
            "With raw, a value is the exact bytes both ways",
            options: FilesystemOptions(valueForm: .raw)
        ) { fs in
            try await fs.put("one", at: "/t/k")
            try expect(try await fs.text("/t/k"), "one")
            try expect(try await fs.status("/t/k").size, 3)
            try await fs.write("two\n", to: "/t/k")
            try expect(try await fs.value("/t/k"), "two\n")
        },
        Scenario("An empty value reads as an empty file") { fs in
            try await fs.put("", at: "/t/k")
            try expect(try await fs.text("/t/k"), "")
            try expect(try await fs.status("/t/k").size, 0)
        },
        Scenario("Creating and truncating without a write stores an empty value at close") { fs in
            try await fs.write("", to: "/t/new")
            try await eventually { try await fs.value("/t/new") == "" }
            try await fs.put("old", at: "/t/k")
            try await fs.write("", to: "/t/k")
            try await eventually { try await fs.value("/t/k") == "" }
        },
        Scenario("Appends extend what is there") { fs in
            try await fs.append("a\n", to: "/t/k")
            try await fs.append("b\n", to: "/t/k")
            try await fs.put("x\ny", at: "/t/k")
            try await fs.append("z\n", to: "/t/k")
            try expect(try await fs.value("/t/k"), "x\ny\nz")
        },
        Scenario("truncate cuts and extends") { fs in
            try await fs.put("abcdef", at: "/t/k")
            try await fs.truncate("/t/k", to: 3)
            try expect(try await fs.value("/t/k"), "abc")
            try await fs.truncate("/t/k", to: 0)
            try expect(try await fs.value("/t/k"), "")
            try await fs.truncate("/t/k", to: 2)
            try expect(try await fs.value("/t/k"), "\0\0")
        },
        Scenario("A value too big for one message is EFBIG, and nothing is stored") { fs in
            try await fs.put("old", at: "/t/k")
            let big = [UInt8](repeating: 97, count: 4097)
            try await expectError(.tooLarge) { try await fs.write(big, to: "/t/k") }
            try expect(try await fs.value("/t/k"), "old")
            // It fits the file's bound, but not with the path.
            try await expectError(.tooLarge) {
                try await fs.write(Array(big.dropLast(2)), to: "/t/new")
            }
            try expect(try await fs.value("/t/new"), nil)
            try await expectError(.tooLarge) { try await fs.truncate("/t/k", to: 1 << 40) }
            try expect(try await fs.value("/t/k"), "old")
        },
        Scenario("A reader that starts after a write was acknowledged sees it") { fs in
            for number in 0..<50 {
                try await fs.put("value \(number)", at: "/t/k")
                try expect(try await fs.text("/t/k"), "value \(number)\n")
                try expect(try await fs.status("/t/k").size, "value \(number)\n".utf8.count)
            }
            try await fs.store.remove(fs.key("/t/k"))
            try await expectError(.noEntry) { _ = try await fs.read("/t/k") }
            try await expectError(.noEntry) { _ = try await fs.status("/t/k") }
            try expect(try await fs.names("/t"), [])
            try await fs.put("again", at: "/t/k")
            try expect(try await fs.text("/t/k"), "again\n")
        },
        Scenario("A file that is open and removed by its other name is gone by both") { fs in
            try await fs.put("one", at: "/t/k")
            let file = try await fs.open("/t/k", .read, creating: false)
            try await fs.unlink("/t/k.value")
            try await expectError(.noEntry) { _ = try await fs.status("/t/k") }
            try await expectError(.noEntry) { _ = try await fs.status("/t/k.value") }
            try expect(try await file.read(), Array("one\n".utf8))
            try await file.close()
        },
        Scenario("A file that others removed is made again by writing it") { fs in
            try await fs.put("one", at: "/t/k")
            _ = try await fs.status("/t/k")
            try await fs.store.remove(fs.key("/t/k"))
            try await fs.write("two\n", to: "/t/k")
            try expect(try await fs.value("/t/k"), "two")
        },
        Scenario("A file that others make while it is open for creation keeps their value") { fs in
            let file = try await fs.open("/t/k", [.write, .append], creating: true)
            let other = try await fs.open("/t/l", [.write, .append], creating: true)
            let same = try await fs.open("/t/l", [.write, .append], creating: true)
            try await fs.put("theirs", at: "/t/k")
            try await same.write(Array("line\n".utf8), at: 0)
            try await file.close()
            try await other.close()
            try await same.close()
            // The second is closed after what the first close left to do was sent.
            try await fs.write("end", to: "/t/end")
            try await eventually { try await fs.value("/t/end") == "end" }
            try expect(try await fs.value("/t/k"), "theirs")
            try expect(try await fs.value("/t/l"), "line")
        },
        Scenario("What O_TRUNC asked for comes before what is written after it") { fs in
            // (echo one >> k; echo two >> k) > k
            for old in ["old", nil] {
                if let old { try await fs.put(old, at: "/t/k") }
                let file = try await fs.open("/t/k", [.write, .truncate], creating: true)
                try await fs.append("one\n", to: "/t/k")
                try await fs.append("two\n", to: "/t/k")
                try await file.close()
                try await fs.write("end", to: "/t/end")
                try await eventually { try await fs.value("/t/end") == "end" }
                try expect(try await fs.value("/t/k"), "one\ntwo")
                try await fs.store.remove(fs.key("/t/end"))
                try await fs.store.remove(fs.key("/t/k"))
            }
            // Others write it, who have not waited for the close.
            for old in ["old", nil] {
                if let old { try await fs.put(old, at: "/t/l") }
                let file = try await fs.open("/t/l", [.write, .truncate], creating: true)
                try await fs.put("theirs", at: "/t/l")
                try await file.close()
                try await fs.write("end", to: "/t/end")
                try await eventually { try await fs.value("/t/end") == "end" }
                try expect(try await fs.value("/t/l"), "theirs")
                try await fs.store.remove(fs.key("/t/end"))
                try await fs.store.remove(fs.key("/t/l"))
            }
        },
        Scenario("ftruncate empties a file that was opened with O_TRUNC and written since") { fs in
            try await fs.put("old", at: "/t/k")
            let file = try await fs.open("/t/k", [.write, .truncate], creating: false)
            try await file.write(Array("new".utf8), at: 0)
            try await file.truncate(to: 0)
            try await file.close()
            try expect(try await fs.value("/t/k"), "")
        },
        Scenario("Programs that have a file open to write go on from each other's writes") { fs in
            try await fs.put("123456789", at: "/t/k")
            let first = try await fs.open("/t/k", [.read, .write], creating: false)
            let second = try await fs.open("/t/k", [.read, .write], creating: false)
            try await first.truncate(to: 4)
            try await second.write(Array("x".utf8), at: 1)
            try expect(try await fs.value("/t/k"), "1x34")
            try await first.write(Array("y".utf8), at: 4)
            try expect(try await fs.value("/t/k"), "1x34y")
            try await fs.truncate("/t/k", to: 2)
            try await second.write(Array("z".utf8), at: 2)
            try await first.close()
            try await second.close()
            try expect(try await fs.value("/t/k"), "1xz")
        },
        Scenario("The size of an open file is what a read through it gives") { fs in
            try await fs.put("123456789", at: "/t/k")
            let file = try await fs.open("/t/k", [.read, .write], creating: false)
            try await file.truncate(to: 4)
            try expect(try await file.size(), 4)
            try expect(try await file.end(), 4)
            try expect(try await file.read(), Array("1234".utf8))
            try await file.write(Array("!\n".utf8), at: try await file.end())
            try expect(try await fs.value("/t/k"), "1234!")
            try expect(try await file.size(), 6)
            try await file.truncate(to: 8)
            try expect(try await file.size(), 8)
            try await file.close()
            let emptied = try await fs.open("/t/k", [.write, .truncate], creating: false)
            try expect(try await emptied.size(), 0)
            try expect(try await emptied.end(), 0)
            try await emptied.close()
            // The kernel does not wait for what closing leaves to do.
            try await eventually { try await fs.value("/t/k") == "" }
        },
        Scenario("A write at the end that others have given a file leaves their value") { fs in
            try await fs.put("one", at: "/t/k")
            let file = try await fs.open("/t/k", [.read, .write], creating: false)
            try expect(try await file.read(), Array("one\n".utf8))
            try await fs.put("one two", at: "/t/k")
            try expect(try await file.size(), 8)
            try await file.write(Array("three\n".utf8), at: try await file.end())
            try expect(try await fs.value("/t/k"), "one two\nthree")
            try await file.close()
        },
        Scenario("A file that was opened and not read yet is the value that fstat(2) measures") {
            fs in
            try await fs.put("a long value", at: "/t/k")
            let file = try await fs.open("/t/k", .read, creating: false)
            try await fs.put("short", at: "/t/k")
            try await eventually { try await file.size() == 6 }
            try expect(try await file.read(), Array("short\n".utf8))
            try await file.close()
        },
        Scenario("An open file whose directory is gone can be closed") { fs in
            try await fs.put("1", at: "/t/d/k")
            let file = try await fs.open("/t/d/k", .write, creating: false)
            try await file.truncate(to: 0)
            try await fs.store.remove(fs.key("/t/d/k"))
            try await eventually { try await fs.names("/t/d").isEmpty }
            try await fs.removeDirectory("/t/d")
            try await expectError(.stale) { try await file.write([1], at: 0) }
            try await file.close()
            try expect(try await fs.value("/t/d"), nil)
        },
    ]
}

/// Waits for something that nothing tells of: closing is not waited for by the kernel.
func eventually(
    line: Int = #line,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    throw Broken(description: "line \(line): did not come true in time")
}
