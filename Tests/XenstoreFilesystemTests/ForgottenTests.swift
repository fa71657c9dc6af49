import Testing
import XenstoreFilesystem

/// What lives in this mount alone (numbers, times, shapes) survives that the kernel forgets a key.
@MainActor
@Suite(.timeLimit(.minutes(1))) struct ForgottenTests {
    private static let time = Timestamp(seconds: 2000, nanoseconds: 7)

    /// Looks a name in the root up, and has the kernel forget it at once.
    @discardableResult
    private func glance(at name: String, in world: World) async throws -> Attributes {
        let attributes = try await world.lookup(name).attributes
        world.filesystem.forget(attributes.inode, count: .max)
        return attributes
    }

    private func setTime(of name: String, in world: World) async throws {
        let inode = try await world.lookup(name).attributes.inode
        let changes = AttributeChanges(modified: Self.time)
        _ = try await world.filesystem.setAttributes(changes, of: inode, handle: nil)
        world.filesystem.forget(inode, count: .max)
    }

    /// As long as that is remembered.
    @Test func aKeyThatIsMetHasTheTimeOfItsLastEvent() async throws {
        let world = try await World(
            ["/a": "1", "/b": "1", "/c": "1", "/d": "1"],
            isListed: false
        )
        let started = try await glance(at: "d", in: world).modified
        for path in ["/a", "/b", "/a", "/c"] { try await world.change(at: path) }
        let (b, a) = (
            try await glance(at: "b", in: world).modified,
            try await glance(at: "a", in: world).modified
        )
        #expect(started.nanoseconds < b.nanoseconds && b.nanoseconds < a.nanoseconds)
        for number in 0..<256 { try await world.change(at: "/elsewhere/\(number)") }
        #expect(try await glance(at: "c", in: world).modified == started)
    }

    @Test func whatTheKernelForgotIsTheSameFile() async throws {
        let world = try await World(["/a": "1", "/d/x": "1"], isListed: false)
        for name in ["a", "d"] {
            let first = try await glance(at: name, in: world)
            try await setTime(of: name, in: world)
            let again = try await glance(at: name, in: world)
            #expect(again.inode == first.inode)
            #expect(again.modified == Self.time)
            #expect(again.changed != first.changed)
        }
    }

    @Test func whatOthersChangeOfItIsSeen() async throws {
        let world = try await World(["/a": "1"], isListed: false)
        try await setTime(of: "a", in: world)
        try await world.write("2", to: "/a")
        try await world.change(at: "/a")
        let again = try await glance(at: "a", in: world)
        #expect(again.modified != Self.time)
        #expect(try await glance(at: "a", in: world).modified == again.modified)
    }

    /// Without a connection no event came.
    @Test func whatOthersChangeWithoutAConnectionIsSeen() async throws {
        let world = try await World(["/a": "1", "/b": "1"], isListed: false)
        for name in ["a", "b"] {
            try await glance(at: name, in: world)
            try await setTime(of: name, in: world)
            // The time belongs to the value that is there.
            try await glance(at: name, in: world)
        }
        try await world.disconnect()
        try await world.write("2", to: "/a")
        await world.reconnect()
        #expect(try await glance(at: "a", in: world).modified != Self.time)
        #expect(try await glance(at: "b", in: world).modified == Self.time)
    }

    @Test(arguments: [true, false])
    func removalEndsTheMemory(isOwn: Bool) async throws {
        let world = try await World(["/a": "1", "/d/x": "1"], isListed: false)
        let first = try await glance(at: "a", in: world)
        let directory = try await world.lookup("d").attributes.inode
        let caller = CallerID(rawValue: 1)
        let below = try await world.filesystem.lookup("x", in: directory, by: caller)
        world.filesystem.forget(below.attributes.inode, count: .max)
        if isOwn {
            try await world.filesystem.unlink("a", in: .root)
            try await world.filesystem.unlink("x", in: directory)
        } else {
            for path in ["/a", "/d"] {
                try await world.remove(path)
                try await world.change(at: path)
            }
            await #expect(throws: FilesystemError.noEntry) { try await world.lookup("a") }
            await #expect(throws: FilesystemError.noEntry) { try await world.lookup("d") }
        }
        world.filesystem.forget(directory, count: .max)
        for path in ["/a", "/d/x"] {
            try await world.write("1", to: path)
            try await world.change(at: path)
        }
        #expect(try await glance(at: "a", in: world).inode != first.inode)
        let again = try await world.lookup("d").attributes.inode
        let new = try await world.filesystem.lookup("x", in: again, by: caller)
        #expect(new.attributes.inode != below.attributes.inode)
    }

    /// What does not fit a message cannot be compared.
    @Test func aLongListIsTakenAsLikely() async throws {
        let paths = (100..<300).map { "/d/child-with-a-long-name-\($0)" }
        let world = try await World(
            Dictionary(uniqueKeysWithValues: paths.map { ($0, "1") }),
            isListed: false
        )
        let directory = try await world.lookup("d").attributes.inode
        let (known, unknown) = ("child-with-a-long-name-100", "child-with-a-long-name-200")
        let caller = CallerID(rawValue: 1)
        _ = try await world.filesystem.lookup(known, in: directory, by: caller)
        let first = try await world.status(directory)
        try await world.write("2", to: "/d/" + known)
        try await world.change(at: "/d/" + known)
        #expect(try await world.status(directory) == first)
        try await world.write("2", to: "/d/" + unknown)
        try await world.change(at: "/d/" + unknown)
        let second = try await world.status(directory)
        #expect(second.modified != first.modified)
        try await world.remove("/d/" + known)
        try await world.change(at: "/d/" + known)
        await #expect(throws: FilesystemError.noEntry) {
            try await world.filesystem.lookup(known, in: directory, by: caller)
        }
        #expect(try await world.status(directory).modified != second.modified)
    }

    @Test func whatIsRenamedIsRemembered() async throws {
        let world = try await World(["/d/x": "1"], isListed: false)
        let directory = try await world.lookup("d").attributes.inode
        let caller = CallerID(rawValue: 1)
        let first = try await world.filesystem.lookup("x", in: directory, by: caller)
        world.filesystem.forget(first.attributes.inode, count: .max)
        try await world.filesystem.rename(
            "d",
            in: .root,
            to: "e",
            in: .root,
            .replace,
            by: caller
        )
        #expect(try await world.lookup("e").attributes.inode == directory)
        let again = try await world.filesystem.lookup("x", in: directory, by: caller)
        #expect(again.attributes.inode == first.attributes.inode)
    }

    @Test func theOldestAreForgottenFirst() async throws {
        let limit = FilesystemLimits.rememberedKeys
        let keys = (0..<limit).map { ("/many/\($0)", "1") }
        let world = try await World(
            Dictionary(uniqueKeysWithValues: keys + [("/old/x", "1"), ("/new", "1")]),
            isListed: false
        )
        let caller = CallerID(rawValue: 1)
        func look(at name: String, in directory: InodeNumber) async throws -> InodeNumber {
            let found = try await world.filesystem.lookup(name, in: directory, by: caller)
            world.filesystem.forget(found.attributes.inode, count: .max)
            return found.attributes.inode
        }
        let old = try await world.lookup("old").attributes.inode
        let first = (try await look(at: "x", in: old), try await look(at: "new", in: .root))
        let many = try await world.lookup("many").attributes.inode
        for number in 0..<(limit - 1) { _ = try await look(at: "\(number)", in: many) }
        #expect(try await look(at: "new", in: .root) == first.1)
        _ = try await look(at: "\(limit - 1)", in: many)
        #expect(try await look(at: "x", in: old) != first.0)
        #expect(try await look(at: "new", in: .root) == first.1)
    }
}
