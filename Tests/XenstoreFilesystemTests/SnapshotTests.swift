import Testing
import XenstoreFilesystem
import XenstoreProtocol
import XenstoreStore

/// What inotify was told of the children of a directory is kept, to find out what a change has
/// changed. Where it does not hold, events are lost or made up.
@MainActor
@Suite struct SnapshotTests {
    private let caller = CallerID(rawValue: 3)

    /// Its names fit no message, and the store answers E2BIG.
    @Test func aLongListIsNotTakenForAnEmptyOne() async throws {
        let world = try await World(Self.manyChildren)
        try await world.remove("/d/child-with-a-long-name-100")
        try await world.change(at: "/d/child-with-a-long-name-100")
        #expect(world.calls == ["unlink d/child-with-a-long-name-100"])
    }

    /// That it has children is known, and so they are not asked for.
    @Test func aListingDoesNotSayThatAKnownDirectoryIsEmpty() async throws {
        let world = try await World(["/d": "v", "/d/c": "1"], isListed: false)
        let directory = try await world.lookup("d").attributes.inode
        _ = try await world.lookup("d.value")
        world.filesystem.forget(directory, count: .max)
        let root = try await world.filesystem.openDirectory(.root, by: caller)
        _ = try await world.filesystem.list(root, offset: 0) { _ in true }
        world.filesystem.releaseDirectory(root)
        try await world.remove("/d/c")
        try await world.change(at: "/d/c")
        #expect(world.calls.contains("unlink d/c"))
    }

    /// No change in it is noticed while the kernel does not know the directory.
    @Test func whatAValueTellsOfItsDirectoryIsNotKept() async throws {
        let world = try await World(["/d": "v", "/d/c": "1"], isListed: false)
        _ = try await world.lookup("d.value")
        try await world.write("2", to: "/d/x")
        try await world.change(at: "/d/x")
        _ = try await world.lookup("d")
        try await world.write("3", to: "/d/x")
        try await world.change(at: "/d/x")
        #expect(world.calls == ["modify d/x"])
    }

    @Test func aDirectoryThatTheAgentMadeIsKnownByItsNames() async throws {
        let world = try await World()
        try await world.write("1", to: "/d/x")
        try await world.change(at: "/d/x")
        #expect(world.calls == ["mkdir d"])
        await #expect(throws: FilesystemError.noEntry) {
            try await world.filesystem.inotifyReplay.lookup("d", in: .root, by: .nobody)
        }
        _ = try await world.filesystem.inotifyReplay.makeDirectory("d", in: .root, by: .nobody)
        world.filesystem.inotifyReplay.agentIsDone()
        _ = try await world.lookup("d")
        try await world.write("1", to: "/d/y")
        try await world.change(at: "/d/y")
        #expect(world.calls.dropFirst() == ["create d/y", "modify d/y"])
    }

    /// Nothing but this mount knows that it is a directory.
    @Test func anEmptyDirectoryIsLearntAsOne() async throws {
        let world = try await World(["/p/z": "1"], mayWatch: true, isListed: false)
        let parent = try await world.lookup("p").attributes.inode
        let made = try await world.filesystem.makeDirectory("e", in: parent, by: caller)
        world.filesystem.forget(made.attributes.inode, count: .max)
        world.filesystem.forget(parent, count: .max)
        _ = try await world.lookup("p")
        try await world.write("1", to: "/p/e/x")
        try await world.change(at: "/p/e/x")
        #expect(world.calls.isEmpty)
    }

    /// No directory has a name for it.
    @Test func whoMayUseTheRootIsTold() async throws {
        let world = try await World()
        let permissions = Permissions(owner: .privileged, everyone: .read)
        try await world.other.setPermissions(permissions, of: .root)
        try await world.change(at: "/")
        #expect(world.calls == ["attrib ."])
        let told = try await world.filesystem.inotifyReplay.setAttributes(
            AttributeChanges(),
            of: .root,
            handle: nil
        )
        #expect(told.mode == 0o755)
        world.filesystem.inotifyReplay.agentIsDone()
        let changes = AttributeChanges(mode: 0o700)
        _ = try await world.filesystem.setAttributes(changes, of: .root, handle: nil)
        try await world.change(at: "/")
        #expect(world.calls.count == 1)
    }

    // MARK: Without a connection

    /// The list comes by parts.
    @Test func whatWasMadeInALongListMeanwhileIsTold() async throws {
        let world = try await World(Self.manyChildren, mayWatch: true)
        _ = try await world.lookup("d")
        try await world.disconnect()
        try await world.write("1", to: "/d/new")
        try await world.remove("/d/child-with-a-long-name-100")
        await world.reconnect()
        world.filesystem.inotifyReplay.agentIsDone()
        #expect(
            Set(world.calls) == [
                "create d/new", "modify d/new", "unlink d/child-with-a-long-name-100",
            ]
        )
    }

    /// What the directory above has is not known, as it was changed while it was asked for. Where a
    /// guest may not read it that is so, too.
    @Test func whatWasMadeBelowAnUnknownDirectoryMeanwhileIsTold() async throws {
        let world = try await World(["/a/d/x": "1"], isListed: false)
        world.access.holdsAnswers = true
        let look = Task { try await world.lookup("a") }
        while !world.access.isAsked { await Task.yield() }
        world.tell(of: "/a")
        await world.release()
        let parent = try await look.value.attributes.inode
        let directory = try await world.filesystem.lookup("d", in: parent, by: caller)
        let handle = try await world.filesystem.openDirectory(
            directory.attributes.inode,
            by: caller
        )
        world.filesystem.releaseDirectory(handle)
        try await world.disconnect()
        try await world.write("1", to: "/a/d/new")
        await world.reconnect()
        #expect(world.calls == ["create a/d/new", "modify a/d/new"])
    }

    // MARK: Shapes

    /// What was known before it was made says nothing of what is below.
    @Test func aDirectoryThatIsMadeWhileItsParentIsLookedUpStaysOne() async throws {
        let world = try await World()
        let filesystem = world.filesystem
        let parent = try await filesystem.makeDirectory("d", in: .root, by: caller)
        let directory = parent.attributes.inode
        world.access.holdsAnswers = true
        let made = Task {
            try await filesystem.makeDirectory("e", in: directory, by: caller)
        }
        let path = try XenstorePath.root.appending("d").appending("e")
        while (try? await world.other.read(path)) == nil {
            if world.access.isAsked { world.access.releaseFirst() }
            await Task.yield()
        }
        let look = Task { try await world.lookup("d") }
        while !world.access.isAskedTwice { await Task.yield() }
        world.tell(of: "/d/e")
        await world.release()
        _ = try await made.value
        _ = try await look.value
        let found = try await filesystem.lookup("e", in: directory, by: caller)
        #expect(found.attributes.kind == .directory)
    }

    /// The number of keys counts, and not how often they come and go.
    @Test func whatIsForgottenAgainAndAgainDoesNotPushOthersOut() async throws {
        let world = try await World(["/d/x": "1"], isListed: false)
        let filesystem = world.filesystem
        let made = try await filesystem.makeDirectory("e", in: .root, by: caller)
        filesystem.forget(made.attributes.inode, count: .max)
        for _ in 0...FilesystemLimits.rememberedKeys {
            filesystem.forget(try await world.lookup("d").attributes.inode, count: 1)
        }
        #expect(try await world.lookup("e").attributes.kind == .directory)
    }

    private static var manyChildren: [String: String] {
        let paths = (100..<300).map { "/d/child-with-a-long-name-\($0)" }
        return Dictionary(uniqueKeysWithValues: paths.map { ($0, "1") })
    }
}
